package model

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestClassWeightsAreSampleWeights: they multiply those that the examples have.
func TestClassWeightsAreSampleWeights(t *testing.T) {
	fit := func(data *Arrays, weights map[int]float32) map[string]string {
		m := compileHybrid(t, 5)
		must[History](t)(m.Fit(t.Context(), data, FitOptions{Epochs: 2, ClassWeights: weights}))
		fsys, c := memory(t)
		check(t, m.Save(t.Context(), c, nil))
		return files(t, fsys, c)
	}
	data, byHand := likes(t, 40, 1), likes(t, 40, 1)
	given := slices.Clone(data.Weights)
	for i, y := range byHand.Labels[0].Data() {
		if y == 1 {
			byHand.Weights[i] *= 3
		}
	}
	weighted := fit(data, map[int]float32{1: 3, 7: 2})
	same(t, weighted, fit(byHand, nil))
	if plain := fit(data, nil); plain["dense.arrays"] == weighted["dense.arrays"] {
		t.Error("class weights changed nothing")
	}
	if !slices.Equal(data.Weights, given) {
		t.Error("the source's weights were changed")
	}
	data.Weights = nil
	byHand.Weights = nil
	for _, y := range byHand.Labels[0].Data() {
		byHand.Weights = append(byHand.Weights, 1+2*y)
	}
	same(t, fit(data, map[int]float32{0: 1, 1: 3}), fit(byHand, nil))
}

// TestWeightsInMetrics: sample and class weights count in weighted metrics, and
// only in those; class weights only in training.
func TestWeightsInMetrics(t *testing.T) {
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: layer.NewScope(1), Shape: layer.Shape{3}}))
	d := must[*layer.Activation](t)(layer.NewActivation("softmax", layer.Options{}))
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, d, in)}))
	check(t, m.Compile(CompileOptions{OutputOptions: OutputOptions{
		LossConfig:          &loss.Config{ClassName: "CategoricalCrossentropy", Config: layer.Config{"label_smoothing": 0.1}},
		MetricNames:         []string{"accuracy"},
		MetricConfigs:       []metric.Config{{ClassName: "TopKCategoricalAccuracy", Config: map[string]any{"k": 2, "name": "top2"}}},
		WeightedMetrics:     []metric.Metric{metric.Named("weighted", &metric.CategoricalAccuracy{Classes: 3})},
		WeightedMetricNames: []string{"crossentropy"},
	}}))
	data := &Arrays{
		Inputs: []layer.Value{{Floats: floats(t, []float32{9, 1, 0, 9, 1, 0, 9, 1, 0, 9, 1, 0}, 4, 3)}},
		Labels: []*tensor.Values{floats(t, []float32{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0}, 4, 3)}, Weights: []float32{1, 1, 1, 2}, BatchSize: 3,
	}
	expect := func(what string, logs Logs, want map[string]float64) {
		t.Helper()
		for name, w := range want {
			if got, ok := logs.Get(name); !ok || math.Abs(got-w) > 1e-6 {
				t.Errorf("%s: %s %v, want %v (%v)", what, name, got, w, logs)
			}
		}
	}
	o := FitOptions{ClassWeights: map[int]float32{0: 5}, Validation: data}
	logs := must[History](t)(m.Fit(t.Context(), data, o)).Last()
	expect("training", logs, map[string]float64{"accuracy": 0.25, "top2": 0.75, "weighted": 5.0 / 9})
	expect("validation", logs, map[string]float64{"val_accuracy": 0.25, "val_top2": 0.75, "val_weighted": 0.2})
	if got := logs.Names(); !slices.Contains(got, "val_crossentropy") {
		t.Errorf("logs %v", got)
	}
}

func TestClassWeightsRefuse(t *testing.T) {
	m := compileHybrid(t, 5)
	for _, c := range []map[int]float32{{-1: 1}, {0: -1}, {0: float32(math.NaN())}, {0: float32(math.Inf(1))}} {
		if _, err := m.Fit(t.Context(), likes(t, 9, 1), FitOptions{ClassWeights: c}); !errors.Is(err, ErrArgument) {
			t.Errorf("%v: %v", c, err)
		}
	}
	data := likes(t, 9, 1)
	data.Labels[0].Data()[3] = 0.5
	_, err := m.Fit(t.Context(), data, FitOptions{ClassWeights: map[int]float32{1: 2}})
	if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), "numbers of classes") {
		t.Errorf("a label of 0.5: %v", err)
	}
	if m.Step() != 0 {
		t.Error("a step was made")
	}
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: layer.NewScope(1), Shape: layer.Shape{1}}))
	a := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Options: layer.Options{Name: "a"}}))
	b := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Options: layer.Options{Name: "b"}}))
	two := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, a, in), apply(t, b, in)}))
	check(t, two.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse"}}))
	if _, err := two.Fit(t.Context(), likes(t, 9, 1), FitOptions{ClassWeights: map[int]float32{1: 2}}); !errors.Is(err, ErrArgument) || !strings.Contains(err.Error(), "this one has 2") {
		t.Errorf("two outputs: %v", err)
	}
}
