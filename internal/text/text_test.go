package text

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/rowan-embeddings/rowan/internal/slab"
)

func newStore(t testing.TB, stripes int) *Store {
	t.Helper()
	s, err := New(Options{Stripes: stripes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// held is what a store should hold: of each number its string and its stripe.
type held map[uint32]entry

type entry struct {
	text   string
	stripe int
}

// check compares a store with what it should hold, and proves that every chunk's
// counts are exact, that it holds records of one stripe only, that no closed chunk
// is more than half dead, and that no chunk is forgotten.
func (h held) check(t testing.TB, s *Store) {
	t.Helper()
	open := map[uint32]bool{}
	for i := range s.parts {
		open[s.parts[i].open] = true
	}
	for number := range h.checkCounts(t, s) {
		if c := s.chunk(number); !open[number] && c.wasted() {
			t.Fatalf("chunk %d is closed and has %d of %d bytes dead", number, c.dead(), c.used())
		}
	}
}

// checkCounts is check without a word on what is dead: that may stay when there is
// no room to move what lives. It returns the bytes that live in each chunk.
func (h held) checkCounts(t testing.TB, s *Store) (live map[uint32]uint32) {
	t.Helper()
	live = map[uint32]uint32{}
	owner := map[uint32]int{}
	for number, want := range h {
		if got := s.Read(number); got != want.text || !s.Has(number) {
			t.Fatalf("number %d has %.20q of %d bytes, want %.20q of %d", number, got, len(got), want.text, len(want.text))
		}
		at := s.place(number)
		chunk := uint32(at >> chunkShift)
		if got, _ := s.chunk(chunk).read(uint32(at % chunkBytes)); got != number {
			t.Fatalf("the record of number %d is that of %d", number, got)
		}
		if other, ok := owner[chunk]; ok && other != want.stripe {
			t.Fatalf("chunk %d holds records of stripes %d and %d", chunk, other, want.stripe)
		}
		live[chunk] += recordHeader + uint32(len(want.text))
		owner[chunk] = want.stripe
	}
	for i := range s.parts {
		if number := s.parts[i].open; number != slab.None {
			live[number] += 0
		}
	}
	for number, bytes := range live {
		c := s.chunk(number)
		if c.used() > chunkBytes || c.used()-chunkHeader-c.dead() != bytes {
			t.Fatalf("chunk %d: used %d, dead %d, live %d", number, c.used(), c.dead(), bytes)
		}
	}
	if s.Chunks() != len(live) {
		t.Fatalf("%d chunks in use, %d hold live text or are open", s.Chunks(), len(live))
	}
	return live
}

// history plays operations, four bytes each, on a store and on a map: byte 0 is
// what to do and how long strings are, bytes 1 and 2 the first number, byte 3 how
// many.
type history struct {
	t    testing.TB
	s    *Store
	want held
	step int
}

func (h *history) play(script []byte) {
	for ; len(script) >= 4; script = script[4:] {
		first, count := uint32(binary.LittleEndian.Uint16(script[1:])), uint32(script[3])
		for number := first; number < first+count; number++ {
			h.do(script[0], number)
		}
		h.compareSome(first, count)
		h.step++
	}
	h.want.check(h.t, h.s)
}

func (h *history) do(what byte, number uint32) {
	had, ok := h.want[number]
	if what%4 == 3 {
		if ok {
			h.s.Erase(had.stripe, number)
			delete(h.want, number)
		} else {
			h.s.Erase(int(number)%len(h.s.parts), number)
		}
		return
	}
	if !ok { // it may come back in another stripe
		had.stripe = (int(number) + h.step) % len(h.s.parts)
	}
	length := min(int(number%13)<<(what>>2%14), MaxString)
	had.text = strings.Repeat(string(rune('a'+h.step%26)), length)
	if err := h.s.Write(had.stripe, number, had.text); err != nil {
		h.t.Fatal(err)
	}
	h.want[number] = had
}

// compareSome reads numbers together, some of which have nothing.
func (h *history) compareSome(first, count uint32) {
	numbers := []uint32{1 << 31, slab.None}
	for i := range 2 * count {
		numbers = append(numbers, first+i)
	}
	texts := make([]string, len(numbers))
	texts[0] = "left over"
	h.s.ReadAll(numbers, texts)
	for i, number := range numbers {
		want, ok := h.want[number]
		if texts[i] != want.text || h.s.Read(number) != want.text || h.s.Has(number) != ok {
			h.t.Fatalf("number %d has %.20q of %d bytes (%v), by itself %.20q, want %.20q of %d (%v)",
				number, texts[i], len(texts[i]), h.s.Has(number), h.s.Read(number), want.text, len(want.text), ok)
		}
	}
}

// corpus has histories of short and of long strings.
func corpus() map[string][]byte {
	op := func(kind, long, first, count int) []byte {
		return []byte{byte(kind + 4*long), byte(first), byte(first >> 8), byte(count)}
	}
	churn := func(long int) (script []byte) {
		for i := range 30 {
			script = append(script, op(0, long, 60*i, 200)...)
			script = append(script, op(3, long, 60*i, 100+i)...)
			script = append(script, op(1, (long+i)%14, 30*i, 30)...)
		}
		return script
	}
	return map[string][]byte{
		"nothing": nil,
		"empty":   append(op(0, 0, 13, 1), op(3, 0, 13, 2)...),
		"short":   churn(0),
		"middle":  churn(7),
		"long":    churn(13),
	}
}

func TestHistories(t *testing.T) {
	for name, script := range corpus() {
		for _, stripes := range []int{1, 5} {
			t.Run(fmt.Sprintf("%s/stripes=%d", name, stripes), func(t *testing.T) {
				h := &history{t: t, s: newStore(t, stripes), want: held{}}
				h.play(script)
			})
		}
	}
}

func FuzzStore(f *testing.F) {
	for _, script := range corpus() {
		f.Add(script, byte(1))
		f.Add(script, byte(7))
	}
	f.Fuzz(func(t *testing.T, script []byte, stripes byte) {
		s, err := New(Options{Stripes: int(stripes % 9)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		h := &history{t: t, s: s, want: held{}}
		h.play(script[:min(len(script), 4*24)]) // each may write megabytes
	})
}

// TestStripesApart writes, rewrites and erases in all stripes at once, each of
// which has numbers of its own, and takes some from a common stock: numbers go
// from one stripe to another while both move their text.
func TestStripesApart(t *testing.T) {
	const stripes, own, shared, turns = 4, 300, 600, 30_000
	s := newStore(t, stripes)
	stock := make(chan uint32, shared)
	for i := range uint32(shared) {
		stock <- stripes*own + i
	}
	parts := make([]held, stripes)
	var wait sync.WaitGroup
	for stripe := range stripes {
		parts[stripe] = held{}
		wait.Go(func() {
			w := worker{t: t, s: s, stripe: stripe, want: parts[stripe], r: rand.New(rand.NewPCG(1, uint64(stripe))), stock: stock}
			for range turns {
				w.turn(uint32(stripe*own), own)
			}
		})
	}
	wait.Wait()
	want := held{}
	for _, part := range parts {
		for number, e := range part {
			want[number] = e
		}
	}
	want.check(t, s)
}

// worker is who works on a stripe.
type worker struct {
	t        testing.TB
	s        *Store
	stripe   int
	want     held
	r        *rand.Rand
	stock    chan uint32
	borrowed []uint32
}

func (w *worker) turn(first uint32, own int) {
	switch w.r.IntN(6) {
	case 0:
		select {
		case number := <-w.stock:
			w.borrowed = append(w.borrowed, number)
			w.write(number)
		default:
		}
	case 1:
		if n := len(w.borrowed); n > 0 {
			number := w.borrowed[n-1]
			w.borrowed = w.borrowed[:n-1]
			w.erase(number)
			w.stock <- number
		}
	case 2:
		w.erase(first + uint32(w.r.IntN(own)))
	case 3:
		number := first + uint32(w.r.IntN(own))
		if got := w.s.Read(number); got != w.want[number].text {
			w.t.Errorf("stripe %d: number %d has %.20q, want %.20q", w.stripe, number, got, w.want[number].text)
		}
	default:
		w.write(first + uint32(w.r.IntN(own)))
	}
}

func (w *worker) write(number uint32) {
	text := strings.Repeat(string(rune('a'+w.r.IntN(26))), w.r.IntN(2000))
	if err := w.s.Write(w.stripe, number, text); err != nil {
		w.t.Error(err)
		return
	}
	w.want[number] = entry{text, w.stripe}
}

func (w *worker) erase(number uint32) {
	w.s.Erase(w.stripe, number)
	delete(w.want, number)
}

func TestLongStrings(t *testing.T) {
	s := newStore(t, 1)
	want := held{3: {text: strings.Repeat("k", MaxString)}, 1: {text: "short"}}
	for number, e := range want {
		if err := s.Write(0, number, e.text); err != nil {
			t.Fatal(err)
		}
	}
	for _, number := range []uint32{1, 2, 3} {
		err := s.Write(0, number, strings.Repeat("k", MaxString+1))
		if !errors.Is(err, ErrLong) || !strings.Contains(err.Error(), "at most 65522 bytes; received 65523") {
			t.Errorf("a string of a byte more under number %d: %v", number, err)
		}
	}
	want.check(t, s)
}

// TestLongAfterDead closes a chunk that is mostly dead for a string that does not
// fit beside what is moved out of it.
func TestLongAfterDead(t *testing.T) {
	s, want := newStore(t, 1), held{}
	write := func(number uint32, text string) {
		if err := s.Write(0, number, text); err != nil {
			t.Fatal(err)
		}
		want[number] = entry{text: text}
	}
	for i := range uint32(25) {
		write(i, fmt.Sprint(i, strings.Repeat("z", 2000)))
	}
	for i := uint32(10); i < 25; i++ {
		s.Erase(0, i)
		delete(want, i)
	}
	write(25, strings.Repeat("long", MaxString/4))
	want.check(t, s)
}

// TestTextIsReclaimed replaces strings without end: there must stay a small
// multiple of what is alive.
func TestTextIsReclaimed(t *testing.T) {
	const live, turns, stripes = 3000, 60_000, 4
	s, want := newStore(t, stripes), held{}
	for i := range turns {
		number := uint32(i % live)
		e := entry{fmt.Sprint("item ", i, strings.Repeat("-", i%60)), int(number) % stripes}
		if err := s.Write(e.stripe, number, e.text); err != nil {
			t.Fatal(err)
		}
		want[number] = e
	}
	want.check(t, s)
	if most := stripes + 2*live*80/chunkBytes + stripes; s.Chunks() > most {
		t.Errorf("%d chunks for %d strings, want at most %d", s.Chunks(), live, most)
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{Stripes: -1}); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "received -1") {
		t.Errorf("got %v, want ErrOptions", err)
	}
	s := newStore(t, 0)
	if err := s.Write(0, 0, "a"); err != nil || s.Read(0) != "a" {
		t.Errorf("a store without options: %v", err)
	}
	if s.Bytes() < chunkBytes {
		t.Errorf("it says to take %d bytes", s.Bytes())
	}
}

// TestNoRoom writes under the number that no store has room for.
func TestNoRoom(t *testing.T) {
	s := newStore(t, 1)
	if err := s.Write(0, slab.None, "a"); !errors.Is(err, slab.ErrFull) || !strings.Contains(err.Error(), "place of number 4294967295") {
		t.Errorf("got %v, want slab.ErrFull", err)
	}
	held{}.check(t, s)
}

// TestFull gives a store two chunks. What finds no room leaves everything as it
// was; text that should move stays until there is room.
func TestFull(t *testing.T) {
	s, want := newStore(t, 1), held{}
	var err error
	if err = s.chunks.Close(); err == nil {
		s.chunks, err = slab.New(slab.Options{Stride: chunkBytes / 4, MaxRows: 2})
	}
	if err != nil {
		t.Fatal(err)
	}
	const first, second = 65, 32 // strings of 1,000 and of 2,000 bytes that a chunk has room for
	of := func(number uint32) entry {
		length := 1000
		if number >= first {
			length = 2000
		}
		return entry{text: strings.Repeat(string(rune('a'+number%26)), length)}
	}
	number := uint32(0)
	for ; ; number++ {
		if err = s.Write(0, number, of(number).text); err != nil {
			break
		}
		want[number] = of(number)
	}
	if !errors.Is(err, slab.ErrFull) || number != first+second {
		t.Fatalf("after %d strings: %v, want slab.ErrFull after %d", number, err, first+second)
	}
	if err := s.Write(0, 3, of(first).text); !errors.Is(err, slab.ErrFull) {
		t.Errorf("rewriting: %v, want slab.ErrFull", err)
	}
	want.check(t, s)
	for i := range uint32(first) { // one string of the first chunk has room in the second
		s.Erase(0, i)
		delete(want, i)
		want.checkCounts(t, s)
	}
	if err := s.Write(0, 3, of(3).text); err != nil {
		t.Errorf("with a chunk free again: %v", err)
	}
	want[3] = of(3)
	want.check(t, s)
}

func TestReadAllocatesNothing(t *testing.T) {
	s := newStore(t, 1)
	numbers, texts := make([]uint32, 100), make([]string, 100)
	for i := range numbers {
		numbers[i] = uint32(i)
		if err := s.Write(0, uint32(i), "abc"); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10, func() {
		s.ReadAll(numbers, texts)
		if err := s.Write(0, 5, "defg"); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
