package keymap

import (
	"encoding/binary"
	"testing"
)

// A history is bytes, four to an operation:
//
//	byte 0    what to do: operation in the low three bits, pattern in the high five
//	byte 1-2  the first number
//	byte 3    how many numbers, in steps of stepKeys
//
// A pattern makes a hash of a number. The first is what keys really look like;
// the others are what somebody makes to break a map.
const stepKeys = 32

var patterns = []func(n uint64) uint64{
	Hash,
	func(n uint64) uint64 { return n },       // same high bits: one directory entry
	func(n uint64) uint64 { return n << 40 }, // same low bits: one home
	func(n uint64) uint64 { return Hash(n) &^ 0xfff },                  // homes at bucket 0
	func(n uint64) uint64 { return Hash(n) | 0xfff },                   // homes at the last bucket: walks wrap
	func(n uint64) uint64 { return Hash(n) >> 20 },                     // same high bits, scattered homes
	func(n uint64) uint64 { return Hash(n)&^0xff000 | 0x5a000 },        // dead bits between
	func(n uint64) uint64 { return ^uint64(0) - n },                    // from the top
	func(n uint64) uint64 { return Hash(n)>>58<<58 | n&0x3ff | 1<<57 }, // dense in each stripe
}

// operations, in byte 0 modulo their number.
const (
	opInsert = iota
	opInsertFew
	opFindOrInsert
	opDelete
	opDeleteOdd
	opFind
	opClear
	opReserve
	opCount
)

// history plays operations on a map and on the built-in one.
type history struct {
	t      testing.TB
	m      *Map
	want   map[uint64]uint32
	next   uint32
	hashes []uint64
	rows   []uint32
}

func newHistory(t testing.TB, stripes int) *history {
	m, err := New(Options{Stripes: stripes})
	if err != nil {
		t.Fatal(err)
	}
	return &history{t: t, m: m, want: map[uint64]uint32{}}
}

func (h *history) play(script []byte) {
	for len(script) >= 4 {
		h.step(script[0], binary.LittleEndian.Uint16(script[1:]), int(script[3])*stepKeys)
		script = script[4:]
	}
	check(h.t, h.m)
	h.compareAll()
}

func (h *history) step(what byte, first uint16, count int) {
	pattern := patterns[int(what>>3)%len(patterns)]
	h.hashes = h.hashes[:0]
	for i := range count {
		h.hashes = append(h.hashes, pattern(uint64(first)+uint64(i)))
	}
	h.rows = append(h.rows[:0], make([]uint32, count)...)
	switch what % opCount {
	case opInsert:
		h.insert(count)
	case opInsertFew:
		h.insert(count / 3)
	case opFindOrInsert:
		h.findOrInsert()
	case opDelete:
		h.remove(1)
	case opDeleteOdd:
		h.remove(2)
	case opFind:
		h.find()
	case opClear:
		h.clear(count)
	case opReserve:
		h.m.Reserve(count)
	}
	if h.m.Len() != len(h.want) {
		h.t.Fatalf("after %#x: Len = %d, want %d", what, h.m.Len(), len(h.want))
	}
}

// insert offers so many free rows, and works out what each key must get.
func (h *history) insert(offered int) {
	free, added := make([]uint32, offered), make([]uint32, offered)
	for i := range free {
		free[i] = h.next + uint32(i)
	}
	n := h.m.Insert(h.hashes, h.rows, free, added)
	used := 0
	for i, hash := range h.hashes {
		want, ok := h.want[hash]
		switch {
		case !ok && used < offered:
			want = free[used]
			if added[used] != uint32(i) {
				h.t.Fatalf("added[%d] = %d, want %d", used, added[used], i)
			}
			h.want[hash] = want
			used++
		case !ok:
			want = None
		}
		if h.rows[i] != want {
			h.t.Fatalf("Insert: hash %#x got row %d, want %d", hash, h.rows[i], want)
		}
	}
	if n != used {
		h.t.Fatalf("Insert = %d, want %d", n, used)
	}
	h.next += uint32(n)
}

func (h *history) findOrInsert() {
	for _, hash := range h.hashes {
		want, ok := h.want[hash]
		if !ok {
			want = h.next
			h.want[hash] = want
			h.next++
		}
		if row, existed := h.m.FindOrInsert(hash, want); row != want || existed != ok {
			h.t.Fatalf("FindOrInsert(%#x) = %d, %v, want %d, %v", hash, row, existed, want, ok)
		}
	}
}

