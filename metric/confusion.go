package metric

import (
	"cmp"
	"math"
	"slices"
)

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

// countTop adds a batch of examples of several numbers, of which the k largest
// say yes, the first of them on a tie; with a threshold, those of them above it.
func (c *confusion) countTop(l lists, k int, threshold *float32, pred, label, weight []float32) error {
	k, err := positiveOr(l.name, "TopK", k, 0)
	if err != nil {
		return err
	}
	n, err := l.check(pred, label, weight)
	if err != nil {
		return err
	}
	if err := checkBinary(l.name, label); err != nil {
		return err
	}
	var order []int
	for i := range n {
		p, y := l.at(pred, i), l.at(label, i)
		order = descending(order, p)
		for place, at := range order {
			yes := place < k && (threshold == nil || p[at] > *threshold)
			*c.cell(yes, y[at] == 1) += weightOf(weight, i, n)
		}
	}
	return nil
}

// descending returns the places of numbers, the largest first, in the memory of order.
func descending(order []int, v []float32) []int {
	order = order[:0]
	for i := range v {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v[b], v[a]) })
	return order
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
	// Threshold is what a prediction must exceed to say 1. Default: 0.5; with
	// TopK, any will do.
	Threshold *float32
	// TopK is how many predictions of an example may say 1: the largest, the
	// first of them on a tie, as in Keras. It makes precision at k of ranked lists.
	// Default 0: all.
	TopK int
	// Width is the numbers of an example, of use with TopK. Default 0: 1.
	Width int
	confusion
}

// Recall is the share of the examples of label 1 for which the prediction says
// 1; 0 where there is no such example.
type Recall struct {
	// Threshold is what a prediction must exceed to say 1. Default: 0.5; with
	// TopK, any will do.
	Threshold *float32
	// TopK is how many predictions of an example may say 1: the largest, the
	// first of them on a tie, as in Keras. It makes recall at k of ranked lists.
	// Default 0: all.
	TopK int
	// Width is the numbers of an example, of use with TopK. Default 0: 1.
	Width int
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

// Update implements [Metric]. A label other than 0 and 1 is ErrValue. With TopK,
// pred and label have Width numbers an example, weight one.
func (m *Precision) Update(pred, label, weight []float32) error {
	if m.TopK != 0 {
		return m.countTop(lists{m.Name(), widthOr1(m.Width)}, m.TopK, m.Threshold, pred, label, weight)
	}
	return m.count(m.Name(), m.Threshold, pred, label, weight)
}

// Update implements [Metric]. A label other than 0 and 1 is ErrValue. With TopK,
// pred and label have Width numbers an example, weight one.
func (m *Recall) Update(pred, label, weight []float32) error {
	if m.TopK != 0 {
		return m.countTop(lists{m.Name(), widthOr1(m.Width)}, m.TopK, m.Threshold, pred, label, weight)
	}
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
