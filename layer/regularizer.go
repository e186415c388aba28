package layer

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/arguments"
	"github.com/rowan-embeddings/rowan/internal/kink"
	"github.com/rowan-embeddings/rowan/internal/nils"
)

// Regularizer is a penalty on a weight, or on the outputs of a layer, that is
// added to the loss of a model. nil is none. Keras' are [L1L2], which [L1] and
// [L2] make too, and [OrthogonalRegularizer]; [RegularizerFunc] is a function
// of the graph.
//
// On a table, L1L2 and [RowRegularizer] cost what the touched rows cost: a row
// pays when it is updated, for all the steps since it last was. Any other needs
// the whole matrix in the graph. A small static table offers that: all of its
// rows are looked up and trained in each step, as in Keras.
type Regularizer interface {
	// Class is Keras' class name, as configs spell it: "L1L2".
	Class() string
	// Penalty returns the penalty on x, a scalar. It may panic, as graph
	// operations do: the panic becomes an error with the layer's name.
	Penalty(x *graph.Node) *graph.Node
}

// L1L2 is Keras' penalty L1·Σ|x| + L2·Σx².
type L1L2 struct {
	L1, L2 float32
}

// L1 returns the penalty l·Σ|x|.
func L1(l float32) Regularizer { return L1L2{L1: l} }

// L2 returns the penalty l·Σx².
func L2(l float32) Regularizer { return L1L2{L2: l} }

// Class implements [Regularizer].
func (L1L2) Class() string { return "L1L2" }

// Penalty implements [Regularizer].
func (r L1L2) Penalty(x *graph.Node) *graph.Node {
	l1 := func() *graph.Node { return graph.MulScalar(graph.ReduceAllSum(kink.Abs(x)), float64(r.L1)) }
	l2 := func() *graph.Node { return graph.MulScalar(graph.ReduceAllSum(graph.Square(x)), float64(r.L2)) }
	switch {
	case r.L2 == 0:
		return l1()
	case r.L1 == 0:
		return l2()
	}
	return graph.Add(l1(), l2())
}

// value is the penalty of numbers at hand, summed in order.
func (r L1L2) value(x []float32) float32 {
	var l1, l2 float64
	for _, v := range x {
		l1 += max(float64(v), -float64(v))
		l2 += float64(float64(v) * float64(v))
	}
	return float32(float64(float64(r.L1)*l1) + float64(float64(r.L2)*l2))
}

// check implements what checkRegularizer asks.
func (r L1L2) check(Shape) error {
	if !(r.L1 >= 0) || !(r.L2 >= 0) || r.L1-r.L1 != 0 || r.L2-r.L2 != 0 {
		return fmt.Errorf("%w: L1L2: expected non-negative floats. Received: l1=%v, l2=%v", ErrArgument, r.L1, r.L2)
	}
	return nil
}

// OrthogonalRegularizer is Keras' penalty on a matrix whose rows, or columns,
// are not orthogonal to each other: Factor times the mean of |cos| over all
// pairs. A matrix of one vector has no pairs and pays nothing; Keras' penalty is
// NaN there.
type OrthogonalRegularizer struct {
	// Factor multiplies the penalty. Keras' default is 0.01.
	Factor float32
	// Columns compares columns instead of rows: Keras' mode "columns".
	Columns bool
}

// NewOrthogonalRegularizer returns Keras' OrthogonalRegularizer(): 0.01 on rows.
func NewOrthogonalRegularizer() OrthogonalRegularizer { return OrthogonalRegularizer{Factor: 0.01} }

// Class implements [Regularizer].
func (OrthogonalRegularizer) Class() string { return "OrthogonalRegularizer" }

// Penalty implements [Regularizer].
func (r OrthogonalRegularizer) Penalty(x *graph.Node) *graph.Node {
	if err := r.check(Shape(x.Shape().Dimensions)); err != nil {
		panic(err)
	}
	if r.Columns {
		x = graph.Transpose(x, 0, 1)
	}
	n := x.Shape().Dimensions[0]
	if n == 1 {
		return graph.ScalarZero(x.Graph(), x.DType())
	}
	// Keras divides by a norm of at least 1e-7.
	square := graph.ReduceAndKeep(graph.Square(x), graph.ReduceSum, 1)
	x = graph.Div(x, graph.Sqrt(graph.MaxScalar(square, 1e-14)))
	cosines := kink.Abs(graph.Einsum("ij,kj->ik", x, x))
	others := graph.Mul(cosines, graph.OneMinus(graph.DiagonalWithValue(graph.ScalarOne(x.Graph(), x.DType()), n)))
	pairs := float64(n) * (float64(n) - 1) / 2
	return graph.MulScalar(graph.ReduceAllSum(others), 0.5*float64(r.Factor)/pairs)
}

// maxOrthogonal bounds the vectors of which an OrthogonalRegularizer compares
// each with each: 2,048 make a matrix of 16 MiB of products, several times over.
const maxOrthogonal = 2048

// check implements what checkRegularizer asks.
func (r OrthogonalRegularizer) check(s Shape) error {
	if !(r.Factor >= 0) || r.Factor-r.Factor != 0 {
		return fmt.Errorf("%w: OrthogonalRegularizer: expected a non-negative float. Received: factor=%v", ErrArgument, r.Factor)
	}
	if len(s) != 2 {
		return fmt.Errorf("%w: inputs to OrthogonalRegularizer must have rank 2. Received: shape %v", ErrShape, s)
	}
	axis, what := 0, "rows"
	if r.Columns {
		axis, what = 1, "columns"
	}
	if s[axis] > maxOrthogonal {
		return fmt.Errorf("%w: OrthogonalRegularizer compares each of the %s with each, at most %d of them. Received: shape %v", ErrArgument, what, maxOrthogonal, s)
	}
	return nil
}

