// Package keymap finds the row number of a key: 64-bit integers in [Map],
// strings in [Strings].
//
// # The hash is the key
//
// [Hash] is a bijection on 64 bits with an inverse, [Key]. So a map stores the
// hash and nothing else: comparing hashes compares keys, splitting a part never
// hashes again, and no key has to be reserved to mark what is empty. Callers
// hash a batch once, sort out the stripes by the top bits, and pass the hashes.
//
//	hash  63      58 57            .. 12 11         0
//	      ┌─────────┬───────┬──────────┬────────────┐
//	      │ stripe  │ directory ──►    │   bucket   │
//	      └─────────┴───────┴──────────┴────────────┘
//
// # One line a bucket
//
// Finding a cold key costs as many cache misses as it touches lines. Designs
// with control bytes touch two or three: the control group, the key, the value.
// Here five keys, their rows and all there is to know about them share one
// line, and nineteen of twenty finds end there:
//
//	0        8        16       24       32       40   44   48   52   56   60   64
//	┌────────┬────────┬────────┬────────┬────────┬────┬────┬────┬────┬────┬────┐
//	│ hash 0 │ hash 1 │ hash 2 │ hash 3 │ hash 4 │row0│row1│row2│row3│row4│meta│
//	└────────┴────────┴────────┴────────┴────────┴────┴────┴────┴────┴────┴────┘
//	meta: bits 0-4 say which slots are in use, bits 5-31 count the keys that
//	      passed: whose walk begins here or before and which lie further on
//
// There are no tags: the five keys are in the line already, and comparing all
// of them without a branch costs less than one mispredicted branch.
//
// A key begins at its home bucket and lies in the first one from there, round
// the end of the segment, that had a free slot. A find walks the same way and
// stops where nothing has passed. A delete leaves no tombstone: the first key
// further on that passed the hole is pulled into it, and so on until nothing
// has passed the hole. Two things therefore always hold, after any history,
// and the tests check them: a bucket that was passed is full, and its count is
// exact. Churn cannot wear a map out.
//
// # Growth
//
// A stripe is a directory of segments (extendible hashing). A segment is at most
// 4,096 buckets, 256 KiB; when four fifths of its slots are in use it is dealt
// out, by one more bit of the hash, to two new ones, and the directory doubles
// if no spare bit was left:
//
//	directory      segments              directory      segments
//	┌────┐                               ┌────┐
//	│ 0  ├───────► ┌────────────┐        │ 00 ├──────┬► ┌────────────┐
//	├────┤         └────────────┘        ├────┤      │  └────────────┘
//	│ 1  ├───────► ┌────────────┐  ──►   │ 01 ├──────┘
//	└────┘         └──── full ──┘        ├────┤
//	                                     │ 10 ├───────► ┌── half ────┐
//	                                     ├────┤         └────────────┘
//	                                     │ 11 ├───────► ┌── half ────┐
//	                                     └────┘         └────────────┘
//
// The worst single insert thus moves the 16,384 keys of one segment and copies
// a directory of 8 bytes for some 10,000 keys of the stripe. Smaller
// segments would split more evenly and cost a longer directory, which is read
// on every find and should stay in the second-level cache: at a thousand
// million keys it takes under a megabyte. A stripe starts with one bucket on
// the Go heap that doubles up to a whole segment; whole segments lie in a slab
// with huge pages, all stripes' in one, so that a probe does not miss the TLB
// as well. The collector sees the directories and a few structs.
//
// # What bad luck and malice can do
//
// A walk is at most 64 buckets. A key that finds no room in them, or whose
// segment should split and cannot (a directory never has more than 16 entries a
// segment, and the system may refuse memory), goes to the stripe's stash, a
// built-in map with a seeded hash. Random keys never get there; keys made to
// collide do, and cost what a built-in map costs and no more. So do the keys
// beyond some ten million of a map on slab's heap twin, whose default ends there.
//
// # Locks
//
// There are none inside. Calls on different stripes may run at once; on one
// stripe either one call that changes it or any number that do not.
package keymap

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/slab"
)

// None stands for the row of a key that is absent.
const None = ^uint32(0)

// Errors of this package, to be matched with errors.Is.
var (
	// ErrOptions reports options that no map can have.
	ErrOptions = errors.New("keymap: bad options")
	// ErrLong reports a string that is too long to be a key.
	ErrLong = errors.New("keymap: key too long")
)

