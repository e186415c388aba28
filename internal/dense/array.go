package dense

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// DType is the type of the numbers of an [Array].
type DType uint8

// The types. Everything that is differentiated is Float32; Int32 carries
// labels and Bool masks.
const (
	Float32 DType = iota
	Int32
	Bool
)

// String returns the name of the type: "float32", "int32" or "bool".
func (d DType) String() string { return [...]string{"float32", "int32", "bool"}[d] }

func (d DType) engine() dtypes.DType {
	return [...]dtypes.DType{dtypes.Float32, dtypes.Int32, dtypes.Bool}[d]
}

// Array is a flat array in row-major order and its shape, () for a scalar.
// DType says which of Float, Int and Bool holds it.
type Array struct {
	Shape []int
	DType DType
	Float []float32
	Int   []int32
	Bool  []bool
}

// Floats returns an array of float32 that shares data.
func Floats(data []float32, shape ...int) Array { return Array{Shape: shape, Float: data} }

// Ints returns an array of int32 that shares data.
func Ints(data []int32, shape ...int) Array { return Array{Shape: shape, DType: Int32, Int: data} }

// Bools returns an array of booleans that shares data.
func Bools(data []bool, shape ...int) Array { return Array{Shape: shape, DType: Bool, Bool: data} }

func (a Array) len() int {
	switch a.DType {
	case Int32:
		return len(a.Int)
	case Bool:
		return len(a.Bool)
	}
	return len(a.Float)
}

func (a Array) check(i int) error {
	n := 1
	for _, d := range a.Shape {
		if d < 0 {
			return fmt.Errorf("%w: input %d has shape %v with a negative dimension", ErrInput, i, a.Shape)
		}
		n *= d
	}
	if n == 0 {
		return fmt.Errorf("%w: input %d has shape %v, which holds nothing: leave empty batches out", ErrInput, i, a.Shape)
	}
	if n != a.len() {
		return fmt.Errorf("%w: input %d of shape %v holds %d numbers, got %d of type %s", ErrInput, i, a.Shape, n, a.len(), a.DType)
	}
	return nil
}

func (a Array) spec() shapes.Shape { return shapes.Make(a.DType.engine(), a.Shape...) }

// fill copies a into engine memory of the same type and length.
func (a Array) fill(flat any) {
	switch dst := flat.(type) {
	case []float32:
		copy(dst, a.Float)
	case []int32:
		copy(dst, a.Int)
	case []bool:
		copy(dst, a.Bool)
	}
}

// arrayOf wraps engine memory without a copy.
func arrayOf(flat any, shape shapes.Shape) (Array, error) {
	dims := slices.Clone(shape.Dimensions)
	switch data := flat.(type) {
	case []float32:
		return Floats(data, dims...), nil
	case []int32:
		return Ints(data, dims...), nil
	case []bool:
		return Bools(data, dims...), nil
	}
	return Array{}, fmt.Errorf("%w: an output has type %s: convert it to float32, int32 or bool", ErrGraph, shape.DType)
}

func (a Array) clone() Array {
	a.Float, a.Int, a.Bool = slices.Clone(a.Float), slices.Clone(a.Int), slices.Clone(a.Bool)
	return a
}

func (a Array) address() unsafe.Pointer {
	switch a.DType {
	case Int32:
		return unsafe.Pointer(unsafe.SliceData(a.Int))
	case Bool:
		return unsafe.Pointer(unsafe.SliceData(a.Bool))
	}
	return unsafe.Pointer(unsafe.SliceData(a.Float))
}