// RegularizerFunc is a penalty written in Go, of dense weights, outputs and
// small static tables: it returns a scalar of the graph. It has no config.
type RegularizerFunc func(x *graph.Node) *graph.Node

// Class implements [Regularizer].
func (RegularizerFunc) Class() string { return "RegularizerFunc" }

// Penalty implements [Regularizer].
func (f RegularizerFunc) Penalty(x *graph.Node) *graph.Node {
	p := f(x)
	if p == nil || p.Rank() != 0 {
		graphPanic("%w: a function given as a regularizer must return a scalar", ErrShape)
	}
	return p
}

// RowRegularizer is a penalty written in Go on each row of a table, dynamic ones
// too: see [rowan.RowPenalty]. A dense weight takes a [RegularizerFunc]. It has
// no config.
type RowRegularizer func(row, grad []float32) float32

// Class implements [Regularizer].
func (RowRegularizer) Class() string { return "RowRegularizer" }

// Penalty implements [Regularizer]: in a graph there are no rows.
func (RowRegularizer) Penalty(*graph.Node) *graph.Node {
	graphPanic("%w", errRowRegularizer)
	return nil
}

var errRowRegularizer = fmt.Errorf("%w: a RowRegularizer is for tables: use a RegularizerFunc", ErrArgument)

func (RowRegularizer) check(Shape) error { return errRowRegularizer }

// isNone reports whether a regularizer adds nothing.
func isNone(r Regularizer) bool { return r == nil || r == Regularizer(L1L2{}) }

// checkRegularizer reports what keeps a regularizer from a weight of shape s.
func checkRegularizer(r Regularizer, s Shape) error {
	if r != nil && nils.Is(r) {
		return fmt.Errorf("%w: a nil %T penalizes nothing: give a value, or leave it out", ErrArgument, r)
	}
	if c, ok := r.(interface{ check(Shape) error }); ok {
		return c.check(s)
	}
	return nil
}

// maxWhole bounds the numbers of a table that enters the graph as a whole, at
// each step, for a regularizer that needs it: 4 MiB.
const maxWhole = 1 << 20

// tableRegularizer returns what the table itself does about a regularizer, and
// whether the whole table must be in the graph for it. rows is 0 of a dynamic one.
func tableRegularizer(r Regularizer, rows, width int) (own rowan.Regularizer, whole bool, err error) {
	switch v := r.(type) {
	case nil:
		return own, false, nil
	case L1L2:
		return rowan.Regularizer{L1: v.L1, L2: v.L2}, false, v.check(nil)
	case RowRegularizer:
		return rowan.Regularizer{Row: rowan.RowPenalty(v)}, false, nil
	}
	if nils.Is(r) {
		return own, false, checkRegularizer(r, nil)
	}
	if rows == 0 {
		return own, false, fmt.Errorf("%w: %s needs the whole matrix, which a dynamic table has not: use L1L2 or a RowRegularizer", ErrArgument, r.Class())
	}
	if rows > maxWhole/width {
		return own, false, fmt.Errorf("%w: %s needs the whole table in each step, which is for small ones, of at most %d numbers: use L1L2 or a RowRegularizer. Received: %d rows of %d",
			ErrArgument, r.Class(), maxWhole, rows, width)
	}
	return own, true, checkRegularizer(r, Shape{rows, width})
}

// regularizer reads a regularizer by name or config.
func (r reader) regularizer(key string) Regularizer {
	class, c, ok := r.Object(key)
	if !ok {
		return nil
	}
	in := arguments.Of(c)
	defer func() { r.Inside(key, in.Fault(class)) }()
	switch strings.ToLower(strings.ReplaceAll(class, "_", "")) {
	case "l1":
		return L1(float32(in.NumberOr("l1", 0.01)))
	case "l2":
		return L2(float32(in.NumberOr("l2", 0.01)))
	case "l1l2":
		byName := 0.0
		if class == "l1_l2" && c == nil { // tf.keras' function of that name, not the class
			byName = 0.01
		}
		return L1L2{L1: float32(in.NumberOr("l1", byName)), L2: float32(in.NumberOr("l2", byName))}
	case "orthogonalregularizer":
		o := OrthogonalRegularizer{Factor: float32(in.NumberOr("factor", 0.01))}
		switch mode := in.Text("mode"); mode {
		case "", "rows":
		case "columns":
			o.Columns = true
		default:
			in.Bad("mode", "rows or columns", mode)
		}
		return o
	}
	r.Bad(key, "L1, L2, L1L2 or OrthogonalRegularizer", class)
	return nil
}

// regularizerConfig is the config of a regularizer: of one that has none, the error.
func regularizerConfig(r Regularizer) any {
	if isNone(r) {
		return nil
	}
	switch v := r.(type) {
	case L1L2:
		return map[string]any{"class_name": "L1L2", "config": map[string]any{"l1": arguments.Widen(v.L1), "l2": arguments.Widen(v.L2)}}
	case OrthogonalRegularizer:
		mode := "rows"
		if v.Columns {
			mode = "columns"
		}
		return map[string]any{"class_name": "OrthogonalRegularizer", "config": map[string]any{"factor": arguments.Widen(v.Factor), "mode": mode}}
	}
	return fmt.Errorf("%T has no config: only the named regularizers of this package have one", r)
}
