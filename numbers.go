package rowan

import (
	"fmt"
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/tensor"
)

// Number is a type of numbers that an array has besides float32, which is that of
// tensor.Values.
type Number interface {
	float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// Numbers is an array of numbers of one type, in row-major order.
type Numbers[T Number] struct {
	Data  []T
	Shape []int
}

// EmbeddingLookupOf is [EmbeddingLookup] in a matrix of another type than float32:
// what it returns has the type of param. float64 is computed in float64, with any
// combiner but those of RegisterCombiner, whose functions are of float32. Integers
// are read as they are: no combiner but None is one of integers, another is
// ErrOptions. Shapes, ids and errors are as there. There is no gradient: what is
// trained is float32.
func EmbeddingLookupOf[T Number](param Numbers[T], ids tensor.IDs, c Combiner) (Numbers[T], error) {
	var l numbersLookup
	err := l.prepare(param.Shape, len(param.Data), ids)
	if err == nil {
		err = l.checkCombiner(c, isFloat[T]())
	}
	if err == nil && c != None {
		err = l.bags.Of(ids)
	}
	if err != nil {
		return Numbers[T]{}, fmt.Errorf("embedding lookup: %w", err)
	}
	if c != None {
		return poolNumbers(&l, param.Data, c), nil
	}
	out := Numbers[T]{Shape: []int{l.keys.len(), l.width}, Data: make([]T, 0, l.keys.len()*l.width)}
	if isDense(ids) {
		out.Shape = append(slices.Clone(ids.Shape()), l.width)
	}
	for _, id := range l.keys.ints {
		out.Data = append(out.Data, param.Data[int(id)*l.width:][:l.width]...)
	}
	return out, nil
}

// isFloat reports whether T has fractions.
func isFloat[T Number]() bool { return T(1)/2 != 0 }

// numbersLookup is a lookup in a matrix of any type.
type numbersLookup struct {
	keys    keyBatch
	width   int
	bags    tensor.Bags
	weights []float32
	row     func(x, w []float64) float64 // one dimension of a bag
	x, w    []float64                    // of the bag
}

// prepare checks a matrix of n numbers and the ids.
func (l *numbersLookup) prepare(shape []int, n int, ids tensor.IDs) error {
	if len(shape) != 2 || shape[0] < 1 || shape[1] < 1 || n%shape[1] != 0 || n/shape[1] != shape[0] {
		return fmt.Errorf("%w: param must be a matrix of at least one row and one column, with a number for each place, got shape %v and %d numbers", ErrShape, shape, n)
	}
	t := Table{opt: TableOptions{Name: "param", Rows: shape[0], Width: shape[1]}}
	if err := checkIDs(ids); err != nil {
		return err
	}
	if len(ids.Shape()) != 2 {
		return fmt.Errorf("%w: ids must have two dimensions, (rows, ids of a row), got shape %v", ErrShape, ids.Shape())
	}
	if err := l.keys.set(ids, tensor.Int64, true); err != nil {
		return err
	}
	if err := t.inRange(&l.keys, ids.KeyType()); err != nil {
		return err
	}
	l.width, l.weights = shape[1], ids.Weights()
	return checkFinite("weight", l.weights)
}

// checkCombiner readies a combiner, of floats or of integers.
func (l *numbersLookup) checkCombiner(c Combiner, floats bool) error {
	r, err := c.reducer()
	if err != nil || c == None {
		return err
	}
	if !floats {
		return fmt.Errorf("%w: combiner %v is of floats, param of integers: they have only %v", ErrOptions, c, None)
	}
	switch f := r.(type) {
	case nil:
		l.row = func(x, w []float64) float64 { return weightedSum(x, w) / divisorOf(c, w) }
		return nil
	case *column:
		l.row = f.forward
		return f.accepts(l.weights, false)
	}
	return fmt.Errorf("%w: combiner %v was registered, and computes in float32: use EmbeddingLookup", ErrOptions, c)
}

// poolNumbers pools the rows of each bag.
func poolNumbers[T Number](l *numbersLookup, data []T, c Combiner) Numbers[T] {
	bags := len(l.bags.Splits) - 1
	out := Numbers[T]{Data: make([]T, bags*l.width), Shape: append(slices.Clone(l.bags.Outer), l.width)}
	for i := range bags {
		ids := l.keys.ints[l.bags.Splits[i]:l.bags.Splits[i+1]]
		if !l.begin(int(l.bags.Splits[i]), len(ids), c) {
			continue
		}
		for d := range l.width {
			for j, id := range ids {
				l.x[j] = float64(data[int(id)*l.width+d])
			}
			out.Data[i*l.width+d] = T(l.row(l.x, l.w))
		}
	}
	return out
}

// begin makes room for a bag of n ids and reads its weights; false if it comes to
// zeros, as in a lookup of float32.
func (l *numbersLookup) begin(first, n int, c Combiner) bool {
	l.x, l.w = slices.Grow(l.x[:0], n)[:n], l.w[:0]
	some := false
	for j := range n {
		w := 1.0
		if l.weights != nil {
			w = float64(l.weights[first+j])
		}
		l.w = append(l.w, w)
		some = some || w != 0
	}
	return some && divisorOf(c, l.w) != 0
}

// divisorOf is what a weighted sum is divided by.
func divisorOf(c Combiner, w []float64) float64 {
	switch c {
	case Mean:
		return sumOf(w)
	case SqrtN:
		return math.Sqrt(weightedSum(w, w))
	}
	return 1
}

func sumOf(x []float64) (sum float64) {
	for _, v := range x {
		sum += v
	}
	return sum
}

func weightedSum(x, w []float64) (sum float64) {
	for i, v := range x {
		sum += float64(v * w[i])
	}
	return sum
}
