package metric

import "math"

// TruePositives is the weight of the examples of label 1 for which the
// prediction says 1: their number, where every example weighs 1.
type TruePositives struct {
	// Threshold is what a prediction must exceed to say 1. Default: 0.5.
	Threshold *float32
	confusion
}

// FalsePositives is the weight of the examples of label 0 for which the
// prediction says 1.
type FalsePositives struct {
	// Threshold is what a prediction must exceed to say 1. Default: 0.5.
	Threshold *float32
	confusion
}

// TrueNegatives is the weight of the examples of label 0 for which the
// prediction says 0.
type TrueNegatives struct {
	// Threshold is what a prediction must exceed to say 1. Default: 0.5.
	Threshold *float32
	confusion
}

// FalseNegatives is the weight of the examples of label 1 for which the
// prediction says 0.
type FalseNegatives struct {
	// Threshold is what a prediction must exceed to say 1. Default: 0.5.
	Threshold *float32
	confusion
}

// Name implements [Metric]: "true_positives".
func (*TruePositives) Name() string { return "true_positives" }

// Name implements [Metric]: "false_positives".
func (*FalsePositives) Name() string { return "false_positives" }

// Name implements [Metric]: "true_negatives".
func (*TrueNegatives) Name() string { return "true_negatives" }

// Name implements [Metric]: "false_negatives".
func (*FalseNegatives) Name() string { return "false_negatives" }

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *TruePositives) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), m.Threshold, pred, label, weight)
}

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *FalsePositives) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), m.Threshold, pred, label, weight)
}

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *TrueNegatives) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), m.Threshold, pred, label, weight)
}

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *FalseNegatives) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), m.Threshold, pred, label, weight)
}

// Result implements [Metric]: NaN before the first example, where Keras says 0.
func (m *TruePositives) Result() float64 { return m.counted(m.truePositive) }

// Result implements [Metric]: NaN before the first example, where Keras says 0.
func (m *FalsePositives) Result() float64 { return m.counted(m.falsePositive) }

// Result implements [Metric]: NaN before the first example, where Keras says 0.
func (m *TrueNegatives) Result() float64 { return m.counted(m.trueNegative) }

// Result implements [Metric]: NaN before the first example, where Keras says 0.
func (m *FalseNegatives) Result() float64 { return m.counted(m.falseNegative) }

// counted is one of the four counts; NaN before the first example.
func (c *confusion) counted(cell float64) float64 {
	if c.all() == 0 {
		return math.NaN()
	}
	return cell
}
