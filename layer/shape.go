package layer

import (
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/tuple"
)

// Shape is the shape of a tensor, -1 for a dimension that is not known before
// data come: the batch, or the length of a sequence.
type Shape []int

// String returns the shape as Keras prints it: "(None, 10, 64)".
func (s Shape) String() string { return tuple.Of(s) }

// Dimensions returns the shape as configs have it: null for what is not known.
func (s Shape) Dimensions() []any {
	list := make([]any, len(s))
	for i, d := range s {
		if d >= 0 {
			list[i] = d
		}
	}
	return list
}

// Equal reports whether the shapes are the same, free dimensions included.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// Accepts reports whether an array of shape dims fits s: equal ranks, and equal
// numbers where s has one.
func (s Shape) Accepts(dims []int) bool {
	return slices.EqualFunc(s, dims, func(a, b int) bool { return a < 0 || b < 0 || a == b })
}

func (s Shape) append(d ...int) Shape { return append(slices.Clone(s), d...) }

func (s Shape) size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// InputSpec says what a layer accepts as one input. The zero value accepts anything.
type InputSpec struct {
	// Rank is the number of dimensions. Default 0: any.
	Rank int
	// MinRank is the least number of dimensions. Default 0: any.
	MinRank int
	// Axes fixes dimensions; negative axes count from the end. Default: none.
	Axes map[int]int
	// DType is the type of the numbers before they are cast: "float32", or of ids
	// that of their keys. Default "": any.
	DType DType
}

func (i InputSpec) check(s Shape, d DType) error {
	if i.DType != "" && d != i.DType {
		return fmt.Errorf("expected dtype=%s, found dtype=%s", i.DType, d)
	}
	if i.Rank > 0 && len(s) != i.Rank {
		return fmt.Errorf("expected ndim=%d, found ndim=%d. Full shape received: %v", i.Rank, len(s), s)
	}
	if len(s) < i.MinRank {
		return fmt.Errorf("expected min_ndim=%d, found ndim=%d. Full shape received: %v", i.MinRank, len(s), s)
	}
	for axis, want := range i.Axes {
		at := axis
		if at < 0 {
			at += len(s)
		}
		if at < 0 || at >= len(s) {
			return fmt.Errorf("expected axis %d to exist. Full shape received: %v", axis, s)
		}
		if got := s[at]; got >= 0 && got != want {
			return fmt.Errorf("expected axis %d of input shape to have value %d, but received input with shape %v", axis, want, s)
		}
	}
	return nil
}
