package optim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/optim"
)

// stepByStep takes every missed step as a dense update with zero gradient: the
// definition of what CatchUp does.
func stepByStep(u optim.Updater, row []float32, width int, last, step int64, rate optim.Schedule) {
	zeros := make([]float32, width)
	for t := last + 1; t <= step; t++ {
		u.Update(optim.Block{
			Data: row, Stride: len(row), Width: width, Rows: []uint32{0},
			Grads: zeros, Step: t, LR: rate.At(t),
		})
	}
}

func catchUp(u optim.Updater, row []float32, width int, last, step int64, rate optim.Schedule) {
	u.(optim.CatchUpper).CatchUp(optim.Block{
		Data: row, Stride: len(row), Width: width, Rows: []uint32{0}, Step: step,
	}, []int64{last}, rate)
}

// randomRow makes a row as training leaves it: weights around spread, moments
// of gradients of some size, and now and then a zero.
func randomRow(u optim.Updater, width int, spread, size float64, r *rand.Rand) []float32 {
	var row []float32
	for range width {
		row = append(row, float32(spread*r.NormFloat64()))
	}
	for _, s := range u.Slots() {
		for range width {
			x := size * r.NormFloat64()
			if neverNegative[s.Name] {
				x *= x
			}
			if r.IntN(10) == 0 {
				x = 0
			}
			row = append(row, float32(x)+float32(s.Init))
		}
	}
	return row
}

// neverNegative are the slots that hold squares and sizes.
var neverNegative = map[string]bool{
	"velocity": true, "velocity_hat": true, "norm": true,
	"accumulator": true, "accumulated_grad": true, "accumulated_delta_var": true,
}

var catchUppers = []optim.CatchUpper{
	optim.SGD{},
	optim.SGD{Momentum: 0.9},
	optim.SGD{Momentum: 0.5, Nesterov: true},
	optim.SGD{Momentum: 1},
	optim.NewRMSprop(),
	optim.NewAdam(),
	optim.Adam{Beta1: 0.5, Beta2: 0.9, Epsilon: 1e-3},
	optim.Adam{Beta1: 0, Beta2: 0.99, Epsilon: 1e-7},
	optim.Adam{Beta1: 0.9, Beta2: 0.5, Epsilon: 1e-2}, // Beta1 > sqrt(Beta2): steps grow at first
	optim.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, AMSGrad: true},
	optim.Adam{Beta1: 0.5, Beta2: 0.2, Epsilon: 1e-3, AMSGrad: true},
	optim.RMSprop{Rho: 0.9, Epsilon: 1e-7, Momentum: 0.8},
	optim.RMSprop{Rho: 0.9, Epsilon: 1e-7, Momentum: 0.5, Centered: true},
	optim.NewAdadelta(),
	optim.NewAdamax(),
	optim.Adamax{Beta1: 0.5, Beta2: 0.4, Epsilon: 1e-2}, // steps grow at first
	optim.NewNadam(),
	optim.Nadam{Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-3},
	optim.NewLion(),
	optim.Lion{Beta1: 0.3, Beta2: 0.5},
	optim.Lion{Beta1: 0.3, Beta2: 0},
	optim.NewFTRL(),
	optim.FTRL{LearningRatePower: -0.6, InitialAccumulator: 0.1, L1: 0.02, L2: 0.1, Beta: 0.2},
	optim.FTRL{LearningRatePower: -0.5, InitialAccumulator: 0.1, L1: 0.02, L2Shrinkage: 0.001},
	optim.ProximalSGD{L1: 0.01},
	optim.ProximalSGD{L1: 0.001, L2: 0.02},
	optim.ProximalAdagrad{InitialAccumulator: 0.1, L1: 0.0001, L2: 0.002},
}

// growing is a schedule that CatchUp knows nothing about.
type growing struct{}

func (growing) At(step int64) float32 { return 1e-4 * float32(step) }

var rates = []optim.Schedule{
	optim.Constant(0.01),
	optim.ExponentialDecay{Initial: 0.1, DecaySteps: 100, DecayRate: 0.5},
	optim.CosineDecay{Initial: 0, WarmupTarget: 0.1, WarmupSteps: 300, DecaySteps: 1000},
	optim.PiecewiseConstant{Boundaries: []int64{40, 90}, Values: []float64{0, 0, 0.1}},
	growing{},
}

