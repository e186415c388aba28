package optim_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/rowan-embeddings/rowan/optim"
)

func ExampleOptimizer_Config() {
	o := &optim.Optimizer{
		Updater: optim.SGD{Momentum: 0.9},
		Rate:    optim.PolynomialDecay{Initial: 0.1, DecaySteps: 1000},
		Clip:    optim.Clip{Norm: 1},
	}
	c, err := o.Config()
	if err != nil {
		fmt.Println(err)
	}
	text, _ := json.MarshalIndent(c, "", "  ")
	fmt.Println(string(text))
	// Output:
	// {
	//   "module": "keras.optimizers",
	//   "class_name": "SGD",
	//   "config": {
	//     "clipnorm": 1.0,
	//     "learning_rate": {
	//       "class_name": "PolynomialDecay",
	//       "config": {
	//         "decay_steps": 1000,
	//         "end_learning_rate": 0.0,
	//         "initial_learning_rate": 0.1,
	//         "power": 1.0
	//       },
	//       "module": "keras.optimizers.schedules"
	//     },
	//     "momentum": 0.9,
	//     "nesterov": false
	//   }
	// }
}

func ExampleByName() {
	_, err := optim.ByName("adamm")
	fmt.Println(err)
	// Output:
	// optim: bad configuration: unknown optimizer "adamm". Known: adadelta, adagrad, adam, adamax, adamw, ftrl, lion, nadam, proximal_adagrad, proximal_gradient_descent, rmsprop, row_wise_adagrad, sgd
}

func TestByName(t *testing.T) {
	tests := []struct {
		name string
		want optim.Updater
		rate optim.Constant
	}{
		{"sgd", optim.SGD{}, 0.01}, {"SGD", optim.SGD{}, 0.01},
		{"adagrad", optim.Adagrad{InitialAccumulator: 0.1, Epsilon: 1e-7}, 0.001},
		{"rowwise_adagrad", optim.RowWiseAdagrad{Epsilon: 1e-8}, 0.01}, {"RowWiseAdagrad", optim.RowWiseAdagrad{Epsilon: 1e-8}, 0.01},
		{"rmsprop", optim.RMSprop{Rho: 0.9, Epsilon: 1e-7}, 0.001}, {"RMSprop", optim.NewRMSprop(), 0.001},
		{"Adam", optim.Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, 0.001}, {"adamw", optim.NewAdam(), 0.001},
		{"adadelta", optim.Adadelta{Rho: 0.95, Epsilon: 1e-7}, 0.001}, {"Adamax", optim.NewAdamax(), 0.001},
		{"nadam", optim.NewNadam(), 0.001}, {"Ftrl", optim.NewFTRL(), 0.001}, {"FTRL", optim.NewFTRL(), 0.001},
		{"lion", optim.Lion{Beta1: 0.9, Beta2: 0.99}, 0.001},
		{"ProximalGradientDescent", optim.ProximalSGD{}, 0.001}, {"proximal_adagrad", optim.NewProximalAdagrad(), 0.001},
	}
	for _, test := range tests {
		got, err := optim.ByName(test.name)
		if err != nil || got.Updater != test.want || got.Rate != test.rate || (got.WeightDecay != 0) != (test.name == "adamw") {
			t.Errorf("ByName(%q) = %#v, %v, want %#v at %v", test.name, got, err, test.want, test.rate)
		}
	}
	for _, name := range optim.Names() {
		o, err := optim.ByName(name)
		if err != nil || o.Validate() != nil {
			t.Errorf("ByName(%q) = %#v, %v", name, o, err)
		}
	}
	o, err := optim.ByName("AdamW")
	if err != nil || o.WeightDecay != 0.004 {
		t.Errorf("AdamW: %#v, %v", o, err)
	}
	o, err = optim.ByName("")
	checkError(t, err, `unknown optimizer ""`)
	if o != nil {
		t.Errorf("an unknown name gives %#v", o)
	}
}

