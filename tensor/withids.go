package tensor

import "fmt"

// WithIDs returns a batch of the layout and weights of another with other ids,
// values[i] in the place of its i-th: what a vocabulary or a hash makes of a
// batch. Nothing is copied. Other than as many values as the batch has ids are
// ErrShape, and so is a batch that is nil or without a shape.
func WithIDs[K Key](batch IDs, values []K) (IDs, error) {
	if batch == nil || len(values) != batch.Len() {
		return nil, fmt.Errorf("%w: a batch of other ids needs as many of them, got %d", ErrShape, len(values))
	}
	switch b := batch.(type) {
	case interface{ Splits() []int64 }:
		splits := b.Splits()
		if splits == nil {
			splits = []int64{0}
		}
		return &Ragged[K]{values: values, splits: splits, shape: [2]int{len(splits) - 1, -1}, weights: batch.Weights()}, nil
	case interface{ Indices() []int64 }:
		if len(batch.Shape()) == 0 {
			break
		}
		return &Sparse[K]{indices: b.Indices(), values: values, shape: batch.Shape(), weights: batch.Weights()}, nil
	}
	if len(batch.Shape()) == 0 {
		return nil, fmt.Errorf("%w: the batch has no shape: make it with NewDense or NewSparse", ErrShape)
	}
	return &Dense[K]{shape: batch.Shape(), values: values, weights: batch.Weights()}, nil
}
