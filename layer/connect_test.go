package layer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func apply(t testing.TB, l layer.Layer, in ...*layer.Tensor) *layer.Tensor {
	t.Helper()
	return must[*layer.Tensor](t)(layer.Of(l).Apply(in...))
}

func TestShapes(t *testing.T) {
	s := layer.NewScope(1)
	seq := idInput(t, s, -1)
	for _, c := range []struct {
		name string
		got  *layer.Tensor
		want string
	}{
		{"embedding of a sequence", apply(t, newEmbedding(t, 9, 4, layer.EmbeddingOptions{}), seq), "(None, None, 4)"},
		{"input_length 10", apply(t, newEmbedding(t, 9, 64, layer.EmbeddingOptions{InputLength: []int{10}}), seq), "(None, 10, 64)"},
		{"combiner", apply(t, newEmbedding(t, 9, 4, layer.EmbeddingOptions{Combiner: rowan.Mean}), seq), "(None, 4)"},
		{"one id", apply(t, newEmbedding(t, 9, 4, layer.EmbeddingOptions{}), idInput(t, s)), "(None, 4)"},
		{"any rank", apply(t, newEmbedding(t, 9, 4, layer.EmbeddingOptions{Combiner: rowan.Sum}), idInput(t, s, 3, 5)), "(None, 3, 4)"},
		{"dense", apply(t, newDense(t, 7, layer.DenseOptions{}), input(t, s, 3)), "(None, 7)"},
		{"dense on a sequence", apply(t, newDense(t, 7, layer.DenseOptions{}), input(t, s, -1, 3)), "(None, None, 7)"},
		{"flatten", apply(t, layer.NewFlatten(layer.Options{}), input(t, s, 3, 5)), "(None, 15)"},
		{"flatten of unknown length", apply(t, layer.NewFlatten(layer.Options{}), input(t, s, -1, 5)), "(None, None)"},
		{"reshape", apply(t, must[*layer.Reshape](t)(layer.NewReshape(layer.Shape{-1, 2}, layer.Options{})), input(t, s, 6)), "(None, 3, 2)"},
		{"concatenate free lengths", apply(t, must[*layer.Concatenate](t)(layer.NewConcatenate(1, layer.Options{})), input(t, s, -1, 5), input(t, s, -1, 5)), "(None, None, 5)"},
		{"dot", apply(t, must[*layer.Dot](t)(layer.NewDot([2]int{2, 2}, false, layer.Options{})), input(t, s, 3, 5), input(t, s, 4, 5)), "(None, 3, 4)"},
		{"pooling", apply(t, layer.NewGlobalAveragePooling1D(true, layer.Options{}), input(t, s, -1, 5)), "(None, 1, 5)"},
	} {
		if got := c.got.Shape().String(); got != c.want {
			t.Errorf("%s: shape %s, want %s", c.name, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := layer.NewScope(1)
	floatIn, idIn := input(t, s, 4), idInput(t, s, 4)
	maskedIn := apply(t, newEmbedding(t, 9, 4, layer.EmbeddingOptions{MaskZero: true}), idIn)
	call := func(l layer.Layer, in ...*layer.Tensor) error {
		_, err := layer.Of(l).Apply(in...)
		return err
	}
	flat := apply(t, layer.NewFlatten(layer.Options{}), input(t, s, -1, 4))
	for _, c := range []struct {
		name string
		err  error
		is   error
		says string
	}{
		{"embedding behind floats", call(newEmbedding(t, 9, 4, layer.EmbeddingOptions{}), floatIn), layer.ErrStage, "only be used as the first layer"},
		{"embedding behind a layer", call(newEmbedding(t, 9, 4, layer.EmbeddingOptions{}), apply(t, newDense(t, 2, layer.DenseOptions{}), floatIn)), layer.ErrStage, "only be used as the first layer"},
		{"dense on ids", call(newDense(t, 2, layer.DenseOptions{}), idIn), layer.ErrStage, "put an Embedding between"},
		{"mask into flatten", call(layer.NewFlatten(layer.Options{}), maskedIn), layer.ErrMask, "does not support masking, but was passed an input_mask"},
		{"flatten to dense", call(newDense(t, 2, layer.DenseOptions{}), flat), layer.ErrShape, "last dimension of the inputs to a Dense layer should be defined"},
		{"dense rank", call(newDense(t, 2, layer.DenseOptions{}), input(t, s)), layer.ErrShape, "expected min_ndim=2, found ndim=1"},
		{"input_length", call(newEmbedding(t, 9, 4, layer.EmbeddingOptions{InputLength: []int{10}}), idIn), layer.ErrShape, `"input_length" is (10,), but received input has shape (None, 4)`},
		{"combiner on one id", call(newEmbedding(t, 9, 4, layer.EmbeddingOptions{Combiner: rowan.Sum}), idInput(t, s)), layer.ErrShape, "1D input with combiner is ambiguous"},
		{"concatenate shapes", call(must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{})), input(t, s, 2, 3), input(t, s, 4, 3)), layer.ErrShape, "matching shapes"},
		{"concatenate one", call(must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{})), floatIn), layer.ErrShape, "at least 2"},
		{"add shapes", call(layer.NewAdd(layer.Options{}), floatIn, input(t, s, 5)), layer.ErrShape, "incompatible shapes"},
		{"dot sizes", call(must[*layer.Dot](t)(layer.NewDot([2]int{1, 1}, false, layer.Options{})), floatIn, input(t, s, 5)), layer.ErrShape, "incompatible input shapes"},
		{"reshape size", call(must[*layer.Reshape](t)(layer.NewReshape(layer.Shape{3}, layer.Options{})), floatIn), layer.ErrShape, "unchanged"},
		{"nil input", call(newDense(t, 2, layer.DenseOptions{}), nil), layer.ErrArgument, "nil"},
		{"no Init", call(new(layer.Dense), floatIn), layer.ErrNotInitialized, "Init"},
		{"string ids", call(newEmbedding(t, 9, 4, layer.EmbeddingOptions{}), must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: s, IDs: true, KeyType: tensor.String}))), layer.ErrStage, "use DynamicEmbedding"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: error %q, want one that is %q and says %q", c.name, c.err, c.is, c.says)
		}
	}
}

