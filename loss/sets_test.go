package loss_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/loss"
)

// each returns the losses of a batch one by one, or the error of the graph.
func each(l loss.Func, truth, prediction dense.Array) ([]float32, error) {
	p, err := dense.New(dense.Config{Name: "loss", Build: func(tr *dense.Trace) (dense.Result, error) {
		return dense.Result{Outputs: []*graph.Node{l(tr.Input(0), tr.Input(1))}}, nil
	}})
	if err != nil {
		return nil, err
	}
	r, err := p.Run(dense.Args{Inputs: []dense.Array{truth, prediction}})
	if err != nil {
		return nil, err
	}
	return r.Outputs[0].Float, nil
}

// TestLossesOfSets: a loss of all examples together is that of each, so that who
// averages over them, under a mask or with weights, finds it again. Dice is
// Tversky with a half for both errors.
func TestLossesOfSets(t *testing.T) {
	truth := dense.Floats([]float32{1, 0, 1, 1, 0, 0}, 3, 2)
	prediction := dense.Floats([]float32{0.5, 0.25, 1, 0, 0.5, 0.75}, 3, 2)
	// Of the columns: Σ truth·prediction 1.5 and 0, Σ truth 2 and 1, Σ prediction 2 and 1.
	for _, c := range []struct {
		axes []int
		want []float32
	}{
		{nil, []float32{0.5, 0.5, 0.5}},
		{[]int{1, 0}, []float32{0.5, 0.5, 0.5}},
		{[]int{0}, []float32{0.625, 0.625, 0.625}},                       // the mean of 1-3/4 and 1
		{[]int{-1}, []float32{1 - float32(1)/1.75, 1 - float32(2)/3, 1}}, // an example is a set
	} {
		dice := must[loss.Func](t)(loss.NewDice(c.axes...))
		got := must[[]float32](t)(each(dice, truth, prediction))
		agree(t, "dice", got, c.want)
		tversky := must[loss.Func](t)(loss.NewTversky(loss.TverskyOptions{Axes: c.axes}))
		agree(t, "tversky", must[[]float32](t)(each(tversky, truth, prediction)), got)
	}
	empty := dense.Floats(make([]float32, 6), 3, 2)
	for _, l := range []loss.Func{must[loss.Func](t)(loss.NewDice()), must[loss.Func](t)(loss.NewTversky(loss.TverskyOptions{}))} {
		agree(t, "of empty sets", must[[]float32](t)(each(l, empty, empty)), []float32{1, 1, 1}) // and not NaN, as in Keras
	}
	missed := must[loss.Func](t)(loss.NewTversky(loss.TverskyOptions{Alpha: new(1.0), Beta: new(0.0)}))
	// 1.5 in common, and 1.5 of the labels missed.
	agree(t, "missed", must[[]float32](t)(each(missed, truth, prediction)), []float32{0.5, 0.5, 0.5})
}

// TestCircleCountsPairs: who has no pair loses nothing and does not count, and
// the others stand for them in the mean.
func TestCircleCountsPairs(t *testing.T) {
	circle := must[loss.Func](t)(loss.NewCircle(loss.CircleOptions{Gamma: new(1.0), Margin: new(0.5)}))
	prediction := dense.Floats([]float32{1, 0, 1, 0, 0, 1}, 3, 2)
	got := must[[]float32](t)(each(circle, dense.Floats([]float32{4, 4, 7}, 3), prediction))
	// The first two are 0 apart from each other, and 1 from the third, which is alone.
	alone := math.Log1p(math.Exp(-0.25 - 0.25))
	agree(t, "circle", got, []float32{float32(alone * 1.5), float32(alone * 1.5), 0})

	// Embeddings longer than 1 are not nearer than 0.
	long := dense.Floats([]float32{2, 0, 2, 0, 0, 1}, 3, 2)
	agree(t, "long", must[[]float32](t)(each(circle, dense.Floats([]float32{4, 4, 7}, 3), long)), got)

	wide := must[[]float32](t)(each(circle, dense.Floats([]float32{4, 4, 7}, 3, 1), prediction))
	if !slices.Equal(wide, got) {
		t.Errorf("labels of shape (3, 1) give %v, of shape (3) %v", wide, got)
	}
	nan := must[[]float32](t)(each(circle, dense.Floats([]float32{4, float32(math.NaN()), 7}, 3), prediction))
	if nan[1] == nan[1] {
		t.Errorf("the loss of a NaN label is %v", nan)
	}
}

