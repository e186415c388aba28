package loss

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// FocalOptions are the optional arguments of [NewBinaryFocalCrossentropy]. The
// zero value works.
type FocalOptions struct {
	CrossentropyOptions
	// Gamma is how strongly examples that are right already are played down, 0
	// for not at all. Default: 2.
	Gamma *float64
	// Balance weighs labels of 1 by Alpha and labels of 0 by 1-Alpha. Default: false.
	Balance bool
	// Alpha is from 0 to 1. Default: 0.25.
	Alpha *float64
}

// NewBinaryFocalCrossentropy returns the binary cross entropy times (1-p)^Gamma,
// where p is the probability that was given to the label (Lin et al. 2018). The
// mean over the last dimension.
func NewBinaryFocalCrossentropy(o FocalOptions) (Func, error) {
	if err := o.check("BinaryFocalCrossentropy"); err != nil {
		return nil, err
	}
	gamma, alpha := valueOr(o.Gamma, 2), valueOr(o.Alpha, 0.25)
	if !isWeight(gamma) || !(alpha >= 0 && alpha <= 1) {
		return nil, fmt.Errorf("%w: BinaryFocalCrossentropy: `gamma` must be a number of 0 or more and `alpha` in [0, 1]. Received: gamma=%v, alpha=%v", ErrConfig, gamma, alpha)
	}
	return func(truth, prediction *graph.Node) *graph.Node {
		sameShape(truth, prediction)
		truth = o.smooth(truth, 2)
		if o.FromLogits {
			prediction = graph.Sigmoid(prediction)
		}
		entropy := crossentropy(truth, prediction)
		wrong := graph.Add(graph.Mul(truth, graph.OneMinus(prediction)), graph.Mul(graph.OneMinus(truth), prediction))
		loss := graph.Mul(power(wrong, gamma), entropy)
		if o.Balance {
			weight := graph.AddScalar(graph.MulScalar(truth, 2*alpha-1), 1-alpha)
			loss = graph.Mul(weight, loss)
		}
		return lastMean(loss)
	}, nil
}

// CategoricalFocalOptions are the optional arguments of
// [NewCategoricalFocalCrossentropy]. The zero value works.
type CategoricalFocalOptions struct {
	CrossentropyOptions
	// Gamma is as in [FocalOptions]. Default: 2.
	Gamma *float64
	// Alpha weighs the classes: one number for all of them, or one for each; of 0
	// or more. Default: 0.25.
	Alpha []float64
}

// NewCategoricalFocalCrossentropy returns -Σ Alpha·(1-p)^Gamma·truth·log(p) over
// the last dimension, where p are predictions divided by their sum (Lin et al.
// 2018): [CategoricalCrossentropy] that plays down what is right already. A number
// of Alphas that is not the number of classes is [ErrShape], in a graph.
func NewCategoricalFocalCrossentropy(o CategoricalFocalOptions) (Func, error) {
	if err := o.check("CategoricalFocalCrossentropy"); err != nil {
		return nil, err
	}
	gamma, alpha := valueOr(o.Gamma, 2), slices.Clone(o.Alpha)
	if len(alpha) == 0 {
		alpha = []float64{0.25}
	}
	if !isWeight(gamma) || slices.ContainsFunc(alpha, func(a float64) bool { return !isWeight(a) }) {
		return nil, fmt.Errorf("%w: CategoricalFocalCrossentropy: `gamma` and `alpha` must be numbers of 0 or more. Received: gamma=%v, alpha=%v", ErrConfig, gamma, alpha)
	}
	return func(truth, prediction *graph.Node) *graph.Node {
		sameShape(truth, prediction)
		dims := prediction.Shape().Dimensions
		truth = o.smooth(truth, dims[len(dims)-1])
		if o.FromLogits {
			prediction = graph.Softmax(prediction, -1)
		}
		p := normalized(prediction)
		each := graph.Mul(power(graph.OneMinus(p), gamma), graph.Mul(truth, graph.Log(p)))
		return graph.Neg(lastSum(graph.Mul(classWeights(alpha, prediction), each)))
	}, nil
}

// classWeights returns weights of classes, or one of them all, in the prediction's shape.
func classWeights(alpha []float64, prediction *graph.Node) *graph.Node {
	dims := prediction.Shape().Dimensions
	if len(alpha) == 1 {
		return graph.MulScalar(graph.OnesLike(prediction), alpha[0])
	}
	if classes := dims[len(dims)-1]; len(alpha) != classes {
		panic(fmt.Errorf("%w: CategoricalFocalCrossentropy: `alpha` must be one number, or one for each of %d classes. Received: alpha=%v", ErrShape, classes, alpha))
	}
	row := graph.ConstAsDType(prediction.Graph(), prediction.DType(), alpha)
	for row.Rank() < len(dims) {
		row = graph.InsertAxes(row, 0)
	}
	return graph.BroadcastToDims(row, dims...)
}

// power is x^exponent for x ≥ 0. The gradient of a general power is not finite
// at 0, so x is kept away from it; a square needs no such care.
func power(x *graph.Node, exponent float64) *graph.Node {
	switch exponent {
	case 0:
		return graph.OnesLike(x)
	case 1:
		return x
	case 2:
		return graph.Square(x)
	}
	return graph.Exp(graph.MulScalar(graph.Log(graph.MaxScalar(x, clipEpsilon)), exponent))
}
