package keymap

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"unsafe"

	"github.com/rowan-embeddings/rowan/internal/text"
)

// MaxString is the longest string that can be a key, in bytes.
const MaxString = text.MaxString

// Strings takes strings to row numbers and row numbers back to strings. A [Map]
// finds the row by the hash alone, a [text.Store] has the key under the number of
// its row, and the key is compared there:
//
//	hash ──► index (Map) ──► row ──► text (Store): place ──► length│bytes
//
// Each arrow is a cache miss of a cold key, and a block of keys makes each step
// together, so that the misses overlap.
//
// The Map knows one row for a hash. Should two strings have the same one, the
// second goes into a built-in map by its bytes, the twins: at a thousand million
// keys one pair is to be expected in forty tables, and strings may be made so.
//
// The locking is that of Map. Callers pass HashString of each key, or another
// hash if they always pass the same one.
type Strings struct {
	index *Map
	text  *text.Store // the key of each row
	parts []part
}

// part is what a stripe of Strings has beside its parts of the index and the text.
type part struct {
	twins map[string]twin // keys whose hash the index gives to another key; nil nearly always
	_     [56]byte
}

// twin is a key that the index does not know.
type twin struct {
	hash uint64
	row  uint32
}

// NewStrings returns an empty map. The error wraps ErrOptions or is the
// system's.
func NewStrings(o Options) (*Strings, error) {
	index, err := New(o)
	if err != nil {
		return nil, err
	}
	s := &Strings{index: index, parts: make([]part, index.Stripes())}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, index.Close())
	}
	return s, nil
}

func (s *Strings) start() (err error) {
	for i := range s.parts {
		s.parts[i].twins = nil
	}
	s.text, err = text.New(text.Options{Stripes: len(s.parts)})
	return err
}

// Stripes returns the number of stripes.
func (s *Strings) Stripes() int { return len(s.parts) }

// Stripe returns the stripe of a hash.
func (s *Strings) Stripe(hash uint64) int { return s.index.Stripe(hash) }

// Len returns the number of keys. It reads all stripes.
func (s *Strings) Len() int {
	n := 0
	for i := range s.parts {
		n += s.LenStripe(i)
	}
	return n
}

// LenStripe returns the number of keys in a stripe.
func (s *Strings) LenStripe(stripe int) int {
	return s.index.LenStripe(stripe) + len(s.parts[stripe].twins)
}

// Find fills rows[i] with the row of keys[i], whose hash is hashes[i], or None.
// keys and rows must be as long as hashes. It allocates nothing.
func (s *Strings) Find(hashes []uint64, keys []string, rows []uint32) {
	for len(hashes) > block {
		s.findBlock(hashes[:block], keys, rows)
		hashes, keys, rows = hashes[block:], keys[block:], rows[block:]
	}
	s.findBlock(hashes, keys, rows)
}

// findBlock looks all keys up in the index, then reads all that has been found,
// then compares.
func (s *Strings) findBlock(hashes []uint64, keys []string, rows []uint32) {
	rows, keys = rows[:len(hashes)], keys[:len(hashes)]
	s.index.Find(hashes, rows)
	var found [block]string
	s.text.ReadAll(rows, found[:])
	for i, row := range rows {
		if row != None && found[i] != keys[i] {
			rows[i] = s.twin(hashes[i], keys[i])
		}
	}
}

// twin returns the row of a key whose hash the index gives to another, or None.
func (s *Strings) twin(hash uint64, key string) uint32 {
	if t, ok := s.parts[s.Stripe(hash)].twins[key]; ok {
		return t.row
	}
	return None
}

// Get returns the row of a key, or None.
func (s *Strings) Get(hash uint64, key string) uint32 {
	row := s.index.Get(hash)
	if row == None || s.text.Read(row) == key {
		return row
	}
	return s.twin(hash, key)
}

// FindOrInsert returns the row of a key. If the key is absent it becomes next,
// which must not be None and not be another key's. It keeps a copy of the key
// and changes the stripe of the hash. The error wraps ErrLong, or slab.ErrFull or
// the system's if there is no memory; the map is then as it was.
func (s *Strings) FindOrInsert(hash uint64, key string, next uint32) (row uint32, existed bool, err error) {
	if row = s.Get(hash, key); row != None {
		return row, true, nil
	}
	if len(key) > MaxString {
		return None, false, fmt.Errorf("%w: at most %d bytes; received %d, beginning %.40q", ErrLong, MaxString, len(key), key)
	}
	stripe := s.Stripe(hash)
	if err := s.text.Write(stripe, next, key); err != nil {
		return None, false, fmt.Errorf("keymap: the key of row %d: %w", next, err)
	}
	if _, taken := s.index.FindOrInsert(hash, next); taken {
		p := &s.parts[stripe]
		if p.twins == nil {
			p.twins = make(map[string]twin)
		}
		p.twins[strings.Clone(key)] = twin{hash: hash, row: next}
	}
	return next, false, nil
}

