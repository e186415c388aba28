package loss

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
	"github.com/rowan-embeddings/rowan/internal/tuple"
)

// CircleOptions are the optional arguments of [NewCircle]. The zero value works.
type CircleOptions struct {
	// Gamma scales the distances, more than 0: the more, the more the worst pair
	// of an example counts alone. Default: 80.
	Gamma *float64
	// Margin is how far apart two of a class may be, and from 1 how near two of
	// different classes; a finite number. Default: 0.4.
	Margin *float64
	// KeepDiagonal makes pairs of an example with itself, which are at distance 0
	// if embeddings have norm 1. Keras' remove_diagonal is the opposite.
	KeepDiagonal bool
}

// NewCircle returns the circle loss (Sun et al. 2020) of embeddings of norm 1, of
// shape (batch, n), with class numbers as labels, float32 or int32 of shape
// (batch) or (batch, 1). It draws those of a class together, and others
// apart; d is 1 less the cosine of a pair, at least 0:
//
//	softplus(log Σ exp(Gamma·(d+Margin)·(d-Margin)) + log Σ exp(Gamma·max(1+Margin-d, 0)·(1-Margin-d)))
//	             of the same class                             of another class
//
// As in Keras, the mean of a batch is one of those examples whose loss is above
// 0, which leaves out all that have nobody of their class, or nobody of
// another. For this the loss of each is multiplied by the size of the batch over
// the number of these examples. A label that is no number makes the loss NaN.
func NewCircle(o CircleOptions) (Func, error) {
	gamma, margin := valueOr(o.Gamma, 80), valueOr(o.Margin, 0.4)
	if !(gamma > 0) || gamma-gamma != 0 || margin-margin != 0 {
		return nil, fmt.Errorf("%w: Circle: `gamma` must be a number above 0 and `margin` a finite number. Received: gamma=%v, margin=%v", ErrConfig, gamma, margin)
	}
	return func(truth, prediction *graph.Node) *graph.Node {
		if prediction.Rank() != 2 {
			panic(fmt.Errorf("%w: Circle compares the embeddings of a batch, of shape (batch, n). Received predictions of shape %v", ErrShape, tuple.Of(prediction.Shape().Dimensions)))
		}
		class, doubt := classNumbers(truth, prediction)
		same, other := pairs(class, o.KeepDiagonal)
		d := atLeast0(graph.OneMinus(graph.DotGeneral(prediction, []int{1}, nil, prediction, []int{1}, nil)))

		far := graph.Mul(atLeast0(graph.AddScalar(d, margin)), graph.AddScalar(d, -margin))
		near := graph.Mul(atLeast0(scalarMinus(1+margin, d)), scalarMinus(1-margin, d))
		pull, pulled := logSumExp(graph.MulScalar(far, gamma), same)
		push, pushed := logSumExp(graph.MulScalar(near, gamma), other)
		each := kink.Softplus(graph.Add(pull, push))
		each = graph.Where(graph.LogicalAnd(pulled, pushed), each, graph.ZerosLike(each))
		return graph.Add(overPositive(each), doubt)
	}, nil
}

// pairs returns which two of a batch are of one class, and which are not.
func pairs(class *graph.Node, diagonal bool) (same, other *graph.Node) {
	n := class.Shape().Dimensions[0]
	row := graph.BroadcastToDims(graph.InsertAxes(class, -1), n, n)
	column := graph.BroadcastToDims(graph.InsertAxes(class, 0), n, n)
	same, other = graph.Equal(row, column), graph.NotEqual(row, column)
	if !diagonal {
		index := shapes.Make(dtypes.Int32, n, n)
		beside := graph.NotEqual(graph.Iota(class.Graph(), index, 0), graph.Iota(class.Graph(), index, 1))
		same = graph.LogicalAnd(same, beside)
	}
	return same, other
}

// atLeast0 is max(x, 0), with gradient 1 at 0, as Keras' maximum has.
func atLeast0(x *graph.Node) *graph.Node {
	zero := graph.ZerosLike(x)
	return graph.Where(graph.GreaterOrEqual(x, zero), x, zero)
}

func scalarMinus(c float64, x *graph.Node) *graph.Node { return graph.AddScalar(graph.Neg(x), c) }

// logSumExp is log Σ exp(x) over the last dimension of where a mask is true, and
// whether it is anywhere; if not it is 0, with gradient 0.
func logSumExp(x, mask *graph.Node) (y, there *graph.Node) {
	dims := x.Shape().Dimensions
	lowest := graph.Scalar(x.Graph(), x.DType(), -math.MaxFloat32)
	top := graph.StopGradient(graph.ReduceAndKeep(graph.Where(mask, x, lowest), graph.ReduceMax, -1))
	wide := graph.BroadcastToDims(top, dims...)
	powers := graph.Exp(graph.Sub(graph.Where(mask, x, wide), wide)) // at most 1, and 1 outside the mask
	sum := lastSum(graph.Where(mask, powers, graph.ZerosLike(powers)))

	zero := graph.ZerosLike(sum)
	there = graph.GreaterThan(sum, zero)
	y = graph.Add(graph.Log(graph.Where(there, sum, graph.OnesLike(sum))), graph.Squeeze(top, -1))
	return graph.Where(there, y, zero), there
}

// overPositive scales numbers so that their mean is that of those above 0.
func overPositive(x *graph.Node) *graph.Node {
	count := graph.ReduceAllSum(graph.ConvertDType(graph.GreaterThan(x, graph.ZerosLike(x)), x.DType()))
	factor := graph.Div(graph.Scalar(x.Graph(), x.DType(), float64(x.Shape().Size())), graph.MaxScalar(count, 1))
	return graph.Mul(x, graph.StopGradient(factor))
}
