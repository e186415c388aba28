package keymap

import (
	"hash/fnv"
	"iter"
)

// HashString hashes a string, the same in every process and build.
func HashString(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return Hash(h.Sum64())
}

// Strings takes strings to row numbers, and back.
type Strings struct {
	stripes []map[string]uint32
	index   *Map
	keys    map[uint32]string
}

// NewStrings returns an empty map.
func NewStrings(o Options) (*Strings, error) {
	index, err := New(o)
	if err != nil {
		return nil, err
	}
	s := &Strings{index: index, stripes: make([]map[string]uint32, index.Stripes())}
	return s, s.Clear()
}

// Stripes returns the number of stripes.
func (s *Strings) Stripes() int { return len(s.stripes) }

// Stripe returns the stripe of a hash.
func (s *Strings) Stripe(hash uint64) int { return s.index.Stripe(hash) }

// Find fills rows[i] with the row of keys[i], or None.
func (s *Strings) Find(hashes []uint64, keys []string, rows []uint32) {
	for i, h := range hashes {
		row, ok := s.stripes[s.Stripe(h)][keys[i]]
		if !ok {
			row = None
		}
		rows[i] = row
	}
}

// FindOrInsert returns the row of a key, which becomes next if it is absent.
func (s *Strings) FindOrInsert(hash uint64, key string, next uint32) (row uint32, existed bool, err error) {
	m := s.stripes[s.Stripe(hash)]
	if row, ok := m[key]; ok {
		return row, true, nil
	}
	m[key], s.keys[next] = next, key
	return next, false, nil
}

// Insert is Map.Insert for strings.
func (s *Strings) Insert(hashes []uint64, keys []string, rows, free, added []uint32) (n int, err error) {
	s.Find(hashes, keys, rows)
	for i, h := range hashes {
		if rows[i] == None && n < len(free) {
			row, existed, _ := s.FindOrInsert(h, keys[i], free[n])
			rows[i] = row
			if !existed {
				added[n] = uint32(i)
				n++
			}
		}
	}
	return n, nil
}

// Delete removes a key and returns its row.
func (s *Strings) Delete(hash uint64, key string) (row uint32, ok bool) {
	m := s.stripes[s.Stripe(hash)]
	row, ok = m[key]
	delete(m, key)
	return row, ok
}

// Len returns the number of keys.
func (s *Strings) Len() int {
	n := 0
	for i := range s.stripes {
		n += s.LenStripe(i)
	}
	return n
}

// LenStripe returns the number of keys in a stripe.
func (s *Strings) LenStripe(stripe int) int { return len(s.stripes[stripe]) }

// All yields the keys of a stripe and their rows.
func (s *Strings) All(stripe int) iter.Seq2[string, uint32] {
	return func(yield func(string, uint32) bool) {
		for k, row := range s.stripes[stripe] {
			if !yield(k, row) {
				return
			}
		}
	}
}

// Key returns the key that a row belongs to.
func (s *Strings) Key(row uint32) (key string, ok bool) { key, ok = s.keys[row]; return key, ok }

// Reserve makes room for n keys in all.
func (s *Strings) Reserve(n int) {}

// Clear removes all keys.
func (s *Strings) Clear() error {
	for i := range s.stripes {
		s.stripes[i] = map[string]uint32{}
	}
	s.keys = map[uint32]string{}
	return nil
}

// Bytes returns the memory that the map takes.
func (s *Strings) Bytes() int64 { return int64(s.Len()) * 64 }

// Close gives the memory back.
func (s *Strings) Close() error { return s.index.Close() }
