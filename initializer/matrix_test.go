package initializer_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
)

// matrices is one of each initializer that needs the whole matrix.
var matrices = []initializer.Initializer{
	initializer.Orthogonal{Gain: 1.5, Seed: 4}, initializer.Identity{Gain: -2},
}

// matrix returns all rows of an array.
func matrix(t *testing.T, i initializer.Initializer, seed uint64, shape ...int) []float32 {
	t.Helper()
	row, err := initializer.Array(i, shape, initializer.TableStream(seed, "kernel"), initializer.Fan{In: 3, Out: 3})
	if err != nil {
		t.Fatal(err)
	}
	n, width := 1, shape[len(shape)-1]
	for _, d := range shape {
		n *= d
	}
	all := make([]float32, n)
	for r := n/width - 1; r >= 0; r-- { // in any order
		row(all[r*width:(r+1)*width], r)
	}
	return all
}

// TestOrthogonal: rows, or of a tall matrix columns, have length gain and are
// orthogonal to each other, to the rounding of float32 numbers.
func TestOrthogonal(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {1, 9}, {9, 1}, {4, 4}, {60, 60}, {5, 40}, {300, 16}} {
		for _, gain := range []float64{1, 2.5} {
			rows, width := shape[0], shape[1]
			w := matrix(t, initializer.Orthogonal{Gain: gain}, 3, rows, width)
			count, length, at := rows, width, func(v, i int) float64 { return float64(w[v*width+i]) }
			if rows > width {
				count, length, at = width, rows, func(v, i int) float64 { return float64(w[i*width+v]) }
			}
			for a := range count {
				for b := range a + 1 {
					product, want := 0.0, 0.0
					for i := range length {
						product += at(a, i) * at(b, i)
					}
					if a == b {
						want = gain * gain
					}
					if math.Abs(product-want) > 1e-6*gain*gain {
						t.Fatalf("%v, gain %v: the product of vectors %d and %d is %v, want %v", shape, gain, a, b, product, want)
					}
				}
			}
		}
	}
}

// TestOrthogonalIsUniform: over many seeds every entry of a 3 × 3 matrix has
// mean 0 and variance 1/3, and its determinant is as often 1 as -1. Without the
// sign of R's diagonal that Keras corrects for, the diagonal would not. 4,000
// matrices give a mean's deviation of 0.009; the bounds are four of those.
func TestOrthogonalIsUniform(t *testing.T) {
	const n = 4000
	var sum, square [9]float64
	positive := 0
	for seed := range uint64(n) {
		w := matrix(t, initializer.NewOrthogonal(), seed, 3, 3)
		for i, x := range w {
			sum[i] += float64(x)
			square[i] += float64(x) * float64(x)
		}
		det := w[0]*(w[4]*w[8]-w[5]*w[7]) - w[1]*(w[3]*w[8]-w[5]*w[6]) + w[2]*(w[3]*w[7]-w[4]*w[6])
		if det > 0 {
			positive++
		}
	}
	for i := range sum {
		if mean, variance := sum[i]/n, square[i]/n; math.Abs(mean) > 0.037 || math.Abs(variance-1.0/3) > 0.02 {
			t.Errorf("entry %d has mean %v and variance %v, want 0 and 1/3", i, mean, variance)
		}
	}
	if math.Abs(float64(positive)/n-0.5) > 0.032 {
		t.Errorf("%d of %d determinants are positive", positive, n)
	}
}

// TestOrthogonalStays pins bits, as TestRowsStay does, of a tall and a wide matrix.
func TestOrthogonalStays(t *testing.T) {
	for _, test := range []struct {
		shape []int
		want  []uint32
	}{
		{[]int{2, 3}, []uint32{0x3f4a278c, 0xbe3057d8, 0x3f16c062, 0x3f18882d, 0x3ee36c80, 0xbf2b49c0}},
		{[]int{3, 2}, []uint32{0x3f675838, 0xbe7d5131, 0x3e888bb0, 0x3f76b88f, 0x3eab8449, 0xbdcc9dd2}},
	} {
		var got []uint32
		for _, v := range matrix(t, initializer.NewOrthogonal(), 42, test.shape...) {
			got = append(got, math.Float32bits(v))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%v: %#x, want %#x", test.shape, got, test.want)
		}
	}
}

