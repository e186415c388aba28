package model

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

func TestFitTellsCallbacks(t *testing.T) {
	m := compileHybrid(t, 1)
	var told []string
	c := hook{
		batch: func(e *Event) error {
			told = append(told, fmt.Sprintf("batch %d/%d of %d/%d step %d after %d: %v", e.Batch, e.Batches, e.Epoch, e.Epochs, e.Step, e.Examples, e.Logs.Names()))
			return nil
		},
		epoch: func(e *Event) error {
			told = append(told, fmt.Sprintf("epoch %d: %v", e.Epoch, e.Logs.Names()))
			return nil
		},
	}
	h := must[History](t)(m.Fit(t.Context(), likes(t, 20, 1), FitOptions{InitialEpoch: 1, Epochs: 3, Validation: likes(t, 9, 2), Callbacks: []Callback{c}}))
	logs := "[loss auc accuracy val_loss val_auc val_accuracy]"
	want := []string{
		"batch 1/2 of 1/3 step 1 after 16: [loss]", "batch 2/2 of 1/3 step 2 after 20: [loss]", "epoch 1: " + logs,
		"batch 1/2 of 2/3 step 3 after 16: [loss]", "batch 2/2 of 2/3 step 4 after 20: [loss]", "epoch 2: " + logs,
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if len(h) != 2 || h[0].Epoch != 1 || len(h.Values("val_auc")) != 2 || !slices.Equal(h.Last().Names(), h[1].Logs.Names()) {
		t.Errorf("history %v", h)
	}
}

// The loss of an epoch is the mean over examples, whatever the batches: with a
// learning rate of 0 and no dropout it is what Evaluate finds in one batch.
func TestLossAndMetricsAreOverAllExamples(t *testing.T) {
	m := weighted(t, 1, 1)
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0)},
		OutputOptions: OutputOptions{LossName: "mse", MetricNames: []string{"rmse", "mae"}}}))
	a := &Arrays{Inputs: []layer.Value{ids(t, 0, 1, 2, 3, 0)}, Labels: []*tensor.Values{floats(t, []float32{0, 1, 2, 3, 6}, 5)}, BatchSize: 2}
	for _, size := range []int{1, 2, 3, 5, 9} {
		a.BatchSize = size
		h := must[History](t)(m.Fit(t.Context(), a, FitOptions{}))
		e := must[Logs](t)(m.Evaluate(t.Context(), a))
		for _, logs := range []Logs{h.Last(), e} { // errors 2 1 0 -1 -4
			for name, want := range map[string]float64{"loss": 22. / 5, "rmse": math.Sqrt(22. / 5), "mae": 8. / 5} {
				if got, ok := logs.Get(name); !ok || math.Abs(got-want) > 1e-6 {
					t.Errorf("batches of %d: %s %v, want %v", size, name, got, want)
				}
			}
		}
	}
}

func TestEvaluateInACallbackLeavesMetricsAlone(t *testing.T) {
	run := func(c ...Callback) Logs {
		return must[History](t)(compileHybrid(t, 1).Fit(t.Context(), likes(t, 100, 1), FitOptions{Callbacks: c})).Last()
	}
	other := likes(t, 30, 9)
	got := run(hook{batch: func(e *Event) error {
		_, err := e.Model.Evaluate(t.Context(), other)
		return err
	}})
	if want := run(); !slices.Equal(got, want) {
		t.Errorf("logs %v, want %v", got, want)
	}
}

func TestStopInTheMiddleOfAnEpoch(t *testing.T) {
	m := compileHybrid(t, 1)
	stop := hook{batch: func(e *Event) error {
		if e.Step == 3 {
			e.Stop()
		}
		return nil
	}}
	h := must[History](t)(m.Fit(t.Context(), likes(t, 100, 1), FitOptions{Epochs: 4, Callbacks: []Callback{stop}}))
	if len(h) != 1 || m.Step() != 3 {
		t.Errorf("%d epochs and %d steps, want 1 and 3", len(h), m.Step())
	}
	again := must[History](t)(m.Fit(t.Context(), likes(t, 100, 1), FitOptions{Epochs: 4, Resume: true}))
	if len(again) != 1 || m.Step() != 3 {
		t.Errorf("a training that was stopped went on to step %d", m.Step())
	}
	must[History](t)(m.Fit(t.Context(), likes(t, 100, 1), FitOptions{Epochs: 1}))
	if m.Step() != 10 {
		t.Errorf("a new training ended at step %d, want 10", m.Step())
	}
}

// ender notes how training ended.
type ender struct {
	Hooks
	ends []error
}

