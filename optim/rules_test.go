package optim_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/optim"
)

func Example() {
	// A table of two rows of width 2, each with its Adagrad accumulators.
	rule := optim.NewAdagrad()
	rows := []float32{
		1, 2, 0.1, 0.1, // row 0: weights, accumulators
		3, 4, 0.1, 0.1, // row 1
	}
	rule.Update(optim.Block{
		Data: rows, Stride: 4, Width: 2,
		Rows: []uint32{1}, Grads: []float32{0.3, -0.4},
		Step: 1, LR: 0.5,
	})
	fmt.Printf("%.3f\n%.3f\n", rows[:4], rows[4:])
	// Output:
	// [1.000 2.000 0.100 0.100]
	// [2.656 4.392 0.190 0.260]
}

func ExampleAdam_CatchUp() {
	adam, rate := optim.NewAdam(), optim.Constant(0.1)
	row := []float32{1, 0, 0} // one weight, both moments
	adam.Update(optim.Block{
		Data: row, Stride: 3, Width: 1, Rows: []uint32{0},
		Grads: []float32{0.5}, Step: 1, LR: rate.At(1),
	})
	fmt.Printf("after its only gradient %.4f\n", row[0])
	copied := slices.Clone(row)
	adam.CatchUp(optim.Block{Data: copied, Stride: 3, Width: 1, Rows: []uint32{0}, Step: 1000}, []int64{1}, rate)
	fmt.Printf("as Keras would have it after step 1000: %.4f\n", copied[0])
	// Output:
	// after its only gradient 0.9000
	// as Keras would have it after step 1000: 0.3995
}