// TestCatchUpEqualsDenseSteps compares CatchUp with the plain loop over gaps of
// every kind: short, at the chunks' edges, and longer than the steps taken.
func TestCatchUpEqualsDenseSteps(t *testing.T) {
	const width = 9
	r := rand.New(rand.NewPCG(1, 1))
	for _, u := range catchUppers {
		for _, rate := range rates {
			for _, gap := range []int64{1, 4, 31, 33, 64, 193, 195, 500, 2500} {
				for _, last := range []int64{0, 37, 5000} {
					for _, spread := range []float64{0, 0.05} {
						row := randomRow(u, width, spread, 0.1, r)
						checkGap(t, u, rate, row, width, last, gap)
					}
				}
			}
		}
	}
}

// checkGap compares CatchUp with the plain loop on one row. Each of the loop's
// steps rounds its result, which over a long gap comes to more than one part
// in a million: in the moments, half a unit of the last place, 2^-24, a step
// at the most; in the weights, as much of what the row moved or decayed.
func checkGap(t *testing.T, u optim.CatchUpper, rate optim.Schedule, row []float32, width int, last, gap int64) {
	t.Helper()
	want, got := slices.Clone(row), slices.Clone(row)
	stepByStep(u, want, width, last, last+gap, rate)
	catchUp(u, got, width, last, last+gap, rate)
	rounding := float64(gap) * 0x1p-24
	for j := range row {
		tolerance := 1e-6*math.Abs(float64(want[j])) + 1e-42
		if j >= width {
			tolerance += rounding * math.Abs(float64(want[j]))
			tolerance += 100 * 1.4e-45 // numbers below 1e-38 stick where rounding stops them
		} else {
			scale := math.Abs(float64(row[j])) + math.Abs(float64(want[j]))
			tolerance += min(rounding, 1e-6) * scale
			if everyStepCounts(u) {
				tolerance += rounding * scale
			}
			tolerance += 0x1p-26 * fullStep(u, row, width, j)
			if f, ok := u.(optim.FTRL); ok && f.L2Shrinkage != 0 {
				// The weight is what z is beyond L1, times the rate: it has z's rounding.
				acc, z := float64(row[width+j]), math.Abs(float64(row[2*width+j]))
				tolerance += rounding * 0.1 * z / math.Sqrt(acc)
			}
		}
		if diff := math.Abs(float64(got[j]) - float64(want[j])); diff > tolerance {
			t.Fatalf("%#v, %#v: %d steps after %d, number %d of %d: %v, step by step %v, before %v",
				u, rate, gap, last, j, width, got[j], want[j], row[j])
		}
	}
}

// everyStepCounts tells whether the weights move at each of a thousand steps.
func everyStepCounts(u optim.CatchUpper) bool {
	switch u := u.(type) {
	case optim.SGD, optim.Lion, optim.ProximalSGD, optim.ProximalAdagrad:
		return true
	case optim.RMSprop:
		return u.Momentum != 0
	case optim.FTRL:
		return u.L2Shrinkage != 0
	}
	return false
}

// fullStep is what one step at a rate of 0.1, the highest here, moves weight j
// under a rule of Adam's kind.
func fullStep(u optim.Updater, row []float32, width, j int) float64 {
	number := func(slot int) float64 {
		if at := (1+slot)*width + j; at < len(row) {
			return float64(row[at])
		}
		return 0
	}
	m, v := math.Abs(number(0)), number(1)
	switch u := u.(type) {
	case optim.Adam:
		return 0.1 * m / (math.Sqrt(max(v, number(2))) + u.Epsilon)
	case optim.Nadam:
		return 0.1 * m / (math.Sqrt(v) + u.Epsilon)
	case optim.Adamax:
		return 0.1 * m / (v + u.Epsilon)
	}
	return 0
}

// adams are Adam and its kin with Keras' hyper-parameters.
var adams = []optim.CatchUpper{
	optim.NewAdam(), optim.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, AMSGrad: true}, optim.NewAdamax(), optim.NewNadam(),
}