func (h *history) remove(every int) {
	for i := 0; i < len(h.hashes); i += every {
		hash := h.hashes[i]
		want, ok := h.want[hash]
		if !ok {
			want = None
		}
		delete(h.want, hash)
		if row, existed := h.m.Delete(hash); row != want || existed != ok {
			h.t.Fatalf("Delete(%#x) = %d, %v, want %d, %v", hash, row, existed, want, ok)
		}
	}
}

func (h *history) find() {
	h.m.Find(h.hashes, h.rows)
	for i, hash := range h.hashes {
		want, ok := h.want[hash]
		if !ok {
			want = None
		}
		if h.rows[i] != want || h.m.Get(hash) != want {
			h.t.Fatalf("Find(%#x) = %d, Get = %d, want %d", hash, h.rows[i], h.m.Get(hash), want)
		}
	}
}

// clear is rare, so that maps grow: it takes a count of 0 to mean it.
func (h *history) clear(count int) {
	if count > 0 {
		return
	}
	if err := h.m.Clear(); err != nil {
		h.t.Fatal(err)
	}
	clear(h.want)
}

func (h *history) compareAll() {
	seen := 0
	for i := range h.m.Stripes() {
		for key, row := range h.m.All(i) {
			hash := Hash(key)
			if want, ok := h.want[hash]; !ok || want != row || h.m.Stripe(hash) != i {
				h.t.Fatalf("All(%d) yields hash %#x, row %d; want %d, %v in stripe %d", i, hash, row, want, ok, h.m.Stripe(hash))
			}
			seen++
		}
	}
	if seen != len(h.want) {
		h.t.Fatalf("All yields %d keys, want %d", seen, len(h.want))
	}
}

// script writes a history down.
func script(steps ...[3]int) (b []byte) {
	for _, s := range steps {
		b = append(b, byte(s[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(s[1]))
		b = append(b, byte(s[2]))
	}
	return b
}

// corpus has a history for each way that a map can grow, shrink and clog.
func corpus() map[string][]byte {
	fill := func(p int) (steps [][3]int) { // enough for one stripe to split, twice if it can
		for first := 0; first < 40_000; first += 255 * stepKeys {
			steps = append(steps, [3]int{opInsert | p<<3, first, 255})
		}
		return steps
	}
	all := map[string][]byte{
		"nothing": nil,
		"one key": script([3]int{opFindOrInsert, 7, 1}, [3]int{opDelete, 7, 1}),
		"few rows": script([3]int{opInsertFew, 0, 255}, [3]int{opInsertFew, 0, 255}, [3]int{opInsert, 0, 255},
			[3]int{opInsertFew, 0, 255}),
		"reserve": script(append([][3]int{{opReserve, 0, 255}}, fill(0)...)...),
		"stash, then splits": script(append([][3]int{{opInsert | 3<<3, 0, 60}, {opInsert | 4<<3, 0, 60}},
			append(fill(0), [3]int{opDeleteOdd | 3<<3, 0, 60}, [3]int{opFind | 4<<3, 0, 60})...)...),
		"clear": script(append(append(fill(0), [3]int{opClear, 0, 0}), fill(0)...)...),
	}
	for p := range patterns {
		op := func(kind, first, count int) [3]int { return [3]int{kind | p<<3, first, count} }
		all["pattern "+string(rune('0'+p))] = script(append(fill(p), op(opFind, 100, 255), op(opDelete, 50, 100),
			op(opFind, 0, 255), op(opFindOrInsert, 50_000, 60), [3]int{opInsert, 0, 255},
			op(opDeleteOdd, 0, 255), op(opFind, 0, 255), op(opInsert, 0, 255))...)
	}
	return all
}

func TestHistories(t *testing.T) {
	for name, script := range corpus() {
		t.Run(name, func(t *testing.T) {
			for _, stripes := range []int{1, 4, 64} {
				h := newHistory(t, stripes)
				h.play(script)
				if err := h.m.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func FuzzMap(f *testing.F) {
	for _, script := range corpus() {
		f.Add(script, byte(0))
		f.Add(script, byte(3))
	}
	f.Fuzz(func(t *testing.T, script []byte, stripes byte) {
		h := newHistory(t, 1<<(stripes%7))
		defer h.m.Close()
		h.play(script[:min(len(script), 4*16)])
	})
}