// TestOneStepByHand checks a step that was worked out on paper.
func TestOneStepByHand(t *testing.T) {
	tests := []struct {
		rule      optim.Updater
		row       []float32 // two weights, then state
		step      int64
		want      []float32
		tolerance float64
	}{
		// w - g·lr, with g = (2, -4), lr = 0.5
		{optim.SGD{}, []float32{1, 1}, 1, []float32{0, 3}, 0},
		// m = m/2 - g·lr; w += m
		{optim.SGD{Momentum: 0.5}, []float32{1, 1, 2, 0}, 9, []float32{1, 3, 0, 2}, 0},
		// w += m/2 - g·lr
		{optim.SGD{Momentum: 0.5, Nesterov: true}, []float32{1, 1, 2, 0}, 9, []float32{0, 4, 0, 2}, 0},
		// acc += g²; w -= lr·g/sqrt(acc)
		{optim.Adagrad{}, []float32{1, 1, 0, 9}, 1, []float32{0.5, 1.4, 4, 25}, 1e-7},
		// acc += (4+16)/2; w -= lr/(sqrt(acc)+1)·g
		{optim.RowWiseAdagrad{Epsilon: 1}, []float32{1, 1, 6}, 1, []float32{0.8, 1.4, 16}, 1e-7},
		// v = v/2 + g²/2; w -= lr·g/sqrt(v+1)
		{optim.RMSprop{Rho: 0.5, Epsilon: 1}, []float32{1, 1, 12, 0}, 1, []float32{1 - 1/3.0, 1 + 2/3.0, 8, 8}, 1e-7},
		// t = 1: alpha = lr·sqrt(1-¾)/(1-½) = ½; m += (g-m)/2; v += (g²-v)/4; w -= m·½/(sqrt(v)+1)
		{optim.Adam{Beta1: 0.5, Beta2: 0.75, Epsilon: 1}, []float32{1, 1, 0, 0, 0, 0}, 1,
			[]float32{0.75, 1 + 1.0/3, 1, -2, 1, 4}, 1e-7},
		// As Adam, but v̂ = max(v̂, v) divides: v̂ = 9 and 4.
		{optim.Adam{Beta1: 0.5, Beta2: 0.75, Epsilon: 1, AMSGrad: true}, []float32{1, 1, 0, 0, 0, 0, 9, 1}, 1,
			[]float32{0.875, 1 + 1.0/3, 1, -2, 1, 4, 9, 4}, 1e-7},
		// v = 8 and 8, m = m/2 + lr·g/sqrt(v+1) = 1/3+1/2 and -2/3; w -= m
		{optim.RMSprop{Rho: 0.5, Epsilon: 1, Momentum: 0.5}, []float32{1, 1, 12, 0, 1, 0}, 1,
			[]float32{1 - 5/6.0, 1 + 2/3.0, 8, 8, 5 / 6.0, -2 / 3.0}, 5e-7},
		// v = 13 and 8, a = a/2 + g/2 = 2 and -2; w -= lr·g/sqrt(v-a²) = 1/3 and -1
		{optim.RMSprop{Rho: 0.5, Centered: true, Epsilon: 1e-30}, []float32{1, 1, 22, 0, 2, 0}, 1,
			[]float32{1 - 1/3.0, 2, 13, 8, 2, -2}, 1e-7},
		// v = 8 and 8, d = 2·sqrt(8+1)/3 and -4·sqrt(0+1)/3, u = u/2 + d²/2; w -= lr·d
		{optim.Adadelta{Rho: 0.5, Epsilon: 1}, []float32{1, 1, 12, 0, 8, 0}, 1,
			[]float32{0, 1 + 2/3.0, 8, 8, 6, 8 / 9.0}, 2e-7},
		// m += (g-m)/2; u = max(u/2, |g|) = 3 and 4; w -= ½·m / (½·(u+1))
		{optim.Adamax{Beta1: 0.5, Beta2: 0.5, Epsilon: 1}, []float32{1, 1, 0, 0, 6, 1}, 1,
			[]float32{0.75, 1.4, 1, -2, 3, 4}, 1e-7},
		// t = 1: β(1) = ½·0.52 = 0.26, β(2) = ½·(1-0.4608) = 0.2696, Π(1) = 0.26,
		// Π(2) = 0.070096; m = g/2, v = g²/4; h = 0.2696·m/0.929904 + 0.74·g/0.74;
		// w -= h·½ / (sqrt(v/¼)+1)
		{optim.Nadam{Beta1: 0.5, Beta2: 0.75, Epsilon: 1}, []float32{1, 1, 0, 0, 0, 0}, 1,
			[]float32{1 - (0.2696/0.929904+2)/6, 1 + (2*0.2696/0.929904+4)/10, 1, -2, 1, 4}, 2e-7},
		// acc = 4 and 25, s = 2-0 and 5-3; z += g - s/lr·w = -2 and -8;
		// w = (clip(z, 1) - z) / (sqrt(acc)/lr + 2·1) = 1/6 and 7/12
		{optim.FTRL{LearningRatePower: -0.5, L1: 1, L2: 1}, []float32{1, 1, 0, 9, 0, 0}, 1,
			[]float32{1 / 6.0, 7 / 12.0, 4, 25, -2, -8}, 1e-7},
		// z += g + 2·½·w = 3 and -3, with a fixed rate s = 0; w = -z / (1/lr + Beta/lr)
		{optim.FTRL{L2Shrinkage: 0.5, Beta: 2}, []float32{1, 1, 0, 0, 0, 0}, 1,
			[]float32{-0.5, 0.5, 4, 16, 3, -3}, 1e-7},
		// w -= lr·sign(m/2 + g/2) with m/2 + g/2 = -1 and 0; m = m/4 + ¾·g
		{optim.Lion{Beta1: 0.5, Beta2: 0.25}, []float32{1, 1, -4, 4}, 1, []float32{1.5, 1, 0.5, -2}, 0},
		// x = 0 and 3; w = (|x| - lr) / (1 + 2·lr)
		{optim.ProximalSGD{L1: 1, L2: 2}, []float32{1, 1}, 1, []float32{0, 1.25}, 0},
		// r = lr/sqrt(4) = ¼ and lr/sqrt(25) = 0.1; x = ½ and 1.4; w = (x-r)/(1+2r)
		{optim.ProximalAdagrad{L1: 1, L2: 2}, []float32{1, 1, 0, 9}, 1, []float32{1 / 6.0, 1.3 / 1.2, 4, 25}, 2e-7},
	}
	for _, test := range tests {
		got := slices.Clone(test.row)
		test.rule.Update(optim.Block{
			Data: got, Stride: len(got), Width: 2, Rows: []uint32{0},
			Grads: []float32{2, -4}, Step: test.step, LR: 0.5,
		})
		for j := range got {
			if !near(float64(got[j]), float64(test.want[j]), test.tolerance, 0) {
				t.Errorf("%#v: %v, want %v", test.rule, got, test.want)
				break
			}
		}
	}
}

