package loss_test

import (
	"math"
	"testing"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/loss"
)

// TestGradientsMatchFiniteDifferences: of the losses that are more than a formula
// of graph operations, with weights of examples. The step is one at which
// neither the rounding of float32, of some 1e-7 over it, nor the curvature of
// these losses shows in a thousandth.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	const step = 4e-3
	hot := dense.Floats([]float32{1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0}, 4, 3)
	classes := dense.Floats([]float32{0, 2, 1, 1}, 4)
	probabilities := []float32{0.5, 0.2, 0.3, 0.1, 0.3, 0.6, 0.4, 0.25, 0.35, 0.2, 0.7, 0.1}
	weights := []float32{0.5, 2, 0.25, 1}
	for name, c := range map[string]struct {
		l     loss.Func
		truth dense.Array
	}{
		"categorical focal": {must[loss.Func](t)(loss.NewCategoricalFocalCrossentropy(loss.CategoricalFocalOptions{Gamma: new(1.5), Alpha: []float64{0.3, 1, 2}})), hot},
		"of logits":         {must[loss.Func](t)(loss.NewCategoricalFocalCrossentropy(loss.CategoricalFocalOptions{CrossentropyOptions: loss.CrossentropyOptions{FromLogits: true, LabelSmoothing: 0.1}})), hot},
		"dice":              {must[loss.Func](t)(loss.NewDice()), hot},
		"dice of columns":   {must[loss.Func](t)(loss.NewDice(0)), hot},
		"tversky of rows":   {must[loss.Func](t)(loss.NewTversky(loss.TverskyOptions{Alpha: new(0.2), Beta: new(1.0), Axes: []int{-1}})), hot},
		"circle":            {must[loss.Func](t)(loss.NewCircle(loss.CircleOptions{Gamma: new(2.0)})), classes},
		"circle, diagonal":  {must[loss.Func](t)(loss.NewCircle(loss.CircleOptions{Gamma: new(3.0), Margin: new(0.1), KeepDiagonal: true})), classes},
		"generalized":       {must[loss.Func](t)(loss.NewCategoricalGeneralizedCrossEntropy(0.6)), classes},
	} {
		at := func(i int, by float32) float64 {
			moved := append([]float32(nil), probabilities...)
			moved[i] += by
			v, _ := evaluate(t, c.l, c.truth, dense.Floats(moved, 4, 3), weights)
			return float64(v)
		}
		_, gradient := evaluate(t, c.l, c.truth, dense.Floats(probabilities, 4, 3), weights)
		for i, g := range gradient {
			want := (at(i, step) - at(i, -step)) / (2 * step)
			if math.Abs(want-float64(g)) > 1e-3*(1+math.Abs(want)) {
				t.Errorf("%s: gradient %d is %v, finite difference %v", name, i, g, want)
			}
		}
	}
}
