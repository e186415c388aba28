package layer

import (
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/metric"
)

// Additions are the losses, updates and metrics that were given from outside a
// call, to a layer or to a whole model. The zero value has none. Adding is for
// one goroutine at a time; a plan has what was added before it was made.
type Additions struct {
	losses  []*LossTerm
	updates []*UpdateTerm
	metrics []*MetricTerm
	tracked []metric.Metric // objects that calls report to
}

// AddLoss adds symbolic scalars, computed from outputs of layers.
func (a *Additions) AddLoss(t ...*Tensor) error { return a.addLoss(nil, nil, t) }

// AddLossFunc adds a loss that depends on weights alone. A config has no words
// for a function, and leaves it out.
func (a *Additions) AddLossFunc(f LossFunc) error { return a.addLossFunc(nil, f) }

// AddMetric reports a symbolic scalar under a name, averaged over the examples.
func (a *Additions) AddMetric(name string, t *Tensor) error { return a.addMetric(nil, name, t) }

// AddMetricObject gives the numbers of a symbolic tensor to a metric, batch by
// batch, as its predictions and its labels, and reports what it makes of them.
func (a *Additions) AddMetricObject(m metric.Metric, t *Tensor) error {
	return a.addMetricObject(nil, m, t)
}

func (a *Additions) addLoss(b *Base, call *Node, ts []*Tensor) error {
	for i, t := range ts {
		if err := t.scalar(); err != nil {
			return fmt.Errorf("loss %d: %w", i, err)
		}
	}
	for _, t := range ts {
		a.losses = append(a.losses, &LossTerm{layer: b, call: call, tensor: t})
	}
	return nil
}

func (a *Additions) addLossFunc(b *Base, f LossFunc) error {
	if f == nil {
		return fmt.Errorf("%w: the function of a loss is nil", ErrArgument)
	}
	a.losses = append(a.losses, &LossTerm{layer: b, f: f})
	return nil
}

func (a *Additions) addMetric(b *Base, name string, t *Tensor) error {
	if name == "" {
		return fmt.Errorf("%w: a metric needs a name, unless an object measures it", ErrArgument)
	}
	for _, m := range a.metrics {
		if m.Name() == name {
			return fmt.Errorf("%w: there is a metric named %q already", ErrArgument, name)
		}
	}
	if err := t.scalar(); err != nil {
		return fmt.Errorf("metric %q: %w", name, err)
	}
	a.metrics = append(a.metrics, &MetricTerm{layer: b, name: name, tensor: t})
	return nil
}

func (a *Additions) addMetricObject(b *Base, m metric.Metric, t *Tensor) error {
	if nils.Is(m) {
		return fmt.Errorf("%w: the metric is nil", ErrArgument)
	}
	if err := t.floats(); err != nil {
		return fmt.Errorf("metric %q: %w", m.Name(), err)
	}
	for _, o := range a.metrics {
		if o.Name() == m.Name() {
			return fmt.Errorf("%w: there is a metric named %q already: metric.Named gives it another", ErrArgument, m.Name())
		}
	}
	a.metrics = append(a.metrics, &MetricTerm{layer: b, object: m, tensor: t})
	return nil
}

func (a *Additions) addUpdate(b *Base, call *Node, v *Variable, t *Tensor, f UpdateFunc) error {
	if v == nil || v.table != nil {
		return fmt.Errorf("%w: an update is of a dense weight: tables are updated by their gradients, or by Upsert", ErrArgument)
	}
	if t != nil {
		if err := t.floats(); err != nil {
			return fmt.Errorf("update of weight %q: %w", v.Name(), err)
		}
		if !v.shape.Accepts(t.shape) {
			return fmt.Errorf("%w: weight %q of shape %v cannot be given a value of shape %v", ErrShape, v.Name(), v.shape, t.shape)
		}
	} else if f == nil {
		return fmt.Errorf("%w: the new value of weight %q is nil", ErrArgument, v.Name())
	}
	a.updates = append(a.updates, &UpdateTerm{layer: b, call: call, variable: v, tensor: t, f: f})
	return nil
}

// floats says why a tensor is not a usable batch of float32.
func (t *Tensor) floats() error {
	if err := t.usable(); err != nil {
		return err
	}
	if t.ids {
		return fmt.Errorf("%w: tensor %q holds ids: put an Embedding behind it", ErrStage, t.name)
	}
	return nil
}

// scalar says why a tensor is not one usable number.
func (t *Tensor) scalar() error {
	if err := t.floats(); err != nil {
		return err
	}
	if len(t.shape) > 0 {
		return fmt.Errorf("%w: tensor %q must be a scalar, got shape %v: reduce it, with op.ReduceMean for one", ErrShape, t.name, t.shape)
	}
	return nil
}

// Clone returns a copy to which can be added without the first taking notice.
func (a *Additions) Clone() Additions {
	return Additions{losses: slices.Clone(a.losses), updates: slices.Clone(a.updates),
		metrics: slices.Clone(a.metrics), tracked: slices.Clone(a.tracked)}
}
