// Package loss holds Keras' losses: by how much the predictions of a batch miss
// their labels, as functions of a graph. A loss says so for every example; the
// mean of a batch, weights of examples and masks are for who trains with it,
// and so are the terms that layers and regularizers add.
//
// A loss is a Go function ([MeanSquaredError]), is made with arguments
// ([NewHuber]), or has one of Keras' names ([ByName], [FromConfig]). Where an
// error is due in a graph, a loss panics with it, as operations of a graph do:
// who builds the graph recovers it.
package loss

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/tuple"
)

// Errors that losses report; match with errors.Is.
var (
	// ErrConfig: an unknown name or argument, or a value out of range.
	ErrConfig = errors.New("loss: bad configuration")
	// ErrShape: labels that do not fit the predictions.
	ErrShape = errors.New("loss: incompatible shapes")
)

// Func computes the loss of every example (and time step): it reduces the last
// dimension, so labels and predictions of shape (batch, n) give (batch).
type Func func(truth, prediction *graph.Node) *graph.Node

// clipEpsilon is Keras' epsilon.
const clipEpsilon = 1e-7

func sameShape(truth, prediction *graph.Node) {
	if t, p := truth.Shape().Dimensions, prediction.Shape().Dimensions; !slices.Equal(t, p) {
		panic(fmt.Errorf("%w: labels of shape %v do not fit predictions of shape %v", ErrShape, tuple.Of(t), tuple.Of(p)))
	}
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

// lastSum adds up along the last dimension.
func lastSum(x *graph.Node) *graph.Node { return graph.ReduceSum(x, -1) }
