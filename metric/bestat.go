package metric

import (
	"fmt"
	"math"
)

// PrecisionAtRecall is the best precision among the thresholds at which recall
// is at least Recall; 0 where there is none.
//
// As in Keras, and other than with [AUC], predictions are counted at fixed
// thresholds: NumThresholds of them, evenly from 0 to 1. Predictions beyond
// count as 0 and 1, so logits do not belong here.
type PrecisionAtRecall struct {
	// Recall is the least recall, from 0 to 1. Default 0: any.
	Recall float64
	// NumThresholds is the number of thresholds: 1 is that of 0.5. At most 2^24;
	// it must not change between examples. Default 0: 200, as in Keras.
	NumThresholds int
	curve
}

// RecallAtPrecision is the best recall among the thresholds at which precision
// is at least Precision; 0 where there is none. Thresholds are those of
// [PrecisionAtRecall].
type RecallAtPrecision struct {
	// Precision is the least precision, from 0 to 1. Default 0: any.
	Precision float64
	// NumThresholds is that of [PrecisionAtRecall]. Default 0: 200.
	NumThresholds int
	curve
}

// SensitivityAtSpecificity is the best sensitivity (another name of recall)
// among the thresholds at which specificity is at least Specificity; 0 where
// there is none. Specificity is the share of the examples of label 0 for which
// the prediction says 0. Thresholds are those of [PrecisionAtRecall].
type SensitivityAtSpecificity struct {
	// Specificity is the least specificity, from 0 to 1. Default 0: any.
	Specificity float64
	// NumThresholds is that of [PrecisionAtRecall]. Default 0: 200.
	NumThresholds int
	curve
}

// SpecificityAtSensitivity is the best specificity among the thresholds at which
// sensitivity is at least Sensitivity; 0 where there is none. It is as
// [SensitivityAtSpecificity], the other way round.
type SpecificityAtSensitivity struct {
	// Sensitivity is the least sensitivity, from 0 to 1. Default 0: any.
	Sensitivity float64
	// NumThresholds is that of [PrecisionAtRecall]. Default 0: 200.
	NumThresholds int
	curve
}

// Name implements [Metric]: "precision_at_recall".
func (*PrecisionAtRecall) Name() string { return "precision_at_recall" }

// Name implements [Metric]: "recall_at_precision".
func (*RecallAtPrecision) Name() string { return "recall_at_precision" }

// Name implements [Metric]: "sensitivity_at_specificity".
func (*SensitivityAtSpecificity) Name() string { return "sensitivity_at_specificity" }

// Name implements [Metric]: "specificity_at_sensitivity".
func (*SpecificityAtSensitivity) Name() string { return "specificity_at_sensitivity" }

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *PrecisionAtRecall) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), least{"Recall", m.Recall}, m.NumThresholds, pred, label, weight)
}

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *RecallAtPrecision) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), least{"Precision", m.Precision}, m.NumThresholds, pred, label, weight)
}

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *SensitivityAtSpecificity) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), least{"Specificity", m.Specificity}, m.NumThresholds, pred, label, weight)
}

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *SpecificityAtSensitivity) Update(pred, label, weight []float32) error {
	return m.count(m.Name(), least{"Sensitivity", m.Sensitivity}, m.NumThresholds, pred, label, weight)
}

// Result implements [Metric].
func (m *PrecisionAtRecall) Result() float64 {
	return m.best((*confusion).precision, (*confusion).recall, m.Recall)
}

// Result implements [Metric].
func (m *RecallAtPrecision) Result() float64 {
	return m.best((*confusion).recall, (*confusion).precision, m.Precision)
}

// Result implements [Metric].
func (m *SensitivityAtSpecificity) Result() float64 {
	return m.best((*confusion).recall, (*confusion).specificity, m.Specificity)
}

// Result implements [Metric].
func (m *SpecificityAtSensitivity) Result() float64 {
	return m.best((*confusion).specificity, (*confusion).recall, m.Sensitivity)
}

// UnmarshalBinary implements [Metric]. The state must have been saved with the
// same NumThresholds.
func (m *PrecisionAtRecall) UnmarshalBinary(b []byte) error {
	return m.read(m.Name(), m.NumThresholds, b)
}

// UnmarshalBinary implements [Metric]. The state must have been saved with the
// same NumThresholds.
func (m *RecallAtPrecision) UnmarshalBinary(b []byte) error {
	return m.read(m.Name(), m.NumThresholds, b)
}

// UnmarshalBinary implements [Metric]. The state must have been saved with the
// same NumThresholds.
func (m *SensitivityAtSpecificity) UnmarshalBinary(b []byte) error {
	return m.read(m.Name(), m.NumThresholds, b)
}

