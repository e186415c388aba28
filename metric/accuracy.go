package metric

import "fmt"

// BinaryAccuracy is the share of examples whose prediction is on the side of
// the threshold that the label, 0 or 1, says.
type BinaryAccuracy struct {
	// Threshold is what a prediction must exceed to say 1. Default: 0.5.
	Threshold *float32
	average
}

// Name implements [Metric]: "accuracy".
func (*BinaryAccuracy) Name() string { return "accuracy" }

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *BinaryAccuracy) Update(pred, label, weight []float32) error {
	if err := check(m.Name(), pred, label, weight); err != nil {
		return err
	}
	if err := checkBinary(m.Name(), label); err != nil {
		return err
	}
	threshold := float32(0.5)
	if m.Threshold != nil {
		threshold = *m.Threshold
	}
	for i, p := range pred {
		m.add(one((p > threshold) == (label[i] == 1)), weightOf(weight, i, len(pred)))
	}
	return nil
}

// CategoricalAccuracy is the share of examples whose largest prediction, the
// first of them on a tie, is that of the right class.
type CategoricalAccuracy struct {
	// Classes is the number of predictions of each example, at least 2.
	Classes int
	average
}

// Name implements [Metric]: "categorical_accuracy".
func (*CategoricalAccuracy) Name() string { return "categorical_accuracy" }

// Update implements [Metric]. pred has Classes numbers an example. label has
// either as many, of which the first largest marks the class, or one an
// example, the number of the class from 0. weight has one an example.
func (m *CategoricalAccuracy) Update(pred, label, weight []float32) error {
	n, err := m.check(pred, label, weight)
	if err != nil {
		return err
	}
	for i := range n {
		guess := argmax(pred[i*m.Classes : (i+1)*m.Classes])
		m.add(one(guess == m.class(label, i, n)), weightOf(weight, i, n))
	}
	return nil
}

func (m *CategoricalAccuracy) check(pred, label, weight []float32) (n int, err error) {
	if m.Classes < 2 {
		return 0, fmt.Errorf("%w: %s: Classes must be at least 2, got %d", ErrValue, m.Name(), m.Classes)
	}
	n = len(pred) / m.Classes
	if len(pred)%m.Classes != 0 || len(label) != n && len(label) != len(pred) {
		return 0, fmt.Errorf("%w: %s: %d predictions of %d classes need %d labels, or as many as predictions; got %d",
			ErrShape, m.Name(), len(pred), m.Classes, n, len(label))
	}
	if err := checkWeights(m.Name(), n, weight); err != nil {
		return 0, err
	}
	if err := checkNumbers(m.Name(), "prediction", pred, m.Classes); err != nil {
		return 0, err
	}
	if err := checkNumbers(m.Name(), "label", label, max(1, len(label)/max(1, n))); err != nil {
		return 0, err
	}
	return n, m.checkClasses(label, n)
}

func (m *CategoricalAccuracy) checkClasses(label []float32, n int) error {
	if len(label) != n {
		return nil
	}
	for i, c := range label {
		if c < 0 || c >= float32(m.Classes) || c != float32(int(c)) {
			return fmt.Errorf("%w: %s: the label of example %d of the batch is %v; classes are whole numbers from 0 to %d",
				ErrValue, m.Name(), i, c, m.Classes-1)
		}
	}
	return nil
}

func (m *CategoricalAccuracy) class(label []float32, i, n int) int {
	if len(label) == n {
		return int(label[i])
	}
	return argmax(label[i*m.Classes : (i+1)*m.Classes])
}

func argmax(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func checkBinary(name string, label []float32) error {
	for i, y := range label {
		if y != 0 && y != 1 {
			return fmt.Errorf("%w: %s: the label of example %d of the batch is %v; it must be 0 or 1 (LabelAtLeast makes it so)",
				ErrValue, name, i, y)
		}
	}
	return nil
}