var allRules = []optim.Updater{
	optim.SGD{}, optim.SGD{Momentum: 0.9}, optim.SGD{Momentum: 0.9, Nesterov: true},
	optim.NewAdagrad(), optim.NewRowWiseAdagrad(), optim.NewRMSprop(), optim.NewAdam(),
	optim.Adam{Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-7, AMSGrad: true},
	optim.RMSprop{Rho: 0.9, Epsilon: 1e-7, Momentum: 0.5}, optim.RMSprop{Rho: 0.9, Epsilon: 1e-7, Momentum: 0.5, Centered: true},
	optim.NewAdadelta(), optim.NewAdamax(), optim.NewNadam(), optim.NewLion(),
	optim.NewFTRL(), optim.FTRL{InitialAccumulator: 0.1, LearningRatePower: -0.7, L1: 0.01, L2: 0.1, L2Shrinkage: 0.1, Beta: 1},
	optim.ProximalSGD{}, optim.ProximalSGD{L1: 0.01, L2: 0.1},
	optim.NewProximalAdagrad(), optim.ProximalAdagrad{InitialAccumulator: 0.1, L1: 0.01, L2: 0.1},
}

func randoms(n int, r *rand.Rand) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// TestBlocksOfAnySize checks that rows beyond what a kernel takes in one call
// are updated as alone, and that what lies between rows is not touched.
func TestBlocksOfAnySize(t *testing.T) {
	const width, n = 3, 2*kernel.MaxRows + 5
	r := rand.New(rand.NewPCG(1, 1))
	for _, u := range allRules {
		stride := rowWidth(u, width) + 1
		data := randoms(n*stride, r)
		for i := range data {
			data[i] = max(data[i], -data[i]) // accumulators are never negative
		}
		want, grads := slices.Clone(data), randoms(n*width, r)
		var rows []uint32
		for _, i := range r.Perm(n)[:n-1] {
			rows = append(rows, uint32(i))
		}
		for i, row := range rows {
			u.Update(optim.Block{
				Data: want, Stride: stride, Width: width, Rows: []uint32{row},
				Grads: grads[i*width:][:width], Step: 3, LR: 0.1,
			})
		}
		u.Update(optim.Block{Data: data, Stride: stride, Width: width, Rows: rows, Grads: grads, Step: 3, LR: 0.1})
		if !slices.Equal(data, want) {
			t.Errorf("%#v: rows together and alone differ", u)
		}
		u.Update(optim.Block{Stride: stride, Width: width})
	}
}

func rowWidth(u optim.Updater, width int) int {
	n := width
	for _, s := range u.Slots() {
		n += slotWidth(s, width)
	}
	return n
}