// TestShortGapsHaveTheBitsOfAdam checks what the comment of Adam.CatchUp
// promises: up to 32 steps it is the dense update, bit for bit, and the weights
// are so at any length if no weight is near zero.
func TestShortGapsHaveTheBitsOfAdam(t *testing.T) {
	const width = 64
	r := rand.New(rand.NewPCG(2, 2))
	for _, a := range adams {
		for _, rate := range rates {
			for gap := int64(1); gap <= 32; gap++ {
				want := randomRow(a, width, 0.05, 0.1, r)
				got := slices.Clone(want)
				stepByStep(a, want, width, 7, 7+gap, rate)
				catchUp(a, got, width, 7, 7+gap, rate)
				if !slices.Equal(got, want) {
					t.Fatalf("%#v, %#v, gap %d: not bit for bit", a, rate, gap)
				}
			}
		}
	}
}

// TestLongGapsHaveTheBitsOfAdamsWeights checks that stopping early loses no bit
// of a weight.
func TestLongGapsHaveTheBitsOfAdamsWeights(t *testing.T) {
	const width = 64
	r := rand.New(rand.NewPCG(3, 3))
	for _, a := range adams {
		for _, rate := range rates {
			for _, gap := range []int64{50, 150, 400, 1500} {
				for range 5 {
					row := randomRow(a, width, 1, 0.1, r)
					for j := range width { // a mean is no larger than the root of the mean square, or the largest
						m := row[width+j]
						if a == optim.CatchUpper(optim.NewAdamax()) {
							row[2*width+j] += max(m, -m)
						} else {
							row[2*width+j] += m * m
						}
					}
					checkBitsOfWeights(t, a, rate, row, width, gap)
				}
			}
		}
	}
}

func checkBitsOfWeights(t *testing.T, u optim.CatchUpper, rate optim.Schedule, row []float32, width int, gap int64) {
	t.Helper()
	got := slices.Clone(row)
	stepByStep(u, row, width, 3, 3+gap, rate)
	catchUp(u, got, width, 3, 3+gap, rate)
	for j, want := range row[:width] {
		// What a row that hovers around zero is spared is less than 2^-26 of a
		// full step, 0.1 here: half of the last place of 0.05 is more.
		if got[j] != want && math.Abs(float64(want)) > 0.05 {
			t.Fatalf("%#v, %#v, gap %d: weight %v, step by step %v", u, rate, gap, got[j], want)
		}
	}
}

// TestCatchUpIsAFunctionOfTheRow checks that rows of one call, in any order and
// any part of a larger array, come out as each does alone, and that rows that
// are up to date, and rows that are not named, are not touched.
func TestCatchUpIsAFunctionOfTheRow(t *testing.T) {
	const n, width, step = 300, 8, 1200
	r := rand.New(rand.NewPCG(4, 4))
	for _, u := range catchUppers {
		for _, rate := range rates {
			stride := width*(1+len(u.Slots())) + 2
			var data []float32
			var last []int64
			var rows []uint32
			for range n {
				row := randomRow(u, width, 0.05, 0.1, r)
				data = append(data, append(row, 7, 7)...)
				last = append(last, r.Int64N(2*step))
			}
			for _, i := range r.Perm(n)[:n/2] {
				rows = append(rows, uint32(i))
			}
			want := slices.Clone(data)
			var lastOf []int64
			for _, i := range rows {
				catchUp(u, want[int(i)*stride:][:stride-2], width, last[i], step, rate)
				lastOf = append(lastOf, last[i])
			}
			before := slices.Clone(data)
			u.CatchUp(optim.Block{Data: data, Stride: stride, Width: width, Rows: rows, Step: step}, lastOf, rate)
			if !slices.Equal(data, want) {
				t.Errorf("%#v, %#v: rows together and alone differ", u, rate)
			}
			for i := range n {
				if last[i] >= step && !slices.Equal(data[i*stride:][:stride], before[i*stride:][:stride]) {
					t.Errorf("%#v: row %d, at step %d already, was changed", u, i, last[i])
				}
			}
		}
	}
}

// counting counts how often a schedule is asked.
type counting struct {
	optim.Constant
	asked *int
}

func (c counting) At(step int64) float32 { *c.asked++; return c.Constant.At(step) }

