package layer_test

import (
	"context"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// TestLossWeightsAndMasks: sample weights multiply and do not count; masked
// entries do neither.
func TestLossWeightsAndMasks(t *testing.T) {
	s := layer.NewScope(1)
	in := idInput(t, s, 2)
	out := apply(t, newEmbedding(t, 4, 1, layer.EmbeddingOptions{MaskZero: true, Options: layer.Options{Weights: [][]float32{{0, 1, 2, 3}}}}), in)
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{in}, []*layer.Tensor{out}))
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Losses: []loss.Func{loss.MeanSquaredError}, LossWeights: []float32{10}, SampleWeights: true}))
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
	d := newDense(t, 1, layer.DenseOptions{Options: layer.Options{Frozen: true}, NoBias: true, Kernel: layer.WeightOptions{Initializer: initializer.Constant{Value: 2}, Regularizer: regularizer.L2(1)}})
	if out := run(t, d, vector(t, []int{1, 1}, 1)); !slices.Equal(out.Losses, []float32{4}) {
		t.Errorf("losses of a frozen layer = %v, want [4]", out.Losses)
	}
}
