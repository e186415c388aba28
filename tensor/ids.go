// Package tensor holds the shapes and values that go into and come out of
// embedding tables: id batches that are dense, ragged or sparse, and arrays of
// float32. It knows how to check and convert them, and does no arithmetic.
//
// The three layouts of one batch, two bags of ids {7, 3} and {} and {7}:
//
//	Dense   shape (3, 2)       values  7 3 . . 7 .      every bag has the same length
//	Ragged  values 7 3 7       splits  0 2 2 3          bag i is values[splits[i]:splits[i+1]]
//	Sparse  values 7 3 7       indices (0,0) (0,1) (2,0)   shape (3, 2)
//
// Whatever the layout, pooling works on [Bags]: flat ids and where each bag
// ends. An id may carry a weight, in an array as long as the ids.
package tensor

import (
	"errors"
	"fmt"
	"slices"
)

// Errors that a malformed batch is reported with; match with errors.Is.
var (
	// ErrShape: lengths and shapes do not agree.
	ErrShape = errors.New("tensor: shapes do not agree")
	// ErrSplits: row splits do not start at 0, decrease, or do not end at the number of values.
	ErrSplits = errors.New("tensor: bad row splits")
	// ErrIndices: a sparse index is out of bounds, out of order or repeated.
	ErrIndices = errors.New("tensor: bad sparse indices")
)

// KeyType names the Go type of an id.
type KeyType uint8

// The key types. The zero value is Int64, the type used when nobody says.
const (
	Int64 KeyType = iota
	Int32
	Uint64
	String
)

// String returns the name used in configs and files: "int64", "int32", "uint64" or "string".
func (k KeyType) String() string {
	switch k {
	case Int64:
		return "int64"
	case Int32:
		return "int32"
	case Uint64:
		return "uint64"
	case String:
		return "string"
	}
	return fmt.Sprintf("KeyType(%d)", uint8(k))
}