func (c *ender) OnTrainEnd(_ context.Context, e *Event) error {
	c.ends = append(c.ends, e.Err)
	return nil
}

func TestFitEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	end := &ender{}
	m := compileHybrid(t, 1)
	_, err := m.Fit(ctx, likes(t, 100, 1), FitOptions{Callbacks: []Callback{end, hook{batch: func(e *Event) error {
		if e.Step == 2 {
			cancel()
		}
		return nil
	}}}})
	if !errors.Is(err, context.Canceled) || m.Step() != 2 || len(end.ends) != 1 || !errors.Is(end.ends[0], context.Canceled) {
		t.Errorf("error %v at step %d, ends %v", err, m.Step(), end.ends)
	}
	_, err = m.Fit(ctx, likes(t, 100, 1), FitOptions{Resume: true})
	if !errors.Is(err, context.Canceled) || m.Step() != 2 {
		t.Errorf("error %v at step %d", err, m.Step())
	}
	must[History](t)(m.Fit(t.Context(), likes(t, 100, 1), FitOptions{Resume: true, Callbacks: []Callback{end}}))
	if m.Step() != 7 || len(end.ends) != 2 || end.ends[1] != nil {
		t.Errorf("step %d, ends %v", m.Step(), end.ends)
	}
	bad := errors.New("bad")
	_, err = m.Fit(t.Context(), likes(t, 100, 1), FitOptions{Callbacks: []Callback{end, hook{epoch: func(*Event) error { return bad }}}})
	if !errors.Is(err, bad) || len(end.ends) != 3 || !errors.Is(end.ends[2], bad) {
		t.Errorf("error %v, ends %v", err, end.ends)
	}
	_, err = m.Fit(t.Context(), likes(t, 100, 1), FitOptions{Callbacks: []Callback{hook{batch: func(e *Event) error {
		_, err := e.Model.Fit(t.Context(), likes(t, 100, 1), FitOptions{})
		return err
	}}}})
	if !errors.Is(err, ErrBusy) {
		t.Errorf("Fit within Fit: %v", err)
	}
	for _, o := range []FitOptions{{Epochs: -1}, {InitialEpoch: -2}, {InitialEpoch: 3, Epochs: 2}, {Callbacks: []Callback{nil}}} {
		if _, err := m.Fit(t.Context(), likes(t, 9, 1), o); !errors.Is(err, ErrArgument) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := m.Fit(t.Context(), nil, FitOptions{}); !errors.Is(err, ErrArgument) {
		t.Errorf("no source: %v", err)
	}
}

func TestEarlyStopping(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		s      EarlyStopping
		values []float64
		stop   int // epoch at whose end it stops, -1 never
		best   int
	}{
		{"at once", EarlyStopping{}, []float64{3, 2, 2}, 2, 1},
		{"patience", EarlyStopping{Patience: 2}, []float64{3, 2, 2.5, 1, 5, 5}, 5, 3},
		{"min delta", EarlyStopping{MinDelta: 0.5, Patience: 2}, []float64{3, 2.6, 2.6}, 2, 0},
		{"max", EarlyStopping{Mode: "max"}, []float64{1, 2, 1}, 2, 1},
		{"auto max", EarlyStopping{Monitor: "val_auc"}, []float64{1, 2, 1}, 2, 1},
		{"NaN is no better", EarlyStopping{Patience: 2}, []float64{nan, 5, nan, nan}, 3, 1},
		{"auto max of an output", EarlyStopping{Monitor: "val_likes_auc_pr"}, []float64{1, 2, 1}, 2, 1},
		{"auto min", EarlyStopping{Monitor: "val_mae"}, []float64{1, 2}, 1, 0},
		{"baseline", EarlyStopping{Baseline: new(2.0), Patience: 2}, []float64{3, 2.5, 2.5}, 2, 1},
		{"baseline reached", EarlyStopping{Baseline: new(2.6), Patience: 2}, []float64{3, 2.5, 2.5}, -1, 1},
		{"start", EarlyStopping{StartFromEpoch: 2}, []float64{1, 5, 4, 4}, 3, 2},
		{"never", EarlyStopping{}, []float64{3, 2, 1}, -1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			for epoch, v := range c.values {
				e := &Event{Epoch: epoch, Logs: Logs{{cmp.Or(c.s.Monitor, "val_loss"), v}}}
				check(t, c.s.OnEpochEnd(t.Context(), e))
				if e.stop != (epoch == c.stop) {
					t.Errorf("epoch %d: stop %v", epoch, e.stop)
				}
			}
			if best, _, ok := c.s.BestEpoch(); !ok || best != c.best {
				t.Errorf("best epoch %d, want %d", best, c.best)
			}
			var b bytes.Buffer
			check(t, c.s.SaveState(&b))
			var again EarlyStopping
			check(t, again.LoadState(&b))
			if again.state != c.s.state {
				t.Errorf("state %+v came back as %+v", c.s.state, again.state)
			}
		})
	}
	s := &EarlyStopping{Monitor: "vall_loss"}
	wants(t, s.OnEpochEnd(t.Context(), &Event{Logs: Logs{{"loss", 1}, {"val_loss", 1}}}), "vall_loss", "val_loss")
	s = &EarlyStopping{Monitor: "loss", Mode: "up"}
	wants(t, s.OnEpochEnd(t.Context(), &Event{Logs: Logs{{"loss", 1}}}), "up")
	wants(t, s.LoadState(strings.NewReader(`{"snapshot":{"names":["x"],"sizes":[9]}}`+"\nabc")), `"x"`)
	wants(t, s.LoadState(strings.NewReader(`{`)), "early")
}

