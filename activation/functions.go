package activation

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
	"github.com/rowan-embeddings/rowan/internal/tuple"
)

// elu is x above 0, exp(x)-1 below; the exponential sees no positive number,
// whose overflow would make a NaN of the gradient.
func elu(x *graph.Node) *graph.Node {
	return graph.AddScalar(graph.Add(kink.Relu(x), graph.Exp(negative(x))), -1)
}

// negative is x below 0, else 0.
func negative(x *graph.Node) *graph.Node { return graph.Sub(x, kink.Relu(x)) }

// selu is elu with the two constants that keep mean 0 and variance 1
// (Klambauer et al. 2017).
func selu(x *graph.Node) *graph.Node {
	const alpha, scale = 1.6732632423543772, 1.0507009873554805
	low := graph.AddScalar(graph.Exp(negative(x)), -1)
	return graph.MulScalar(graph.Add(kink.Relu(x), graph.MulScalar(low, alpha)), scale)
}

func silu(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Sigmoid(x)) }

// relu6 is relu, cut at 6, with gradient 0 where it is cut.
func relu6(x *graph.Node) *graph.Node { return graph.MinScalar(kink.Relu(x), 6) }

func hardSigmoid(x *graph.Node) *graph.Node {
	return graph.DivScalar(relu6(graph.AddScalar(x, 3)), 6)
}

func hardSilu(x *graph.Node) *graph.Node { return graph.Mul(x, hardSigmoid(x)) }

// hardTanh is x, cut at -1 and 1.
func hardTanh(x *graph.Node) *graph.Node { return graph.ClipScalar(x, -1, 1) }

// shrink is the threshold of Keras' hard_shrink and soft_shrink.
const shrink = 0.5

// outside is y where |x| is above the threshold, else 0.
func outside(x, y *graph.Node) *graph.Node {
	far := graph.GreaterThan(kink.Abs(x), graph.Scalar(x.Graph(), x.DType(), shrink))
	return graph.Where(far, y, graph.ZerosLike(y))
}

// softShrink is x, nearer to 0 by the threshold.
func softShrink(x *graph.Node) *graph.Node {
	step := graph.MulScalar(graph.StopGradient(graph.Sign(x)), shrink)
	return outside(x, graph.Sub(x, step))
}

// Threshold returns the activation that is x above a threshold, and otherwise a
// number put in its place, with gradient 0; NaN is not above. Both arguments
// must be finite; in Keras they are called threshold and default_value. It has no
// name in [ByName], which Keras has, as a name gives it no arguments and it has
// no defaults: Keras fails when it is called.
func Threshold(threshold, otherwise float64) (Func, error) {
	if threshold-threshold != 0 || otherwise-otherwise != 0 {
		return nil, fmt.Errorf("%w: Threshold: `threshold` and `default_value` must be finite numbers. Received: threshold=%v, default_value=%v", ErrValue, threshold, otherwise)
	}
	return func(x *graph.Node) *graph.Node {
		number := func(v float64) *graph.Node {
			return graph.BroadcastToShape(graph.Scalar(x.Graph(), x.DType(), v), x.Shape())
		}
		return graph.Where(graph.GreaterThan(x, number(threshold)), x, number(otherwise))
	}, nil
}

// sparsePlus is 0 up to -1, x from 1, and between them the parabola (x+1)²/4
// that touches both. Above 1 the cut adds what the parabola lacks.
func sparsePlus(x *graph.Node) *graph.Node {
	middle := graph.MulScalar(graph.Square(graph.AddScalar(hardTanh(x), 1)), 0.25)
	return graph.Add(middle, kink.Relu(graph.AddScalar(x, -1)))
}

// squareplus is (x + √(x²+4))/2.
func squareplus(x *graph.Node) *graph.Node {
	return graph.MulScalar(graph.Add(x, graph.Sqrt(graph.AddScalar(graph.Square(x), 4))), 0.5)
}

// sparsemax is the distribution nearest to x along the last dimension (Martins
// and Astudillo 2016): max(x - τ, 0), with τ such that it sums to 1.
//
// An entry counts where Σ_j max(x_j - x_i, 0) < 1. So no sorting is needed, and
// τ is the sum of the entries that count, less 1, over their number.
func sparsemax(x *graph.Node) *graph.Node {
	value := graph.StopGradient(x)
	above := kink.Relu(graph.Sub(graph.InsertAxes(value, -2), graph.InsertAxes(value, -1))) // [i, j] is x_j - x_i
	lost := graph.ReduceSum(above, -1)
	counts := graph.ConvertDType(graph.LessThan(lost, graph.ScalarOne(x.Graph(), x.DType())), dtypes.Float32)
	n := graph.ReduceAndKeep(counts, graph.ReduceSum, -1)
	sum := graph.ReduceAndKeep(graph.Mul(x, counts), graph.ReduceSum, -1)
	return graph.Mul(graph.Sub(x, graph.Div(graph.AddScalar(sum, -1), n)), counts)
}

// glu is the first half of the last dimension times the sigmoid of the second.
func glu(x *graph.Node) *graph.Node {
	n := x.Shape().Dimensions[x.Rank()-1]
	if n%2 != 0 {
		panic(fmt.Errorf("%w: glu halves the last dimension, which must be even. Received an input of shape %s", ErrShape, tuple.Of(x.Shape().Dimensions)))
	}
	half := graph.Split(x, -1, 2)
	return graph.Mul(half[0], graph.Sigmoid(half[1]))
}

func gelu(x *graph.Node) *graph.Node {
	return graph.Mul(x, graph.MulScalar(graph.AddScalar(graph.Erf(graph.DivScalar(x, math.Sqrt2)), 1), 0.5))
}