func TestConfigComesBack(t *testing.T) {
	schedules := []optim.Schedule{
		optim.Constant(0.1),
		optim.ExponentialDecay{Initial: 0.1, DecaySteps: 10, DecayRate: 0.96, Staircase: true},
		optim.InverseTimeDecay{Initial: 0.1, DecaySteps: 10, DecayRate: 2},
		optim.PolynomialDecay{Initial: 0.1, DecaySteps: 10, End: 0, Power: 2},
		optim.PiecewiseConstant{Boundaries: []int64{3, 5}, Values: []float64{0.1, 0.2, 0.3}},
		optim.CosineDecay{Initial: 0.1, DecaySteps: 10, Alpha: 0.1},
		optim.CosineDecay{Initial: 0, DecaySteps: 10, WarmupTarget: 0.3, WarmupSteps: 4},
	}
	clips := []optim.Clip{{}, {Value: 0.1}, {Norm: 0.2}, {GlobalNorm: 0.3}}
	averages := []*optim.EMA{nil, {Momentum: 0}, {Momentum: 0.9, OverwriteEvery: 7}}
	rules := append([]optim.Updater{
		optim.Lion{Beta1: 1}, optim.FTRL{L1: 1, L2: 2, L2Shrinkage: 3, Beta: 4, LearningRatePower: -1},
		optim.Adagrad{Epsilon: 1e-3}, optim.RMSprop{Epsilon: 1}, optim.Adam{Epsilon: 1}, optim.SGD{Momentum: 1},
	}, allRules...)
	for i, rule := range rules {
		for j, rate := range schedules {
			o := &optim.Optimizer{Updater: rule, Rate: rate, Clip: clips[(i+j)%4], Exact: (i+j)%3 == 0}
			if (i+j)%5 == 0 {
				o.WeightDecay = 0.02
			}
			o.EMA = averages[(i+j)%3]
			o.AccumulationSteps = []int{0, 2, 0, 5}[(i+j)%4]
			checkComesBack(t, o)
		}
	}
	checkComesBack(t, (*optim.Optimizer)(nil).WithDefaults())
}

// checkComesBack sends o through its config, and that through JSON.
func checkComesBack(t *testing.T, o *optim.Optimizer) {
	t.Helper()
	c, err := o.Config()
	if err != nil {
		t.Fatalf("%+v: %v", o, err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatalf("%+v: %v", o, err)
	}
	var back optim.Config
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, config := range []optim.Config{c, back} {
		if got, err := optim.FromConfig(config); err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("%s: %#v, %v, want %#v", text, got, err, o)
		}
	}
}

// TestKerasConfigs reads what Keras writes, defaults left out and all.
func TestKerasConfigs(t *testing.T) {
	tests := []struct {
		text string
		want optim.Optimizer
	}{
		{`{"class_name": "Adam"}`, optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.001)}},
		{`{"class_name": "AdamW", "config": {}}`, optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.001), WeightDecay: 0.004}},
		{`{"class_name": "AdamW", "config": {"weight_decay": null}}`, optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.001)}},
		{`{"class_name": "AdamW", "config": {"weight_decay": 0.1}}`,
			optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.001), WeightDecay: 0.1}},
		{`{"class_name": "SGD", "config": {"use_ema": true, "ema_momentum": null, "ema_overwrite_frequency": null, "weight_decay": 0.1}}`,
			optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.01), WeightDecay: 0.1, EMA: &optim.EMA{Momentum: 0.99}}},
		{`{"class_name": "SGD", "config": {"gradient_accumulation_steps": 4}}`,
			optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.01), AccumulationSteps: 4}},
		{`{"class_name": "SGD", "config": {"use_ema": true, "ema_momentum": 0.5, "ema_overwrite_frequency": 10}}`,
			optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.01), EMA: &optim.EMA{Momentum: 0.5, OverwriteEvery: 10}}},
		{`{"class_name": "SGD", "config": {"use_ema": false, "ema_momentum": 0.5, "ema_overwrite_frequency": 10}}`,
			optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.01)}},
		{`{"class_name": "Ftrl", "config": {"learning_rate": 0.1, "learning_rate_power": -0.6, "initial_accumulator_value": 0.2,
			"l1_regularization_strength": 1.0, "l2_regularization_strength": 2.0, "l2_shrinkage_regularization_strength": 3.0, "beta": 4.0}}`,
			optim.Optimizer{Updater: optim.FTRL{LearningRatePower: -0.6, InitialAccumulator: 0.2, L1: 1, L2: 2, L2Shrinkage: 3, Beta: 4}, Rate: optim.Constant(0.1)}},
		{`{"class_name": "rowwise_adagrad", "config": {"learning_rate": 0.5}}`,
			optim.Optimizer{Updater: optim.NewRowWiseAdagrad(), Rate: optim.Constant(0.5)}},
		{`{"module": "keras.optimizers", "class_name": "RMSprop", "config": {"name": "rmsprop",
			"learning_rate": 0.01, "weight_decay": null, "clipnorm": null, "global_clipnorm": null, "clipvalue": 0.5,
			"use_ema": false, "ema_momentum": 0.99, "ema_overwrite_frequency": null, "loss_scale_factor": null,
			"gradient_accumulation_steps": null, "rho": 0.8, "momentum": 0.0, "epsilon": 1e-07, "centered": false},
			"registered_name": null}`,
			optim.Optimizer{Updater: optim.RMSprop{Rho: 0.8, Epsilon: 1e-7}, Rate: optim.Constant(0.01), Clip: optim.Clip{Value: 0.5}}},
		{`{"class_name": "SGD", "config": {"learning_rate": {"module": "keras.optimizers.schedules",
			"class_name": "PolynomialDecay", "registered_name": null,
			"config": {"initial_learning_rate": 0.1, "decay_steps": 5, "cycle": false, "name": "PolynomialDecay"}}}}`,
			optim.Optimizer{Updater: optim.SGD{}, Rate: optim.PolynomialDecay{Initial: 0.1, DecaySteps: 5, End: 0.0001, Power: 1}}},
		{`{"class_name": "SGD", "config": {"learning_rate": {"class_name": "CosineDecay",
			"config": {"initial_learning_rate": 0.1, "decay_steps": 5, "alpha": 0.0, "warmup_target": null, "warmup_steps": 0}}}}`,
			optim.Optimizer{Updater: optim.SGD{}, Rate: optim.CosineDecay{Initial: 0.1, DecaySteps: 5}}},
	}
	for _, test := range tests {
		var c optim.Config
		if err := json.Unmarshal([]byte(test.text), &c); err != nil {
			t.Fatal(err)
		}
		if got, err := optim.FromConfig(c); err != nil || !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%s: %+v, %v, want %+v", test.text, got, err, test.want)
		}
	}
}

