package layer_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// TestRegularizersByName: of a weight, by name, config and value, and back.
func TestRegularizersByName(t *testing.T) {
	for _, c := range []struct {
		config any
		want   regularizer.Regularizer
	}{
		{nil, nil}, {"l2", regularizer.L2(0.01)}, {"l1_l2", regularizer.L1L2{L1: 0.01, L2: 0.01}},
		{map[string]any{"class_name": "L1L2", "config": map[string]any{"l1": 0.25, "l2": 0.5}}, regularizer.L1L2{L1: 0.25, L2: 0.5}},
		{map[string]any{"class_name": "OrthogonalRegularizer", "config": nil}, regularizer.NewOrthogonal()},
	} {
		l := must[layer.Layer](t)(layer.FromConfig("Dense", layer.Config{"units": 2, "kernel_regularizer": c.config}))
		run(t, l, floats(t, 1, 3))
		if got := layer.Of(l).Variables()[0].Regularizer(); got != c.want {
			t.Errorf("%v is %+v, want %+v", c.config, got, c.want)
		}
	}
	for _, r := range []regularizer.Regularizer{regularizer.L1L2{L1: 0.1, L2: 0.3}, regularizer.NewOrthogonal()} {
		_, c, err := layer.ToConfig(newEmbedding(t, 4, 3, layer.EmbeddingOptions{Regularizer: r}))
		if err != nil {
			t.Fatal(err)
		}
		back := must[layer.Layer](t)(layer.FromConfig("Embedding", c))
		if got, want := back.(*layer.Embedding).Config()["embeddings_regularizer"], c["embeddings_regularizer"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%+v comes back as %v, want %v", r, got, want)
		}
	}
}

// sumOfFourths is a penalty that Keras has not.
func sumOfFourths(x *graph.Node) *graph.Node {
	return graph.ReduceAllSum(graph.Square(graph.Square(x)))
}

// TestRegularizerOfAFunction: of a kernel, of outputs in a graph and of outputs
// that a table gives.
func TestRegularizerOfAFunction(t *testing.T) {
	o := layer.Options{Activity: regularizer.Func(sumOfFourths)}
	d := newDense(t, 1, layer.DenseOptions{Options: o, NoBias: true, Kernel: layer.WeightOptions{
		Initializer: initializer.Constant{Value: 2}, Regularizer: regularizer.Func(sumOfFourths)}})
	if got := run(t, d, floatsOf(t, 1, 1)).Losses; !slices.Equal(got, []float32{16, 16}) {
		t.Errorf("the losses are %v, want 16 of the output and 16 of the kernel", got)
	}
	e := newEmbedding(t, 2, 1, layer.EmbeddingOptions{Options: o, Initializer: initializer.Constant{Value: 2}})
	if got := run(t, e, ids(t, []int{2, 2}, 0, 1, 1, 0)).Losses; !slices.Equal(got, []float32{4 * 16 / 2}) {
		t.Errorf("the losses are %v, want 64 over a batch of 2", got)
	}
}

func floatsOf(t *testing.T, shape int, x ...float32) layer.Value {
	t.Helper()
	v := floats(t, shape, len(x)/shape)
	copy(v.Floats.Data(), x)
	return v
}

