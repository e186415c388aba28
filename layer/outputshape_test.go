package layer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func TestComputeOutputShape(t *testing.T) {
	for _, c := range []struct {
		name  string
		layer layer.Layer
		in    []layer.Shape
		want  string
		built int // weights
	}{
		{"dense", newDense(t, 5, layer.DenseOptions{}), []layer.Shape{{-1, 4}}, "(None, 5)", 2},
		{"free dimensions", newDense(t, 5, layer.DenseOptions{}), []layer.Shape{{-1, -1, 4}}, "(None, None, 5)", 2},
		{"known batch", newDense(t, 5, layer.DenseOptions{}), []layer.Shape{{32, 4}}, "(32, 5)", 2},
		{"reshape", must[*layer.Reshape](t)(layer.NewReshape(layer.Shape{2, -1}, layer.Options{})), []layer.Shape{{-1, 6}}, "(None, 2, 3)", 0},
		{"flatten", layer.NewFlatten(layer.Options{}), []layer.Shape{{-1, -1, 3}}, "(None, None)", 0},
		{"two inputs", must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{})), []layer.Shape{{-1, 2}, {-1, 3}}, "(None, 5)", 0},
		{"embedding", newEmbedding(t, 9, 4, layer.EmbeddingOptions{InputLength: []int{7}}), []layer.Shape{{-1, -1}}, "(None, 7, 4)", 1},
		{"pooled embedding", newEmbedding(t, 9, 4, layer.EmbeddingOptions{Combiner: rowan.Sum}), []layer.Shape{{-1, 3, -1}}, "(None, 3, 4)", 1},
		{"string keys", newDynamic(t, 4, layer.DynamicOptions{KeyType: tensor.String}), []layer.Shape{{3, 2}}, "(3, 2, 4)", 1},
	} {
		b := layer.Of(c.layer)
		got, err := b.ComputeOutputShape(c.in...)
		if err != nil || len(got) != 1 || got[0].String() != c.want {
			t.Errorf("%s: %v, %v; want %s", c.name, got, err, c.want)
		}
		if !b.Built() || len(b.Variables()) != c.built || len(b.Nodes()) != 0 {
			t.Errorf("%s: built %v, %d weights, %d calls; want %d weights and no call", c.name, b.Built(), len(b.Variables()), len(b.Nodes()), c.built)
		}
	}
}

// TestComputeOutputShapeBinds: what comes later must fit what was built.
func TestComputeOutputShapeBinds(t *testing.T) {
	d := newDense(t, 5, layer.DenseOptions{})
	must[[]layer.Shape](t)(d.ComputeOutputShape(layer.Shape{-1, 4}))
	for name, err := range map[string]error{
		"Apply":              second(d.Apply(input(t, layer.NewScope(1), 3))),
		"Run":                second(d.Run(t.Context(), layer.Args{}, floats(t, 2, 3))),
		"ComputeOutputShape": second(d.ComputeOutputShape(layer.Shape{-1, 3})),
	} {
		if !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), "expected axis -1 of input shape to have value 4") {
			t.Errorf("%s of another width: %v", name, err)
		}
	}
	apply(t, d, input(t, layer.NewScope(1), 4))
}

func TestComputeOutputShapeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		err, is error
		says    string
	}{
		"no shape":     {second(newDense(t, 5, layer.DenseOptions{}).ComputeOutputShape()), layer.ErrArgument, "no input shape"},
		"no batch":     {second(newDense(t, 5, layer.DenseOptions{}).ComputeOutputShape(layer.Shape{})), layer.ErrShape, "the first is the batch"},
		"zero":         {second(newDense(t, 5, layer.DenseOptions{}).ComputeOutputShape(layer.Shape{-1, 0})), layer.ErrArgument, "[-1 0]"},
		"free width":   {second(newDense(t, 5, layer.DenseOptions{}).ComputeOutputShape(layer.Shape{-1, -1})), layer.ErrShape, "should be defined"},
		"rank":         {second(newDense(t, 5, layer.DenseOptions{}).ComputeOutputShape(layer.Shape{-1})), layer.ErrShape, "min_ndim=2"},
		"input_length": {second(newEmbedding(t, 9, 4, layer.EmbeddingOptions{InputLength: []int{7}}).ComputeOutputShape(layer.Shape{-1, 8})), layer.ErrShape, "input_length"},
		"no Init":      {second(new(penalized).ComputeOutputShape(layer.Shape{-1})), layer.ErrNotInitialized, "Init"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", name, c.err, c.is, c.says)
		}
	}
}
