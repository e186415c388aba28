package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rowan-embeddings/rowan/tensor"
)

// table is a whole file in memory.
type table struct {
	h      Header
	blocks []Block
}

func (t table) encode(portable bool) ([]byte, error) {
	var b bytes.Buffer
	w, err := NewTableWriter(&b, t.h)
	if err != nil {
		return nil, err
	}
	w.out.portable = portable
	for i := range t.blocks {
		if err := w.WriteBlock(&t.blocks[i]); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return b.Bytes(), err
}

func decode(r io.Reader, portable bool) (t table, err error) {
	in, err := NewTableReader(r)
	if err != nil {
		return t, err
	}
	in.in.portable = portable
	t.h = in.Header()
	for {
		b, err := in.Next()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		t.blocks = append(t.blocks, Block{
			Keys: slices.Clone(b.Keys), Strings: slices.Clone(b.Strings),
			Last: slices.Clone(b.Last), Scores: slices.Clone(b.Scores), Rows: slices.Clone(b.Rows),
			Cells: slices.Clone(b.Cells), Texts: slices.Clone(b.Texts),
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// samples are small files that have everything that a file can have.
func samples() map[string]table {
	nan := math.Float32frombits(0x7fa12345)     // a signalling NaN: its bits must come back
	halfNaN := math.Float32frombits(0xff810000) // of few bits, and signalling too
	negativeZero := math.Float32frombits(1 << 31)
	return map[string]table{
		"empty":   {h: Header{Name: "none", Width: 1, Rows: 0}},
		"no name": {h: Header{Width: 1, Rows: Unknown}},
		"int64": {
			h: Header{Name: "film", Width: 2, Rows: 3, Seed: 1<<63 + 7, Step: math.MaxInt64, HasLast: true,
				Slots: []Slot{{"m", 2}, {"count", 1}}},
			blocks: []Block{
				{Keys: []uint64{1, ^uint64(0)}, Last: []int64{-1, 1 << 40}, Rows: []float32{1, 2, 3, 4, 5, nan, negativeZero, 8, 9, 10}},
				{Keys: []uint64{0}, Last: []int64{0}, Rows: make([]float32, 5)},
			},
		},
		"int32": {
			h: Header{Name: "année", Width: 1, KeyType: tensor.Int32, Rows: Unknown},
			blocks: []Block{{Keys: []uint64{0, math.MaxInt32, ^uint64(0) - math.MaxInt32, ^uint64(0)},
				Rows: []float32{1, 2, 3, float32(math.Inf(1))}}},
		},
		"uint64": {
			h:      Header{Name: "user", Width: 1, KeyType: tensor.Uint64, Rows: 1},
			blocks: []Block{{Keys: []uint64{math.MaxUint64}, Rows: []float32{1}}},
		},
		"scores": {
			h: Header{Name: "film", Width: 1, Rows: Unknown, HasLast: true, Policy: "frequency", Clock: 7},
			blocks: []Block{
				{Keys: []uint64{1, 2}, Last: []int64{3, 4}, Scores: []int64{math.MinInt64, 5}, Rows: []float32{1, 2}},
				{Keys: []uint64{3}, Last: []int64{5}, Scores: []int64{math.MaxInt64}, Rows: []float32{3}},
			},
		},
		"scores of strings": {
			h:      Header{Width: 1, Rows: 1, KeyType: tensor.String, Policy: "alter", Clock: -1, Slots: []Slot{{"m", 1}}},
			blocks: []Block{{Strings: []string{"a"}, Scores: []int64{6}, Rows: []float32{1, 2}}},
		},
		"halves": {
			h: Header{Name: "film", Width: 3, Rows: 3, HasLast: true, Type: Float16, Slots: []Slot{{"m", 1}}},
			blocks: []Block{
				{Keys: []uint64{1, 2}, Last: []int64{3, 4}, Rows: []float32{1, 65504, 0x1p-24, 0.1, negativeZero, halfNaN, -2, nan}},
				{Keys: []uint64{3}, Last: []int64{5}, Rows: []float32{float32(math.Inf(1)), 0.5, 2, 4}},
			},
		},
		"halves without slots, with scores": {
			h:      Header{Width: 2, Rows: 1, Type: BFloat16, Policy: "alter", KeyType: tensor.String},
			blocks: []Block{{Strings: []string{"a"}, Scores: []int64{6}, Rows: []float32{halfNaN, 0x1p-133}}},
		},
		"float64": {
			h: Header{Name: "film", Width: 2, Rows: 3, HasLast: true, Type: Float64, Slots: []Slot{{"m", 1}}},
			blocks: []Block{
				{Keys: []uint64{1, 2}, Last: []int64{3, 4},
					Cells: AppendCells(nil, []float64{1, math.Float64frombits(0x7ff0123456789abc), 0x1p-1074, 0.1, math.Copysign(0, -1), math.Inf(1)})},
				{Keys: []uint64{3}, Last: []int64{5}, Cells: AppendCells(nil, []float64{math.MaxFloat64, 2, 3})},
			},
		},
		"float64 without slots, with scores": {
			h:      Header{Width: 1, Rows: 1, Type: Float64, Policy: "alter", KeyType: tensor.String},
			blocks: []Block{{Strings: []string{"a"}, Scores: []int64{6}, Cells: AppendCells(nil, []float64{0.1})}},
		},
		"int8": {
			h:      Header{Name: "flag", Width: 3, Rows: 1, Type: Int8},
			blocks: []Block{{Keys: []uint64{1}, Cells: AppendCells(nil, []int8{math.MinInt8, -1, math.MaxInt8})}},
		},
		"int8 with scores": {
			h:      Header{Width: 1, Rows: Unknown, Type: Int8, Policy: "p"},
			blocks: []Block{{Keys: []uint64{1, 2}, Scores: []int64{1, 2}, Cells: AppendCells(nil, []int8{3, 4})}},
		},
		"int32 weights": {
			h:      Header{Name: "clicks", Width: 2, Rows: 2, Type: Int32, KeyType: tensor.Int32},
			blocks: []Block{{Keys: []uint64{1, 2}, Cells: AppendCells(nil, []int32{math.MinInt32, -1, math.MaxInt32, 0})}},
		},
		"int32 weights with scores": {
			h:      Header{Width: 1, Rows: 1, Type: Int32, Policy: "p"},
			blocks: []Block{{Keys: []uint64{1}, Scores: []int64{1}, Cells: AppendCells(nil, []int32{1})}},
		},
		"int64 weights": {
			h: Header{Name: "next", Width: 1, Rows: Unknown, Type: Int64},
			blocks: []Block{{Keys: []uint64{1, 2}, Cells: AppendCells(nil, []int64{math.MinInt64, math.MaxInt64})},
				{Keys: []uint64{3}, Cells: AppendCells(nil, []int64{-1})}},
		},
		"int64 weights with scores": {
			h:      Header{Width: 1, Rows: 1, Type: Int64, Policy: "p", KeyType: tensor.String},
			blocks: []Block{{Strings: []string{"a"}, Scores: []int64{1}, Cells: AppendCells(nil, []int64{1})}},
		},
		"bool": {
			h:      Header{Name: "seen", Width: 3, Rows: 2, Type: Bool},
			blocks: []Block{{Keys: []uint64{1, 2}, Cells: AppendCells(nil, []bool{true, false, true, false, false, true})}},
		},
		"bool with scores": {
			h:      Header{Width: 1, Rows: 1, Type: Bool, Policy: "p"},
			blocks: []Block{{Keys: []uint64{1}, Scores: []int64{1}, Cells: AppendCells(nil, []bool{true})}},
		},
		"text": {
			h: Header{Name: "title", Width: 2, Rows: 3, Type: Text},
			blocks: []Block{
				{Keys: []uint64{1, 2}, Texts: []string{"Heat", "", "\xff\x00", "1995"}},
				{Keys: []uint64{3}, Texts: []string{"", ""}},
			},
		},
		"text of strings with scores": {
			h:      Header{Width: 1, Rows: Unknown, Type: Text, KeyType: tensor.String, Policy: "p", Clock: 3},
			blocks: []Block{{Strings: []string{"a", "bcd"}, Scores: []int64{1, 2}, Texts: []string{"Komödie", "b"}}},
		},
		"string": {
			h: Header{Name: "genre", Width: 1, KeyType: tensor.String, Rows: 4},
			blocks: []Block{
				{Strings: []string{"Drama", "", "\xff\x00"}, Rows: []float32{1, 2, 3}},
				{Strings: []string{"Komödie"}, Rows: []float32{4}},
			},
		},
	}
}

// same compares by bits, so that a NaN equals itself.
func same(a, b table) bool {
	for _, t := range []*table{&a, &b} {
		if len(t.h.Slots) == 0 {
			t.h.Slots = nil
		}
	}
	return reflect.DeepEqual(a.h, b.h) && slices.EqualFunc(a.blocks, b.blocks, func(a, b Block) bool {
		return slices.Equal(a.Keys, b.Keys) && slices.Equal(a.Strings, b.Strings) &&
			slices.Equal(a.Last, b.Last) && slices.Equal(a.Scores, b.Scores) && bytes.Equal(view(a.Rows), view(b.Rows)) &&
			bytes.Equal(a.Cells, b.Cells) && slices.Equal(a.Texts, b.Texts)
	})
}

func TestTablesAreReadBack(t *testing.T) {
	for name, want := range samples() {
		t.Run(name, func(t *testing.T) {
			file, err := want.encode(false)
			must(t, err)
			for how, r := range map[string]io.Reader{
				"whole":       bytes.NewReader(file),
				"byte a time": iotest.OneByteReader(bytes.NewReader(file)),
				"EOF early":   iotest.DataErrReader(bytes.NewReader(file)),
			} {
				got, err := decode(r, false)
				must(t, err)
				if !same(got, want) {
					t.Errorf("%s: got %+v, want %+v", how, got, want)
				}
			}
		})
	}
}

// TestPortableBytes runs the code of big-endian hosts, which on this host
// differs in nothing but speed.
func TestPortableBytes(t *testing.T) {
	for name, want := range samples() {
		fast, err := want.encode(false)
		must(t, err)
		slow, err := want.encode(true)
		must(t, err)
		if littleEndian && !bytes.Equal(fast, slow) {
			t.Errorf("%s: native\n%x\nportable\n%x", name, fast, slow)
		}
		got, err := decode(bytes.NewReader(slow), true)
		must(t, err)
		if !same(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func isNamed(err error) bool {
	return (errors.Is(err, ErrCorrupt) || errors.Is(err, ErrTruncated) || errors.Is(err, ErrVersion)) &&
		strings.Contains(err.Error(), "byte ")
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	for name, sample := range samples() {
		file, err := sample.encode(false)
		must(t, err)
		for i := range 8 * len(file) {
			bad := slices.Clone(file)
			bad[i/8] ^= 1 << (i % 8)
			if _, err := decode(bytes.NewReader(bad), false); !isNamed(err) {
				t.Errorf("%s: bit %d of byte %d: %v", name, i%8, i/8, err)
			}
		}
	}
}

func TestEveryTruncationIsFound(t *testing.T) {
	for name, sample := range samples() {
		file, err := sample.encode(false)
		must(t, err)
		for n := range file {
			_, err := decode(bytes.NewReader(file[:n]), false)
			if !errors.Is(err, ErrTruncated) || !strings.Contains(err.Error(), fmt.Sprint("byte ", n)) {
				t.Errorf("%s cut at %d: %v", name, n, err)
			}
		}
		if _, err := decode(bytes.NewReader(append(file, 0)), false); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s with a byte more: %v", name, err)
		}
	}
}

// TestMovedSectionsAreFound puts sound sections into a wrong order.
func TestMovedSectionsAreFound(t *testing.T) {
	block := func(key uint64) Block { return Block{Keys: []uint64{key}, Rows: []float32{float32(key)}} }
	h := Header{Name: "t", Width: 1, Rows: Unknown}
	file, err := table{h, []Block{block(1), block(2)}}.encode(false)
	must(t, err)
	const size = 4 + 4 + 8 + 4 + 4
	footer := len(file) - 20
	head, a, b, end := file[:footer-2*size], file[footer-2*size:footer-size], file[footer-size:footer], file[footer:]
	for name, parts := range map[string][][]byte{
		"swapped": {head, b, a, end}, "missing": {head, a, end}, "doubled": {head, a, b, b, end},
		"replaced": {head, a, a, end}, "none": {head, end},
	} {
		if _, err := decode(bytes.NewReader(bytes.Join(parts, nil)), false); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := decode(bytes.NewReader(bytes.Join([][]byte{head, a, b, end}, nil)), false)
	if err != nil || len(got.blocks) != 2 {
		t.Errorf("in order: %v", err)
	}
}

func TestErrorsStay(t *testing.T) {
	file, err := samples()["int64"].encode(false)
	must(t, err)
	for _, n := range []int{len(file), len(file) - 1} {
		r, err := NewTableReader(bytes.NewReader(file[:n]))
		must(t, err)
		for err == nil {
			_, err = r.Next()
		}
		if b, again := r.Next(); b != nil || again != err {
			t.Errorf("after %v: %v, %v", err, b, again)
		}
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	file, err := samples()["string"].encode(false)
	must(t, err)
	boom := errors.New("boom")
	for n := range len(file) + 1 {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(boom))
		_, err := decode(r, false)
		if !errors.Is(err, boom) || isNamed(errors.Unwrap(err)) || !strings.Contains(err.Error(), fmt.Sprint("byte ", n)) {
			t.Errorf("failing at %d: %v", n, err)
		}
	}
}

// limited is a writer that is full after n bytes.
type limited struct{ n int }

var errFull = errors.New("full")

func (l *limited) Write(b []byte) (int, error) {
	n := min(l.n, len(b))
	if l.n -= n; n < len(b) {
		return n, errFull
	}
	return n, nil
}

func TestWriterPassesErrorsOn(t *testing.T) {
	sample := samples()["int64"]
	file, err := sample.encode(false)
	must(t, err)
	for n := range len(file) {
		w, err := NewTableWriter(&limited{n}, sample.h)
		if err == nil {
			err = errors.Join(w.WriteBlock(&sample.blocks[0]), w.WriteBlock(&sample.blocks[1]))
			if again := w.Close(); err != nil && !errors.Is(again, errFull) {
				t.Errorf("full after %d: Close forgot: %v", n, again)
			} else {
				err = again
			}
		}
		if !errors.Is(err, errFull) {
			t.Errorf("full after %d: %v", n, err)
		}
	}
}

type shortWriter struct{}

func (shortWriter) Write(b []byte) (int, error) { return len(b) - 1, nil }

func TestShortWritesAreErrors(t *testing.T) {
	if _, err := NewTableWriter(shortWriter{}, Header{Width: 1}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

func TestHeadersThatCannotBe(t *testing.T) {
	for want, h := range map[string]Header{
		`width 0 of "weights"`:           {},
		`width 1048577 of "weights"`:     {Width: MaxStride + 1},
		`width 0 of "m"`:                 {Width: 1, Slots: []Slot{{"m", 0}}},
		`width 1048576 of "m"`:           {Width: 1, Slots: []Slot{{"m", MaxStride}}},
		"65 slots":                       {Width: 1, Slots: make([]Slot, 65)},
		"key type KeyType(4)":            {Width: 1, KeyType: 4},
		"row count -2":                   {Width: 1, Rows: -2},
		"step -1":                        {Width: 1, Step: -1},
		"clock 1 without a policy":       {Width: 1, Clock: 1},
		"weights of Type(9)":             {Width: 1, Type: Text + 1},
		"1 slots beside weights of int8": {Width: 1, Type: Int8, Slots: []Slot{{"m", 1}}},
		"1 slots beside weights of str":  {Width: 1, Type: Text, Slots: []Slot{{"m", 1}}},
		"last steps beside weights of i": {Width: 1, Type: Int64, HasLast: true},
		"last steps beside weights of b": {Width: 1, Type: Bool, HasLast: true},
		"of a policy: it must be UTF-8":  {Width: 1, Policy: "\xff"},
		"of a table: it must be UTF-8":   {Width: 1, Name: "\xff"},
		"of a slot: it must be UTF-8 of": {Width: 1, Slots: []Slot{{strings.Repeat("x", 1025), 1}}},
	} {
		var b bytes.Buffer
		_, err := NewTableWriter(&b, h)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want ErrInvalid with %q", err, want)
		}
		if b.Len() > 0 {
			t.Errorf("%q: %d bytes written", want, b.Len())
		}
	}
	largest := Header{Width: MaxStride - MaxSlots, Name: strings.Repeat("n", 1024), Slots: make([]Slot, MaxSlots)}
	for i := range largest.Slots {
		largest.Slots[i] = Slot{Name: strings.Repeat("s", 1024), Width: 1}
	}
	file, err := table{h: largest}.encode(false)
	must(t, err)
	got, err := decode(bytes.NewReader(file), false)
	if err != nil || !same(got, table{h: largest}) {
		t.Errorf("the largest header: %v", err)
	}
}

func TestBlocksThatCannotBe(t *testing.T) {
	numeric := Header{Name: "t", Width: 2, Rows: Unknown}
	with := func(change func(*Header)) Header { h := numeric; change(&h); return h }
	of := func(t Type) Header { return with(func(h *Header) { h.Type = t }) }
	megabyte := []string{strings.Repeat("x", 1<<20)}
	tests := []struct {
		want string
		h    Header
		b    Block
	}{
		{"a block of 0 rows", numeric, Block{}},
		{"a block of 4097 rows", numeric, Block{Keys: make([]uint64, 4097), Rows: make([]float32, 2*4097)}},
		{"0 numeric and 1 string keys", numeric, Block{Strings: []string{"a"}, Rows: []float32{1, 2}}},
		{"1 numeric and 0 string keys", with(func(h *Header) { h.KeyType = tensor.String }), Block{Keys: []uint64{1}, Rows: []float32{1, 2}}},
		{"3 numbers for 1 rows of 2", numeric, Block{Keys: []uint64{1}, Rows: []float32{1, 2, 3}}},
		{"1 last steps for 1 rows, expected 0", numeric, Block{Keys: []uint64{1}, Last: []int64{1}, Rows: []float32{1, 2}}},
		{"0 last steps for 1 rows, expected 1", with(func(h *Header) { h.HasLast = true }), Block{Keys: []uint64{1}, Rows: []float32{1, 2}}},
		{"1 scores for 1 rows, expected 0", numeric, Block{Keys: []uint64{1}, Scores: []int64{1}, Rows: []float32{1, 2}}},
		{"0 scores for 1 rows, expected 1", with(func(h *Header) { h.Policy = "p" }), Block{Keys: []uint64{1}, Rows: []float32{1, 2}}},
		{"3 numbers for 1 rows of 2 float32, expected 2", numeric, Block{Keys: []uint64{1}, Rows: []float32{1, 2, 3}}},
		{"16 bytes of cells for 1 rows of 2 float32, expected 0", numeric, Block{Keys: []uint64{1}, Rows: []float32{1, 2}, Cells: make([]byte, 16)}},
		{"2 numbers for 1 rows of 2 int64, expected 0", of(Int64), Block{Keys: []uint64{1}, Rows: []float32{1, 2}}},
		{"15 bytes of cells for 1 rows of 2 int64, expected 16", of(Int64), Block{Keys: []uint64{1}, Cells: make([]byte, 15)}},
		{"8 bytes of cells for 1 rows of 2 int8, expected 2", of(Int8), Block{Keys: []uint64{1}, Cells: make([]byte, 8)}},
		{"2 texts for 1 rows of 2 int32, expected 0", of(Int32), Block{Keys: []uint64{1}, Cells: make([]byte, 8), Texts: make([]string, 2)}},
		{"1 texts for 1 rows of 2 string, expected 2", of(Text), Block{Keys: []uint64{1}, Texts: []string{"a"}}},
		{"bool 1 of a block is 2: it must be 0 or 1", of(Bool), Block{Keys: []uint64{1}, Cells: []byte{1, 2}}},
		{"2048 texts of 2147483648 bytes together", of(Text), Block{Keys: make([]uint64, 1024), Texts: slices.Repeat(megabyte, 2048)}},
		{"2048 keys of 2147483648 bytes together", with(func(h *Header) { h.KeyType = tensor.String }),
			Block{Strings: slices.Repeat(megabyte, 2048), Rows: make([]float32, 2*2048)}},
		{"weight 0.1: float16 does not hold it", of(Float16), Block{Keys: []uint64{1}, Rows: []float32{1, 0.1}}},
		{"key 2147483648 in a table of int32", with(func(h *Header) { h.KeyType = tensor.Int32 }), Block{Keys: []uint64{1 << 31}, Rows: []float32{1, 2}}},
	}
	for _, test := range tests {
		var b bytes.Buffer
		w, err := NewTableWriter(&b, test.h)
		must(t, err)
		before := b.Len()
		err = w.WriteBlock(&test.b)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.want) || b.Len() != before {
			t.Errorf("%v after %d bytes, want ErrInvalid with %q after none", err, b.Len()-before, test.want)
		}
		must(t, w.Close())
		if _, err := decode(&b, false); err != nil {
			t.Errorf("the file after a refused block: %v", err)
		}
	}
}

func TestClosePromises(t *testing.T) {
	var b bytes.Buffer
	w, err := NewTableWriter(&b, Header{Name: "t", Width: 1, Rows: 2})
	must(t, err)
	must(t, w.WriteBlock(&Block{Keys: []uint64{1}, Rows: []float32{1}}))
	if err := w.Close(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `"t" promised 2 rows, 1 were`) {
		t.Errorf("too few rows: %v", err)
	}
	if _, err := decode(&b, false); !errors.Is(err, ErrTruncated) {
		t.Errorf("the file of too few rows: %v", err)
	}
	w, err = NewTableWriter(io.Discard, Header{Width: 1, Rows: 0})
	must(t, err)
	must(t, w.Close())
	must(t, w.Close())
	if err := w.WriteBlock(&Block{Keys: []uint64{1}, Rows: []float32{1}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a block after Close: %v", err)
	}
}
