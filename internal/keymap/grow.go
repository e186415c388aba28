package keymap

import "math/bits"

// spareEntries is how long a directory may get for each of its segments.
// Random keys fill segments so evenly that they need four; without a bound, keys
// with many equal high bits would double it without end.
const spareEntries = 16

// grow makes room in the segment of entry i: a small one doubles, a whole one
// splits. It returns false if neither can be.
func (s *stripe) grow(i int) bool {
	if s.small != nil && len(s.small) < segmentSize {
		s.double()
		return true
	}
	return s.split(i)
}

// double moves the keys of a small stripe to a segment of twice the size.
func (s *stripe) double() {
	old, stash := s.small, s.stash
	s.start(2 * len(old))
	add := func(hash uint64, row uint32) bool {
		if s.place(s.small, hash, row) {
			s.dir[0].keys++
		}
		s.keys++
		return true
	}
	for i := range old {
		old[i].each(add)
	}
	for hash, row := range stash {
		add(hash, row)
	}
}

// split deals the keys of a whole segment out to two new ones.
func (s *stripe) split(i int) bool {
	if s.dir[i].depth == s.depth {
		if !s.doubleDirectory() {
			return false
		}
		i *= 2
	}
	var numbers [2]uint32
	arena, err := s.owner.segments(numbers[:])
	if err != nil {
		return false
	}
	i = s.first(i)
	old := s.dir[i]
	g := s.segment(old.segment)
	fromArena := s.small == nil
	s.moveTo(arena)
	s.enter(i, old.depth+1, numbers)
	s.deal(g, i)
	if fromArena {
		_ = arena.Free(old.segment) // cannot fail: the number came from there
	}
	s.restash(i, old.depth)
	return true
}

// enter writes two new, empty segments over the entries of an old one, the first
// of which is i.
func (s *stripe) enter(i int, depth uint8, numbers [2]uint32) {
	half := 1 << (s.depth - depth)
	for k := range half {
		s.dir[i+k] = entry{segment: numbers[0], depth: depth}
		s.dir[i+half+k] = entry{segment: numbers[1], depth: depth}
	}
	s.segs++
}

// deal places the keys of a segment that left the directory in its successors,
// the first of which is entry i's. They come in the order of their buckets, and
// their new homes have the same numbers: all three segments are read and written
// from front to back.
func (s *stripe) deal(g segment, i int) {
	depth := s.dir[i].depth
	next := i + 1<<(s.depth-depth)
	to := [2]segment{s.segment(s.dir[i].segment), s.segment(s.dir[next].segment)}
	var keys [2]uint16
	shift := 64 - s.left - depth
	for j := range g {
		b := &g[j]
		for used := b.meta & inUse; used != 0; used &= used - 1 {
			slot := bits.TrailingZeros32(used)
			hash := b.hashes[slot]
			side := hash >> (shift & 63) & 1
			if s.place(to[side], hash, b.rows[slot]) {
				keys[side]++
			}
		}
	}
	s.dir[i].keys, s.dir[next].keys = keys[0], keys[1]
}

// settle places a key that the stripe has already counted.
func (s *stripe) settle(hash uint64, row uint32) bool {
	i := s.index(hash)
	if s.place(s.segment(s.dir[i].segment), hash, row) {
		s.dir[s.first(i)].keys++
	}
	return true
}

// restash settles the stashed keys of a segment that has split: its successors
// may have room for them, and must know that they passed if not. Entry i is the
// first of the successors and depth the depth of the segment before.
func (s *stripe) restash(i int, depth uint8) {
	stash := s.stash
	if len(stash) == 0 {
		return
	}
	s.stash = nil
	spare := s.depth - depth
	for hash, row := range stash {
		switch {
		case s.index(hash)>>spare == i>>spare:
			s.settle(hash, row)
		case s.stash == nil:
			s.stash = map[uint64]uint32{hash: row}
		default:
			s.stash[hash] = row
		}
	}
}

// doubleDirectory gives each entry a twin, or returns false if the directory is
// too long for its segments.
func (s *stripe) doubleDirectory() bool {
	if 2*len(s.dir) > spareEntries*(s.segs+1) {
		return false
	}
	dir := make([]entry, 2*len(s.dir))
	for i, e := range s.dir {
		dir[2*i], dir[2*i+1] = e, e
	}
	s.dir, s.depth = dir, s.depth+1
	return true
}
