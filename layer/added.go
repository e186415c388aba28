package layer

import (
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/metric"
)

// AddLoss adds symbolic scalars to the loss of every model that the layer is
// part of, whatever it is called on there: Keras' add_loss without inputs. A
// model whose inputs do not lead to them is an error, when it is made. Inside
// a call, use [Call.AddLoss].
func (b *Base) AddLoss(t ...*Tensor) error {
	return b.adding(func() error { return b.added.addLoss(b, nil, t) })
}

// AddLossFor adds symbolic scalars that depend on the inputs of one call of the
// layer: they count in models that have this call. in must be what the layer
// was applied to, else ErrNotConnected.
func (b *Base) AddLossFor(in []*Tensor, t ...*Tensor) error {
	call, err := b.callOn(in)
	if err != nil {
		return err
	}
	return b.adding(func() error { return b.added.addLoss(b, call, t) })
}

// AddLossFunc adds a loss that depends on weights alone, such as the mean of a
// kernel: Keras' add_loss of a function without arguments. It is unconditional,
// counts once, and is not in the layer's config.
func (b *Base) AddLossFunc(f LossFunc) error {
	return b.adding(func() error { return b.added.addLossFunc(b, f) })
}

// AddUpdate gives a weight, after each training step of any model that the
// layer is part of, the value of a symbolic tensor of the weight's shape.
func (b *Base) AddUpdate(v *Variable, t *Tensor) error {
	return b.adding(func() error { return b.added.addUpdate(b, nil, v, t, nil) })
}

// AddUpdateFor is AddUpdate for models that have the call of the layer on
// these inputs. in must be what the layer was applied to, else ErrNotConnected.
func (b *Base) AddUpdateFor(in []*Tensor, v *Variable, t *Tensor) error {
	call, err := b.callOn(in)
	if err != nil {
		return err
	}
	return b.adding(func() error { return b.added.addUpdate(b, call, v, t, nil) })
}

// AddUpdateFunc gives a weight after each training step the value of a function
// of weights, such as their moving average. It is unconditional.
func (b *Base) AddUpdateFunc(v *Variable, f UpdateFunc) error {
	return b.adding(func() error { return b.added.addUpdate(b, nil, v, nil, f) })
}

// AddMetric reports a symbolic scalar under a name in every model that the
// layer is part of: its mean over the examples of an epoch. A name that the
// layer has used already is ErrArgument. Inside a call, use [Call.AddMetric].
func (b *Base) AddMetric(name string, t *Tensor) error {
	return b.adding(func() error { return b.added.addMetric(b, name, t) })
}

// AddMetricObject gives the numbers of a symbolic tensor to a metric, as its
// predictions and its labels, and reports its result. Inside a call, use
// [Call.AddMetricObject].
func (b *Base) AddMetricObject(m metric.Metric, t *Tensor) error {
	return b.adding(func() error { return b.added.addMetricObject(b, m, t) })
}

// TrackMetric makes a metric part of the layer, so that its call can report to
// it: Keras finds metrics among a layer's attributes, here they are explicit.
// Without a metric every use of the layer is ErrArgument.
func (b *Base) TrackMetric(m metric.Metric) {
	if nils.Is(m) {
		b.misuse = fmt.Errorf("%w: TrackMetric of %s was given nil", ErrArgument, b.Class())
		return
	}
	if !slices.Contains(b.added.tracked, m) {
		b.added.tracked = append(b.added.tracked, m)
	}
}

func (b *Base) adding(add func() error) error {
	err := b.check()
	if err == nil {
		err = add()
	}
	if err != nil {
		return fmt.Errorf("layer %q: %w", b.Class(), err)
	}
	return nil
}

// callOn returns the call of the layer on these inputs.
func (b *Base) callOn(in []*Tensor) (*Node, error) {
	if len(b.nodes) == 0 {
		return nil, b.neverCalled("inputs")
	}
	calls := b.callsOn(in)
	if len(calls) == 0 {
		return nil, fmt.Errorf("%w: layer %q was never applied to these %d inputs: they must be those of one of its calls, in order", ErrNotConnected, b.Name(), len(in))
	}
	return calls[0], nil
}

func (b *Base) callsOn(in []*Tensor) []*Node {
	return slices.DeleteFunc(slices.Clone(b.nodes), func(n *Node) bool { return !slices.Equal(n.In, in) })
}
