package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// widths are all that differ in their blocks and tails, and some wider ones.
var widths = append(upTo(40), 48, 63, 64, 65, 72, 80, 96, 97, 100, 104, 112, 127, 128, 129, 130, 136, 192, 255, 256, 257, 300, 320)

func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i + 1
	}
	return s
}

func TestMain(m *testing.M) {
	fmt.Fprintf(os.Stderr, "kernel: path %s\n", Path())
	os.Exit(m.Run())
}

func TestPathIsTheOneAskedFor(t *testing.T) {
	want := os.Getenv("KERNEL_PATH")
	if want != "" && want != Path() {
		t.Fatalf("KERNEL_PATH says %s, but the path is %s", want, Path())
	}
}

// guardValue is what lies around the slices of a test; nobody may touch it.
const guardValue = 0x7fa12345 // a NaN

const guards = 40

// guarded is a slice in the middle of an array that is otherwise guard values.
type guarded struct {
	all []float32
	in  []float32
}

func newGuarded(n int) *guarded {
	g := &guarded{all: make([]float32, n+2*guards)}
	for i := range g.all {
		g.all[i] = math.Float32frombits(guardValue)
	}
	g.in = g.all[guards : guards+n : guards+n]
	return g
}

func guardedCopy(x []float32) *guarded {
	g := newGuarded(len(x))
	copy(g.in, x)
	return g
}

func (g *guarded) check(t *testing.T) {
	t.Helper()
	for i, x := range g.all {
		inside := i >= guards && i < len(g.all)-guards
		if !inside && math.Float32bits(x) != guardValue {
			t.Fatalf("number %d of %d was overwritten", i-guards, len(g.in))
		}
	}
}

// same reports whether a and b have the same bits or are both NaN.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func wantSame(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !same(got[i], want[i]) {
			t.Fatalf("%s: number %d is %g (%#x), want %g (%#x)", what, i,
				got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

// numbers returns n random numbers: most near 1, some tiny, huge, zero, denormal.
func numbers(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = number(r)
	}
	return x
}

func number(r *rand.Rand) float32 {
	switch r.IntN(40) {
	case 0:
		return 0
	case 1:
		return float32(math.Copysign(0, -1))
	case 2:
		return math.Float32frombits(r.Uint32N(1 << 22))
	case 3:
		return float32(r.NormFloat64() * 1e15)
	case 4:
		return float32(r.NormFloat64() * 1e-15)
	}
	return float32(r.NormFloat64())
}

// oddNumbers are as numbers, with infinities and NaNs among them.
func oddNumbers(r *rand.Rand, n int) []float32 {
	x := numbers(r, n)
	for i := range x {
		switch r.IntN(30) {
		case 0:
			x[i] = float32(math.Inf(1 - 2*r.IntN(2)))
		case 1:
			x[i] = float32(math.NaN())
		}
	}
	return x
}

func positive(x []float32) []float32 {
	for i := range x {
		x[i] = float32(math.Abs(float64(x[i])))
	}
	return x
}

func newRand(seed int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 1)) }

// indices returns n random row numbers below rows, repeats allowed.
func indices(r *rand.Rand, n, rows int) []uint32 {
	idx := make([]uint32, n)
	for i := range idx {
		idx[i] = r.Uint32N(uint32(rows))
	}
	return idx
}

// distinct returns n random row numbers below rows without repeats.
func distinct(r *rand.Rand, n, rows int) []uint32 {
	idx := make([]uint32, 0, n)
	for _, i := range r.Perm(rows)[:n] {
		idx = append(idx, uint32(i))
	}
	return slices.Clip(idx)
}

func wantPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}
