package dataset

import (
	"math"
	"slices"
	"testing"
)

func order(n int, seed, stream uint64) []uint32 {
	p := newPermutation(n, seed, stream)
	out := make([]uint32, n)
	for i := range out {
		out[i] = p.at(i)
	}
	return out
}

func TestPermutationIsOne(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 15, 16, 17, 99, 100, 101, 1000, 65537} {
		for seed := range uint64(5) {
			got := order(n, seed, 3)
			slices.Sort(got)
			for i, x := range got {
				if int(x) != i {
					t.Fatalf("n %d, seed %d: sorted entry %d is %d", n, seed, i, x)
				}
			}
		}
	}
}

// The orders are part of what a seed means: they may not change.
func TestPermutationIsPinned(t *testing.T) {
	if got, want := order(10, 1, 0), []uint32{1, 3, 0, 5, 4, 9, 2, 6, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("seed 1: got %v, want %v", got, want)
	}
	if slices.Equal(order(100, 1, 0), order(100, 1, 1)) || slices.Equal(order(100, 1, 0), order(100, 2, 0)) {
		t.Error("another epoch or seed gives the same order")
	}
	if slices.Equal(order(100, 0, 1), order(100, 1, 0)) {
		t.Error("seed and epoch can be exchanged")
	}
}

// Each of the 24 orders of four things must come about as often as another:
// chi-squared with 23 degrees of freedom is below 49.7 with probability 0.999.
func TestPermutationOfFourIsFair(t *testing.T) {
	counts := map[[4]uint32]int{}
	const trials = 24_000
	for seed := range uint64(trials) {
		counts[[4]uint32(order(4, seed, 0))]++
	}
	chi := 0.0
	for _, c := range counts {
		chi += math.Pow(float64(c)-trials/24, 2) / (trials / 24)
	}
	if len(counts) != 24 || chi > 49.7 {
		t.Errorf("%d orders, chi-squared %.1f", len(counts), chi)
	}
}

// Where a thing goes must not follow from where it was, nor from where its
// neighbour goes.
func TestPermutationIsUncorrelated(t *testing.T) {
	const n = 10_007
	for seed := range uint64(20) {
		got := order(n, seed, 7)
		if c := correlation(got, func(i int) float64 { return float64(i) }); math.Abs(c) > 4/math.Sqrt(n) {
			t.Errorf("seed %d: correlation with the place is %.4f", seed, c)
		}
		if c := correlation(got, func(i int) float64 { return float64(got[(i+1)%n]) }); math.Abs(c) > 4/math.Sqrt(n) {
			t.Errorf("seed %d: correlation with the neighbour is %.4f", seed, c)
		}
	}
}

// correlation of x with a rearrangement of the numbers 0 to len(x)-1.
func correlation(x []uint32, y func(int) float64) float64 {
	mean, n := float64(len(x)-1)/2, float64(len(x))
	sum := 0.0
	for i, v := range x {
		sum += (float64(v) - mean) * (y(i) - mean)
	}
	return sum / (n * (n*n - 1) / 12)
}

func BenchmarkPermutation(b *testing.B) {
	p := newPermutation(100_000, 1, 0)
	i := 0
	for b.Loop() {
		p.at(i)
		if i++; i == 100_000 {
			i = 0
		}
	}
}