func TestBadConfigs(t *testing.T) {
	schedule := func(class string, args map[string]any) map[string]any {
		return map[string]any{"learning_rate": optim.Config{ClassName: class, Config: args}}
	}
	tests := []struct {
		class   string
		args    map[string]any
		message string
	}{
		{"Lamb", nil, `unknown optimizer "Lamb"`},
		{"Adam", map[string]any{"beta1": 0.9}, `Adam: unknown argument "beta1"; did you mean "beta_1"? (known: beta_1, beta_2, epsilon, amsgrad, learning_rate,`},
		{"Adam", map[string]any{"zeta": 1, "alpha": 1, "eta": 1, "rho": 1}, `unknown argument "alpha"`},
		{"Adam", map[string]any{"beta_1": "x"}, "beta_1"},
		{"Adam", map[string]any{"beta_1": 2}, "beta_1 must be in the range"},
		{"Adam", map[string]any{"loss_scale_factor": 2.0}, "loss_scale_factor is not supported here. Received: loss_scale_factor=2"},
		{"SGD", map[string]any{"decay": 0.1}, "decay is not supported here"},
		{"RMSprop", map[string]any{"momentum": 1.5}, "momentum must be in the range"},
		{"SGD", map[string]any{"weight_decay": -0.1}, "weight_decay must be"},
		{"SGD", map[string]any{"use_ema": true, "ema_momentum": 2}, "ema_momentum must be"},
		{"SGD", map[string]any{"use_ema": true, "ema_overwrite_frequency": -2}, "ema_overwrite_frequency must be"},
		{"SGD", map[string]any{"gradient_accumulation_steps": 1}, "gradient_accumulation_steps must be"},
		{"Adagrad", map[string]any{"momentum": 0.5}, `Adagrad: unknown argument "momentum"`},
		{"SGD", map[string]any{"clipnorm": -1}, "clipnorm must be"},
		{"SGD", map[string]any{"clipnorm": "a"}, "clipnorm"},
		{"SGD", map[string]any{"clipnorm": 1, "clipvalue": 1}, "only one of"},
		{"SGD", map[string]any{"learning_rate": "fast"}, `learning_rate must be a number or the config of a schedule. Received: "fast"`},
		{"SGD", map[string]any{"learning_rate": -0.1}, "learning_rate must be"},
		{"SGD", map[string]any{"exact": func() {}}, "SGD"},
		{"SGD", schedule("Warmup", nil), `unknown schedule "Warmup". Known: ExponentialDecay, InverseTimeDecay, PolynomialDecay, PiecewiseConstantDecay, CosineDecay`},
		{"SGD", schedule("ExponentialDecay", map[string]any{"decay_steps": 0}), "decay_steps must be > 0"},
		{"SGD", schedule("ExponentialDecay", map[string]any{"steps": 1}), `ExponentialDecay: unknown argument "steps" (known: initial_learning_rate, decay_steps,`},
		{"SGD", schedule("PolynomialDecay", map[string]any{"decay_steps": 1, "cycle": true}), `unknown argument "cycle"`},
	}
	for _, test := range tests {
		_, err := optim.FromConfig(optim.Config{ClassName: test.class, Config: test.args})
		checkError(t, err, test.message)
	}
}

