package layer

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// Call is one lowering of layers into a graph. Its methods may be used only
// while a layer's Call runs; they panic on misuse, as graph operations do, and
// the panic becomes an error with the layer's name.
type Call struct {
	// Training is true in a training step: dropout drops, batch statistics move.
	Training bool

	trace    *dense.Trace
	vars     []*Variable
	index    map[*Variable]int
	constant bool         // weights are constants of the graph: it is run once
	free     int          // the size of free dimensions in a trace of shapes, else 0
	dtype    dtypes.DType // of weights: what the layer being called computes in
	layer    Layer        // the layer being called
	masks    []*graph.Node
	losses   []addedLoss
	updates  []dense.Update // in training; one a weight
	updaters []*Base        // which layer made each update
	metrics  []addedMetric
	measures []measure
	streams  map[string]uint64 // random arrays drawn by each layer so far
}

// NamedNode is a metric: a scalar and its name.
type NamedNode struct {
	Name  string
	Value *graph.Node
}

// addedLoss, addedMetric and measure are what a layer added, nil if a model did.
type (
	addedLoss struct {
		by   *Base
		node *graph.Node
	}
	addedMetric struct {
		by *Base
		NamedNode
	}
	measure struct {
		by     *Base
		object metric.Metric
		node   *graph.Node
	}
)

// NewCall returns a lowering into a program whose variables are those of vars,
// tables left out, in that order: see [DenseVariables].
func NewCall(t *dense.Trace, vars []*Variable, training bool) *Call {
	c := &Call{Training: training, trace: t, vars: vars, dtype: dtypes.Float32, index: make(map[*Variable]int, len(vars)), streams: make(map[string]uint64)}
	for i, v := range vars {
		c.index[v] = i
	}
	return c
}

// graphPanic panics with an error, for the recovery around a trace.
func graphPanic(format string, args ...any) { panic(fmt.Errorf(format, args...)) }

// Graph returns the graph, for constants.
func (c *Call) Graph() *graph.Graph { return c.trace.Graph() }

// Var returns a dense weight, in the type that the layer computes in. A table's rows are not in the graph: look them up.
func (c *Call) Var(v *Variable) *graph.Node {
	if c.constant && v.table == nil {
		return cast(graph.Reshape(graph.Const(c.Graph(), v.value), v.shape...), c.dtype)
	}
	i, ok := c.index[v]
	if v.table != nil || !ok {
		graphPanic("%w: weight %q is not an array of this graph: tables are looked up by host layers, and AddWeight makes arrays", ErrStage, v.Name())
	}
	return cast(c.trace.Variable(i), c.dtype)
}

// Mask returns the mask of input i, nil without one.
func (c *Call) Mask(i int) *graph.Node {
	if i < len(c.masks) {
		return c.masks[i]
	}
	return nil
}

// Uniform returns float32 numbers in [0, 1), new at every step and for every call: a
// function of the model's seed, the step, the layer's name and the number of
// calls before, so that a resumed run draws the same.
func (c *Call) Uniform(shape ...int) *graph.Node {
	name := c.layer.core().Name()
	n := c.streams[name]
	c.streams[name] = n + 1
	h := fnv.New64a()
	h.Write([]byte(name))
	return c.trace.Uniform(h.Sum64()+n, shape...)
}

// AddLoss adds scalars, floats of any type, to the loss of the model.
func (c *Call) AddLoss(n ...*graph.Node) {
	for _, l := range n {
		c.addLoss(c.by(), l)
	}
}

// AddLossFunc adds what functions compute from weights to the loss of the
// model. They are given float32, whatever the layer computes in.
func (c *Call) AddLossFunc(f ...LossFunc) {
	computes := c.dtype
	c.dtype = dtypes.Float32
	for _, f := range f {
		c.AddLoss((&LossTerm{f: f}).node(c))
	}
	c.dtype = computes
}

func (c *Call) addLoss(by *Base, n *graph.Node) {
	checkScalar("a loss", n)
	c.losses = append(c.losses, addedLoss{by, cast(n, dtypes.Float32)})
}

