package model

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/metric"
)

// AddLoss adds symbolic scalars to the loss of the model: what package op made
// of outputs of its layers. A tensor that the model's inputs do not lead to is
// an error. The model has to be compiled anew; without another loss it is
// trained on these, and needs no labels.
func (m *Model) AddLoss(t ...*layer.Tensor) error {
	return m.add(func(a *layer.Additions) error { return a.AddLoss(t...) })
}

// AddLossFunc adds a loss that depends on weights alone, such as the mean of a
// kernel. The model has to be compiled anew.
func (m *Model) AddLossFunc(f layer.LossFunc) error {
	return m.add(func(a *layer.Additions) error { return a.AddLossFunc(f) })
}

// AddMetric reports a symbolic scalar under a name: Fit and Evaluate log its
// mean over the examples. A tensor that the model's inputs do not lead to is an
// error. The model has to be compiled anew.
func (m *Model) AddMetric(name string, t *layer.Tensor) error {
	return m.add(func(a *layer.Additions) error { return a.AddMetric(name, t) })
}

// AddMetricObject gives the numbers of a symbolic tensor to a metric, as its
// predictions and its labels: Fit and Evaluate log its result over all batches.
// Keras refuses that, as the result of an object does not lead back to the
// inputs; here the tensor does, and the object stays outside. The model has to
// be compiled anew.
func (m *Model) AddMetricObject(o metric.Metric, t *layer.Tensor) error {
	return m.add(func(a *layer.Additions) error { return a.AddMetricObject(o, t) })
}

// add makes the model again with something added, or leaves it as it was.
func (m *Model) add(something func(*layer.Additions) error) error {
	if err := m.built(); err != nil {
		return err
	}
	more := m.added.Clone()
	if err := something(&more); err != nil {
		return err
	}
	before := m.added
	m.added = more
	if err := m.use(m.plan.Inputs, m.plan.Outputs); err != nil {
		m.added = before
		return fmt.Errorf("what is added to a model must lead back to its inputs: %w", err)
	}
	return nil
}

// Losses returns every term of the loss that layers add in their calls, that
// was added to them or to the model, and the penalties on dense weights; not the
// losses of CompileOptions. Calls are traced to answer.
func (m *Model) Losses() ([]*layer.LossTerm, error) {
	p, err := m.newPlan()
	if err != nil {
		return nil, err
	}
	return p.LossTerms()
}

// Updates returns every update that a training step makes beside training: of
// layers' calls, such as running means, and those that were added to layers.
func (m *Model) Updates() ([]*layer.UpdateTerm, error) {
	p, err := m.newPlan()
	if err != nil {
		return nil, err
	}
	return p.UpdateTerms()
}

// Metrics returns every metric that layers report in their calls, and that was
// added to them or to the model; not those of CompileOptions.
func (m *Model) Metrics() ([]*layer.MetricTerm, error) {
	p, err := m.newPlan()
	if err != nil {
		return nil, err
	}
	return p.MetricTerms()
}

// newPlan has what was added to layers since the model's plan was made.
func (m *Model) newPlan() (*layer.Plan, error) {
	if err := m.built(); err != nil {
		return nil, err
	}
	return layer.NewPlan(m.plan.Inputs, m.plan.Outputs, &m.added)
}
