// Package keymap finds the row number of a key: 64-bit integers in [Map],
// strings in [Strings].
package keymap

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
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
	// Default: 0, a few hundred bytes a stripe.
	Capacity int
}

// Hash scatters a key over 64 bits.
func Hash(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 }

// Key returns the key whose Hash is given.
func Key(hash uint64) uint64 { return hash * 0xf1de83e19937733d }

// Map takes hashes to row numbers.
type Map struct {
	shift   int
	stripes []map[uint64]uint32
}

// New returns an empty map.
func New(o Options) (*Map, error) {
	n := max(o.Stripes, 1)
	if n > 64 || n&(n-1) != 0 {
		return nil, fmt.Errorf("%w: Stripes must be a power of two from 1 to 64; received %d", ErrOptions, o.Stripes)
	}
	m := &Map{shift: 64 - bits.TrailingZeros(uint(n)), stripes: make([]map[uint64]uint32, n)}
	m.Clear()
	return m, nil
}

// Stripes returns the number of stripes.
func (m *Map) Stripes() int { return len(m.stripes) }

// Stripe returns the stripe of a hash.
func (m *Map) Stripe(hash uint64) int { return int(hash >> m.shift) }

// Find fills rows[i] with the row of the key with hashes[i], or None.
func (m *Map) Find(hashes []uint64, rows []uint32) {
	for i, h := range hashes {
		row, ok := m.stripes[m.Stripe(h)][h]
		if !ok {
			row = None
		}
		rows[i] = row
	}
}

// FindOrInsert returns the row of a key, which becomes next if it is absent.
func (m *Map) FindOrInsert(hash uint64, next uint32) (row uint32, existed bool) {
	s := m.stripes[m.Stripe(hash)]
	if row, ok := s[hash]; ok {
		return row, true
	}
	s[hash] = next
	return next, false
}

// Insert finds keys and gives the absent ones the rows in free, in
// order: the key at hashes[added[j]] got free[j], for j < n. When free runs out,
// the other absent keys are left out and get None.
func (m *Map) Insert(hashes []uint64, rows, free, added []uint32) (n int) {
	m.Find(hashes, rows)
	for i, h := range hashes {
		if rows[i] == None && n < len(free) {
			row, existed := m.FindOrInsert(h, free[n])
			rows[i] = row
			if !existed {
				added[n] = uint32(i)
				n++
			}
		}
	}
	return n
}

// Delete removes a key and returns its row.
func (m *Map) Delete(hash uint64) (row uint32, ok bool) {
	s := m.stripes[m.Stripe(hash)]
	row, ok = s[hash]
	delete(s, hash)
	return row, ok
}

// Len returns the number of keys.
func (m *Map) Len() int {
	n := 0
	for i := range m.stripes {
		n += m.LenStripe(i)
	}
	return n
}

// LenStripe returns the number of keys in a stripe.
func (m *Map) LenStripe(stripe int) int { return len(m.stripes[stripe]) }

// All yields the keys of a stripe and their rows.
func (m *Map) All(stripe int) iter.Seq2[uint64, uint32] {
	return func(yield func(uint64, uint32) bool) {
		for h, row := range m.stripes[stripe] {
			if !yield(Key(h), row) {
				return
			}
		}
	}
}

// Reserve makes room for n keys in all.
func (m *Map) Reserve(n int) {}

// Clear removes all keys.
func (m *Map) Clear() {
	for i := range m.stripes {
		m.stripes[i] = map[uint64]uint32{}
	}
}

// Bytes returns the memory that the map takes.
func (m *Map) Bytes() int64 { return int64(m.Len()) * 16 }

// Close gives the memory back.
func (m *Map) Close() error { return nil }