func TestSlots(t *testing.T) {
	tests := []struct {
		rule optim.Updater
		want []optim.Slot
	}{
		{optim.SGD{}, nil},
		{optim.SGD{Momentum: 0.1}, []optim.Slot{{Name: "momentum"}}},
		{optim.NewAdagrad(), []optim.Slot{{Name: "accumulator", Init: 0.1}}},
		{optim.NewRowWiseAdagrad(), []optim.Slot{{Name: "accumulator", Width: 1}}},
		{optim.NewRMSprop(), []optim.Slot{{Name: "velocity"}}},
		{optim.NewAdam(), []optim.Slot{{Name: "momentum"}, {Name: "velocity"}}},
		{optim.Adam{AMSGrad: true}, []optim.Slot{{Name: "momentum"}, {Name: "velocity"}, {Name: "velocity_hat"}}},
		{optim.RMSprop{Momentum: 0.1, Centered: true}, []optim.Slot{{Name: "velocity"}, {Name: "momentum"}, {Name: "average_gradient"}}},
		{optim.RMSprop{Centered: true}, []optim.Slot{{Name: "velocity"}, {Name: "average_gradient"}}},
		{optim.NewAdadelta(), []optim.Slot{{Name: "accumulated_grad"}, {Name: "accumulated_delta_var"}}},
		{optim.NewAdamax(), []optim.Slot{{Name: "momentum"}, {Name: "norm"}}},
		{optim.NewNadam(), []optim.Slot{{Name: "momentum"}, {Name: "velocity"}}},
		{optim.NewFTRL(), []optim.Slot{{Name: "accumulator", Init: 0.1}, {Name: "linear"}}},
		{optim.NewLion(), []optim.Slot{{Name: "momentum"}}},
		{optim.ProximalSGD{}, nil},
		{optim.NewProximalAdagrad(), []optim.Slot{{Name: "accumulator", Init: 0.1}}},
	}
	for _, test := range tests {
		if got := test.rule.Slots(); !slices.Equal(got, test.want) {
			t.Errorf("%#v: slots %v, want %v", test.rule, got, test.want)
		}
	}
}

func TestUpdateDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, u := range allRules {
		stride := rowWidth(u, 8)
		b := optim.Block{
			Data: make([]float32, 4*stride), Stride: stride, Width: 8, Rows: []uint32{0, 2},
			Grads: randoms(16, r), Step: 1, LR: 0.1,
		}
		if allocs := testing.AllocsPerRun(100, func() { u.Update(b) }); allocs != 0 {
			t.Errorf("%#v: %v allocations an update", u, allocs)
		}
	}
}