// TestCatchUpIsBounded checks that a gap of a billion steps costs no more than
// the steps that matter.
func TestCatchUpIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, test := range []struct {
		spread float64
		steps  int // at most
	}{{0.05, 192}, {0, 2 * 194}} {
		asked := 0
		row := randomRow(optim.NewAdam(), 8, test.spread, 0.1, r)
		catchUp(optim.NewAdam(), row, 8, 10, 1e9, counting{0.01, &asked})
		// The alphas of the latest 194 steps are made ready, whether they are
		// needed or not; the row's own come on top.
		if asked > 194+test.steps {
			t.Errorf("spread %v: %d learning rates for one row", test.spread, asked)
		}
		for j, x := range row[8:] {
			if x != 0 {
				t.Errorf("moment %d is %v after a billion steps", j, x)
			}
		}
	}
	asked := 0
	unbounded := struct{ optim.Schedule }{counting{0.01, &asked}} // hides the bound
	catchUp(optim.NewAdam(), randomRow(optim.NewAdam(), 8, 0, 0.1, r), 8, 10, 1e9, unbounded)
	if asked > 2*1823 {
		t.Errorf("without a bound: %d learning rates for one row", asked)
	}
}

// TestCatchUpSurvivesOddNumbers checks that NaN and infinity neither hang nor panic.
func TestCatchUpSurvivesOddNumbers(t *testing.T) {
	odd := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, 1e-45, 0}
	for _, u := range catchUppers {
		for _, w := range odd {
			for _, s := range odd {
				row := slices.Concat(slices.Repeat([]float32{w}, 2), slices.Repeat([]float32{s}, 2*len(u.Slots())))
				catchUp(u, row, 2, 0, 1e12, optim.Constant(0.1))
			}
		}
	}
	u := optim.NewAdam()
	u.CatchUp(optim.Block{Stride: 6, Width: 2, Step: 5}, nil, optim.Constant(1))
}

// TestRateOfZeroDoesNotSettleARow checks that a rate that is zero now does not
// end the steps when a higher one is to come.
func TestRateOfZeroDoesNotSettleARow(t *testing.T) {
	a := optim.Adam{Beta1: 0.99, Beta2: 0.999, Epsilon: 1e-7}
	rate := optim.PiecewiseConstant{Boundaries: []int64{100}, Values: []float64{0, 0.1}}
	row := []float32{1, 0.1, 0.01}
	want := slices.Clone(row)
	stepByStep(a, want, 1, 0, 400, rate)
	catchUp(a, row, 1, 0, 400, rate)
	if want[0] == 1 || math.Abs(float64(row[0]/want[0]-1)) > 1e-6 {
		t.Errorf("weight %v, step by step %v", row[0], want[0])
	}
}

func TestCatchUpDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Log("sync.Pool drops entries at random under the race detector")
		return
	}
	r := rand.New(rand.NewPCG(6, 6))
	for _, u := range catchUppers {
		row := randomRow(u, 8, 0.05, 0.1, r)
		rows, last := []uint32{0}, []int64{0}
		var rate optim.Schedule = optim.ExponentialDecay{Initial: 0.1, DecaySteps: 10, DecayRate: 0.99}
		allocs := testing.AllocsPerRun(50, func() {
			u.CatchUp(optim.Block{Data: row, Stride: len(row), Width: 8, Rows: rows, Step: 300}, last, rate)
		})
		if allocs != 0 {
			t.Errorf("%#v: %v allocations a call", u, allocs)
		}
	}
}

func BenchmarkAdamCatchUp(b *testing.B) {
	const n, width = 256, 64
	a := optim.NewAdam()
	r := rand.New(rand.NewPCG(7, 7))
	var fresh []float32
	for range n {
		fresh = append(fresh, randomRow(a, width, 0.05, 0.01, r)...)
	}
	data, rows, last := slices.Clone(fresh), make([]uint32, n), make([]int64, n)
	for _, gap := range []int64{1, 8, 64, 1000, 100_000} {
		b.Run(fmt.Sprintf("gap=%d/dim=%d", gap, width), func(b *testing.B) {
			for i := range rows {
				rows[i], last[i] = uint32(i), 200_000-gap
			}
			for b.Loop() {
				copy(data, fresh)
				a.CatchUp(optim.Block{Data: data, Stride: 3 * width, Width: width, Rows: rows, Step: 200_000}, last, optim.Constant(0.001))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}
