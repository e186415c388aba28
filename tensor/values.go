package tensor

import (
	"fmt"
	"math"
	"slices"
)

// Values is an array of float32 with a shape, in row-major order.
type Values struct {
	shape []int
	data  []float32
}

// NewValues wraps data, without a copy, as an array of the given shape. The
// product of the shape must be len(data), else ErrShape. An empty shape is a scalar.
func NewValues(data []float32, shape ...int) (*Values, error) {
	n, err := elements(shape)
	if err != nil {
		return nil, err
	}
	if n != len(data) {
		return nil, fmt.Errorf("%w: shape %v holds %d numbers, got %d", ErrShape, shape, n, len(data))
	}
	return &Values{shape: slices.Clone(shape), data: data}, nil
}

// ZeroValues returns an array of zeros. It panics if the shape is negative or
// too large, as make does.
func ZeroValues(shape ...int) *Values {
	n, err := elements(shape)
	if err != nil {
		panic(err)
	}
	return &Values{shape: slices.Clone(shape), data: make([]float32, n)}
}

// Shape returns the shape. The caller must not change it.
func (v *Values) Shape() []int { return v.shape }

// Data returns the numbers in row-major order, not a copy.
func (v *Values) Data() []float32 { return v.data }

// Len returns the number of numbers.
func (v *Values) Len() int { return len(v.data) }

// Row returns the i-th run of numbers along the last dimension, as a vector of
// an embedding lies in a (batch, width) result. Not a copy. v must have a
// dimension, and i lie between 0 and the product of the others.
func (v *Values) Row(i int) []float32 {
	width := v.shape[len(v.shape)-1]
	return v.data[i*width : (i+1)*width : (i+1)*width]
}

// Reset gives v a new shape and room for it, reusing its memory where it is
// large enough: slices that Data gave before may then be written over. The
// numbers are not cleared. After an error v is unchanged.
func (v *Values) Reset(shape ...int) error {
	n, err := elements(shape)
	if err != nil {
		return err
	}
	v.shape = append(v.shape[:0], shape...)
	v.data = slices.Grow(v.data[:0], n)[:n]
	return nil
}

func checkDims(shape []int) error {
	for _, d := range shape {
		if d < 0 {
			return fmt.Errorf("%w: negative dimension in shape %v", ErrShape, slices.Clone(shape))
		}
	}
	return nil
}

// elements returns the product of shape, or an error if it is negative
// somewhere or does not fit an int. Errors format a copy, so that the arguments
// of a call such as Reset(2, 3) need not live on the heap.
func elements(shape []int) (int, error) {
	if err := checkDims(shape); err != nil {
		return 0, err
	}
	n := 1
	for _, d := range shape {
		if d != 0 && n > math.MaxInt/d {
			return 0, fmt.Errorf("%w: shape %v holds more numbers than memory has addresses", ErrShape, slices.Clone(shape))
		}
		n *= d
	}
	return n, nil
}