// by is the layer being called, nil outside a call.
func (c *Call) by() *Base {
	if c.layer == nil {
		return nil
	}
	return c.layer.core()
}

// AddUpdate assigns a new value to a weight after the step: a running mean.
// Where Training is false, or the layer is frozen, it does nothing. A weight
// has one update a step: of two values, from two calls of a shared layer say,
// none is the right one, and the second is ErrArgument.
func (c *Call) AddUpdate(v *Variable, n *graph.Node) {
	c.Var(v)
	by := c.by()
	if !c.Training || by != nil && by.frozen {
		return
	}
	at := c.index[v]
	if slices.ContainsFunc(c.updates, func(u dense.Update) bool { return u.Variable == at }) {
		graphPanic("%w: weight %q has an update in this step already: update it in one call, once, or give each call a weight of its own", ErrArgument, v.Name())
	}
	c.updates, c.updaters = append(c.updates, dense.Update{Variable: at, Value: cast(n, dtypes.Float32)}), append(c.updaters, by)
}

// AddMetric reports a scalar, a float of any type, under a name at every step:
// its mean over the examples of an epoch.
func (c *Call) AddMetric(name string, n *graph.Node) {
	checkScalar(fmt.Sprintf("metric %q", name), n)
	c.metrics = append(c.metrics, addedMetric{c.by(), NamedNode{name, cast(n, dtypes.Float32)}})
}

// AddMetricObject gives numbers to a metric of the layer at every step, as its
// predictions and its labels; its result is reported under its name. The layer
// must have been told of it by [Base.TrackMetric].
func (c *Call) AddMetricObject(m metric.Metric, n *graph.Node) {
	by := c.by()
	if by == nil || !slices.Contains(by.added.tracked, m) {
		graphPanic("%w: the metric is not known to the layer: make it part of the layer in its constructor, with TrackMetric", ErrArgument)
	}
	c.measure(by, m, n)
}

func (c *Call) measure(by *Base, m metric.Metric, n *graph.Node) {
	checkFloats(fmt.Sprintf("metric %q", m.Name()), n)
	c.measures = append(c.measures, measure{by, m, cast(n, dtypes.Float32)})
}

func checkScalar(what string, n *graph.Node) {
	if n.Rank() != 0 {
		graphPanic("%w: %s must be a scalar, got shape %v", ErrShape, what, Shape(n.Shape().Dimensions))
	}
	checkFloats(what, n)
}

func checkFloats(what string, n *graph.Node) {
	if !n.DType().IsFloat() {
		graphPanic("%w: %s must be float32, or another type of floats, got %v: convert it with graph.ConvertDType", ErrArgument, what, n.DType())
	}
}

// Losses returns the losses added so far: by layers, and by their activity regularizers.
func (c *Call) Losses() []*graph.Node {
	var nodes []*graph.Node
	for _, l := range c.losses {
		nodes = append(nodes, l.node)
	}
	return nodes
}

// Updates returns the updates added so far.
func (c *Call) Updates() []dense.Update { return c.updates }

// Metrics returns the metrics added so far, without those that objects measure.
func (c *Call) Metrics() []NamedNode {
	var nodes []NamedNode
	for _, m := range c.metrics {
		nodes = append(nodes, m.NamedNode)
	}
	return nodes
}

// within runs f as part of a layer's call, nil for a model's.
func (c *Call) within(b *Base, f func()) {
	if b == nil {
		f()
		return
	}
	c.trace.Scope(b.Name(), func() {
		outer, outerMasks, outerType := c.layer, c.masks, c.dtype
		c.layer, c.masks, c.dtype = b.self, nil, dtypes.Float32
		f()
		c.layer, c.masks, c.dtype = outer, outerMasks, outerType
	})
}

