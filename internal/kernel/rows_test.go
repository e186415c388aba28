package kernel

import (
	"fmt"
	"slices"
	"testing"
)

func TestRowScaling(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, width := range widths {
			for _, n := range []int{0, 1, 2, 9} {
				r := newRand(width*10 + n)
				x, by := oddNumbers(r, n*width), oddNumbers(r, n)
				for name, f := range map[string]struct {
					kernel, reference func([]float32, int, []float32)
				}{"div": {DivRows, divRowsGo}, "scale": {ScaleRows, scaleRowsGo}} {
					got, want := guardedCopy(x), slices.Clone(x)
					f.kernel(got.in, width, by)
					f.reference(want, width, by)
					wantSame(t, fmt.Sprintf("%s, width %d", name, width), got.in, want)
					got.check(t)
				}
			}
		}
	})
}

func TestDotAndSumSquares(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, width := range widths {
			r := newRand(width)
			for _, x := range [][]float32{numbers(r, 7*width), oddNumbers(r, 7*width)} {
				y := numbers(r, width)
				wantSame(t, fmt.Sprintf("dot of width %d", width),
					[]float32{Dot(guardedCopy(x[:width]).in, guardedCopy(y).in)}, []float32{dotGo(x[:width], y)})
				got, want := newGuarded(7), make([]float32, 7)
				SumSquares(got.in, guardedCopy(x).in, width)
				sumSquaresGo(want, x, width)
				wantSame(t, fmt.Sprintf("squares of width %d", width), got.in, want)
				got.check(t)
			}
		}
	})
}

// The tree is part of the contract: these sums depend on it.
func TestDotTreeByHand(t *testing.T) {
	x, ones := make([]float32, 33), make([]float32, 33)
	for i := range ones {
		ones[i] = 1
	}
	const big = 1 << 24 // big + 1 rounds to big
	x[0], x[8], x[16], x[32] = big, -big, 1, 1
	x[3], x[11] = 5, 7
	eachPath(t, func(t *testing.T) {
		// Lane 0 is (big+1)+1 = big, each 1 lost; lane 8 takes it away again.
		if got := Dot(x, ones); got != 12 {
			t.Errorf("got %g, want 12", got)
		}
	})
}
