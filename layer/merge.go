package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Concatenate joins its inputs along one dimension. Masks are joined too: along
// the last dimension an entry counts where it counts in all inputs.
type Concatenate struct {
	Base
	axis int
}

// NewConcatenate returns a layer that joins along axis; negative axes count
// from the end. The batch, axis 0, cannot be joined.
func NewConcatenate(axis int, o Options) (*Concatenate, error) {
	if axis == 0 {
		return nil, fmt.Errorf("%w: Concatenate: `axis` must not be 0, the batch. Received: axis=0; -1 is the last", ErrArgument)
	}
	l := &Concatenate{axis: axis}
	l.Init(l, o)
	l.SupportMasking()
	return l, nil
}

// Build checks that the inputs fit.
func (l *Concatenate) Build(in ...Shape) error {
	if len(in) < 2 {
		return fmt.Errorf("%w: a Concatenate layer should be called on a list of at least 2 inputs. Received: %d", ErrShape, len(in))
	}
	return nil
}

func (l *Concatenate) at(rank int) int {
	if l.axis < 0 {
		return rank + l.axis
	}
	return l.axis
}

// Call implements [GraphLayer].
func (l *Concatenate) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	axis := l.at(in[0].Rank())
	for _, x := range in[1:] {
		ok := x.Rank() == in[0].Rank() && axis > 0 && axis < x.Rank()
		for d := range x.Rank() {
			ok = ok && (d == axis || x.Shape().Dimensions[d] == in[0].Shape().Dimensions[d])
		}
		if !ok {
			graphPanic("%w: a Concatenate layer requires inputs with matching shapes except for the concatenation axis %d. Received: %v and %v",
				ErrShape, l.axis, Shape(in[0].Shape().Dimensions), Shape(x.Shape().Dimensions))
		}
	}
	return []*graph.Node{graph.Concatenate(in, axis)}
}

// ComputeMask implements [Masker].
func (l *Concatenate) ComputeMask(c *Call, in, mask []*graph.Node) []*graph.Node {
	axis := l.at(in[0].Rank())
	if axis == in[0].Rank()-1 {
		return []*graph.Node{andMasks(mask)}
	}
	if !slices.ContainsFunc(mask, func(m *graph.Node) bool { return m != nil }) {
		return []*graph.Node{nil}
	}
	full := make([]*graph.Node, len(in))
	for i, m := range mask {
		if full[i] = m; m == nil {
			dims := in[i].Shape().Dimensions
			full[i] = graph.BroadcastToDims(graph.Const(c.Graph(), true), dims[:len(dims)-1]...)
		}
	}
	return []*graph.Node{graph.Concatenate(full, axis)}
}

// andMasks is true where all masks are; nil without any.
func andMasks(mask []*graph.Node) *graph.Node {
	var all *graph.Node
	for _, m := range mask {
		switch {
		case m == nil:
		case all == nil:
			all = m
		default:
			all = graph.LogicalAnd(all, m)
		}
	}
	return all
}

// Config implements [Configurer].
func (l *Concatenate) Config() Config { return l.BaseConfig().with(Config{"axis": l.axis}) }

func concatenateFromConfig(c Config) (Layer, error) {
	r := c.reader()
	axis, o := -1, r.options()
	if _, ok := r.Get("axis"); ok {
		axis = r.Int("axis")
	}
	if err := r.done("Concatenate"); err != nil {
		return nil, err
	}
	return NewConcatenate(axis, o)
}

// Dot computes products of two inputs, example by example, summed over one
// dimension of each: (batch, n) and (batch, n) give (batch, 1); (batch, i, n)
// and (batch, j, n) over axes 2, 2 give (batch, i, j). Masks end here, as in
// Keras: products of what does not count are there, and sums over it count it.
type Dot struct {
	Base
	axes      [2]int
	normalize bool
}

// NewDot returns a layer that sums over those dimensions of its first and
// second input; negative axes count from the end. With normalize both are
// scaled to norm 1 along them first, so that the result is the cosine.
func NewDot(axes [2]int, normalize bool, o Options) (*Dot, error) {
	if axes[0] == 0 || axes[1] == 0 {
		return nil, fmt.Errorf("%w: Dot: `axes` must not be 0, the batch. Received: axes=%v", ErrArgument, axes)
	}
	l := &Dot{axes: axes, normalize: normalize}
	l.Init(l, o)
	l.computeWide()
	l.SupportMasking()
	l.SetInputSpec(InputSpec{}, InputSpec{}) // two inputs; Build says of which shapes
	return l, nil
}

// Build checks the inputs.
func (l *Dot) Build(in ...Shape) error {
	a, b := l.at(len(in[0]))[0], l.at(len(in[1]))[1]
	if a < 1 || a >= len(in[0]) || b < 1 || b >= len(in[1]) {
		return fmt.Errorf("%w: Dot over axes %v of inputs of shape %v and %v", ErrShape, l.axes, in[0], in[1])
	}
	if x, y := in[0][a], in[1][b]; x >= 0 && y >= 0 && x != y {
		return fmt.Errorf("%w: incompatible input shapes: %v != %v over axes %v. Received: %v and %v", ErrShape, x, y, l.axes, in[0], in[1])
	}
	return nil
}

func (l *Dot) at(rank int) [2]int {
	at := l.axes
	for i := range at {
		if at[i] < 0 {
			at[i] += rank
		}
	}
	return at
}

// Call implements [GraphLayer].
func (l *Dot) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	x, y := in[0], in[1]
	a, b := l.at(x.Rank())[0], l.at(y.Rank())[1]
	if l.normalize {
		x, y = normalized(x, a), normalized(y, b)
	}
	if x.Rank() == 2 && y.Rank() == 2 {
		return []*graph.Node{graph.ReduceAndKeep(graph.Mul(x, y), graph.ReduceSum, 1)}
	}
	z := graph.DotGeneral(x, []int{a}, []int{0}, y, []int{b}, []int{0})
	return []*graph.Node{z}
}

// ComputeMask implements [Masker]: there is none.
func (l *Dot) ComputeMask(*Call, []*graph.Node, []*graph.Node) []*graph.Node {
	return []*graph.Node{nil}
}

// normalized scales to norm 1 along an axis; like Keras, a vector of almost
// nothing stays small: the squared norm is at least 1e-12.
func normalized(x *graph.Node, axis int) *graph.Node {
	square := graph.ReduceAndKeep(graph.Square(x), graph.ReduceSum, axis)
	return graph.Div(x, graph.Sqrt(graph.MaxScalar(square, 1e-12)))
}

// Config implements [Configurer].
func (l *Dot) Config() Config {
	return l.BaseConfig().with(Config{"axes": []int{l.axes[0], l.axes[1]}, "normalize": l.normalize})
}

func dotFromConfig(c Config) (Layer, error) {
	r := c.reader()
	axes, normalize, o := r.Ints("axes"), r.Flag("normalize"), r.options()
	if len(axes) == 1 {
		axes = append(axes, axes[0])
	}
	if len(axes) != 2 {
		r.Bad("axes", "one or two integers", axes)
		axes = []int{1, 1}
	}
	if err := r.done("Dot"); err != nil {
		return nil, err
	}
	return NewDot([2]int{axes[0], axes[1]}, normalize, o)
}

// asFloat turns a mask into ones and zeros.
func asFloat(mask *graph.Node) *graph.Node { return graph.ConvertDType(mask, dtypes.Float32) }

// zeros is a constant of zeros.
func zeros(g *graph.Graph, dims []int) *graph.Node {
	return graph.Zeros(g, shapes.Make(dtypes.Float32, dims...))
}
