package loss

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
)

// MeanSquaredError is the mean of (prediction - truth)² over the last dimension.
func MeanSquaredError(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	return lastMean(graph.Square(graph.Sub(prediction, truth)))
}

// MeanAbsoluteError is the mean of |prediction - truth| over the last dimension.
func MeanAbsoluteError(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	return lastMean(kink.Abs(graph.Sub(prediction, truth)))
}

// MeanAbsolutePercentageError is the mean of 100·|prediction - truth|/|truth|
// over the last dimension, with |truth| at least 1e-7.
func MeanAbsolutePercentageError(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	share := graph.Div(graph.Sub(truth, prediction), graph.MaxScalar(kink.Abs(truth), clipEpsilon))
	return graph.MulScalar(lastMean(kink.Abs(share)), 100)
}

// MeanSquaredLogarithmicError is the mean of (log(1+prediction) - log(1+truth))²
// over the last dimension; numbers below 1e-7 count as 1e-7.
func MeanSquaredLogarithmicError(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	log := func(x *graph.Node) *graph.Node {
		return graph.Log(graph.AddScalar(graph.MaxScalar(x, clipEpsilon), 1))
	}
	return lastMean(graph.Square(graph.Sub(log(prediction), log(truth))))
}

// LogCosh is the mean of log(cosh(prediction - truth)) over the last dimension,
// in a form that does not overflow: x + softplus(-2x) - log 2.
func LogCosh(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	x := graph.Sub(prediction, truth)
	return lastMean(graph.AddScalar(graph.Add(x, kink.Softplus(graph.MulScalar(x, -2))), -math.Ln2))
}

// NewHuber returns the Huber loss: half the squared error up to delta, and
// beyond it a straight line that goes on as steep as the parabola is there. The
// mean over the last dimension. delta must be above 0; Keras' is 1.
func NewHuber(delta float64) (Func, error) {
	if !(delta > 0) || delta-delta != 0 {
		return nil, fmt.Errorf("%w: Huber: `delta` must be a positive number. Received: delta=%v", ErrConfig, delta)
	}
	return func(truth, prediction *graph.Node) *graph.Node {
		sameShape(truth, prediction)
		off := kink.Abs(graph.Sub(prediction, truth))
		near := graph.MinScalar(off, delta) // off, or delta where it is more
		line := graph.MulScalar(graph.Sub(off, near), delta)
		return lastMean(graph.Add(graph.MulScalar(graph.Square(near), 0.5), line))
	}, nil
}

// Poisson is the mean of prediction - truth·log(prediction + 1e-7) over the last dimension.
func Poisson(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	return lastMean(graph.Sub(prediction, graph.Mul(truth, graph.Log(graph.AddScalar(prediction, clipEpsilon)))))
}

// CosineSimilarity is minus the cosine of the angle between labels and
// predictions along the last dimension: -1 where they point the same way.
func CosineSimilarity(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	unit := func(x *graph.Node) *graph.Node {
		square := graph.ReduceAndKeep(graph.Square(x), graph.ReduceSum, -1)
		return graph.Div(x, graph.Sqrt(graph.MaxScalar(square, clipEpsilon*clipEpsilon)))
	}
	return graph.Neg(lastSum(graph.Mul(unit(truth), unit(prediction))))
}
