package layer_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

func clone(t testing.TB, l layer.Layer) layer.Layer {
	t.Helper()
	return must[layer.Layer](t)(layer.Of(l).Clone(t.Context(), nil, map[string]layer.Constructor{"block": func(layer.Config) (layer.Layer, error) { return newBlock(t), nil }}))
}

// Config makes block a layer that can be written down, and so cloned.
func (b *block) Config() layer.Config { return b.BaseConfig() }

// TestClone: a copy computes the same, and is another layer.
func TestClone(t *testing.T) {
	d := newDense(t, 2, layer.DenseOptions{Activation: "tanh", Options: layer.Options{Name: "mine", Frozen: true}})
	b := newBlock(t)
	b.inner.SetTrainable(false)
	x := floats(t, 3, 4)
	for _, l := range []layer.Layer{d, b} {
		run(t, l, x)
		apply(t, l, input(t, layer.NewScope(1), 4))
		must[*layer.Output](t)(layer.Of(l).Run(t.Context(), layer.Args{Training: true}, x)) // a running mean moves
		c := layer.Of(clone(t, l))
		if c == layer.Of(l) || c.Name() != layer.Of(l).Name() || c.Class() != layer.Of(l).Class() || len(c.Nodes()) != 0 {
			t.Errorf("copy %q of class %s with %d calls", c.Name(), c.Class(), len(c.Nodes()))
		}
		before := run(t, l, x).Values[0].Floats.Data()
		if got := must[*layer.Output](t)(c.Run(t.Context(), layer.Args{}, x)).Values[0].Floats.Data(); !slices.Equal(got, before) {
			t.Errorf("%s: the copy computes %v, the layer %v", c.Name(), got, before)
		}
		if len(c.TrainableVariables()) != len(layer.Of(l).TrainableVariables()) || c.Trainable() != layer.Of(l).Trainable() {
			t.Errorf("%s: %d weights of the copy are trained, of the layer %d", c.Name(), len(c.TrainableVariables()), len(layer.Of(l).TrainableVariables()))
		}
		c.Variables()[0].Value()[0]++
		if !slices.Equal(run(t, l, x).Values[0].Floats.Data(), before) {
			t.Errorf("%s: a weight of the copy is the layer's", c.Name())
		}
	}
}

// TestCloneCopiesTables with their rows, and the state of their optimizer: both
// take the same next step.
func TestCloneCopiesTables(t *testing.T) {
	adam := &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)}
	static := newEmbedding(t, 9, 2, layer.EmbeddingOptions{Optimizer: adam})
	dynamic := newDynamic(t, 2, layer.DynamicOptions{Optimizer: adam})
	batch := ids(t, []int{3}, 1, 5, 5)
	step := func(l layer.HostLayer) []float32 {
		t.Helper()
		trainOn(t, l, batch.IDs)
		return slices.Clone(run(t, l, ids(t, []int{3}, 1, 5, 7)).Values[0].Floats.Data())
	}
	for _, l := range []layer.HostLayer{static, dynamic} {
		run(t, l, batch)
		first := step(l)
		c := clone(t, l).(layer.HostLayer)
		if got := run(t, c, ids(t, []int{3}, 1, 5, 7)).Values[0].Floats.Data(); !slices.Equal(got, first) {
			t.Errorf("rows of the copy %v, of the layer %v", got, first)
		}
		copied := step(c)
		if got := run(t, l, ids(t, []int{3}, 1, 5, 7)).Values[0].Floats.Data(); !slices.Equal(got, first) {
			t.Errorf("training the copy moved rows of the layer: %v, were %v", got, first)
		}
		if second := step(l); !slices.Equal(second, copied) || slices.Equal(second, first) {
			t.Errorf("second step of the layer to %v, of the copy to %v", second, copied)
		}
		if tableOf(c) == tableOf(l) {
			t.Error("the copy has the layer's table")
		}
	}
}

func tableOf(l layer.Layer) any { return layer.Of(l).Variables()[0].Table() }

