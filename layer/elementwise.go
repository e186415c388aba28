package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// merging is what the layers share that combine inputs entry by entry.
//
// Shapes need not be equal: a dimension of 1 is repeated, and an input of fewer
// dimensions gets dimensions of 1 behind the batch, as in Keras. The output's
// mask is true where those of all inputs that have one are, as in tf.keras; values are combined whether masked or not. (Keras 3 joins masks
// by OR, and forgets them when one input has none.)
type merging struct{ Base }

func (l *merging) init(self Layer, o Options) {
	l.Init(self, o)
	l.SupportMasking()
}

// Build checks that the inputs fit.
func (l *merging) Build(in ...Shape) error {
	if len(in) < 2 {
		return fmt.Errorf("%w: a merge layer should be called on a list of at least 2 inputs. Received: %d", ErrShape, len(in))
	}
	for _, s := range in {
		if len(s) == 0 {
			return fmt.Errorf("%w: a merge layer needs inputs with a batch dimension. Received: %v", ErrShape, in)
		}
	}
	return nil
}

// joint is the shape of the output.
func (l *merging) joint(in []*graph.Node) []int {
	rank := rankOf(in)
	dims := slices.Clone(expand(in[0], rank).Shape().Dimensions)
	for _, x := range in[1:] {
		for d, n := range expand(x, rank).Shape().Dimensions {
			switch {
			case n == dims[d] || d > 0 && n == 1:
			case d > 0 && dims[d] == 1:
				dims[d] = n
			default:
				graphPanic("%w: inputs of %s have incompatible shapes %v and %v", ErrShape, l.Class(), Shape(in[0].Shape().Dimensions), Shape(x.Shape().Dimensions))
			}
		}
	}
	return dims
}

func rankOf(in []*graph.Node) int {
	rank := 0
	for _, x := range in {
		rank = max(rank, x.Rank())
	}
	return rank
}

// expand gives an input, or its mask, more dimensions: of 1, behind the batch.
func expand(x *graph.Node, rank int) *graph.Node {
	for x.Rank() < rank {
		x = graph.InsertAxes(x, 1)
	}
	return x
}

// broadcast repeats dimensions of 1. It is no operation where there are none.
func broadcast(x *graph.Node, dims []int) *graph.Node {
	if slices.Equal(x.Shape().Dimensions, dims) {
		return x
	}
	return graph.BroadcastToDims(x, dims...)
}

// merge combines the inputs from left to right.
func (l *merging) merge(in []*graph.Node, combine func(a, b *graph.Node) *graph.Node) *graph.Node {
	dims := l.joint(in)
	var all *graph.Node
	for _, x := range in {
		x = broadcast(expand(x, len(dims)), dims)
		if all == nil {
			all = x
		} else {
			all = combine(all, x)
		}
	}
	return all
}

// ComputeMask implements [Masker].
func (l *merging) ComputeMask(_ *Call, in, mask []*graph.Node) []*graph.Node {
	dims := l.joint(in)
	full := make([]*graph.Node, len(mask))
	for i, m := range mask {
		if m != nil {
			m = expand(m, m.Rank()+len(dims)-in[i].Rank())
			full[i] = broadcast(m, dims[:m.Rank()])
		}
	}
	return []*graph.Node{andMasks(full)}
}

// Config implements [Configurer].
func (l *merging) Config() Config { return l.BaseConfig() }

// plainFromConfig makes the constructor of a class without arguments of its own.
func plainFromConfig[L Layer](class string, construct func(Options) L) Constructor {
	return func(c Config) (Layer, error) {
		r := c.reader()
		o := r.options()
		if err := r.done(class); err != nil {
			return nil, err
		}
		return construct(o), nil
	}
}

// Add adds its inputs up, entry by entry.
type Add struct{ merging }

// NewAdd returns an Add layer.
func NewAdd(o Options) *Add {
	l := new(Add)
	l.init(l, o)
	return l
}

// Call implements [GraphLayer].
func (l *Add) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	return []*graph.Node{l.merge(in, graph.Add)}
}

// Subtract subtracts its second input from its first, entry by entry.
type Subtract struct{ merging }

// NewSubtract returns a Subtract layer, for exactly two inputs.
func NewSubtract(o Options) *Subtract {
	l := new(Subtract)
	l.init(l, o)
	return l
}

// Build checks that there are two inputs.
func (l *Subtract) Build(in ...Shape) error {
	if len(in) != 2 {
		return fmt.Errorf("%w: a Subtract layer should be called on exactly 2 inputs. Received: %d", ErrShape, len(in))
	}
	return l.merging.Build(in...)
}

// Call implements [GraphLayer].
func (l *Subtract) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	return []*graph.Node{l.merge(in, graph.Sub)}
}

// Multiply multiplies its inputs, entry by entry.
type Multiply struct{ merging }

// NewMultiply returns a Multiply layer.
func NewMultiply(o Options) *Multiply {
	l := new(Multiply)
	l.init(l, o)
	return l
}

// Call implements [GraphLayer].
func (l *Multiply) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	return []*graph.Node{l.merge(in, graph.Mul)}
}

// Average takes the mean of its inputs, entry by entry.
type Average struct{ merging }

// NewAverage returns an Average layer.
func NewAverage(o Options) *Average {
	l := new(Average)
	l.init(l, o)
	return l
}

// Call implements [GraphLayer].
func (l *Average) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	return []*graph.Node{graph.DivScalar(l.merge(in, graph.Add), float64(len(in)))}
}

// Maximum takes the largest of its inputs, entry by entry. Of equal ones the
// first gets the gradient.
type Maximum struct{ merging }

// NewMaximum returns a Maximum layer.
func NewMaximum(o Options) *Maximum {
	l := new(Maximum)
	l.init(l, o)
	return l
}

// Call implements [GraphLayer].
func (l *Maximum) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	return []*graph.Node{l.merge(in, graph.Max)}
}

// Minimum takes the smallest of its inputs, entry by entry. Of equal ones the
// first gets the gradient.
type Minimum struct{ merging }

// NewMinimum returns a Minimum layer.
func NewMinimum(o Options) *Minimum {
	l := new(Minimum)
	l.init(l, o)
	return l
}

// Call implements [GraphLayer].
func (l *Minimum) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	smallest := func(a, b *graph.Node) *graph.Node {
		return graph.Where(graph.LessOrEqual(a, b), a, b)
	}
	return []*graph.Node{l.merge(in, smallest)}
}
