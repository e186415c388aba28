package layer

import (
	"fmt"
	"math"
)

// Constraint is applied to a dense weight after each update.
type Constraint interface {
	// Class is Keras' class name.
	Class() string
	// Apply changes w, an array of the given shape, in place.
	Apply(w []float32, s Shape)
}

// constraintEpsilon keeps Keras' constraints from dividing by zero.
const constraintEpsilon = 1e-7

// MaxNorm bounds the L2 norm along Axis: Keras' w·min(‖w‖, Max)/(ε + ‖w‖).
type MaxNorm struct {
	// Max is the bound.
	Max float32
	// Axis is the dimension that norms are taken along. Default 0: of a Dense
	// kernel, the weights into each unit. A row of a table has axis 1.
	Axis int
}

// NonNeg sets negative weights to zero.
type NonNeg struct{}

// UnitNorm scales to an L2 norm of 1 along Axis.
type UnitNorm struct{ Axis int }

// Class implements [Constraint].
func (MaxNorm) Class() string { return "MaxNorm" }

// Class implements [Constraint].
func (NonNeg) Class() string { return "NonNeg" }

// Class implements [Constraint].
func (UnitNorm) Class() string { return "UnitNorm" }

// Apply implements [Constraint].
func (m MaxNorm) Apply(w []float32, s Shape) {
	alongAxis(w, s, m.Axis, func(norm float64) float64 {
		return min(norm, float64(m.Max)) / (constraintEpsilon + norm)
	})
}

// Apply implements [Constraint].
func (NonNeg) Apply(w []float32, _ Shape) {
	for i, x := range w {
		w[i] = max(x, 0)
	}
}

// Apply implements [Constraint].
func (u UnitNorm) Apply(w []float32, s Shape) {
	alongAxis(w, s, u.Axis, func(norm float64) float64 { return 1 / (constraintEpsilon + norm) })
}

// checkAxis refuses a constraint along an axis that a weight does not have.
func checkAxis(c Constraint, s Shape) error {
	axis := 0
	switch c := c.(type) {
	case MaxNorm:
		axis = c.Axis
	case UnitNorm:
		axis = c.Axis
	default:
		return nil
	}
	if axis < -len(s) || axis >= len(s) {
		return fmt.Errorf("%w: constraint %s along axis %d of a weight of shape %v", ErrArgument, c.Class(), axis, s)
	}
	return nil
}

// alongAxis multiplies each vector along an axis by a function of its norm.
func alongAxis(w []float32, s Shape, axis int, factor func(norm float64) float64) {
	if axis < 0 {
		axis += len(s)
	}
	if axis < 0 || axis >= len(s) {
		return // checkAxis has refused it
	}
	n, stride := s[axis], s[axis+1:].size()
	for first := range len(w) {
		if first/stride%n != 0 {
			continue
		}
		sum := 0.0
		for i := range n {
			x := float64(w[first+i*stride])
			sum += float64(x * x)
		}
		f := factor(math.Sqrt(sum))
		for i := range n {
			w[first+i*stride] = float32(float64(w[first+i*stride]) * f)
		}
	}
}
