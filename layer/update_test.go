package layer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/tensor"
)

// averager updates its mean without asking whether this is training.
type averager struct {
	layer.Base
	mean *layer.Variable
}

func newAverager() *averager {
	l := new(averager)
	l.Init(l, layer.Options{Name: "averager"})
	return l
}

func (l *averager) Build(...layer.Shape) (err error) {
	l.mean, err = l.AddWeight("mean", layer.Shape{1}, layer.WeightOptions{Frozen: true, Initializer: initializer.Zeros{}})
	return err
}

func (l *averager) Call(c *layer.Call, in ...*graph.Node) []*graph.Node {
	c.AddUpdate(l.mean, graph.ReduceMean(in[0], 0))
	return in
}

// TestInferenceUpdatesNothing runs from several goroutines, so that under the
// race detector it also says that nobody writes.
func TestInferenceUpdatesNothing(t *testing.T) {
	l, x := newAverager(), vector(t, []int{2, 1}, 1, 3)
	run(t, l, x) // builds it
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, err := l.Run(context.Background(), layer.Args{}, x); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := l.mean.Value(); got[0] != 0 {
		t.Errorf("mean %v after inference runs, want 0", got)
	}
	must[*layer.Output](t)(l.Run(context.Background(), layer.Args{Training: true}, x))
	if got := l.mean.Value(); got[0] != 2 {
		t.Errorf("mean %v after a training run, want 2", got)
	}
}

// TestTwoUpdatesOfAWeight: a shared layer's calls would each store a mean.
func TestTwoUpdatesOfAWeight(t *testing.T) {
	l, s := newAverager(), layer.NewScope(1)
	in := []*layer.Tensor{input(t, s, 1), input(t, s, 1)}
	sum := apply(t, layer.NewAdd(layer.Options{}), apply(t, l, in[0]), apply(t, l, in[1]))
	plan := must[*layer.Plan](t)(layer.NewPlan(in, []*layer.Tensor{sum}))
	x := vector(t, []int{2, 1}, 1, 3)
	for _, training := range []bool{false, true} {
		p := must[*layer.Program](t)(plan.Program(layer.ProgramOptions{Training: training, Losses: []loss.Func{loss.MeanSquaredError}}))
		arrays, err := plan.NewHostStage().Lookup(context.Background(), training, x, x)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Run(args(p, slices.Clone(arrays), labels(x)))
		if !training && err != nil {
			t.Errorf("evaluation: %v", err)
		}
		if training && (!errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), `weight "averager/mean" has an update in this step already`)) {
			t.Errorf("training: error %v, want one that names the weight", err)
		}
	}
}

// TestFunctionsAreInNoConfig: of a model or its layers.
func TestFunctionsAreInNoConfig(t *testing.T) {
	x := input(t, layer.NewScope(1), 1)
	d := doubler(t, layer.Options{}, 1)
	m := must[*model.Model](t)(model.New([]*layer.Tensor{x}, []*layer.Tensor{apply(t, d, x)}))
	before := must[[]byte](t)(m.ToJSON(layer.Own))
	sum := func(c *layer.Call) *graph.Node { return graph.ReduceAllSum(c.Var(d.Variables()[0])) }
	for _, err := range []error{m.AddLossFunc(sum), d.AddLossFunc(sum), d.AddUpdateFunc(d.Variables()[0], sum)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := len(must[[]*layer.LossTerm](t)(m.Losses())); n != 2 {
		t.Errorf("%d losses, want those of the layer and of the model", n)
	}
	if after := must[[]byte](t)(m.ToJSON(layer.Own)); string(after) != string(before) {
		t.Errorf("functions changed the config:\n%s\n%s", after, before)
	}
}

// TestAModelSeesWhatIsFrozen: a layer whose weights are never trained may still
// update them, so a compiled model takes note.
func TestAModelSeesWhatIsFrozen(t *testing.T) {
	l, x := newAverager(), input(t, layer.NewScope(1), 1)
	m := must[*model.Model](t)(model.New([]*layer.Tensor{x}, []*layer.Tensor{apply(t, l, x)}))
	mean := func() []float32 { return slices.Clone(l.mean.Value()) }
	compile := func() {
		t.Helper()
		if err := m.Compile(model.CompileOptions{OutputOptions: model.OutputOptions{LossName: "mse"}}); err != nil {
			t.Fatal(err)
		}
	}
	in := vector(t, []int{2, 1}, 1, 3)
	b := &model.Batch{Inputs: []layer.Value{in}, Labels: []*tensor.Values{in.Floats}}
	compile()
	if terms := must[[]*layer.UpdateTerm](t)(m.Updates()); len(terms) != 1 || terms[0].Variable() != l.mean {
		t.Errorf("%d updates, want that of the mean", len(terms))
	}
	must[float64](t)(m.TrainOnBatch(t.Context(), b))
	if got := mean(); got[0] != 2 {
		t.Errorf("mean %v, want 2", got)
	}
	l.SetTrainable(false)
	if _, err := m.TrainOnBatch(t.Context(), b); !errors.Is(err, model.ErrNotCompiled) || !strings.Contains(err.Error(), `layer "averager" was made trainable=false`) {
		t.Errorf("a layer frozen since Compile: %v", err)
	}
	copy(l.mean.Value(), []float32{7})
	compile()
	must[float64](t)(m.TrainOnBatch(t.Context(), b))
	if got := mean(); got[0] != 7 {
		t.Errorf("the mean of a frozen layer moved to %v", got)
	}
	if terms := must[[]*layer.UpdateTerm](t)(m.Updates()); len(terms) != 0 {
		t.Errorf("%d updates of a frozen layer", len(terms))
	}
}
