package regularizer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
	"github.com/rowan-embeddings/rowan/internal/tuple"
)

// Orthogonal is Keras' OrthogonalRegularizer, a penalty on a matrix whose rows, or
// columns, are not orthogonal to each other: Factor times the mean of |cos| over
// all pairs. A matrix of one vector has no pairs and pays nothing; Keras' penalty
// is NaN there.
type Orthogonal struct {
	// Factor multiplies the penalty. Keras' default is 0.01.
	Factor float32
	// Columns compares columns instead of rows: Keras' mode "columns".
	Columns bool
}

// NewOrthogonal returns Keras' OrthogonalRegularizer(): 0.01 on rows.
func NewOrthogonal() Orthogonal { return Orthogonal{Factor: 0.01} }

// Class implements [Regularizer].
func (Orthogonal) Class() string { return "OrthogonalRegularizer" }

// Penalty implements [Regularizer].
func (r Orthogonal) Penalty(x *graph.Node) *graph.Node {
	if err := r.check(x.Shape().Dimensions); err != nil {
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

// maxOrthogonal bounds the vectors of which an Orthogonal compares each with
// each: 2,048 make a matrix of 16 MiB of products, several times over.
const maxOrthogonal = 2048

// check is what Check asks.
func (r Orthogonal) check(s []int) error {
	if !(r.Factor >= 0) || r.Factor-r.Factor != 0 {
		return fmt.Errorf("%w: OrthogonalRegularizer: expected a non-negative float. Received: factor=%v", ErrConfig, r.Factor)
	}
	if len(s) != 2 {
		return fmt.Errorf("%w: inputs to OrthogonalRegularizer must have rank 2. Received: shape %s", ErrConfig, tuple.Of(s))
	}
	axis, what := 0, "rows"
	if r.Columns {
		axis, what = 1, "columns"
	}
	if s[axis] > maxOrthogonal {
		return fmt.Errorf("%w: OrthogonalRegularizer compares each of the %s with each, at most %d of them. Received: shape %s", ErrConfig, what, maxOrthogonal, tuple.Of(s))
	}
	return nil
}
