package loss

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
)

// NewCategoricalGeneralizedCrossEntropy returns (1 - p^q)/q, where p is the
// probability that was given to the label (Zhang and Sabuncu 2018): near 0, q
// makes it a cross entropy, near 1 an absolute error, which wrong labels disturb
// less. q is between 0 and 1; Keras' is 0.5.
//
// Labels are class numbers, as those of [SparseCategoricalCrossentropy]; one that
// is no class has the largest loss, 1/q, without a gradient. So has a probability
// of 0, where Keras' gradient is not finite. Of labels of shape (batch, 1) Keras
// 3.15 pairs each with the predictions of every example, though it documents them
// as what they are here: one for each.
func NewCategoricalGeneralizedCrossEntropy(q float64) (Func, error) {
	if !(q > 0 && q < 1) {
		return nil, fmt.Errorf("%w: CategoricalGeneralizedCrossEntropy: `q` must be between 0 and 1. Received: q=%v", ErrConfig, q)
	}
	return func(truth, prediction *graph.Node) *graph.Node {
		p := lastSum(graph.Mul(oneHot(truth, prediction), prediction))
		return graph.DivScalar(graph.OneMinus(root(p, q)), q)
	}, nil
}

// root is x^exponent for an exponent from 0 to 1, NaN below 0. Numbers nearer to
// 0 than the normal ones of float32 are taken for 0, with gradient 0: what the
// power's gradient divides by has a reciprocal.
func root(x *graph.Node, exponent float64) *graph.Node {
	const smallest = 0x1p-126
	some := graph.GreaterOrEqual(kink.Abs(x), graph.Scalar(x.Graph(), x.DType(), smallest))
	of := graph.Where(some, x, graph.OnesLike(x))
	return graph.Where(some, graph.Exp(graph.MulScalar(graph.Log(of), exponent)), graph.ZerosLike(x))
}
