package layer

import "fmt"

// ComputeOutputShape returns the shapes of the layer's outputs for inputs of
// these shapes, the batch first and -1 where a dimension is not known. It builds
// the layer if that has not happened, and connects nothing. Later inputs have to
// fit the weights that were made for these.
func (b *Base) ComputeOutputShape(in ...Shape) ([]Shape, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	if len(in) == 0 {
		return nil, fmt.Errorf("%w: layer %q was given no input shape", ErrArgument, b.Class())
	}
	b.bind(process)
	for i, s := range in {
		if len(s) == 0 {
			return nil, fmt.Errorf("%w: input shape %d of layer %q has no dimensions: the first is the batch", ErrShape, i, b.Name())
		}
		for _, d := range s {
			if d == 0 || d < -1 {
				return nil, fmt.Errorf("%w: input shape %d of layer %q: dimensions are positive, or -1 where not known, got %v", ErrArgument, i, b.Name(), []int(s))
			}
		}
	}
	imagined := b.imagined(in)
	if err := b.checkSpec(imagined); err != nil {
		return nil, err
	}
	if err := b.build(in); err != nil {
		return nil, err
	}
	out, err := b.outputs(imagined)
	if err != nil {
		return nil, fmt.Errorf("layer %q: %w", b.Name(), err)
	}
	return shapesOf(out), nil
}

// imagined are inputs of these shapes, of the kind that the layer takes.
func (b *Base) imagined(in []Shape) []*Tensor {
	var like InputOptions
	if l, ok := b.self.(interface{ ImpliedInput() InputOptions }); ok {
		like = l.ImpliedInput()
	}
	ts := make([]*Tensor, len(in))
	for i, s := range in {
		ts[i] = &Tensor{name: b.name, shape: s, ids: like.IDs, keyType: like.KeyType, scope: b.scope}
	}
	return ts
}
