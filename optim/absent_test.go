package optim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/optim"
)

func ExampleEMA() {
	o := (&optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1), EMA: &optim.EMA{Momentum: 0.5}}).WithDefaults()
	row := []float32{1, 1} // a weight, and its average
	for step := int64(1); step <= 3; step++ {
		o.Update(optim.Block{Data: row, Stride: 2, Width: 1, Rows: []uint32{0}, Grads: []float32{-1}, Step: step, LR: 1})
		fmt.Println("weight", row[0], "average", row[1])
	}
	// Output:
	// weight 2 average 2
	// weight 3 average 2.5
	// weight 4 average 3.25
}

// surroundings are what an optimizer may do beside its rule.
var surroundings = []optim.Optimizer{
	{WeightDecay: 0.1},
	{EMA: &optim.EMA{Momentum: 0.99}},
	{EMA: &optim.EMA{Momentum: 0.9, OverwriteEvery: 7}},
	{EMA: &optim.EMA{Momentum: 1, OverwriteEvery: 1}},
	{WeightDecay: 0.02, EMA: &optim.EMA{Momentum: 0.95}},
	{WeightDecay: 0.05, EMA: &optim.EMA{Momentum: 0.8, OverwriteEvery: 50}},
}

// surrounded returns every rule with every surrounding, at a learning rate.
func surrounded(rate optim.Schedule) []*optim.Optimizer {
	rules := append([]optim.Updater{optim.NewAdagrad(), optim.NewRowWiseAdagrad()}, ownRule{})
	for _, u := range catchUppers {
		rules = append(rules, u)
	}
	var all []*optim.Optimizer
	for _, u := range rules {
		for _, o := range surroundings {
			o.Updater, o.Rate, o.Exact = u, rate, true
			all = append(all, &o)
		}
	}
	return all
}

// TestCatchUpOfAccumulatedUpdates checks that absent rows have the rates of the
// updates, which are those of every third batch.
func TestCatchUpOfAccumulatedUpdates(t *testing.T) {
	const width = 5
	r := rand.New(rand.NewPCG(12, 12))
	for _, rate := range []optim.Schedule{rates[0], rates[1], growing{}} {
		for _, o := range surrounded(rate) {
			o.AccumulationSteps = 3
			row := surroundedRow(o, width, r)
			want, got := slices.Clone(row), slices.Clone(row)
			zeros := make([]float32, width)
			for update := int64(5); update <= 60; update++ {
				o.Update(optim.Block{
					Data: want, Stride: len(row), Width: width, Rows: []uint32{0},
					Grads: zeros, Step: update, LR: rate.At(3 * update),
				})
			}
			catchAll(o, got, width, 4, 60)
			compareRows(t, o, row, got, want, width, 56)
		}
	}
}

// ownRule stands for a rule of another package that moves rows without gradients, and
// says nothing more about it.
type ownRule struct{}

func (ownRule) Name() string { return "Own" }

func (ownRule) Slots() []optim.Slot { return nil }

func (ownRule) Update(b optim.Block) {
	for _, r := range b.Rows {
		b.Data[int(r)*b.Stride] += b.LR
	}
}

func (o ownRule) CatchUp(b optim.Block, last []int64, rate optim.Schedule) {
	for i := range b.Rows {
		for t := last[i] + 1; t <= b.Step; t++ {
			o.Update(optim.Block{Data: b.Data, Stride: b.Stride, Rows: b.Rows[i : i+1], LR: rate.At(t)})
		}
	}
}

// surroundedRow makes a row of an optimizer, its average not far from its weights.
func surroundedRow(o *optim.Optimizer, width int, r *rand.Rand) []float32 {
	row := randomRow(o.Updater, width, 0.05, 0.1, r)
	for _, s := range o.Updater.Slots() {
		if s.Width != 0 { // randomRow gives every slot the width of the row
			row = row[:len(row)-width+s.Width]
		}
	}
	if o.EMA != nil {
		for j := range width {
			row = append(row, row[j]+float32(0.01*r.NormFloat64()))
		}
	}
	return row
}

