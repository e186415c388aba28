package loss

import (
	"fmt"

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
	gamma, alpha := 2.0, 0.25
	if o.Gamma != nil {
		gamma = *o.Gamma
	}
	if o.Alpha != nil {
		alpha = *o.Alpha
	}
	if !(gamma >= 0) || gamma-gamma != 0 || !(alpha >= 0 && alpha <= 1) {
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
