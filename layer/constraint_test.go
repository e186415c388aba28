package layer_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
)

func TestConstraints(t *testing.T) {
	w := []float32{3, 1, 4, -1} // columns (3, 4) and (1, -1)
	for _, c := range []struct {
		constraint layer.Constraint
		want       []float32
	}{
		{layer.MaxNorm{Max: 2.5}, []float32{1.5, 1, 2, -1}},
		{layer.NonNeg{}, []float32{3, 1, 4, 0}},
		{layer.UnitNorm{Axis: 0}, []float32{0.6, float32(math.Sqrt(0.5)), 0.8, -float32(math.Sqrt(0.5))}},
		{layer.UnitNorm{Axis: -1}, []float32{3 / float32(math.Sqrt(10)), 1 / float32(math.Sqrt(10)), 4 / float32(math.Sqrt(17)), -1 / float32(math.Sqrt(17))}},
	} {
		got := slices.Clone(w)
		c.constraint.Apply(got, layer.Shape{2, 2})
		if !near(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.constraint, got, c.want)
		}
	}
	d := newDense(t, 2, layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: initializer.Constant{Value: -1}, Constraint: layer.NonNeg{}}})
	run(t, d, floats(t, 1, 3))
	for _, v := range d.Variables() {
		v.Constrain()
	}
	if d.Variables()[0].Value()[0] != 0 {
		t.Errorf("kernel = %v after NonNeg", d.Variables()[0].Value())
	}
}

// TestConstraintAxis: a constraint along an axis that is not there would do nothing.
func TestConstraintAxis(t *testing.T) {
	for _, c := range []struct {
		constraint layer.Constraint
		ok         bool
	}{
		{layer.MaxNorm{Max: 1, Axis: 2}, false}, {layer.UnitNorm{Axis: -3}, false},
		{layer.MaxNorm{Max: 1, Axis: 1}, true}, {layer.UnitNorm{Axis: -2}, true}, {layer.NonNeg{}, true},
	} {
		d := newDense(t, 2, layer.DenseOptions{Kernel: layer.WeightOptions{Constraint: c.constraint}})
		if _, err := d.Apply(input(t, layer.NewScope(1), 3)); (err == nil) != c.ok || err != nil && !errors.Is(err, layer.ErrArgument) {
			t.Errorf("%+v on a kernel of shape (3, 2): error %v", c.constraint, err)
		}
	}
}