func TestValidate(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		o       optim.Optimizer
		message string
	}{
		{optim.Optimizer{Updater: optim.SGD{Momentum: 1.5}}, "momentum must be in the range [0, 1]. Received: momentum=1.5"},
		{optim.Optimizer{Updater: optim.SGD{Momentum: nan}}, "momentum must be"},
		{optim.Optimizer{Updater: optim.Adagrad{}}, "NewAdagrad fills in Keras' values"},
		{optim.Optimizer{Updater: optim.Adagrad{Epsilon: -1}}, "epsilon must be a number of 0 or more. Received: epsilon=-1"},
		{optim.Optimizer{Updater: optim.RowWiseAdagrad{}}, "NewRowWiseAdagrad"},
		{optim.Optimizer{Updater: optim.RowWiseAdagrad{InitialAccumulator: inf}}, "initial_accumulator_value must be"},
		{optim.Optimizer{Updater: optim.RMSprop{}}, "epsilon must be a positive number. Received: epsilon=0"},
		{optim.Optimizer{Updater: optim.RMSprop{Rho: 1, Epsilon: 1}}, "rho must be in the range [0, 1). Received: rho=1"},
		{optim.Optimizer{Updater: optim.RMSprop{Epsilon: 1e-50}}, "epsilon must be a positive number"},
		{optim.Optimizer{Updater: optim.Adam{}}, "NewAdam fills in Keras' values"},
		{optim.Optimizer{Updater: optim.Adam{Beta1: -0.1, Epsilon: 1}}, "beta_1 must be in the range"},
		{optim.Optimizer{Updater: optim.Adam{Beta2: 0.99999999999, Epsilon: 1}}, "beta_2 must be in the range"},
		{optim.Optimizer{WeightDecay: -1}, "weight_decay must be a number of 0 or more. Received: weight_decay=-1"},
		{optim.Optimizer{AccumulationSteps: 1}, "gradient_accumulation_steps must be an integer of 2 or more, or 0 for none. Received: gradient_accumulation_steps=1"},
		{optim.Optimizer{EMA: &optim.EMA{Momentum: 1.1}}, "ema_momentum must be in the range [0, 1]. Received: ema_momentum=1.1"},
		{optim.Optimizer{EMA: &optim.EMA{Momentum: nan}}, "ema_momentum must be"},
		{optim.Optimizer{EMA: &optim.EMA{OverwriteEvery: -1}}, "ema_overwrite_frequency must be an integer of 1 or more, or 0 for never. Received: ema_overwrite_frequency=-1"},
		{optim.Optimizer{Updater: optim.RMSprop{Momentum: 2, Epsilon: 1}}, "momentum must be in the range [0, 1]. Received: momentum=2"},
		{optim.Optimizer{Updater: optim.Adadelta{Rho: 0.9}}, "epsilon must be a positive number"},
		{optim.Optimizer{Updater: optim.Adadelta{Rho: 1, Epsilon: 1}}, "rho must be in the range"},
		{optim.Optimizer{Updater: optim.Adamax{}}, "epsilon must be a positive number"},
		{optim.Optimizer{Updater: optim.Adamax{Beta1: 1, Epsilon: 1}}, "beta_1 must be in the range"},
		{optim.Optimizer{Updater: optim.Nadam{Beta2: 1, Epsilon: 1}}, "beta_2 must be in the range"},
		{optim.Optimizer{Updater: optim.Lion{Beta2: 0.9}}, "beta_1 must be in the range (0, 1]"},
		{optim.Optimizer{Updater: optim.Lion{Beta1: 1, Beta2: 1}}, "beta_2 must be in the range"},
		{optim.Optimizer{Updater: optim.FTRL{LearningRatePower: 0.1}}, "learning_rate_power must be a number of 0 or less. Received: learning_rate_power=0.1"},
		{optim.Optimizer{Updater: optim.FTRL{L1: -1}}, "l1_regularization_strength must be"},
		{optim.Optimizer{Updater: optim.FTRL{L2: -1}}, "l2_regularization_strength must be"},
		{optim.Optimizer{Updater: optim.FTRL{L2Shrinkage: -1}}, "l2_shrinkage_regularization_strength must be"},
		{optim.Optimizer{Updater: optim.FTRL{Beta: -1}}, "beta must be"},
		{optim.Optimizer{Updater: optim.FTRL{InitialAccumulator: inf}}, "initial_accumulator_value must be"},
		{optim.Optimizer{Updater: optim.ProximalSGD{L1: -1}}, "l1_regularization_strength must be"},
		{optim.Optimizer{Updater: optim.ProximalAdagrad{L2: 1}}, "initial_accumulator_value must be a positive number"},
		{optim.Optimizer{Updater: optim.ProximalAdagrad{InitialAccumulator: 1, L2: nan}}, "l2_regularization_strength must be"},
		{optim.Optimizer{Rate: optim.Constant(-1)}, "learning_rate must be a number of 0 or more. Received: learning_rate=-1"},
		{optim.Optimizer{Rate: optim.Constant(nan)}, "learning_rate must be"},
		{optim.Optimizer{Rate: optim.CosineDecay{Initial: 1e39, DecaySteps: 1}}, "initial_learning_rate must be"},
		{optim.Optimizer{Rate: optim.ExponentialDecay{Initial: 1}}, "decay_steps must be > 0. Received: decay_steps=0"},
		{optim.Optimizer{Rate: optim.ExponentialDecay{Initial: 1, DecaySteps: 1, DecayRate: -1}}, "decay_rate"},
		{optim.Optimizer{Rate: optim.InverseTimeDecay{Initial: -1, DecaySteps: 1}}, "initial_learning_rate"},
		{optim.Optimizer{Rate: optim.PolynomialDecay{DecaySteps: -1}}, "decay_steps"},
		{optim.Optimizer{Rate: optim.PolynomialDecay{DecaySteps: 1, Power: -1}}, "power"},
		{optim.Optimizer{Rate: optim.PiecewiseConstant{}}, "the length of boundaries must be 1 less"},
		{optim.Optimizer{Rate: optim.PiecewiseConstant{Boundaries: []int64{2, 2}, Values: []float64{1, 1, 1}}}, "strictly increasing"},
		{optim.Optimizer{Rate: optim.PiecewiseConstant{Values: []float64{nan}}}, "values must be"},
		{optim.Optimizer{Rate: optim.CosineDecay{}}, "decay_steps"},
		{optim.Optimizer{Rate: optim.CosineDecay{DecaySteps: 1, WarmupSteps: -1}}, "warmup_steps"},
		{optim.Optimizer{Clip: optim.Clip{Norm: -1}}, "clipnorm must be a number of 0 or more. Received: clipnorm=-1"},
		{optim.Optimizer{Clip: optim.Clip{Value: 1, GlobalNorm: 2}}, "only one of clipvalue, clipnorm and global_clipnorm can be set. Received: clipvalue=1, clipnorm=0, global_clipnorm=2"},
		{optim.Optimizer{Updater: foreign{}}, "a learning rate is needed: rule Foreign has no default"},
		{optim.Optimizer{Updater: averaging{}, Rate: optim.Constant(1), EMA: optim.NewEMA()}, `rule Foreign keeps a slot "average" of its own`},
	}
	for _, test := range tests {
		checkError(t, test.o.Validate(), test.message)
	}
	for _, u := range allRules {
		if err := (&optim.Optimizer{Updater: u}).Validate(); err != nil {
			t.Errorf("%#v: %v", u, err)
		}
	}
}

