package constraint

import "math"

// epsilon keeps Keras' constraints from dividing by zero.
const epsilon = 1e-7

// MaxNorm bounds the L2 norm along Axis: Keras' w·min(‖w‖, Max)/(ε + ‖w‖).
type MaxNorm struct {
	// Max is the bound. Keras' default, which [NewMaxNorm] fills in: 2.
	Max float32 `json:"max_value"`
	// Axis is the dimension that norms are taken along; negative ones count from
	// the last. Default 0: of a Dense kernel, the weights into each unit; of a
	// table, each column over all rows. A row of a table has axis 1.
	Axis int `json:"axis"`
}

// NewMaxNorm returns Keras' MaxNorm(): norms of at most 2 along axis 0.
func NewMaxNorm() MaxNorm { return MaxNorm{Max: 2} }

// UnitNorm scales to an L2 norm of 1 along Axis: Keras' w/(ε + ‖w‖).
type UnitNorm struct {
	// Axis is as in [MaxNorm].
	Axis int `json:"axis"`
}

// NewUnitNorm returns Keras' UnitNorm(): along axis 0.
func NewUnitNorm() UnitNorm { return UnitNorm{} }

// MinMaxNorm brings the L2 norm along Axis towards [Min, Max]: Keras'
// w·(Rate·clip(‖w‖, Min, Max) + (1-Rate)·‖w‖)/(ε + ‖w‖).
type MinMaxNorm struct {
	// Min and Max are the bounds. Keras' defaults, which [NewMinMaxNorm] fills
	// in: 0 and 1.
	Min float32 `json:"min_value"`
	Max float32 `json:"max_value"`
	// Rate is how much of the way a norm is brought at each step. Keras'
	// default, which [NewMinMaxNorm] fills in: 1, all of it.
	Rate float32 `json:"rate"`
	// Axis is as in [MaxNorm].
	Axis int `json:"axis"`
}

// NewMinMaxNorm returns Keras' MinMaxNorm(): norms within [0, 1] along axis 0.
func NewMinMaxNorm() MinMaxNorm { return MinMaxNorm{Max: 1, Rate: 1} }

// Class implements [Constraint].
func (MaxNorm) Class() string { return "MaxNorm" }

// Class implements [Constraint].
func (UnitNorm) Class() string { return "UnitNorm" }

// Class implements [Constraint].
func (MinMaxNorm) Class() string { return "MinMaxNorm" }

// ByRow implements [RowWise]: along axis 1 or -1.
func (m MaxNorm) ByRow() bool { return isLast(m.Axis) }

// ByRow implements [RowWise]: along axis 1 or -1.
func (u UnitNorm) ByRow() bool { return isLast(u.Axis) }

// ByRow implements [RowWise]: along axis 1 or -1.
func (m MinMaxNorm) ByRow() bool { return isLast(m.Axis) }

// isLast reports whether an axis is the last of a matrix.
func isLast(axis int) bool { return axis == 1 || axis == -1 }

// Check implements [Constraint].
func (m MaxNorm) Check(shape []int) error {
	if !(m.Max >= 0) || !finite(m.Max) {
		return configError("MaxNorm: max_value must be a finite number, not negative. Received: max_value=%v", m.Max)
	}
	return checkAxis("MaxNorm", m.Axis, shape)
}

// Check implements [Constraint].
func (u UnitNorm) Check(shape []int) error { return checkAxis("UnitNorm", u.Axis, shape) }

// Check implements [Constraint].
func (m MinMaxNorm) Check(shape []int) error {
	switch {
	case !(m.Min >= 0) || !(m.Max >= m.Min) || !finite(m.Max):
		return configError("MinMaxNorm: bounds must be finite numbers, 0 ≤ min_value ≤ max_value. Received: min_value=%v, max_value=%v", m.Min, m.Max)
	case !(m.Rate >= 0) || m.Rate > 1:
		return configError("MinMaxNorm: rate must be in [0, 1]. Received: rate=%v", m.Rate)
	}
	return checkAxis("MinMaxNorm", m.Axis, shape)
}

func checkAxis(class string, axis int, shape []int) error {
	if axis < -len(shape) || axis >= len(shape) {
		return configError("%s: axis must be a dimension of the weight, whose shape is %v. Received: axis=%d", class, shape, axis)
	}
	return nil
}

// Apply implements [Constraint].
func (m MaxNorm) Apply(w Array) { scale(w, m.Axis, m.factor) }

// Apply64 implements [Constraint64].
func (m MaxNorm) Apply64(w ArrayOf[float64]) { scale(w, m.Axis, m.factor) }

func (m MaxNorm) factor(norm float64) float64 { return min(norm, float64(m.Max)) / (epsilon + norm) }

// Apply implements [Constraint].
func (u UnitNorm) Apply(w Array) { scale(w, u.Axis, u.factor) }

// Apply64 implements [Constraint64].
func (u UnitNorm) Apply64(w ArrayOf[float64]) { scale(w, u.Axis, u.factor) }

func (UnitNorm) factor(norm float64) float64 { return 1 / (epsilon + norm) }

// Apply implements [Constraint].
func (m MinMaxNorm) Apply(w Array) { scale(w, m.Axis, m.factor) }

// Apply64 implements [Constraint64].
func (m MinMaxNorm) Apply64(w ArrayOf[float64]) { scale(w, m.Axis, m.factor) }

func (m MinMaxNorm) factor(norm float64) float64 {
	low, high, rate := float64(m.Min), float64(m.Max), float64(m.Rate)
	desired := float64(rate*max(low, min(high, norm))) + float64((1-rate)*norm)
	return desired / (epsilon + norm)
}

// scale multiplies each vector along an axis by a function of its norm. An axis
// that w does not have, which Check refuses, leaves it as it is.
func scale[F Float](w ArrayOf[F], axis int, factor func(norm float64) float64) {
	if axis < 0 {
		axis += len(w.Shape)
	}
	switch {
	case axis < 0 || axis >= len(w.Shape):
	case axis == len(w.Shape)-1:
		for r := range w.rows() {
			scaleRow(w.row(r), factor)
		}
	default:
		scaleColumns(w, axis, factor)
	}
}

func scaleRow[F Float](row []F, factor func(norm float64) float64) {
	sum := 0.0
	for _, x := range row {
		sum += float64(float64(x) * float64(x))
	}
	multiply(row, factor(math.Sqrt(sum)))
}

func multiply[F Float](row []F, f float64) {
	for i, x := range row {
		row[i] = F(float64(x) * f)
	}
}

// scaleColumns goes through w row by row, as it lies in memory, twice for each
// index of the dimensions before the axis: rows that differ in their place along
// the axis alone are summed number by number.
func scaleColumns[F Float](w ArrayOf[F], axis int, factor func(norm float64) float64) {
	inner, n, width := 1, w.Shape[axis], w.width()
	for _, d := range w.Shape[axis+1 : len(w.Shape)-1] {
		inner *= d
	}
	sums := make([]float64, inner*width)
	for first := 0; first < w.rows(); first += n * inner {
		clear(sums)
		for r := range n * inner {
			to := sums[r%inner*width:][:width]
			for i, x := range w.row(first + r) {
				to[i] += float64(float64(x) * float64(x))
			}
		}
		for i, s := range sums {
			sums[i] = factor(math.Sqrt(s))
		}
		for r := range n * inner {
			row, by := w.row(first+r), sums[r%inner*width:]
			for i, x := range row {
				row[i] = F(float64(x) * by[i])
			}
		}
	}
}
