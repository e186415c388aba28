package model

import (
	"bytes"
	"math"
	"runtime/debug"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// small is a Sequential model of a table of ten rows, not compiled.
func small(t testing.TB) *Sequential {
	t.Helper()
	e := must[*layer.Embedding](t)(layer.NewEmbedding(10, 2, layer.EmbeddingOptions{InputLength: []int{3}}))
	flat := layer.NewFlatten(layer.Options{})
	out := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{}))
	m := must[*Sequential](t)(NewSequential(e, flat, out))
	t.Cleanup(func() {
		for _, table := range m.Tables() {
			table.Close()
		}
	})
	return m
}

func mse(t testing.TB, m *Sequential) *Sequential {
	t.Helper()
	check(t, m.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse"}}))
	return m
}

// TestMisuse does what somebody new might do: each time there must be an error,
// and never a panic.
func TestMisuse(t *testing.T) {
	ctx := t.Context()
	good := func() *Arrays {
		return &Arrays{
			Inputs: []layer.Value{{IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{1, 2, 3, 4, 5, 6}, 2, 3))}},
			Labels: []*tensor.Values{floats(t, []float32{1, 0}, 2)},
		}
	}
	fit := func(change func(a *Arrays)) func() error {
		return func() error {
			m, a := mse(t, small(t)), good()
			change(a)
			_, err := m.Fit(ctx, a, FitOptions{})
			return err
		}
	}
	fitWith := func(c Callback) func() error {
		return func() error {
			_, err := mse(t, small(t)).Fit(ctx, good(), FitOptions{Callbacks: []Callback{c}})
			return err
		}
	}
	evaluate := func(change func(a *Arrays)) func() error {
		return func() error {
			m, a := mse(t, small(t)), good()
			change(a)
			_, err := m.Evaluate(ctx, a)
			return err
		}
	}
	compile := func(o CompileOptions) func() error {
		return func() error { return small(t).Compile(o) }
	}
	nan := float32(math.NaN())
	withIDs := func(ids tensor.IDs) func(*Arrays) {
		return func(a *Arrays) { a.Inputs[0] = layer.Value{IDs: ids} }
	}
	for name, f := range map[string]func() error{
		"a model of nothing":          func() error { _, err := New(nil, nil); return err },
		"a nil tensor":                func() error { _, err := New([]*layer.Tensor{nil}, []*layer.Tensor{nil}); return err },
		"a tensor of nothing":         func() error { _, err := New([]*layer.Tensor{{}}, []*layer.Tensor{{}}); return err },
		"no outputs":                  func() error { m := small(t); _, err := New(m.Inputs(), nil); return err },
		"an output that is no result": func() error { m := small(t); _, err := New(m.Outputs(), m.Inputs()); return err },
		"inputs of another model":     func() error { _, err := New(small(t).Inputs(), small(t).Outputs()); return err },
		"a nil layer":                 func() error { _, err := NewSequential(nil); return err },
		"a typed nil layer":           func() error { _, err := NewSequential((*layer.Dense)(nil)); return err },
		"a layer of nothing":          func() error { _, err := NewSequential(&layer.Dense{}); return err },
		"an embedding of nothing":     func() error { _, err := NewSequential(&layer.Embedding{}); return err },
		"a layer that does not fit":   func() error { m := small(t); return m.Add(m.Layers()[0]) },
		"no model":                    func() error { var m *Model; return m.Compile(CompileOptions{}) },
		"fit of no model":             func() error { var m *Model; _, err := m.Fit(ctx, good(), FitOptions{}); return err },
		"fit of an empty model":       func() error { _, err := new(Model).Fit(ctx, good(), FitOptions{}); return err },
		"fit before compile":          func() error { _, err := small(t).Fit(ctx, good(), FitOptions{}); return err },
		"predict of no model":         func() error { _, err := new(Model).Predict(ctx, good()); return err },
		"predict of an empty model":   func() error { m, _ := NewSequential(); _, err := m.Predict(ctx, good()); return err },
		"summary of an empty model":   func() error { return new(Model).Summary(new(bytes.Buffer)) },
		"save of an empty model":      func() error { return new(Model).Save(ctx, nil, nil) },
		"save to nothing":             func() error { return mse(t, small(t)).Save(ctx, nil, nil) },
		"load from nothing":           func() error { return mse(t, small(t)).Load(ctx, nil) },
		"load from an empty saved":    func() error { return mse(t, small(t)).Load(ctx, &Saved{}) },
		"predict of nil":              func() error { _, err := small(t).Predict(ctx, nil); return err },
		"predict of a nil array":      func() error { _, err := small(t).Predict(ctx, (*Arrays)(nil)); return err },
		"fit of a nil array":          func() error { _, err := mse(t, small(t)).Fit(ctx, (*Arrays)(nil), FitOptions{}); return err },
		"a batch of nothing":          func() error { _, err := small(t).PredictOnBatch(ctx, &Batch{}); return err },
		"a typed nil callback":        fitWith((*EarlyStopping)(nil)),
		"summary for nobody":          func() error { return small(t).Summary(nil) },
		"averages of no model":        func() error { return (*Model)(nil).UseAverages(ctx) },
		"no batch":                    func() error { _, err := small(t).PredictOnBatch(ctx, nil); return err },
		"a dataset of nothing": func() error {
			_, err := mse(t, small(t)).Fit(ctx, FromDataset(nil), FitOptions{})
			return err
		},
		"a batch of no dataset":    func() error { _, err := FromBatch(nil); return err },
		"no loss":                  compile(CompileOptions{}),
		"unknown loss":             compile(CompileOptions{OutputOptions: OutputOptions{LossName: "msq"}}),
		"a loss weight of nothing": compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse", LossWeight: nan}}),
		"unknown metric":           compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse", MetricNames: []string{"x"}}}),
		"a typed nil metric":       compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse", Metrics: []metric.Metric{(*metric.CategoricalAccuracy)(nil)}}}),
		"unknown optimizer":        compile(CompileOptions{OptimizerName: "x", OutputOptions: OutputOptions{LossName: "mse"}}),
		"a rule out of range": compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(nan)},
			OutputOptions: OutputOptions{LossName: "mse"}}),
		"weight decay":               compile(CompileOptions{WeightDecay: nan, OutputOptions: OutputOptions{LossName: "mse"}}),
		"unknown output":             compile(CompileOptions{Outputs: map[string]OutputOptions{"x": {LossName: "mse"}}}),
		"no arrays":                  fit(func(a *Arrays) { *a = Arrays{} }),
		"no labels":                  fit(func(a *Arrays) { a.Labels = nil }),
		"a nil label":                fit(func(a *Arrays) { a.Labels[0] = nil }),
		"empty labels":               fit(func(a *Arrays) { a.Labels[0] = &tensor.Values{} }),
		"labels too short":           fit(func(a *Arrays) { a.Labels[0] = floats(t, []float32{1}, 1) }),
		"labels too wide":            fit(func(a *Arrays) { a.Labels[0] = floats(t, make([]float32, 4), 2, 2) }),
		"labels of no width":         fit(func(a *Arrays) { a.Labels[0] = floats(t, nil, 2, 0) }),
		"labels that are no number":  fit(func(a *Arrays) { a.Labels[0].Data()[0] = nan }),
		"infinite labels":            fit(func(a *Arrays) { a.Labels[0].Data()[0] = float32(math.Inf(1)) }),
		"weights too short":          fit(func(a *Arrays) { a.Weights = []float32{1} }),
		"no weights":                 fit(func(a *Arrays) { a.Weights = []float32{} }),
		"weights that are no number": fit(func(a *Arrays) { a.Weights = []float32{1, nan} }),
		"batches of less than one":   fit(func(a *Arrays) { a.BatchSize = -1 }),
		"an empty value":             fit(func(a *Arrays) { a.Inputs[0] = layer.Value{} }),
		"typed nil ids":              fit(withIDs((*tensor.Dense[int64])(nil))),
		"typed nil ragged ids":       fit(withIDs((*tensor.Ragged[int64])(nil))),
		"ids of no shape":            fit(withIDs(&tensor.Dense[int64]{})),
		"ids of strings":             fit(withIDs(must[*tensor.Dense[string]](t)(tensor.NewDense(make([]string, 6), 2, 3)))),
		"ids out of range":           fit(withIDs(must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{1, 2, 3, 4, 5, 60}, 2, 3)))),
		"ids of another length":      fit(withIDs(must[*tensor.Dense[int64]](t)(tensor.NewDense(make([]int64, 8), 2, 4)))),
		"ids of no bags":             fit(withIDs(tensor.RaggedOf[int64]())),
		"ids that are ragged":        fit(withIDs(tensor.RaggedOf([]int64{1}, []int64{2, 3}))),
		"floats for ids":             fit(func(a *Arrays) { a.Inputs[0] = layer.Value{Floats: floats(t, make([]float32, 6), 2, 3)} }),
		"both":                       fit(func(a *Arrays) { a.Inputs[0].Floats = floats(t, make([]float32, 6), 2, 3) }),
		"a mask too short":           fit(func(a *Arrays) { a.Inputs[0].Mask = []bool{true} }),
		"a mask of an input": func() error {
			in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Shape: layer.Shape{2, 1}}))
			pool := layer.NewGlobalAveragePooling1D(false, layer.Options{})
			m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, pool, in)}))
			_, err := m.Predict(ctx, &Arrays{Inputs: []layer.Value{{Floats: floats(t, []float32{1, 3}, 1, 2, 1), Mask: []bool{true, false}}}})
			return err
		},
		"too many inputs":         fit(func(a *Arrays) { a.Inputs = append(a.Inputs, a.Inputs[0]) }),
		"evaluate without labels": evaluate(func(a *Arrays) { a.Labels = nil }),
		"negative epochs": func() error {
			_, err := mse(t, small(t)).Fit(ctx, good(), FitOptions{Epochs: -1})
			return err
		},
		"a nil callback": func() error {
			_, err := mse(t, small(t)).Fit(ctx, good(), FitOptions{Callbacks: []Callback{nil}})
			return err
		},
		"a closed table": func() error {
			m := mse(t, small(t))
			m.Tables()[0].Close()
			_, err := m.Fit(ctx, good(), FitOptions{})
			return err
		},
		"predict with a closed table": func() error {
			m := small(t)
			m.Tables()[0].Close()
			_, err := m.Predict(ctx, good())
			return err
		},
		"compile with a closed table": func() error {
			m := small(t)
			m.Tables()[0].Close()
			return m.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			if err := f(); err == nil {
				t.Error("no error")
			} else {
				t.Log(err)
			}
		})
	}
}

// TestPredictBeforeFit: a model that was never trained or compiled predicts.
func TestPredictBeforeFit(t *testing.T) {
	out, err := small(t).Predict(t.Context(), &Arrays{Inputs: []layer.Value{
		{IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{1, 2, 3, 4, 5, 6}, 2, 3))}}})
	if err != nil || len(out) != 1 || out[0].Len() != 2 {
		t.Errorf("%v, %v", out, err)
	}
}
