package metric

import "fmt"

// ClipPredictions returns m as seen through predictions that are cut to
// [low, high]: ratings that cannot be below 0.5 or above 5, say. It keeps the
// name of m. NaN bounds, or low above high, are ErrValue.
func ClipPredictions(m Metric, low, high float32) (Metric, error) {
	if !(low <= high) {
		return nil, fmt.Errorf("%w: %s: cannot clip predictions to [%v, %v]", ErrValue, m.Name(), low, high)
	}
	return &clipped{Metric: m, low: low, high: high}, nil
}

type clipped struct {
	Metric
	low, high float32
	buf       []float32
}

// Update implements [Metric].
func (c *clipped) Update(pred, label, weight []float32) error {
	c.buf = c.buf[:0]
	for _, p := range pred {
		c.buf = append(c.buf, min(max(p, c.low), c.high)) // a NaN stays one
	}
	return c.Metric.Update(c.buf, label, weight)
}

// LabelAtLeast returns m as seen through labels that are 1 where they are at
// least the threshold and 0 elsewhere: AUC for ratings of 4 and more. It keeps
// the name of m.
func LabelAtLeast(m Metric, threshold float32) Metric {
	return &thresholded{Metric: m, threshold: threshold}
}

type thresholded struct {
	Metric
	threshold float32
	buf       []float32
}

// Update implements [Metric].
func (t *thresholded) Update(pred, label, weight []float32) error {
	t.buf = t.buf[:0]
	for _, y := range label {
		if y == y {
			y = float32(one(y >= t.threshold))
		}
		t.buf = append(t.buf, y)
	}
	return t.Metric.Update(pred, t.buf, weight)
}

// Named returns m under another name, so that two metrics of a kind can be told
// apart.
func Named(name string, m Metric) Metric { return &named{Metric: m, name: name} }

type named struct {
	Metric
	name string
}

// Name implements [Metric].
func (n *named) Name() string { return n.name }
