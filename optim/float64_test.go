package optim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/optim"
)

func ExampleOptimizer_Update64() {
	o := (&optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.5)}).WithDefaults()
	row := []float64{1}
	o.Update64(optim.BlockOf[float64]{
		Data: row, Stride: 1, Width: 1, Rows: []uint32{0},
		Grads: []float64{1e-9}, Step: 1, LR: float64(o.LearningRate(1)),
	})
	fmt.Println(row[0], float32(row[0]))
	// Output:
	// 0.9999999995 1
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// compare64 lets pass 1e-14, which is 45 times the distance of two float64: ten
// steps round about ten times each, PyTorch in another order of operations, and
// the powers of others are not ours to the last bit. That is relative to the
// number, or, for one that came near zero, to the size of what was added to it.
func compare64(t *testing.T, what string, got, want []float64, size float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !near(got[i], want[i], 1e-14, 1e-14*size) {
			t.Fatalf("%s %d is %v, want %v: off by %.2g", what, i, got[i], want[i], got[i]-want[i])
		}
	}
}

// TestRulesSupportFloat64 checks that each rule of the package is an Updater64.
func TestRulesSupportFloat64(t *testing.T) {
	for _, u := range allRules {
		if err := (&optim.Optimizer{Updater: u}).Supports64(); err != nil {
			t.Errorf("%#v: %v", u, err)
		}
	}
	var none *optim.Optimizer
	if err := none.Supports64(); err != nil {
		t.Errorf("the default optimizer: %v", err)
	}
	checkError(t, (&optim.Optimizer{Updater: ownRule{}}).Supports64(), "rule Own has Update, for rows of float32, and no Update64")
}

// TestRowWiseAdagradOfFloat64 compares with the formula. The sum of a row runs
// over another tree: 2^-53 a number, and as much for each operation.
func TestRowWiseAdagradOfFloat64(t *testing.T) {
	const width, eps, lr = 20, 1e-8, 0.05
	r := rand.New(rand.NewPCG(20, 20))
	o := (&optim.Optimizer{Updater: optim.NewRowWiseAdagrad(), Rate: optim.Constant(lr)}).WithDefaults()
	row := make([]float64, width+1)
	want, acc := make([]float64, width), 0.0
	for step := range int64(10) {
		grads, sum := make([]float64, width), 0.0
		for j := range grads {
			grads[j] = r.NormFloat64()
			sum += grads[j] * grads[j]
		}
		acc += sum / width
		rate := float64(o.LearningRate(step + 1))
		for j, g := range grads {
			want[j] -= rate / (math.Sqrt(acc) + eps) * g
		}
		o.Update64(optim.BlockOf[float64]{Data: row, Stride: width + 1, Width: width, Rows: []uint32{0}, Grads: grads, Step: step + 1, LR: rate})
		compare64(t, fmt.Sprintf("step %d: number", step+1), row, append(slices.Clone(want), acc), lr)
	}
}

// TestNadamOfFloat64LateInARun compares one step with the formula, where the
// product of the momenta has 1,200 factors, and not all of them are multiplied.
func TestNadamOfFloat64LateInARun(t *testing.T) {
	const t0, beta1, beta2, eps, lr = 1200, 0.9999, 0.999, 1e-7, 0.1
	momentum := func(t int) float64 { return beta1 * (1 - 0.5*math.Pow(0.96, float64(t))) }
	product := 1.0
	for i := range t0 {
		product *= momentum(i + 1)
	}
	w, m, v, g := 1.0, 0.5, 0.25, -0.75
	row := []float64{w, m, v}
	optim.Nadam{Beta1: beta1, Beta2: beta2, Epsilon: eps}.Update64(optim.BlockOf[float64]{
		Data: row, Stride: 3, Width: 1, Rows: []uint32{0}, Grads: []float64{g}, Step: t0, LR: lr,
	})
	m += (g - m) * (1 - beta1)
	v += (g*g - v) * (1 - beta2)
	h := momentum(t0+1)*m/(1-product*momentum(t0+1)) + (1-momentum(t0))*g/(1-product)
	w -= h * lr / (math.Sqrt(v/(1-math.Pow(beta2, t0))) + eps)
	for j, want := range []float64{w, m, v} {
		// The powers round up to 1,200 times by 2^-53: 1e-13.
		if !near(row[j], want, 1e-13, 0) {
			t.Errorf("number %d is %v, want %v: off by %.2g", j, row[j], want, row[j]-want)
		}
	}
}