// trainOn makes a step of the table's own optimizer with a gradient of ones.
func trainOn(t testing.TB, l layer.HostLayer, batch tensor.IDs) {
	t.Helper()
	var r layer.Rows
	if err := l.Lookup(t.Context(), &r, batch, true); err != nil {
		t.Fatal(err)
	}
	grad := tensor.ZeroValues(r.Values().Shape()...)
	for i := range grad.Data() {
		grad.Data()[i] = 1
	}
	table := layer.Of(l).Variables()[0].Table()
	g := table.NewGradients()
	if err := r.Backward(g, grad); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(t.Context(), g, rowan.Step{Number: table.Step() + 1}); err != nil {
		t.Fatal(err)
	}
}

// TestCloneCopiesState: what a vocabulary has learned, of which both go on alone.
func TestCloneCopiesState(t *testing.T) {
	l := must[*layer.IntegerLookup](t)(layer.NewIntegerLookup(5, layer.IntegerLookupOptions{}))
	learn := func(l layer.Layer, keys ...int64) []int64 {
		t.Helper()
		out := must[*layer.Output](t)(layer.Of(l).Run(t.Context(), layer.Args{Training: true}, ids(t, []int{len(keys)}, keys...)))
		return out.Values[0].IDs.(*tensor.Dense[int64]).Values()
	}
	first := learn(l, 70, 80, 70)
	c := clone(t, l)
	if got := run(t, c, ids(t, []int{3}, 70, 80, 70)).Values[0].IDs.(*tensor.Dense[int64]).Values(); !slices.Equal(got, first) {
		t.Errorf("the copy gives %v, the layer %v", got, first)
	}
	if a, b := learn(c, 90), learn(l, 60); !slices.Equal(a, b) {
		t.Errorf("a new key of the copy is %v, another one of the layer %v; want the same next number", a, b)
	}
}

// TestCloneOfWhatIsNotBuilt has the config, and makes weights of its own later.
func TestCloneOfWhatIsNotBuilt(t *testing.T) {
	d := newDense(t, 2, layer.DenseOptions{Activation: "relu"})
	c := clone(t, d)
	if b := layer.Of(c); b.Built() || b.Name() != d.Name() {
		t.Errorf("copy %q is built: %v", b.Name(), b.Built())
	}
	_, want, _ := layer.ToConfig(d)
	if _, got, err := layer.ToConfig(c); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("config of the copy %v, want %v; %v", got, want, err)
	}
}

func TestCloneRefuses(t *testing.T) {
	if _, err := new(layer.Dense).Clone(t.Context()); !errors.Is(err, layer.ErrNotInitialized) {
		t.Errorf("without Init: %v", err)
	}
	if _, err := newMeanLoss().Clone(t.Context()); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), "no Config method") {
		t.Errorf("without a config: %v", err)
	}
	b := newBlock(t)
	run(t, b, floats(t, 2, 3))
	if _, err := b.Clone(t.Context()); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), "unknown layer") {
		t.Errorf("of an unknown class: %v", err)
	}
	wrong := map[string]layer.Constructor{"block": func(layer.Config) (layer.Layer, error) { return newDense(t, 2, layer.DenseOptions{}), nil }}
	if _, err := b.Clone(t.Context(), wrong); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), "2 weights, not 3") {
		t.Errorf("a constructor of another layer: %v", err)
	}
	e := newEmbedding(t, 9, 2, layer.EmbeddingOptions{})
	run(t, e, ids(t, []int{1}, 1))
	if err := e.Table().Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Clone(t.Context()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("of a closed table: %v", err)
	}
	q := newEmbedding(t, 9, 2, layer.EmbeddingOptions{})
	run(t, q, ids(t, []int{1}, 1))
	if err := q.Quantize(t.Context(), rowan.QuantizeInt8); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Clone(t.Context()); !errors.Is(err, rowan.ErrReadOnly) || strings.Count(err.Error(), "quantized copy") != 1 {
		t.Errorf("of a quantized table: %v, want to be told so, once", err)
	}
}
