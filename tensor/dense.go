package tensor

import (
	"fmt"
	"slices"
)

// Dense is a rectangular array of ids in row-major order. Make one with
// [NewDense]: the zero value has no shape, and pooling refuses it.
type Dense[K Key] struct {
	shape   []int
	values  []K
	weights []float32
}

// NewDense wraps values, without a copy, as an array of the given shape.
// With no shape it is one-dimensional. The product of the shape must be
// len(values), else ErrShape.
func NewDense[K Key](values []K, shape ...int) (*Dense[K], error) {
	if len(shape) == 0 {
		shape = []int{len(values)}
	}
	n, err := elements(shape)
	if err != nil {
		return nil, err
	}
	if n != len(values) {
		return nil, fmt.Errorf("%w: shape %v holds %d ids, got %d", ErrShape, shape, n, len(values))
	}
	return &Dense[K]{shape: slices.Clone(shape), values: values}, nil
}

// WithWeights returns a batch with the same ids and one weight an id. Both
// are shared with the caller, not copied; other than len(ids) weights are
// ErrShape. The batch it is called on stays without.
func (d *Dense[K]) WithWeights(w []float32) (*Dense[K], error) {
	if len(w) != len(d.values) {
		return nil, weightsError(len(d.values), len(w))
	}
	c := *d
	c.weights = w
	return &c, nil
}

// KeyType implements [IDs].
func (d *Dense[K]) KeyType() KeyType { return KeyTypeOf[K]() }

// Len implements [IDs].
func (d *Dense[K]) Len() int { return len(d.values) }

// Shape implements [IDs].
func (d *Dense[K]) Shape() []int { return d.shape }

// Values returns the ids in row-major order, not a copy.
func (d *Dense[K]) Values() []K { return d.values }

// Weights returns the weight of each id, nil if there are none.
func (d *Dense[K]) Weights() []float32 { return d.weights }

func (d *Dense[K]) appendSplits(buf []int64, bags int) []int64 {
	every := int64(d.shape[len(d.shape)-1])
	for i := range int64(bags + 1) {
		buf = append(buf, i*every)
	}
	return buf
}
