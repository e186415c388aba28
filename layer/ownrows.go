package layer

import (
	"context"
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// What a host layer of one's own is made of: a table, Symbolic by SymbolicRows,
// and Lookup by Look, which may be given other bags than came in, and Reshape.
// What is more than that is a layer of the graph behind it.

// SymbolicRows returns what Symbolic of a [HostLayer] returns: floats of a
// shape, -1 for the batch and other free dimensions. masked says that a mask of
// all dimensions but the last travels with them.
func SymbolicRows(s Shape, masked bool) *Tensor {
	return &Tensor{shape: slices.Clone(s), masked: masked}
}

// Look looks ids up in a table, for Lookup of a layer of one's own: r.Values are
// then the rows, and Backward trains the table. The ids need not be those that
// the layer was called on, but must stay as they are until gradients have been
// applied: tensor.NewRagged makes other bags of them.
func (r *Rows) Look(ctx context.Context, t *rowan.Table, ids tensor.IDs, o rowan.LookupOptions) error {
	if o.Feature == "" {
		o.Feature = r.feature
	}
	return r.look(ctx, t, ids, o)
}

// Reshape gives the rows that Look found another shape of as many numbers. It is
// an error for ragged rows.
func (r *Rows) Reshape(shape ...int) error {
	if r.ragged {
		return fmt.Errorf("%w: ragged rows have no other shape: pool them", ErrShape)
	}
	if r.adapted.lora != nil {
		return fmt.Errorf("%w: rows of a layer with LoRA have no other shape: merge it first", ErrShape)
	}
	shaped, err := tensor.NewValues(r.lookup.Values().Data(), shape...)
	if err != nil {
		return err
	}
	r.shaped = shaped
	return nil
}

// examples returns where the ids of each example of a batch begin, and their
// end: splits over the first dimension, whatever comes after it. It needs two
// dimensions. Valid until r is used again.
func (r *Rows) examples(ids tensor.IDs) ([]int64, error) {
	shape := ids.Shape()
	if len(shape) < 2 {
		return nil, oneID(Shape(shape))
	}
	r.splits = r.splits[:0]
	switch b := ids.(type) {
	case interface{ Splits() []int64 }:
		r.splits = append(r.splits, b.Splits()...)
		if len(r.splits) == 0 {
			r.splits = append(r.splits, 0)
		}
	case interface{ Indices() []int64 }:
		at := b.Indices()
		for i := range ids.Len() {
			for int64(len(r.splits)) <= at[i*len(shape)] {
				r.splits = append(r.splits, int64(i))
			}
		}
		for len(r.splits) <= shape[0] {
			r.splits = append(r.splits, int64(ids.Len()))
		}
	default:
		every := int64(1)
		for _, d := range shape[1:] {
			every *= int64(d)
		}
		for i := range int64(shape[0] + 1) {
			r.splits = append(r.splits, i*every)
		}
	}
	return r.splits, nil
}

// bagged returns the ids of a batch, in their order, in other bags.
func bagged(ids tensor.IDs, splits []int64) (tensor.IDs, error) {
	switch b := ids.(type) {
	case interface{ Values() []int64 }:
		return ragged(b.Values(), splits, ids.Weights())
	case interface{ Values() []int32 }:
		return ragged(b.Values(), splits, ids.Weights())
	case interface{ Values() []uint64 }:
		return ragged(b.Values(), splits, ids.Weights())
	case interface{ Values() []string }:
		return ragged(b.Values(), splits, ids.Weights())
	}
	return nil, fmt.Errorf("%w: ids of type %T", ErrStage, ids)
}

func ragged[K tensor.Key](values []K, splits []int64, weights []float32) (tensor.IDs, error) {
	ids, err := tensor.NewRagged(values, splits)
	if err == nil && weights != nil {
		ids, err = ids.WithWeights(weights)
	}
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// backShaped adds the gradient of rows that may have been given another shape.
func (r *Rows) backShaped(g *rowan.Gradients, grad *tensor.Values) error {
	if r.shaped == nil || grad == nil {
		return g.Add(&r.lookup, grad)
	}
	if !slices.Equal(grad.Shape(), r.shaped.Shape()) {
		return fmt.Errorf("%w: the gradient must have the shape of the rows, %v, got %v", ErrShape, r.shaped.Shape(), grad.Shape())
	}
	flat, err := tensor.NewValues(grad.Data(), r.lookup.Values().Shape()...)
	if err != nil {
		return err
	}
	return g.Add(&r.lookup, flat)
}
