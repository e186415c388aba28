package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
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
	if len(in) == 0 || slices.Contains(in, nil) {
		return nil, fmt.Errorf("%w: layer %q was applied to %d inputs, some of them nil", ErrArgument, b.Class(), len(in))
	}
	for i, t := range in {
		if t.node == nil {
			return nil, fmt.Errorf("%w: input %d of layer %q comes neither from Input nor from a layer", ErrArgument, i, b.Class())
		}
	}
	b.bind(in[0].scope)
	if err := b.accepts(in); err != nil {
		return nil, err
	}
	shapes := shapesOf(in)
	if err := b.build(shapes); err != nil {
		return nil, err
	}
	out, err := b.outputs(in, shapes)
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
		case t.masked && !b.masking:
			return fmt.Errorf("%w: layer %q does not support masking, but was passed an input_mask by %q: pool with a layer that does, or apply DropMask first",
				ErrMask, b.Name(), t.name)
		}
	}
	return b.checkShapes(shapesOf(in))
}

func (b *Base) checkShapes(in []Shape) error {
	if err := b.checkCount(len(in)); err != nil {
		return err
	}
	for i, s := range b.spec {
		if err := s.check(in[i]); err != nil {
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
func (b *Base) outputs(in []*Tensor, shapes []Shape) ([]*Tensor, error) {
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
		return b.graphOutputs(l, in, shapes)
	}
	return nil, fmt.Errorf("%w: %s is neither a GraphLayer nor a HostLayer: it needs a Call, a Lookup or a Map method", ErrNotInitialized, b.Class())
}

func (b *Base) graphOutputs(l GraphLayer, in []*Tensor, shapes []Shape) ([]*Tensor, error) {
	masked := make([]bool, len(in))
	for i, t := range in {
		masked[i] = t.masked
	}
	traced, outMasked, err := traceShapes(l, shapes, masked)
	if err != nil {
		return nil, err
	}
	if s, ok := l.(Shaper); ok {
		err := guard(func() (err error) { traced, err = s.OutputShape(shapes...); return err })
		if err != nil {
			return nil, err
		}
		if len(traced) != len(outMasked) {
			return nil, fmt.Errorf("%w: OutputShape says %d outputs, Call returns %d", ErrArgument, len(traced), len(outMasked))
		}
	}
	out := make([]*Tensor, len(traced))
	for i := range out {
		out[i] = &Tensor{shape: traced[i], masked: outMasked[i]}
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
