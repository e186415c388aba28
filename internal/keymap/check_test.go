package keymap

import (
	"testing"
)

// check proves what must hold of a map after any history: the shape of each
// directory, that counts are exact, that a passed bucket is full, and that
// every key is found where its walk leads.
func check(t testing.TB, m *Map) {
	t.Helper()
	segments := 0
	for i := range m.stripes {
		s := &m.stripes[i]
		checkStripe(t, i, s)
		if s.arena != nil {
			segments += s.segs
		}
	}
	if m.arena != nil && m.arena.Len() != segments {
		t.Fatalf("the arena has %d segments in use, the directories name %d", m.arena.Len(), segments)
	}
}

func checkStripe(t testing.TB, number int, s *stripe) {
	t.Helper()
	if len(s.dir) != 1<<s.depth {
		t.Fatalf("stripe %d: %d entries at depth %d", number, len(s.dir), s.depth)
	}
	keys, segs := len(s.stash), 0
	for i := 0; i < len(s.dir); i += 1 << (s.depth - s.dir[i].depth) {
		e := s.dir[i]
		for k := range 1 << (s.depth - e.depth) {
			if d := s.dir[i+k]; d.segment != e.segment || d.depth != e.depth {
				t.Fatalf("stripe %d: entry %d is %v, its first %d is %v", number, i+k, d, i, e)
			}
		}
		if got := checkSegment(t, s, i); got != int(e.keys) {
			t.Fatalf("stripe %d, segment %d: %d keys, counted %d", number, i, got, e.keys)
		}
		keys += int(e.keys)
		segs++
	}
	if keys != s.keys || segs != s.segs {
		t.Fatalf("stripe %d: %d keys in %d segments, counted %d in %d", number, keys, segs, s.keys, s.segs)
	}
}

// checkSegment walks anew for every key of a segment and its stash.
func checkSegment(t testing.TB, s *stripe, i int) (keys int) {
	t.Helper()
	g := s.segment(s.dir[i].segment)
	passed := make([]uint32, len(g))
	pass := func(hash uint64, n int) {
		for d := range n {
			passed[(int(hash)+d)&(len(g)-1)]++
		}
	}
	for j := range g {
		g[j].each(func(hash uint64, row uint32) bool {
			if s.first(s.index(hash)) != i {
				t.Fatalf("hash %#x lies in segment %d, its own is %d", hash, i, s.first(s.index(hash)))
			}
			pass(hash, (j-int(hash))&(len(g)-1))
			keys++
			return true
		})
	}
	for hash := range s.stash {
		if s.first(s.index(hash)) == i {
			pass(hash, g.reach())
		}
	}
	for j := range g {
		if got := g[j].passed(); got != passed[j] {
			t.Fatalf("segment %d, bucket %d: %d passed, counted %d", i, j, passed[j], got)
		}
		if passed[j] > 0 && g[j].meta&inUse != inUse && len(s.stash) == 0 {
			t.Fatalf("segment %d, bucket %d: passed by %d and not full: slots %05b", i, j, passed[j], g[j].meta&inUse)
		}
	}
	return keys
}
