package loss

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
)

// Hinge is the mean of max(1 - truth·prediction, 0) over the last dimension.
// Labels are -1 and 1; those of a batch that are all 0 and 1 stand for them.
func Hinge(truth, prediction *graph.Node) *graph.Node {
	return lastMean(hinge(truth, prediction))
}

// SquaredHinge is [Hinge] with the square of each number.
func SquaredHinge(truth, prediction *graph.Node) *graph.Node {
	return lastMean(graph.Square(hinge(truth, prediction)))
}

func hinge(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	zero, one := graph.ZerosLike(truth), graph.OnesLike(truth)
	binary := graph.LogicalAll(graph.LogicalOr(graph.Equal(truth, zero), graph.Equal(truth, one)))
	binary = graph.BroadcastToDims(binary, truth.Shape().Dimensions...)
	sign := graph.Where(binary, graph.AddScalar(graph.MulScalar(truth, 2), -1), truth)
	return kink.Relu(graph.OneMinus(graph.Mul(sign, prediction)))
}

// CategoricalHinge is by how much the prediction of the right class, of one-hot
// labels, fails to exceed that of the best wrong one by 1; at least 0.
func CategoricalHinge(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	right := lastSum(graph.Mul(truth, prediction))
	wrong := graph.ReduceMax(graph.Mul(graph.OneMinus(truth), prediction), -1)
	return kink.Relu(graph.AddScalar(graph.Sub(wrong, right), 1))
}
