package layer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
)

// TestMatrixInitializersOfLayers: Orthogonal and Identity by value and by name,
// of an embedding and of a dense weight.
func TestMatrixInitializersOfLayers(t *testing.T) {
	e := newEmbedding(t, 3, 2, layer.EmbeddingOptions{Initializer: initializer.Identity{Gain: 3}})
	run(t, e, ids(t, []int{1}, 0))
	if w := must[[][]float32](t)(e.GetWeights(context.Background()))[0]; !slices.Equal(w, []float32{3, 0, 0, 3, 0, 0}) {
		t.Errorf("embeddings start as %v, want three times the identity", w)
	}
	l := must[layer.Layer](t)(layer.FromConfig("Dense", layer.Config{"units": 4, "kernel_initializer": "orthogonal"}))
	run(t, l, floats(t, 1, 4))
	w := layer.Of(l).Variables()[0].Value()
	for r := range 4 {
		product := 0.0
		for i := range 4 {
			product += float64(w[i]) * float64(w[4*r+i])
		}
		if want := map[bool]float64{true: 1}[r == 0]; math.Abs(product-want) > 1e-6 {
			t.Errorf("the product of rows 0 and %d of an orthogonal kernel is %v, want %v", r, product, want)
		}
	}
}

func TestWeightsThatCannotStart(t *testing.T) {
	l := newDense(t, 2, layer.DenseOptions{Bias: layer.WeightOptions{Initializer: initializer.NewOrthogonal()}})
	_, err := l.Run(context.Background(), layer.Args{}, floats(t, 1, 3))
	if !errors.Is(err, layer.ErrArgument) || !errors.Is(err, initializer.ErrConfig) || !strings.Contains(err.Error(), `weight "bias"`) {
		t.Errorf("an orthogonal vector: %v", err)
	}
	d := newDynamic(t, 2, layer.DynamicOptions{Initializer: initializer.NewIdentity()})
	if _, err := d.Run(context.Background(), layer.Args{}, ids(t, []int{1}, 0)); err == nil || !strings.Contains(err.Error(), "Identity needs the whole matrix") {
		t.Errorf("a dynamic table of Identity: %v", err)
	}
}