// Insert finds keys, in any stripes, and gives the absent ones the rows in free,
// as [Map.Insert] does. After an error, which is one of FindOrInsert's, the keys
// before it are in, n counts those that came in, and the rest of rows is not
// filled.
func (s *Strings) Insert(hashes []uint64, keys []string, rows, free, added []uint32) (n int, err error) {
	for start := 0; start < len(hashes); start += block {
		end := min(start+block, len(hashes))
		s.findBlock(hashes[start:end], keys[start:end], rows[start:end])
		for i := start; i < end; i++ {
			if rows[i] != None {
				continue
			}
			if n == len(free) { // an earlier one of this block may still have come in
				rows[i] = s.Get(hashes[i], keys[i])
				continue
			}
			row, existed, err := s.FindOrInsert(hashes[i], keys[i], free[n])
			if err != nil {
				return n, fmt.Errorf("key %d of %d: %w", i, len(keys), err)
			}
			rows[i] = row
			if !existed {
				added[n] = uint32(i)
				n++
			}
		}
	}
	return n, nil
}

// Delete removes a key and returns its row, or None and false if it is absent.
// It changes the stripe of the hash.
func (s *Strings) Delete(hash uint64, key string) (row uint32, ok bool) {
	stripe := s.Stripe(hash)
	p := &s.parts[stripe]
	row = s.index.Get(hash)
	switch {
	case row == None:
		return None, false
	case s.text.Read(row) == key:
		s.index.Delete(hash)
		s.promote(p, hash)
	default:
		t, ok := p.twins[key]
		if !ok {
			return None, false
		}
		row = t.row
		delete(p.twins, key)
	}
	s.text.Erase(stripe, row)
	return row, true
}

// promote tells the index of another key with a hash that it no longer has.
func (s *Strings) promote(p *part, hash uint64) {
	for key, t := range p.twins {
		if t.hash == hash {
			s.index.FindOrInsert(hash, t.row)
			delete(p.twins, key)
			return
		}
	}
}

// All yields copies of the keys of a stripe, and their rows, in no order that
// means anything. The stripe must not be changed meanwhile.
func (s *Strings) All(stripe int) iter.Seq2[string, uint32] {
	return func(yield func(string, uint32) bool) {
		more := true
		s.index.stripes[stripe].each(func(_ uint64, row uint32) bool {
			more = yield(strings.Clone(s.text.Read(row)), row)
			return more
		})
		for key, t := range s.parts[stripe].twins {
			if !more || !yield(key, t.row) {
				return
			}
		}
	}
}

// Key returns a copy of the key that has a row, or false if none has. It reads
// the stripe of that key: a caller who does not know it locks all.
func (s *Strings) Key(row uint32) (key string, ok bool) {
	if !s.text.Has(row) {
		return "", false
	}
	return strings.Clone(s.text.Read(row)), true
}

// Reserve lays stripes that are still empty out for n keys in all. It touches
// all stripes.
func (s *Strings) Reserve(n int) { s.index.Reserve(n) }

// Clear removes all keys and gives their memory back. It touches all stripes.
// The error is the system's.
func (s *Strings) Clear() error {
	if err := s.Close(); err != nil {
		return err
	}
	return s.start()
}

// Close gives the memory back. The map must not be used afterwards.
func (s *Strings) Close() error {
	if err := s.index.Close(); err != nil {
		return err
	}
	return s.text.Close()
}

// Bytes returns the memory that the map takes, in and outside the Go heap. It
// reads all stripes.
func (s *Strings) Bytes() int64 {
	const perTwin = 64
	n := s.index.Bytes() + s.text.Bytes()
	for i := range s.parts {
		n += int64(unsafe.Sizeof(part{})) + int64(len(s.parts[i].twins))*perTwin
	}
	return n
}

// HugePages returns how many of the map's bytes the system backs with huge pages
// at this moment.
func (s *Strings) HugePages() int64 {
	return s.index.HugePages() + s.text.HugePages()
}
