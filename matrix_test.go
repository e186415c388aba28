package rowan_test

import (
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestEmbeddingLookup compares lookups in a bare matrix with plain loops, and
// their gradients with central differences: ids ascend, each once.
func TestEmbeddingLookup(t *testing.T) {
	const rows, width = 9, 3
	r := rand.New(rand.NewPCG(5, 5))
	for _, layout := range []string{"dense", "ragged", "sparse"} {
		for _, c := range append([]rowan.Combiner{rowan.None}, everyCombiner...) {
			for _, weighted := range []bool{false, true} {
				if takes, _ := takesWeights(c); weighted && !takes {
					continue
				}
				b := randomBatch(t, r, func() int64 { return int64(r.IntN(rows)) }, layout, 7, 5, weighted)
				b.nonNegative()
				data := randomGradient(r, rows*width)
				matrix := map[int64][]float64{}
				for i, x := range data {
					matrix[int64(i/width)] = append(matrix[int64(i/width)], float64(x))
				}
				m, err := rowan.EmbeddingLookup(values(t, data, rows, width), b.ids, c)
				if err != nil {
					t.Fatal(err)
				}
				if c == rowan.None {
					b = single(b)
				}
				forward := func() []float64 {
					pool := c
					if c == rowan.None {
						pool = rowan.Sum
					}
					return combineBatch(b, pool, matrix, width, func(id int64) reading { return reading{key: id} })
				}
				name := fmt.Sprintf("%s/%v/weighted=%v", layout, c, weighted)
				closeTo(t, name, m.Values().Data(), forward())
				grad := randomGradient(r, m.Values().Len())
				got, err := m.Gradient(values(t, grad, m.Values().Shape()...))
				if err != nil {
					t.Fatal(err)
				}
				named := slices.Compact(slices.Sorted(slices.Values(slices.Concat(b.bags...))))
				if ids := got.Keys.(*tensor.Dense[int64]).Values(); !slices.Equal(ids, named) {
					t.Errorf("%s: gradients of %v, want %v", name, ids, named)
				}
				want := differences(grad, matrix, forward)
				for i, id := range named {
					closeTo(t, fmt.Sprint(name, " gradient of ", id), got.Values.Row(i), want[id])
				}
			}
		}
	}
}

// single makes each id of a batch a bag.
func single(b batch[int64]) batch[int64] {
	s := batch[int64]{ids: b.ids}
	for i, bag := range b.bags {
		for j, id := range bag {
			s.bags = append(s.bags, []int64{id})
			if b.weights != nil {
				s.weights = append(s.weights, []float32{b.weights[i][j]})
			}
		}
	}
	return s
}

// TestEmbeddingLookupShapes: the shapes that the operation's tables give, and
// the batches that the source system gets wrong: rows without ids, in ragged
// and sparse form, and as many rows as ids.
func TestEmbeddingLookupShapes(t *testing.T) {
	matrix := values(t, []float32{0, 1, 10, 11, 20, 21}, 3, 2)
	ragged, err := tensor.NewRagged([]int32{2, 1}, []int64{0, 2, 2}) // CSR, as it comes
	if err != nil {
		t.Fatal(err)
	}
	sparse, err := tensor.NewSparse([]int64{0, 3, 0, 5}, []int64{2, 1}, 2, 9)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		ids   tensor.IDs
		c     rowan.Combiner
		shape []int
		want  []float32
	}{
		{"dense", dense(t, []int64{2, 1}, 1, 2), rowan.None, []int{1, 2, 2}, []float32{20, 21, 10, 11}},
		{"dense sum", dense(t, []uint64{2, 1}, 1, 2), rowan.Sum, []int{1, 2}, []float32{30, 32}},
		{"one id a row", dense(t, []int32{2, 1}, 2, 1), rowan.Mean, []int{2, 2}, []float32{20, 21, 10, 11}},
		{"no columns", dense(t, []int64{}, 2, 0), rowan.Mean, []int{2, 2}, []float32{0, 0, 0, 0}},
		{"no rows", dense(t, []int64{}, 0, 2), rowan.Mean, []int{0, 2}, nil},
		{"ragged", ragged, rowan.None, []int{2, 2}, []float32{20, 21, 10, 11}},
		{"ragged sum", ragged, rowan.Sum, []int{2, 2}, []float32{30, 32, 0, 0}},
		{"ragged mean", ragged, rowan.Mean, []int{2, 2}, []float32{15, 16, 0, 0}},
		{"ragged min", ragged, rowan.Min, []int{2, 2}, []float32{10, 11, 0, 0}},
		{"sparse", sparse, rowan.None, []int{2, 2}, []float32{20, 21, 10, 11}},
		{"sparse sum", sparse, rowan.Sum, []int{2, 2}, []float32{30, 32, 0, 0}},
		{"sparse mean", sparse, rowan.Mean, []int{2, 2}, []float32{15, 16, 0, 0}},
	} {
		m, err := rowan.EmbeddingLookup(matrix, c.ids, c.c)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if v := m.Values(); !slices.Equal(v.Shape(), c.shape) || !slices.Equal(v.Data(), c.want) {
			t.Errorf("%s: %v of shape %v, want %v of %v", c.name, v.Data(), v.Shape(), c.want, c.shape)
		}
		g, err := m.Gradient(m.Values())
		if err != nil || g.Values.Shape()[0] != g.Keys.Len() {
			t.Errorf("%s: gradient %v, %v", c.name, g, err)
		}
	}
}

