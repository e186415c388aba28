package kernel

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// rules64 are the rules of rows of float64, with the hyper-parameters of [rules].
var rules64 = map[string]func(slab []float64, stride, width int, rows []uint32, grads []float64){
	"sgd": func(s []float64, stride, w int, rows []uint32, g []float64) { SGD64(s, stride, w, rows, g, 0.1) },
	"adagrad": func(s []float64, stride, w int, rows []uint32, g []float64) {
		Adagrad64(s, stride, w, rows, g, 0.1, 1e-7)
	},
	"row-wise adagrad": func(s []float64, stride, w int, rows []uint32, g []float64) {
		RowWiseAdagrad64(s, stride, w, rows, g, 0.1, 1e-7)
	},
	"adam": func(s []float64, stride, w int, rows []uint32, g []float64) { Adam64(s, stride, w, rows, g, step64) },
	"momentum": func(s []float64, stride, w int, rows []uint32, g []float64) {
		Momentum64(s, stride, w, rows, g, 0.1, 0.9)
	},
	"nesterov": func(s []float64, stride, w int, rows []uint32, g []float64) {
		Nesterov64(s, stride, w, rows, g, 0.1, 0.9)
	},
	"rmsprop":          rmsprop64(0, false),
	"rmsprop momentum": rmsprop64(0.8, false),
	"rmsprop centered": rmsprop64(0, true),
	"rmsprop both":     rmsprop64(0.8, true),
	"adadelta": func(s []float64, stride, w int, rows []uint32, g []float64) {
		Adadelta64(s, stride, w, rows, g, 0.1, 0.95, 0.05, 1e-7)
	},
	"amsgrad": func(s []float64, stride, w int, rows []uint32, g []float64) {
		AMSGrad64(s, stride, w, rows, g, step64)
	},
	"adamax": func(s []float64, stride, w int, rows []uint32, g []float64) {
		Adamax64(s, stride, w, rows, g, AdamaxStepOf[float64]{LR: 0.1, Under: 0.3, Part: 0.1, Keep: 0.999, Eps: 1e-7})
	},
	"nadam": func(s []float64, stride, w int, rows []uint32, g []float64) {
		Nadam64(s, stride, w, rows, g, NadamStepOf[float64]{LR: 0.1, Eps: 1e-7, Next: 0.6, UnderNext: 0.8, Fresh: 0.4, Under: 0.7, Over: 0.01, Part1: 0.1, Part2: 0.001})
	},
	"lion": func(s []float64, stride, w int, rows []uint32, g []float64) { Lion64(s, stride, w, rows, g, lion64) },
	"ftrl": func(s []float64, stride, w int, rows []uint32, g []float64) {
		FTRL64(s, stride, w, rows, g, FTRLStepOf[float64]{LR: 0.1, L1: 0.5, Penalty: 0.2, Shrink: 0.01})
	},
	"proximal sgd": func(s []float64, stride, w int, rows []uint32, g []float64) {
		ProximalSGD64(s, stride, w, rows, g, 0.1, 0.5, 0.2)
	},
	"proximal adagrad": func(s []float64, stride, w int, rows []uint32, g []float64) {
		ProximalAdagrad64(s, stride, w, rows, g, 0.1, 0.5, 0.2)
	},
}

var (
	step64 = AdamStepOf[float64]{Alpha: 0.003, Beta1: 0.9, Beta2: 0.999, Eps: 1e-7}
	lion64 = LionStepOf[float64]{LR: 0.1, Beta1: 0.9, Fresh1: 0.1, Beta2: 0.99, Fresh2: 0.01}
)

