package layer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func TestBindGivesNameAndSeed(t *testing.T) {
	s := layer.NewScope(9)
	a, b := newDense(t, 1, layer.DenseOptions{}), newDense(t, 1, layer.DenseOptions{})
	for _, l := range []layer.Layer{a, b} {
		if err := layer.Bind(l, s); err != nil {
			t.Fatal(err)
		}
	}
	if a.Name() != "dense" || b.Name() != "dense_1" || s.Seed() != 9 {
		t.Errorf("names %q and %q, seed %d", a.Name(), b.Name(), s.Seed())
	}
	apply(t, a, input(t, layer.NewScope(1), 2)) // keeps its name and scope
	if a.Name() != "dense" || !a.Built() {
		t.Errorf("after use: name %q, built %v", a.Name(), a.Built())
	}
	if err := layer.Bind(new(layer.Dense), s); !errors.Is(err, layer.ErrNotInitialized) {
		t.Errorf("Bind without Init: %v", err)
	}
}

func TestShapesOfCalls(t *testing.T) {
	s := layer.NewScope(1)
	d := newDense(t, 3, layer.DenseOptions{})
	apply(t, d, input(t, s, 4))
	apply(t, d, input(t, s, 5, 4))
	in, err := d.InputShapeAt(1)
	if err != nil || in[0].String() != "(None, 5, 4)" {
		t.Errorf("InputShapeAt(1) = %v, %v", in, err)
	}
	out, err := d.OutputShapeAt(1)
	if err != nil || out[0].String() != "(None, 5, 3)" {
		t.Errorf("OutputShapeAt(1) = %v, %v", out, err)
	}
	if _, err := d.OutputShapes(); !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "different output shapes") {
		t.Errorf("OutputShapes of calls that disagree: %v", err)
	}
	if _, err := newDense(t, 3, layer.DenseOptions{}).OutputShapes(); !errors.Is(err, layer.ErrNotConnected) {
		t.Errorf("OutputShapes before a call: %v", err)
	}
}

func TestVariables(t *testing.T) {
	o := &optim.Optimizer{Updater: optim.NewAdam()}
	e := newEmbedding(t, 7, 2, layer.EmbeddingOptions{Optimizer: o, InputLength: []int{4}})
	y, err := layer.NewDynamicEmbedding(2, layer.DynamicOptions{Optimizer: o, KeyType: tensor.String})
	if err != nil {
		t.Fatal(err)
	}
	if in := e.ImpliedInput(); !in.IDs || in.Shape.String() != "(4,)" {
		t.Errorf("implied input = %+v", in)
	}
	if in := y.ImpliedInput(); !in.IDs || in.KeyType != tensor.String {
		t.Errorf("implied input = %+v", in)
	}
	run(t, e, ids(t, []int{1, 4}, 1, 2, 3, 4))
	run(t, y, layer.Value{IDs: must[*tensor.Dense[string]](t)(tensor.NewDense([]string{"a"}))})
	v, w := e.Variables()[0], y.Variables()[0]
	if v.ShortName() != "embeddings" || v.Name() != e.Name()+"/embeddings" || v.Shape().String() != "(7, 2)" || v.Table() != e.Table() || v.Value() != nil {
		t.Errorf("static variable = %s %v", v.Name(), v.Shape())
	}
	if w.Shape().String() != "(None, 2)" || w.Table() != y.Table() {
		t.Errorf("dynamic variable has shape %v", w.Shape())
	}
	if e.Optimizer() != o || y.Optimizer() != o {
		t.Error("a layer lost its optimizer")
	}
	if weights, err := y.GetWeights(context.Background()); err != nil || len(weights) != 0 {
		t.Errorf("weights of a dynamic table = %v, %v; it has no array", weights, err)
	}
}

