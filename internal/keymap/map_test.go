package keymap

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"
)

func newMap(t testing.TB, o Options) *Map {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{Stripes: 3}, {Stripes: 65}, {Stripes: 128}, {Stripes: -1}, {Capacity: -1}} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("New(%+v): %v, want ErrOptions", o, err)
		}
		if _, err := NewStrings(o); !errors.Is(err, ErrOptions) {
			t.Errorf("NewStrings(%+v): %v, want ErrOptions", o, err)
		}
	}
	if m := newMap(t, Options{}); m.Stripes() != 1 || m.Stripe(^uint64(0)) != 0 {
		t.Errorf("zero options: %d stripes, the last hash in %d", m.Stripes(), m.Stripe(^uint64(0)))
	}
}

func TestStripeIsTheTopBits(t *testing.T) {
	for bits := range 7 {
		m := newMap(t, Options{Stripes: 1 << bits})
		for want := range 1 << bits {
			low := uint64(want) << 1 << (63 - bits)
			high := low + (^uint64(0) >> bits)
			if m.Stripe(low) != want || m.Stripe(high) != want {
				t.Errorf("%d stripes: %#x in %d, %#x in %d, want %d", 1<<bits, low, m.Stripe(low), high, m.Stripe(high), want)
			}
		}
	}
}

// TestNoKeyIsReserved uses the keys and hashes that other tables keep for marks.
func TestNoKeyIsReserved(t *testing.T) {
	m := newMap(t, Options{Stripes: 4})
	special := []uint64{0, ^uint64(0), Key(^uint64(0)), 1, 1 << 63}
	for i, key := range special {
		if row := m.Get(Hash(key)); row != None {
			t.Fatalf("key %#x in an empty map: row %d", key, row)
		}
		m.FindOrInsert(Hash(key), uint32(i))
	}
	for i, key := range special {
		if row, ok := m.Delete(Hash(key)); !ok || row != uint32(i) {
			t.Errorf("Delete(%#x) = %d, %v, want %d", key, row, ok, i)
		}
		if row, ok := m.Delete(Hash(key)); ok || row != None {
			t.Errorf("Delete(%#x) again = %d, %v", key, row, ok)
		}
	}
}

func TestInsertGivesARepeatedKeyOneRow(t *testing.T) {
	m := newMap(t, Options{})
	hashes := []uint64{Hash(5), Hash(6), Hash(5), Hash(7), Hash(6)}
	rows, free, added := make([]uint32, 5), []uint32{10, 11}, make([]uint32, 2)
	if n := m.Insert(hashes, rows, free, added); n != 2 || added[0] != 0 || added[1] != 1 {
		t.Errorf("Insert = %d, added %v, want 2, [0 1]", n, added)
	}
	for i, want := range []uint32{10, 11, 10, None, 11} {
		if rows[i] != want {
			t.Errorf("rows[%d] = %d, want %d", i, rows[i], want)
		}
	}
}

// TestChurn keeps two nearly full segments and replaces their keys thirty times.
// The map must
// stay as small and its walks as short as if the last keys were its first.
func TestChurn(t *testing.T) {
	const live, turns = 31_000, 1_000_000
	m := newMap(t, Options{Stripes: 2})
	for i := range uint64(live) {
		m.FindOrInsert(Hash(i), uint32(i))
	}
	bytes := m.Bytes()
	for i := range uint64(turns) {
		row, ok := m.Delete(Hash(i))
		if !ok {
			t.Fatalf("key %d is lost", i)
		}
		m.FindOrInsert(Hash(i+live), row)
	}
	check(t, m)
	if m.Len() != live {
		t.Errorf("Len = %d, want %d", m.Len(), live)
	}
	if got := m.Bytes(); got != bytes {
		t.Errorf("the map takes %d bytes after churn and took %d before", got, bytes)
	}
	fresh := newMap(t, Options{Stripes: 2})
	for i := range uint64(live) {
		fresh.FindOrInsert(Hash(i+turns), uint32(i))
	}
	worn, new := meanWalk(m), meanWalk(fresh)
	if worn > 1.02*new {
		t.Errorf("a find looks at %.4f buckets after churn, %.4f in a fresh map", worn, new)
	}
	t.Logf("buckets a find: %.4f worn, %.4f fresh", worn, new)
}

