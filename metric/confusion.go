package metric

import "math"

// confusion counts right and wrong answers to a yes-or-no question, by weight.
type confusion struct {
	truePositive, falsePositive, trueNegative, falseNegative float64
}

// count adds a batch. The prediction says yes above the threshold.
func (c *confusion) count(name string, threshold *float32, pred, label, weight []float32) error {
	if err := check(name, pred, label, weight); err != nil {
		return err
	}
	if err := checkBinary(name, label); err != nil {
		return err
	}
	limit := float32(0.5)
	if threshold != nil {
		limit = *threshold
	}
	for i, p := range pred {
		*c.cell(p > limit, label[i] == 1) += weightOf(weight, i, len(pred))
	}
	return nil
}

func (c *confusion) cell(said, is bool) *float64 {
	switch {
	case said && is:
		return &c.truePositive
	case said:
		return &c.falsePositive
	case is:
		return &c.falseNegative
	}
	return &c.trueNegative
}

// share is a/b; 0 where b is 0, as in Keras, and NaN before the first example.
func (c *confusion) share(a, b float64) float64 {
	switch {
	case c.all() == 0:
		return math.NaN()
	case b == 0:
		return 0
	}
	return a / b
}

// all is the weight of all examples.
func (c *confusion) all() float64 {
	return c.truePositive + c.falsePositive + c.trueNegative + c.falseNegative
}

// positive is the weight of label 1.
func (c *confusion) positive() float64 { return c.truePositive + c.falseNegative }

// precision is the share of right ones among what was said to be 1.
func (c *confusion) precision() float64 {
	return c.share(c.truePositive, c.truePositive+c.falsePositive)
}

// recall is the share of label 1 that was said to be 1.
func (c *confusion) recall() float64 { return c.share(c.truePositive, c.positive()) }

// specificity is the share of label 0 that was said to be 0.
func (c *confusion) specificity() float64 {
	return c.share(c.trueNegative, c.trueNegative+c.falsePositive)
}

// merge adds the counts of another.
func (c *confusion) merge(o *confusion) {
	c.truePositive += o.truePositive
	c.falsePositive += o.falsePositive
	c.trueNegative += o.trueNegative
	c.falseNegative += o.falseNegative
}

// confusionBytes is the size of the saved counts.
const confusionBytes = 4 * 8

// Reset implements [Metric].
func (c *confusion) Reset() { *c = confusion{} }

// AppendBinary implements [Metric]: the four counts.
func (c *confusion) AppendBinary(b []byte) ([]byte, error) {
	return appendSums(b, c.truePositive, c.falsePositive, c.trueNegative, c.falseNegative), nil
}

// UnmarshalBinary implements [Metric].
func (c *confusion) UnmarshalBinary(b []byte) error {
	return readSums("a confusion matrix", b, &c.truePositive, &c.falsePositive, &c.trueNegative, &c.falseNegative)
}

// Precision is the share of right ones among the examples for which the
// prediction says 1; 0 where it never does.
type Precision struct {
	// Threshold is what a prediction must exceed to say 1. Default: 0.5.
	Threshold *float32
	confusion
}

// Recall is the share of the examples of label 1 for which the prediction says
// 1; 0 where there is no such example.
type Recall struct {
	// Threshold is what a prediction must exceed to say 1. Default: 0.5.
	Threshold *float32
	confusion
}

// F1 is the harmonic mean of precision and recall; 0 where no example is a
// right one. Keras' F1Score, which is of classes, is [F1Score].
type F1 struct {
	// Threshold is what a prediction must exceed to say 1. Default: 0.5.
	Threshold *float32
	confusion
}

// Name implements [Metric]: "precision".
func (*Precision) Name() string { return "precision" }

// Name implements [Metric]: "recall".
func (*Recall) Name() string { return "recall" }

// Name implements [Metric]: "f1".
func (*F1) Name() string { return "f1" }

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *Precision) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), m.Threshold, pred, label, weight)
}

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *Recall) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), m.Threshold, pred, label, weight)
}

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *F1) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), m.Threshold, pred, label, weight)
}

// Result implements [Metric].
func (m *Precision) Result() float64 { return m.precision() }

// Result implements [Metric].
func (m *Recall) Result() float64 { return m.recall() }

// Result implements [Metric].
func (m *F1) Result() float64 {
	return m.share(2*m.truePositive, 2*m.truePositive+m.falsePositive+m.falseNegative)
}
