package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// bagLengths make batches that cross every branch of the loop: empty bags at
// either end, bags of one, a bag longer than the prefetch distance.
var bagLengths = [][]int{
	{}, {0}, {1}, {0, 0}, {0, 1, 0}, {1, 1, 1, 1}, {2, 0, 3}, {31, 1}, {32}, {33, 0, 5}, {100, 1}, {20, 20, 20},
}

// poolCase is one call of PoolSum.
type poolCase struct {
	out, slab     []float32
	width, stride int
	idx           []uint32
	offsets       []int64
	weights       []float32
}

func newPoolCase(r *rand.Rand, width int, lengths []int, numbers func(*rand.Rand, int) []float32) *poolCase {
	c := &poolCase{width: width, stride: width + r.IntN(3)*r.IntN(9), offsets: []int64{r.Int64N(3) * 1000}}
	for _, n := range lengths {
		c.offsets = append(c.offsets, c.offsets[len(c.offsets)-1]+int64(n))
	}
	rows := 1 + r.IntN(30)
	n := int(c.offsets[len(lengths)] - c.offsets[0])
	c.slab = numbers(r, (rows-1)*c.stride+width)
	c.idx = indices(r, n, rows)
	c.weights = numbers(r, n)
	c.out = numbers(r, len(lengths)*width)
	return c
}

// check compares PoolSum with the reference, with and without weights.
func (c *poolCase) check(t *testing.T) {
	t.Helper()
	for _, weights := range [][]float32{nil, c.weights} {
		want := slices.Clone(c.out)
		poolSumGo(want, c.width, c.slab, c.stride, c.idx, c.offsets, weights)
		got, slab := guardedCopy(c.out), guardedCopy(c.slab)
		PoolSum(got.in, c.width, slab.in, c.stride, c.idx, c.offsets, weights)
		what := fmt.Sprintf("width %d, stride %d, offsets %v, weighted %t", c.width, c.stride, c.offsets, weights != nil)
		wantSame(t, what, got.in, want)
		got.check(t)
	}
}

func TestPoolSumEqualsReference(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, width := range widths {
			for i, lengths := range bagLengths {
				newPoolCase(newRand(width*100+i), width, lengths, numbers).check(t)
				newPoolCase(newRand(width*100+i), width, lengths, oddNumbers).check(t)
			}
		}
	})
}

func TestPoolSumByHand(t *testing.T) {
	slab := []float32{1, 2, 99, 10, 20, 99, 100, 200, 99}
	idx, offsets := []uint32{2, 0, 2}, []int64{0, 2, 2, 3}
	for _, c := range []struct{ weights, want []float32 }{
		{nil, []float32{101, 202, 0, 0, 100, 200}},
		{[]float32{0.5, 2, -1}, []float32{52, 104, 0, 0, -100, -200}},
	} {
		eachPath(t, func(t *testing.T) {
			out := make([]float32, 6)
			PoolSum(out, 2, slab, 3, idx, offsets, c.weights)
			wantSame(t, "out", out, c.want)
		})
	}
}

func TestPoolSumInPiecesGivesTheSameBits(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		c := newPoolCase(newRand(7), 65, []int{100}, numbers)
		whole, pieces := slices.Clone(c.out), slices.Clone(c.out)
		PoolSum(whole, c.width, c.slab, c.stride, c.idx, c.offsets, c.weights)
		for from := 0; from < 100; from += 23 {
			to := min(from+23, 100)
			PoolSum(pieces, c.width, c.slab, c.stride, c.idx[from:to], []int64{int64(from), int64(to)}, c.weights[from:to])
		}
		wantSame(t, "pieces", pieces, whole)
	})
}

func TestGatherAndScatterCopyRows(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, width := range widths {
			for _, n := range []int{0, 1, 2, 33} {
				checkCopies(t, newRand(width*100+n), width, n)
			}
		}
	})
}

func checkCopies(t *testing.T, r *rand.Rand, width, n int) {
	t.Helper()
	stride, rows := width+r.IntN(4), n+r.IntN(5)+1
	idx := distinct(r, n, rows)
	slab := guardedCopy(oddNumbers(r, (rows-1)*stride+width))

	want, out := make([]float32, n*width), newGuarded(n*width)
	gatherGo(want, width, slab.in, stride, idx)
	Gather(out.in, width, slab.in, stride, idx)
	wantSame(t, fmt.Sprintf("gather of width %d", width), out.in, want)
	out.check(t)

	in := oddNumbers(r, n*width)
	want = slices.Clone(slab.in)
	scatterGo(want, stride, width, idx, in)
	Scatter(slab.in, stride, width, idx, in)
	wantSame(t, fmt.Sprintf("scatter of width %d", width), slab.in, want)
	slab.check(t)
}

