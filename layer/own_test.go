package layer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
)

// meanLoss is the example of the source page: a loss of abs(mean(x)), and two
// metrics.
type meanLoss struct{ layer.Base }

func newMeanLoss() *meanLoss {
	l := new(meanLoss)
	l.Init(l, layer.Options{})
	return l
}

func (l *meanLoss) Build(...layer.Shape) error { return nil }

func (l *meanLoss) Call(c *layer.Call, in ...*graph.Node) []*graph.Node {
	c.AddLoss(graph.Abs(graph.ReduceAllMean(in[0])))
	c.AddMetric("max", graph.ReduceAllMax(in[0]))
	c.AddMetric("min", graph.ReduceAllMin(in[0]))
	return in
}

func TestOwnLayer(t *testing.T) {
	l := newMeanLoss()
	out := run(t, l, vector(t, []int{10, 1}, slices.Repeat([]float32{1}, 10)...))
	if !slices.Equal(out.Losses, []float32{1}) {
		t.Errorf("losses = %v, want [1]", out.Losses)
	}
	if len(out.Metrics) != 2 || out.Metrics[0] != (layer.Metric{Name: "max", Value: 1}) || out.Metrics[1].Name != "min" {
		t.Errorf("metrics = %v", out.Metrics)
	}
	if l.Name() != "mean_loss" && !strings.HasPrefix(l.Name(), "mean_loss_") {
		t.Errorf("name = %q", l.Name())
	}
}

// block is a layer of layers with a running mean.
type block struct {
	layer.Base
	inner *layer.Dense
	mean  *layer.Variable
}

func newBlock(t testing.TB) *block {
	b := &block{inner: newDense(t, 2, layer.DenseOptions{Activation: "tanh"})}
	b.Init(b, layer.Options{Name: "block"})
	b.AddLayer(b.inner)
	return b
}

func (b *block) Build(in ...layer.Shape) (err error) {
	b.mean, err = b.AddWeight("mean", layer.Shape{2}, layer.WeightOptions{Frozen: true, Initializer: initializer.Zeros{}})
	if err != nil {
		return err
	}
	return b.BuildLayer(b.inner, in...)
}

func (b *block) Call(c *layer.Call, in ...*graph.Node) []*graph.Node {
	y := c.Apply(b.inner, in[0])[0]
	if c.Training {
		c.AddUpdate(b.mean, graph.ReduceMean(y, 0))
	}
	return []*graph.Node{graph.Sub(y, graph.ExpandLeftToRank(c.Var(b.mean), 2))}
}

// TestSublayersCheckTheirInputs as they do when they are called by themselves.
func TestSublayersCheckTheirInputs(t *testing.T) {
	b := newBlock(t)
	run(t, b, floats(t, 3, 4))
	const says = `input 0 of layer "block/dense" is incompatible with the layer: expected axis -1 of input shape to have value 4, but received input with shape (3, 6)`
	if _, err := b.Run(t.Context(), layer.Args{}, floats(t, 3, 6)); !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want an error that says %q", err, says)
	}
	if _, err := b.Apply(input(t, layer.NewScope(1), 6)); !errors.Is(err, layer.ErrShape) {
		t.Errorf("symbolic: %v, want %v", err, layer.ErrShape)
	}
	// What a free dimension is traced with is no shape that arrived.
	outer := &nest{inner: newPicky(layer.InputSpec{Axes: map[int]int{1: 3}})}
	outer.Init(outer, layer.Options{})
	outer.AddLayer(outer.inner)
	if _, err := outer.Apply(input(t, layer.NewScope(1), -1)); err != nil {
		t.Errorf("free: %v", err)
	}
}

// nest passes its input to a layer inside it.
type nest struct {
	layer.Base
	inner *picky
}

func (n *nest) Build(in ...layer.Shape) error { return n.BuildLayer(n.inner, in...) }

func (n *nest) Call(c *layer.Call, in ...*graph.Node) []*graph.Node { return c.Apply(n.inner, in...) }

func TestSublayersAndUpdates(t *testing.T) {
	b := newBlock(t)
	x := floats(t, 3, 4)
	before := run(t, b, x).Values[0].Floats.Data()
	if got := len(b.Variables()); got != 3 || len(b.TrainableVariables()) != 2 || len(b.NonTrainableVariables()) != 1 {
		t.Errorf("%d variables, want 3: 2 trainable", got)
	}
	if b.Submodules()[0] != layer.Layer(b.inner) {
		t.Errorf("submodules = %v", b.Submodules())
	}
	must[*layer.Output](t)(b.Run(context.Background(), layer.Args{Training: true}, x))
	after := run(t, b, x).Values[0].Floats.Data()
	if mean := (after[0] + after[2] + after[4]) / 3; math.Abs(float64(mean)) > 1e-6 || slices.Equal(before, after) {
		t.Errorf("mean of the output = %v after its running mean was stored, want 0", mean)
	}
	b.SetTrainable(false)
	if len(b.TrainableVariables()) != 0 {
		t.Error("a frozen layer trains its sublayer")
	}
}

