package layer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// activations are Keras' functions by name.
var activations = map[string]func(*graph.Node) *graph.Node{
	"linear":      func(x *graph.Node) *graph.Node { return x },
	"relu":        relu,
	"sigmoid":     graph.Sigmoid,
	"tanh":        graph.Tanh,
	"softmax":     func(x *graph.Node) *graph.Node { return graph.Softmax(x, -1) },
	"softplus":    softplus,
	"softsign":    func(x *graph.Node) *graph.Node { return graph.Div(x, graph.AddScalar(abs(x), 1)) },
	"exponential": graph.Exp,
	"elu":         elu,
	"silu":        func(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Sigmoid(x)) },
	"gelu":        gelu,
}

// relu has gradient 0 at 0, as Keras' has.
func relu(x *graph.Node) *graph.Node {
	return graph.Where(graph.GreaterThan(x, graph.ScalarZero(x.Graph(), x.DType())), x, graph.ZerosLike(x))
}

// softplus is log(1 + exp(x)), without overflow: max(x, 0) + log(1 + exp(-|x|)).
// Maximum and absolute value are written as products with constant factors,
// so that the gradient at 0 is sigmoid(0), where a kinked form has another.
func softplus(x *graph.Node) *graph.Node {
	positive := graph.GreaterOrEqual(x, graph.ScalarZero(x.Graph(), x.DType()))
	step := graph.ConvertDType(positive, x.DType()) // 1 or 0, constant
	sign := graph.AddScalar(graph.MulScalar(step, 2), -1)
	return graph.Add(graph.Mul(x, step), graph.Log1P(graph.Exp(graph.Neg(graph.Mul(x, sign)))))
}

// abs is |x| with gradient 0 at 0, as Keras has; the engine's own has 1.
func abs(x *graph.Node) *graph.Node { return graph.Mul(x, graph.StopGradient(graph.Sign(x))) }

// elu is x above 0, exp(x)-1 below; the exponential sees no positive number,
// whose overflow would make a NaN of the gradient.
func elu(x *graph.Node) *graph.Node {
	low := graph.Sub(x, relu(x))
	return graph.AddScalar(graph.Add(relu(x), graph.Exp(low)), -1)
}

func gelu(x *graph.Node) *graph.Node {
	return graph.Mul(x, graph.MulScalar(graph.AddScalar(graph.Erf(graph.DivScalar(x, math.Sqrt2)), 1), 0.5))
}

// ActivationNames returns the names that Dense and Activation know, sorted.
func ActivationNames() []string {
	var names []string
	for n := range activations {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// activation checks a name; none is linear.
func activation(name string) (string, error) {
	if name == "" {
		name = "linear"
	}
	if activations[name] == nil {
		return "", fmt.Errorf("%w: unknown activation %q: use one of %s", ErrArgument, name, strings.Join(ActivationNames(), ", "))
	}
	return name, nil
}

// Activation applies a function to each number, or softmax to the last dimension.
type Activation struct {
	Base
	name string
}

// NewActivation returns a layer that applies the function Keras knows by that name.
func NewActivation(name string, o Options) (*Activation, error) {
	name, err := activation(name)
	if err != nil {
		return nil, err
	}
	l := &Activation{name: name}
	l.Init(l, o)
	l.SupportMasking()
	l.SetInputSpec(InputSpec{}) // one input, of any shape
	return l, nil
}

// Build does nothing: the layer has no weights.
func (l *Activation) Build(...Shape) error { return nil }

// Call implements [GraphLayer].
func (l *Activation) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	return []*graph.Node{activations[l.name](in[0])}
}

// Config implements [Configurer].
func (l *Activation) Config() Config { return l.BaseConfig().with(Config{"activation": l.name}) }

func activationFromConfig(c Config) (Layer, error) {
	r := c.reader()
	name, o := r.text("activation"), r.options()
	if err := r.done("Activation"); err != nil {
		return nil, err
	}
	return NewActivation(name, o)
}