func TestEmbeddingActivityRegularizer(t *testing.T) {
	r := regularizer.L1L2{L1: 0.5, L2: 2}
	l := newEmbedding(t, 2, 2, layer.EmbeddingOptions{Options: layer.Options{Activity: r, Weights: [][]float32{{1, -2, 3, 0}}}})
	out := run(t, l, ids(t, []int{2}, 0, 1))
	if want := float32(0.5*6+2*14) / 2; len(out.Losses) != 1 || out.Losses[0] != want {
		t.Errorf("eager losses = %v, want [%v]", out.Losses, want)
	}
	s := layer.NewScope(1)
	in := idInput(t, s)
	g := newEmbedding(t, 2, 2, layer.EmbeddingOptions{Options: layer.Options{Activity: r, Weights: [][]float32{{1, -2, 3, 0}}}})
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{in}, []*layer.Tensor{apply(t, g, in)}))
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Losses: []loss.Func{nil}}))
	arrays, err := p.NewHostStage().Lookup(context.Background(), false, ids(t, []int{2}, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	if res := must[*dense.Results](t)(q.Run(args(q, arrays))); math.Abs(float64(res.Loss-out.Losses[0])) > 1e-5 {
		t.Errorf("loss in a model = %v, eager %v", res.Loss, out.Losses[0])
	}
	if g.ActivityRegularizer() != r {
		t.Errorf("ActivityRegularizer = %v", g.ActivityRegularizer())
	}
}

func TestProgramReportsMetrics(t *testing.T) {
	s := layer.NewScope(1)
	in := input(t, s, 2)
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{in}, []*layer.Tensor{apply(t, newMeanLoss(), in)}))
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Losses: []loss.Func{loss.MeanAbsoluteError}}))
	if q.MetricNames() != nil {
		t.Errorf("metrics before a run: %v", q.MetricNames())
	}
	x := dense.Floats([]float32{1, 2, 3, 6}, 2, 2)
	r := must[*dense.Results](t)(q.Run(dense.Args{Inputs: []dense.Array{x, dense.Floats([]float32{1, 2, 3, 4}, 2, 2)}}))
	if !slices.Equal(q.MetricNames(), []string{"max", "min"}) {
		t.Errorf("metrics = %v", q.MetricNames())
	}
	got := []float32{r.Loss, r.Outputs[1].Float[0], r.Outputs[2].Float[0], r.Outputs[3].Float[0]}
	if want := []float32{3.5, 0.5, 6, 1}; !slices.Equal(got, want) {
		t.Errorf("loss, its part, max, min = %v, want %v", got, want)
	}
	if _, err := q.Run(dense.Args{Inputs: []dense.Array{x}}); err == nil || !strings.Contains(err.Error(), "are labels or weights missing") {
		t.Errorf("no labels: %v", err)
	}
	for name, o := range map[string]layer.ProgramOptions{
		"losses":  {Losses: []loss.Func{nil, nil}},
		"weights": {LossWeights: []float32{1, 2}},
	} {
		if _, err := p.Program(o); !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOneTableTwice merges the gradients of a shared layer's two places.
func TestOneTableTwice(t *testing.T) {
	ctx := context.Background()
	s := layer.NewScope(1)
	a, b := idInput(t, s), idInput(t, s)
	l := newEmbedding(t, 2, 1, layer.EmbeddingOptions{Options: layer.Options{Weights: [][]float32{{1, 2}}}})
	sum := apply(t, layer.NewAdd(layer.Options{}), apply(t, l, a), apply(t, l, b))
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{a, b}, []*layer.Tensor{sum}))
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Training: true, Losses: []loss.Func{loss.MeanSquaredError}}))
	if err := l.Table().SetOptimizer(&optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}); err != nil {
		t.Fatal(err)
	}
	stage := p.NewHostStage()
	arrays, err := stage.Lookup(ctx, true, ids(t, []int{1}, 0), ids(t, []int{1}, 0))
	if err != nil {
		t.Fatal(err)
	}
	r := must[*dense.Results](t)(q.Run(args(q, arrays, dense.Floats([]float32{1.5}, 1, 1))))
	grads := make(map[*rowan.Table]*rowan.Gradients)
	if err := stage.Backward(r, grads); err != nil {
		t.Fatal(err)
	}
	if err := l.Table().Apply(ctx, grads[l.Table()], rowan.Step{}); err != nil {
		t.Fatal(err)
	}
	// loss (1+1-1.5)², gradient 1 at each place, 2 in all
	if w := must[[][]float32](t)(l.GetWeights(ctx)); !slices.Equal(w[0], []float32{-1, 2}) {
		t.Errorf("rows = %v, want [-1 2]", w[0])
	}
}

func TestSupportsMasking(t *testing.T) {
	s := layer.NewScope(1)
	for _, c := range []struct {
		name          string
		layer         layer.Layer
		in            layer.InputOptions
		before, after bool
	}{
		{"mask_zero", newEmbedding(t, 9, 2, layer.EmbeddingOptions{MaskZero: true}), layer.InputOptions{Shape: layer.Shape{3}}, true, true},
		{"no mask", newEmbedding(t, 9, 2, layer.EmbeddingOptions{}), layer.InputOptions{Shape: layer.Shape{3}}, false, false},
		{"ragged", newDynamic(t, 2, layer.DynamicOptions{}), layer.InputOptions{Ragged: true}, false, true},
		{"ragged, pooled", newDynamic(t, 2, layer.DynamicOptions{Pool: rowan.Mean}), layer.InputOptions{Ragged: true}, false, false},
	} {
		if got := layer.Of(c.layer).SupportsMasking(); got != c.before {
			t.Errorf("%s: supports masking: %v, want %v", c.name, got, c.before)
		}
		c.in.Scope, c.in.IDs = s, true
		apply(t, c.layer, must[*layer.Tensor](t)(layer.Input(c.in)))
		if got := layer.Of(c.layer).SupportsMasking(); got != c.after {
			t.Errorf("%s: applied, supports masking: %v, want %v", c.name, got, c.after)
		}
	}
	if !newDense(t, 2, layer.DenseOptions{}).SupportsMasking() || layer.NewFlatten(layer.Options{}).SupportsMasking() {
		t.Error("Dense passes a mask on, Flatten does not")
	}
}
