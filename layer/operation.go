package layer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/activation"
	"github.com/rowan-embeddings/rowan/internal/kink"
)

// OperationOptions are the arguments of an operation.
type OperationOptions struct {
	// Axes are the dimensions that a reduction is over; negative ones count from
	// the end. Default: all, so that a scalar is left.
	Axes []int
	// Value is the number of scale and shift, and what is to be exceeded of
	// threshold.
	Value float64
	// Otherwise is what threshold puts in the place of other numbers.
	Otherwise float64
}

// operation is what a name stands for.
type operation struct {
	inputs int
	f      func(x []*graph.Node, o *OperationOptions) *graph.Node
}

func unary(f func(x *graph.Node) *graph.Node) operation {
	return operation{1, func(x []*graph.Node, _ *OperationOptions) *graph.Node { return f(x[0]) }}
}

// binary takes two inputs of one shape, or one of them a scalar.
func binary(f func(x, y *graph.Node) *graph.Node) operation {
	return operation{2, func(x []*graph.Node, _ *OperationOptions) *graph.Node {
		a, b := x[0].Shape().Dimensions, x[1].Shape().Dimensions
		if len(a) > 0 && len(b) > 0 && !slices.Equal(a, b) {
			graphPanic("%w: an operation of two tensors needs equal shapes or a scalar, got %v and %v", ErrShape, Shape(a), Shape(b))
		}
		return f(x[0], x[1])
	}}
}

func reduction(f func(x *graph.Node, axes ...int) *graph.Node) operation {
	return operation{1, func(x []*graph.Node, o *OperationOptions) *graph.Node {
		axes := o.axes(x[0].Rank())
		if len(axes) == 0 {
			return x[0] // of a scalar
		}
		return f(x[0], axes...)
	}}
}

// axes are the dimensions of a reduction, all of them without any.
func (o *OperationOptions) axes(rank int) []int {
	var axes []int
	for _, a := range o.Axes {
		at := a
		if at < 0 {
			at += rank
		}
		if at < 0 || at >= rank || slices.Contains(axes, at) {
			graphPanic("%w: cannot reduce over axes %v of a tensor of %d dimensions", ErrShape, o.Axes, rank)
		}
		axes = append(axes, at)
	}
	if len(o.Axes) == 0 {
		for a := range rank {
			axes = append(axes, a)
		}
	}
	return axes
}

// operations are the operations by name. Names are part of configs.
var operations = map[string]operation{
	"abs":         unary(kink.Abs),
	"neg":         unary(graph.Neg),
	"square":      unary(graph.Square),
	"sqrt":        unary(graph.Sqrt),
	"exp":         unary(graph.Exp),
	"log":         unary(graph.Log),
	"add":         binary(graph.Add),
	"sub":         binary(graph.Sub),
	"mul":         binary(graph.Mul),
	"div":         binary(graph.Div),
	"maximum":     binary(graph.Max),
	"minimum":     binary(graph.Min),
	"reduce_sum":  reduction(graph.ReduceSum),
	"reduce_mean": reduction(graph.ReduceMean),
	"reduce_max":  reduction(graph.ReduceMax),
	"reduce_min":  reduction(graph.ReduceMin),
	"scale": {1, func(x []*graph.Node, o *OperationOptions) *graph.Node {
		return graph.MulScalar(x[0], o.Value)
	}},
	"shift": {1, func(x []*graph.Node, o *OperationOptions) *graph.Node {
		return graph.AddScalar(x[0], o.Value)
	}},
	"threshold": {1, func(x []*graph.Node, o *OperationOptions) *graph.Node {
		f, err := activation.Threshold(o.Value, o.Otherwise)
		if err != nil {
			graphPanic("%w: %w", ErrArgument, err)
		}
		return f(x[0])
	}},
}

// OperationNames returns the names that NewOperation knows, sorted.
func OperationNames() []string { return slices.Sorted(maps.Keys(operations)) }

// Operation is one operation on symbolic tensors, by name, as a layer: so a
// model's config can hold losses and metrics that were written as formulas.
// Package op has a function for each. It takes scalars too, and no masks.
type Operation struct {
	Base
	function string
	o        OperationOptions
}

// NewOperation returns an operation of [OperationNames].
func NewOperation(function string, o OperationOptions, base Options) (*Operation, error) {
	of, ok := operations[function]
	if !ok {
		return nil, fmt.Errorf("%w: unknown operation %q: use one of %s", ErrArgument, function, strings.Join(OperationNames(), ", "))
	}
	o.Axes = slices.Clone(o.Axes)
	l := &Operation{function: function, o: o}
	l.Init(l, base)
	l.scalars = true
	l.SetInputSpec(make([]InputSpec, of.inputs)...)
	return l, nil
}

// Operate applies an operation to tensors. It never fails at once: a tensor
// that is none says why, by Err and wherever it is used.
func Operate(function string, o OperationOptions, in ...*Tensor) *Tensor {
	l, err := NewOperation(function, o, Options{})
	if err != nil {
		return &Tensor{name: function, err: err}
	}
	for _, t := range in {
		if err := t.usable(); err != nil {
			return &Tensor{name: function, err: fmt.Errorf("%s: %w", function, err)}
		}
		if l.name == "" {
			l.name = t.scope.unique(function)
		}
	}
	out, err := l.Apply(in...)
	if err != nil {
		return &Tensor{name: function, err: err}
	}
	return out
}

// Build does nothing: an operation has no weights.
func (l *Operation) Build(...Shape) error { return nil }

// Call implements [GraphLayer].
func (l *Operation) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	return []*graph.Node{operations[l.function].f(in, &l.o)}
}

// Config implements [Configurer].
func (l *Operation) Config() Config {
	c := Config{"function": l.function, "axes": lengthConfig(l.o.Axes), "value": l.o.Value}
	if l.function == "threshold" {
		c["otherwise"] = l.o.Otherwise
	}
	return l.BaseConfig().with(c)
}

func operationFromConfig(c Config) (Layer, error) {
	r := c.reader()
	o := OperationOptions{Axes: r.Ints("axes"), Value: r.Number("value")}
	function, base := r.Text("function"), r.options()
	if function == "threshold" {
		o.Otherwise = r.Number("otherwise")
	}
	if err := r.done("Operation"); err != nil {
		return nil, err
	}
	return NewOperation(function, o, base)
}
