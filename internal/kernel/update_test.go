package kernel

import (
	"fmt"
	"math"
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
	{"momentum", func(w int) int { return 2 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			Momentum(s, stride, w, rows, g, 0.1, 0.9)
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			momentumRowsGo(s, stride, w, rows, g, 0.1, 0.9)
		}},
	{"nesterov", func(w int) int { return 2 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			Nesterov(s, stride, w, rows, g, 0.1, 0.9)
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			nesterovGo(s, stride, w, rows, g, 0.1, 0.9)
		}},
	{"rmsprop", func(w int) int { return 2 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			RMSprop(s, stride, w, rows, g, RMSpropStep{LR: 0.1, Rho: 0.9, Fresh: 0.1, Eps: 1e-7, Momentum: 0, Centered: false})
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			rmspropGo(s, stride, w, rows, g, RMSpropStep{LR: 0.1, Rho: 0.9, Fresh: 0.1, Eps: 1e-7, Momentum: 0, Centered: false})
		}},
	{"rmsprop momentum", func(w int) int { return 3 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			RMSprop(s, stride, w, rows, g, RMSpropStep{LR: 0.1, Rho: 0.9, Fresh: 0.1, Eps: 1e-7, Momentum: 0.8, Centered: false})
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			rmspropGo(s, stride, w, rows, g, RMSpropStep{LR: 0.1, Rho: 0.9, Fresh: 0.1, Eps: 1e-7, Momentum: 0.8, Centered: false})
		}},
	{"rmsprop centered", func(w int) int { return 3 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			RMSprop(s, stride, w, rows, g, RMSpropStep{LR: 0.1, Rho: 0.9, Fresh: 0.1, Eps: 1e-7, Momentum: 0, Centered: true})
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			rmspropGo(s, stride, w, rows, g, RMSpropStep{LR: 0.1, Rho: 0.9, Fresh: 0.1, Eps: 1e-7, Momentum: 0, Centered: true})
		}},
	{"rmsprop both", func(w int) int { return 4 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			RMSprop(s, stride, w, rows, g, RMSpropStep{LR: 0.1, Rho: 0.9, Fresh: 0.1, Eps: 1e-7, Momentum: 0.8, Centered: true})
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			rmspropGo(s, stride, w, rows, g, RMSpropStep{LR: 0.1, Rho: 0.9, Fresh: 0.1, Eps: 1e-7, Momentum: 0.8, Centered: true})
		}},
	{"adadelta", func(w int) int { return 3 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			Adadelta(s, stride, w, rows, g, 0.1, 0.95, 0.05, 1e-7)
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			adadeltaGo(s, stride, w, rows, g, 0.1, 0.95, 0.05, 1e-7)
		}},
	{"amsgrad", func(w int) int { return 4 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) { AMSGrad(s, stride, w, rows, g, step) },
		func(s []float32, stride, w int, rows []uint32, g []float32) { amsgradGo(s, stride, w, rows, g, step) }},
	{"adamax", func(w int) int { return 3 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			Adamax(s, stride, w, rows, g, AdamaxStep{LR: 0.1, Under: 0.3, Part: 0.1, Keep: 0.999, Eps: 1e-7})
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			adamaxGo(s, stride, w, rows, g, AdamaxStep{LR: 0.1, Under: 0.3, Part: 0.1, Keep: 0.999, Eps: 1e-7})
		}},
	{"nadam", func(w int) int { return 3 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			Nadam(s, stride, w, rows, g, NadamStep{LR: 0.1, Eps: 1e-7, Next: 0.6, UnderNext: 0.8, Fresh: 0.4, Under: 0.7, Over: 0.01, Part1: 0.1, Part2: 0.001})
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			nadamGo(s, stride, w, rows, g, NadamStep{LR: 0.1, Eps: 1e-7, Next: 0.6, UnderNext: 0.8, Fresh: 0.4, Under: 0.7, Over: 0.01, Part1: 0.1, Part2: 0.001})
		}},
	{"lion", func(w int) int { return 2 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			Lion(s, stride, w, rows, g, LionStep{LR: 0.1, Beta1: 0.9, Fresh1: 0.1, Beta2: 0.99, Fresh2: 0.01})
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			lionGo(s, stride, w, rows, g, LionStep{LR: 0.1, Beta1: 0.9, Fresh1: 0.1, Beta2: 0.99, Fresh2: 0.01})
		}},
	{"ftrl", func(w int) int { return 3 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			FTRL(s, stride, w, rows, g, FTRLStep{LR: 0.1, L1: 0.5, Penalty: 0.2, Shrink: 0.01})
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			ftrlGo(s, stride, w, rows, g, FTRLStep{LR: 0.1, L1: 0.5, Penalty: 0.2, Shrink: 0.01})
		}},
	{"proximal sgd", func(w int) int { return w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			ProximalSGD(s, stride, w, rows, g, 0.1, 0.5, 0.2)
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			proximalSGDGo(s, stride, w, rows, g, 0.1, float32(float32(0.1)*float32(0.5)), 1+float32(float32(0.1)*float32(0.2)))
		}},
	{"proximal adagrad", func(w int) int { return 2 * w },
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			ProximalAdagrad(s, stride, w, rows, g, 0.1, 0.5, 0.2)
		},
		func(s []float32, stride, w int, rows []uint32, g []float32) {
			proximalAdagradGo(s, stride, w, rows, g, 0.1, 0.5, 0.2)
		}},
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