func rmsprop64(momentum float64, centered bool) func(s []float64, stride, w int, rows []uint32, g []float64) {
	return func(s []float64, stride, w int, rows []uint32, g []float64) {
		RMSprop64(s, stride, w, rows, g, RMSpropStepOf[float64]{LR: 0.1, Rho: 0.9, Fresh: 0.1, Eps: 1e-7, Momentum: momentum, Centered: centered})
	}
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// TestRulesOfFloat64 compares each rule with the one of float32 on the same
// numbers, and sees that what lies between rows stays. A step rounds about ten
// times by 2^-24; where a rule subtracts numbers of one size, as FTRL does its
// roots, a hundred times as much is left.
func TestRulesOfFloat64(t *testing.T) {
	if len(rules64) != len(rules) {
		t.Fatalf("%d rules of float64, want %d", len(rules64), len(rules))
	}
	for _, u := range rules {
		for _, width := range []int{1, 5, 16, 33} {
			r := newRand(width)
			stride := u.need(width) + 2
			slab, grads, rows := make([]float32, 6*stride), make([]float32, 3*width), []uint32{4, 0, 3}
			for i := range slab {
				slab[i] = float32(0.1 + r.Float64())
			}
			for i := range grads {
				grads[i] = float32(r.NormFloat64())
			}
			got := wide(slab)
			rules64[u.name](got, stride, width, rows, wide(grads))
			u.reference(slab, stride, width, rows, grads)
			for i, want := range wide(slab) {
				tolerance := 0.0
				if slices.Contains(rows, uint32(i/stride)) && i%stride < u.need(width) {
					tolerance = 1e-4*math.Abs(want) + 1e-5
				}
				if math.Abs(got[i]-want) > tolerance {
					t.Fatalf("%s, width %d: number %d is %v, of float32 %v", u.name, width, i, got[i], want)
				}
			}
		}
	}
}

// TestBitsOfFloat64 pins bits, which are those of any machine; see
// [TestBitsAreTheSameOnEveryMachine].
func TestBitsOfFloat64(t *testing.T) {
	want := map[string]uint32{
		"sgd": 0x6011d1d0, "adagrad": 0x5ea2192b, "row-wise adagrad": 0xcd93c7df,
		"adam": 0x83dc4119, "momentum": 0x8114d199, "nesterov": 0xfa51c6fd,
		"rmsprop": 0x7d076364, "rmsprop momentum": 0x2caf4993, "rmsprop centered": 0xa7037fa8,
		"rmsprop both": 0x49a82332, "adadelta": 0x3e7a9b4d, "amsgrad": 0x5194ee1d,
		"adamax": 0x28dbd3, "nadam": 0x12c1d7bc, "lion": 0x39980c00,
		"ftrl": 0x10ecb52c, "proximal sgd": 0xe7cad758, "proximal adagrad": 0xb4f0cca,
	}
	for _, u := range rules {
		r := newRand(3)
		slab := wholeNumbers64(r, 10*u.need(70))
		for i := range slab {
			slab[i] = math.Abs(slab[i])
		}
		for range 3 {
			rules64[u.name](slab, u.need(70), 70, []uint32{3, 1, 7, 9, 0}, wholeNumbers64(r, 5*70))
		}
		var b []byte
		for _, x := range slab {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		if got := crc32.ChecksumIEEE(b); got != want[u.name] {
			t.Errorf("%q: %#x, want %#x", u.name, got, want[u.name])
		}
	}
}

// wholeNumbers64 is [wholeNumbers] with the digits of a float64.
func wholeNumbers64(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(int64(r.Uint64())>>9) / (1 << 51)
	}
	return x
}

func TestLionOfFloat64Vanishes(t *testing.T) {
	for _, test := range []struct{ m, w, kept float64 }{
		{0x1p-1022, 1, 0},                  // below the least once multiplied by beta
		{0x1p-1000, 0.9, 0.99 * 0x1p-1000}, // far below the least float32
	} {
		row := []float64{1, test.m}
		Lion64(row, 2, 1, []uint32{0}, []float64{0}, lion64)
		if row[0] != test.w || row[1] != test.kept {
			t.Errorf("momentum %v: %v, want [%v %v]", test.m, row, test.w, test.kept)
		}
	}
}

func TestDotOfFloat64(t *testing.T) {
	a, b := make([]float64, 37), make([]float64, 40)
	for i := range a {
		a[i], b[i] = float64(i), 2
	}
	if got := Dot64(a, b); got != 37*36 {
		t.Errorf("%v, want %v", got, 37*36)
	}
	// One after the other, each 2^-53 would be lost beside 1. Lanes 1 and 9 meet first.
	small := []float64{1, 0x1p-53, 0, 0, 0, 0, 0, 0, 0, 0x1p-53}
	if got := Dot64(small, slices.Repeat([]float64{1}, len(small))); got != 1+0x1p-52 {
		t.Errorf("%v, want the sum over the tree, 1 + 2^-52", got)
	}
}

func TestRulesOfFloat64Refuse(t *testing.T) {
	for name, update := range rules64 {
		slab, grads := make([]float64, 64), make([]float64, 8)
		wantPanic(t, name+": a row outside the slab", func() { update(slab, 16, 4, []uint32{4}, grads) })
		wantPanic(t, name+": too few gradients", func() { update(slab, 16, 4, []uint32{0, 1, 2}, grads) })
	}
}

func TestNothingOfFloat64Allocates(t *testing.T) {
	slab, grads, rows := make([]float64, 4*64), make([]float64, 2*8), []uint32{1, 3}
	for name, update := range rules64 {
		if n := testing.AllocsPerRun(20, func() { update(slab, 64, 8, rows, grads) }); n != 0 {
			t.Errorf("%s: %g allocations a run, want none", name, n)
		}
	}
}
