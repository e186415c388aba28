package optim_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowan-embeddings/rowan/optim"
)

var writeConfigs = flag.Bool("write-configs", false, "write testdata/configs/rowan-optimizers.json anew; interop/check.sh loads it")

// forKeras are optimizers of all rules and schedules that Keras has.
func forKeras() []*optim.Optimizer {
	adagrad, adam := optim.NewAdagrad(), optim.NewAdam()
	adam.AMSGrad = true
	return []*optim.Optimizer{
		{Updater: optim.SGD{}},
		{Updater: optim.SGD{Momentum: 0.5, Nesterov: true}, Rate: optim.ExponentialDecay{Initial: 0.5, DecaySteps: 10, DecayRate: 0.25, Staircase: true}},
		{Updater: adagrad, Rate: optim.InverseTimeDecay{Initial: 0.5, DecaySteps: 10, DecayRate: 0.25}, Clip: optim.Clip{Norm: 0.5}},
		{Updater: optim.RMSprop{Rho: 0.75, Momentum: 0.5, Epsilon: 0.25, Centered: true}, Rate: optim.PolynomialDecay{Initial: 0.5, DecaySteps: 10, End: 0.25, Power: 2}},
		{Updater: optim.NewAdadelta(), Rate: optim.PiecewiseConstant{Boundaries: []int64{3, 5}, Values: []float64{0.5, 0.25, 0.125}}},
		{Updater: optim.NewAdam(), Rate: optim.CosineDecay{Initial: 0.25, DecaySteps: 10, Alpha: 0.5, WarmupTarget: 0.5, WarmupSteps: 4}, Clip: optim.Clip{GlobalNorm: 2}},
		{Updater: adam, WeightDecay: 0.25, EMA: &optim.EMA{Momentum: 0.5, OverwriteEvery: 7}},
		{Updater: optim.NewAdamax(), AccumulationSteps: 4},
		{Updater: optim.NewNadam(), Clip: optim.Clip{Value: 0.5}},
		{Updater: optim.FTRL{LearningRatePower: -0.75, InitialAccumulator: 0.25, L1: 1, L2: 2, L2Shrinkage: 3, Beta: 4}},
		{Updater: optim.NewLion()},
	}
}

// TestConfigsForKeras compares what Rowan writes with the file that real Keras
// loads in interop/check.sh.
func TestConfigsForKeras(t *testing.T) {
	var all []optim.Config
	for _, o := range forKeras() {
		c, err := o.Config()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	file := filepath.Join("testdata", "configs", "rowan-optimizers.json")
	if *writeConfigs {
		if err := os.WriteFile(file, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(text, want) {
		t.Errorf("%s: %v, or it is not what is written now (go test ./optim -write-configs)", file, err)
	}
}
