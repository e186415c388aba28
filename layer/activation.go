package layer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// ActivationNames returns the names that Dense and Activation know, sorted.
func ActivationNames() []string {
	return slices.Sorted(maps.Keys(activations))
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
	l.computeWide()
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
	name, o := r.Text("activation"), r.options()
	if err := r.done("Activation"); err != nil {
		return nil, err
	}
	return NewActivation(name, o)
}
