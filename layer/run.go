package layer

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Args are the arguments of an eager call.
type Args struct {
	// Training is true in a training step.
	Training bool
	// Step numbers the random numbers of dropout: equal steps draw equal ones.
	Step int64
}

// Output is what an eager call computed.
type Output struct {
	// Values are the layer's outputs.
	Values []Value
	// Losses are those of this call: what the layer added, activity
	// regularizers, functions that were added to the layer, then weight
	// regularizers. Symbolic losses that were added from outside are of calls on
	// symbols, and not among them.
	Losses []float32
	// Metrics are those that the layer reported: scalars as they are, then what
	// metric objects make of this call and those before it.
	Metrics []Metric
}

// Metric is a named number.
type Metric struct {
	Name  string
	Value float32
}

// eagerProgram is a layer compiled alone. names and counts are set by tracing.
type eagerProgram struct {
	*dense.Program
	vars []*Variable

	traced atomic.Pointer[traced]
}

// traced says what the outputs of a program are, after those of the layer.
type traced struct {
	masked  []bool
	losses  int
	metrics []string
	objects []metric.Metric
}

// Run computes the layer on data at once: no node is made. It builds the layer
// first if need be. A graph layer is compiled for each shape of its inputs.
//
// In training, updates such as running means are stored. Run is safe for
// concurrent use where Training is false.
func (b *Base) Run(ctx context.Context, a Args, in ...Value) (*Output, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	if len(in) == 0 {
		return nil, fmt.Errorf("%w: layer %q was run on no inputs", ErrArgument, b.Class())
	}
	b.bind(process)
	switch l := b.self.(type) {
	case HostLayer:
		return b.runHost(ctx, l, a, in)
	case IDLayer:
		return b.runIDs(ctx, l, a, in)
	case GraphLayer:
		return b.runGraph(ctx, l, a, in)
	}
	return nil, fmt.Errorf("%w: %s is neither a GraphLayer nor a HostLayer nor an IDLayer", ErrNotInitialized, b.Class())
}

func (b *Base) runHost(ctx context.Context, l HostLayer, a Args, in []Value) (*Output, error) {
	if len(in) != 1 || nils.Is(in[0].IDs) {
		return nil, fmt.Errorf("%w: layer %q looks up one batch of ids", ErrStage, b.Name())
	}
	ids := in[0].IDs
	if err := b.buildFor(ids); err != nil {
		return nil, err
	}
	r := new(Rows)
	if err := guard(func() error { return l.Lookup(ctx, r, ids, a.Training) }); err != nil {
		return nil, fmt.Errorf("layer %q: %w", b.Name(), err)
	}
	values := r.Values()
	b.ComputeDType().round(values.Data())
	v := Value{Floats: values, Mask: r.Mask(), Splits: r.Splits()}
	if len(v.Mask) == 0 {
		v.Mask = nil
	}
	out := &Output{Values: []Value{v}}
	if act := b.options.Activity; !regularizer.IsNone(act) {
		p, err := penaltyOf(b.Name(), act, v.Floats)
		if err != nil {
			return nil, err
		}
		out.Losses = append(out.Losses, p/float32(max(1, v.Floats.Shape()[0])))
	}
	return out, nil
}

// penaltyOf is the penalty of numbers at hand.
func penaltyOf(name string, r regularizer.Regularizer, x *tensor.Values) (float32, error) {
	if l, ok := r.(regularizer.L1L2); ok {
		return l.Value(x.Data()), nil
	}
	p, err := dense.New(dense.Config{Name: name, Build: func(t *dense.Trace) (dense.Result, error) {
		return dense.Result{Outputs: []*graph.Node{r.Penalty(t.Input(0))}}, nil
	}})
	if err != nil {
		return 0, err
	}
	out, err := p.Run(dense.Args{Inputs: []dense.Array{dense.Floats(x.Data(), x.Shape()...)}})
	if err != nil {
		return 0, err
	}
	return out.Outputs[0].Float[0], nil
}

// buildOnce checks the inputs of a run, and builds the layer if it is the first:
// others wait, as the building may change what the check looks at.
func (b *Base) buildOnce(check func() error, in ...Shape) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := check(); err != nil {
		return err
	}
	return b.build(in)
}

// buildFor is buildOnce for a run on ids.
func (b *Base) buildFor(ids tensor.IDs) error {
	return b.buildOnce(func() error { return b.checkIDs(ids) }, Shape(ids.Shape()))
}

func (b *Base) runGraph(_ context.Context, l GraphLayer, a Args, in []Value) (*Output, error) {
	arrays, shapes, masked, err := b.eagerInputs(in)
	if err != nil {
		return nil, err
	}
	if err := b.buildOnce(func() error { return b.checkFloats(shapes, masked) }, shapes...); err != nil {
		return nil, err
	}
	p, err := b.eagerProgram(l, a.Training, masked)
	if err != nil {
		return nil, err
	}
	r, err := p.Run(dense.Args{Variables: Values(p.vars), Inputs: arrays, Step: a.Step})
	if err != nil {
		return nil, err
	}
	for i, u := range r.Updates {
		copy(p.vars[i].value, u)
	}
	b.mu.Lock() // metrics have no lock of their own
	defer b.mu.Unlock()
	return p.output(r)
}

