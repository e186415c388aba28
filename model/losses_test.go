package model

import (
	"math"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestLossesOfSetsInTraining: losses that look at a batch as a whole, or take
// class numbers, by the names and configs of Compile. Sample and class weights
// multiply what each example has of the loss.
func TestLossesOfSetsInTraining(t *testing.T) {
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: layer.NewScope(1), Shape: layer.Shape{2}}))
	d := must[*layer.Dense](t)(layer.NewDense(2, layer.DenseOptions{NoBias: true}))
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, d, in)}))
	check(t, layer.Of(d).SetWeights([][]float32{{1, 0, 0, 1}})) // predicts what it is given

	inputs := []float32{0.5, 0.5, 0.25, 0.75, 0.75, 0.25, 1, 0}
	hot, classes := floats(t, []float32{1, 0, 0, 1, 0, 1, 1, 0}, 4, 2), floats(t, []float32{0, 1, 1, 0}, 4)
	weights := []float32{1, 3, 0, 2}
	rooted := func(p float64) float64 { return (1 - math.Sqrt(p)) * 2 }
	for _, c := range []struct {
		o      OutputOptions
		labels *tensor.Values
		want   float64
	}{
		// In common 0.5 + 0.75 + 0.25 + 1, of 4 and 4; weights of 1.5 in the mean.
		{OutputOptions{LossName: "dice"}, hot, 1.5 * (1 - 2.5/4)},
		{OutputOptions{LossName: "Tversky"}, hot, 1.5 * (1 - 2.5/4)},
		{OutputOptions{LossConfig: &loss.Config{ClassName: "Dice", Config: layer.Config{"axis": []any{1.0}}}}, hot, (0.5 + 3*0.25) / 4},
		{OutputOptions{LossName: "categorical_generalized_cross_entropy"}, classes, (rooted(0.5) + 3*rooted(0.75)) / 4},
		{OutputOptions{LossName: "categorical_focal_crossentropy"}, hot, -0.25 * (0.25*math.Log(0.5) + 3*0.0625*math.Log(0.75)) / 4},
	} {
		check(t, m.Compile(CompileOptions{OutputOptions: c.o, OptimizerName: "sgd"}))
		data := &Arrays{Inputs: []layer.Value{{Floats: floats(t, inputs, 4, 2)}}, Labels: []*tensor.Values{c.labels}, Weights: weights}
		logs := must[Logs](t)(m.Evaluate(t.Context(), data))
		if got, _ := logs.Get("loss"); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%+v: loss %v, want %v", c.o, got, c.want)
		}
		data.Weights = nil
		fit := FitOptions{ClassWeights: map[int]float32{0: 0, 1: 2}}
		byClass := must[History](t)(m.Fit(t.Context(), data, fit)).Last()
		check(t, layer.Of(d).SetWeights([][]float32{{1, 0, 0, 1}}))
		data.Weights = []float32{0, 2, 2, 0}
		got, _ := byClass.Get("loss")
		if want, _ := must[Logs](t)(m.Evaluate(t.Context(), data)).Get("loss"); got != want || got == 0 {
			t.Errorf("%+v: by class weights the loss is %v, by the same sample weights %v", c.o, got, want)
		}
	}

	// By Circle a batch learns to lie together by class.
	check(t, m.Compile(CompileOptions{OutputOptions: OutputOptions{LossConfig: &loss.Config{ClassName: "Circle", Config: layer.Config{"gamma": 2.0}}}, OptimizerName: "adam"}))
	data := &Arrays{Inputs: []layer.Value{{Floats: floats(t, inputs, 4, 2)}}, Labels: []*tensor.Values{classes}}
	losses := must[History](t)(m.Fit(t.Context(), data, FitOptions{Epochs: 20})).Values("loss")
	if before, after := losses[0], losses[19]; !(after < 0.99*before) {
		t.Errorf("circle: the loss goes from %v to %v", before, after)
	}
}