func stepAll(o *optim.Optimizer, row []float32, width int, last, step int64) {
	zeros := make([]float32, width)
	for t := last + 1; t <= step; t++ {
		o.Update(optim.Block{
			Data: row, Stride: len(row), Width: width, Rows: []uint32{0},
			Grads: zeros, Step: t, LR: o.Rate.At(t),
		})
	}
}

func catchAll(o *optim.Optimizer, row []float32, width int, last, step int64) {
	o.CatchUp(optim.Block{
		Data: row, Stride: len(row), Width: width, Rows: []uint32{0}, Step: step,
	}, []int64{last})
}

// TestSurroundedCatchUpEqualsDenseSteps compares weight decay and averages of
// absent rows with the plain loop of updates without gradients. The loop rounds
// each step: at most half a unit of the last place, 2^-24, of the largest number
// that meets there.
func TestSurroundedCatchUpEqualsDenseSteps(t *testing.T) {
	const width = 5
	r := rand.New(rand.NewPCG(8, 8))
	for _, rate := range []optim.Schedule{rates[0], rates[1], growing{}} {
		for _, o := range surrounded(rate) {
			for _, gap := range []int64{1, 33, 230, 500} {
				for _, last := range []int64{0, 1, 37} {
					row := surroundedRow(o, width, r)
					want, got := slices.Clone(row), slices.Clone(row)
					stepAll(o, want, width, last, last+gap)
					catchAll(o, got, width, last, last+gap)
					compareRows(t, o, row, got, want, width, gap)
				}
			}
		}
	}
}

func compareRows(t *testing.T, o *optim.Optimizer, row, got, want []float32, width int, gap int64) {
	t.Helper()
	largest := 0.0
	for _, x := range [][]float32{row[:width], want[:width], row[len(row)-width:]} {
		for _, v := range x {
			largest = max(largest, math.Abs(float64(v)))
		}
	}
	for j := range row {
		tolerance := float64(gap)*0x1p-23*largest + 1e-6*math.Abs(float64(want[j])) + 1e-42
		if j >= width && (o.EMA == nil || j < len(row)-width) {
			tolerance = float64(gap)*0x1p-24*math.Abs(float64(want[j])) + 1e-6*math.Abs(float64(want[j])) + 100*1.4e-45
		}
		tolerance += 0x1p-26 * fullStep(o.Updater, row, width, j%width)
		if diff := math.Abs(float64(got[j]) - float64(want[j])); diff > tolerance {
			t.Fatalf("%#v, decay %v, EMA %v, %#v: %d steps, number %d of %d: %v, step by step %v, before %v",
				o.Updater, o.WeightDecay, o.EMA, o.Rate, gap, j, width, got[j], want[j], row[j])
		}
	}
}

// TestSurroundedCatchUpIsAFunctionOfTheRow checks that rows of one call come out
// as each does alone: the maps of missed steps are shared.
func TestSurroundedCatchUpIsAFunctionOfTheRow(t *testing.T) {
	const n, width, step = 40, 3, 900
	r := rand.New(rand.NewPCG(9, 9))
	for _, rate := range []optim.Schedule{rates[0], rates[1]} {
		for _, o := range surrounded(rate) {
			var data []float32
			var rows []uint32
			var last []int64
			stride := 0
			for i := range n {
				row := surroundedRow(o, width, r)
				stride = len(row)
				data, rows, last = append(data, row...), append(rows, uint32(i)), append(last, r.Int64N(step+100))
			}
			want := slices.Clone(data)
			for i := range n {
				catchAll(o, want[i*stride:][:stride], width, last[i], step)
			}
			before := slices.Clone(last)
			o.CatchUp(optim.Block{Data: data, Stride: stride, Width: width, Rows: rows, Step: step}, last)
			if !slices.Equal(data, want) {
				t.Errorf("%#v, %#v: rows together and alone differ", o, rate)
			}
			if !slices.Equal(last, before) {
				t.Errorf("%#v: the last steps were changed", o)
			}
		}
	}
}