// TestEmbeddingLookupMany looks more ids up than a block or a segment takes.
func TestEmbeddingLookupMany(t *testing.T) {
	const n = 30_000
	ids, matrix := make([]int64, n), make([]float32, 300)
	for i := range ids {
		ids[i] = int64(i % 2 * (i % 300)) // half of them 0
	}
	for i := range matrix {
		matrix[i] = float32(i)
	}
	m, err := rowan.EmbeddingLookup(values(t, matrix, 300, 1), dense(t, ids, n, 1), rowan.Sum)
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Gradient(ones1(n))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(g.Keys.(*tensor.Dense[int64]).Values()) || g.Keys.Len() != 151 || g.Values.Data()[0] != n/2 || g.Values.Data()[7] != n/300 {
		t.Errorf("%d ids, gradients %v", g.Keys.Len(), g.Values.Data())
	}
}

func ones1(n int) *tensor.Values {
	v := tensor.ZeroValues(n, 1)
	for i := range v.Data() {
		v.Data()[i] = 1
	}
	return v
}

func TestEmbeddingLookupErrors(t *testing.T) {
	matrix := values(t, []float32{0, 1, 10, 11, 20, 21}, 3, 2)
	ids := dense(t, []int64{1, 2}, 1, 2)
	for _, c := range []struct {
		param    *tensor.Values
		ids      tensor.IDs
		combiner rowan.Combiner
		is       error
		says     string
	}{
		{nil, ids, rowan.None, rowan.ErrShape, "param must be a matrix of at least one row and one column, got shape nil"},
		{tensor.ZeroValues(0, 4), ids, rowan.None, rowan.ErrShape, "got shape [0 4]"},
		{tensor.ZeroValues(4, 0), ids, rowan.None, rowan.ErrShape, "got shape [4 0]"},
		{tensor.ZeroValues(4), ids, rowan.None, rowan.ErrShape, "got shape [4]"},
		{new(tensor.Values), ids, rowan.None, rowan.ErrShape, "got shape []"},
		{matrix, nil, rowan.None, rowan.ErrShape, "ids are nil"},
		{matrix, (*tensor.Sparse[int64])(nil), rowan.None, rowan.ErrShape, "ids are nil"},
		{matrix, dense(t, []int64{1}), rowan.None, rowan.ErrShape, "ids must have two dimensions, (rows, ids of a row), got shape [1]"},
		{matrix, dense(t, []int64{1}, 1, 1, 1), rowan.Sum, rowan.ErrShape, "got shape [1 1 1]"},
		{matrix, dense(t, []string{"a"}, 1, 1), rowan.Sum, rowan.ErrKeyType, "string"},
		{matrix, dense(t, []int64{1, 3}, 1, 2), rowan.Sum, rowan.ErrOutOfRange, "id 3 at position 1 of ids of shape [1 2] is not in [0, 3)"},
		{matrix, dense(t, []int32{-1}, 1, 1), rowan.Max, rowan.ErrOutOfRange, "id -1 at position 0"},
		{matrix, ids, 250, rowan.ErrOptions, "Combiner(250)"},
	} {
		m, err := rowan.EmbeddingLookup(c.param, c.ids, c.combiner)
		if m != nil || !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("got %v, want %q", err, c.says)
		}
	}
	m, err := rowan.EmbeddingLookup(matrix, ids, rowan.Sum)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Gradient(tensor.ZeroValues(2, 1))
	is(t, "gradient of another shape", err, rowan.ErrShape)
	_, err = m.Gradient(nil)
	is(t, "no gradient", err, rowan.ErrShape)
	if m, err = rowan.EmbeddingLookup(matrix, ids, readOnly); err != nil {
		t.Fatal(err)
	}
	_, err = m.Gradient(m.Values())
	is(t, "gradient of a combiner without one", err, rowan.ErrOptions)
	_, err = new(rowan.MatrixLookup).Gradient(matrix)
	is(t, "gradient of nothing", err, rowan.ErrStale)
	if v := new(rowan.MatrixLookup).Values(); v.Len() != 0 {
		t.Errorf("nothing looked up reads %v", v)
	}
}

func ExampleEmbeddingLookup() {
	param, err := tensor.NewValues([]float32{0, 1, 10, 11, 20, 21}, 3, 2)
	if err != nil {
		log.Fatal(err)
	}
	// Two rows of ids, {2, 0, 2} and none, as columns and row splits (CSR).
	ids, err := tensor.NewRagged([]int64{2, 0, 2}, []int64{0, 3, 3})
	if err != nil {
		log.Fatal(err)
	}
	m, err := rowan.EmbeddingLookup(param, ids, rowan.Sum)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Values().Shape(), m.Values().Data())
	grad, _ := tensor.NewValues([]float32{1, 5, 7, 7}, 2, 2)
	g, err := m.Gradient(grad)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Keys.(*tensor.Dense[int64]).Values(), g.Values.Data())
	// Output:
	// [2 2] [40 43 0 0]
	// [0 2] [1 5 2 10]
}