// foreign is a rule of another package.
type foreign struct{ optim.Updater }

func (foreign) Name() string { return "Foreign" }

// averaging is one that keeps averages by itself.
type averaging struct{ foreign }

func (averaging) Slots() []optim.Slot { return []optim.Slot{{Name: optim.AverageSlot}} }

// checkError checks that err wraps ErrConfig and contains message.
func checkError(t *testing.T, err error, message string) {
	t.Helper()
	if !errors.Is(err, optim.ErrConfig) || !strings.Contains(err.Error(), message) {
		t.Errorf("error %v, want one with %q", err, message)
	}
}

func TestWithDefaults(t *testing.T) {
	var none *optim.Optimizer
	if o := none.WithDefaults(); o.Updater != optim.NewAdam() || o.Rate != optim.Constant(0.001) {
		t.Errorf("nil gives %#v", o)
	}
	if err := none.Validate(); err != nil {
		t.Errorf("nil: %v", err)
	}
	given := &optim.Optimizer{Updater: optim.SGD{}, Exact: true}
	full := given.WithDefaults()
	if full.Rate != optim.Constant(0.01) || !full.Exact || given.Rate != nil {
		t.Errorf("SGD gives %#v; the original became %#v", full, given)
	}
}

func BenchmarkUpdate(b *testing.B) {
	const n, width = 2048, 64
	r := rand.New(rand.NewPCG(1, 1))
	names := []string{
		"sgd", "momentum", "nesterov", "adagrad", "row-wise", "rmsprop", "adam", "amsgrad",
		"rmsprop-momentum", "rmsprop-centered", "adadelta", "adamax", "nadam", "lion", "ftrl", "ftrl-penalties",
		"proximal-sgd", "proximal-sgd-penalties", "proximal-adagrad", "proximal-adagrad-penalties",
	}
	for i, u := range allRules {
		stride := rowWidth(u, width)
		block := optim.Block{
			Data: make([]float32, n*stride), Stride: stride, Width: width,
			Grads: randoms(n*width, r), Step: 10, LR: 0.01,
		}
		for i := range n {
			block.Rows = append(block.Rows, uint32(i))
		}
		b.Run(fmt.Sprintf("impl=%s/dim=%d", names[i], width), func(b *testing.B) {
			for b.Loop() {
				u.Update(block)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}