// TestSurroundedCatchUpIsBounded checks that a gap of a billion steps costs no
// more than the steps at which the rule moves the row.
func TestSurroundedCatchUpIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	for _, u := range []optim.Updater{
		optim.SGD{}, optim.SGD{Momentum: 0.9}, optim.NewAdagrad(), optim.NewRMSprop(), optim.NewAdadelta(),
		optim.RMSprop{Rho: 0.9, Epsilon: 1e-7, Momentum: 0.9}, optim.NewAdam(), optim.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, AMSGrad: true},
		optim.NewAdamax(), optim.NewNadam(),
	} {
		asked := 0
		o := &optim.Optimizer{Updater: u, Rate: counting{0.01, &asked}, EMA: &optim.EMA{Momentum: 0.9, OverwriteEvery: 1000}}
		row := surroundedRow(o, 4, r)
		catchAll(o, row, 4, 10, 1e9)
		// "counting" has no known bound but for those who look into it: it takes a
		// momentum of 0.9 the 1,823 steps to vanish, or 205 to have moved.
		if asked > 2*1823+2 {
			t.Errorf("%#v: %d learning rates for one row", u, asked)
		}
		decayed := &optim.Optimizer{Updater: u, Rate: optim.Constant(0.01), WeightDecay: 0.01}
		row = surroundedRow(decayed, 4, r)
		catchAll(decayed, row, 4, 10, 1e9)
		for j, x := range row[:4] {
			if x != 0 {
				t.Errorf("%#v: weight %d is %v after a billion steps of decay", u, j, x)
			}
		}
	}
}

func TestSurroundedCatchUpDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Log("sync.Pool drops entries at random under the race detector")
		return
	}
	r := rand.New(rand.NewPCG(11, 11))
	for _, o := range surrounded(optim.ExponentialDecay{Initial: 0.1, DecaySteps: 10, DecayRate: 0.99}) {
		row := surroundedRow(o, 8, r)
		rows, last := []uint32{0}, []int64{0}
		allocs := testing.AllocsPerRun(20, func() {
			o.CatchUp(optim.Block{Data: row, Stride: len(row), Width: 8, Rows: rows, Step: 300}, last)
		})
		if allocs != 0 {
			t.Errorf("%#v: %v allocations a call", o, allocs)
		}
	}
}

// TestCatchesUp checks which optimizers leave absent rows alone in their dense form.
func TestCatchesUp(t *testing.T) {
	for _, u := range []optim.Updater{optim.SGD{}, optim.NewAdagrad(), optim.NewRowWiseAdagrad()} {
		_, catches := u.(optim.CatchUpper)
		if got := (&optim.Optimizer{Updater: u}).CatchesUp(); got != catches {
			t.Errorf("%#v: %v", u, got)
		}
		for _, o := range surroundings {
			o.Updater = u
			if !o.CatchesUp() {
				t.Errorf("%#v leaves absent rows alone", o)
			}
		}
	}
	for _, u := range catchUppers {
		if !(&optim.Optimizer{Updater: u}).CatchesUp() {
			t.Errorf("%#v leaves absent rows alone", u)
		}
	}
}

// TestFTRLLeavesUntouchedRows checks that a row keeps its first values until a
// gradient touches it, whether it is in a batch or not: Keras makes it zeros.
func TestFTRLLeavesUntouchedRows(t *testing.T) {
	rules := []optim.FTRL{optim.NewFTRL(), {InitialAccumulator: 0.1, L1: 1, L2Shrinkage: 0.1}}
	for _, f := range rules {
		row := []float32{0.5, -0.5, 0.1, 0.1, 0, 0}
		want := slices.Clone(row)
		for _, rate := range rates {
			catchUp(f, row, 2, 0, 100, rate)
		}
		step := func(g float32) {
			f.Update(optim.Block{Data: row, Stride: 6, Width: 2, Rows: []uint32{0}, Grads: []float32{g, 0}, Step: 1, LR: 0.1})
		}
		if step(0); !slices.Equal(row, want) {
			t.Errorf("%#v: untouched %v became %v", f, want, row)
		}
		if step(1); row[0] == 0.5 || row[1] != 0 {
			t.Errorf("%#v: after a gradient %v", f, row)
		}
	}
}