// addUnconditional adds the losses and updates that are functions of weights.
func (c *Call) addUnconditional(a *Additions) {
	for _, l := range a.losses {
		if l.f != nil {
			c.within(l.layer, func() { c.addLoss(l.layer, l.node(c)) })
		}
	}
	for _, u := range a.updates {
		if u.f != nil {
			c.within(u.layer, func() { c.addUpdate(u, nil) })
		}
	}
}

// addUpdate makes an update that was given from outside; value is that of its
// tensor.
func (c *Call) addUpdate(u *UpdateTerm, value *graph.Node) {
	if u.f != nil {
		value = u.f(c)
	}
	if value == nil {
		graphPanic("%w: the function of an update of weight %q returned no value", ErrArgument, u.variable.Name())
	}
	c.AddUpdate(u.variable, value)
}

// Apply calls a sublayer, without masks. Inputs that its InputSpec does not
// accept are ErrShape.
func (c *Call) Apply(l GraphLayer, in ...*graph.Node) []*graph.Node {
	if err := l.core().checkNodes(in, c.free); err != nil {
		panic(err)
	}
	out, _ := c.apply(l, in, make([]*graph.Node, len(in)))
	return out
}

// apply calls l, and returns its outputs and their masks.
func (c *Call) apply(l GraphLayer, in, mask []*graph.Node) (out, outMask []*graph.Node) {
	b := l.core()
	if err := b.checkCount(len(in)); err != nil {
		panic(err)
	}
	c.trace.Scope(b.Name(), func() {
		outer, outerMasks, outerType := c.layer, c.masks, c.dtype
		c.layer, c.masks, c.dtype = l, mask, b.inside()
		if !b.options.NoAutocast {
			in = castAll(castAll(in, b.ComputeDType().engine()), c.dtype)
		}
		out = l.Call(c, in...)
		if len(out) == 0 || slices.Contains(out, nil) {
			graphPanic("%w: Call returned no output", ErrArgument)
		}
		for i, o := range out {
			checkFloats(fmt.Sprintf("output %d", i), o)
		}
		out = castAll(out, b.ComputeDType().engine())
		outMask = outputMasks(c, l, in, mask, len(out))
		c.addActivity(b, out)
		c.layer, c.masks, c.dtype = outer, outerMasks, outerType
	})
	return out, outMask
}

// addActivity adds the penalty on a layer's outputs, divided by the batch
// size as Keras does since 2.0.
func (c *Call) addActivity(b *Base, out []*graph.Node) {
	r := b.options.Activity
	if regularizer.IsNone(r) {
		return
	}
	for _, o := range out {
		batch := 1
		if o.Rank() > 0 {
			batch = o.Shape().Dimensions[0]
		}
		c.addLoss(b, graph.DivScalar(r.Penalty(cast(o, dtypes.Float32)), float64(batch)))
	}
}

// WeightLosses returns the regularizers' penalties on the weights of vars,
// each once, those of frozen weights too. Tables pay theirs when rows are updated.
func (c *Call) WeightLosses(vars []*Variable) []*graph.Node {
	var losses []*graph.Node
	for _, v := range vars {
		if v.table == nil && !regularizer.IsNone(v.regularizer) {
			losses = append(losses, v.regularizer.Penalty(c.Var(v))) // outside a call: in float32
		}
	}
	return losses
}

// DenseVariables returns the variables that are arrays, and drops tables.
func DenseVariables(vars []*Variable) []*Variable {
	return slices.DeleteFunc(slices.Clone(vars), func(v *Variable) bool { return v.table != nil })
}

// Specs describes dense variables to a program, in their order.
func Specs(vars []*Variable) []dense.Variable {
	specs := make([]dense.Variable, len(vars))
	for i, v := range vars {
		specs[i] = dense.Variable{Name: v.Name(), Shape: v.shape, Trainable: v.Trainable()}
	}
	return specs
}

// Values returns the arrays of dense variables, not copies, in their order.
func Values(vars []*Variable) [][]float32 {
	values := make([][]float32, len(vars))
	for i, v := range vars {
		values[i] = v.value
	}
	return values
}
