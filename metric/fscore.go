package metric

import (
	"fmt"
	"math"
)

// FBetaScore is the harmonic mean of precision and recall of each class, where
// recall counts Beta times as much, by Keras' rule: prediction k of an example
// says whether it belongs to class k, yes where it is the largest of the
// example (each of them on a tie, but none that is 0), or above Threshold.
//
//	precision = tp / (tp + fp + 1e-7)     recall = tp / (tp + fn + 1e-7)
//	score = (1 + Beta²) · precision · recall / (Beta² · precision + recall + 1e-7)
//
// [F1] differs: it is of one yes-or-no question, above 0.5 unless told
// otherwise, and has no 1e-7.
type FBetaScore struct {
	// Width is the numbers of an example, a class each. Default 0: 1, which is
	// of use with a Threshold only: the largest of one is always itself.
	Width int
	// Average says how the scores of classes become one: "macro" is their mean;
	// "weighted" their mean by how often labels have each; "micro" the score of
	// all classes' counts together. Default "", Keras' None: scores are of each
	// class, see [FBetaScore.Scores]; Result, which is one number, is their mean.
	Average string
	// Beta is how many times as much recall counts as precision, above 0.
	// Default 0: 1.
	Beta float64
	// Threshold is what a prediction must exceed to say yes. Default: the
	// largest of an example says yes.
	Threshold *float32
	classCounts
}

// F1Score is [FBetaScore] with Beta 1.
type F1Score struct {
	// Width is that of [FBetaScore]. Default 0: 1.
	Width int
	// Average is that of [FBetaScore]. Default "".
	Average string
	// Threshold is that of [FBetaScore]. Default: the largest says yes.
	Threshold *float32
	classCounts
}

// Name implements [Metric]: "fbeta_score".
func (*FBetaScore) Name() string { return "fbeta_score" }

// Name implements [Metric]: "f1_score".
func (*F1Score) Name() string { return "f1_score" }

// Update implements [Metric]. pred and label have Width numbers an example,
// weight one. Labels are from 0 to 1, others ErrValue; any number of them may be
// 1, and one between counts in part.
func (m *FBetaScore) Update(pred, label, weight []float32) error {
	if !(m.Beta >= 0) || math.IsInf(m.Beta, 1) {
		return fmt.Errorf("%w: %s: Beta must be a finite number above 0, got %v", ErrValue, m.Name(), m.Beta)
	}
	return m.count(lists{m.Name(), widthOr1(m.Width)}, m.Average, m.Threshold, pred, label, weight)
}

// Update implements [Metric]. It takes what [FBetaScore.Update] does.
func (m *F1Score) Update(pred, label, weight []float32) error {
	return m.count(lists{m.Name(), widthOr1(m.Width)}, m.Average, m.Threshold, pred, label, weight)
}

// Result implements [Metric].
func (m *FBetaScore) Result() float64 { return m.score(m.Average, m.beta()) }

// Result implements [Metric].
func (m *F1Score) Result() float64 { return m.score(m.Average, 1) }

// Scores returns the score of each class, whatever Average is; none before the
// first example.
func (m *FBetaScore) Scores() []float64 { return m.scores(m.beta()) }

// Scores returns the score of each class, whatever Average is; none before the
// first example.
func (m *F1Score) Scores() []float64 { return m.scores(1) }

// UnmarshalBinary implements [Metric]. The state must have been saved with the same Width.
func (m *FBetaScore) UnmarshalBinary(b []byte) error {
	return m.read(m.Name(), widthOr1(m.Width), b)
}

// UnmarshalBinary implements [Metric]. The state must have been saved with the same Width.
func (m *F1Score) UnmarshalBinary(b []byte) error { return m.read(m.Name(), widthOr1(m.Width), b) }

// beta is Beta with its default.
func (m *FBetaScore) beta() float64 {
	if m.Beta == 0 {
		return 1
	}
	return m.Beta
}