// TestFTRLFromZero checks that a weight without a gradient, in a row that has
// some, is no division of 0 by 0 when accumulators start at 0.
func TestFTRLFromZero(t *testing.T) {
	f := optim.FTRL{LearningRatePower: -0.5}
	row := []float32{1, 1, 0, 0, 0, 0}
	f.Update(optim.Block{Data: row, Stride: 6, Width: 2, Rows: []uint32{0}, Grads: []float32{0, 2}, Step: 1, LR: 0.5})
	catchUp(f, row, 2, 1, 9, optim.Constant(0.5))
	// acc = 4, z = 2 - 2/0.5·1 = -2, w = 2/(2/0.5)
	if want := []float32{0, 0.5, 0, 4, 0, -2}; !slices.Equal(row, want) {
		t.Errorf("%v, want %v", row, want)
	}
}

// TestLionStopsAsTensorFlowDoes repeats a run of Keras 3.15.1 on TensorFlow
// 2.21: Lion(0.25, beta_1=0.5, beta_2=0.01), one gradient, and then none. Numbers
// below 2^-126 are zero there.
func TestLionStopsAsTensorFlowDoes(t *testing.T) {
	grads := []float32{1, -1, 1e-30, 1e-36, 1e-38, 1e-40, 0, 1e-45}
	moved := []float32{20, -20, 5, 2, 0, 0, 0, 0} // steps of 0.25
	for _, exact := range []bool{false, true} {
		const width = 8
		row := append(slices.Repeat([]float32{1}, width), make([]float32, width)...)
		l := optim.Lion{Beta1: 0.5, Beta2: 0.01}
		b := optim.Block{Data: row, Stride: 2 * width, Width: width, Rows: []uint32{0}, Grads: grads, Step: 1, LR: 0.25}
		l.Update(b)
		if exact {
			catchUp(l, row, width, 1, 40, optim.Constant(0.25))
		} else {
			b.Grads = make([]float32, width)
			for range 39 {
				l.Update(b)
			}
		}
		for j, n := range moved {
			if want := 1 - n/4; row[j] != want {
				t.Errorf("exact %v: weight %d is %v, want %v", exact, j, row[j], want)
			}
		}
		if !slices.Equal(row[width:], make([]float32, width)) {
			t.Errorf("exact %v: momentum %v, want zeros", exact, row[width:])
		}
	}
}

// TestCenteredRMSpropSurvivesSteadyGradients checks that a variance which
// rounding makes negative does no harm. Keras 3.15.1 has NaN here.
func TestCenteredRMSpropSurvivesSteadyGradients(t *testing.T) {
	u := optim.RMSprop{Rho: 0.9, Epsilon: 1e-7, Centered: true}
	row := []float32{1, 0, 0}
	for step := range int64(2000) {
		u.Update(optim.Block{Data: row, Stride: 3, Width: 1, Rows: []uint32{0}, Grads: []float32{454.0444}, Step: step + 1, LR: 1e-9})
	}
	if w := row[0]; w-w != 0 {
		t.Errorf("weight %v after steady gradients", w)
	}
}

func BenchmarkAdamWCatchUp(b *testing.B) {
	const n, width = 256, 64
	o := &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.001), WeightDecay: 0.004}
	r := rand.New(rand.NewPCG(7, 7))
	var fresh []float32
	for range n {
		fresh = append(fresh, surroundedRow(o, width, r)...)
	}
	data, rows, last := slices.Clone(fresh), make([]uint32, n), make([]int64, n)
	for _, gap := range []int64{1, 64, 1000} {
		b.Run(fmt.Sprintf("gap=%d/dim=%d", gap, width), func(b *testing.B) {
			for i := range rows {
				rows[i], last[i] = uint32(i), 200_000-gap
			}
			for b.Loop() {
				copy(data, fresh)
				o.CatchUp(optim.Block{Data: data, Stride: 3 * width, Width: width, Rows: rows, Step: 200_000}, last)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}
