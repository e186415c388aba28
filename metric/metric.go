// Package metric measures predictions against labels, one batch at a time.
//
// A metric keeps sums in float64 (AUC keeps the scores), so that its result
// does not depend on how the examples were cut into batches:
//
//	Reset ─> Update(batch) ─> Update(batch) ─> … ─> Result
//	              │                                    │
//	        checks first, then adds            of all examples since Reset
//
// A batch with a NaN in it is refused whole, with an error that says at which
// example, and leaves the metric as it was. [ClipPredictions] and
// [LabelAtLeast] wrap a metric to change what it sees.
package metric

import (
	"encoding"
	"errors"
	"fmt"
	"math"
)

// Errors of this package; match with errors.Is.
var (
	// ErrNaN: a prediction, label or weight is not a number.
	ErrNaN = errors.New("metric: not a number")
	// ErrShape: predictions, labels and weights do not fit each other.
	ErrShape = errors.New("metric: lengths do not agree")
	// ErrValue: a label or weight is a number that the metric has no meaning for.
	ErrValue = errors.New("metric: value out of range")
	// ErrName: no metric has that name.
	ErrName = errors.New("metric: unknown metric")
	// ErrConfig: the config of a metric cannot be read.
	ErrConfig = errors.New("metric: bad config")
	// ErrState: saved state does not belong to this kind of metric, or is damaged.
	ErrState = errors.New("metric: bad saved state")
)

// Metric measures predictions against labels. A metric is not safe for
// concurrent use.
type Metric interface {
	// Name is the name used in configs and histories: "rmse", "auc".
	Name() string
	// Update adds a batch. label is as long as pred unless the metric says
	// otherwise. weight may be nil, which weighs every example 1; otherwise its
	// length divides that of pred, and each weight holds for as many
	// consecutive predictions as an example has. After an error the metric is
	// as it was before the call.
	Update(pred, label, weight []float32) error
	// Result returns the metric of all examples since Reset. It is NaN where
	// the metric is not defined, in particular before the first example.
	Result() float64
	// Reset forgets all examples.
	Reset()

	// AppendBinary appends the state, so that a stopped evaluation can go on.
	encoding.BinaryAppender
	// UnmarshalBinary replaces the state by one that AppendBinary wrote.
	encoding.BinaryUnmarshaler
}

// check says whether a batch of one label a prediction can be added to the
// metric of the given name.
func check(name string, pred, label, weight []float32) error {
	if len(pred) != len(label) {
		return fmt.Errorf("%w: %s: %d predictions need as many labels, got %d", ErrShape, name, len(pred), len(label))
	}
	if err := checkWeights(name, len(pred), weight); err != nil {
		return err
	}
	if err := checkNumbers(name, "prediction", pred, 1); err != nil {
		return err
	}
	return checkNumbers(name, "label", label, 1)
}

// checkNumbers looks for a NaN among the numbers of examples that have width each.
func checkNumbers(name, what string, v []float32, width int) error {
	for i, x := range v {
		if x != x {
			return fmt.Errorf("%w: %s: the %s of example %d of the batch is NaN (counted from 0)", ErrNaN, name, what, i/width)
		}
	}
	return nil
}

func checkWeights(name string, examples int, weight []float32) error {
	if weight == nil {
		return nil
	}
	if len(weight) == 0 && examples > 0 || len(weight) > 0 && examples%len(weight) != 0 {
		return fmt.Errorf("%w: %s: %d weights do not divide %d predictions evenly", ErrShape, name, len(weight), examples)
	}
	for i, w := range weight {
		switch {
		case w != w:
			return fmt.Errorf("%w: %s: weight %d of the batch is NaN (counted from 0)", ErrNaN, name, i)
		case w < 0 || math.IsInf(float64(w), 1):
			return fmt.Errorf("%w: %s: weight %d of the batch is %v; weights are finite and at least 0", ErrValue, name, i, w)
		}
	}
	return nil
}

// weightOf returns the weight of prediction i of n.
func weightOf(weight []float32, i, n int) float64 {
	if weight == nil {
		return 1
	}
	return float64(weight[i/(n/len(weight))])
}
