package keymap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func newStrings(t testing.TB, o Options) *Strings {
	t.Helper()
	s, err := NewStrings(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// checkText proves that every key of every stripe has its text, and that there
// are not many more chunks than these fill by half, beside one a stripe.
func checkText(t testing.TB, s *Strings) {
	t.Helper()
	check(t, s.index)
	size := 0
	for i := range s.parts {
		note := func(row uint32) {
			if !s.text.Has(row) {
				t.Fatalf("row %d of stripe %d has no text", row, i)
			}
			size += recordBytes + len(s.text.Read(row))
		}
		s.index.stripes[i].each(func(_ uint64, row uint32) bool { note(row); return true })
		for _, twin := range s.parts[i].twins {
			note(twin.row)
		}
	}
	if most := len(s.parts) + 4*size/chunkBytes + 1; s.text.Chunks() > most {
		t.Fatalf("%d chunks for %d bytes of text, want at most %d", s.text.Chunks(), size, most)
	}
}

// chunkBytes and recordBytes are the sizes of a chunk of text and of what it has
// beside a string.
const (
	chunkBytes  = 1 << 16
	recordBytes = 6
)

// stringHashes are the real one and others that collide, as no good hash does.
var stringHashes = []func(string) uint64{
	HashString,
	func(string) uint64 { return 42 },
	func(s string) uint64 { return HashString(s) & 7 << 60 },
	func(s string) uint64 { return Hash(uint64(len(s))) },
}

// stringHistory plays operations, four bytes each, on Strings and on the
// built-in map: byte 0 is what to do and how long keys are, bytes 1 and 2 the
// first key, byte 3 the number of keys.
type stringHistory struct {
	t    testing.TB
	s    *Strings
	hash func(string) uint64
	want map[string]uint32
	next uint32
	free []uint32 // rows of deleted keys, to be given to others
}

func (h *stringHistory) play(script []byte) {
	for ; len(script) >= 4; script = script[4:] {
		h.step(script[0], binary.LittleEndian.Uint16(script[1:]), int(script[3]))
	}
	checkText(h.t, h.s)
	h.compareAll()
}

func (h *stringHistory) step(what byte, first uint16, count int) {
	var keys []string
	var hashes []uint64
	for i := range count {
		n := int(first) + i
		key := fmt.Sprint(n) + strings.Repeat("x", n%7<<(what>>3%10))
		if n == 11 {
			key = ""
		}
		keys, hashes = append(keys, key), append(hashes, h.hash(key))
	}
	switch what % 5 {
	case 0, 1:
		h.insert(hashes, keys)
	case 2:
		h.find(hashes, keys)
	case 3:
		h.remove(hashes, keys)
	case 4:
		if count == 0 {
			h.clear()
		}
	}
	if h.s.Len() != len(h.want) {
		h.t.Fatalf("after %#x: Len = %d, want %d", what, h.s.Len(), len(h.want))
	}
}

func (h *stringHistory) insert(hashes []uint64, keys []string) {
	rows, added := make([]uint32, len(keys)), make([]uint32, len(keys))
	free := make([]uint32, 0, len(keys))
	for range keys {
		if n := len(h.free); n > 0 {
			free, h.free = append(free, h.free[n-1]), h.free[:n-1]
			continue
		}
		free = append(free, h.next)
		h.next++
	}
	n, err := h.s.Insert(hashes, keys, rows, free, added)
	if err != nil {
		h.t.Fatal(err)
	}
	h.free = append(h.free, free[n:]...)
	for j, i := range added[:n] {
		if _, ok := h.want[keys[i]]; ok {
			h.t.Fatalf("Insert says that %.20q is new", keys[i])
		}
		h.want[keys[i]] = free[j]
	}
	for i, key := range keys {
		if want, ok := h.want[key]; !ok || rows[i] != want {
			h.t.Fatalf("Insert: %.20q got row %d, want %d", key, rows[i], want)
		}
	}
}

func (h *stringHistory) find(hashes []uint64, keys []string) {
	rows := make([]uint32, len(keys))
	h.s.Find(hashes, keys, rows)
	for i, key := range keys {
		want, ok := h.want[key]
		if !ok {
			want = None
		}
		if rows[i] != want || h.s.Get(hashes[i], key) != want {
			h.t.Fatalf("Find(%.20q) = %d, Get = %d, want %d", key, rows[i], h.s.Get(hashes[i], key), want)
		}
	}
}

func (h *stringHistory) remove(hashes []uint64, keys []string) {
	for i, key := range keys {
		want, ok := h.want[key]
		if !ok {
			want = None
		}
		delete(h.want, key)
		row, existed := h.s.Delete(hashes[i], key)
		if row != want || existed != ok {
			h.t.Fatalf("Delete(%.20q) = %d, %v, want %d, %v", key, row, existed, want, ok)
		}
		if ok {
			h.free = append(h.free, row)
			if key, ok := h.s.Key(row); ok {
				h.t.Fatalf("Key(%d) = %.20q after it was deleted", row, key)
			}
		}
	}
}

func (h *stringHistory) clear() {
	if err := h.s.Clear(); err != nil {
		h.t.Fatal(err)
	}
	clear(h.want)
}

func (h *stringHistory) compareAll() {
	seen := 0
	for i := range h.s.Stripes() {
		for key, row := range h.s.All(i) {
			back, ok := h.s.Key(row)
			if want, known := h.want[key]; !known || want != row || !ok || back != key || h.s.Stripe(h.hash(key)) != i {
				h.t.Fatalf("All(%d) yields %.20q, row %d, back %.20q; want row %d", i, key, row, back, want)
			}
			seen++
		}
	}
	if seen != len(h.want) {
		h.t.Fatalf("All yields %d keys, want %d", seen, len(h.want))
	}
}

// stringCorpus has histories with short and long keys, with and without gaps.
func stringCorpus() map[string][]byte {
	// 5 times 13 leaves the kind alone and makes keys of up to 1,536 bytes, so
	// that chunks fill up and are emptied.
	op := func(kind, long, first, count int) [3]int { return [3]int{kind + 5*long, first, count} }
	churn := func(long int) (steps [][3]int) {
		for i := range 30 {
			steps = append(steps, op(0, long, 100*i, 200), op(3, long, 100*i, 90+i%3*10), op(2, long, 50*i, 255))
		}
		return steps
	}
	return map[string][]byte{
		"nothing":   nil,
		"empty key": script(op(0, 0, 11, 1), op(2, 0, 10, 3), op(3, 0, 11, 1), op(2, 0, 11, 1)),
		"clear":     script(op(0, 0, 0, 255), op(4, 0, 0, 0), op(0, 1, 0, 255)),
		"churn":     script(churn(0)...),
		"long keys": script(churn(13)...),
	}
}

func TestStringHistories(t *testing.T) {
	for name, script := range stringCorpus() {
		for i, hash := range stringHashes {
			t.Run(fmt.Sprint(name, "/hash ", i), func(t *testing.T) {
				for _, stripes := range []int{1, 16} {
					h := &stringHistory{t: t, s: newStrings(t, Options{Stripes: stripes}), hash: hash, want: map[string]uint32{}}
					h.play(script)
				}
			})
		}
	}
}

func FuzzStrings(f *testing.F) {
	for _, script := range stringCorpus() {
		for i := range stringHashes {
			f.Add(script, byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, script []byte, options byte) {
		s, err := NewStrings(Options{Stripes: 1 << (options >> 2 % 7)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		h := &stringHistory{t: t, s: s, hash: stringHashes[options%4], want: map[string]uint32{}}
		h.play(script[:min(len(script), 4*64)])
	})
}

// TestEqualHashes walks through the life of three strings with one hash.
func TestEqualHashes(t *testing.T) {
	const hash = 99
	s := newStrings(t, Options{Stripes: 2})
	for i, key := range []string{"one", "two", "three"} {
		if row, existed, err := s.FindOrInsert(hash, key, uint32(i)); row != uint32(i) || existed || err != nil {
			t.Fatalf("FindOrInsert(%q) = %d, %v, %v", key, row, existed, err)
		}
	}
	if row := s.Get(hash, "four"); row != None {
		t.Errorf("a fourth string with the hash has row %d", row)
	}
	if row, ok := s.Delete(hash, "four"); ok || row != None {
		t.Errorf("Delete of a fourth = %d, %v", row, ok)
	}
	if row, ok := s.Delete(hash, "one"); !ok || row != 0 {
		t.Errorf("Delete(one) = %d, %v", row, ok)
	}
	for key, want := range map[string]uint32{"one": None, "two": 1, "three": 2} {
		if row := s.Get(hash, key); row != want {
			t.Errorf("after the first was deleted, %q has row %d, want %d", key, row, want)
		}
	}
	checkText(t, s)
}

func TestLongKeys(t *testing.T) {
	s := newStrings(t, Options{})
	longest := strings.Repeat("k", MaxString)
	if _, _, err := s.FindOrInsert(HashString(longest), longest, 0); err != nil {
		t.Fatal(err)
	}
	if key, ok := s.Key(0); !ok || key != longest {
		t.Errorf("the longest key comes back with %d bytes, %v", len(key), ok)
	}
	long := longest + "k"
	hashes, keys := []uint64{1, HashString(long), 2}, []string{"before", long, "after"}
	rows, added := make([]uint32, 3), make([]uint32, 3)
	n, err := s.Insert(hashes, keys, rows, []uint32{1, 2, 3}, added)
	if !errors.Is(err, ErrLong) || n != 1 || s.Len() != 2 {
		t.Errorf("Insert = %d, %v, Len = %d, want 1, ErrLong, 2", n, err, s.Len())
	}
	checkText(t, s)
}

// TestTextIsReclaimed replaces keys without end: text, places and index must
// stay within a small multiple of what is alive.
func TestTextIsReclaimed(t *testing.T) {
	const live, turns = 3000, 60_000
	s := newStrings(t, Options{Stripes: 4})
	name := func(i int) string { return fmt.Sprintf("item/%d/%s", i, strings.Repeat("-", i%60)) }
	for i := range turns {
		row := uint32(i % live)
		if i >= live {
			old := name(i - live)
			if got, ok := s.Delete(HashString(old), old); !ok || got != row {
				t.Fatalf("Delete(%q) = %d, %v, want %d", old, got, ok, row)
			}
		}
		if _, _, err := s.FindOrInsert(HashString(name(i)), name(i), row); err != nil {
			t.Fatal(err)
		}
	}
	checkText(t, s)
	if chunks, most := s.text.Chunks(), 4+2*live*60/chunkBytes+4; chunks > most {
		t.Errorf("%d chunks for %d keys, want at most %d", chunks, live, most)
	}
}

func TestKeyOfUnknownRow(t *testing.T) {
	s := newStrings(t, Options{})
	if _, _, err := s.FindOrInsert(1, "a", 5); err != nil {
		t.Fatal(err)
	}
	for _, row := range []uint32{0, 4, 6, 1 << 20, None} {
		if key, ok := s.Key(row); ok {
			t.Errorf("Key(%d) = %q, want none", row, key)
		}
	}
}

func TestStringFindAllocatesNothing(t *testing.T) {
	s := newStrings(t, Options{Stripes: 4})
	var hashes []uint64
	var keys []string
	for i := range 500 {
		key := fmt.Sprint("key ", i)
		hashes, keys = append(hashes, HashString(key)), append(keys, key)
	}
	rows, free, added := make([]uint32, 500), make([]uint32, 500), make([]uint32, 500)
	for i := range free {
		free[i] = uint32(i)
	}
	if _, err := s.Insert(hashes, keys, rows, free, added); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { s.Find(hashes, keys, rows) }); n != 0 {
		t.Errorf("Find allocates %.0f times", n)
	}
}

// TestStringStripesApart moves rows between keys of different stripes while
// others compact and read.
func TestStringStripesApart(t *testing.T) {
	const stripes = 8
	s := newStrings(t, Options{Stripes: stripes})
	var locks [stripes]sync.RWMutex
	rows := make(chan uint32, 4000)
	for i := range uint32(cap(rows)) {
		rows <- i
	}
	var wait sync.WaitGroup
	for worker := range 4 {
		wait.Go(func() {
			for i := range 20_000 {
				key := fmt.Sprint((i*31 + worker*7) % 3000)
				hash := HashString(key)
				lock := &locks[s.Stripe(hash)]
				lock.RLock()
				row := s.Get(hash, key)
				lock.RUnlock()
				lock.Lock()
				if row == None {
					row = <-rows
					if got, existed, err := s.FindOrInsert(hash, key, row); err != nil || existed {
						rows <- row
						_ = got
					}
				} else if old, ok := s.Delete(hash, key); ok {
					rows <- old
				}
				lock.Unlock()
			}
		})
	}
	wait.Wait()
	checkText(t, s)
}

// TestChunksThatDieOpen inserts and deletes one key at a time, so that all the
// text of a chunk is dead before the chunk is closed.
func TestChunksThatDieOpen(t *testing.T) {
	s := newStrings(t, Options{})
	for i := range 500 {
		key := fmt.Sprint(i, strings.Repeat("z", 1000))
		if _, _, err := s.FindOrInsert(HashString(key), key, 0); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Delete(HashString(key), key); !ok {
			t.Fatalf("key %d is lost", i)
		}
	}
	checkText(t, s)
	if n := s.text.Chunks(); n != 1 {
		t.Errorf("%d chunks in use for no key, want the open one", n)
	}
}

// TestLongKeyAfterDeadOnes closes a chunk that is mostly dead for a key that does
// not fit beside what is moved out of it.
func TestLongKeyAfterDeadOnes(t *testing.T) {
	s := newStrings(t, Options{})
	key := func(row int) string {
		if row == 25 {
			return strings.Repeat("long", MaxString/4)
		}
		return fmt.Sprint(row, strings.Repeat("z", 2000))
	}
	for row := range 26 {
		if row == 25 {
			for dead := 10; dead < 25; dead++ {
				s.Delete(HashString(key(dead)), key(dead))
			}
		}
		if _, _, err := s.FindOrInsert(HashString(key(row)), key(row), uint32(row)); err != nil {
			t.Fatal(err)
		}
	}
	checkText(t, s)
	for _, row := range []int{0, 9, 25} {
		if got, ok := s.Key(uint32(row)); !ok || got != key(row) {
			t.Errorf("row %d has a key of %d bytes, %v; want %d bytes", row, len(got), ok, len(key(row)))
		}
	}
}
