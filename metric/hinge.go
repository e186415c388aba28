package metric

// Hinge is the mean of max(1 - label·pred, 0). Labels are -1 and 1; those of a
// batch that are all 0 and 1 stand for them, as in Keras.
type Hinge struct{ average }

// SquaredHinge is [Hinge] with the square of each number.
type SquaredHinge struct{ average }

// Name implements [Metric]: "hinge".
func (*Hinge) Name() string { return "hinge" }

// Name implements [Metric]: "squared_hinge".
func (*SquaredHinge) Name() string { return "squared_hinge" }

// Update implements [Metric].
func (m *Hinge) Update(pred, label, weight []float32) error {
	sign := signs(label)
	return m.addPairs(m.Name(), pred, label, weight, func(p, y float64) float64 { return max(1-float64(p*sign(y)), 0) })
}

// Update implements [Metric].
func (m *SquaredHinge) Update(pred, label, weight []float32) error {
	sign := signs(label)
	return m.addPairs(m.Name(), pred, label, weight, func(p, y float64) float64 { return square(max(1-float64(p*sign(y)), 0)) })
}

// signs tells how the labels of a batch are to be read.
func signs(label []float32) func(float64) float64 {
	for _, y := range label {
		if y != 0 && y != 1 {
			return func(y float64) float64 { return y }
		}
	}
	return func(y float64) float64 { return 2*y - 1 }
}

// CategoricalHinge is by how much the prediction of the right class fails to
// exceed that of the best wrong one by 1, at least 0; the mean over examples.
type CategoricalHinge struct {
	// Classes is the number of predictions of each example, at least 2.
	Classes int
	average
}

// Name implements [Metric]: "categorical_hinge".
func (*CategoricalHinge) Name() string { return "categorical_hinge" }

// Update implements [Metric]. pred, label and weight are as in [CategoricalAccuracy.Update].
func (m *CategoricalHinge) Update(pred, label, weight []float32) error {
	c := classes{m.Name(), m.Classes}
	n, err := c.check(pred, label, weight)
	if err != nil {
		return err
	}
	for i := range n {
		right, wrong := 0.0, 0.0
		for k, p := range c.of(pred, i) {
			y := float64(c.share(label, i, k, n))
			right += weigh(float64(p), y)
			if w := weigh(float64(p), 1-y); k == 0 || w > wrong {
				wrong = w
			}
		}
		m.add(max(wrong-right+1, 0), weightOf(weight, i, n))
	}
	return nil
}
