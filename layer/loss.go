package layer

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
)

// Loss computes the loss of every example (and time step): it reduces the last
// dimension, so labels and predictions of shape (batch, n) give (batch).
type Loss func(truth, prediction *graph.Node) *graph.Node

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

// BinaryCrossentropy is the mean over the last dimension of the cross entropy
// of labels in [0, 1] and predicted probabilities. If the prediction is the
// output of a sigmoid, it is computed from what went into the sigmoid, which
// loses no precision; else probabilities are clipped by 1e-7, as Keras does.
func BinaryCrossentropy(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	if logits := behind(prediction, graph.NodeTypeLogistic); logits != nil {
		return BinaryCrossentropyFromLogits(truth, logits)
	}
	return lastMean(crossentropy(truth, prediction))
}

// crossentropy is the binary one, number by number.
func crossentropy(truth, prediction *graph.Node) *graph.Node {
	p := graph.ClipScalar(prediction, clipEpsilon, 1-clipEpsilon)
	yes := graph.Mul(truth, graph.Log(p))
	no := graph.Mul(graph.OneMinus(truth), graph.Log(graph.OneMinus(p)))
	return graph.Neg(graph.Add(yes, no))
}

// clipEpsilon is Keras' epsilon.
const clipEpsilon = 1e-7

// BinaryCrossentropyFromLogits is BinaryCrossentropy of sigmoid(logits):
// softplus(z) - z·truth.
func BinaryCrossentropyFromLogits(truth, logits *graph.Node) *graph.Node {
	sameShape(truth, logits)
	return lastMean(graph.Sub(kink.Softplus(logits), graph.Mul(logits, truth)))
}

// CategoricalCrossentropy is -Σ truth·log(prediction) over the last dimension:
// labels and predictions are distributions over classes.
func CategoricalCrossentropy(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	total := graph.ReduceAndKeep(prediction, graph.ReduceSum, -1)
	p := graph.ClipScalar(graph.Div(prediction, total), clipEpsilon, 1-clipEpsilon)
	return graph.Neg(graph.ReduceSum(graph.Mul(truth, graph.Log(p)), -1))
}

// SparseCategoricalCrossentropy is CategoricalCrossentropy with class numbers
// as labels: float32 or int32 of the prediction's shape without the last
// dimension, or with a last dimension of 1. A number that is no class adds nothing, and NaN
// makes the loss NaN.
func SparseCategoricalCrossentropy(truth, prediction *graph.Node) *graph.Node {
	return CategoricalCrossentropy(oneHot(truth, prediction), prediction)
}

// oneHot turns class numbers into distributions of the prediction's shape.
func oneHot(truth, prediction *graph.Node) *graph.Node {
	dims := prediction.Shape().Dimensions
	outer, classes := dims[:len(dims)-1], dims[len(dims)-1]
	if truth.Rank() == len(dims) {
		truth = graph.Squeeze(truth, -1)
	}
	if !slices.Equal(truth.Shape().Dimensions, outer) {
		graphPanic("%w: class numbers of shape %v do not fit predictions of shape %v", ErrShape, Shape(truth.Shape().Dimensions), Shape(dims))
	}
	// The difference is 0, or NaN of a label that is no number, which as an
	// integer could be any class.
	doubt := graph.ConvertDType(graph.Sub(truth, truth), dtypes.Float32)
	hot := graph.OneHot(graph.ConvertDType(truth, dtypes.Int32), classes, dtypes.Float32)
	return graph.Add(hot, graph.BroadcastToDims(graph.InsertAxes(doubt, -1), dims...))
}

func sameShape(truth, prediction *graph.Node) {
	if t, p := truth.Shape().Dimensions, prediction.Shape().Dimensions; !slices.Equal(t, p) {
		graphPanic("%w: labels of shape %v do not fit predictions of shape %v", ErrShape, Shape(t), Shape(p))
	}
}

// behind returns what went into a node of that type, nil if it is of another. Casts
// of its result are looked through.
func behind(n *graph.Node, t graph.NodeType) *graph.Node {
	for n.Type() == graph.NodeTypeConvertDType {
		n = n.Inputs()[0]
	}
	if n.Type() == t && len(n.Inputs()) == 1 {
		return cast(n.Inputs()[0], dtypes.Float32)
	}
	return nil
}

// lastMean reduces the last dimension; one of length 1 is only dropped.
func lastMean(x *graph.Node) *graph.Node {
	dims := x.Shape().Dimensions
	if len(dims) < 2 {
		return x
	}
	if dims[len(dims)-1] == 1 {
		return graph.Reshape(x, dims[:len(dims)-1]...)
	}
	return graph.ReduceMean(x, -1)
}

// meanLoss averages per-example losses. A mask leaves entries out, of the
// count too; sample weights multiply the losses and not the count, as in Keras.
func meanLoss(l, mask, weights *graph.Node) *graph.Node {
	count := float64(l.Shape().Size())
	if weights != nil {
		w := weights
		for w.Rank() < l.Rank() {
			w = graph.InsertAxes(w, -1)
		}
		l = graph.Mul(l, graph.BroadcastToDims(w, l.Shape().Dimensions...))
	}
	if mask == nil || !slices.Equal(mask.Shape().Dimensions, l.Shape().Dimensions) {
		return graph.DivScalar(graph.ReduceAllSum(l), count)
	}
	m := graph.ConvertDType(mask, l.DType())
	return graph.Div(graph.ReduceAllSum(graph.Mul(l, m)), graph.MaxScalar(graph.ReduceAllSum(m), 1))
}
