package layer

import "github.com/rowan-embeddings/rowan/metric"

// MetricTerm is a number that a layer, or a model, reports under a name: by its
// call, or because it was given one. A scalar is averaged over the examples of
// an epoch; a metric object aggregates as it likes.
type MetricTerm struct {
	layer  *Base // nil of a model
	call   *Node // that reports it; nil if it was added from outside
	name   string
	tensor *Tensor
	object metric.Metric
}

// Layer returns the name of the layer that reports the metric, "" of a model.
func (m *MetricTerm) Layer() string { return nameOf(m.layer) }

// Name returns the name that the metric has in logs.
func (m *MetricTerm) Name() string {
	if m.object != nil {
		return m.object.Name()
	}
	return m.name
}

// Inputs returns what the layer was called on where its call reports the
// metric, else nil.
func (m *MetricTerm) Inputs() []*Tensor { return inputsOf(m.call) }

// Tensor returns the symbolic tensor that is measured, nil where a call of the
// layer reports the metric.
func (m *MetricTerm) Tensor() *Tensor { return m.tensor }

// Metric returns the object that aggregates, nil where scalars are averaged.
func (m *MetricTerm) Metric() metric.Metric { return m.object }
