package layer_test

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// attempt is a use of the package that must end in an error, and one that says
// so, but never in a panic.
type attempt struct {
	does func() error
	is   error
	says string
}

func tryAll(t *testing.T, all map[string]attempt) {
	t.Helper()
	for name, a := range all {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			err := a.does()
			if err == nil || a.is != nil && !errors.Is(err, a.is) || !strings.Contains(err.Error(), a.says) {
				t.Errorf("error %v, want one that is %v and says %q", err, a.is, a.says)
			}
		})
	}
}

// same passes its inputs on.
func same(_ *layer.Call, x *graph.Node) []*graph.Node { return []*graph.Node{x} }

// misshaped says that it has two outputs, and has one.
type misshaped struct {
	*broken
	shape func(in []layer.Shape) []layer.Shape
}

func newMisshaped(shape func(in []layer.Shape) []layer.Shape) *misshaped {
	l := &misshaped{&broken{call: same}, shape}
	l.Init(l, layer.Options{})
	return l
}

func (l *misshaped) OutputShape(in ...layer.Shape) ([]layer.Shape, error) { return l.shape(in), nil }

// lost is an embedding whose own methods panic.
type lost struct {
	*layer.Embedding
	symbolic bool
}

func newLost(t testing.TB, symbolic bool) *lost {
	l := &lost{newEmbedding(t, 3, 2, layer.EmbeddingOptions{}), symbolic}
	l.Init(l, layer.Options{})
	return l
}

func (l *lost) Symbolic(in []*layer.Tensor) (*layer.Tensor, error) {
	if l.symbolic {
		panic("lost its shape")
	}
	return l.Embedding.Symbolic(in)
}

func (l *lost) Lookup(context.Context, *layer.Rows, tensor.IDs, bool) error { panic("lost its table") }

// TestPanicsOfLayers: what the methods of a layer of one's own panic with
// comes back as an error, also where no graph is traced.
func TestPanicsOfLayers(t *testing.T) {
	ctx := context.Background()
	boom := errors.New("boom")
	fails := func(what any) *broken { return newBroken(func(*broken) error { panic(what) }, same) }
	inner := func(l layer.Layer, in ...layer.Shape) *broken {
		return newBroken(func(b *broken) error { return b.BuildLayer(l, in...) }, same)
	}
	dot := must[*layer.Dot](t)(layer.NewDot([2]int{1, 1}, false, layer.Options{}))
	x := func() *layer.Tensor { return input(t, layer.NewScope(1), 3) }
	id := func() *layer.Tensor { return idInput(t, layer.NewScope(1), 1) }
	tryAll(t, map[string]attempt{
		"build":             {func() error { return second(fails(boom).Apply(x())) }, boom, `building layer "broken": panic: boom`},
		"build, no error":   {func() error { return second(fails("boom").Apply(x())) }, nil, "panic: boom"},
		"build, eagerly":    {func() error { return second(fails(boom).Run(ctx, layer.Args{}, floats(t, 1, 3))) }, boom, "broken"},
		"dense of no shape": {func() error { return second(inner(newDense(t, 1, layer.DenseOptions{})).Apply(x())) }, nil, "index out of range"},
		"dot of one shape":  {func() error { return second(inner(dot, layer.Shape{-1, 3}).Apply(x())) }, nil, "index out of range"},
		"symbolic":          {func() error { return second(newLost(t, true).Apply(id())) }, nil, "lost its shape"},
		"lookup":            {func() error { return second(newLost(t, false).Run(ctx, layer.Args{}, ids(t, []int{1, 1}, 1))) }, nil, "lost its table"},
		"output shape": {func() error {
			return second(newMisshaped(func(in []layer.Shape) []layer.Shape { return in[1:2] }).Apply(x()))
		}, nil, "out of range"},
		"output shapes": {func() error {
			return second(newMisshaped(func(in []layer.Shape) []layer.Shape { return append(in, in...) }).Apply(x()))
		}, layer.ErrArgument, "OutputShape says 2 outputs, Call returns 1"},
		"outputs by size":   {func() error { return second(newBroken(nil, bySize).ApplyAll(x())) }, layer.ErrArgument, "depends on the size"},
		"lookup of a model": {func() error { return planOf(t, newLost(t, false)) }, nil, "lost its table"},
	})
}

// bySize has more outputs the larger the batch is.
func bySize(_ *layer.Call, x *graph.Node) []*graph.Node {
	if x.Shape().Dimensions[0] > 61 {
		return []*graph.Node{x, x}
	}
	return []*graph.Node{x}
}

// planOf looks an id up as a model does.
func planOf(t *testing.T, l layer.Layer) error {
	in := idInput(t, layer.NewScope(1), 1)
	plan := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{in}, []*layer.Tensor{apply(t, l, in)}))
	_, err := plan.NewHostStage().Lookup(context.Background(), false, ids(t, []int{1, 1}, 1))
	return err
}

// every passes all its inputs on.
type every struct{ layer.Base }

func (l *every) Build(...layer.Shape) error                          { return nil }
func (l *every) Call(_ *layer.Call, in ...*graph.Node) []*graph.Node { return in }

func newEvery() *every {
	l := new(every)
	l.Init(l, layer.Options{})
	return l
}

func with(l *every, inner layer.Layer) *every {
	l.AddLayer(inner)
	return l
}

func TestMisuse(t *testing.T) {
	ctx := context.Background()
	x := input(t, layer.NewScope(1), 3)
	scope := layer.NewScope(1)
	ring := newEvery()
	ring.AddLayer(with(newEvery(), ring)) // refused: the inner one has the outer one already
	twice := newEvery()
	must[[]*layer.Tensor](t)(twice.ApplyAll(x))
	must[[]*layer.Tensor](t)(twice.ApplyAll(x, x))
	typedNil := layer.Value{IDs: (*tensor.Dense[int64])(nil)}
	tryAll(t, map[string]attempt{
		"add nothing":       {func() error { return second(with(newEvery(), nil).Apply(x)) }, layer.ErrArgument, "every"},
		"add a typed nil":   {func() error { return second(with(newEvery(), (*layer.Dense)(nil)).Apply(x)) }, layer.ErrArgument, "nil"},
		"add itself":        {func() error { l := newEvery(); return second(with(l, l).Apply(x)) }, layer.ErrArgument, "part of"},
		"a ring":            {func() error { return second(ring.Apply(x)) }, layer.ErrArgument, "part of"},
		"build nothing":     {func() error { return newEvery().BuildLayer(nil) }, layer.ErrArgument, "nil"},
		"bind nothing":      {func() error { return layer.Bind(nil, scope) }, layer.ErrArgument, "nil"},
		"config of nothing": {func() error { _, _, err := layer.ToConfig(nil); return err }, layer.ErrArgument, "nil"},
		"no constructor":    {func() error { return second(layer.FromConfig("X", nil, map[string]layer.Constructor{"X": nil})) }, layer.ErrConfig, "unknown layer"},
		"no table":          {func() error { return second(newEvery().AddTable("w", nil, 3)) }, layer.ErrArgument, "nil"},
		"typed nil ids": {func() error {
			return second(newEmbedding(t, 3, 2, layer.EmbeddingOptions{}).Run(ctx, layer.Args{}, typedNil))
		}, layer.ErrStage, "ids"},
		"a tensor of nothing":   {func() error { return second(newEvery().Apply(&layer.Tensor{})) }, layer.ErrArgument, "input 0"},
		"calls of other output": {func() error { return second(twice.OutputShapes()) }, layer.ErrNotConnected, "different output shapes"},
	})
}