func TestOrthogonalFlattens(t *testing.T) {
	flat, deep := matrix(t, initializer.NewOrthogonal(), 1, 6, 4), matrix(t, initializer.NewOrthogonal(), 1, 2, 3, 4)
	if !slices.Equal(flat, deep) {
		t.Errorf("shape (2, 3, 4) is %v, of (6, 4) %v", deep, flat)
	}
	other := matrix(t, initializer.Orthogonal{Gain: 1, Seed: 8}, 1, 6, 4)
	if slices.Equal(flat, other) {
		t.Error("the initializer's seed makes no difference")
	}
}

func TestIdentity(t *testing.T) {
	for _, test := range []struct {
		shape []int
		want  []float32
	}{
		{[]int{2, 3}, []float32{2, 0, 0, 0, 2, 0}},
		{[]int{3, 2}, []float32{2, 0, 0, 2, 0, 0}},
	} {
		if got := matrix(t, initializer.Identity{Gain: 2}, 1, test.shape...); !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, want %v", test.shape, got, test.want)
		}
	}
}

// TestRowOfAMatrix: asked for one row, a matrix of one row is what comes.
func TestRowOfAMatrix(t *testing.T) {
	if got := row(initializer.Identity{Gain: 3}, 2, 1); !slices.Equal(got, []float32{3, 0}) {
		t.Errorf("Identity: %v", got)
	}
	v := row(initializer.Orthogonal{Gain: 3}, 2, 1)
	if length := math.Hypot(float64(v[0]), float64(v[1])); math.Abs(length-3) > 1e-6 {
		t.Errorf("Orthogonal: %v of length %v, want 3", v, length)
	}
}

func TestMatrixRefusals(t *testing.T) {
	for _, i := range matrices {
		checkError(t, initializer.Check(i, 3), i.Name()+" needs the whole matrix: only static tables and dense weights have one")
		if err := initializer.CheckMatrix(i, 9, 3); err != nil {
			t.Errorf("%s: %v", i.Name(), err)
		}
	}
	checkError(t, initializer.CheckMatrix(initializer.Orthogonal{Gain: math.NaN()}, 2, 2), "gain must be a finite number")
	checkError(t, initializer.CheckMatrix(initializer.Identity{Gain: math.Inf(1)}, 2, 2), "gain must be a finite number")
	checkError(t, initializer.CheckMatrix(initializer.Values{1}, 2, 2), "Received: 1 numbers for width 2")
	for _, shape := range [][2]int{{1 << 27, 1}, {1 << 13, 1 << 13}} {
		checkError(t, initializer.CheckMatrix(initializer.NewOrthogonal(), shape[0], shape[1]), "use another initializer. Received: rows=")
		_, err := initializer.NewOrthogonal().Rows(shape[0], shape[1], 0)
		checkError(t, err, "use another initializer. Received: rows=")
	}
	for _, test := range []struct {
		i       initializer.Initializer
		shape   []int
		message string
	}{
		{initializer.NewOrthogonal(), []int{4}, "must have at least two dimensions. Received: shape=[4]"},
		{initializer.NewIdentity(), nil, "must have at least two dimensions"},
		{initializer.NewIdentity(), []int{2, 2, 2}, "must have two dimensions. Received: shape=[2 2 2]"},
		{initializer.Values{1, 2}, []int{2, 3}, "Received: 2 numbers for width 3"},
		{initializer.NewOrthogonal(), []int{1 << 20, 1 << 10}, "use another initializer"},
	} {
		_, err := initializer.Array(test.i, test.shape, 0, initializer.Fan{})
		checkError(t, err, test.message)
	}
}
