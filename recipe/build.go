package recipe

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/model"
)

// builder puts the layers of a config together:
//
//	column ──> table ──> dropout ──> vector ─┬─> sums ─┬─> dots ──────┐
//	   │                                     └─────────┴─> deep ──> 1 ├─> + ──> output
//	   └─────> table of width 1 ──────────────────────────────────────┘    offset, activation
//
// The output layer's kernel is 1 and its bias the offset; neither is trained.
type builder struct {
	c       *Config
	tables  []*rowan.Table
	scope   *layer.Scope
	inputs  map[string]*layer.Tensor // by column
	order   []*layer.Tensor          // the inputs in the order of their first use
	vectors map[string]*layer.Tensor // by feature, sum or number column
	terms   []*layer.Tensor          // of shape (batch, 1)
}

// build makes the model of a config over its tables, with its defaults filled in.
func (c *Config) build(tables []*rowan.Table, offset float64) (*model.Model, error) {
	b := &builder{c: c, tables: tables, scope: layer.NewScope(c.Seed),
		inputs: make(map[string]*layer.Tensor), vectors: make(map[string]*layer.Tensor)}
	for _, step := range []func() error{b.features, b.sums, b.dots, b.deep} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	out, err := b.output(offset)
	if err != nil {
		return nil, err
	}
	return model.New(b.order, []*layer.Tensor{out})
}

// input returns the model's input for a column.
func (b *builder) input(column string) (*layer.Tensor, error) {
	if in := b.inputs[column]; in != nil {
		return in, nil
	}
	col := b.c.column(column)
	o := layer.InputOptions{Name: column, Scope: b.scope, Shape: layer.Shape{}, IDs: true, KeyType: col.KeyType()}
	switch col.Kind {
	case dataset.IDs:
		o.Ragged, o.Shape = true, layer.Shape{-1}
	case dataset.Number:
		o.IDs, o.Shape = false, layer.Shape{1}
	}
	in, err := layer.Input(o)
	if err != nil {
		return nil, err
	}
	b.inputs[column] = in
	b.order = append(b.order, in)
	return in, nil
}

func (b *builder) features() error {
	for _, f := range b.c.Features {
		if f.Table != "" {
			vector, err := b.lookup(f, f.Table, f.Name+"_rows")
			if err == nil {
				vector, err = b.dropout(vector, b.c.Interaction.Dropout, f.Name+"_dropout")
			}
			if err != nil {
				return err
			}
			b.vectors[f.Name] = vector
		}
		if f.Bias != "" {
			bias, err := b.lookup(f, f.Bias, f.Name+"_bias")
			if err != nil {
				return err
			}
			b.terms = append(b.terms, bias)
		}
	}
	return nil
}

// lookup looks a feature's column up in a table.
func (b *builder) lookup(f Feature, table, name string) (*layer.Tensor, error) {
	in, err := b.input(f.Column)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(b.tables, func(t *rowan.Table) bool { return t.Name() == table })
	l, err := layer.NewTableLookup(b.tables[at], b.c.combiner(f), layer.Options{Name: name})
	if err != nil {
		return nil, err
	}
	return l.Apply(in)
}

func (b *builder) dropout(x *layer.Tensor, rate float64, name string) (*layer.Tensor, error) {
	if rate == 0 {
		return x, nil
	}
	l, err := layer.NewDropout(rate, layer.DropoutOptions{Options: layer.Options{Name: name}})
	if err != nil {
		return nil, err
	}
	return l.Apply(x)
}

func (b *builder) sums() error {
	for _, s := range b.c.Interaction.Sums {
		var of []*layer.Tensor
		for _, name := range s.Of {
			of = append(of, b.vectors[name])
		}
		sum, err := layer.NewAdd(layer.Options{Name: s.Name + "_sum"}).Apply(of...)
		if err != nil {
			return err
		}
		b.vectors[s.Name] = sum
	}
	return nil
}

func (b *builder) dots() error {
	for i, d := range b.c.Interaction.Dots {
		l, err := layer.NewDot([2]int{-1, -1}, false, layer.Options{Name: fmt.Sprintf("dot_%d", i)})
		if err != nil {
			return err
		}
		dot, err := l.Apply(b.vectors[d[0]], b.vectors[d[1]])
		if err != nil {
			return err
		}
		b.terms = append(b.terms, dot)
	}
	return nil
}

