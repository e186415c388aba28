// Package text keeps strings outside the Go heap, each under a number of the
// caller's: the keys of a map, or what a table of strings holds.
//
// A string costs its bytes, a header of six, and a place of eight:
//
//	number ──► places[number] ──► chunk, offset: number│length│bytes
//
// Each arrow is a cache miss of a cold string; [Store.ReadAll] makes each step for
// a block of numbers together, so that the misses overlap. The collector sees a
// handful of objects whatever there is in a store.
//
// Text is divided into stripes, as the keys of a table are. Each has chunks of
// its own and writes to the last of them; where replaced and erased strings leave
// more than half of a chunk dead, what lives moves on and the chunk is free (see
// chunk.go). So closed chunks never have more dead text than live.
//
// # Locks
//
// There are none inside. A number belongs to one stripe at a time: it may go to
// another once it is erased. Calls on different stripes may run at once; on one
// stripe either one call that changes it or any number that do not. A call that
// reads numbers reads their stripes.
package text

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/rowan-embeddings/rowan/internal/slab"
)

// Errors of this package, to be matched with errors.Is.
var (
	// ErrOptions reports options that no store can have.
	ErrOptions = errors.New("text: bad options")
	// ErrLong reports a string of more than MaxString bytes.
	ErrLong = errors.New("text: string too long")
)

// Options says how a store is laid out.
type Options struct {
	// Stripes is the number of parts that may be worked on at once. Each that
	// has text takes a chunk of 64 KiB at least. Default: 1.
	Stripes int
}

// Store is strings under numbers.
type Store struct {
	places *slab.Slab // eight bytes a number: where its record lies in chunks, or 0
	chunks *slab.Slab
	parts  []part
}

// part is what a stripe has for itself, on a cache line of its own.
type part struct {
	open uint32 // the chunk that takes new records, or slab.None
	_    [60]byte
}

var _ [0]struct{} = [unsafe.Sizeof(part{}) - 64]struct{}{}

const placeBytes = 8

// New returns an empty store. The error wraps ErrOptions or is the system's.
func New(o Options) (*Store, error) {
	if o.Stripes < 0 {
		return nil, fmt.Errorf("%w: Stripes must be at least 1, or 0 for 1; received %d", ErrOptions, o.Stripes)
	}
	s := &Store{parts: make([]part, max(o.Stripes, 1))}
	for i := range s.parts {
		s.parts[i].open = slab.None
	}
	var err error
	if s.places, err = slab.New(slab.Options{Stride: placeBytes / 4}); err != nil {
		return nil, err
	}
	if s.chunks, err = slab.New(slab.Options{Stride: chunkBytes / 4}); err != nil {
		return nil, errors.Join(err, s.places.Close())
	}
	return s, nil
}

// Write stores a copy of a string under a number in the place of what the number
// had. It changes the stripe. The string must not
// be text of the store itself, as Read returns it: that may move meanwhile. The
// error wraps ErrLong, or slab.ErrFull or the system's if there is no memory; the
// number then has what it had.
func (s *Store) Write(stripe int, number uint32, text string) error {
	if len(text) > MaxString {
		return fmt.Errorf("%w: at most %d bytes; received %d, beginning %.40q", ErrLong, MaxString, len(text), text)
	}
	if err := s.makePlace(number); err != nil {
		return fmt.Errorf("text: no room for the place of number %d: %w", number, err)
	}
	p := &s.parts[stripe]
	if err := s.makeRoom(p, len(text)); err != nil {
		return err
	}
	old := s.place(number)
	s.append(p, number, text)
	if old != 0 {
		s.kill(p, old)
	}
	return nil
}

// Read returns the string of a number, or "" if there is none. It is the text
// itself and good until the stripe changes.
func (s *Store) Read(number uint32) string {
	if !s.known(number) {
		return ""
	}
	return s.record(s.place(number))
}

// block is how many strings are read together. A core keeps 10 to 30 misses in
// flight; a longer block gains nothing.
const block = 32

// ReadAll fills texts[i] with what Read returns of numbers[i]. texts must be as
// long as numbers. It allocates nothing.
func (s *Store) ReadAll(numbers []uint32, texts []string) {
	for len(numbers) > block {
		s.readBlock(numbers[:block], texts)
		numbers, texts = numbers[block:], texts[block:]
	}
	s.readBlock(numbers, texts)
}

// readBlock reads all places, then all lengths.
func (s *Store) readBlock(numbers []uint32, texts []string) {
	texts = texts[:len(numbers)]
	var places [block]uint64
	for i, number := range numbers {
		if s.known(number) {
			places[i%block] = s.place(number)
		}
	}
	for i := range texts {
		texts[i] = s.record(places[i%block])
	}
}

// Has reports whether a number has a string, "" included.
func (s *Store) Has(number uint32) bool { return s.known(number) && s.place(number) != 0 }

// Erase takes the string of a number away, if it has one. It changes the stripe.
func (s *Store) Erase(stripe int, number uint32) {
	if !s.Has(number) {
		return
	}
	at := s.place(number)
	s.setPlace(number, 0)
	s.kill(&s.parts[stripe], at)
}

// Chunks returns how many chunks of 64 KiB are in use, all stripes' together.
func (s *Store) Chunks() int { return s.chunks.Len() }

// Bytes returns the memory that the store takes, in and outside the Go heap.
func (s *Store) Bytes() int64 {
	return s.places.Bytes() + s.chunks.Bytes() + int64(len(s.parts))*int64(unsafe.Sizeof(part{}))
}

// HugePages returns how many of these bytes the system backs with huge pages at
// this moment.
func (s *Store) HugePages() int64 { return s.places.HugePages() + s.chunks.HugePages() }

// Close gives the memory back. Neither the store nor a string that Read returned
// may be used afterwards.
func (s *Store) Close() error { return errors.Join(s.places.Close(), s.chunks.Close()) }

// makePlace makes a number known. 32 bits count fewer places than there are numbers.
func (s *Store) makePlace(number uint32) error {
	if uint64(number) >= math.MaxInt {
		return slab.ErrFull
	}
	return s.places.Grow(int(number) + 1)
}

// known reports whether a number has a place, which may be empty.
func (s *Store) known(number uint32) bool {
	return uint64(number) < uint64(len(s.places.Data()))/(placeBytes/4)
}

// place returns where the record of a number lies, or 0. Numbers of other stripes
// may be written meanwhile, and compaction asks about numbers that have gone to
// another stripe: hence the atomic.
func (s *Store) place(number uint32) uint64 { return atomic.LoadUint64(s.placeOf(number)) }

func (s *Store) setPlace(number uint32, at uint64) { atomic.StoreUint64(s.placeOf(number), at) }

func (s *Store) placeOf(number uint32) *uint64 {
	base := unsafe.Pointer(unsafe.SliceData(s.places.Data()))
	return (*uint64)(unsafe.Add(base, uintptr(number)*placeBytes))
}
