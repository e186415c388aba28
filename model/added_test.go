package model

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/layer/op"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// inner returns the rows that the model of weighted computes from ids.
func inner(m *Model) *layer.Tensor { return m.Outputs()[0].Node().In[0] }

// TestAddedLossIsTrained: with weights of 1, y = 2 and the gradient of a loss of
// 3 Σ row is 3 by each number of the row. The label of 2 adds nothing.
func TestAddedLossIsTrained(t *testing.T) {
	m := weighted(t, 1, 1)
	check(t, m.AddLoss(op.Scale(op.ReduceSum(inner(m)), 3)))
	compileSGD(t, m, CompileOptions{}, optim.Clip{})
	b := &Batch{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{2}, 1)}}
	if loss := must[float64](t)(m.TrainOnBatch(t.Context(), b)); loss != 6 {
		t.Errorf("loss = %v, want 6", loss)
	}
	row, kernel := rows(t, m)
	near(t, "row", row, 0.7, 0.7)
	near(t, "kernel", kernel, 1, 1)
	logs := must[Logs](t)(m.Evaluate(t.Context(), &Arrays{Inputs: []layer.Value{ids(t, 1)}, Labels: b.Labels}))
	if loss, _ := logs.Get("loss"); loss < 4.5 || loss > 4.6 { // 3·1.4 + (1.4-2)²
		t.Errorf("evaluated loss = %v, want 4.56", loss)
	}
}

// TestTrainedOnAddedLossesAlone needs no labels.
func TestTrainedOnAddedLossesAlone(t *testing.T) {
	m := weighted(t, 1, 1)
	if err := m.Compile(CompileOptions{}); !errors.Is(err, ErrArgument) {
		t.Fatalf("a model without any loss: %v", err)
	}
	check(t, m.AddLoss(op.ReduceSum(inner(m))))
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1)}}))
	h := must[History](t)(m.Fit(t.Context(), &Arrays{Inputs: []layer.Value{ids(t, 1)}}, FitOptions{Epochs: 2}))
	if got := h.Values("loss"); !slices.Equal(got, []float64{2, float64(float32(1.8))}) {
		t.Errorf("losses = %v, want 2 and 1.8", got)
	}
}

// TestAddedMetrics are logged by Fit and Evaluate: scalars as means over the
// examples, objects over all numbers of an epoch, and both of validation too.
func TestAddedMetrics(t *testing.T) {
	m := weighted(t, 1, 1)
	check(t, m.AddMetric("sum", op.ReduceSum(m.Outputs()[0])))
	mean := metric.Named("mean row", new(metric.Mean))
	check(t, m.AddMetricObject(mean, inner(m)))
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1)}, OutputOptions: OutputOptions{LossName: "mse"}}))
	data := &Arrays{Inputs: []layer.Value{ids(t, 1, 2, 3)}, Labels: []*tensor.Values{floats(t, []float32{2, 2, 2}, 3)}, BatchSize: 2}
	h := must[History](t)(m.Fit(t.Context(), data, FitOptions{Epochs: 2, Validation: data}))
	logs := must[Logs](t)(m.Evaluate(t.Context(), data))
	for what, l := range map[string]Logs{"first": h[0].Logs, "second": h.Last(), "evaluated": logs} {
		if got := l.Names()[:3]; !slices.Equal(got, []string{"loss", "sum", "mean row"}) {
			t.Errorf("%s: logs of %v", what, got)
		}
		sum, _ := l.Get("sum")
		row, _ := l.Get("mean row")
		if sum != 10.0/3 || row != 1 { // 4 of two examples, 2 of one
			t.Errorf("%s: sum %v, mean row %v; want 10/3 and 1", what, sum, row)
		}
	}
	if v, ok := h.Last().Get("val_mean row"); !ok || v != 1 {
		t.Errorf("validation: %v", h.Last())
	}
	terms := must[[]*layer.MetricTerm](t)(m.Metrics())
	if len(terms) != 2 || terms[0].Name() != "sum" || terms[1].Metric() != mean {
		t.Errorf("%d metrics", len(terms))
	}
}

