package layer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/activation"
)

// activationOf returns the activation of a name, and the name: none is linear.
func activationOf(name string) (activation.Func, string, error) {
	if name == "" {
		name = "linear"
	}
	f, err := activation.ByName(name)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrArgument, err)
	}
	return f, name, nil
}

// Activation applies a function to each number, or softmax to the last dimension.
type Activation struct {
	Base
	name string
	f    activation.Func
}

// NewActivation returns a layer that applies the function Keras knows by that
// name, of [activation.Names].
func NewActivation(name string, o Options) (*Activation, error) {
	f, name, err := activationOf(name)
	if err != nil {
		return nil, err
	}
	l := &Activation{name: name, f: f}
	l.Init(l, o)
	l.computeWide()
	l.SupportMasking()
	l.SetInputSpec(InputSpec{}) // one input, of any shape
	return l, nil
}

// Build does nothing: the layer has no weights.
func (l *Activation) Build(...Shape) error { return nil }

// Call implements [GraphLayer].
func (l *Activation) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	return []*graph.Node{l.f(in[0])}
}

// Config implements [Configurer].
func (l *Activation) Config() Config { return l.BaseConfig().with(Config{"activation": l.name}) }

func activationFromConfig(c Config) (Layer, error) {
	r := c.reader()
	name, o := r.Text("activation"), r.options()
	if err := r.done("Activation"); err != nil {
		return nil, err
	}
	return NewActivation(name, o)
}
