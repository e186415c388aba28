package keymap

import (
	"unsafe"

	"github.com/rowan-embeddings/rowan/internal/slab"
)

// entry is one place of a stripe's directory. The entries of a segment lie side
// by side, 2^(stripe depth - entry depth) of them, and the first of them keeps
// the count for all.
type entry struct {
	segment uint32 // number in the arena; 0 while the stripe is small
	keys    uint16 // in the segment, not its stash; kept in the first entry only
	depth   uint8  // bits of the hash that all keys of the segment share
}

// stripe is a directory of segments.
type stripe struct {
	base  unsafe.Pointer // of segment 0: the arena's, or small's
	dir   []entry        // 2^depth entries, by the bits of the hash below the stripe's
	mask  uint64         // buckets in each segment, less one
	left  uint8          // bits of the hash that chose the stripe
	depth uint8          // log2 of the directory's length

	segs  int     // distinct segments in dir
	keys  int     // in all segments and the stash
	small segment // the only segment, on the Go heap, until it is whole and splits
	arena *slab.Slab
	stash map[uint64]uint32 // keys without room on their walk; nil nearly always
	owner *Map

	_ [16]byte // two lines each: a writer's counts leave other stripes' readers alone
}

var _ [0]struct{} = [unsafe.Sizeof(stripe{}) % 64 * (^uintptr(0) >> 63)]struct{}{}

// reset makes the stripe empty and small. It lets go of the arena and frees
// nothing in it.
func (s *stripe) reset() { s.start(1) }

// start gives an empty stripe one segment on the heap.
func (s *stripe) start(buckets int) {
	s.small = make(segment, buckets)
	s.base, s.mask = unsafe.Pointer(unsafe.SliceData(s.small)), uint64(buckets-1)
	s.dir, s.depth, s.segs = []entry{{}}, 0, 1
	s.keys, s.stash, s.arena = 0, nil, nil
}

// reserve lays an empty stripe out for n keys and the unevenness of random ones.
func (s *stripe) reserve(n int) {
	n += n / 32
	buckets := 1
	for buckets*fill <= n && buckets < segmentSize {
		buckets *= 2
	}
	if s.arena != nil {
		return // laid out before
	}
	s.start(buckets)
	depth := uint8(0)
	for segmentSize*fill<<depth <= n {
		depth++
	}
	if depth > 0 {
		s.layOut(depth)
	}
}

// layOut gives an empty stripe 2^depth whole segments. Where the system refuses
// them the stripe stays small, and grows when it must.
func (s *stripe) layOut(depth uint8) {
	numbers := make([]uint32, 1<<depth)
	arena, err := s.owner.segments(numbers)
	if err != nil {
		return
	}
	s.moveTo(arena)
	s.dir, s.depth, s.segs = make([]entry, len(numbers)), depth, len(numbers)
	for i, number := range numbers {
		s.dir[i] = entry{segment: number, depth: depth}
	}
}

// moveTo makes the arena the place where segments are.
func (s *stripe) moveTo(arena *slab.Slab) {
	s.arena, s.small = arena, nil
	s.base, s.mask = unsafe.Pointer(unsafe.SliceData(arena.Data())), wholeMask
}

// index returns the place of a hash in the directory.
func (s *stripe) index(hash uint64) int {
	return int(hash << (s.left & 63) >> 1 >> ((63 - s.depth) & 63))
}

// first returns the first entry of the segment that entry i leads to.
func (s *stripe) first(i int) int {
	spare := s.depth - s.dir[i].depth
	return i >> spare << spare
}

// segment returns the segment of a number.
func (s *stripe) segment(number uint32) segment {
	return unsafe.Slice((*bucket)(unsafe.Add(s.base, uintptr(number)<<segmentShift)), s.mask+1)
}

// home returns the bucket where the walk of a hash begins.
func (s *stripe) home(hash uint64) *bucket {
	at := uintptr(s.dir[s.index(hash)].segment)<<segmentShift + uintptr(hash&s.mask)<<bucketShift
	return (*bucket)(unsafe.Add(s.base, at))
}

// beyond finds a key that is not in its home bucket, which was passed.
func (s *stripe) beyond(hash uint64) uint32 {
	g := s.segment(s.dir[s.index(hash)].segment)
	d, slot, found, stashed := g.find(hash)
	if found {
		return g.at(hash, d).rows[slot]
	}
	if stashed {
		if row, ok := s.stash[hash]; ok {
			return row
		}
	}
	return None
}

// insert adds a key that is absent.
func (s *stripe) insert(hash uint64, row uint32) {
	i := s.index(hash)
	g := s.segment(s.dir[i].segment)
	if g.full(int(s.dir[s.first(i)].keys)) && s.grow(i) {
		i = s.index(hash)
		g = s.segment(s.dir[i].segment)
	}
	s.keys++
	if s.place(g, hash, row) {
		s.dir[s.first(i)].keys++
	}
}

// place puts a key into its segment, or else into the stash, and says which.
func (s *stripe) place(g segment, hash uint64, row uint32) bool {
	if g.place(hash, row) {
		return true
	}
	if s.stash == nil {
		s.stash = make(map[uint64]uint32)
	}
	s.stash[hash] = row
	return false
}

// remove takes a key out and returns its row.
func (s *stripe) remove(hash uint64) (row uint32, ok bool) {
	i := s.index(hash)
	g := s.segment(s.dir[i].segment)
	d, slot, found, stashed := g.find(hash)
	switch {
	case found:
		row = g.at(hash, d).rows[slot]
		g.remove(hash, d, slot)
		s.dir[s.first(i)].keys--
	case stashed:
		if row, ok = s.stash[hash]; !ok {
			return None, false
		}
		g.unpass(hash, g.reach())
		delete(s.stash, hash)
	default:
		return None, false
	}
	s.keys--
	return row, true
}

// each yields the hashes and rows of all keys until yield returns false.
func (s *stripe) each(yield func(hash uint64, row uint32) bool) {
	for i := 0; i < len(s.dir); i += 1 << (s.depth - s.dir[i].depth) {
		g := s.segment(s.dir[i].segment)
		for j := range g {
			if !g[j].each(yield) {
				return
			}
		}
	}
	for hash, row := range s.stash {
		if !yield(hash, row) {
			return
		}
	}
}

// bytes returns the memory of the stripe outside the arena.
func (s *stripe) bytes() int64 {
	const stashed = 32 // what a key takes in a built-in map, on average
	return int64(unsafe.Sizeof(*s)) + int64(len(s.small)*bucketBytes) +
		int64(cap(s.dir))*int64(unsafe.Sizeof(entry{})) + int64(len(s.stash)*stashed)
}
