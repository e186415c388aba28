package layer_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
)

func TestLosses(t *testing.T) {
	for _, c := range []struct {
		name              string
		truth, prediction []float32
		want              float64
	}{
		{"mse", []float32{1, 0, 3}, []float32{1, 2, 1}, 8.0 / 3},
		{"mae", []float32{1, 0, 3}, []float32{1, 2, 1}, 4.0 / 3},
		{"binary_crossentropy", []float32{1, 0, 1}, []float32{0.9, 0.2, 0}, -(math.Log(0.9) + math.Log(0.8) + math.Log(1e-7)) / 3},
		{"binary_crossentropy_from_logits", []float32{1, 0, 1}, []float32{0, 2, -200}, (math.Ln2 + math.Log1p(math.Exp(2)) + 200) / 3},
		{"categorical_crossentropy", []float32{0, 1, 0}, []float32{1, 2, 1}, -math.Log(0.5)},
	} {
		l := must[layer.Loss](t)(layer.LossByName(c.name))
		got := evaluateLoss(t, l, []int{1, 3}, c.truth, []int{1, 3}, c.prediction)
		if math.Abs(float64(got)-c.want) > 1e-5*(1+c.want) {
			t.Errorf("%s = %v, want %v", c.name, got, c.want)
		}
	}
	got := evaluateLoss(t, layer.SparseCategoricalCrossentropy, []int{2}, []float32{1, 0}, []int{2, 2}, []float32{0.5, 0.5, 0.25, 0.75})
	if want := (math.Log(2) + math.Log(4)) / 2; math.Abs(float64(got)-want) > 1e-5 {
		t.Errorf("sparse categorical = %v, want %v", got, want)
	}
	nan := float32(math.NaN())
	if got := evaluateLoss(t, layer.SparseCategoricalCrossentropy, []int{2}, []float32{1, nan}, []int{2, 2}, []float32{0.5, 0.5, 0.25, 0.75}); got == got {
		t.Errorf("sparse categorical of a NaN label = %v, want NaN", got)
	}
	if _, err := layer.LossByName("hinge?"); err == nil || !strings.Contains(err.Error(), "mse") {
		t.Errorf("unknown loss: %v", err)
	}
}

func evaluateLoss(t *testing.T, l layer.Loss, truthShape []int, truth []float32, shape []int, prediction []float32) float32 {
	t.Helper()
	in := input(t, layer.NewScope(1), shape[1:]...)
	out := apply(t, must[*layer.Activation](t)(layer.NewActivation("linear", layer.Options{})), in)
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{in}, []*layer.Tensor{out}))
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Losses: []layer.Loss{l}}))
	r, err := q.Run(dense.Args{Inputs: []dense.Array{dense.Floats(prediction, shape...), dense.Floats(truth, truthShape...)}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Loss
}

// TestLossWeightsAndMasks: sample weights multiply and do not count; masked
// entries do neither.
func TestLossWeightsAndMasks(t *testing.T) {
	s := layer.NewScope(1)
	in := idInput(t, s, 2)
	out := apply(t, newEmbedding(t, 4, 1, layer.EmbeddingOptions{MaskZero: true, Options: layer.Options{Weights: [][]float32{{0, 1, 2, 3}}}}), in)
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{in}, []*layer.Tensor{out}))
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Losses: []layer.Loss{layer.MeanSquaredError}, LossWeights: []float32{10}, SampleWeights: true}))
	arrays, err := p.NewHostStage().Lookup(context.Background(), false, ids(t, []int{2, 2}, 1, 0, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	truth := dense.Floats(make([]float32, 4), 2, 2, 1)
	r, err := q.Run(args(q, arrays, truth, dense.Floats([]float32{1, 0.5}, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if want := float32(1+0.5*4+0.5*9) / 3; !near([]float32{r.Loss / 10, r.Outputs[1].Float[0]}, []float32{want, want}) {
		t.Errorf("loss = %v and %v, want ten times %v, and it", r.Loss, r.Outputs[1].Float, want)
	}
}

// TestFrozenPenaltiesCount, as in Keras 2.
func TestFrozenPenaltiesCount(t *testing.T) {
	d := newDense(t, 1, layer.DenseOptions{Options: layer.Options{Frozen: true}, NoBias: true, Kernel: layer.WeightOptions{Initializer: initializer.Constant{Value: 2}, Regularizer: layer.L2(1)}})
	if out := run(t, d, vector(t, []int{1, 1}, 1)); !slices.Equal(out.Losses, []float32{4}) {
		t.Errorf("losses of a frozen layer = %v, want [4]", out.Losses)
	}
}
