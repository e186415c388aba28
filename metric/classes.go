package metric

import (
	"fmt"
	"math"
)

// classes are examples of one number a class. Their labels are either as many
// numbers, or one an example: the number of the class, from 0.
type classes struct {
	name string
	n    int
}

// check says whether a batch can be added, and returns the number of examples.
func (c classes) check(pred, label, weight []float32) (examples int, err error) {
	if c.n < 2 {
		return 0, fmt.Errorf("%w: %s: Classes must be at least 2, got %d", ErrValue, c.name, c.n)
	}
	examples = len(pred) / c.n
	if len(pred)%c.n != 0 || len(label) != examples && len(label) != len(pred) {
		return 0, fmt.Errorf("%w: %s: %d predictions of %d classes need %d labels, or as many as predictions; got %d",
			ErrShape, c.name, len(pred), c.n, examples, len(label))
	}
	if err := checkWeights(c.name, examples, weight); err != nil {
		return 0, err
	}
	if err := checkNumbers(c.name, "prediction", pred, c.n); err != nil {
		return 0, err
	}
	if err := checkNumbers(c.name, "label", label, max(1, len(label)/max(1, examples))); err != nil {
		return 0, err
	}
	return examples, c.checkNumbersOfClasses(label, examples)
}

func (c classes) checkNumbersOfClasses(label []float32, examples int) error {
	if len(label) != examples {
		return nil
	}
	for i, y := range label {
		if y < 0 || y >= float32(c.n) || y != float32(int(y)) {
			return fmt.Errorf("%w: %s: the label of example %d of the batch is %v; classes are whole numbers from 0 to %d",
				ErrValue, c.name, i, y, c.n-1)
		}
	}
	return nil
}

// of returns the predictions of example i.
func (c classes) of(pred []float32, i int) []float32 { return pred[i*c.n : (i+1)*c.n] }

// class returns the class of example i: of one label a class the first of the largest.
func (c classes) class(label []float32, i, examples int) int {
	if len(label) == examples {
		return int(label[i])
	}
	return argmax(c.of(label, i))
}

// share returns how much of example i belongs to class k.
func (c classes) share(label []float32, i, k, examples int) float32 {
	if len(label) == examples {
		return float32(one(int(label[i]) == k))
	}
	return c.of(label, i)[k]
}

// CategoricalAccuracy is the share of examples whose largest prediction, the
// first of them on a tie, is that of the right class. Its labels may be class
// numbers too: it is Keras' SparseCategoricalAccuracy then.
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
	c := classes{m.Name(), m.Classes}
	n, err := c.check(pred, label, weight)
	if err != nil {
		return err
	}
	for i := range n {
		m.add(one(argmax(c.of(pred, i)) == c.class(label, i, n)), weightOf(weight, i, n))
	}
	return nil
}

// TopKCategoricalAccuracy is the share of examples whose right class is among
// the K with the largest predictions: less than K are larger. (So equal ones
// that only together exceed K are all among them, as in Keras.) Labels are
// those of [CategoricalAccuracy].
type TopKCategoricalAccuracy struct {
	// Classes is the number of predictions of each example, at least 2.
	Classes int
	// K is at least 1. Default 0: 5, as in Keras.
	K int
	average
}

// Name implements [Metric]: "top_k_categorical_accuracy".
func (*TopKCategoricalAccuracy) Name() string { return "top_k_categorical_accuracy" }

// Update implements [Metric]. pred, label and weight are as in [CategoricalAccuracy.Update].
func (m *TopKCategoricalAccuracy) Update(pred, label, weight []float32) error {
	c := classes{m.Name(), m.Classes}
	k, err := positiveOr(m.Name(), "K", m.K, 5)
	if err != nil {
		return err
	}
	n, err := c.check(pred, label, weight)
	if err != nil {
		return err
	}
	for i := range n {
		p := c.of(pred, i)
		m.add(one(larger(p, p[c.class(label, i, n)]) < k), weightOf(weight, i, n))
	}
	return nil
}

// larger counts the numbers that are larger than x.
func larger(v []float32, x float32) int {
	n := 0
	for _, y := range v {
		if y > x {
			n++
		}
	}
	return n
}

// positiveOr returns an option, or its default where it is 0.
func positiveOr(name, option string, n, def int) (int, error) {
	if n == 0 {
		return def, nil
	}
	if n < 0 {
		return 0, fmt.Errorf("%w: %s: %s must be at least 1, got %d", ErrValue, name, option, n)
	}
	return n, nil
}

// CategoricalCrossentropy is the mean of -Σ label·log(pred) over the classes.
// Labels are distributions, or class numbers: it is Keras'
// SparseCategoricalCrossentropy then. Predictions are scaled to sum to 1 and
// kept 1e-7 away from 0 and 1, as Keras does.
type CategoricalCrossentropy struct {
	// Classes is the number of predictions of each example, at least 2.
	Classes int
	// Logits says that predictions are logits. Default: probabilities.
	Logits bool
	// Smoothing pulls labels this far, from 0 to 1, towards 1/Classes: Keras'
	// label_smoothing. Default 0.
	Smoothing float64
	average
}

// Name implements [Metric]: "categorical_crossentropy".
func (*CategoricalCrossentropy) Name() string { return "categorical_crossentropy" }

// Update implements [Metric]. Probabilities below 0 are ErrValue. pred, label
// and weight are as in [CategoricalAccuracy.Update].
func (m *CategoricalCrossentropy) Update(pred, label, weight []float32) error {
	c := classes{m.Name(), m.Classes}
	n, err := c.check(pred, label, weight)
	if err != nil {
		return err
	}
	if err := checkSmoothing(m.Name(), m.Smoothing); err != nil {
		return err
	}
	if !m.Logits {
		if err := checkNotNegative(m.Name(), pred, m.Classes); err != nil {
			return err
		}
	}
	logs := make([]float64, m.Classes)
	for i := range n {
		if m.Logits {
			logSoftmax(logs, c.of(pred, i))
		} else {
			logShares(logs, c.of(pred, i))
		}
		loss := 0.0
		for k, l := range logs {
			loss -= weigh(l, smooth(c.share(label, i, k, n), m.Smoothing, m.Classes))
		}
		m.add(loss, weightOf(weight, i, n))
	}
	return nil
}

func checkNotNegative(name string, pred []float32, width int) error {
	for i, p := range pred {
		if p < 0 {
			return fmt.Errorf("%w: %s: a prediction of example %d of the batch is %v; probabilities are at least 0 (set Logits if the predictions are logits)", ErrValue, name, i/width, p)
		}
	}
	return nil
}

// logSoftmax is x - log Σ exp(x), without overflow.
func logSoftmax(logs []float64, x []float32) {
	top, sum := float64(x[argmax(x)]), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	for i, v := range x {
		logs[i] = float64(v) - top - math.Log(sum)
	}
}

// logShares is log(p/Σp), with shares in [1e-7, 1 - 1e-7].
func logShares(logs []float64, p []float32) {
	sum := 0.0
	for _, v := range p {
		sum += float64(v)
	}
	for i, v := range p {
		logs[i] = math.Log(min(max(float64(v)/sum, epsilon), 1-epsilon))
	}
}