func TestForeignTypesHaveNoConfig(t *testing.T) {
	_, err := (&optim.Optimizer{Updater: foreign{}, Rate: optim.Constant(1)}).Config()
	checkError(t, err, "rule optim_test.foreign has no config")
	_, err = (&optim.Optimizer{Rate: growing{}}).Config()
	checkError(t, err, "schedule optim_test.growing has no config")
}

// TestSchedulesAtTheirEdges checks the first steps, the last and later ones,
// which the recorded runs do not reach.
func TestSchedulesAtTheirEdges(t *testing.T) {
	warm := optim.CosineDecay{Initial: 1, DecaySteps: 4, Alpha: 0.5, WarmupTarget: 3, WarmupSteps: 2}
	pieces := optim.PiecewiseConstant{Boundaries: []int64{1, 3}, Values: []float64{3, 2, 1}}
	tests := []struct {
		s    optim.Schedule
		step int64
		want float64
	}{
		{optim.Constant(0.5), 1, 0.5}, {optim.Constant(0.5), 1e15, 0.5},
		{optim.ExponentialDecay{Initial: 2, DecaySteps: 2, DecayRate: 0.25}, 1, 2},
		{optim.ExponentialDecay{Initial: 2, DecaySteps: 2, DecayRate: 0.25}, 2, 1},
		{optim.ExponentialDecay{Initial: 2, DecaySteps: 2, DecayRate: 0.25, Staircase: true}, 2, 2},
		{optim.ExponentialDecay{Initial: 2, DecaySteps: 2, DecayRate: 0.25, Staircase: true}, 3, 0.5},
		{optim.ExponentialDecay{Initial: 2, DecaySteps: 2, DecayRate: 0.25}, 1e15, 0},
		{optim.InverseTimeDecay{Initial: 1, DecaySteps: 1, DecayRate: 1}, 4, 0.25},
		{optim.InverseTimeDecay{Initial: 1, DecaySteps: 2, DecayRate: 1, Staircase: true}, 4, 0.5},
		{optim.PolynomialDecay{Initial: 1, DecaySteps: 4}, 1, 1},
		{optim.PolynomialDecay{Initial: 1, DecaySteps: 4}, 2, 0.75},
		{optim.PolynomialDecay{Initial: 1, DecaySteps: 4}, 5, 0},
		{optim.PolynomialDecay{Initial: 1, DecaySteps: 4, End: 0.25, Power: 2}, 99, 0.25},
		{optim.PolynomialDecay{Initial: 1, DecaySteps: 4, Power: 2}, 3, 0.25},
		{pieces, 1, 3}, {pieces, 2, 3}, {pieces, 3, 2}, {pieces, 4, 2}, {pieces, 5, 1}, {pieces, 99, 1},
		{optim.CosineDecay{Initial: 1, DecaySteps: 4}, 1, 1},
		{optim.CosineDecay{Initial: 1, DecaySteps: 4}, 3, 0.5},
		{optim.CosineDecay{Initial: 1, DecaySteps: 4, Alpha: 0.5}, 100, 0.5},
		{optim.CosineDecay{Initial: 1, DecaySteps: 4, WarmupSteps: 3}, 3, 0.5}, // no target: no warm-up
		{warm, 1, 1}, {warm, 2, 2}, {warm, 3, 3}, {warm, 5, 2.25}, {warm, 7, 1.5}, {warm, 1000, 1.5},
	}
	for _, test := range tests {
		if got := test.s.At(test.step); math.Abs(float64(got)-test.want) > 1e-6*test.want {
			t.Errorf("%#v at step %d: %v, want %v", test.s, test.step, got, test.want)
		}
	}
}