// meanWalk returns how many buckets a find of a present key looks at.
func meanWalk(m *Map) float64 {
	buckets := 0
	for i := range m.stripes {
		s := &m.stripes[i]
		s.each(func(hash uint64, _ uint32) bool {
			d, _, _, _ := s.segment(s.dir[s.index(hash)].segment).find(hash)
			buckets += d + 1
			return true
		})
	}
	return float64(buckets) / float64(m.Len())
}

// TestWalksOfRandomKeysAreShort fills a segment to the point where it splits.
func TestWalksOfRandomKeysAreShort(t *testing.T) {
	m := newMap(t, Options{})
	for i := range uint64(segmentSize * fill) {
		m.FindOrInsert(Hash(i), uint32(i))
	}
	if s := &m.stripes[0]; s.segs != 1 || len(s.stash) > 0 {
		t.Fatalf("%d segments, %d stashed, want a full one and none", s.segs, len(s.stash))
	}
	longest := 0
	m.stripes[0].each(func(hash uint64, _ uint32) bool {
		d, _, _, _ := m.stripes[0].small.find(hash)
		longest = max(longest, d+1)
		return true
	})
	if mean := meanWalk(m); mean > 1.35 || longest > 40 {
		t.Errorf("a find in a full segment looks at %.3f buckets, at most %d; want at most 1.35 and 40", mean, longest)
	}
}

// TestOneInsertMovesOneSegment watches a map grow: no insert may add more than
// one segment or lengthen a directory by more than its double, so that none
// moves more than the keys of one segment.
func TestOneInsertMovesOneSegment(t *testing.T) {
	m := newMap(t, Options{Stripes: 2})
	splits := 0
	for i := range uint64(300_000) {
		hash := Hash(i)
		s := m.stripe(hash)
		segs, entries, arena := s.segs, len(s.dir), s.arena != nil
		m.FindOrInsert(hash, uint32(i))
		if s.segs > segs+1 || len(s.dir) > 2*entries {
			t.Fatalf("insert %d: from %d segments and %d entries to %d and %d", i, segs, entries, s.segs, len(s.dir))
		}
		if s.segs > segs {
			splits++
		}
		if len(s.small) > segmentSize || arena && s.small != nil {
			t.Fatalf("insert %d: a segment of %d buckets on the heap", i, len(s.small))
		}
	}
	if splits < 14 {
		t.Errorf("%d splits, want at least 14: the test looks at nothing", splits)
	}
}

func TestReserveSplitsNothing(t *testing.T) {
	for _, n := range []int{0, 1, 100, 5000, 200_000} {
		m := newMap(t, Options{Stripes: 4, Capacity: n})
		before := [4]int{}
		for i := range m.stripes {
			before[i] = m.stripes[i].segs * int(m.stripes[i].mask+1)
		}
		for i := range uint64(n) {
			m.FindOrInsert(Hash(i), uint32(i))
		}
		check(t, m)
		for i := range m.stripes {
			if got := m.stripes[i].segs * int(m.stripes[i].mask+1); n >= 5000 && got != before[i] {
				t.Errorf("%d keys: stripe %d grew from %d buckets to %d", n, i, before[i], got)
			}
		}
		m.Reserve(10 * n) // holds keys: nothing happens
		if m.Len() != n {
			t.Errorf("Reserve left %d of %d keys", m.Len(), n)
		}
	}
}

