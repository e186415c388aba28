package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/tensor"
)

// Apply connects the layer to inputs and returns its output. It builds the
// layer first if that has not happened; applied again, the layer shares its
// weights. A layer of several outputs needs [Base.ApplyAll].
func (b *Base) Apply(in ...*Tensor) (*Tensor, error) {
	out, err := b.ApplyAll(in...)
	if err != nil {
		return nil, err
	}
	if len(out) != 1 {
		return nil, fmt.Errorf("%w: layer %q has %d outputs: use ApplyAll", ErrArgument, b.Name(), len(out))
	}
	return out[0], nil
}

// ApplyAll is [Base.Apply] for a layer of any number of outputs.
func (b *Base) ApplyAll(in ...*Tensor) ([]*Tensor, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	if len(in) == 0 {
		return nil, fmt.Errorf("%w: layer %q was applied to no input", ErrArgument, b.Class())
	}
	for i, t := range in {
		if err := t.usable(); err != nil {
			return nil, fmt.Errorf("input %d of layer %q: %w", i, b.Class(), err)
		}
	}
	b.bind(in[0].scope)
	if err := b.accepts(in); err != nil {
		return nil, err
	}
	if err := b.build(shapesOf(in)); err != nil {
		return nil, err
	}
	out, err := b.outputs(in)
	if err != nil {
		return nil, fmt.Errorf("layer %q: %w", b.Name(), err)
	}
	b.connect(in, out)
	return out, nil
}

func shapesOf(ts []*Tensor) []Shape {
	shapes := make([]Shape, len(ts))
	for i, t := range ts {
		shapes[i] = t.shape
	}
	return shapes
}

// symbolic is what HostLayer and IDLayer have in common.
type symbolic interface {
	Symbolic(in []*Tensor) (*Tensor, error)
}

// takesIDs reports whether the layer stands in the host stage.
func (b *Base) takesIDs() bool {
	switch b.self.(type) {
	case HostLayer, IDLayer:
		return true
	}
	return false
}

// accepts checks stage, spec and masks of the inputs.
func (b *Base) accepts(in []*Tensor) error {
	host := b.takesIDs()
	for i, t := range in {
		switch {
		case host && !t.ids:
			return fmt.Errorf("%w: layer %q looks ids up and can only be used as the first layer, behind an input of ids; its input %d is float32, computed by %q",
				ErrStage, b.Name(), i, t.name)
		case !host && t.ids:
			return fmt.Errorf("%w: layer %q computes on floats; its input %d is the ids of %q: put an Embedding between",
				ErrStage, b.Name(), i, t.name)
		case len(t.shape) == 0 && !b.scalars:
			return fmt.Errorf("%w: layer %q takes batches; its input %d is a scalar, computed by %q: only operations of package op take those",
				ErrShape, b.Name(), i, t.name)
		case t.masked && !b.masking:
			return fmt.Errorf("%w: layer %q does not support masking, but was passed an input_mask by %q: pool with a layer that does, or apply DropMask first",
				ErrMask, b.Name(), t.name)
		}
	}
	return b.checkSpec(in)
}

// checkSpec checks inputs against what the layer accepts.
func (b *Base) checkSpec(in []*Tensor) error {
	return b.checkInputs(len(in), func(i int) (Shape, DType) { return in[i].shape, in[i].DType() })
}

// checkIDs is checkSpec for data.
func (b *Base) checkIDs(ids tensor.IDs) error {
	return b.checkInputs(1, func(int) (Shape, DType) { return ids.Shape(), DType(ids.KeyType().String()) })
}

// checkNodes is checkSpec for what a layer gives a sublayer, but for types: what
// is fed may not have been cast yet. free is the size that stands for a free
// dimension, 0 if none does.
func (b *Base) checkNodes(in []*graph.Node, free int) error {
	return b.checkInputs(len(in), func(i int) (Shape, DType) {
		s := Shape(slices.Clone(in[i].Shape().Dimensions))
		for d, n := range s {
			if free > 0 && n%free == 0 { // or made of free ones, as by Flatten
				s[d] = -1
			}
		}
		return s, b.spec[i].DType
	})
}

// checkInputs checks the shapes and types of n inputs.
func (b *Base) checkInputs(n int, input func(i int) (Shape, DType)) error {
	if err := b.checkCount(n); err != nil {
		return err
	}
	for i, s := range b.spec {
		if err := s.check(input(i)); err != nil {
			return fmt.Errorf("%w: input %d of layer %q is incompatible with the layer: %w", ErrShape, i, b.Name(), err)
		}
	}
	return nil
}

// checkCount checks how many inputs the layer is called on.
func (b *Base) checkCount(n int) error {
	switch want := len(b.spec); want {
	case 0, n:
		return nil
	case 1:
		return fmt.Errorf("%w: layer %q expects 1 input, but it received %d", ErrShape, b.Name(), n)
	default:
		return fmt.Errorf("%w: layer %q expects %d inputs, but it received %d", ErrShape, b.Name(), want, n)
	}
}

// outputs returns tensors of the right shapes, not connected yet.
func (b *Base) outputs(in []*Tensor) ([]*Tensor, error) {
	switch l := b.self.(type) {
	case HostLayer, IDLayer:
		var t *Tensor
		err := guard(func() (err error) { t, err = l.(symbolic).Symbolic(in); return err })
		if err == nil && t == nil {
			err = fmt.Errorf("%w: Symbolic returned no output", ErrArgument)
		}
		if err != nil {
			return nil, err
		}
		b.masking = b.masking || t.masked
		return []*Tensor{t}, nil
	case GraphLayer:
		return graphOutputs(l, in)
	}
	return nil, fmt.Errorf("%w: %s is neither a GraphLayer nor a HostLayer: it needs a Call, a Lookup or a Map method", ErrNotInitialized, b.Class())
}

func graphOutputs(l GraphLayer, in []*Tensor) ([]*Tensor, error) {
	sketches, err := traceShapes(l, in)
	if err != nil {
		return nil, err
	}
	out := make([]*Tensor, len(sketches))
	for i, s := range sketches {
		out[i] = &Tensor{shape: s.shape, masked: s.mask != nil, mask: s.mask}
	}
	s, ok := l.(Shaper)
	if !ok {
		return out, nil
	}
	var shapes []Shape
	if err := guard(func() (err error) { shapes, err = s.OutputShape(shapesOf(in)...); return err }); err != nil {
		return nil, err
	}
	if len(shapes) != len(out) {
		return nil, fmt.Errorf("%w: OutputShape says %d outputs, Call returns %d", ErrArgument, len(shapes), len(out))
	}
	for i, s := range shapes {
		out[i].shape = s
	}
	return out, nil
}

func (b *Base) connect(in, out []*Tensor) {
	n := &Node{Layer: b.self, In: slices.Clone(in), Out: out}
	for i, t := range out {
		t.name, t.node, t.index, t.scope = b.Name(), n, i, in[0].scope
	}
	b.nodes = append(b.nodes, n)
}

// outputMasks gives the masks of a layer's outputs.
func outputMasks(c *Call, l GraphLayer, in, mask []*graph.Node, outputs int) []*graph.Node {
	if m, ok := l.(Masker); ok {
		return m.ComputeMask(c, in, mask)
	}
	var only *graph.Node
	for _, m := range mask {
		if m != nil && only != nil {
			graphPanic("%w: layer %q has several masked inputs and no ComputeMask method to merge their masks", ErrMask, l.core().Name())
		}
		if m != nil {
			only = m
		}
	}
	masks := make([]*graph.Node, outputs)
	for i := range masks {
		masks[i] = only
	}
	return masks
}
