package layer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// constraintCase is a constraint as each of the ways to give it.
type constraintCase struct {
	value  constraint.Constraint
	config any
}

var constraintCases = []constraintCase{
	{constraint.MaxNorm{Max: 2}, "max_norm"},
	{constraint.NonNeg{}, "non_neg"},
	{constraint.UnitNorm{}, "unit_norm"},
	{constraint.MinMaxNorm{Max: 1, Rate: 1}, "min_max_norm"},
	{constraint.MaxNorm{Max: 0.5, Axis: 1}, map[string]any{"class_name": "MaxNorm", "config": map[string]any{"max_value": 0.5, "axis": 1}}},
	{constraint.NonNeg{}, map[string]any{"class_name": "NonNeg", "config": map[string]any{}}},
	{constraint.UnitNorm{Axis: 1}, map[string]any{"class_name": "UnitNorm", "config": map[string]any{"axis": 1}}},
	{constraint.MinMaxNorm{Min: 0.5, Max: 1.5, Rate: 0.5, Axis: 1}, map[string]any{"class_name": "MinMaxNorm",
		"config": map[string]any{"min_value": 0.5, "max_value": 1.5, "rate": 0.5, "axis": 1}}},
}

// plainSGD subtracts gradients as they are.
var plainSGD = &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}

// TestConstraintsOfEmbeddings: by name, config and value, with the sparse
// gradients of ids 2 and 0 of four rows: the constraint of the matrix, or where
// it looks at rows, of those two rows.
func TestConstraintsOfEmbeddings(t *testing.T) {
	ctx, o := context.Background(), layer.EmbeddingOptions{Initializer: initializer.NewRandomNormal(), Optimizer: plainSGD}
	for _, c := range constraintCases {
		free := newEmbedding(t, 4, 3, o)
		byValue := o
		byValue.Constraint = c.value
		config := newEmbedding(t, 4, 3, o).Config()
		config["embeddings_constraint"] = c.config
		made := must[layer.Layer](t)(layer.FromConfig("Embedding", config))
		if back := made.(*layer.Embedding).Config(); !slices.Equal(keys(back), keys(config)) {
			t.Errorf("%v: the config has the keys %q, was made with %q", c.config, keys(back), keys(config))
		}
		for _, l := range []*layer.Embedding{newEmbedding(t, 4, 3, byValue), made.(*layer.Embedding)} {
			for _, e := range []*layer.Embedding{free, l} {
				run(t, e, ids(t, []int{1}, 0))
				if err := e.Table().SetOptimizer(o.Optimizer); err != nil {
					t.Fatal(err)
				}
				if err := e.SetWeights([][]float32{{1, -2, 3, -0.25, 0.125, 0, 4, 4, -4, 0.5, 0.5, -0.5}}); err != nil {
					t.Fatal(err)
				}
				trainTable(t, e.Table(), []int64{2, 0, 2}, []float32{1, 1, 1, -3, 3, 0, 0, 2, 0})
			}
			want := must[[][]float32](t)(free.GetWeights(ctx))[0]
			if constraint.ByRow(c.value) {
				c.value.Apply(constraint.Of(want[0:3], 1, 3))
				c.value.Apply(constraint.Of(want[6:9], 1, 3))
			} else {
				c.value.Apply(constraint.Of(want, 4, 3))
			}
			if got := must[[][]float32](t)(l.GetWeights(ctx))[0]; !slices.Equal(got, want) {
				t.Errorf("%+v: the table is %v, want %v", c.value, got, want)
			}
		}
	}
}

// trainTable makes a step with these gradients of the rows of ids.
func trainTable(t *testing.T, table *rowan.Table, ids []int64, grads []float32) {
	t.Helper()
	ctx := context.Background()
	l := must[*rowan.Lookup](t)(table.Lookup(ctx, must[*tensor.Dense[int64]](t)(tensor.NewDense(ids)), rowan.LookupOptions{Training: true}))
	g := table.NewGradients()
	if err := g.Add(l, must[*tensor.Values](t)(tensor.NewValues(grads, l.Values().Shape()...))); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
}

func keys(c layer.Config) []string {
	var all []string
	for k := range c {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// TestConstraintsOfDenseWeights: by name, config and value.
func TestConstraintsOfDenseWeights(t *testing.T) {
	for _, c := range constraintCases {
		byValue := newDense(t, 3, layer.DenseOptions{Kernel: layer.WeightOptions{Constraint: c.value}})
		made := must[layer.Layer](t)(layer.FromConfig("Dense", layer.Config{"units": 3, "kernel_constraint": c.config}))
		for _, l := range []layer.Layer{byValue, made} {
			run(t, l, floats(t, 1, 4))
			kernel := layer.Of(l).Variables()[0]
			for i := range kernel.Value() {
				kernel.Value()[i] = float32(math.Sin(float64(i)))
			}
			want := slices.Clone(kernel.Value())
			c.value.Apply(constraint.Of(want, 4, 3))
			kernel.Constrain()
			if got := kernel.Value(); !slices.Equal(got, want) {
				t.Errorf("%+v: %v, want %v", c.value, got, want)
			}
		}
	}
}

func TestConstraintRefusals(t *testing.T) {
	first := func(_ any, err error) error { return err }
	d := newDense(t, 2, layer.DenseOptions{Kernel: layer.WeightOptions{Constraint: constraint.Radial{}}})
	e := newDense(t, 2, layer.DenseOptions{NoBias: true, Kernel: layer.WeightOptions{Constraint: constraint.Func{Name: "mine", F: func(constraint.Array) {}}}})
	for name, err := range map[string]error{
		"RadialConstraint is for convolution kernels": first(layer.NewEmbedding(9, 4, layer.EmbeddingOptions{Constraint: constraint.Radial{}})),
		"Received: axis=2":                            first(layer.NewEmbedding(9, 4, layer.EmbeddingOptions{Constraint: constraint.UnitNorm{Axis: 2}})),
		`weight "kernel" of layer "dense`:             first(d.Run(context.Background(), layer.Args{}, floats(t, 1, 3))),
	} {
		if !errors.Is(err, layer.ErrArgument) || !errors.Is(err, constraint.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: want one that says %q", err, name)
		}
	}
	if _, _, err := layer.ToConfig(e); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), `"kernel_constraint"`) {
		t.Errorf("the config of a function: %v", err)
	}
}

// TestConstraintAxis: a constraint along an axis that is not there would do nothing.
func TestConstraintAxis(t *testing.T) {
	for _, c := range []struct {
		constraint constraint.Constraint
		ok         bool
	}{
		{constraint.MaxNorm{Max: 1, Axis: 2}, false}, {constraint.UnitNorm{Axis: -3}, false},
		{constraint.MaxNorm{Max: 1, Axis: 1}, true}, {constraint.UnitNorm{Axis: -2}, true}, {constraint.NonNeg{}, true},
	} {
		d := newDense(t, 2, layer.DenseOptions{Kernel: layer.WeightOptions{Constraint: c.constraint}})
		if _, err := d.Apply(input(t, layer.NewScope(1), 3)); (err == nil) != c.ok || err != nil && !errors.Is(err, layer.ErrArgument) {
			t.Errorf("%+v on a kernel of shape (3, 2): error %v", c.constraint, err)
		}
	}
}