// checkFloats is checkSpec for data, and for their masks.
func (b *Base) checkFloats(shapes []Shape, masked []bool) error {
	if err := b.checkInputs(len(shapes), func(i int) (Shape, DType) { return shapes[i], Float32 }); err != nil {
		return err
	}
	if slices.Contains(masked, true) && !b.masking {
		return fmt.Errorf("%w: layer %q does not support masking, but was passed a mask", ErrMask, b.Name())
	}
	return nil
}

func (b *Base) eagerInputs(in []Value) (arrays []dense.Array, shapes []Shape, masked []bool, err error) {
	var masks []dense.Array
	for i, v := range in {
		if v.Floats == nil {
			return nil, nil, nil, fmt.Errorf("%w: layer %q computes on floats; input %d has none", ErrStage, b.Name(), i)
		}
		dims := v.Floats.Shape()
		if v.Splits != nil {
			return nil, nil, nil, fmt.Errorf("%w: layer %q needs a rectangle; input %d is ragged", ErrShape, b.Name(), i)
		}
		arrays = append(arrays, dense.Floats(v.Floats.Data(), dims...))
		shapes = append(shapes, Shape(dims))
		masked = append(masked, v.Mask != nil)
		if v.Mask != nil {
			masks = append(masks, dense.Bools(v.Mask, maskShape(dims)...))
		}
	}
	return append(arrays, masks...), shapes, masked, nil
}

func (b *Base) eagerProgram(l GraphLayer, training bool, masked []bool) (*eagerProgram, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := b.eagerKey(training, masked)
	if p := b.eager[key]; p != nil {
		return p, nil
	}
	p := &eagerProgram{vars: DenseVariables(b.Variables())}
	var err error
	p.Program, err = dense.New(dense.Config{
		Name: b.Name(), Variables: Specs(p.vars), Seed: b.scope.seed,
		Build: func(t *dense.Trace) (dense.Result, error) { return p.build(t, l, training, masked) },
	})
	if err != nil {
		return nil, err
	}
	if b.eager == nil {
		b.eager = make(map[string]*eagerProgram)
	}
	b.eager[key] = p
	return p, nil
}

// eagerKey tells programs apart. Frozen layers make no updates, and functions
// may be added to a layer between runs.
func (b *Base) eagerKey(training bool, masked []bool) string {
	key := fmt.Sprint(training, masked)
	for _, f := range b.family() {
		key += fmt.Sprint(f.frozen, len(f.added.losses), len(f.added.updates))
	}
	return key
}

// build traces the layer; its outputs are the layer's, their masks, the losses, the metrics.
func (p *eagerProgram) build(t *dense.Trace, l GraphLayer, training bool, masked []bool) (dense.Result, error) {
	in, mask := make([]*graph.Node, len(masked)), make([]*graph.Node, len(masked))
	next := len(masked)
	for i := range in {
		in[i] = t.Input(i)
		if masked[i] {
			mask[i] = t.Input(next)
			next++
		}
	}
	c := NewCall(t, p.vars, training)
	out, outMask := c.apply(l, in, mask)
	for _, f := range l.core().family() {
		c.addUnconditional(&f.added)
	}
	note := &traced{masked: make([]bool, len(out))}
	r := dense.Result{Outputs: castAll(out, dtypes.Float32), Updates: c.Updates()}
	for i, m := range outMask {
		if m != nil {
			note.masked[i] = true
			r.Outputs = append(r.Outputs, m)
		}
	}
	losses := append(c.Losses(), c.WeightLosses(p.vars)...)
	note.losses = len(losses)
	r.Outputs = append(r.Outputs, losses...)
	for _, m := range c.Metrics() {
		note.metrics = append(note.metrics, m.Name)
		r.Outputs = append(r.Outputs, m.Value)
	}
	for _, m := range c.measures {
		note.objects = append(note.objects, m.object)
		r.Outputs = append(r.Outputs, m.node)
	}
	p.traced.Store(note)
	return r, nil
}

func (p *eagerProgram) output(r *dense.Results) (*Output, error) {
	note := p.traced.Load()
	rest := r.Outputs[len(note.masked):]
	next := func() dense.Array {
		a := rest[0]
		rest = rest[1:]
		return a
	}
	o := &Output{}
	for i, masked := range note.masked {
		floats, err := tensor.NewValues(r.Outputs[i].Float, r.Outputs[i].Shape...)
		if err != nil {
			return nil, err
		}
		v := Value{Floats: floats}
		if masked {
			v.Mask = next().Bool
		}
		o.Values = append(o.Values, v)
	}
	for range note.losses {
		o.Losses = append(o.Losses, next().Float[0])
	}
	for _, name := range note.metrics {
		o.Metrics = append(o.Metrics, Metric{name, next().Float[0]})
	}
	for _, m := range note.objects {
		x := next().Float
		if err := m.Update(x, x, nil); err != nil {
			return nil, err
		}
		o.Metrics = append(o.Metrics, Metric{m.Name(), float32(m.Result())})
	}
	return o, nil
}