// TestBytesPerKey holds the memory to 16 to 34 bytes a key, wherever between two
// splits a map stands, and checks that Clear gives it back.
func TestBytesPerKey(t *testing.T) {
	m := newMap(t, Options{Stripes: 8})
	empty := m.Bytes()
	for i := range uint64(1_200_000) {
		m.FindOrInsert(Hash(i), uint32(i))
		if n := m.Len(); n >= 400_000 && n%100_000 == 0 {
			if per := float64(m.Bytes()) / float64(n); per < 16 || per > 36 {
				t.Errorf("%d keys: %.1f bytes a key", n, per)
			}
		}
	}
	if err := m.Clear(); err != nil {
		t.Fatal(err)
	}
	if m.Len() != 0 || m.Bytes() != empty || m.HugePages() != 0 {
		t.Errorf("cleared: %d keys in %d bytes, want 0 in %d", m.Len(), m.Bytes(), empty)
	}
	m.FindOrInsert(1, 1)
	check(t, m)
}

// TestSteadyStateAllocatesNothing covers finds, and inserts that split nothing.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	m := newMap(t, Options{Stripes: 16, Capacity: 100_000})
	hashes := make([]uint64, 1000)
	for i := range hashes {
		hashes[i] = Hash(uint64(i))
	}
	rows, free, added := make([]uint32, 1000), make([]uint32, 1000), make([]uint32, 1000)
	for name, f := range map[string]func(){
		"Find":   func() { m.Find(hashes, rows) },
		"Get":    func() { m.Get(hashes[0]) },
		"Insert": func() { m.Insert(hashes, rows, free, added) },
		"Delete": func() { m.Delete(hashes[7]); m.FindOrInsert(hashes[7], 1) },
	} {
		if n := testing.AllocsPerRun(10, f); n != 0 {
			t.Errorf("%s allocates %.0f times", name, n)
		}
	}
}

// TestStripesApart works on all stripes at once, each under its own lock, with
// readers beside the writers: the race detector watches the small ones, whose
// segments are on the heap, and all of them under the tag slab_heap.
func TestStripesApart(t *testing.T) {
	const stripes, keys = 16, 40_000
	m := newMap(t, Options{Stripes: stripes})
	var locks [stripes]sync.RWMutex
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for range keys {
				hash := Hash(r.Uint64N(keys))
				lock := &locks[m.Stripe(hash)]
				switch r.IntN(4) {
				case 0:
					lock.Lock()
					m.Delete(hash)
					lock.Unlock()
				case 1, 2:
					lock.Lock()
					m.FindOrInsert(hash, uint32(Key(hash)))
					lock.Unlock()
				default:
					lock.RLock()
					if row := m.Get(hash); row != None && row != uint32(Key(hash)) {
						t.Errorf("key %d has row %d", Key(hash), row)
					}
					lock.RUnlock()
				}
			}
		})
	}
	wait.Wait()
	check(t, m)
}

// TestTheSystemRefuses plays on a map that gets no memory for whole segments: it
// fills the one it has, goes on in the stash, and loses nothing.
func TestTheSystemRefuses(t *testing.T) {
	h := newHistory(t, 1)
	var number [1]uint32
	if _, err := h.m.segments(number[:]); err != nil {
		t.Fatal(err)
	}
	if err := h.m.arena.Close(); err != nil {
		t.Fatal(err)
	}
	h.play(script([3]int{opInsert, 0, 255}, [3]int{opFind, 0, 255}, [3]int{opDeleteOdd, 0, 255},
		[3]int{opFindOrInsert, 20000, 40}, [3]int{opDelete, 3000, 200}))
	if s := &h.m.stripes[0]; s.small == nil {
		t.Error("the stripe left the heap: the test refuses nothing")
	}
}

// TestStripeSize pins what keeps the writers of one stripe off the lines that
// readers of another need.
func TestStripeSize(t *testing.T) {
	if size := unsafe.Sizeof(stripe{}); unsafe.Sizeof(uintptr(0)) == 8 && size != 128 {
		t.Errorf("a stripe is %d bytes, want 128", size)
	}
}