// ParseKeyType is the inverse of [KeyType.String].
func ParseKeyType(name string) (KeyType, error) {
	for _, k := range []KeyType{Int64, Int32, Uint64, String} {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("tensor: unknown key type %q: use int32, int64, uint64 or string", name)
}

// Key is the set of types an id may have.
type Key interface {
	int32 | int64 | uint64 | string
}

// KeyTypeOf returns the KeyType of K.
func KeyTypeOf[K Key]() KeyType {
	var k K
	switch any(k).(type) {
	case int32:
		return Int32
	case uint64:
		return Uint64
	case string:
		return String
	}
	return Int64
}

// IDs is a batch of ids in any of the three layouts. It is sealed: the types
// that implement it are *Dense, *Ragged and *Sparse of each Key.
type IDs interface {
	// KeyType returns the type of the ids.
	KeyType() KeyType
	// Len returns the number of ids.
	Len() int
	// Shape returns the shape as Keras would print it, -1 for a ragged
	// dimension. The caller must not change it.
	Shape() []int
	// Weights returns the weight of each id, nil if there are none. Not a copy.
	Weights() []float32

	// appendSplits appends where each of the given number of bags begins, and
	// the end. It seals the interface.
	appendSplits(buf []int64, bags int) []int64
}

// Dense is a rectangular array of ids in row-major order.
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

// Ragged is a list of bags of ids of different lengths, in CSR form.
type Ragged[K Key] struct {
	values  []K
	splits  []int64
	shape   [2]int
	weights []float32
}

// NewRagged wraps values and row splits without a copy. Bag i holds
// values[splits[i]:splits[i+1]], so splits has one more entry than there are
// bags, starts at 0, never decreases and ends at len(values), else ErrSplits.
func NewRagged[K Key](values []K, splits []int64) (*Ragged[K], error) {
	if err := checkSplits(splits, len(values)); err != nil {
		return nil, err
	}
	return &Ragged[K]{values: values, splits: splits, shape: [2]int{len(splits) - 1, -1}}, nil
}

// RaggedOf copies a list of bags into a Ragged.
func RaggedOf[K Key](bags ...[]K) *Ragged[K] {
	splits := make([]int64, 1, len(bags)+1)
	var values []K
	for _, b := range bags {
		values = append(values, b...)
		splits = append(splits, int64(len(values)))
	}
	return &Ragged[K]{values: values, splits: splits, shape: [2]int{len(bags), -1}}
}

func checkSplits(splits []int64, n int) error {
	if len(splits) == 0 {
		return fmt.Errorf("%w: need at least one entry, got none", ErrSplits)
	}
	if splits[0] != 0 {
		return fmt.Errorf("%w: the first entry must be 0, got %d", ErrSplits, splits[0])
	}
	for i := 1; i < len(splits); i++ {
		if splits[i] < splits[i-1] {
			return fmt.Errorf("%w: entry %d is %d, less than %d before it", ErrSplits, i, splits[i], splits[i-1])
		}
	}
	if last := splits[len(splits)-1]; last != int64(n) {
		return fmt.Errorf("%w: the last entry is %d, but there are %d ids", ErrSplits, last, n)
	}
	return nil
}

// Sparse is a list of ids with their coordinates in an array most of whose
// cells are absent (COO form). Entries are in row-major order of their
// coordinates and no coordinate repeats.
type Sparse[K Key] struct {
	indices []int64 // len(values) × len(shape), row-major
	values  []K
	shape   []int
	weights []float32
}

// NewSparse wraps coordinates, ids and the dense shape without a copy.
// indices holds len(shape) numbers for each id, one id after the other.
// A coordinate out of bounds, out of row-major order, or repeated is ErrIndices:
// sort with [SortSparse] first if the order is not known.
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
	for i := range values {
		at := indices[i*rank : (i+1)*rank]
		for d, x := range at {
			if x < 0 || x >= int64(shape[d]) {
				return nil, fmt.Errorf("%w: entry %d is at %v, outside shape %v", ErrIndices, i, at, shape)
			}
		}
		if i > 0 {
			switch slices.Compare(indices[(i-1)*rank:i*rank], at) {
			case 0:
				return nil, fmt.Errorf("%w: entries %d and %d are both at %v", ErrIndices, i-1, i, at)
			case 1:
				return nil, fmt.Errorf("%w: entry %d at %v comes after %v: sort the entries with SortSparse",
					ErrIndices, i, at, indices[(i-1)*rank:i*rank])
			}
		}
	}
	return &Sparse[K]{indices: indices, values: values, shape: slices.Clone(shape)}, nil
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

// WithWeights returns a batch with the same ids and one weight an id.
func (d *Dense[K]) WithWeights(w []float32) (*Dense[K], error) {
	if len(w) != len(d.values) {
		return nil, weightsError(len(d.values), len(w))
	}
	c := *d
	c.weights = w
	return &c, nil
}

// WithWeights returns a batch with the same ids and one weight an id.
func (r *Ragged[K]) WithWeights(w []float32) (*Ragged[K], error) {
	if len(w) != len(r.values) {
		return nil, weightsError(len(r.values), len(w))
	}
	c := *r
	c.weights = w
	return &c, nil
}

// WithWeights returns a batch with the same ids and one weight an id.
func (s *Sparse[K]) WithWeights(w []float32) (*Sparse[K], error) {
	if len(w) != len(s.values) {
		return nil, weightsError(len(s.values), len(w))
	}
	c := *s
	c.weights = w
	return &c, nil
}

func weightsError(ids, weights int) error {
	return fmt.Errorf("%w: %d ids need as many weights, got %d", ErrShape, ids, weights)
}

// KeyType implements [IDs].
func (d *Dense[K]) KeyType() KeyType { return KeyTypeOf[K]() }

// KeyType implements [IDs].
func (r *Ragged[K]) KeyType() KeyType { return KeyTypeOf[K]() }

// KeyType implements [IDs].
func (s *Sparse[K]) KeyType() KeyType { return KeyTypeOf[K]() }

// Len implements [IDs].
func (d *Dense[K]) Len() int { return len(d.values) }

// Len implements [IDs].
func (r *Ragged[K]) Len() int { return len(r.values) }

// Len implements [IDs].
func (s *Sparse[K]) Len() int { return len(s.values) }

// Shape implements [IDs].
func (d *Dense[K]) Shape() []int { return d.shape }

// Shape implements [IDs]: (bags, -1).
func (r *Ragged[K]) Shape() []int { return r.shape[:] }

// Shape implements [IDs]: the dense shape.
func (s *Sparse[K]) Shape() []int { return s.shape }

// Values returns the ids in row-major order, not a copy.
func (d *Dense[K]) Values() []K { return d.values }

// Values returns the ids, bag after bag, not a copy.
func (r *Ragged[K]) Values() []K { return r.values }

// Values returns the ids in row-major order of their coordinates, not a copy.
func (s *Sparse[K]) Values() []K { return s.values }

// Splits returns the row splits, not a copy.
func (r *Ragged[K]) Splits() []int64 { return r.splits }

// Indices returns the coordinates, rank numbers an id, not a copy.
func (s *Sparse[K]) Indices() []int64 { return s.indices }

// Weights returns the weight of each id, nil if there are none.
func (d *Dense[K]) Weights() []float32 { return d.weights }

// Weights returns the weight of each id, nil if there are none.
func (r *Ragged[K]) Weights() []float32 { return r.weights }

// Weights returns the weight of each id, nil if there are none.
func (s *Sparse[K]) Weights() []float32 { return s.weights }

