package tensor

import (
	"fmt"
	"slices"
)

// Sparse is a list of ids with their coordinates in an array most of whose
// cells are absent (COO form). Entries are in row-major order of their
// coordinates and no coordinate repeats. Make one with [NewSparse]: the zero
// value has no shape, and pooling refuses it.
//
//	. 7 3      indices  (0,1) (0,2) (2,0)
//	. . .      values   7 3 7
//	7 . .      shape    (3, 3)
type Sparse[K Key] struct {
	indices []int64 // len(values) × len(shape), row-major
	values  []K
	shape   []int
	weights []float32
}

// NewSparse wraps coordinates, ids and the dense shape without a copy.
// indices holds len(shape) numbers for each id, one id after the other.
// A coordinate out of bounds, out of row-major order, or repeated is ErrIndices:
// sort with [SortSparse] first if the order is not known. There is no rule that
// makes one entry of two at the same place: whether the first counts, the last,
// or both, is for the caller to say, and a Ragged holds both. None of the slices
// may be changed while the batch is in use.
func NewSparse[K Key](indices []int64, values []K, shape ...int) (*Sparse[K], error) {
	if len(shape) < 1 {
		return nil, fmt.Errorf("%w: a sparse batch needs a shape of at least one dimension", ErrShape)
	}
	if err := checkDims(shape); err != nil {
		return nil, err
	}
	rank := len(shape)
	if len(indices) != rank*len(values) {
		return nil, fmt.Errorf("%w: %d ids of shape %v need %d index numbers, got %d",
			ErrShape, len(values), shape, rank*len(values), len(indices))
	}
	if err := checkIndices(indices, shape); err != nil {
		return nil, err
	}
	return &Sparse[K]{indices: indices, values: values, shape: slices.Clone(shape)}, nil
}

// checkIndices finds a coordinate that is out of bounds, out of order or repeated.
func checkIndices(indices []int64, shape []int) error {
	rank := len(shape)
	var before []int64
	for i := range len(indices) / rank {
		at := indices[i*rank : (i+1)*rank]
		for d, x := range at {
			if x < 0 || x >= int64(shape[d]) {
				return fmt.Errorf("%w: entry %d is at %v, outside shape %v", ErrIndices, i, at, shape)
			}
		}
		if before == nil {
			before = at
			continue
		}
		switch slices.Compare(before, at) {
		case 0:
			return fmt.Errorf("%w: entries %d and %d are both at %v", ErrIndices, i-1, i, at)
		case 1:
			return fmt.Errorf("%w: entry %d at %v comes after %v: sort the entries with SortSparse", ErrIndices, i, at, before)
		}
		before = at
	}
	return nil
}

// SortSparse sorts entries of a sparse batch in place into row-major order of
// their coordinates; entries with equal coordinates keep their order (and
// NewSparse will refuse them). weights may be nil.
func SortSparse[K Key](indices []int64, values []K, weights []float32, rank int) error {
	if rank < 1 || len(indices) != rank*len(values) || (weights != nil && len(weights) != len(values)) {
		return fmt.Errorf("%w: %d ids of rank %d with %d index numbers and %d weights",
			ErrShape, len(values), rank, len(indices), len(weights))
	}
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return slices.Compare(indices[a*rank:(a+1)*rank], indices[b*rank:(b+1)*rank])
	})
	oldIndices, oldValues, oldWeights := slices.Clone(indices), slices.Clone(values), slices.Clone(weights)
	for to, from := range order {
		copy(indices[to*rank:(to+1)*rank], oldIndices[from*rank:(from+1)*rank])
		values[to] = oldValues[from]
		if weights != nil {
			weights[to] = oldWeights[from]
		}
	}
	return nil
}

// WithWeights returns a batch with the same ids and one weight an id. Both
// are shared with the caller, not copied; other than len(ids) weights are
// ErrShape. The batch it is called on stays without.
func (s *Sparse[K]) WithWeights(w []float32) (*Sparse[K], error) {
	if len(w) != len(s.values) {
		return nil, weightsError(len(s.values), len(w))
	}
	c := *s
	c.weights = w
	return &c, nil
}

// KeyType implements [IDs].
func (s *Sparse[K]) KeyType() KeyType { return KeyTypeOf[K]() }

// Len implements [IDs].
func (s *Sparse[K]) Len() int { return len(s.values) }

// Shape implements [IDs]: the dense shape.
func (s *Sparse[K]) Shape() []int { return s.shape }

// Values returns the ids in row-major order of their coordinates, not a copy.
func (s *Sparse[K]) Values() []K { return s.values }

// Indices returns the coordinates, rank numbers an id, not a copy.
func (s *Sparse[K]) Indices() []int64 { return s.indices }

// Weights returns the weight of each id, nil if there are none.
func (s *Sparse[K]) Weights() []float32 { return s.weights }

func (s *Sparse[K]) appendSplits(buf []int64, bags int) []int64 {
	rank := len(s.shape)
	buf = append(buf, 0)
	for i := range s.values {
		bag := int64(0)
		for d, x := range s.indices[i*rank : i*rank+rank-1] {
			bag = bag*int64(s.shape[d]) + x
		}
		for int64(len(buf)) <= bag {
			buf = append(buf, int64(i))
		}
	}
	for len(buf) <= bags {
		buf = append(buf, int64(len(s.values)))
	}
	return buf
}
