package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// Flatten makes one dimension of all but the batch. If one of them is not
// known, neither is the result, and a Dense behind it cannot be built.
type Flatten struct{ Base }

// NewFlatten returns a Flatten layer.
func NewFlatten(o Options) *Flatten {
	l := new(Flatten)
	l.Init(l, o)
	l.SetInputSpec(InputSpec{}) // one input, of any shape
	return l
}

// Build does nothing: the layer has no weights.
func (l *Flatten) Build(...Shape) error { return nil }

// Call implements [GraphLayer].
func (l *Flatten) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	dims := Shape(in[0].Shape().Dimensions)
	return []*graph.Node{graph.Reshape(in[0], dims[0], dims[1:].size())}
}

// Config implements [Configurer].
func (l *Flatten) Config() Config { return l.BaseConfig() }

func flattenFromConfig(c Config) (Layer, error) {
	r := c.reader()
	o := r.options()
	if err := r.done("Flatten"); err != nil {
		return nil, err
	}
	return NewFlatten(o), nil
}

// Reshape gives each example another shape.
type Reshape struct {
	Base
	target Shape
}

// NewReshape returns a layer whose output has shape (batch, target…). One
// dimension may be -1: what is left.
func NewReshape(target Shape, o Options) (*Reshape, error) {
	free := 0
	for _, d := range target {
		if d == -1 {
			free++
		} else if d <= 0 {
			return nil, fmt.Errorf("%w: Reshape: `target_shape` holds positive integers and at most one -1. Received: %v", ErrArgument, []int(target))
		}
	}
	if free > 1 {
		return nil, fmt.Errorf("%w: Reshape: there must be at most one unknown dimension (-1) in `target_shape`. Received: %v", ErrArgument, []int(target))
	}
	l := &Reshape{target: slices.Clone(target)}
	l.Init(l, o)
	l.SetInputSpec(InputSpec{}) // one input, of any shape
	return l, nil
}

// Build does nothing: the layer has no weights.
func (l *Reshape) Build(...Shape) error { return nil }

// resolve returns the target with its -1 worked out for n numbers an example.
func (l *Reshape) resolve(n int, from Shape) (Shape, error) {
	known, free := 1, -1
	for i, d := range l.target {
		if d < 0 {
			free = i
		} else {
			known *= d
		}
	}
	out := l.target.append()
	if free >= 0 && n%known == 0 {
		out[free] = n / known
		return out, nil
	}
	if free >= 0 || known != n {
		return nil, fmt.Errorf("%w: the total size of the tensor must be unchanged: cannot reshape %v to %v", ErrShape, from, l.target)
	}
	return out, nil
}

// Call implements [GraphLayer].
func (l *Reshape) Call(_ *Call, in ...*graph.Node) []*graph.Node {
	dims := Shape(in[0].Shape().Dimensions)
	target, err := l.resolve(dims[1:].size(), dims)
	if err != nil {
		panic(err)
	}
	return []*graph.Node{graph.Reshape(in[0], Shape{dims[0]}.append(target...)...)}
}

// OutputShape implements [Shaper].
func (l *Reshape) OutputShape(in ...Shape) ([]Shape, error) {
	for _, d := range in[0][1:] {
		if d < 0 {
			return []Shape{Shape{-1}.append(l.target...)}, nil
		}
	}
	target, err := l.resolve(in[0][1:].size(), in[0])
	if err != nil {
		return nil, err
	}
	return []Shape{in[0][:1].append(target...)}, nil
}

// Config implements [Configurer].
func (l *Reshape) Config() Config {
	return l.BaseConfig().with(Config{"target_shape": []int(slices.Clone(l.target))})
}

func reshapeFromConfig(c Config) (Layer, error) {
	r := c.reader()
	target, o := r.Ints("target_shape"), r.options()
	if err := r.done("Reshape"); err != nil {
		return nil, err
	}
	return NewReshape(target, o)
}
