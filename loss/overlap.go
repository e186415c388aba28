package loss

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/tuple"
)

// TverskyOptions are the optional arguments of [NewTversky]. The zero value
// works.
type TverskyOptions struct {
	// Alpha is what a label that was missed costs, 0 or more. Default: 0.5.
	//
	// So it is in Keras' code; its documentation has Alpha and Beta the other
	// way round.
	Alpha *float64
	// Beta is what a prediction without a label costs, 0 or more. Default: 0.5.
	Beta *float64
	// Axes are the dimensions that make up one set, as of [NewDice].
	Axes []int
}

// NewDice returns the Dice loss of two sets, labels and predictions whose
// numbers from 0 to 1 say how much belongs to the set:
//
//	1 - 2·Σ truth·prediction / (Σ truth + Σ prediction + 1e-7)
//
// The sums are over the dimensions axes, of which negative ones count from the
// end. Without any, as in Keras, they are over all of them: the batch is one set.
// If the dimension of the batch is among the axes, the sets, which no longer
// belong to an example, are averaged, and each example is given that one number;
// so weights of examples scale it by their mean. An axis that is there twice is
// [ErrConfig], in a graph [ErrShape], and so is one that predictions have not.
func NewDice(axes ...int) (Func, error) {
	if err := distinct("Dice", axes); err != nil {
		return nil, err
	}
	return overlap(axes, func(truth, prediction *graph.Node, sum func(*graph.Node) *graph.Node) *graph.Node {
		size := graph.AddScalar(graph.Add(sum(truth), sum(prediction)), clipEpsilon)
		return graph.Div(graph.MulScalar(sum(graph.Mul(truth, prediction)), 2), size)
	}), nil
}

// NewTversky returns the Tversky loss (Salehi et al. 2017), which is Dice's with
// a weight for each of the two ways to be wrong:
//
//	common = Σ truth·prediction
//	1 - common / (common + Alpha·Σ truth·(1-prediction) + Beta·Σ prediction·(1-truth) + 1e-7)
func NewTversky(o TverskyOptions) (Func, error) {
	alpha, beta := valueOr(o.Alpha, 0.5), valueOr(o.Beta, 0.5)
	if !isWeight(alpha) || !isWeight(beta) {
		return nil, fmt.Errorf("%w: Tversky: `alpha` and `beta` must be numbers of 0 or more. Received: alpha=%v, beta=%v", ErrConfig, alpha, beta)
	}
	if err := distinct("Tversky", o.Axes); err != nil {
		return nil, err
	}
	return overlap(o.Axes, func(truth, prediction *graph.Node, sum func(*graph.Node) *graph.Node) *graph.Node {
		common := sum(graph.Mul(truth, prediction))
		missed := sum(graph.Mul(truth, graph.OneMinus(prediction)))
		beside := sum(graph.Mul(prediction, graph.OneMinus(truth)))
		all := graph.Add(common, graph.Add(graph.MulScalar(missed, alpha), graph.MulScalar(beside, beta)))
		return graph.Div(common, graph.AddScalar(all, clipEpsilon))
	}), nil
}

// valueOr is an optional number, or what it is by default.
func valueOr(x *float64, otherwise float64) float64 {
	if x == nil {
		return otherwise
	}
	return *x
}

// isWeight reports whether x is a finite number of 0 or more.
func isWeight(x float64) bool { return x >= 0 && x-x == 0 }

// distinct refuses axes that repeat as they are written. Whether -1 is another
// of them is known with the predictions.
func distinct(class string, axes []int) error {
	for i, a := range axes {
		if slices.Contains(axes[:i], a) {
			return fmt.Errorf("%w: %s: `axis` must not hold a dimension twice. Received: axis=%v", ErrConfig, class, axes)
		}
	}
	return nil
}

// overlap is 1 less a score of sets, which score computes with sums over axes.
func overlap(axes []int, score func(truth, prediction *graph.Node, sum func(*graph.Node) *graph.Node) *graph.Node) Func {
	axes = slices.Clone(axes)
	return func(truth, prediction *graph.Node) *graph.Node {
		sameShape(truth, prediction)
		dims := prediction.Shape().Dimensions
		over := setAxes(axes, dims)
		sum := func(x *graph.Node) *graph.Node { return graph.ReduceSum(x, over...) }
		each := graph.OneMinus(score(truth, prediction, sum))
		if slices.Contains(over, 0) {
			return graph.BroadcastToDims(graph.ReduceAllMean(each), dims[0])
		}
		return each
	}
}

// setAxes counts axes from the front; none are all dimensions.
func setAxes(axes, dims []int) []int {
	var over []int
	for _, a := range axes {
		at := a
		if at < 0 {
			at += len(dims)
		}
		if at < 0 || at >= len(dims) || slices.Contains(over, at) {
			panic(fmt.Errorf("%w: `axis` must hold different dimensions of the predictions, of shape %v. Received: axis=%v", ErrShape, tuple.Of(dims), axes))
		}
		over = append(over, at)
	}
	if len(axes) == 0 {
		for a := range dims {
			over = append(over, a)
		}
	}
	return over
}