// Options says how a map is laid out.
type Options struct {
	// Stripes is the number of parts that may be worked on at once: a power
	// of two from 1 to 64. Default: 1.
	Stripes int
	// Capacity is the number of keys to make room for at the start.
	// Default: 0, a line a stripe.
	Capacity int
}

// Map takes hashes of 64-bit keys to row numbers. It holds no locks: the caller
// keeps a stripe's readers and writers apart, and calls that name no stripe
// touch exactly the stripes of the hashes they are given, or say otherwise.
type Map struct {
	shift   uint8 // hash >> 1 >> shift is the stripe: two steps, since a shift by 64 is none to the processor
	stripes []stripe

	mu    sync.Mutex
	arena *slab.Slab // whole segments; nil until the first
}

// New returns an empty map. The error wraps ErrOptions.
func New(o Options) (*Map, error) {
	n := max(o.Stripes, 1)
	if o.Stripes < 0 || n > 64 || n&(n-1) != 0 {
		return nil, fmt.Errorf("%w: Stripes must be a power of two from 1 to 64, or 0 for 1; received %d", ErrOptions, o.Stripes)
	}
	if o.Capacity < 0 {
		return nil, fmt.Errorf("%w: Capacity must not be negative; received %d", ErrOptions, o.Capacity)
	}
	left := bits.TrailingZeros(uint(n))
	m := &Map{shift: uint8(63 - left), stripes: make([]stripe, n)}
	for i := range m.stripes {
		m.stripes[i].owner, m.stripes[i].left = m, uint8(left)
		m.stripes[i].reset()
	}
	m.Reserve(o.Capacity)
	return m, nil
}

// Stripes returns the number of stripes.
func (m *Map) Stripes() int { return len(m.stripes) }

// Stripe returns the stripe of a hash.
func (m *Map) Stripe(hash uint64) int { return int(hash >> 1 >> (m.shift & 63)) }

func (m *Map) stripe(hash uint64) *stripe { return &m.stripes[hash>>1>>(m.shift&63)] }

// Len returns the number of keys. It reads all stripes.
func (m *Map) Len() int {
	n := 0
	for i := range m.stripes {
		n += m.stripes[i].keys
	}
	return n
}

// LenStripe returns the number of keys in a stripe.
func (m *Map) LenStripe(stripe int) int { return m.stripes[stripe].keys }

// All yields the keys, not hashes, of a stripe and their rows, in no order that
// means anything. The stripe must not be changed meanwhile.
func (m *Map) All(stripe int) iter.Seq2[uint64, uint32] {
	return func(yield func(uint64, uint32) bool) {
		m.stripes[stripe].each(func(hash uint64, row uint32) bool {
			return yield(Key(hash), row)
		})
	}
}

// Reserve lays stripes that are still empty out for n keys in all, so that
// inserting them splits nothing. It touches all stripes.
func (m *Map) Reserve(n int) {
	for i := range m.stripes {
		if s := &m.stripes[i]; s.keys == 0 {
			s.reserve(n / len(m.stripes))
		}
	}
}

// Clear removes all keys and gives their memory back. It touches all stripes.
// The error is the system's.
func (m *Map) Clear() error {
	for i := range m.stripes {
		m.stripes[i].reset()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	arena := m.arena
	m.arena = nil
	if arena == nil {
		return nil
	}
	return arena.Close()
}

// Close gives the memory back, like Clear.
func (m *Map) Close() error { return m.Clear() }

// Bytes returns the memory that the map takes, in and outside the Go heap. It
// reads all stripes.
func (m *Map) Bytes() int64 {
	var n int64
	for i := range m.stripes {
		n += m.stripes[i].bytes()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.arena != nil {
		n += m.arena.Bytes()
	}
	return n
}

// HugePages returns how many of the map's bytes the system backs with huge pages
// at this moment.
func (m *Map) HugePages() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.arena == nil {
		return 0
	}
	return m.arena.HugePages()
}

// segments hands out the numbers of n empty segments and the slab they are in.
func (m *Map) segments(numbers []uint32) (*slab.Slab, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.arena == nil {
		arena, err := slab.New(slab.Options{Stride: segmentBytes / 4})
		if err != nil {
			return nil, err
		}
		m.arena = arena
	}
	return m.arena, m.arena.AllocN(numbers)
}