func TestConstructorRefusals(t *testing.T) {
	first := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"input_dim":      first(layer.NewEmbedding(0, 3, layer.EmbeddingOptions{})),
		"output_dim":     first(layer.NewEmbedding(3, 0, layer.EmbeddingOptions{})),
		"input_length":   first(layer.NewEmbedding(3, 3, layer.EmbeddingOptions{InputLength: []int{0}})),
		"mask_zero":      first(layer.NewEmbedding(3, 3, layer.EmbeddingOptions{MaskZero: true, Combiner: rowan.Sum})),
		"max_value":      first(layer.NewEmbedding(3, 3, layer.EmbeddingOptions{Constraint: constraint.MaxNorm{Max: -1}})),
		"embedding_size": first(layer.NewDynamicEmbedding(0, layer.DynamicOptions{})),
		"combiner":       first(layer.NewDynamicEmbedding(3, layer.DynamicOptions{Combiner: "median"})),
		"devices":        first(layer.NewDynamicEmbedding(3, layer.DynamicOptions{Devices: []string{"redis://h"}})),
		"restrict":       first(layer.NewDynamicEmbedding(3, layer.DynamicOptions{RestrictPolicy: rowan.Restrict{Keep: 3}})),
		"padding id":     first(layer.NewDynamicEmbedding(3, layer.DynamicOptions{PaddingString: new("x")})),
		"units":          first(layer.NewDense(0, layer.DenseOptions{})),
		"activation":     first(layer.NewDense(1, layer.DenseOptions{Activation: "rule"})),
		"rate":           first(layer.NewDropout(1, layer.DropoutOptions{})),
		"target_shape":   first(layer.NewReshape(layer.Shape{-1, -1}, layer.Options{})),
		"axis":           first(layer.NewConcatenate(0, layer.Options{})),
		"axes":           first(layer.NewDot([2]int{0, 1}, false, layer.Options{})),
		"(None,)":        first(layer.Input(layer.InputOptions{IDs: true, Ragged: true, Shape: layer.Shape{3, 4}})),
		"dimensions":     first(layer.Input(layer.InputOptions{Shape: layer.Shape{0}})),
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error = %v", name, err)
		}
		if !errors.Is(err, layer.ErrArgument) && !errors.Is(err, layer.ErrUnsupported) {
			t.Errorf("%s: error %v is of no known kind", name, err)
		}
	}
}

func TestDefaultNames(t *testing.T) {
	s := layer.NewScope(1)
	x := input(t, s, 4)
	var names []string
	for range 2 {
		d, p := newDense(t, 2, layer.DenseOptions{}), layer.NewGlobalAveragePooling1D(false, layer.Options{})
		apply(t, d, x)
		apply(t, p, input(t, s, 3, 2))
		names = append(names, d.Name(), p.Name())
	}
	want := []string{"dense", "global_average_pooling1d", "dense_1", "global_average_pooling1d_1"}
	if !slices.Equal(names, want) {
		t.Errorf("names = %v, want %v", names, want)
	}
	if x.Name() != "input" || x.Scope() != s || x.IsIDs() || x.Masked() {
		t.Errorf("input = %+v", x)
	}
}

