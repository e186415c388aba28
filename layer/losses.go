package layer

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
)

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
func NewHuber(delta float64) (Loss, error) {
	if !(delta > 0) || delta-delta != 0 {
		return nil, fmt.Errorf("%w: Huber: `delta` must be a positive number. Received: delta=%v", ErrArgument, delta)
	}
	return func(truth, prediction *graph.Node) *graph.Node {
		sameShape(truth, prediction)
		off := kink.Abs(graph.Sub(prediction, truth))
		near := graph.MinScalar(off, delta) // off, or delta where it is more
		line := graph.MulScalar(graph.Sub(off, near), delta)
		return lastMean(graph.Add(graph.MulScalar(graph.Square(near), 0.5), line))
	}, nil
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

// Poisson is the mean of prediction - truth·log(prediction + 1e-7) over the last dimension.
func Poisson(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	return lastMean(graph.Sub(prediction, graph.Mul(truth, graph.Log(graph.AddScalar(prediction, clipEpsilon)))))
}

// KLDivergence is Σ truth·log(truth/prediction) over the last dimension:
// labels and predictions are distributions, kept in [1e-7, 1].
func KLDivergence(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	t, p := graph.ClipScalar(truth, clipEpsilon, 1), graph.ClipScalar(prediction, clipEpsilon, 1)
	return lastSum(graph.Mul(t, graph.Log(graph.Div(t, p))))
}

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

// CrossentropyOptions are the optional arguments of the cross entropies. The
// zero value works.
type CrossentropyOptions struct {
	// FromLogits says that predictions are logits. Default: probabilities.
	FromLogits bool
	// LabelSmoothing pulls labels this far, from 0 to 1, towards the middle:
	// to 0.5 in a binary cross entropy, to 1/classes in a categorical one.
	// Default 0.
	LabelSmoothing float64
}

func (o CrossentropyOptions) check(class string) error {
	if !(o.LabelSmoothing >= 0 && o.LabelSmoothing <= 1) {
		return fmt.Errorf("%w: %s: `label_smoothing` must be in [0, 1]. Received: label_smoothing=%v", ErrArgument, class, o.LabelSmoothing)
	}
	return nil
}

// smooth pulls labels towards one over the number of classes.
func (o CrossentropyOptions) smooth(truth *graph.Node, classes int) *graph.Node {
	if o.LabelSmoothing == 0 {
		return truth
	}
	return graph.AddScalar(graph.MulScalar(truth, 1-o.LabelSmoothing), o.LabelSmoothing/float64(classes))
}

// NewBinaryCrossentropy returns [BinaryCrossentropy] with options.
func NewBinaryCrossentropy(o CrossentropyOptions) (Loss, error) {
	if err := o.check("BinaryCrossentropy"); err != nil {
		return nil, err
	}
	entropy := BinaryCrossentropy
	if o.FromLogits {
		entropy = BinaryCrossentropyFromLogits
	}
	return func(truth, prediction *graph.Node) *graph.Node {
		return entropy(o.smooth(truth, 2), prediction)
	}, nil
}

// NewCategoricalCrossentropy returns [CategoricalCrossentropy] with options.
func NewCategoricalCrossentropy(o CrossentropyOptions) (Loss, error) {
	if err := o.check("CategoricalCrossentropy"); err != nil {
		return nil, err
	}
	entropy := CategoricalCrossentropy
	if o.FromLogits {
		entropy = categoricalFromLogits
	}
	return func(truth, prediction *graph.Node) *graph.Node {
		dims := prediction.Shape().Dimensions
		return entropy(o.smooth(truth, dims[len(dims)-1]), prediction)
	}, nil
}

func categoricalFromLogits(truth, logits *graph.Node) *graph.Node {
	sameShape(truth, logits)
	return graph.Neg(lastSum(graph.Mul(truth, graph.LogSoftmax(logits, -1))))
}

// NewSparseCategoricalCrossentropy returns [SparseCategoricalCrossentropy], of
// logits if fromLogits says so.
func NewSparseCategoricalCrossentropy(fromLogits bool) Loss {
	if !fromLogits {
		return SparseCategoricalCrossentropy
	}
	return func(truth, logits *graph.Node) *graph.Node {
		return categoricalFromLogits(oneHot(truth, logits), logits)
	}
}

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
func NewBinaryFocalCrossentropy(o FocalOptions) (Loss, error) {
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
		return nil, fmt.Errorf("%w: BinaryFocalCrossentropy: `gamma` must be a number of 0 or more and `alpha` in [0, 1]. Received: gamma=%v, alpha=%v", ErrArgument, gamma, alpha)
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

// lastSum adds up along the last dimension.
func lastSum(x *graph.Node) *graph.Node { return graph.ReduceSum(x, -1) }
