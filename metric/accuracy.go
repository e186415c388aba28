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

// ExactAccuracy is the share of predictions that equal their label: Keras'
// Accuracy, which is for predictions that are classes, or other exact numbers.
// ("accuracy" is the name of [BinaryAccuracy] here.)
type ExactAccuracy struct{ average }

// Name implements [Metric]: "exact_accuracy".
func (*ExactAccuracy) Name() string { return "exact_accuracy" }

// Update implements [Metric].
func (m *ExactAccuracy) Update(pred, label, weight []float32) error {
	return m.addPairs(m.Name(), pred, label, weight, func(p, y float64) float64 { return one(p == y) })
}

// argmax returns the place of the first of the largest.
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
