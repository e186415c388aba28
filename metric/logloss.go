package metric

import (
	"fmt"
	"math"
)

// epsilon keeps the logarithm finite: Keras' backend epsilon.
const epsilon = 1e-7

// LogLoss is the binary cross-entropy: the mean of -log of the probability
// that was given to the label. A probability is kept at least 1e-7 away from 0
// and 1, as Keras does.
type LogLoss struct {
	// Logits says that predictions are logits. Default: probabilities.
	Logits bool
	// Smoothing pulls labels this far, from 0 to 1, towards 0.5: Keras'
	// label_smoothing. Default 0.
	Smoothing float64
	average
}

// Name implements [Metric]: "logloss".
func (*LogLoss) Name() string { return "logloss" }

// Update implements [Metric]. Labels are from 0 to 1, and so are predictions
// unless they are logits; others are ErrValue.
func (m *LogLoss) Update(pred, label, weight []float32) error {
	if err := check(m.Name(), pred, label, weight); err != nil {
		return err
	}
	if err := checkUnit(m.Name(), "label", label); err != nil {
		return err
	}
	if err := checkSmoothing(m.Name(), m.Smoothing); err != nil {
		return err
	}
	loss := lossOfLogit
	if !m.Logits {
		if err := checkUnit(m.Name(), "prediction", pred); err != nil {
			return fmt.Errorf("%w (set Logits if the predictions are logits)", err)
		}
		loss = lossOfProbability
	}
	for i, p := range pred {
		m.add(loss(float64(p), smooth(label[i], m.Smoothing, 2)), weightOf(weight, i, len(pred)))
	}
	return nil
}

func checkSmoothing(name string, s float64) error {
	if !(s >= 0 && s <= 1) {
		return fmt.Errorf("%w: %s: Smoothing must be from 0 to 1, got %v", ErrValue, name, s)
	}
	return nil
}

// smooth pulls a label towards one over the number of classes.
func smooth(y float32, by float64, classes int) float64 {
	return float64(float64(y)*(1-by)) + float64(by/float64(classes))
}

func lossOfProbability(p, y float64) float64 {
	p = min(max(p, epsilon), 1-epsilon)
	return -float64(y*math.Log(p)) - float64((1-y)*math.Log1p(-p))
}

// lossOfLogit is log(1 + e^x) - x·y in a form that neither overflows nor
// makes Inf - Inf.
func lossOfLogit(x, y float64) float64 {
	tail := math.Log1p(math.Exp(-math.Abs(x)))
	if x > 0 {
		return weigh(x, 1-y) + tail
	}
	return weigh(-x, y) + tail
}

// weigh is x·w, and 0 where w is 0 and x infinite.
func weigh(x, w float64) float64 {
	if w == 0 {
		return 0
	}
	return x * w
}

func checkUnit(name, what string, v []float32) error {
	for i, x := range v {
		if x < 0 || x > 1 {
			return fmt.Errorf("%w: %s: the %s of example %d of the batch is %v; it must be from 0 to 1", ErrValue, name, what, i, x)
		}
	}
	return nil
}
