// Package activation holds Keras' activations, the functions of numbers that
// layers apply to what they compute, by name, for a graph; [Threshold], which has
// arguments, is made with them. Which layer applies
// one, and in which precision, is for package layer.
package activation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
)

// Errors of this package; match with errors.Is.
var (
	// ErrName: no activation has the name.
	ErrName = errors.New("activation: unknown activation")
	// ErrValue: an argument out of range, or one that is missing.
	ErrValue = errors.New("activation: bad argument")
	// ErrShape: numbers of a shape that an activation cannot take.
	ErrShape = errors.New("activation: incompatible shape")
)

// Func applies a function to each number of x, or to the numbers along its last
// dimension together, as softmax does. The shape stays, but for glu, which halves
// the last dimension. It may panic, as graph operations do: who builds the graph
// recovers it.
type Func func(x *graph.Node) *graph.Node

// ByName returns the activation that Keras knows by this name, of [Names].
// Another name is [ErrName]; "threshold", which a name does not tell enough, is
// [ErrValue].
func ByName(name string) (Func, error) {
	if name == "threshold" {
		return nil, fmt.Errorf("%w: threshold has two arguments, which a name cannot give: use activation.Threshold", ErrValue)
	}
	f, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("%w %q: use one of %s", ErrName, name, strings.Join(Names(), ", "))
	}
	return f, nil
}

// Names returns the names that ByName knows, sorted.
func Names() []string { return slices.Sorted(maps.Keys(functions)) }

// functions are Keras' by name: those of Keras 3, with its values
// for arguments that a name cannot give, and the two names that it knows beside
// (swish, hard_swish). Its threshold needs arguments: [Threshold].
var functions = map[string]Func{
	"linear":         func(x *graph.Node) *graph.Node { return x },
	"relu":           kink.Relu,
	"relu6":          relu6,
	"leaky_relu":     func(x *graph.Node) *graph.Node { return graph.Add(kink.Relu(x), graph.MulScalar(negative(x), 0.2)) },
	"sigmoid":        graph.Sigmoid,
	"hard_sigmoid":   hardSigmoid,
	"log_sigmoid":    func(x *graph.Node) *graph.Node { return graph.Neg(kink.Softplus(graph.Neg(x))) },
	"sparse_sigmoid": func(x *graph.Node) *graph.Node { return graph.MulScalar(graph.AddScalar(hardTanh(x), 1), 0.5) },
	"tanh":           graph.Tanh,
	"hard_tanh":      hardTanh,
	"tanh_shrink":    func(x *graph.Node) *graph.Node { return graph.Sub(x, graph.Tanh(x)) },
	"hard_shrink":    func(x *graph.Node) *graph.Node { return outside(x, x) },
	"soft_shrink":    softShrink,
	"softmax":        func(x *graph.Node) *graph.Node { return graph.Softmax(x, -1) },
	"log_softmax":    func(x *graph.Node) *graph.Node { return graph.LogSoftmax(x, -1) },
	"sparsemax":      sparsemax,
	"softplus":       kink.Softplus,
	"sparse_plus":    sparsePlus,
	"squareplus":     squareplus,
	"softsign":       func(x *graph.Node) *graph.Node { return graph.Div(x, graph.AddScalar(kink.Abs(x), 1)) },
	"exponential":    graph.Exp,
	"elu":            elu,
	"celu":           elu, // the same where alpha is 1, Keras' default
	"selu":           selu,
	"silu":           silu,
	"swish":          silu,
	"hard_silu":      hardSilu,
	"hard_swish":     hardSilu,
	"gelu":           gelu,
	"glu":            glu,
	"mish":           func(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Tanh(kink.Softplus(x))) },
}