func TestLogsKeepAllBits(t *testing.T) {
	want := Logs{{"loss", 1. / 3}, {"auc", math.NaN()}, {"x", math.Inf(1)}}
	b := must[[]byte](t)(json.Marshal(want))
	var got Logs
	check(t, json.Unmarshal(b, &got))
	if got[0] != want[0] || !math.IsNaN(got[1].Value) || got[2] != want[2] {
		t.Errorf("%v came back as %v", want, got)
	}
	if s := want.String(); s != "loss 0.3333  auc NaN  x +Inf" {
		t.Error(s)
	}
	if err := json.Unmarshal([]byte(`[{"name":"a","value":[]}]`), &got); err == nil {
		t.Error("a list was taken for a number")
	}
}

// badSource fails in the middle of an epoch.
type badSource struct{ *Arrays }

func (s badSource) Batches(ctx context.Context, from dataset.Cursor) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		for b, err := range s.Arrays.Batches(ctx, from) {
			if !yield(b, err) {
				return
			}
			yield(nil, dataset.ErrParse)
			return
		}
	}
}

func TestSourceErrors(t *testing.T) {
	m := compileHybrid(t, 1)
	if _, err := m.Fit(t.Context(), badSource{likes(t, 50, 1)}, FitOptions{}); !errors.Is(err, dataset.ErrParse) || m.Step() != 1 {
		t.Errorf("Fit: %v at step %d", err, m.Step())
	}
	if _, err := m.Evaluate(t.Context(), badSource{likes(t, 50, 1)}); !errors.Is(err, dataset.ErrParse) {
		t.Errorf("Evaluate: %v", err)
	}
	if _, err := m.Predict(t.Context(), badSource{likes(t, 50, 1)}); !errors.Is(err, dataset.ErrParse) {
		t.Errorf("Predict: %v", err)
	}
	if _, err := m.Fit(t.Context(), FromDataset(nil), FitOptions{}); !errors.Is(err, ErrArgument) {
		t.Errorf("nil dataset: %v", err)
	}
	if _, err := m.Predict(t.Context(), nil); !errors.Is(err, ErrArgument) {
		t.Errorf("nil source: %v", err)
	}
	if _, err := m.Evaluate(t.Context(), nil); !errors.Is(err, ErrArgument) {
		t.Errorf("nil source: %v", err)
	}
}

