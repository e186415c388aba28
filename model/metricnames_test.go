package model

import (
	"errors"
	"math"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestMetricsOfCounts: metrics of counts by name, of function or class, by
// config and by value, weighted or not.
func TestMetricsOfCounts(t *testing.T) {
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: layer.NewScope(1), Shape: layer.Shape{1}}))
	sigmoid := must[*layer.Activation](t)(layer.NewActivation("sigmoid", layer.Options{}))
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, sigmoid, in)}))
	half := float32(0.5)
	o := OutputOptions{
		LossName:        "binary_crossentropy",
		Metrics:         []metric.Metric{&metric.F1Score{Threshold: &half}},
		MetricNames:     []string{"true_positives", "FalsePositives", "Accuracy"},
		MetricConfigs:   []metric.Config{{ClassName: "PrecisionAtRecall", Config: map[string]any{"recall": 0.5, "name": "at_half"}}},
		WeightedMetrics: []metric.Metric{&metric.FalseNegatives{}}, WeightedMetricNames: []string{"true_negatives"},
	}
	check(t, m.Compile(CompileOptions{OutputOptions: o}))
	data := &Arrays{
		Inputs: []layer.Value{{Floats: floats(t, []float32{2, -2, 1, -1}, 4, 1)}},
		Labels: []*tensor.Values{floats(t, []float32{1, 0, 0, 1}, 4, 1)}, Weights: []float32{1, 2, 1, 3}, BatchSize: 3,
	}
	logs := must[History](t)(m.Fit(t.Context(), data, FitOptions{})).Last()
	for name, want := range map[string]float64{
		"true_positives": 1, "FalsePositives": 1, "Accuracy": 0.5, "at_half": 1, "f1_score": 0.5, "false_negatives": 3, "true_negatives": 2,
	} {
		if got, ok := logs.Get(name); !ok || math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %v, want %v (%v)", name, got, want, logs)
		}
	}
	o.MetricNames = []string{"precision_at_recall"}
	if err := m.Compile(CompileOptions{OutputOptions: o}); !errors.Is(err, metric.ErrConfig) {
		t.Errorf("a recall that nobody gave: %v", err)
	}
}

// TestMetricByName: the width of the output says what "accuracy" and
// "crossentropy" are, and as in Keras capitals say no more.
func TestMetricByName(t *testing.T) {
	for _, name := range []string{"accuracy", "Accuracy", "acc", "ACC", "crossentropy", "CE"} {
		narrow, wide := must[metric.Metric](t)(metricByName(name, 1)), must[metric.Metric](t)(metricByName(name, 3))
		if narrow.Name() != name || wide.Name() != name {
			t.Errorf("%q goes by %q and %q", name, narrow.Name(), wide.Name())
		}
		label := []float32{0, 1, 0} // of one example that is wide, or three that are not
		check(t, errors.Join(narrow.Update([]float32{0.25, 0.75, 0.75}, label, nil), wide.Update([]float32{0.25, 0.75, 0.75}, label, nil)))
		if narrow.Result() == wide.Result() {
			t.Errorf("%q is the same of one number and of three: %v", name, wide.Result())
		}
	}
}
