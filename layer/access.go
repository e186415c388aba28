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

// InputShapes returns the input shapes, if all calls agree on them.
func (b *Base) InputShapes() ([]Shape, error) {
	return b.agreed("input shape", func(n *Node) []*Tensor { return n.In })
}

// OutputShapes returns the output shapes, if all calls agree on them.
func (b *Base) OutputShapes() ([]Shape, error) {
	return b.agreed("output shape", func(n *Node) []*Tensor { return n.Out })
}

func (b *Base) agreed(what string, of func(*Node) []*Tensor) ([]Shape, error) {
	if len(b.nodes) == 0 {
		return nil, b.neverCalled(what)
	}
	first := shapesOf(of(b.nodes[0]))
	for _, n := range b.nodes[1:] {
		if other := shapesOf(of(n)); !slices.EqualFunc(first, other, Shape.Equal) {
			return nil, fmt.Errorf("%w: layer %q has several calls with different %ss, %v and %v: use the accessor that takes a node index",
				ErrNotConnected, b.Name(), what, first, other)
		}
	}
	return first, nil
}

// InputMaskAt returns the masks of the inputs of call i, from 0; nil for an
// input without one.
func (b *Base) InputMaskAt(i int) ([]*Mask, error) {
	n, err := b.node(i, "input mask")
	if err != nil {
		return nil, err
	}
	return masksOf(n.In), nil
}

// OutputMaskAt returns the masks of the outputs of call i, from 0; nil for an
// output without one.
func (b *Base) OutputMaskAt(i int) ([]*Mask, error) {
	n, err := b.node(i, "output mask")
	if err != nil {
		return nil, err
	}
	return masksOf(n.Out), nil
}

// InputMask returns the masks of the inputs of the layer's only call, nil for
// an input without one. With several calls it is an error: use InputMaskAt.
func (b *Base) InputMask() ([]*Mask, error) {
	n, err := b.only("input mask")
	if err != nil {
		return nil, err
	}
	return masksOf(n.In), nil
}

// OutputMask returns the masks of the outputs of the layer's only call, nil for
// an output without one. With several calls it is an error: use OutputMaskAt.
func (b *Base) OutputMask() ([]*Mask, error) {
	n, err := b.only("output mask")
	if err != nil {
		return nil, err
	}
	return masksOf(n.Out), nil
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
