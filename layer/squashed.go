package layer

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// SquashedEmbedding is a [DynamicEmbedding] that reduces the rows of an example
// to one: ids of shape (batch, s1, …, sn), ragged or sparse give (batch, size).
// The reduction is [DynamicOptions.Combiner], by a name that rowan.ParseCombiner
// reads. It is the layer of that name of TensorFlow Recommenders Addons.
//
// All ids of an example are one bag, an example without ids is zeros. Source
// differs: there dimensions are reduced one after the other, so that "mean" of
// a dimension's means, and "std" of its deviations, weigh ids otherwise where
// the result depends on it; and a function as combiner fails.
type SquashedEmbedding struct {
	*DynamicEmbedding
	combiner rowan.Combiner
}

// NewSquashedEmbedding returns a layer of rows of size numbers. Pool must not be
// set: Combiner says how rows are reduced.
func NewSquashedEmbedding(size int, o DynamicOptions) (*SquashedEmbedding, error) {
	inner, c, err := reducing(size, o)
	if err != nil {
		return nil, fmt.Errorf("SquashedEmbedding: %w", err)
	}
	l := &SquashedEmbedding{inner, c}
	l.Init(l, o.Options)
	return l, nil
}

// reducing returns the layer that another reduces the rows of, and the combiner
// that it does so with.
func reducing(size int, o DynamicOptions) (*DynamicEmbedding, rowan.Combiner, error) {
	if o.Pool != rowan.None {
		return nil, 0, fmt.Errorf("%w: rows are reduced by `combiner`, %q, and not by Pool, %v: leave Pool out", ErrArgument, o.Combiner, o.Pool)
	}
	inner, err := NewDynamicEmbedding(size, o)
	if err != nil {
		return nil, 0, err
	}
	c, err := rowan.ParseCombiner(inner.o.Combiner)
	return inner, c, err
}

// Symbolic implements [HostLayer].
func (l *SquashedEmbedding) Symbolic(in []*Tensor) (*Tensor, error) {
	batch, err := l.batch(in)
	if err != nil {
		return nil, err
	}
	return SymbolicRows(Shape{batch, l.size}, false), nil
}

// batch checks an input whose rows are reduced by example, and returns its first
// dimension.
func (l *DynamicEmbedding) batch(in []*Tensor) (int, error) {
	if _, err := l.Symbolic(in); err != nil {
		return 0, err
	}
	s := in[0].shape
	if len(s) < 2 {
		return 0, oneID(s)
	}
	return s[0], nil
}

func oneID(s Shape) error {
	return fmt.Errorf("%w: ids of shape %v are one id an example, and leave nothing to reduce: give them a second dimension, or use DynamicEmbedding", ErrShape, s)
}

// Lookup implements [HostLayer].
func (l *SquashedEmbedding) Lookup(ctx context.Context, r *Rows, ids tensor.IDs, training bool) error {
	splits, err := r.examples(ids)
	if err != nil {
		return err
	}
	if len(ids.Shape()) > 2 {
		if ids, err = bagged(ids, splits); err != nil {
			return err
		}
	}
	return r.Look(ctx, l.Table(), ids, rowan.LookupOptions{Combiner: l.combiner, Training: training && l.Trainable()})
}

func squashedFromConfig(c Config) (Layer, error) {
	inner, err := dynamicFromConfig(c)
	if err != nil {
		return nil, err
	}
	d := inner.(*DynamicEmbedding)
	return NewSquashedEmbedding(d.size, d.o)
}