func TestCompileErrors(t *testing.T) {
	m := weighted(t, 1, 1)
	rmse := &metric.RMSE{}
	for _, c := range []struct {
		name string
		o    CompileOptions
		want []string
	}{
		{"no loss", CompileOptions{}, []string{"no output has a loss"}},
		{"unknown loss", CompileOptions{OutputOptions: OutputOptions{LossName: "mean_sq"}}, []string{"mean_sq", "mean_squared_error"}},
		{"two losses", CompileOptions{OutputOptions: OutputOptions{LossName: "mse", Loss: loss.MeanSquaredError}}, []string{"set one of Loss, LossName and LossConfig"}},
		{"loss argument", CompileOptions{OutputOptions: OutputOptions{LossConfig: &loss.Config{ClassName: "Huber", Config: layer.Config{"detla": 1}}}}, []string{`did you mean "delta"`}},
		{"metric argument", CompileOptions{OutputOptions: OutputOptions{LossName: "mse", MetricConfigs: []metric.Config{{ClassName: "AUC", Config: map[string]any{"curves": "PR"}}}}}, []string{`did you mean "curve"`}},
		{"weighted metric", CompileOptions{OutputOptions: OutputOptions{LossName: "mse", WeightedMetricNames: []string{"rsme"}}}, []string{"rsme", "rmse"}},
		{"metric twice", CompileOptions{OutputOptions: OutputOptions{LossName: "mse", MetricNames: []string{"mae"}, WeightedMetricNames: []string{"mae"}}}, []string{`metric "mae" is there twice`}},
		{"unknown metric", CompileOptions{OutputOptions: OutputOptions{LossName: "mse", MetricNames: []string{"rsme"}}}, []string{"rsme", "rmse"}},
		{"metric without loss", CompileOptions{OutputOptions: OutputOptions{MetricNames: []string{"rmse"}}}, []string{"labels"}},
		{"metric twice", CompileOptions{OutputOptions: OutputOptions{LossName: "mse", Metrics: []metric.Metric{rmse}, MetricNames: []string{"rmse"}}}, []string{"twice"}},
		{"nil metric", CompileOptions{OutputOptions: OutputOptions{LossName: "mse", Metrics: []metric.Metric{nil}}}, []string{"nil"}},
		{"unknown optimizer", CompileOptions{OptimizerName: "adaam", OutputOptions: OutputOptions{LossName: "mse"}}, []string{"adaam", "adam"}},
		{"two optimizers", CompileOptions{Optimizer: &optim.Optimizer{}, OptimizerName: "adam", OutputOptions: OutputOptions{LossName: "mse"}}, []string{"set one of Optimizer, OptimizerName and OptimizerConfig"}},
		{"optimizer argument", CompileOptions{OptimizerConfig: &optim.Config{ClassName: "Adam", Config: map[string]any{"beta": 1}}, OutputOptions: OutputOptions{LossName: "mse"}}, []string{"Adam", `"beta"`}},
		{"bad optimizer", CompileOptions{Optimizer: &optim.Optimizer{Rate: optim.Constant(-1)}, OutputOptions: OutputOptions{LossName: "mse"}}, []string{"learning_rate"}},
		{"decay", CompileOptions{WeightDecay: -1, OutputOptions: OutputOptions{LossName: "mse"}}, []string{"WeightDecay"}},
		{"unknown table", CompileOptions{TableOptimizers: map[string]*optim.Optimizer{"rows": {}}, OutputOptions: OutputOptions{LossName: "mse"}}, []string{`"rows"`, `did you mean "row"`}},
		{"nil table optimizer", CompileOptions{TableOptimizers: map[string]*optim.Optimizer{"row": nil}, OutputOptions: OutputOptions{LossName: "mse"}}, []string{"nil"}},
		{"unknown output", CompileOptions{Outputs: map[string]OutputOptions{"oat": {}}, OutputOptions: OutputOptions{LossName: "mse"}}, []string{`did you mean "out"`}},
	} {
		t.Run(c.name, func(t *testing.T) { wants(t, m.Compile(c.o), c.want...) })
	}
	if m.compiled != nil {
		t.Error("compiled after an error")
	}
}

// TestMetricsHeedMasks: a metric leaves out what the mask of its output does,
// as the loss of the same name; sample weights hold for the rest of a weighted one.
func TestMetricsHeedMasks(t *testing.T) {
	e := must[*layer.Embedding](t)(layer.NewEmbedding(4, 1, layer.EmbeddingOptions{MaskZero: true, InputLength: []int{2},
		Options: layer.Options{Weights: [][]float32{{9, 1, 2, 3}}}}))
	m := must[*Sequential](t)(NewSequential(e))
	t.Cleanup(func() { m.Tables()[0].Close() })
	check(t, m.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mae", MetricNames: []string{"mae"}, WeightedMetricNames: []string{"mean_absolute_error"}}}))
	data := &Arrays{
		Inputs: []layer.Value{{IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{1, 0, 2, 3}, 2, 2))}},
		Labels: []*tensor.Values{floats(t, []float32{0, 1000, 0, 0}, 2, 2, 1)},
	}
	for _, c := range []struct {
		weights []float32
		want    float64
	}{{nil, 2}, {[]float32{3, 1}, (3 + 2 + 3) / 5.0}} {
		data.Weights = c.weights
		logs := must[Logs](t)(m.Evaluate(t.Context(), data))
		if got, _ := logs.Get("mean_absolute_error"); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("weights %v: %v, want a weighted error of %v", c.weights, logs, c.want)
		}
		if got, _ := logs.Get("mae"); got != 2 {
			t.Errorf("weights %v: %v, want an unweighted error of 2", c.weights, logs)
		}
		if loss, _ := logs.Get("loss"); c.weights == nil && loss != 2 {
			t.Errorf("loss %v, want 2", loss)
		}
	}
}