// TestRulesByHand takes a step on one weight with each rule, in numbers that
// are exact.
func TestRulesByHand(t *testing.T) {
	one, g := []uint32{0}, []float32{4}
	for _, test := range []struct {
		name      string
		run       func(row []float32, stride int)
		row, want []float32
	}{
		{"momentum", func(r []float32, n int) { Momentum(r, n, 1, one, g, 0.5, 0.25) }, []float32{1, 8}, []float32{1, 0}},
		{"nesterov", func(r []float32, n int) { Nesterov(r, n, 1, one, g, 0.5, 0.25) }, []float32{1, 16}, []float32{-0.5, 2}},
		{"rmsprop", func(r []float32, n int) {
			RMSprop(r, n, 1, one, g, RMSpropStep{LR: 2, Rho: 0.5, Fresh: 0.5, Eps: 1})
		}, []float32{1, 14}, []float32{-1, 15}},
		{"rmsprop, all", func(r []float32, n int) {
			RMSprop(r, n, 1, one, g, RMSpropStep{LR: 2, Rho: 0.5, Fresh: 0.5, Eps: 1, Momentum: 0.5, Centered: true})
		}, []float32{1, 32, 6, 2}, []float32{-4, 24, 5, 3}},
		{"amsgrad", func(r []float32, n int) {
			AMSGrad(r, n, 1, one, g, AdamStep{Alpha: 2, Beta1: 0.5, Beta2: 0.875, Eps: 1})
		}, []float32{1, 2, 8, 49}, []float32{1 - 6.0/8, 3, 9, 49}},
		{"adamax", func(r []float32, n int) {
			Adamax(r, n, 1, one, g, AdamaxStep{LR: 4, Under: 0.5, Part: 0.5, Keep: 0.5, Eps: 1})
		}, []float32{1, 0, 14}, []float32{-1, 2, 7}},
		{"nadam", func(r []float32, n int) {
			Nadam(r, n, 1, one, g, NadamStep{LR: 2, Eps: 0, Next: 3, UnderNext: 2, Fresh: 0.5, Under: 0.25, Over: 0.25, Part1: 0.5, Part2: 0.125})
		}, []float32{1, 0, 16}, []float32{-1.75, 2, 16}},
		{"lion", func(r []float32, n int) {
			Lion(r, n, 1, one, g, LionStep{LR: 0.5, Beta1: 0.5, Fresh1: 0.5, Beta2: 0.25, Fresh2: 0.75})
		}, []float32{1, -8}, []float32{1.5, 1}},
		{"lion at rest", func(r []float32, n int) {
			Lion(r, n, 1, one, []float32{0}, LionStep{LR: 0.5, Beta1: 0.5, Fresh1: 0.5, Beta2: 0.25, Fresh2: 0.75})
		}, []float32{1, 0x1p-126}, []float32{1, 0}},
		{"ftrl", func(r []float32, n int) {
			FTRL(r, n, 1, one, g, FTRLStep{LR: 0.5, L1: 1, Penalty: 2, Shrink: 2})
		}, []float32{1, 9, 0}, []float32{-1.0 / 12, 25, 2}},
		{"proximal sgd", func(r []float32, n int) { ProximalSGD(r, n, 1, one, g, 0.5, 1, 2) }, []float32{-1}, []float32{-1.25}},
		{"proximal sgd, at zero", func(r []float32, n int) { ProximalSGD(r, n, 1, one, g, 0.5, 4, 2) }, []float32{1}, []float32{float32(math.Copysign(0, -1))}},
		{"proximal adagrad", func(r []float32, n int) { ProximalAdagrad(r, n, 1, one, g, 2.5, 1, 2) }, []float32{3, 9}, []float32{0.25, 25}},
		{"adadelta", func(r []float32, n int) { Adadelta(r, n, 1, one, g, 0.5, 0.5, 0.5, 1) }, []float32{1, 14, 3}, []float32{0, 15, 3.5}},
	} {
		eachPath(t, func(t *testing.T) {
			row := slices.Clone(test.row)
			test.run(row, len(row))
			wantSame(t, test.name, row, test.want)
		})
	}
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
	slab, x, idx := numbers(r, 64*256), numbers(r, 64*16), distinct(r, 16, 64)
	offsets, keys, scratch := []int64{0, 3, 16}, make([]uint64, 16), make([]uint64, 16)
	eachPath(t, func(t *testing.T) {
		n := testing.AllocsPerRun(20, func() {
			var few [3]float32
			PoolSum(x, 64, slab, 256, idx, offsets, nil)
			PoolSum(x, 64, slab, 256, idx, offsets, x)
			Gather(x, 64, slab, 256, idx)
			Scatter(slab, 256, 64, idx, x)
			DivRows(x, 64, x[:16])
			ScaleRows(x, 64, x[:16])
			SumSquares(few[:], x, 64)
			Dot(few[:], x[:3])
			for _, u := range rules {
				u.kernel(slab, 256, 64, idx, x)
			}
			AdamDecay(slab, 64, few[:], 0.9, 0.999, 1e-7)
			RadixSort(keys, scratch, 0, 64)
		})
		if n != 0 {
			t.Errorf("%g allocations a run, want none", n)
		}
	})
}