// broken misbehaves as told; nothing of it may cross the package as a panic.
type broken struct {
	layer.Base
	build func(b *broken) error
	call  func(c *layer.Call, x *graph.Node) []*graph.Node
}

func newBroken(build func(*broken) error, call func(*layer.Call, *graph.Node) []*graph.Node) *broken {
	b := &broken{build: build, call: call}
	b.Init(b, layer.Options{Name: "broken"})
	return b
}

func (b *broken) Build(...layer.Shape) error {
	if b.build == nil {
		return nil
	}
	return b.build(b)
}

func (b *broken) Call(c *layer.Call, in ...*graph.Node) []*graph.Node { return b.call(c, in[0]) }

func TestBrokenLayers(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		layer *broken
		is    error
		says  string
	}{
		"build fails":   {newBroken(func(*broken) error { return boom }, nil), boom, "building layer"},
		"no output":     {newBroken(nil, func(*layer.Call, *graph.Node) []*graph.Node { return nil }), layer.ErrArgument, "no output"},
		"graph panic":   {newBroken(nil, func(_ *layer.Call, x *graph.Node) []*graph.Node { return []*graph.Node{graph.Reshape(x, 99)} }), nil, "in layer broken"},
		"runtime panic": {newBroken(nil, func(_ *layer.Call, x *graph.Node) []*graph.Node { return []*graph.Node{nil, x}[2:3] }), nil, "slice bounds"},
		"vector loss":   {newBroken(nil, func(c *layer.Call, x *graph.Node) []*graph.Node { c.AddLoss(x); return []*graph.Node{x} }), layer.ErrShape, "scalar"},
		"vector metric": {newBroken(nil, func(c *layer.Call, x *graph.Node) []*graph.Node { c.AddMetric("m", x); return []*graph.Node{x} }), layer.ErrShape, "scalar"},
		"loss of integers": {newBroken(nil, func(c *layer.Call, x *graph.Node) []*graph.Node {
			c.AddLoss(graph.Scalar(c.Graph(), dtypes.Int32, 1))
			return []*graph.Node{x}
		}), layer.ErrArgument, "a loss must be float32"},
		"metric of integers": {newBroken(nil, func(c *layer.Call, x *graph.Node) []*graph.Node {
			c.AddMetric("m", graph.Scalar(c.Graph(), dtypes.Int32, 1))
			return []*graph.Node{x}
		}), layer.ErrArgument, `metric "m" must be float32`},
		"output of integers": {newBroken(nil, func(_ *layer.Call, x *graph.Node) []*graph.Node {
			return []*graph.Node{graph.ConvertDType(x, dtypes.Int32)}
		}), layer.ErrArgument, "output 0 must be float32"},
		"unknown weight": {newBroken(nil, func(c *layer.Call, x *graph.Node) []*graph.Node { c.Var(foreign(t)); return []*graph.Node{x} }), layer.ErrStage, "not an array of this graph"},
		"weight too big": {newBroken(func(b *broken) error {
			return second(b.AddWeight("w", layer.Shape{1 << 40, 1 << 40}, layer.WeightOptions{}))
		}, nil), layer.ErrShape, "keep it in a table"},
		"weight of None": {newBroken(func(b *broken) error { return second(b.AddWeight("w", layer.Shape{-1}, layer.WeightOptions{})) }, nil), layer.ErrShape, "positive shape"},
		"weight twice": {newBroken(func(b *broken) error {
			_, _ = b.AddWeight("w", layer.Shape{1}, layer.WeightOptions{})
			return second(b.AddWeight("w", layer.Shape{2}, layer.WeightOptions{}))
		}, nil), layer.ErrWeights, "already has"},
		"update of shape": {withUpdate(), nil, "broken/mean"},
	} {
		x := floats(t, 2, 3)
		_, err := c.layer.Run(context.Background(), layer.Args{Training: true}, x)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: Run: error %v, want one that is %v and says %q", name, err, c.is, c.says)
		}
		if _, err := c.layer.Apply(input(t, layer.NewScope(1), 3)); name != "update of shape" && err == nil {
			t.Errorf("%s: Apply did not fail", name)
		}
	}
}

// foreign is a weight of another layer.
func foreign(t *testing.T) *layer.Variable {
	d := newDense(t, 1, layer.DenseOptions{})
	run(t, d, floats(t, 1, 2))
	return d.Variables()[0]
}

func withUpdate() *broken {
	var mean *layer.Variable
	return newBroken(func(b *broken) (err error) {
		mean, err = b.AddWeight("mean", layer.Shape{7}, layer.WeightOptions{Frozen: true})
		return err
	}, func(c *layer.Call, x *graph.Node) []*graph.Node {
		if c.Training {
			c.AddUpdate(mean, x)
		}
		return []*graph.Node{x}
	})
}
