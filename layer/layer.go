// Package layer holds Keras-shaped layers: objects that own weights, know how
// to compute, and can be connected into a graph.
//
// A model has two stages, in one direction. The host stage turns ids into
// floats with tables, and before that perhaps into other ids, with a vocabulary
// or a hash; the graph stage turns floats into outputs and a loss, and is
// differentiated:
//
//	Input ──ids──> Embedding ──floats, mask──> Concatenate ─> Dense ─> Dense ──> output
//	        [IDLayer] (HostLayer)              └────────── GraphLayers ──────┘
//	  <────────────── host stage ────────────┘└──────────── graph stage ──────────>
//
// So an embedding layer is only ever the first layer of floats on its path from
// an input, as Keras has it; anything else is an error that says so.
//
// A layer is used in two ways. [Base.Apply] connects it symbolically: it takes
// and returns a [Tensor] (a shape, no data) and remembers a [Node] for every
// call; a layer that is applied twice shares its weights. [Base.Run] computes
// at once, on data, and remembers nothing. A [Plan] sorts the nodes between
// inputs and outputs, and lowers them into a graph.
//
// What a layer owns are [Variable]s: dense arrays, or tables. They are kept
// here and not in the graph: values go in, gradients come out, and the model's
// optimizer updates them.
//
// # Symbols and runs
//
// Keras has a graph mode and an eager mode, a switch of the process. Here a call
// is one or the other: Apply is on symbols, Run is eager, and a layer may be
// used both ways by turns. What the old pages say of eager mode means Run:
//
//   - A run makes no node. Input, Output, their shapes, masks and the accessors
//     that take a node are [ErrNotConnected] for a layer that was only run, and
//     so are LossesFor and UpdatesFor of some inputs.
//   - Losses, Updates and Metrics are of symbolic calls, and of what was added to
//     the layer. A run returns the losses and metrics of its own in [Output],
//     and a training run stores its updates.
//   - AddLoss inside a call, and weights with a regularizer, work in both; Keras
//     refuses them in eager mode. Symbolic losses from outside a call belong to
//     symbolic calls.
//   - No layer is dynamic: each works both ways.
//
// # What a layer adds to a model
//
// Beside outputs a layer has losses, updates of weights and metrics: by its
// call, by penalties, and by what it was given with AddLoss, AddLossFunc,
// AddUpdate, AddMetric and their kin. Each is a [LossTerm], [UpdateTerm] or
// [MetricTerm], of the inputs of one call or unconditional.
package layer

import (
	"errors"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/regularizer"
)

// Errors that layers report; match with errors.Is.
var (
	// ErrNotInitialized: a layer type of one's own did not call Base.Init.
	ErrNotInitialized = errors.New("layer: not initialized")
	// ErrArgument: a constructor argument makes no sense.
	ErrArgument = errors.New("layer: bad argument")
	// ErrShape: an input does not have the shape that the layer needs.
	ErrShape = errors.New("layer: incompatible input shape")
	// ErrStage: floats where ids are needed, or ids where floats are.
	ErrStage = errors.New("layer: wrong kind of input")
	// ErrMask: a mask reached a layer that does not support masking.
	ErrMask = errors.New("layer: mask not supported")
	// ErrNotBuilt: the layer has no weights yet.
	ErrNotBuilt = errors.New("layer: not built")
	// ErrNotConnected: the layer has no node, or several where one was asked for.
	ErrNotConnected = errors.New("layer: not connected")
	// ErrWeights: arrays that do not fit the layer's weights.
	ErrWeights = errors.New("layer: weights do not fit")
	// ErrConfig: a config cannot be read or written.
	ErrConfig = errors.New("layer: bad config")
	// ErrUnsupported: an argument that this version accepts but cannot honour.
	ErrUnsupported = errors.New("layer: not supported yet")
)

// Layer is what all layers have in common. Types implement it by embedding
// [Base], and one of [GraphLayer], [HostLayer] and [IDLayer] to be of use.
type Layer interface {
	core() *Base
	// Build creates the weights for inputs of these shapes, with AddWeight,
	// AddTable and AddLayer. It runs once, before the first call. Like those of
	// the interfaces below it should return errors; a panic becomes one.
	Build(in ...Shape) error
}

// GraphLayer computes floats from floats.
type GraphLayer interface {
	Layer
	// Call lowers the layer into a graph. It may panic, as graph operations
	// do: the panic becomes an error with the layer's name.
	Call(c *Call, in ...*graph.Node) []*graph.Node
}

// Masker is a GraphLayer that computes its outputs' masks. mask[i] is nil where
// input i has none; so is the result where an output has none. Without it,
// the mask of a layer's only masked input is passed on to every output.
type Masker interface {
	ComputeMask(c *Call, in, mask []*graph.Node) []*graph.Node
}

// Shaper is a Layer that computes its output shapes. Without it, graph layers
// are traced with two sizes for the free dimensions.
type Shaper interface {
	OutputShape(in ...Shape) ([]Shape, error)
}

// Options are what every layer takes. The zero value works.
type Options struct {
	// Name names the layer. Default: the class in snake case and a number,
	// "dense", "dense_1", counted in the [Scope] of the tensors it is first
	// applied to.
	Name string
	// Frozen excludes the layer's weights from training: Keras' trainable=False.
	Frozen bool
	// Policy says which type is computed in. Default: float32.
	Policy Policy
	// NoAutocast hands a graph layer its inputs in the type that they have, not in
	// the policy's: Keras' autocast=False.
	NoAutocast bool
	// Activity is a penalty on the layer's outputs, divided by the batch size.
	Activity regularizer.Regularizer
	// InputShape is the shape of one example, without the batch and -1 where it
	// is not known, of the layer that a Sequential model begins with: Keras'
	// input_shape. Default: not known, so that such a model begins with an
	// Input; embeddings know theirs.
	InputShape Shape
	// Weights are set when the layer is built.
	Weights [][]float32
}
