package layer

import (
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/metric"
)

// ProgramOptions says what is computed from a plan.
type ProgramOptions struct {
	// Name begins error messages. Default: "model".
	Name string
	// Training lowers layers for training, and asks for gradients by the
	// weights and by the rows that were looked up.
	Training bool
	// Seed selects the random numbers of dropout.
	Seed uint64
	// Losses has a loss for each output, nil where it has none. Default: no
	// loss is computed.
	Losses []loss.Func
	// LossWeights multiply the losses. Default: all 1.
	LossWeights []float32
	// SampleWeights adds an input of one weight an example, after the labels.
	SampleWeights bool
}

// Program is a plan compiled for training, evaluation or prediction. Its
// arguments are, in order: the arrays of [HostStage.Lookup]; the labels of
// each output that has a loss, in the output's shape (of class numbers,
// without the last dimension); sample weights of shape (batch).
type Program struct {
	*dense.Program
	// Variables are the dense weights, in the order of dense.Args.Variables
	// and dense.Results.Gradients.
	Variables []*Variable
	// Outputs is how many of dense.Results.Outputs are outputs of the model.
	// Then come a loss for each output that has one, unweighted, and the
	// metrics that layers reported, in the order of [Program.MetricNames]; then
	// what [Program.Measured] and [Program.Masks] find.
	Outputs int

	plan    *Plan
	options ProgramOptions
	reports atomic.Pointer[reports]
}

// reports says what a program's outputs are behind those of the model.
type reports struct {
	metrics []string
	objects []metric.Metric
}

// Program compiles the plan's graph stage. dense.Results.Loss is the sum of
// the weighted losses, what layers added, and the weights' penalties.
func (p *Plan) Program(o ProgramOptions) (*Program, error) {
	if o.Name == "" {
		o.Name = "model"
	}
	if len(o.Losses) > 0 && len(o.Losses) != len(p.Outputs) {
		return nil, fmt.Errorf("%w: a model of %d outputs needs as many losses, got %d", ErrArgument, len(p.Outputs), len(o.Losses))
	}
	if len(o.LossWeights) > 0 && len(o.LossWeights) != len(p.Outputs) {
		return nil, fmt.Errorf("%w: a model of %d outputs needs as many loss weights, got %d", ErrArgument, len(p.Outputs), len(o.LossWeights))
	}
	q := &Program{plan: p, options: o, Variables: DenseVariables(p.Variables()), Outputs: len(p.Outputs)}
	c := dense.Config{Name: o.Name, Variables: Specs(q.Variables), Seed: o.Seed, Build: q.build, Train: o.Training}
	if o.Training {
		c.InputGradients = p.trained()
	}
	var err error
	q.Program, err = dense.New(c)
	return q, err
}

// MetricNames returns the names of the metrics that layers report, known once
// the program has run.
func (q *Program) MetricNames() []string {
	if r := q.reports.Load(); r != nil {
		return r.metrics
	}
	return nil
}

// Measured yields what metric objects are given, from what a run computed. An
// object that several calls report to is there several times.
func (q *Program) Measured(r *dense.Results) iter.Seq2[metric.Metric, []float32] {
	return func(yield func(metric.Metric, []float32) bool) {
		note := q.reports.Load()
		if note == nil {
			return
		}
		first := len(r.Outputs) - len(note.objects)
		for i := range q.Outputs {
			if q.judged(i) {
				first--
			}
		}
		for i, m := range note.objects {
			if !yield(m, r.Outputs[first+i].Float) {
				return
			}
		}
	}
}

