package layer

import (
	"fmt"
	"slices"
)

// Nodes returns the symbolic calls of the layer, in order. Eager calls make none.
func (b *Base) Nodes() []*Node { return b.nodes }

// InputAt returns the inputs of call i, from 0.
func (b *Base) InputAt(i int) ([]*Tensor, error) {
	n, err := b.node(i, "input")
	if err != nil {
		return nil, err
	}
	return n.In, nil
}

// OutputAt returns the outputs of call i, from 0.
func (b *Base) OutputAt(i int) ([]*Tensor, error) {
	n, err := b.node(i, "output")
	if err != nil {
		return nil, err
	}
	return n.Out, nil
}

// InputShapeAt returns the input shapes of call i, from 0.
func (b *Base) InputShapeAt(i int) ([]Shape, error) {
	in, err := b.InputAt(i)
	return shapesOf(in), err
}

// OutputShapeAt returns the output shapes of call i, from 0.
func (b *Base) OutputShapeAt(i int) ([]Shape, error) {
	out, err := b.OutputAt(i)
	return shapesOf(out), err
}

// Input returns the inputs of the layer's only call. With several calls it is
// an error: say which with InputAt.
func (b *Base) Input() ([]*Tensor, error) {
	n, err := b.only("input")
	if err != nil {
		return nil, err
	}
	return n.In, nil
}

// Output returns the outputs of the layer's only call. With several calls it is
// an error: say which with OutputAt.
func (b *Base) Output() ([]*Tensor, error) {
	n, err := b.only("output")
	if err != nil {
		return nil, err
	}
	return n.Out, nil
}

// OutputShapes returns the output shapes, if all calls agree on them.
func (b *Base) OutputShapes() ([]Shape, error) {
	if len(b.nodes) == 0 {
		return nil, b.neverCalled("output shape")
	}
	first := shapesOf(b.nodes[0].Out)
	for _, n := range b.nodes[1:] {
		if all := shapesOf(n.Out); !slices.EqualFunc(first, all, Shape.Equal) {
			return nil, fmt.Errorf("%w: layer %q has several calls with different output shapes, %v and %v: use OutputShapeAt",
				ErrNotConnected, b.Name(), first, all)
		}
	}
	return first, nil
}

func (b *Base) only(what string) (*Node, error) {
	switch len(b.nodes) {
	case 0:
		return nil, b.neverCalled(what)
	case 1:
		return b.nodes[0], nil
	}
	return nil, fmt.Errorf("%w: layer %q has %d inbound nodes, hence the notion of \"layer %s\" is ill-defined: use the accessor that takes a node index",
		ErrNotConnected, b.Name(), len(b.nodes), what)
}

func (b *Base) node(i int, what string) (*Node, error) {
	if len(b.nodes) == 0 {
		return nil, b.neverCalled(what)
	}
	if i < 0 || i >= len(b.nodes) {
		return nil, fmt.Errorf("%w: asked to get %s at node %d, but layer %q has only %d inbound nodes",
			ErrNotConnected, what, i, b.Name(), len(b.nodes))
	}
	return b.nodes[i], nil
}

func (b *Base) neverCalled(what string) error {
	return fmt.Errorf("%w: layer %q has never been applied to a symbolic input and thus has no defined %s: runs on data leave no node", ErrNotConnected, b.Name(), what)
}