// TestGeneralizedLabels: labels of shape (batch, 1) are one for each example,
// which Keras 3.15.1 documents and does not do; no class has the largest loss.
func TestGeneralizedLabels(t *testing.T) {
	l := must[loss.Func](t)(loss.NewCategoricalGeneralizedCrossEntropy(0.5))
	prediction := dense.Floats([]float32{0.25, 0.75, 0.36, 0.64, 1, 0}, 3, 2)
	want := []float32{1, 0.4, 2} // (1-√p)/0.5
	agree(t, "labels (3)", must[[]float32](t)(each(l, dense.Floats([]float32{0, 1, 9}, 3), prediction)), want)
	agree(t, "labels (3, 1)", must[[]float32](t)(each(l, dense.Floats([]float32{0, 1, 1}, 3, 1), prediction)), want)

	_, gradient := evaluate(t, l, dense.Floats([]float32{0, 1, 1}, 3), prediction, nil)
	agree(t, "gradient", gradient, []float32{-2. / 3, 0, 0, -1.25 / 3, 0, 0}) // -1/√p/3, and 0 of a probability of 0
	subnormal := dense.Floats([]float32{1e-42, 1}, 1, 2)
	_, gradient = evaluate(t, l, dense.Floats([]float32{0}, 1), subnormal, nil)
	agree(t, "gradient of a probability of 1e-42", gradient, []float32{0, 0})
	tiny := dense.Floats([]float32{1e-42, 1, -0.5, 1.5}, 2, 2)
	if got := must[[]float32](t)(each(l, dense.Floats([]float32{0, 0}, 2), tiny)); got[0] != 2 || got[1] == got[1] {
		t.Errorf("of a probability of 1e-42 and of -0.5: %v, want 2 and NaN", got)
	}
}

// TestShapesOfSets: what does not fit is an error of who builds the graph.
func TestShapesOfSets(t *testing.T) {
	focal := must[loss.Func](t)(loss.NewCategoricalFocalCrossentropy(loss.CategoricalFocalOptions{Alpha: []float64{1, 2}}))
	circle := must[loss.Func](t)(loss.NewCircle(loss.CircleOptions{}))
	six := make([]float32, 6)
	for name, c := range map[string]struct {
		l                 loss.Func
		truth, prediction dense.Array
		says              string
	}{
		"alphas":           {focal, dense.Floats(six, 2, 3), dense.Floats(six, 2, 3), "one for each of 3 classes. Received: alpha=[1 2]"},
		"labels":           {must[loss.Func](t)(loss.NewDice()), dense.Floats(six, 3, 2), dense.Floats(six, 2, 3), "labels of shape (3, 2) do not fit"},
		"far axis":         {must[loss.Func](t)(loss.NewDice(2)), dense.Floats(six, 2, 3), dense.Floats(six, 2, 3), "of shape (2, 3). Received: axis=[2]"},
		"axis twice":       {must[loss.Func](t)(loss.NewDice(1, -1)), dense.Floats(six, 2, 3), dense.Floats(six, 2, 3), "different dimensions"},
		"sequences":        {circle, dense.Floats(six, 6), dense.Floats(six, 1, 2, 3), "Received predictions of shape (1, 2, 3)"},
		"classes":          {circle, dense.Floats(six, 6), dense.Floats(six, 2, 3), "class numbers of shape (6,) do not fit"},
		"one-hot classes":  {circle, dense.Floats(six, 2, 3), dense.Floats(six, 2, 3), "class numbers of shape (2, 3) do not fit"},
		"one-hot, general": {must[loss.Func](t)(loss.NewCategoricalGeneralizedCrossEntropy(0.5)), dense.Floats(six, 2, 3), dense.Floats(six, 2, 3), "class numbers of shape (2, 3) do not fit"},
	} {
		if _, err := each(c.l, c.truth, c.prediction); !errors.Is(err, loss.ErrShape) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		}
	}
}

// TestArgumentsOutOfRange: what no config can hold, Go can.
func TestArgumentsOutOfRange(t *testing.T) {
	nan, infinite := math.NaN(), math.Inf(1)
	for says, made := range map[string]func(x float64) (loss.Func, error){
		"CategoricalFocalCrossentropy: `gamma`": func(x float64) (loss.Func, error) {
			return loss.NewCategoricalFocalCrossentropy(loss.CategoricalFocalOptions{Gamma: &x})
		},
		"CategoricalFocalCrossentropy: `gamma` and `alpha`": func(x float64) (loss.Func, error) {
			return loss.NewCategoricalFocalCrossentropy(loss.CategoricalFocalOptions{Alpha: []float64{1, x}})
		},
		"Tversky: `alpha`":            func(x float64) (loss.Func, error) { return loss.NewTversky(loss.TverskyOptions{Alpha: &x}) },
		"Tversky: `alpha` and `beta`": func(x float64) (loss.Func, error) { return loss.NewTversky(loss.TverskyOptions{Beta: &x}) },
		"Circle: `gamma`":             func(x float64) (loss.Func, error) { return loss.NewCircle(loss.CircleOptions{Gamma: &x}) },
		"Circle: `gamma` must be a number above 0 and `margin`": func(x float64) (loss.Func, error) { return loss.NewCircle(loss.CircleOptions{Margin: &x}) },
		"CategoricalGeneralizedCrossEntropy: `q`":               loss.NewCategoricalGeneralizedCrossEntropy,
	} {
		for _, x := range []float64{nan, infinite, -infinite} {
			if _, err := made(x); !errors.Is(err, loss.ErrConfig) || !strings.Contains(err.Error(), says) {
				t.Errorf("of %v: error %v, want one that says %q", x, err, says)
			}
		}
	}
}