func (q *Program) build(t *dense.Trace) (dense.Result, error) {
	c := NewCall(t, q.Variables, q.options.Training)
	values, masks := make([]*graph.Node, len(q.plan.Feeds)), make([]*graph.Node, len(q.plan.Feeds))
	next := len(values)
	for i, f := range q.plan.Feeds {
		values[i] = t.Input(i)
		if f.masked {
			masks[i] = t.Input(next)
			next++
		}
	}
	at, maskAt := q.plan.lower(c, values, masks)
	out, outMasks := castAll(pick(q.plan.Outputs, at), dtypes.Float32), pick(q.plan.Outputs, maskAt)
	if q.options.Losses != nil {
		q.plan.addTerms(c, at)
	}
	r := dense.Result{Outputs: out, Updates: c.Updates()}
	if q.options.Losses != nil {
		losses := q.losses(t, next, out, outMasks)
		r.Outputs = append(r.Outputs, losses...)
		r.Loss = q.total(c, losses)
	}
	var note reports
	for _, m := range c.metrics {
		note.metrics = append(note.metrics, m.Name)
		r.Outputs = append(r.Outputs, m.Value)
	}
	for _, m := range c.measures {
		note.objects = append(note.objects, m.object)
		r.Outputs = append(r.Outputs, m.node)
	}
	q.reports.Store(&note)
	for i, m := range outMasks {
		if q.judged(i) {
			r.Outputs = append(r.Outputs, m)
		}
	}
	return r, nil
}

// judged reports whether output i has a mask and a loss.
func (q *Program) judged(i int) bool {
	return q.options.Losses != nil && q.options.Losses[i] != nil && q.plan.Outputs[i].masked
}

// Masks returns the masks of the outputs that have a loss, empty arrays where
// there is none, from what a run computed.
func (q *Program) Masks(r *dense.Results) []dense.Array {
	masks, next := make([]dense.Array, q.Outputs), len(r.Outputs)
	for i := len(masks) - 1; i >= 0; i-- {
		if q.judged(i) {
			next--
			masks[i] = r.Outputs[next]
		}
	}
	return masks
}

// losses computes the mean loss of each output that has one. Labels start at
// input next; sample weights follow them.
func (q *Program) losses(t *dense.Trace, next int, out, masks []*graph.Node) []*graph.Node {
	var weights *graph.Node
	if q.options.SampleWeights {
		labels := 0
		for _, l := range q.options.Losses {
			if l != nil {
				labels++
			}
		}
		weights = t.Input(next + labels)
	}
	var losses []*graph.Node
	for i, l := range q.options.Losses {
		if l == nil {
			continue
		}
		t.Scope("loss of "+q.plan.Outputs[i].name, func() {
			losses = append(losses, meanLoss(l(t.Input(next), out[i]), masks[i], weights))
		})
		next++
	}
	return losses
}

func (q *Program) total(c *Call, losses []*graph.Node) *graph.Node {
	var sum *graph.Node
	add := func(n *graph.Node) {
		if sum == nil {
			sum = n
		} else {
			sum = graph.Add(sum, n)
		}
	}
	next := 0
	for i, l := range q.options.Losses {
		if l == nil {
			continue
		}
		n := losses[next]
		next++
		if q.options.LossWeights != nil {
			n = graph.MulScalar(n, float64(q.options.LossWeights[i]))
		}
		add(n)
	}
	for _, n := range c.Losses() {
		add(n)
	}
	for _, n := range c.WeightLosses(q.Variables) {
		add(n)
	}
	return sum
}

// meanLoss averages per-example losses. A mask leaves entries out, of the
// count too; sample weights multiply the losses and not the count, as in Keras.
func meanLoss(l, mask, weights *graph.Node) *graph.Node {
	count := float64(l.Shape().Size())
	if weights != nil {
		w := weights
		for w.Rank() < l.Rank() {
			w = graph.InsertAxes(w, -1)
		}
		l = graph.Mul(l, graph.BroadcastToDims(w, l.Shape().Dimensions...))
	}
	if mask == nil || !slices.Equal(mask.Shape().Dimensions, l.Shape().Dimensions) {
		return graph.DivScalar(graph.ReduceAllSum(l), count)
	}
	m := graph.ConvertDType(mask, l.DType())
	return graph.Div(graph.ReduceAllSum(graph.Mul(l, m)), graph.MaxScalar(graph.ReduceAllSum(m), 1))
}
