package rowan_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestEmbeddingLookupOfFloats compares lookups in a matrix of float64 with plain
// loops, to 1e-12 of 1 and the number: float32 would be off by 1e-8.
func TestEmbeddingLookupOfFloats(t *testing.T) {
	const rows, width = 9, 3
	r := rand.New(rand.NewPCG(5, 5))
	matrix := rowan.Array[float64]{Shape: []int{rows, width}}
	byRow := map[int64][]float64{}
	for i := range rows * width {
		x := r.NormFloat64()
		matrix.Data = append(matrix.Data, x)
		byRow[int64(i/width)] = append(byRow[int64(i/width)], x)
	}
	for _, layout := range []string{"dense", "ragged", "sparse"} {
		for _, c := range append([]rowan.Combiner{rowan.None}, everyCombiner...) {
			for _, weighted := range []bool{false, true} {
				if takes, _ := takesWeights(c); weighted && !takes || c == squares {
					continue
				}
				b := randomBatch(t, r, func() int64 { return int64(r.IntN(rows)) }, layout, 7, 5, weighted)
				if _, counts := takesWeights(c); counts {
					b.nonNegative()
				}
				name := fmt.Sprintf("%s/%v/weighted=%v", layout, c, weighted)
				got, err := rowan.EmbeddingLookupOf(matrix, b.ids, c)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				shape := []int{7, width}
				var want []float64
				if c == rowan.None {
					for _, id := range slices.Concat(b.bags...) {
						want = append(want, byRow[id]...)
					}
					if shape = []int{len(want) / width, width}; layout == "dense" {
						shape = []int{7, 5, width}
					}
				} else {
					want = combineBatch(b, c, byRow, width, func(id int64) reading { return reading{key: id} })
				}
				if !slices.Equal(got.Shape, shape) || len(got.Data) != len(want) {
					t.Fatalf("%s: shape %v, want %v", name, got.Shape, shape)
				}
				for i, x := range got.Data {
					if d := math.Abs(x - want[i]); !(d <= 1e-12*(1+math.Abs(want[i]))) {
						t.Errorf("%s: number %d is %v, want %v", name, i, x, want[i])
					}
				}
			}
		}
	}
}

// TestEmbeddingLookupOfIntegers: integers of every type come as they are, also
// those that no float holds.
func TestEmbeddingLookupOfIntegers(t *testing.T) {
	integers[int8](t, math.MinInt8)
	integers[int16](t, math.MinInt16)
	integers[int32](t, math.MinInt32)
	integers[int64](t, math.MaxInt64-1)
	integers[uint8](t, math.MaxUint8)
	integers[uint16](t, math.MaxUint16)
	integers[uint32](t, math.MaxUint32)
	integers[uint64](t, math.MaxUint64-1)
}

func integers[T rowan.Number](t *testing.T, extreme T) {
	t.Helper()
	matrix := rowan.Array[T]{Data: []T{1, 2, 3, extreme}, Shape: []int{2, 2}}
	got, err := rowan.EmbeddingLookupOf(matrix, tensor.RaggedOf([]int32{1}, nil, []int32{0, 1}), rowan.None)
	if err != nil || !slices.Equal(got.Data, []T{3, extreme, 1, 2, 3, extreme}) || !slices.Equal(got.Shape, []int{3, 2}) {
		t.Errorf("%T: %v, %v", extreme, got, err)
	}
	_, err = rowan.EmbeddingLookupOf(matrix, tensor.RaggedOf([]int32{1}), rowan.Mean)
	is(t, fmt.Sprintf("a mean of %T", extreme), err, rowan.ErrOptions)
}

func TestEmbeddingLookupOfRefusals(t *testing.T) {
	matrix := rowan.Array[float64]{Data: []float64{1, 2, 3, 4}, Shape: []int{2, 2}}
	one := tensor.IDs(dense(t, []int64{1}, 1, 1))
	weighted := func(w float32) tensor.IDs {
		ids, err := dense(t, []int64{1}, 1, 1).WithWeights([]float32{w})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	for name, c := range map[string]struct {
		param rowan.Array[float64]
		ids   tensor.IDs
		c     rowan.Combiner
		is    error
		says  string
	}{
		"no matrix":    {rowan.Array[float64]{}, one, rowan.Sum, rowan.ErrShape, "got shape []"},
		"a vector":     {rowan.Array[float64]{Data: []float64{1}, Shape: []int{1}}, one, rowan.Sum, rowan.ErrShape, "got shape [1]"},
		"few numbers":  {rowan.Array[float64]{Data: []float64{1}, Shape: []int{2, 2}}, one, rowan.Sum, rowan.ErrShape, "1 numbers"},
		"no columns":   {rowan.Array[float64]{Shape: []int{2, 0}}, one, rowan.Sum, rowan.ErrShape, "[2 0]"},
		"overflow":     {rowan.Array[float64]{Shape: []int{math.MaxInt, 2}}, one, rowan.Sum, rowan.ErrShape, "0 numbers"},
		"nil ids":      {matrix, nil, rowan.Sum, rowan.ErrShape, "nil"},
		"one bag":      {matrix, dense(t, []int64{1}), rowan.Sum, rowan.ErrShape, "two dimensions"},
		"strings":      {matrix, tensor.RaggedOf([]string{"a"}), rowan.Sum, rowan.ErrKeyType, "string"},
		"out of range": {matrix, tensor.RaggedOf([]int64{0, 2}), rowan.Sum, rowan.ErrOutOfRange, "id 2 at position 1 is not in [0, 2)"},
		"negative":     {matrix, tensor.RaggedOf([]int64{-1}), rowan.None, rowan.ErrOutOfRange, "id -1"},
		"registered":   {matrix, one, squares, rowan.ErrOptions, "float32"},
		"unknown":      {matrix, one, rowan.Combiner(200), rowan.ErrOptions, "200"},
		"NaN":          {matrix, weighted(float32(math.NaN())), rowan.Sum, rowan.ErrNotFinite, "weight"},
		"of weights":   {matrix, weighted(1), rowan.Max, rowan.ErrOptions, "takes no weights"},
		"a count":      {matrix, weighted(-1), rowan.Std, rowan.ErrOptions, "must not be negative"},
	} {
		got, err := rowan.EmbeddingLookupOf(c.param, c.ids, c.c)
		is(t, name, err, c.is)
		if err == nil || !strings.Contains(err.Error(), c.says) || got.Data != nil {
			t.Errorf("%s: %v, %v; want an error with %q", name, got, err, c.says)
		}
	}
	// Weights that come to nothing are no division by it.
	zero := tensor.RaggedOf([]int64{1, 0})
	ids, err := zero.WithWeights([]float32{1, -1})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rowan.EmbeddingLookupOf(matrix, ids, rowan.Mean); err != nil || !slices.Equal(got.Data, []float64{0, 0}) {
		t.Errorf("a mean of weights 1 and -1 is %v, %v", got, err)
	}
}
