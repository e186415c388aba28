package optim_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/optim"
)

func TestClipRows(t *testing.T) {
	tests := []struct {
		name  string
		clip  optim.Clip
		width int
		grads []float32
		want  []float32
	}{
		{"nothing set", optim.Clip{}, 2, []float32{3, 4, 30, 40}, []float32{3, 4, 30, 40}},
		{"value", optim.Clip{Value: 3.5}, 2, []float32{3, 4, -30, -1}, []float32{3, 3.5, -3.5, -1}},
		{"norm, each row its own", optim.Clip{Norm: 5}, 2, []float32{3, 4, 30, 40}, []float32{3, 4, 3, 4}},
		{"norm of zero", optim.Clip{Norm: 5}, 2, []float32{0, 0}, []float32{0, 0}},
		{"norm of width 1", optim.Clip{Norm: 2}, 1, []float32{-7, 1}, []float32{-2, 1}},
		{"global norm is not for here", optim.Clip{GlobalNorm: 1}, 2, []float32{3, 4}, []float32{3, 4}},
		{"no rows", optim.Clip{Norm: 1}, 0, nil, nil},
	}
	for _, test := range tests {
		got := slices.Clone(test.grads)
		test.clip.Rows(got, test.width)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestClipWeightTakesTheNormOfAll(t *testing.T) {
	got := []float32{6, 0, 0, 8}
	optim.Clip{Norm: 5}.Weight(got)
	if want := []float32{3, 0, 0, 4}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	optim.Clip{Norm: 5}.Weight(nil)
}

func TestClipNaNStaysNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, clip := range []optim.Clip{{Value: 1}, {Norm: 1}} {
		got := []float32{nan, 1}
		clip.Rows(got, 2)
		if got[0] == got[0] {
			t.Errorf("%+v hides a NaN: %v", clip, got)
		}
	}
}

// TestClipNormManyRows compares with the plain formula over more rows than are
// held at a time.
func TestClipNormManyRows(t *testing.T) {
	const width, n = 5, 700
	grads := randoms(n*width, rand.New(rand.NewPCG(1, 1)))
	got := slices.Clone(grads)
	optim.Clip{Norm: 2}.Rows(got, width)
	clipped := 0
	for i := range n {
		norm := 0.0
		for _, g := range grads[i*width:][:width] {
			norm += float64(g) * float64(g)
		}
		scale := min(1, 2/math.Sqrt(norm))
		if scale < 1 {
			clipped++
		}
		for j := i * width; j < (i+1)*width; j++ {
			if !near(float64(got[j]), float64(grads[j])*scale, 1e-6, 0) {
				t.Fatalf("row %d: %v, want %v", i, got[j], float64(grads[j])*scale)
			}
		}
	}
	if clipped == 0 || clipped == n {
		t.Errorf("%d of %d rows clipped: the test shows little", clipped, n)
	}
}

func TestGlobalScale(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		clip       optim.Clip
		sumSquares float64
		want       float32
	}{
		{optim.Clip{}, 100, 1}, {optim.Clip{Norm: 1}, 100, 1}, {optim.Clip{}, nan, 1},
		{optim.Clip{GlobalNorm: 5}, 0, 1}, {optim.Clip{GlobalNorm: 5}, 25, 1},
		{optim.Clip{GlobalNorm: 5}, 100, 0.5}, {optim.Clip{GlobalNorm: 5}, 1e80, 5e-40},
		{optim.Clip{GlobalNorm: 5}, inf, float32(nan)}, {optim.Clip{GlobalNorm: 5}, nan, float32(nan)},
	}
	for _, test := range tests {
		if got := test.clip.GlobalScale(test.sumSquares); math.Float32bits(got) != math.Float32bits(test.want) {
			t.Errorf("%+v of %v: %v, want %v", test.clip, test.sumSquares, got, test.want)
		}
	}
}

func TestSumSquaresAndScale(t *testing.T) {
	if got := optim.SumSquares([]float32{1, 2, 3, 4}, 2); got != 30 {
		t.Errorf("sum of squares %v, want 30", got)
	}
	ones := slices.Repeat([]float32{1}, 3*1000)
	if got := optim.SumSquares(ones, 3); got != 3000 {
		t.Errorf("sum of squares of 1000 rows %v, want 3000", got)
	}
	if got := optim.SumSquares(nil, 0); got != 0 {
		t.Errorf("sum of squares of nothing %v", got)
	}
	x := []float32{1, -2}
	optim.Scale(x, 0.5)
	if !slices.Equal(x, []float32{0.5, -1}) {
		t.Errorf("scaled to %v", x)
	}
}

func TestClipDoesNotAllocate(t *testing.T) {
	grads := make([]float32, 1000*8)
	allocs := testing.AllocsPerRun(20, func() {
		optim.Clip{Norm: 1}.Rows(grads, 8)
		optim.Clip{GlobalNorm: 1}.GlobalScale(optim.SumSquares(grads, 8))
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