// TestBlocksOfAnySizeOfFloat64 is [TestBlocksOfAnySize] for rows of float64.
func TestBlocksOfAnySizeOfFloat64(t *testing.T) {
	const width, n = 3, 2*kernel.MaxRows + 5
	r := rand.New(rand.NewPCG(21, 21))
	for _, u := range allRules {
		u := u.(optim.Updater64)
		stride := rowWidth(u, width) + 1
		data := wide(randoms(n*stride, r))
		for i := range data {
			data[i] = math.Abs(data[i])
		}
		want, grads := slices.Clone(data), wide(randoms(n*width, r))
		var rows []uint32
		for _, i := range r.Perm(n)[:n-1] {
			rows = append(rows, uint32(i))
		}
		b := optim.BlockOf[float64]{Stride: stride, Width: width, Step: 3, LR: 0.1}
		for i, row := range rows {
			b.Data, b.Rows, b.Grads = want, []uint32{row}, grads[i*width:][:width]
			u.Update64(b)
		}
		b.Data, b.Rows, b.Grads = data, rows, grads
		u.Update64(b)
		if !slices.Equal(data, want) {
			t.Errorf("%#v: rows together and alone differ", u)
		}
		u.Update64(optim.BlockOf[float64]{Stride: stride, Width: width})
	}
}

// TestOptimizerDoesNotAllocate checks an update with all that may surround a rule.
func TestOptimizerDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 22))
	for _, u := range allRules {
		o := &optim.Optimizer{Updater: u, Rate: optim.Constant(0.1), WeightDecay: 0.1, EMA: optim.NewEMA()}
		stride := rowWidth(u, 8) + 8
		b := optim.BlockOf[float64]{
			Data: make([]float64, 4*stride), Stride: stride, Width: 8, Rows: []uint32{0, 2},
			Grads: wide(randoms(16, r)), Step: 1, LR: 0.1,
		}
		if allocs := testing.AllocsPerRun(100, func() { o.Update64(b) }); allocs != 0 {
			t.Errorf("%#v: %v allocations an update of float64", u, allocs)
		}
		narrow := optim.Block{
			Data: make([]float32, 4*stride), Stride: stride, Width: 8, Rows: b.Rows,
			Grads: randoms(16, r), Step: 1, LR: 0.1,
		}
		if allocs := testing.AllocsPerRun(100, func() { o.Update(narrow) }); allocs != 0 {
			t.Errorf("%#v: %v allocations an update", u, allocs)
		}
	}
}

// float64Optimizers returns every rule with every surrounding, and without any.
func float64Optimizers(rate optim.Schedule) []*optim.Optimizer {
	var all []*optim.Optimizer
	for _, o := range surrounded(rate) {
		if o.Supports64() == nil {
			all = append(all, o)
		}
	}
	for _, u := range append([]optim.Updater{optim.NewAdagrad(), optim.NewRowWiseAdagrad()}, allRules...) {
		all = append(all, &optim.Optimizer{Updater: u, Rate: rate, Exact: true})
	}
	return all
}

// TestCatchUp64EqualsDenseSteps compares CatchUp64, of some rows of a table that
// were last at different steps, with updates without gradients, bit for bit, and
// with CatchUp of float32, which goes another way. A hundred steps of float32 are
// off by 2^-17 of the numbers that meet in a row, and what one of Adam's kin
// leaves out; Lion may stop a step earlier or later.
func TestCatchUp64EqualsDenseSteps(t *testing.T) {
	const width, n, step = 5, 12, 140
	r := rand.New(rand.NewPCG(23, 23))
	for _, rate := range []optim.Schedule{rates[0], rates[1], growing{}} {
		for _, o := range float64Optimizers(rate) {
			var data []float32
			var rows []uint32
			var last []int64
			stride := 0
			for i := range n {
				row := append(surroundedRow(o, width, r), 7)
				stride = len(row)
				data = append(data, row...)
				if i%3 != 0 {
					rows, last = append(rows, uint32(i)), append(last, 40+r.Int64N(120))
				}
			}
			got, before := wide(data), slices.Clone(last)
			want := slices.Clone(got)
			zeros := make([]float64, width)
			for i := range rows {
				for t := last[i] + 1; t <= step; t++ {
					o.Update64(optim.BlockOf[float64]{Data: want, Stride: stride, Width: width, Rows: rows[i : i+1],
						Grads: zeros, Step: t, LR: float64(o.LearningRate(t))})
				}
			}
			o.CatchUp64(optim.BlockOf[float64]{Data: got, Stride: stride, Width: width, Rows: rows, Step: step}, last)
			if !slices.Equal(got, want) {
				t.Errorf("%#v, %#v: not the bits of updates without gradients", o, rate)
			}
			if !slices.Equal(last, before) {
				t.Errorf("%#v: the last steps were changed", o)
			}
			o.CatchUp(optim.Block{Data: data, Stride: stride, Width: width, Rows: rows, Step: step}, last)
			for i, x := range wide(data) {
				if !near(got[i], x, 1e-4, 1e-4) {
					t.Errorf("%#v, %#v: number %d of %d is %v, of float32 %v", o, rate, i%stride, stride, got[i], x)
					break
				}
			}
		}
	}
}