func TestRegularizerRefusals(t *testing.T) {
	first := func(_ any, err error) error { return err }
	kernel := func(r regularizer.Regularizer) error {
		l := newDense(t, 2, layer.DenseOptions{Kernel: layer.WeightOptions{Regularizer: r}})
		_, err := l.Run(context.Background(), layer.Args{}, floats(t, 1, 3))
		return err
	}
	embedding := func(rows, width int, r regularizer.Regularizer) error {
		return first(layer.NewEmbedding(rows, width, layer.EmbeddingOptions{Regularizer: r}))
	}
	rows := regularizer.Row(func(row, grad []float32) float32 { return 0 })
	scalar := regularizer.Func(sumOfFourths)
	for _, c := range []struct {
		err  error
		is   error
		says string
	}{
		{kernel(regularizer.L1(-1)), layer.ErrArgument, "expected non-negative floats. Received: l1=-1, l2=0"},
		{kernel(rows), layer.ErrArgument, "regularizer.Row is for tables: use regularizer.Func"},
		{kernel(regularizer.Func(func(x *graph.Node) *graph.Node { return x })), regularizer.ErrConfig, "must return a scalar"},
		{embedding(4, 2, regularizer.L1(-1)), layer.ErrArgument, "l1=-1"},
		{embedding(1<<20, 2, scalar), layer.ErrArgument, "needs the whole table in each step, which is for small ones"},
		{first(layer.NewDynamicEmbedding(2, layer.DynamicOptions{Regularizer: scalar})), layer.ErrArgument, "regularizer.Func needs the whole matrix, which a dynamic table has not"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", c.err, c.says)
		}
	}
	bias := newDense(t, 2, layer.DenseOptions{Bias: layer.WeightOptions{Regularizer: regularizer.NewOrthogonal()}})
	if _, err := bias.Run(context.Background(), layer.Args{}, floats(t, 1, 3)); !errors.Is(err, layer.ErrArgument) || !errors.Is(err, regularizer.ErrConfig) || !strings.Contains(err.Error(), "must have rank 2") {
		t.Errorf("the regularizer of a vector: %v", err)
	}
	for _, r := range []regularizer.Regularizer{scalar, rows} {
		e := newEmbedding(t, 4, 2, layer.EmbeddingOptions{Regularizer: r})
		if _, _, err := layer.ToConfig(e); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), "has no config") {
			t.Errorf("the config of a function: %v", err)
		}
	}
	for key, says := range map[string]string{"mode": "rows or columns", "factor": "a number"} {
		c := layer.Config{"units": 2, "kernel_regularizer": map[string]any{"class_name": "OrthogonalRegularizer", "config": map[string]any{key: true}}}
		if key == "mode" {
			c["kernel_regularizer"].(map[string]any)["config"] = map[string]any{key: "diagonal"}
		}
		if _, err := layer.FromConfig("Dense", c); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("a bad %s: %v", key, err)
		}
	}
}

// TestRowRegularizerOfLayers: of a static and of a dynamic table.
func TestRowRegularizerOfLayers(t *testing.T) {
	r := regularizer.Row(func(row, grad []float32) float32 {
		if grad != nil {
			grad[0] += 3
		}
		return 3 * row[0]
	})
	e := newEmbedding(t, 2, 2, layer.EmbeddingOptions{Initializer: initializer.Ones{}, Regularizer: r, Optimizer: plainSGD})
	d := newDynamic(t, 2, layer.DynamicOptions{Initializer: initializer.Ones{}, Regularizer: r, Optimizer: plainSGD})
	for _, l := range []layer.Layer{e, d} {
		run(t, l, ids(t, []int{1}, 1))
		table := l.(interface{ Table() *rowan.Table }).Table()
		trainTable(t, table, []int64{1}, []float32{0, 0})
		if got := run(t, l, ids(t, []int{1}, 1)).Values[0].Floats.Data(); !slices.Equal(got, []float32{1 - 3, 1}) {
			t.Errorf("%s: the row is %v after a step, want [-2 1]", layer.Of(l).Class(), got)
		}
	}
}

// TestDialectsOfParts: a regularizer, a constraint and LoRA go into the configs
// of those that have them.
func TestDialectsOfParts(t *testing.T) {
	kernel := func(o layer.WeightOptions) layer.Layer { return newDense(t, 2, layer.DenseOptions{Kernel: o}) }
	for name, c := range map[string]struct {
		l       layer.Layer
		without []layer.Dialect
	}{
		"OrthogonalRegularizer": {kernel(layer.WeightOptions{Regularizer: regularizer.NewOrthogonal()}), []layer.Dialect{layer.TF1}},
		"RadialConstraint":      {kernel(layer.WeightOptions{Constraint: constraint.Radial{}}), []layer.Dialect{layer.TF1, layer.Keras3}},
		"lora_":                 {newEmbedding(t, 4, 2, layer.EmbeddingOptions{LoRARank: 1}), []layer.Dialect{layer.TF1, layer.Keras2, layer.TFKeras}},
		"MinMaxNorm":            {kernel(layer.WeightOptions{Constraint: constraint.MinMaxNorm{Max: 1, Rate: 1}}), nil},
	} {
		for _, d := range []layer.Dialect{layer.Own, layer.TF1, layer.Keras2, layer.TFKeras, layer.Keras3} {
			text, err := d.Encode(c.l)
			if !slices.Contains(c.without, d) {
				if err != nil {
					t.Errorf("%s in %v: %v", name, d, err)
				} else if _, err := layer.Decode(text); err != nil {
					t.Errorf("%s of %v comes back with %v", name, d, err)
				}
			} else if !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s in %v: error %v, want one that names it", name, d, err)
			}
		}
	}
}
