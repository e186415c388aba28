package tensor

import "fmt"

// Ragged is a list of bags of ids of different lengths, in CSR form. The zero
// value has no bags.
//
//	bags    [7 3] [] [7]
//	values  7 3 7
//	splits  0 2 2 3
type Ragged[K Key] struct {
	values  []K
	splits  []int64
	shape   [2]int
	weights []float32
}

// NewRagged wraps values and row splits without a copy. Bag i holds
// values[splits[i]:splits[i+1]], so splits has one more entry than there are
// bags, starts at 0, never decreases and ends at len(values), else ErrSplits.
// Neither slice may be changed while the batch is in use: splits are checked
// here and trusted from then on.
func NewRagged[K Key](values []K, splits []int64) (*Ragged[K], error) {
	if err := checkSplits(splits, len(values)); err != nil {
		return nil, err
	}
	return &Ragged[K]{values: values, splits: splits, shape: [2]int{len(splits) - 1, -1}}, nil
}

// RaggedFromLengths wraps values, without a copy, as bags of the given lengths,
// one after the other. A negative length, or lengths that do not add up to
// len(values), are ErrSplits.
func RaggedFromLengths[K Key](values []K, lengths []int) (*Ragged[K], error) {
	splits := make([]int64, 1, len(lengths)+1)
	left := len(values)
	for i, n := range lengths {
		if n < 0 || n > left {
			return nil, fmt.Errorf("%w: length %d of bag %d, with %d of %d ids left", ErrSplits, n, i, left, len(values))
		}
		left -= n
		splits = append(splits, int64(len(values)-left))
	}
	if left > 0 {
		return nil, fmt.Errorf("%w: the lengths add up to %d, but there are %d ids", ErrSplits, len(values)-left, len(values))
	}
	return &Ragged[K]{values: values, splits: splits, shape: [2]int{len(lengths), -1}}, nil
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

// WithWeights returns a batch with the same ids and one weight an id. Both
// are shared with the caller, not copied; other than len(ids) weights are
// ErrShape. The batch it is called on stays without.
func (r *Ragged[K]) WithWeights(w []float32) (*Ragged[K], error) {
	if len(w) != len(r.values) {
		return nil, weightsError(len(r.values), len(w))
	}
	c := *r
	c.weights = w
	return &c, nil
}

// KeyType implements [IDs].
func (r *Ragged[K]) KeyType() KeyType { return KeyTypeOf[K]() }

// Len implements [IDs].
func (r *Ragged[K]) Len() int { return len(r.values) }

// Shape implements [IDs]: (bags, -1).
func (r *Ragged[K]) Shape() []int {
	if r.splits == nil {
		return []int{0, -1}
	}
	return r.shape[:]
}

// Bags returns the number of bags.
func (r *Ragged[K]) Bags() int { return max(0, len(r.splits)-1) }

// Bag returns the ids of bag i, which must be at least 0 and less than Bags.
// Not a copy.
func (r *Ragged[K]) Bag(i int) []K { return r.values[r.splits[i]:r.splits[i+1]:r.splits[i+1]] }

// Values returns the ids, bag after bag, not a copy.
func (r *Ragged[K]) Values() []K { return r.values }

// Splits returns the row splits, not a copy.
func (r *Ragged[K]) Splits() []int64 { return r.splits }

// Weights returns the weight of each id, nil if there are none.
func (r *Ragged[K]) Weights() []float32 { return r.weights }

func (r *Ragged[K]) appendSplits(buf []int64, _ int) []int64 {
	if r.splits == nil {
		return append(buf, 0)
	}
	return append(buf, r.splits...)
}
