package loss

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
	"github.com/rowan-embeddings/rowan/internal/tuple"
)

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
		return fmt.Errorf("%w: %s: `label_smoothing` must be in [0, 1]. Received: label_smoothing=%v", ErrConfig, class, o.LabelSmoothing)
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

// BinaryCrossentropyFromLogits is BinaryCrossentropy of sigmoid(logits):
// softplus(z) - z·truth.
func BinaryCrossentropyFromLogits(truth, logits *graph.Node) *graph.Node {
	sameShape(truth, logits)
	return lastMean(graph.Sub(kink.Softplus(logits), graph.Mul(logits, truth)))
}

// NewBinaryCrossentropy returns [BinaryCrossentropy] with options.
func NewBinaryCrossentropy(o CrossentropyOptions) (Func, error) {
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

// behind returns what went into a node of that type, nil if it is of another. Casts
// of its result are looked through.
func behind(n *graph.Node, t graph.NodeType) *graph.Node {
	for n.Type() == graph.NodeTypeConvertDType {
		n = n.Inputs()[0]
	}
	if n.Type() == t && len(n.Inputs()) == 1 {
		return graph.ConvertDType(n.Inputs()[0], dtypes.Float32)
	}
	return nil
}

// CategoricalCrossentropy is -Σ truth·log(prediction) over the last dimension:
// labels and predictions are distributions over classes.
func CategoricalCrossentropy(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	return graph.Neg(lastSum(graph.Mul(truth, graph.Log(normalized(prediction)))))
}

// normalized divides probabilities by their sum, and keeps them from 0 and 1.
func normalized(prediction *graph.Node) *graph.Node {
	total := graph.ReduceAndKeep(prediction, graph.ReduceSum, -1)
	return graph.ClipScalar(graph.Div(prediction, total), clipEpsilon, 1-clipEpsilon)
}

func categoricalFromLogits(truth, logits *graph.Node) *graph.Node {
	sameShape(truth, logits)
	return graph.Neg(lastSum(graph.Mul(truth, graph.LogSoftmax(logits, -1))))
}

// NewCategoricalCrossentropy returns [CategoricalCrossentropy] with options.
func NewCategoricalCrossentropy(o CrossentropyOptions) (Func, error) {
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

// SparseCategoricalCrossentropy is CategoricalCrossentropy with class numbers
// as labels: float32 or int32 of the prediction's shape without the last
// dimension, or with a last dimension of 1. A number that is no class adds nothing, and NaN
// makes the loss NaN.
func SparseCategoricalCrossentropy(truth, prediction *graph.Node) *graph.Node {
	return CategoricalCrossentropy(oneHot(truth, prediction), prediction)
}

// NewSparseCategoricalCrossentropy returns [SparseCategoricalCrossentropy], of
// logits if fromLogits says so.
func NewSparseCategoricalCrossentropy(fromLogits bool) Func {
	if !fromLogits {
		return SparseCategoricalCrossentropy
	}
	return func(truth, logits *graph.Node) *graph.Node {
		return categoricalFromLogits(oneHot(truth, logits), logits)
	}
}

// oneHot turns class numbers into distributions of the prediction's shape.
func oneHot(truth, prediction *graph.Node) *graph.Node {
	class, doubt := classNumbers(truth, prediction)
	dims := prediction.Shape().Dimensions
	hot := graph.OneHot(class, dims[len(dims)-1], dtypes.Float32)
	return graph.Add(hot, graph.BroadcastToDims(graph.InsertAxes(doubt, -1), dims...))
}

// classNumbers returns labels as integers of the prediction's shape without the
// last dimension; and doubt, which is 0, or NaN where a label is no number and
// so could be any class as an integer.
func classNumbers(truth, prediction *graph.Node) (class, doubt *graph.Node) {
	dims := prediction.Shape().Dimensions
	if truth.Rank() == len(dims) && truth.Shape().Dimensions[len(dims)-1] == 1 {
		truth = graph.Squeeze(truth, -1)
	}
	if !slices.Equal(truth.Shape().Dimensions, dims[:len(dims)-1]) {
		panic(fmt.Errorf("%w: class numbers of shape %v do not fit predictions of shape %v", ErrShape, tuple.Of(truth.Shape().Dimensions), tuple.Of(dims)))
	}
	doubt = graph.ConvertDType(graph.Sub(truth, truth), dtypes.Float32)
	return graph.ConvertDType(truth, dtypes.Int32), doubt
}

// KLDivergence is Σ truth·log(truth/prediction) over the last dimension:
// labels and predictions are distributions, kept in [1e-7, 1].
func KLDivergence(truth, prediction *graph.Node) *graph.Node {
	sameShape(truth, prediction)
	t, p := graph.ClipScalar(truth, clipEpsilon, 1), graph.ClipScalar(prediction, clipEpsilon, 1)
	return lastSum(graph.Mul(t, graph.Log(graph.Div(t, p))))
}