func TestSharedLayer(t *testing.T) {
	s := layer.NewScope(1)
	d := newDense(t, 2, layer.DenseOptions{Kernel: layer.WeightOptions{Regularizer: regularizer.L2(1)}})
	if _, err := d.CountParams(); !errors.Is(err, layer.ErrNotBuilt) {
		t.Errorf("CountParams before building: %v", err)
	}
	if _, err := d.InputAt(0); !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "never been applied to a symbolic input") {
		t.Errorf("InputAt before a call: %v", err)
	}
	a, b := input(t, s, 4), input(t, s, 4)
	ya := apply(t, d, a)
	if in, err := d.Input(); err != nil || in[0] != a {
		t.Errorf("Input of one call = %v, %v", in, err)
	}
	yb := apply(t, d, b)
	if len(d.Nodes()) != 2 || len(d.Variables()) != 2 {
		t.Errorf("%d nodes, %d variables; want 2 and 2", len(d.Nodes()), len(d.Variables()))
	}
	if n, err := d.CountParams(); n != 10 || err != nil {
		t.Errorf("CountParams = %d, %v; want 10", n, err)
	}
	if in, err := d.InputAt(1); err != nil || in[0] != b {
		t.Errorf("InputAt(1) = %v, %v", in, err)
	}
	if out, err := d.OutputAt(0); err != nil || out[0] != ya {
		t.Errorf("OutputAt(0) = %v, %v", out, err)
	}
	for name, err := range map[string]error{"input": second(d.Input()), "output": second(d.Output())} {
		if !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "2 inbound nodes") {
			t.Errorf("%s of two calls: %v", name, err)
		}
	}
	if _, err := d.OutputAt(2); err == nil || !strings.Contains(err.Error(), "only 2 inbound nodes") {
		t.Errorf("OutputAt(2): %v", err)
	}
	if shapes, err := d.OutputShapes(); err != nil || shapes[0].String() != "(None, 2)" {
		t.Errorf("OutputShapes = %v, %v", shapes, err)
	}
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{a, b}, []*layer.Tensor{ya, yb}))
	if len(p.Layers) != 1 || len(p.Graph) != 2 || len(p.Variables()) != 2 {
		t.Errorf("plan has %d layers, %d nodes, %d variables; want 1, 2, 2", len(p.Layers), len(p.Graph), len(p.Variables()))
	}
	// The weight's penalty counts once, however often the layer is called.
	zero := loss.Func(loss.MeanSquaredError)
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Losses: []loss.Func{zero, nil}}))
	stage := p.NewHostStage()
	in := floats(t, 3, 4)
	arrays, err := stage.Lookup(context.Background(), false, in, in)
	if err != nil {
		t.Fatal(err)
	}
	first := must[*layer.Output](t)(d.Run(context.Background(), layer.Args{}, in))
	r, err := q.Run(args(q, arrays, labels(first.Values[0])))
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Losses) != 1 || r.Loss != first.Losses[0] {
		t.Errorf("loss with perfect labels = %v, want the penalty once: %v", r.Loss, first.Losses)
	}
}

func second[T any](_ T, err error) error { return err }

func TestPlanRefusals(t *testing.T) {
	s := layer.NewScope(1)
	a, b := input(t, s, 4), input(t, s, 4)
	y := apply(t, newDense(t, 2, layer.DenseOptions{Options: layer.Options{Name: "same"}}), a)
	z := apply(t, newDense(t, 2, layer.DenseOptions{Options: layer.Options{Name: "same"}}), y)
	for name, c := range map[string]struct {
		in, out []*layer.Tensor
	}{
		"graph disconnected":     {[]*layer.Tensor{b}, []*layer.Tensor{y}},
		"names must be unique":   {[]*layer.Tensor{a}, []*layer.Tensor{z}},
		"must come from Input":   {[]*layer.Tensor{y}, []*layer.Tensor{z}},
		"at least one input":     {nil, []*layer.Tensor{y}},
		"that computes floats":   {[]*layer.Tensor{a}, []*layer.Tensor{idInput(t, s)}},
		"output 0 of the model ": {[]*layer.Tensor{a}, []*layer.Tensor{nil}},
	} {
		if _, err := layer.NewPlan(c.in, c.out); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}