func (b *builder) deep() error {
	deep := b.c.Interaction.Deep
	if deep == nil {
		return nil
	}
	x, err := b.concatenate(deep.Inputs)
	for i, d := range deep.Layers {
		if err != nil {
			return err
		}
		if x, err = b.dense(x, d.Units, fmt.Sprintf("deep_%d", i), layer.DenseOptions{Activation: d.Activation}); err == nil {
			x, err = b.dropout(x, d.Dropout, fmt.Sprintf("deep_%d_dropout", i))
		}
	}
	if err != nil {
		return err
	}
	o := layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: initializer.Zeros{}}}
	if x, err = b.dense(x, 1, "deep_out", o); err != nil {
		return err
	}
	b.terms = append(b.terms, x)
	return nil
}

// concatenate joins vectors and number columns end to end.
func (b *builder) concatenate(inputs []string) (*layer.Tensor, error) {
	var parts []*layer.Tensor
	for _, name := range inputs {
		part := b.vectors[name]
		if part == nil {
			var err error
			if part, err = b.input(name); err != nil {
				return nil, err
			}
		}
		parts = append(parts, part)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	l, err := layer.NewConcatenate(-1, layer.Options{Name: "deep_in"})
	if err != nil {
		return nil, err
	}
	return l.Apply(parts...)
}

func (b *builder) dense(x *layer.Tensor, units int, name string, o layer.DenseOptions) (*layer.Tensor, error) {
	o.Name = name
	l, err := layer.NewDense(units, o)
	if err != nil {
		return nil, err
	}
	return l.Apply(x)
}

// output adds the terms and the offset.
func (b *builder) output(offset float64) (*layer.Tensor, error) {
	if len(b.terms) == 0 {
		return nil, fieldError("interaction", "nothing reaches the output: give a feature a bias, or make products or a deep part")
	}
	sum := b.terms[0]
	if len(b.terms) > 1 {
		var err error
		if sum, err = layer.NewAdd(layer.Options{Name: "terms"}).Apply(b.terms...); err != nil {
			return nil, err
		}
	}
	return b.dense(sum, 1, "output", layer.DenseOptions{Activation: b.c.Output.Activation,
		Kernel: layer.WeightOptions{Initializer: initializer.Ones{}, Frozen: true},
		Bias:   layer.WeightOptions{Initializer: initializer.Constant{Value: offset}, Frozen: true}})
}

// offset returns what is added to the sum of terms, given the mean label.
func (c *Config) offset(mean float64) (float64, error) {
	if c.Output.Offset != "mean" {
		return strconv.ParseFloat(c.Output.Offset, 32)
	}
	if !c.classifies() {
		return mean, nil
	}
	if !(mean > 0 && mean < 1) {
		return 0, fieldError("output.activation", "a sigmoid needs labels of 0 and 1, some of each: their mean is %v. Does the label column need at_least?", mean)
	}
	return math.Log(mean / (1 - mean)), nil
}

// compile makes the model ready for a training of that many steps.
func (c *Config) compile(m *model.Model, n scale) error {
	opt, err := makeOptimizer("training.optimizer", c.Training.Optimizer, n.steps)
	if err != nil {
		return err
	}
	metrics, err := c.metrics()
	if err != nil {
		return err
	}
	o := model.CompileOptions{Optimizer: opt, OutputOptions: model.OutputOptions{LossName: c.Training.Loss, WeightedMetrics: metrics}}
	if deep := c.Interaction.Deep; deep != nil {
		o.WeightDecay = float32(deep.WeightDecay)
	}
	return m.Compile(o)
}

// metrics makes the metrics of a config anew.
func (c *Config) metrics() ([]metric.Metric, error) {
	var all []metric.Metric
	for i, d := range c.Metrics {
		m, err := metric.New(d.Name)
		if err != nil {
			return nil, inField(fmt.Sprintf("metrics[%d].name", i), err)
		}
		if d.LabelAtLeast != nil {
			m = metric.LabelAtLeast(m, *d.LabelAtLeast)
		}
		if len(c.Output.Clip) == 2 {
			if m, err = metric.ClipPredictions(m, c.Output.Clip[0], c.Output.Clip[1]); err != nil {
				return nil, errors.Join(fieldError("output.clip", "it cannot be followed"), err)
			}
		}
		all = append(all, m)
	}
	return all, nil
}