// TestAddedMetricsAreSaved: a training that is stopped within an epoch goes on
// with what its metrics had seen.
func TestAddedMetricsAreSaved(t *testing.T) {
	build := func() *Model {
		m := hybrid(t, 5)
		out := m.Outputs()[0]
		check(t, m.AddLoss(op.Scale(op.ReduceMean(op.Square(out.Node().In[0])), 0.1)))
		check(t, m.AddMetric("largest", op.ReduceMax(out)))
		check(t, m.AddMetricObject(metric.Named("average", new(metric.Mean)), out))
		check(t, m.Compile(CompileOptions{Optimizer: exactAdam(), OutputOptions: OutputOptions{LossName: "binary_crossentropy"}}))
		return m
	}
	data := likes(t, trainExamples, 1)
	want := must[History](t)(build().Fit(t.Context(), data, FitOptions{Epochs: 2}))

	_, c := memory(t)
	first := build()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := first.Fit(ctx, data, FitOptions{Epochs: 2, Callbacks: []Callback{hook{batch: func(e *Event) error {
		if e.Step == 7 {
			cancel()
		}
		return nil
	}}}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	check(t, first.Save(t.Context(), c, nil))
	again := build()
	check(t, again.Load(t.Context(), must[*Saved](t)(c.Latest())))
	got := must[History](t)(again.Fit(t.Context(), data, FitOptions{Epochs: 2, Resume: true}))
	for e := range want {
		if !slices.Equal(got[e].Logs, want[e].Logs) {
			t.Errorf("epoch %d: stopped and resumed %v, in one go %v", e, got[e].Logs, want[e].Logs)
		}
	}
	if average := got.Values("average"); len(average) != 2 || average[0] == average[1] {
		t.Errorf("averages %v", average)
	}
}

// TestAddingIsRefused, and leaves the model as it was.
func TestAddingIsRefused(t *testing.T) {
	m := weighted(t, 1, 1)
	compileSGD(t, m, CompileOptions{}, optim.Clip{})
	other := weighted(t, 1, 1)
	stranger := op.ReduceSum(other.Outputs()[0])
	for _, c := range []struct {
		err   error
		parts []string
	}{
		{m.AddLoss(stranger), []string{"must lead back to its inputs", "graph disconnected", `"id"`}},
		{m.AddMetric("sum", stranger), []string{"must lead back to its inputs", `metric "sum"`}},
		{m.AddMetricObject(new(metric.Mean), other.Outputs()[0]), []string{"must lead back to its inputs", `metric "mean"`}},
		{m.AddLoss(m.Outputs()[0]), []string{"must be a scalar"}},
		{m.AddLossFunc(nil), []string{"nil"}},
		{m.AddMetric("", op.ReduceSum(inner(m))), []string{"needs a name"}},
		{new(Model).AddLoss(stranger), []string{"add a layer first"}},
	} {
		wants(t, c.err, c.parts...)
	}
	for _, n := range []int{len(must[[]*layer.LossTerm](t)(m.Losses())), len(must[[]*layer.MetricTerm](t)(m.Metrics()))} {
		if n != 0 {
			t.Errorf("%d terms were added all the same", n)
		}
	}
	b := &Batch{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{0}, 1)}}
	must[float64](t)(m.TrainOnBatch(t.Context(), b)) // still compiled
	check(t, m.AddMetric("sum", op.ReduceSum(inner(m))))
	_, err := m.TrainOnBatch(t.Context(), b)
	wants(t, err, "call Compile first")
	wants(t, m.AddMetric("sum", op.ReduceSum(inner(m))), `named "sum" already`)
	wants(t, m.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse", Metrics: []metric.Metric{metric.Named("sum", new(metric.MAE))}}}), `metric "sum" is there twice`)
	for _, f := range []func() error{
		func() error { _, err := new(Model).Losses(); return err },
		func() error { _, err := new(Model).Updates(); return err },
		func() error { _, err := new(Model).Metrics(); return err },
	} {
		wants(t, f(), "add a layer first")
	}
}

// TestLayersAddToACompiledModel: what was added to a layer since the model was
// made is part of it when it is compiled; a failed Compile changes nothing.
func TestLayersAddToACompiledModel(t *testing.T) {
	m := weighted(t, 1, 1)
	out := layer.Of(m.Layer("out"))
	check(t, out.AddMetric("max", op.ReduceMax(m.Outputs()[0])))
	check(t, out.AddLoss(op.ReduceSum(m.Outputs()[0])))
	if terms := must[[]*layer.LossTerm](t)(m.Losses()); len(terms) != 1 || terms[0].Layer() != "out" {
		t.Errorf("%d losses before Compile, want that of the layer", len(terms))
	}
	wants(t, m.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "nonsense"}}), "unknown loss")
	if n := len(m.Layers()); n != 2 {
		t.Errorf("after a Compile that failed there are %d layers, want 2", n)
	}
	compileSGD(t, m, CompileOptions{}, optim.Clip{})
	data := &Arrays{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{2}, 1)}}
	logs := must[Logs](t)(m.Evaluate(t.Context(), data))
	if loss, _ := logs.Get("loss"); loss != 2 {
		t.Errorf("loss = %v, want the added 2", loss)
	}
	if top, ok := logs.Get("max"); !ok || top != 2 {
		t.Errorf("logs %v, want a max of 2", logs)
	}
	if n := len(m.Layers()); n != 4 {
		t.Errorf("%d layers, want two, and two operations", n)
	}
}
