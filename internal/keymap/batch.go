package keymap

import "math/bits"

// block is how many keys are probed together. A core keeps 10 to 30 misses in
// flight; a longer block gains nothing and a much longer one's lines could
// leave the first-level cache before they are read.
const block = 32

// Find fills rows[i] with the row of the key with hashes[i], or None. The hashes
// may lie in any stripes and repeat; rows must be as long. It allocates nothing.
//
// A block of keys is probed in two passes: the first reads one word of each
// home bucket, so that their cache misses overlap, the second compares.
func (m *Map) Find(hashes []uint64, rows []uint32) {
	rows = rows[:len(hashes)]
	for len(hashes) > block {
		m.findBlock(hashes[:block], rows[:block])
		hashes, rows = hashes[block:], rows[block:]
	}
	m.findBlock(hashes, rows)
}

func (m *Map) findBlock(hashes []uint64, rows []uint32) {
	var home [block]*bucket
	var meta [block]uint32
	for i, hash := range hashes {
		b := m.stripe(hash).home(hash)
		home[i&(block-1)], meta[i&(block-1)] = b, b.meta
	}
	for i, hash := range hashes {
		b := home[i&(block-1)]
		hits := b.match(hash)
		switch {
		case hits != 0:
			rows[i] = b.rows[bits.TrailingZeros32(hits)&7%slots]
		case meta[i&(block-1)] < onePassed:
			rows[i] = None
		default:
			rows[i] = m.stripe(hash).beyond(hash)
		}
	}
}

// Get returns the row of the key with a hash, or None.
func (m *Map) Get(hash uint64) uint32 {
	s := m.stripe(hash)
	b := s.home(hash)
	if hits := b.match(hash); hits != 0 {
		return b.rows[bits.TrailingZeros32(hits)]
	}
	if b.passed() == 0 {
		return None
	}
	return s.beyond(hash)
}

// FindOrInsert returns the row of the key with a hash. If the key is absent it
// becomes next, which must not be None. It changes the stripe of the hash.
func (m *Map) FindOrInsert(hash uint64, next uint32) (row uint32, existed bool) {
	if row = m.Get(hash); row != None {
		return row, true
	}
	m.stripe(hash).insert(hash, next)
	return next, false
}

// Insert finds keys, in any stripes, and gives the absent ones the rows in free,
// in order: the key with hashes[added[j]] got free[j], for j < n. A key that
// comes twice gets one row. When free runs out, the other absent keys are left
// out and get None. rows must be as long as hashes and added as long as free.
func (m *Map) Insert(hashes []uint64, rows, free, added []uint32) (n int) {
	for start := 0; start < len(hashes); start += block {
		end := min(start+block, len(hashes))
		m.findBlock(hashes[start:end], rows[start:end])
		for i := start; i < end; i++ {
			if rows[i] != None {
				continue
			}
			if n == len(free) { // an earlier one of this block may still have come in
				rows[i] = m.Get(hashes[i])
				continue
			}
			row, existed := m.FindOrInsert(hashes[i], free[n])
			rows[i] = row
			if !existed {
				added[n] = uint32(i)
				n++
			}
		}
	}
	return n
}

// Delete removes the key with a hash and returns its row, or None and false if it
// is absent. It changes the stripe of the hash.
func (m *Map) Delete(hash uint64) (row uint32, ok bool) {
	return m.stripe(hash).remove(hash)
}
