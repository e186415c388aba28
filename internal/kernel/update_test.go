package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// rule is an update with its hyper-parameters filled in.
type rule struct {
	name              string
	need              func(width int) int // numbers a row carries
	kernel, reference func(slab []float32, stride, width int, rows []uint32, grads []float32)
}

var step = AdamStep{Alpha: 0.003, Beta1: 0.9, Beta2: 0.999, Eps: 1e-7}

var rules = []rule{
	{"sgd", func(w int) int { return w },
		func(s []float32, stride, w int, rows []uint32, g []float32) { SGD(s, stride, w, rows, g, 0.1) },
		func(s []float32, stride, w int, rows []uint32, g []float32) { sgdGo(s, stride, w, rows, g, 0.1) }},
	{"adagrad", func(w int) int { return 2 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			Adagrad(s, stride, w, rows, g, 0.1, 1e-7)
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			adagradGo(s, stride, w, rows, g, 0.1, 1e-7)
		}},
	{"row-wise adagrad", func(w int) int { return w + 1 },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			RowWiseAdagrad(s, stride, w, rows, g, 0.1, 1e-7)
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			rowWiseAdagradGo(s, stride, w, rows, g, 0.1, 1e-7)
		}},
	{"adam", func(w int) int { return 3 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) { Adam(s, stride, w, rows, g, step) },
		func(s []float32, stride, w int, rows []uint32, g []float32) { adamGo(s, stride, w, rows, g, step) }},
}

// check takes two steps on both and compares whole slabs.
func (u rule) check(t *testing.T, r *rand.Rand, width, n int, numbers func(*rand.Rand, int) []float32) {
	t.Helper()
	stride, rows := u.need(width)+r.IntN(4), n+1+r.IntN(9)
	want := positive(numbers(r, (rows-1)*stride+u.need(width)))
	got := guardedCopy(want)
	for range 2 {
		idx, grads := distinct(r, n, rows), numbers(r, n*width)
		u.kernel(got.in, stride, width, idx, guardedCopy(grads).in)
		u.reference(want, stride, width, idx, grads)
		wantSame(t, fmt.Sprintf("%s, width %d, stride %d, %d rows", u.name, width, stride, n), got.in, want)
		got.check(t)
	}
}

func TestUpdatesEqualReference(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, u := range rules {
			for _, width := range widths {
				for _, n := range []int{0, 1, 5} {
					u.check(t, newRand(width*100+n), width, n, numbers)
				}
				u.check(t, newRand(width), width, 5, oddNumbers)
			}
		}
	})
}

// The loop prefetches 32 rows ahead; these batches end before, at and after that.
func TestUpdatesOfManyRows(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, u := range rules {
			for _, n := range []int{31, 32, 33, 34, 100} {
				u.check(t, newRand(n), 17, n, numbers)
			}
		}
	})
}

func TestUpdatesByHand(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		sgd := []float32{0, 0, 1, 2}
		SGD(sgd, 2, 2, []uint32{1}, []float32{4, -4}, 0.5)
		wantSame(t, "sgd", sgd, []float32{0, 0, -1, 4})

		adagrad := []float32{1, 2, 7, 0} // w, w, acc, acc
		Adagrad(adagrad, 4, 2, []uint32{0}, []float32{3, 4}, 2, 0)
		wantSame(t, "adagrad", adagrad, []float32{1 - 6.0/4, 2 - 8.0/4, 16, 16})

		rowWise := []float32{1, 2, 3.5}
		RowWiseAdagrad(rowWise, 3, 2, []uint32{0}, []float32{3, 4}, 2.5, 1)
		wantSame(t, "row-wise", rowWise, []float32{1 - 3*0.5, 2 - 4*0.5, 16})

		adam := []float32{1, 2, 8} // w, m, v
		Adam(adam, 3, 1, []uint32{0}, []float32{4}, AdamStep{Alpha: 2, Beta1: 0.5, Beta2: 0.875, Eps: 1})
		wantSame(t, "adam", adam, []float32{1 - 6.0/4, 3, 9})
	})
}

func TestAdamDecayEqualsAdamWithoutGradient(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, width := range widths {
			for _, steps := range []int{0, 1, 2, 50} {
				checkDecay(t, newRand(width*100+steps), width, steps)
			}
		}
	})
}

func checkDecay(t *testing.T, r *rand.Rand, width, steps int) {
	t.Helper()
	row := numbers(r, 3*width)
	positive(row[2*width:])
	alphas := numbers(r, steps)
	want, byReference := slices.Clone(row), slices.Clone(row)
	for _, alpha := range alphas {
		s := step
		s.Alpha = alpha
		adamGo(want, 3*width, width, []uint32{0}, make([]float32, width), s)
	}
	adamDecayGo(byReference, width, alphas, step.Beta1, step.Beta2, step.Eps)
	wantSame(t, fmt.Sprintf("reference, width %d, %d steps", width, steps), byReference, want)
	got := guardedCopy(row)
	AdamDecay(got.in, width, alphas, step.Beta1, step.Beta2, step.Eps)
	wantSame(t, fmt.Sprintf("width %d, %d steps", width, steps), got.in, want)
	got.check(t)
}

// Moments of a row that is absent for long go through denormals to where they
// no longer change.
func TestAdamDecayOverThousandsOfSteps(t *testing.T) {
	row := []float32{1, -2, 3, 0.5, -0.25, 1e-20, 1, 1e-3, 1e-30}
	alphas := make([]float32, 20_000)
	for i := range alphas {
		alphas[i] = 0.001
	}
	want := slices.Clone(row)
	adamDecayGo(want, 3, alphas, 0.9, 0.999, 1e-7)
	eachPath(t, func(t *testing.T) {
		got := slices.Clone(row)
		AdamDecay(got, 3, alphas, 0.9, 0.999, 1e-7)
		wantSame(t, "row", got, want)
	})
}

func TestNothingAllocates(t *testing.T) {
	r := newRand(1)
	slab, x, idx := numbers(r, 64*200), numbers(r, 64*16), distinct(r, 16, 64)
	offsets, keys, scratch := []int64{0, 3, 16}, make([]uint64, 16), make([]uint64, 16)
	eachPath(t, func(t *testing.T) {
		n := testing.AllocsPerRun(20, func() {
			var few [3]float32
			PoolSum(x, 64, slab, 200, idx, offsets, nil)
			PoolSum(x, 64, slab, 200, idx, offsets, x)
			Gather(x, 64, slab, 200, idx)
			Scatter(slab, 200, 64, idx, x)
			DivRows(x, 64, x[:16])
			ScaleRows(x, 64, x[:16])
			SumSquares(few[:], x, 64)
			Dot(few[:], x[:3])
			for _, u := range rules {
				u.kernel(slab, 200, 64, idx, x)
			}
			AdamDecay(slab, 64, few[:], 0.9, 0.999, 1e-7)
			RadixSort(keys, scratch, 0, 64)
		})
		if n != 0 {
			t.Errorf("%g allocations a run, want none", n)
		}
	})
}
