package keymap

// block is how many keys are probed together. A core keeps 10 to 30 misses in
// flight; a longer block gains nothing, and the lines of a much longer one could
// leave the first-level cache before they are read.
const block = 32

// homes are the buckets where the walks of a block of keys begin.
type homes [block]*bucket

// Find fills rows[i] with the row of the key with hashes[i], or None. The hashes
// may lie in any stripes and repeat; rows must be as long. It allocates nothing.
//
// The homes of each block are asked for while the block before is compared, so
// that cache misses overlap with each other and with the work.
func (m *Map) Find(hashes []uint64, rows []uint32) {
	rows = rows[:len(hashes)]
	var turns [2]homes
	ahead := min(block, len(hashes))
	m.ask(&turns[0], hashes[:ahead])
	for turn := 0; len(hashes) > 0; turn ^= 1 {
		n := ahead
		ahead = min(block, len(hashes)-n)
		m.ask(&turns[turn^1], hashes[n:n+ahead])
		m.resolve(&turns[turn], hashes[:n], rows[:n])
		hashes, rows = hashes[n:], rows[n:]
	}
}

// ask finds the homes of up to a block of hashes and sends for them.
func (m *Map) ask(to *homes, hashes []uint64) {
	for i, hash := range hashes {
		to[i%block] = m.stripe(hash).home(hash)
	}
	prefetch(to, len(hashes))
}

// resolve finds the rows of hashes whose homes were asked for. It is match
// written out: the call would cost a third more.
func (m *Map) resolve(from *homes, hashes []uint64, rows []uint32) {
	rows = rows[:len(hashes)]
	for i, hash := range hashes {
		b := from[i%block]
		hits := (bit(b.hashes[0] == hash) | bit(b.hashes[1] == hash)<<1 | bit(b.hashes[2] == hash)<<2 |
			bit(b.hashes[3] == hash)<<3 | bit(b.hashes[4] == hash)<<4) & b.meta
		switch {
		case hits != 0:
			rows[i] = b.row(hits)
		case b.passed() == 0:
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
		return b.row(hits)
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
	var at homes
	for start := 0; start < len(hashes); start += block {
		end := min(start+block, len(hashes))
		m.ask(&at, hashes[start:end])
		for i := start; i < end; i++ {
			if n == len(free) {
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
