package layer_test

import (
	"context"
	"math"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// floats returns an array of numbers that are neither round nor equal.
func floats(t testing.TB, shape ...int) layer.Value {
	t.Helper()
	n := 1
	for _, d := range shape {
		n *= d
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(math.Sin(float64(i)*1.7 + 0.3))
	}
	return layer.Value{Floats: must[*tensor.Values](t)(tensor.NewValues(data, shape...))}
}

// shifted returns other numbers than those of floats, of the same shape.
func shifted(v layer.Value) layer.Value {
	for i, x := range v.Floats.Data() {
		v.Floats.Data()[i] = 0.6*x + float32(0.3*math.Cos(float64(i)))
	}
	return v
}

func masked(v layer.Value, mask ...bool) layer.Value {
	v.Mask = mask
	return v
}

func ids(t testing.TB, shape []int, values ...int64) layer.Value {
	t.Helper()
	return layer.Value{IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense(values, shape...))}
}

func input(t testing.TB, s *layer.Scope, shape ...int) *layer.Tensor {
	t.Helper()
	return must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: s, Shape: shape}))
}

func idInput(t testing.TB, s *layer.Scope, shape ...int) *layer.Tensor {
	t.Helper()
	return must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: s, Shape: shape, IDs: true}))
}

func run(t testing.TB, l layer.Layer, in ...layer.Value) *layer.Output {
	t.Helper()
	return must[*layer.Output](t)(layer.Of(l).Run(context.Background(), layer.Args{}, in...))
}

func newDense(t testing.TB, units int, o layer.DenseOptions) *layer.Dense {
	t.Helper()
	return must[*layer.Dense](t)(layer.NewDense(units, o))
}

func newEmbedding(t testing.TB, in, out int, o layer.EmbeddingOptions) *layer.Embedding {
	t.Helper()
	return must[*layer.Embedding](t)(layer.NewEmbedding(in, out, o))
}

func newBatchNormalization(t testing.TB, o layer.BatchNormalizationOptions) *layer.BatchNormalization {
	t.Helper()
	return must[*layer.BatchNormalization](t)(layer.NewBatchNormalization(o))
}

func newLayerNormalization(t testing.TB, o layer.LayerNormalizationOptions) *layer.LayerNormalization {
	t.Helper()
	return must[*layer.LayerNormalization](t)(layer.NewLayerNormalization(o))
}

func newFeatureCross(t testing.TB, o layer.FeatureCrossOptions) *layer.FeatureCross {
	t.Helper()
	return must[*layer.FeatureCross](t)(layer.NewFeatureCross(o))
}