// TestWeightDecayOfFloat64 checks that the decay is not rounded to float32, as
// Keras on either backend of the recordings would have it.
func TestWeightDecayOfFloat64(t *testing.T) {
	o := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1), WeightDecay: 0.1}
	row := []float64{1}
	o.Update64(optim.BlockOf[float64]{Data: row, Stride: 1, Width: 1, Rows: []uint32{0}, Grads: []float64{0}, Step: 1, LR: 1})
	if row[0] != 0.9 {
		t.Errorf("weight %v, want 0.9", row[0])
	}
}

// refusing is a schedule that nobody may ask.
type refusing struct{ *testing.T }

func (r refusing) At(step int64) float32 {
	r.Fatalf("the learning rate of step %d was asked for", step)
	return 0
}

// TestCatchUp64LeavesRowsAlone checks that rows which no step moves or decays are
// not walked through the steps: a gap of 2^60 would never end.
func TestCatchUp64LeavesRowsAlone(t *testing.T) {
	for _, u := range []optim.Updater{
		optim.SGD{}, optim.NewAdagrad(), optim.NewRowWiseAdagrad(), optim.ProximalSGD{}, optim.NewProximalAdagrad(),
	} {
		o := &optim.Optimizer{Updater: u, Rate: refusing{t}}
		row := []float64{1, 2, 3}
		o.CatchUp64(optim.BlockOf[float64]{Data: row, Stride: 3, Width: 1, Rows: []uint32{0}, Step: 1 << 60}, []int64{1})
		if !slices.Equal(row, []float64{1, 2, 3}) {
			t.Errorf("%#v: row %v", u, row)
		}
	}
}

func TestCatchUp64DoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Log("sync.Pool drops entries at random under the race detector")
		return
	}
	r := rand.New(rand.NewPCG(24, 24))
	for _, o := range float64Optimizers(optim.ExponentialDecay{Initial: 0.1, DecaySteps: 10, DecayRate: 0.99}) {
		row := wide(surroundedRow(o, 8, r))
		rows, last := []uint32{0}, []int64{0}
		allocs := testing.AllocsPerRun(20, func() {
			o.CatchUp64(optim.BlockOf[float64]{Data: row, Stride: len(row), Width: 8, Rows: rows, Step: 20}, last)
		})
		if allocs != 0 {
			t.Errorf("%#v: %v allocations a call", o, allocs)
		}
	}
}

// TestFTRLOfFloat64LeavesUntouchedRows is [TestFTRLLeavesUntouchedRows]: an
// accumulator of 0.1 is not that of float32.
func TestFTRLOfFloat64LeavesUntouchedRows(t *testing.T) {
	f := optim.NewFTRL()
	row := []float64{0.5, -0.5, f.Slots()[0].Init, f.Slots()[0].Init, 0, 0}
	want := slices.Clone(row)
	b := optim.BlockOf[float64]{Data: row, Stride: 6, Width: 2, Rows: []uint32{0}, Grads: []float64{0, 0}, Step: 1, LR: 0.1}
	if f.Update64(b); !slices.Equal(row, want) {
		t.Errorf("untouched %v became %v", want, row)
	}
	b.Grads, b.LR = []float64{1, 0}, 0
	if f.Update64(b); !slices.Equal(row, want) {
		t.Errorf("at a rate of 0 %v became %v", want, row)
	}
	b.LR = 0.1
	if f.Update64(b); row[0] == 0.5 || row[1] != 0 {
		t.Errorf("after a gradient %v", row)
	}
}

func TestClipRows64(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name        string
		clip        optim.Clip
		width       int
		grads, want []float64
	}{
		{"nothing set", optim.Clip{}, 2, []float64{3, 4, 30, 40}, []float64{3, 4, 30, 40}},
		{"value", optim.Clip{Value: 3.5}, 2, []float64{3, 4, -30, -1}, []float64{3, 3.5, -3.5, -1}},
		{"norm, each row its own", optim.Clip{Norm: 5}, 2, []float64{3, 4, 24, 32}, []float64{3, 4, 3, 4}},
		{"norm of zero", optim.Clip{Norm: 5}, 2, []float64{0, 0}, []float64{0, 0}},
		{"norm of width 1", optim.Clip{Norm: 2}, 1, []float64{-8, 1}, []float64{-2, 1}},
		{"global norm is not for here", optim.Clip{GlobalNorm: 1}, 2, []float64{3, 4}, []float64{3, 4}},
		{"no rows", optim.Clip{Norm: 1}, 0, nil, nil},
		{"more digits than float32", optim.Clip{Value: 1}, 1, []float64{1 - 0x1p-50}, []float64{1 - 0x1p-50}},
		{"a NaN", optim.Clip{Value: 1}, 2, []float64{nan, 2}, []float64{nan, 1}},
		{"the norm of a NaN", optim.Clip{Norm: 1}, 2, []float64{nan, 2, 2, 0}, []float64{nan, 2, 1, 0}},
	}
	same := func(a, b float64) bool { return a == b || a != a && b != b }
	for _, test := range tests {
		got := slices.Clone(test.grads)
		test.clip.Rows64(got, test.width)
		if !slices.EqualFunc(got, test.want, same) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
