package layer

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// ConcatOneHotEmbedding is one table for several features of one id each: ids of
// shape (batch, features) give (batch, features, width). The rows of a feature
// follow those of the feature before it:
//
//	sizes 3 2     rows  0 1 2 | 3 4       ids (2, 0)  rows (2, 3)
//
// It is NVIDIA's layer of that name, which takes an id beyond its feature's size
// for one of the next feature. Here it is out of range: an error, or what
// [EmbeddingOptions.OutOfRange] says, OutOfRangeLast being the feature's last row.
type ConcatOneHotEmbedding struct {
	*Embedding
	sizes   []int
	offsets []int64
}

// NewConcatOneHotEmbedding returns a layer of features with so many ids each,
// and rows of width numbers. With a Combiner the rows of an example become one.
// MaskZero, Padding and InputLength must not be set.
func NewConcatOneHotEmbedding(featureSizes []int, width int, o EmbeddingOptions) (*ConcatOneHotEmbedding, error) {
	l := &ConcatOneHotEmbedding{sizes: slices.Clone(featureSizes)}
	rows := 0
	for i, n := range l.sizes {
		if n <= 0 || n > math.MaxInt-rows {
			return nil, fmt.Errorf("%w: ConcatOneHotEmbedding: `feature_sizes` must hold positive integers, of a sum that is one. Received: %d at %d", ErrArgument, n, i)
		}
		l.offsets = append(l.offsets, int64(rows))
		rows += n
	}
	switch {
	case rows == 0:
		return nil, fmt.Errorf("%w: ConcatOneHotEmbedding: `feature_sizes` is empty", ErrArgument)
	case o.MaskZero || o.Padding != nil || o.InputLength != nil:
		return nil, fmt.Errorf("%w: ConcatOneHotEmbedding: each feature has its own id 0, and their number is the length: MaskZero, Padding and InputLength make no sense", ErrArgument)
	}
	inner, err := NewEmbedding(rows, width, o)
	if err != nil {
		return nil, fmt.Errorf("ConcatOneHotEmbedding: %w", err)
	}
	l.Embedding = inner
	l.Init(l, o.Options)
	return l, nil
}

// ImpliedInput is the input that a Sequential model gives the layer when it is
// the first: an id for each feature.
func (l *ConcatOneHotEmbedding) ImpliedInput() InputOptions {
	return InputOptions{IDs: true, Shape: Shape{len(l.sizes)}}
}

// Symbolic implements [HostLayer].
func (l *ConcatOneHotEmbedding) Symbolic(in []*Tensor) (*Tensor, error) {
	t, err := l.Embedding.Symbolic(in)
	if err != nil {
		return nil, err
	}
	return t, l.check(in[0].shape)
}

// check compares the last dimension of ids with the number of features.
func (l *ConcatOneHotEmbedding) check(ids Shape) error {
	if len(ids) < 2 || ids[len(ids)-1] != len(l.sizes) {
		return fmt.Errorf("%w: ids must have shape (None, %d), one for each feature, got %v", ErrShape, len(l.sizes), ids)
	}
	return nil
}

// Lookup implements [HostLayer].
func (l *ConcatOneHotEmbedding) Lookup(ctx context.Context, r *Rows, ids tensor.IDs, training bool) error {
	if _, ragged := ids.(interface{ Splits() []int64 }); ragged || varies(ids) {
		return fmt.Errorf("%w: ids must be a rectangle, one for each feature, got a batch of %v with %d ids", ErrShape, ids.Shape(), ids.Len())
	}
	if err := l.check(Shape(ids.Shape())); err != nil {
		return err
	}
	if err := l.shift(&r.sorted, ids); err != nil {
		return err
	}
	rows, err := tensor.WithIDs(ids, r.sorted.int64s)
	if err != nil {
		return err
	}
	return l.Embedding.Lookup(ctx, r, rows, training)
}

// shift turns ids into the rows of the table.
func (l *ConcatOneHotEmbedding) shift(g *regrouped, ids tensor.IDs) error {
	g.int64s = g.int64s[:0]
	switch b := ids.(type) {
	case interface{ Values() []int64 }:
		return shiftAll(l, g, b.Values())
	case interface{ Values() []int32 }:
		return shiftAll(l, g, b.Values())
	case interface{ Values() []uint64 }:
		return shiftAll(l, g, b.Values())
	}
	return fmt.Errorf("%w: ConcatOneHotEmbedding looks up integers, got %v", ErrStage, ids.KeyType())
}

func shiftAll[K int32 | int64 | uint64](l *ConcatOneHotEmbedding, g *regrouped, ids []K) error {
	features := len(l.sizes)
	for i, id := range ids {
		f := i % features
		if id >= 0 && uint64(id) < uint64(l.sizes[f]) {
			g.int64s = append(g.int64s, l.offsets[f]+int64(id))
			continue
		}
		switch l.o.OutOfRange {
		case rowan.OutOfRangeZeros:
			g.int64s = append(g.int64s, -1) // no row of the table
		case rowan.OutOfRangeLast:
			g.int64s = append(g.int64s, l.offsets[f]+int64(l.sizes[f])-1)
		default:
			return fmt.Errorf("%w: id %v of feature %d of example %d is not in [0, %d); mend the ids, or choose what to do with such ones by OutOfRange",
				rowan.ErrOutOfRange, id, f, i/features, l.sizes[f])
		}
	}
	return nil
}

// Config implements [Configurer].
func (l *ConcatOneHotEmbedding) Config() Config {
	c := l.Embedding.Config().with(Config{"feature_sizes": slices.Clone(l.sizes), "embedding_width": l.outputDim})
	delete(c, "input_dim")
	delete(c, "output_dim")
	return c
}

func concatOneHotFromConfig(c Config) (Layer, error) {
	r := c.reader()
	sizes, width := r.Ints("feature_sizes"), r.Int("embedding_width")
	if r.Err() != nil {
		return nil, fmt.Errorf("%w: ConcatOneHotEmbedding: %w", ErrConfig, r.Err())
	}
	rest := Config{}.with(c).with(Config{"input_dim": 1, "output_dim": 1})
	delete(rest, "feature_sizes")
	delete(rest, "embedding_width")
	inner, err := embeddingFromConfig(rest)
	if err != nil {
		return nil, err
	}
	return NewConcatOneHotEmbedding(sizes, width, inner.(*Embedding).o)
}