// UnmarshalBinary implements [Metric]. The state must have been saved with the
// same NumThresholds.
func (m *SpecificityAtSensitivity) UnmarshalBinary(b []byte) error {
	return m.read(m.Name(), m.NumThresholds, b)
}

// least is what a point of a curve must have at least.
type least struct {
	option string
	value  float64
}

// curve is what there is above each of evenly spaced thresholds.
//
// A prediction is counted once, by how many thresholds it exceeds. Of three
// thresholds, 0, 0.5 and 1:
//
//	prediction   0     (0, 0.5]     (0.5, 1]
//	exceeds     none     one          two        none exceeds 1
//	bucket       0        1            2
//
// What is above threshold i is the sum of the buckets after i.
type curve struct {
	buckets [][2]float64 // weight of label 0 and 1; none before the first example
}

// maxThresholds keeps whole numbers of float32 exact, and memory within bounds.
const maxThresholds = 1 << 24

// thresholds is the number of them, with its default.
func (*curve) thresholds(name string, n int) (int, error) {
	n, err := positiveOr(name, "NumThresholds", n, 200)
	if err == nil && n > maxThresholds {
		return 0, fmt.Errorf("%w: %s: NumThresholds must be at most %d, got %d", ErrValue, name, maxThresholds, n)
	}
	return n, err
}

// count adds a batch.
func (c *curve) count(name string, at least, thresholds int, pred, label, weight []float32) error {
	n, err := c.thresholds(name, thresholds)
	if err != nil {
		return err
	}
	if !(at.value >= 0 && at.value <= 1) {
		return fmt.Errorf("%w: %s: %s must be from 0 to 1, got %v", ErrValue, name, at.option, at.value)
	}
	if err := check(name, pred, label, weight); err != nil {
		return err
	}
	if err := checkBinary(name, label); err != nil {
		return err
	}
	if c.buckets == nil {
		c.buckets = make([][2]float64, n+1)
	}
	if len(c.buckets) != n+1 {
		return fmt.Errorf("%w: %s: NumThresholds was %d for the examples so far and is %d now: Reset first", ErrValue, name, len(c.buckets)-1, n)
	}
	for i, p := range pred {
		c.buckets[exceeded(p, n)][int(label[i])] += weightOf(weight, i, len(pred))
	}
	return nil
}

// exceeded is how many of n thresholds a prediction exceeds, computed in
// float32 as Keras does: what lies on a threshold must not move above it.
func exceeded(p float32, n int) int {
	if n == 1 {
		return int(one(p > 0.5))
	}
	p = min(max(p, 0), 1)
	return int(math.Ceil(float64(p * float32(n-1))))
}

// best is the best of one share over the thresholds at which another is at
// least so much; NaN before the first example.
func (c *curve) best(of, with func(*confusion) float64, least float64) float64 {
	var all confusion // above a threshold below all predictions
	for i := len(c.buckets) - 1; i >= 0; i-- {
		all.truePositive += c.buckets[i][1]
		all.falsePositive += c.buckets[i][0]
	}
	if all.all() == 0 {
		return math.NaN()
	}
	best, at := 0.0, confusion{}
	for i := len(c.buckets) - 1; i > 0; i-- { // above threshold i-1, from high to low
		at.truePositive += c.buckets[i][1]
		at.falsePositive += c.buckets[i][0]
		at.falseNegative = all.truePositive - at.truePositive
		at.trueNegative = all.falsePositive - at.falsePositive
		if with(&at) >= least {
			best = max(best, of(&at))
		}
	}
	return best
}

// Reset implements [Metric].
func (c *curve) Reset() { c.buckets = nil }

// AppendBinary implements [Metric]: two sums for each number of thresholds that
// a prediction can exceed; nothing before the first example.
func (c *curve) AppendBinary(b []byte) ([]byte, error) {
	for _, w := range c.buckets {
		b = appendSums(b, w[0], w[1])
	}
	return b, nil
}

// read replaces the state by a saved one.
func (c *curve) read(name string, thresholds int, b []byte) error {
	n, err := c.thresholds(name, thresholds)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	if len(b) == 0 {
		c.buckets = nil
		return nil
	}
	if len(b) != 16*(n+1) {
		return fmt.Errorf("%w: %s of %d thresholds takes %d bytes or none, got %d", ErrState, name, n, 16*(n+1), len(b))
	}
	buckets := make([][2]float64, n+1)
	for i := range buckets {
		if err := readSums(name, b[16*i:16*(i+1)], &buckets[i][0], &buckets[i][1]); err != nil {
			return err
		}
	}
	c.buckets = buckets
	return nil
}
