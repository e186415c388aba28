package format

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"unsafe"
)

// TestCells gives numbers to bytes and back, by the code of this host and by that
// of big-endian ones.
func TestCells(t *testing.T) {
	cells(t, []int8{math.MinInt8, -1, 0, 5, math.MaxInt8}, "\x80\xff\x00\x05\x7f")
	cells(t, []bool{true, false, true}, "\x01\x00\x01")
	cells(t, []int32{math.MinInt32, -2, 0x01020304}, "\x00\x00\x00\x80\xfe\xff\xff\xff\x04\x03\x02\x01")
	cells(t, []int64{math.MinInt64, 0x0102030405060708}, "\x00\x00\x00\x00\x00\x00\x00\x80\x08\x07\x06\x05\x04\x03\x02\x01")
	// The second is a signalling NaN, whose bits must come back.
	cells(t, []float64{1, math.Float64frombits(0x7ff0123456789abc)}, "\x00\x00\x00\x00\x00\x00\xf0\x3f\xbc\x9a\x78\x56\x34\x12\xf0\x7f")
	cells(t, []int64{}, "")
}

func cells[T Cell](t *testing.T, x []T, want string) {
	t.Helper()
	if got := AppendCells([]byte("begin"), x); string(got) != "begin"+want {
		t.Errorf("AppendCells(%v) = % x, want % x", x, got, want)
	}
	if got := appendNumbers([]byte("begin"), x, true); string(got) != "begin"+want {
		t.Errorf("AppendCells(%v) of other hosts = % x, want % x", x, got, want)
	}
	for _, portable := range []bool{false, true} {
		back := make([]T, len(x))
		if readCells(back, []byte(want), portable); !bytes.Equal(view(back), view(x)) {
			t.Errorf("ReadCells(% x), portable %v, = %v, want %v", want, portable, back, x)
		}
	}
}

// TestCellsOfAnyByte reads bytes that no bool has: what comes is a bool all the same.
func TestCellsOfAnyByte(t *testing.T) {
	got := make([]bool, 4)
	ReadCells(got, []byte{0, 1, 2, 255})
	if want := []bool{false, true, true, true}; !slices.Equal(got, want) || !bytes.Equal(view(got), view(want)) {
		t.Errorf("got % x, want % x", view(got), view(want))
	}
}

func TestCellsAllocateNothing(t *testing.T) {
	numbers, flags := make([]int64, 100), make([]bool, 100)
	buf := make([]byte, 0, 900)
	if n := testing.AllocsPerRun(100, func() {
		b := AppendCells(AppendCells(buf, numbers), flags)
		ReadCells(numbers, b[:800])
		ReadCells(flags, b[800:])
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestFit checks the bound on both sides, and that lengths alone may pass it.
func TestFit(t *testing.T) {
	const most = math.MaxInt32 - 4*MaxBlockRows
	for _, test := range []struct {
		n     int
		bytes int64
		want  bool
	}{
		{0, 0, true}, {1, most, true}, {1, most + 1, false}, {MaxBlockRows, most, true}, {MaxBlockRows, most + 1, false},
		{MaxBlockRows + 1, most - 4, true}, {MaxBlockRows + 1, most - 3, false},
		{1<<29 - 1, 3, true}, {1<<29 - 1, 4, false}, {1 << 29, 0, false}, {math.MaxInt32, 0, false},
	} {
		if got := fit(test.n, test.bytes); got != test.want {
			t.Errorf("fit(%d, %d) = %v", test.n, test.bytes, got)
		}
	}
}

func TestTypeNames(t *testing.T) {
	for typ, want := range []string{"float32", "float16", "bfloat16", "float64", "int8", "int32", "int64", "bool", "string", "Type(9)"} {
		if got := Type(typ).String(); got != want {
			t.Errorf("type %d is %q, want %q", typ, got, want)
		}
	}
}

// TestCellSizes compares the bytes of a cell with those in memory, which
// ReadCells relies on.
func TestCellSizes(t *testing.T) {
	for typ, want := range map[Type]uintptr{
		Float64: unsafe.Sizeof(float64(0)), Int8: unsafe.Sizeof(int8(0)), Int32: unsafe.Sizeof(int32(0)),
		Int64: unsafe.Sizeof(int64(0)), Bool: unsafe.Sizeof(false), Float32: 0, Text: 0,
	} {
		if got := typ.cell(); got != int(want) {
			t.Errorf("a cell of %v has %d bytes, want %d", typ, got, want)
		}
	}
}
