package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// uphill is as steep everywhere below its label, which is far away.
var uphill = OutputOptions{LossName: "mae"}

// slope is a model of one table row and one dense bias, whose sum it predicts:
// each step of plain descent from uphill adds the learning rate to both.
func slope(t testing.TB, o CompileOptions) *Model {
	t.Helper()
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{IDs: true, Scope: layer.NewScope(1)}))
	e := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(1, layer.DynamicOptions{Options: layer.Options{Name: "row"}}))
	d := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Kernel: layer.WeightOptions{Frozen: true}, Options: layer.Options{Weights: [][]float32{{1}, {0}}}}))
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, d, apply(t, e, in))}))
	t.Cleanup(func() { m.Tables()[0].Close() })
	o.OutputOptions = uphill
	check(t, m.Compile(o))
	return m
}

// moved returns by how much a step moves the dense bias and the row.
func moved(t testing.TB, m *Model) (bias, row float32) {
	t.Helper()
	at := func() (float32, float32) {
		l := must[*rowan.Lookup](t)(m.Tables()[0].Lookup(t.Context(), ids(t, 1).IDs, rowan.LookupOptions{}))
		return m.Weights()[2].Value()[0], l.Values().Data()[0]
	}
	b0, r0 := at()
	must[float64](t)(m.TrainOnBatch(t.Context(), &Batch{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{1000}, 1)}}))
	b1, r1 := at()
	return b1 - b0, r1 - r0
}

func nearly(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }

func TestSetLearningRate(t *testing.T) {
	sgd := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.125)}
	o := CompileOptions{Optimizer: sgd, OutputOptions: uphill}
	m := slope(t, o)
	expect := func(when string, want float32) {
		t.Helper()
		if got := must[float32](t)(m.LearningRate()); got != want {
			t.Errorf("%s: rate %v, want %v", when, got, want)
		}
		if b, r := moved(t, m); !nearly(b, want) || !nearly(r, want) {
			t.Errorf("%s: a step moves the bias by %v and the row by %v, want %v", when, b, r, want)
		}
	}
	expect("at first", 0.125)
	check(t, m.SetLearningRate(0.03))
	check(t, m.SetLearningRate(0.25)) // before a step: as if the other had not been
	expect("set", 0.25)
	check(t, m.Compile(o))
	expect("compiled again with the same optimizer", 0.25)

	_, c := memory(t)
	check(t, m.Save(t.Context(), c, nil))
	check(t, m.SetLearningRate(0.5))
	expect("set again", 0.5)
	check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
	expect("loaded", 0.25)
	m = slope(t, o)
	check(t, m.SetLearningRate(0.5))
	check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
	expect("loaded by another model", 0.25)

	fresh := slope(t, o)
	_, c = memory(t)
	check(t, fresh.Save(t.Context(), c, nil))
	check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
	expect("loaded from before any rate was set", 0.125)
	check(t, m.SetLearningRate(0.5))
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.125)}, OutputOptions: uphill}))
	expect("compiled with another optimizer", 0.125)

	for _, bad := range []float32{-1, float32(math.NaN()), float32(math.Inf(1))} {
		if err := m.SetLearningRate(bad); !errors.Is(err, ErrArgument) {
			t.Errorf("rate %v: %v", bad, err)
		}
	}
	if err := hybrid(t, 1).SetLearningRate(1); !errors.Is(err, ErrNotCompiled) {
		t.Errorf("not compiled: %v", err)
	}
	if _, err := new(Model).LearningRate(); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("not built: %v", err)
	}
}

// TestOptimizerOfAConfig: its learning rate is that of the config.
func TestOptimizerOfAConfig(t *testing.T) {
	m := slope(t, CompileOptions{OptimizerConfig: &optim.Config{ClassName: "SGD", Config: map[string]any{"learning_rate": 0.25}}})
	if b, r := moved(t, m); !nearly(b, 0.25) || !nearly(r, 0.25) {
		t.Errorf("a step moves the bias by %v and the row by %v, want 0.25", b, r)
	}
}

// TestOwnOptimizersKeepTheirRate: those of TableOptimizers are not the model's.
func TestOwnOptimizersKeepTheirRate(t *testing.T) {
	m := slope(t, CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.125)},
		TableOptimizers: map[string]*optim.Optimizer{"row": {Updater: optim.SGD{}, Rate: optim.Constant(0.0625)}}})
	check(t, m.SetLearningRate(0.5))
	if b, r := moved(t, m); !nearly(b, 0.5) || !nearly(r, 0.0625) {
		t.Errorf("a step moves the bias by %v and the row by %v, want 0.5 and 0.0625", b, r)
	}
}

// TestTableThatJoinsLater: a table that was frozen when the rate was set trains
// with it from its first step on.
func TestTableThatJoinsLater(t *testing.T) {
	o := CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.125)}}
	m := slope(t, o)
	o.OutputOptions = uphill
	layer.Of(m.Layer("row")).SetTrainable(false)
	check(t, m.Compile(o))
	moved(t, m)
	check(t, m.SetLearningRate(0.5))
	layer.Of(m.Layer("row")).SetTrainable(true)
	check(t, m.Compile(o))
	for range 2 {
		if b, r := moved(t, m); !nearly(b, 0.5) || !nearly(r, 0.5) {
			t.Errorf("a step moves the bias by %v and the row by %v, want 0.5", b, r)
		}
	}
}