func TestLengthsAreChecked(t *testing.T) {
	x := make([]float32, 12) // 4 rows of 3
	two := []uint32{1, 3}
	calls := map[string]func(){
		"row outside":          func() { PoolSum(x, 3, x, 3, []uint32{4}, []int64{0, 1}, nil) },
		"row outside, many":    func() { PoolSum(x, 3, x, 3, []uint32{0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0}, []int64{0, 11}, nil) },
		"huge row":             func() { PoolSum(x, 3, x, 3, []uint32{1<<32 - 1}, []int64{0, 1}, nil) },
		"short last row":       func() { PoolSum(x, 3, x[:11], 3, two, []int64{0, 2}, nil) },
		"stride under width":   func() { PoolSum(x, 3, x, 2, two, []int64{0, 2}, nil) },
		"short out":            func() { PoolSum(x[:5], 3, x, 3, two, []int64{0, 1, 2}, nil) },
		"offsets past idx":     func() { PoolSum(x, 3, x, 3, two, []int64{0, 3}, nil) },
		"decreasing offsets":   func() { PoolSum(x, 3, x, 3, two, []int64{0, 2, 1}, nil) },
		"overflowing offsets":  func() { PoolSum(x, 3, x, 3, two, []int64{-1 << 63, 1<<63 - 1}, nil) },
		"few weights":          func() { PoolSum(x, 3, x, 3, two, []int64{0, 2}, x[:1]) },
		"width 0":              func() { PoolSum(x, 0, x, 3, two, []int64{0, 2}, nil) },
		"negative width":       func() { PoolSum(x, -1, x, 3, two, []int64{0, 2}, nil) },
		"gather, short out":    func() { Gather(x[:5], 3, x, 3, two) },
		"gather, row outside":  func() { Gather(x, 3, x, 3, []uint32{4}) },
		"scatter, short in":    func() { Scatter(x, 3, 3, two, x[:5]) },
		"scatter, row outside": func() { Scatter(x, 3, 3, []uint32{0, 4}, x) },
		"dot, short b":         func() { Dot(x[:2:2], x[:1:1]) },
		"squares, short x":     func() { SumSquares(x[:5], x, 3) },
		"div, short x":         func() { DivRows(x, 3, x[:5]) },
		"scale, short x":       func() { ScaleRows(x, 3, x[:5]) },
		"sgd, short grads":     func() { SGD(x, 3, 3, two, x[:5], 1) },
		"adagrad, no state":    func() { Adagrad(x, 3, 3, two, x, 1, 1) },
		"row-wise, no state":   func() { RowWiseAdagrad(x, 3, 3, two, x, 1, 1) },
		"adam, little state":   func() { Adam(x, 6, 3, two, x, AdamStep{}) },
		"decay, short row":     func() { AdamDecay(x[:8], 3, x, 0, 0, 0) },
		"sort, short scratch":  func() { RadixSort(make([]uint64, 3), make([]uint64, 2), 0, 64) },
		"sort, bits":           func() { RadixSort(nil, nil, 3, 65) },
	}
	eachPath(t, func(t *testing.T) {
		for what, f := range calls {
			wantPanic(t, what, f)
		}
	})
}

func TestEmptyCallsDoNothing(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		PoolSum(nil, 3, nil, 3, nil, nil, nil)
		PoolSum(nil, 3, nil, 3, nil, []int64{5}, nil)
		PoolSum(make([]float32, 6), 3, nil, 3, nil, []int64{5, 5, 5}, nil)
		Gather(nil, 3, nil, 3, nil)
		Scatter(nil, 3, 3, nil, nil)
		SumSquares(nil, nil, 3)
		Adam(nil, 9, 3, nil, nil, AdamStep{})
		AdamDecay(make([]float32, 9), 3, nil, 0, 0, 0)
		RadixSort(nil, nil, 0, 64)
		if got := Dot(nil, nil); got != 0 {
			t.Errorf("Dot of nothing is %g", got)
		}
	})
}

func TestMaxIndex(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for n := range 70 {
			for at := range n {
				idx := make([]uint32, n)
				idx[at] = 1<<32 - 1 - uint32(at)
				if got := maxIndex(idx); got != idx[at] {
					t.Fatalf("largest of %d indices, at %d: got %d, want %d", n, at, got, idx[at])
				}
			}
		}
	})
}