// widthOr1 is a width with its default.
func widthOr1(width int) int {
	if width == 0 {
		return 1
	}
	return width
}

// classCounts are right and wrong answers to the question of each class.
type classCounts struct {
	of []confusion // none before the first example
}

// count adds a batch.
func (c *classCounts) count(l lists, average string, threshold *float32, pred, label, weight []float32) error {
	switch average {
	case "", "micro", "macro", "weighted":
	default:
		return fmt.Errorf(`%w: %s: Average must be "micro", "macro", "weighted" or "", got %q`, ErrValue, l.name, average)
	}
	n, err := l.check(pred, label, weight)
	if err != nil {
		return err
	}
	if err := checkUnit(l.name, "label", label); err != nil {
		return err
	}
	if c.of != nil && len(c.of) != l.width {
		return fmt.Errorf("%w: %s: Width was %d for the examples so far and is %d now: Reset first", ErrValue, l.name, len(c.of), l.width)
	}
	if c.of == nil && n > 0 {
		c.of = make([]confusion, l.width)
	}
	for i := range n {
		c.add(l.at(pred, i), l.at(label, i), threshold, weightOf(weight, i, n))
	}
	return nil
}

// add adds an example.
func (c *classCounts) add(pred, label []float32, threshold *float32, weight float64) {
	top := pred[argmax(pred)]
	for k, p := range pred {
		yes := p >= top && math.Abs(float64(p)) > 1e-9 // Keras' bound
		if threshold != nil {
			yes = p > *threshold
		}
		y := float64(label[k])
		*c.of[k].cell(yes, true) += float64(weight * y)
		*c.of[k].cell(yes, false) += float64(weight * (1 - y))
	}
}

// scores are those of the classes.
func (c *classCounts) scores(beta float64) []float64 {
	var all []float64
	for i := range c.of {
		all = append(all, c.of[i].fBeta(beta))
	}
	return all
}

// score is one number of all classes; NaN before the first example.
func (c *classCounts) score(average string, beta float64) float64 {
	total := confusion{}
	for i := range c.of {
		total.merge(&c.of[i])
	}
	switch {
	case total.all() == 0:
		return math.NaN()
	case average == "micro":
		return total.fBeta(beta)
	}
	sum := 0.0
	for i, score := range c.scores(beta) {
		share := 1 / float64(len(c.of))
		if average == "weighted" {
			share = c.of[i].positive() / (total.positive() + epsilon)
		}
		sum += float64(score * share)
	}
	return sum
}

// fBeta is Keras' formula.
func (c *confusion) fBeta(beta float64) float64 {
	precision := c.truePositive / (c.truePositive + c.falsePositive + epsilon)
	recall := c.truePositive / (c.truePositive + c.falseNegative + epsilon)
	square := float64(beta * beta)
	return (1 + square) * (float64(precision*recall) / (float64(square*precision) + recall + epsilon))
}

// Reset implements [Metric].
func (c *classCounts) Reset() { c.of = nil }

// AppendBinary implements [Metric]: four counts for each class; nothing before
// the first example.
func (c *classCounts) AppendBinary(b []byte) ([]byte, error) {
	var err error
	for i := range c.of {
		if b, err = c.of[i].AppendBinary(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// read replaces the state by a saved one.
func (c *classCounts) read(name string, width int, b []byte) error {
	if len(b)%confusionBytes != 0 || len(b) > 0 && len(b)/confusionBytes != width {
		return fmt.Errorf("%w: %s of Width %d takes %d bytes for each class or none at all, got %d", ErrState, name, width, confusionBytes, len(b))
	}
	var of []confusion
	for ; len(b) > 0; b = b[confusionBytes:] {
		var one confusion
		if err := one.UnmarshalBinary(b[:confusionBytes]); err != nil {
			return err
		}
		of = append(of, one)
	}
	c.of = of
	return nil
}