// scheduled trains with rates that callbacks set: falling from epoch to epoch,
// and halved on a plateau, which there are two of.
func scheduled(t testing.TB, more ...Callback) FitOptions {
	o := FitOptions{Epochs: 6, Validation: likes(t, 50, 2), Callbacks: []Callback{
		&LearningRateScheduler{Schedule: func(epoch int, rate float32) float32 { return rate * 0.9 }},
		&ReduceLROnPlateau{Factor: 0.5, Patience: 1, MinDelta: new(0.05)},
	}}
	o.Callbacks = append(o.Callbacks, more...)
	return o
}

// TestRatesGoOn: a training whose rates callbacks set, stopped at any step or
// between two epochs, ends with the bytes of one that was not stopped: the rows
// of its exact tables are caught up with the rates of the steps they missed.
func TestRatesGoOn(t *testing.T) {
	straight := compileHybrid(t, 5)
	h := must[History](t)(straight.Fit(t.Context(), likes(t, trainExamples, 1), scheduled(t)))
	rates := h.Values("learning_rate")
	if len(rates) != 6 || rates[0] != float64(float32(0.9)*straight.compiled.base.At(1)) || !slices.IsSortedFunc(rates, func(a, b float64) int { return -int(math.Copysign(1, a-b)) }) {
		t.Fatalf("rates %v, want six that fall", rates)
	}
	if rates[5] > 0.9*0.9*0.9*0.9*0.9*0.9*0.05/1.9 {
		t.Errorf("rates %v: no plateau was met, the test shows nothing of it", rates)
	}
	fsys, c := memory(t)
	check(t, straight.Save(t.Context(), c, nil))
	want := files(t, fsys, c)
	for _, stop := range []int64{1, 9, 10, 17, 20, 41} {
		for _, between := range []bool{false, true} {
			t.Run(fmt.Sprint(stop, between), func(t *testing.T) {
				fsys, c := memory(t)
				m := compileHybrid(t, 5)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				o := scheduled(t, hook{batch: func(e *Event) error {
					if !between && e.Step == stop {
						cancel()
					}
					return nil
				}}, &beginning{func(e *Event) {
					if between && e.Step >= stop {
						cancel() // after the rate was set, before the first batch
					}
				}})
				_, err := m.Fit(ctx, likes(t, trainExamples, 1), o)
				if !errors.Is(err, context.Canceled) && !(between && stop > 50) {
					t.Fatal(err)
				}
				check(t, m.Save(t.Context(), c, nil))
				m = compileHybrid(t, 5)
				check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
				o = scheduled(t)
				o.Resume = true
				must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), o))
				check(t, m.Save(t.Context(), c, nil))
				same(t, files(t, fsys, c), want)
			})
		}
	}
}

// beginning hears of epochs before they begin.
type beginning struct{ begin func(*Event) }

func (b *beginning) OnBatchEnd(context.Context, *Event) error { return nil }
func (b *beginning) OnEpochEnd(context.Context, *Event) error { return nil }
func (b *beginning) OnTrainEnd(context.Context, *Event) error { return nil }
func (b *beginning) OnEpochBegin(_ context.Context, e *Event) error {
	b.begin(e)
	return nil
}

// TestEpochsBegin: before the first batch of each, and one can be the end.
func TestEpochsBegin(t *testing.T) {
	m := compileHybrid(t, 5)
	var steps []int64
	h := must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), FitOptions{Epochs: 5, Callbacks: []Callback{&beginning{func(e *Event) {
		steps = append(steps, e.Step)
		if e.Epoch == 2 {
			e.Stop()
		}
	}}}}))
	if !slices.Equal(steps, []int64{0, 10, 20}) || len(h) != 2 || m.Step() != 20 {
		t.Errorf("epochs began after steps %v, %d ended, the last step was %d; want 0, 10 and 20, 2, 20", steps, len(h), m.Step())
	}
}

// TestBestEpochHasItsRate: what RestoreBest goes back to includes the rate.
func TestBestEpochHasItsRate(t *testing.T) {
	m := compileHybrid(t, 5)
	fall := &LearningRateScheduler{Schedule: func(epoch int, _ float32) float32 { return 0.05 / float32(1+epoch) }}
	s := &EarlyStopping{Monitor: "loss", Mode: "max", Patience: 2, RestoreBest: true} // the first epoch's is the largest
	must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), FitOptions{Epochs: 8, Callbacks: []Callback{fall, s}}))
	best, _, _ := s.BestEpoch()
	if got, want := must[float32](t)(m.LearningRate()), 0.05/float32(1+best); got != want {
		t.Errorf("rate %v after going back to epoch %d, want %v", got, best, want)
	}
}

func TestRateCallbacksRefuse(t *testing.T) {
	m := compileHybrid(t, 5)
	e := func() *Event { return &Event{Model: m, Logs: Logs{{"val_loss", 1}}} }
	wants(t, (&LearningRateScheduler{}).OnEpochBegin(t.Context(), e()), "Schedule is nil")
	wants(t, (&LearningRateScheduler{Schedule: func(int, float32) float32 { return -1 }}).OnEpochBegin(t.Context(), e()), "got -1")
	for _, s := range []*ReduceLROnPlateau{{Factor: 1}, {Factor: -0.5}, {Patience: -1}, {Cooldown: -1}, {MinRate: -1}} {
		wants(t, s.OnEpochEnd(t.Context(), e()), "ReduceLROnPlateau needs a Factor above 0 and below 1")
	}
	wants(t, (&ReduceLROnPlateau{Monitor: "lost"}).OnEpochEnd(t.Context(), e()), "ReduceLROnPlateau", `there is no "lost"`)
	for _, s := range []Stateful{&LearningRateScheduler{}, &ReduceLROnPlateau{}} {
		if err := s.LoadState(emptyReader{}); !errors.Is(err, ErrData) {
			t.Errorf("%s: an empty state: %v", s.StateName(), err)
		}
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, errors.New("nothing") }
