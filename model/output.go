package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/metric"
)

// output is how one output of the model is judged.
type output struct {
	name    string // of the layer that computes it
	prefix  string // of its names in logs: "" in a model of one output
	loss    loss.Func
	weight  float32
	metrics []metric.Metric
	plain   int // the metrics before this one do not heed weights
}

// resolve turns names into losses and metrics.
func (o OutputOptions) resolve(t *layer.Tensor, prefix string) (output, error) {
	out := output{name: t.Name(), prefix: prefix, weight: o.LossWeight}
	if out.weight == 0 {
		out.weight = 1
	}
	if out.weight-out.weight != 0 {
		return out, fmt.Errorf("%w: LossWeight must be a finite number, got %v", ErrArgument, o.LossWeight)
	}
	var err error
	if out.loss, err = o.loss(); err != nil {
		return out, err
	}
	if err := out.addMetrics(o, t.Shape()); err != nil {
		return out, err
	}
	if len(out.metrics) > 0 && out.loss == nil {
		return out, fmt.Errorf("%w: metrics need labels, and only an output with a loss has those", ErrArgument)
	}
	return out, nil
}

// loss resolves the three ways to say what the loss is.
func (o *OutputOptions) loss() (loss.Func, error) {
	switch {
	case several(o.Loss != nil, o.LossName != "", o.LossConfig != nil):
		return nil, fmt.Errorf("%w: set one of Loss, LossName and LossConfig", ErrArgument)
	case o.LossName != "":
		return loss.ByName(o.LossName)
	case o.LossConfig != nil:
		return loss.FromConfig(*o.LossConfig)
	}
	return o.Loss, nil
}

// addMetrics adds the metrics of the options: first those that heed no weights.
func (out *output) addMetrics(o OutputOptions, shape layer.Shape) error {
	out.metrics = slices.Clone(o.Metrics)
	if err := out.addNamed(o.MetricNames, shape); err != nil {
		return err
	}
	for _, c := range o.MetricConfigs {
		m, err := metric.FromConfig(c, width(shape))
		if err != nil {
			return err
		}
		out.metrics = append(out.metrics, m)
	}
	out.plain = len(out.metrics)
	out.metrics = append(out.metrics, o.WeightedMetrics...)
	return out.addNamed(o.WeightedMetricNames, shape)
}

func (out *output) addNamed(names []string, shape layer.Shape) error {
	for _, name := range names {
		m, err := metricByName(name, width(shape))
		if err != nil {
			return err
		}
		out.metrics = append(out.metrics, m)
	}
	return nil
}

// width is how many numbers an example, or a step of one, has.
func width(shape layer.Shape) int {
	if len(shape) < 2 {
		return 1
	}
	return shape[len(shape)-1]
}

// metricByName is metric.NewOf with Keras' rule for "accuracy" and
// "crossentropy", small or capital: the width of the output says which one is
// meant.
func metricByName(name string, width int) (metric.Metric, error) {
	switch small := strings.ToLower(name); {
	case small == "accuracy" || small == "acc":
		if width > 1 {
			return metric.Named(name, &metric.CategoricalAccuracy{Classes: width}), nil
		}
		return metric.Named(name, &metric.BinaryAccuracy{}), nil
	case small == "crossentropy" || small == "ce":
		if width > 1 {
			return metric.Named(name, &metric.CategoricalCrossentropy{Classes: width}), nil
		}
		return metric.Named(name, &metric.LogLoss{}), nil
	}
	return metric.NewOf(name, width)
}

// checkMetrics refuses metrics that would mix their numbers: one value that
// measures two outputs, or two of a name.
func checkMetrics(all []output, p *layer.Plan) error {
	values, names := make(map[metric.Metric]bool), map[string]bool{"loss": true}
	add := func(m metric.Metric, name string) error {
		if m != nil && values[m] || names[name] {
			return fmt.Errorf("%w: metric %q is there twice: give each output metrics of its own in CompileOptions.Outputs, or another name by metric.Named", ErrArgument, name)
		}
		values[m], names[name] = true, true
		return nil
	}
	for _, o := range all {
		for _, m := range o.metrics {
			if nils.Is(m) {
				return fmt.Errorf("%w: a metric is nil", ErrArgument)
			}
			if err := add(m, o.prefix+m.Name()); err != nil {
				return err
			}
		}
	}
	for _, m := range p.MetricObjects() {
		if err := add(m, m.Name()); err != nil {
			return err
		}
	}
	for _, t := range p.Metrics {
		if t.Metric() != nil {
			continue
		}
		if err := add(nil, t.Name()); err != nil {
			return err
		}
	}
	return nil
}

// measure adds a batch to the metrics. As in the loss, what the mask of an
// output leaves out counts nothing.
func (c *compiled) measure(t *trained, labels []dense.Array, weights []float32) error {
	r, masks, next := t.results, t.program.Masks(t.results), 0
	for i, o := range c.outputs {
		if o.loss == nil {
			continue
		}
		w := entryWeights(masks[i], r.Outputs[i], nil)
		for k, m := range o.metrics {
			if k == o.plain {
				w = entryWeights(masks[i], r.Outputs[i], weights)
			}
			if err := m.Update(r.Outputs[i].Float, labels[next].Float, w); err != nil {
				return err
			}
		}
		next++
	}
	for m, x := range t.program.Measured(r) {
		if err := m.Update(x, x, nil); err != nil {
			return err
		}
	}
	return nil
}

// entryWeights returns the weights of what a mask covers, 0 where it is false,
// or those of the examples without a mask that covers leading dimensions.
func entryWeights(mask, out dense.Array, weights []float32) []float32 {
	k := len(mask.Shape)
	if k == 0 || k > len(out.Shape) || !slices.Equal(mask.Shape, out.Shape[:k]) {
		return weights
	}
	w := make([]float32, len(mask.Bool))
	for i, counts := range mask.Bool {
		switch {
		case counts && weights == nil:
			w[i] = 1
		case counts:
			w[i] = weights[i/(len(w)/len(weights))]
		}
	}
	return w
}

// metrics yields every metric with its name in logs.
func (c *compiled) metrics(yield func(string, metric.Metric) bool) {
	for _, o := range c.outputs {
		for _, m := range o.metrics {
			if !yield(o.prefix+m.Name(), m) {
				return
			}
		}
	}
	for _, m := range c.objects {
		if !yield(m.Name(), m) {
			return
		}
	}
}

func (c *compiled) resetMetrics() {
	for _, m := range c.metrics {
		m.Reset()
	}
}

// scalarNames names the losses that a program reports one by one, and the
// metrics that layers report. The loss of a model's only output with one is
// its loss, and is left out ("").
func (c *compiled) scalarNames(p *layer.Program) []string {
	var names []string
	for _, o := range c.outputs {
		switch {
		case o.loss == nil:
		case o.prefix == "":
			names = append(names, "")
		default:
			names = append(names, o.prefix+"loss")
		}
	}
	return append(names, p.MetricNames()...)
}
