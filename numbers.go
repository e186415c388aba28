package rowan

import (
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/tensor"
)

// Number is a type of numbers that an array has besides float32, which is that of
// tensor.Values.
type Number interface {
	float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// Array is numbers, truth values or strings of one type, in row-major order.
type Array[T Number | bool | string] struct {
	Data  []T
	Shape []int
}

// EmbeddingLookupOf is [EmbeddingLookup] in a matrix of another type than float32:
// what it returns has the type of param. float64 is computed in float64, with any
// combiner but those of RegisterCombiner, whose functions are of float32. Integers
// are read as they are: no combiner but None is one of integers, another is
// ErrOptions. Shapes, ids and errors are as there. There is no gradient: what is
// trained is float32, or lies in a table ([TableOf]).
func EmbeddingLookupOf[T Number](param Array[T], ids tensor.IDs, c Combiner) (Array[T], error) {
	var l numbersLookup
	err := l.prepare(param.Shape, len(param.Data), ids)
	floats, isFloat := any(&param.Data).(*[]float64)
	switch {
	case err != nil:
	case c != None && !isFloat:
		if _, err = c.reducer(); err == nil {
			err = fmt.Errorf("%w: combiner %v is of floats, param of integers: they have only %v", ErrOptions, c, None)
		}
	case c != None:
		if err = l.bag.prepare(c, l.weights, false); err == nil {
			err = l.bags.Of(ids)
		}
	}
	if err != nil {
		return Array[T]{}, fmt.Errorf("embedding lookup: %w", err)
	}
	if c != None {
		pooled := l.pool(*floats)
		return Array[T]{Data: *any(&pooled).(*[]T), Shape: append(slices.Clone(l.bags.Outer), l.width)}, nil
	}
	out := Array[T]{Shape: []int{l.keys.len(), l.width}, Data: make([]T, 0, l.keys.len()*l.width)}
	if isDense(ids) {
		out.Shape = append(slices.Clone(ids.Shape()), l.width)
	}
	for _, id := range l.keys.ints {
		out.Data = append(out.Data, param.Data[int(id)*l.width:][:l.width]...)
	}
	return out, nil
}

// numbersLookup is a lookup in a matrix of any type.
type numbersLookup struct {
	keys    keyBatch
	width   int
	bags    tensor.Bags
	weights []float32
	bag     bag64
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

// pool pools the rows of each bag.
func (l *numbersLookup) pool(data []float64) []float64 {
	bags := len(l.bags.Splits) - 1
	out := make([]float64, bags*l.width)
	for i := range bags {
		l.bag.reset()
		for j := int(l.bags.Splits[i]); j < int(l.bags.Splits[i+1]); j++ {
			l.bag.add(int(l.keys.ints[j]), l.weights, j)
		}
		l.bag.forward(out[i*l.width:(i+1)*l.width], data)
	}
	return out
}
