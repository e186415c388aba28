package model

import (
	"fmt"
	"slices"
	"sort"

	"github.com/rowan-embeddings/rowan/tensor"
)

// pickIDs returns some examples of a batch of ids, in the same layout.
func pickIDs(ids tensor.IDs, rows []int) (tensor.IDs, error) {
	switch ids := ids.(type) {
	case *tensor.Dense[int64]:
		return pickDense(ids, rows)
	case *tensor.Dense[int32]:
		return pickDense(ids, rows)
	case *tensor.Dense[uint64]:
		return pickDense(ids, rows)
	case *tensor.Dense[string]:
		return pickDense(ids, rows)
	case *tensor.Ragged[int64]:
		return pickRagged(ids, rows)
	case *tensor.Ragged[int32]:
		return pickRagged(ids, rows)
	case *tensor.Ragged[uint64]:
		return pickRagged(ids, rows)
	case *tensor.Ragged[string]:
		return pickRagged(ids, rows)
	case *tensor.Sparse[int64]:
		return pickSparse(ids, rows)
	case *tensor.Sparse[int32]:
		return pickSparse(ids, rows)
	case *tensor.Sparse[uint64]:
		return pickSparse(ids, rows)
	case *tensor.Sparse[string]:
		return pickSparse(ids, rows)
	}
	return nil, fmt.Errorf("%w: ids of type %T", ErrData, ids)
}

func pickDense[K tensor.Key](d *tensor.Dense[K], rows []int) (tensor.IDs, error) {
	shape := slices.Clone(d.Shape())
	each := d.Len() / shape[0]
	shape[0] = len(rows)
	part, err := tensor.NewDense(gather(d.Values(), rows, each), shape...)
	if err != nil || d.Weights() == nil {
		return part, err
	}
	return part.WithWeights(gather(d.Weights(), rows, each))
}

func pickRagged[K tensor.Key](r *tensor.Ragged[K], rows []int) (tensor.IDs, error) {
	var values []K
	var weights []float32
	splits := []int64{0}
	for _, b := range rows {
		from, to := r.Splits()[b], r.Splits()[b+1]
		values = append(values, r.Values()[from:to]...)
		if r.Weights() != nil {
			weights = append(weights, r.Weights()[from:to]...)
		}
		splits = append(splits, int64(len(values)))
	}
	part, err := tensor.NewRagged(values, splits)
	if err != nil || r.Weights() == nil {
		return part, err
	}
	return part.WithWeights(weights)
}

// pickSparse relies on entries being sorted: an example's lie together.
func pickSparse[K tensor.Key](s *tensor.Sparse[K], rows []int) (tensor.IDs, error) {
	rank := len(s.Shape())
	first := func(row int) int {
		return sort.Search(s.Len(), func(i int) bool { return s.Indices()[i*rank] >= int64(row) })
	}
	var indices []int64
	var values []K
	var weights []float32
	for to, row := range rows {
		for i := first(row); i < first(row+1); i++ {
			indices = append(append(indices, int64(to)), s.Indices()[i*rank+1:(i+1)*rank]...)
			values = append(values, s.Values()[i])
			if s.Weights() != nil {
				weights = append(weights, s.Weights()[i])
			}
		}
	}
	shape := slices.Clone(s.Shape())
	shape[0] = len(rows)
	part, err := tensor.NewSparse(indices, values, shape...)
	if err != nil || s.Weights() == nil {
		return part, err
	}
	return part.WithWeights(weights)
}
