package kernel

import (
	"cmp"
	"slices"
	"testing"
)

func TestRadixSortIsAStableSort(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 100, 5000} {
		for _, bits := range [][2]int{{0, 64}, {0, 0}, {32, 64}, {13, 24}, {5, 6}, {32, 55}, {63, 64}, {20, 43}} {
			r := newRand(n)
			keys := make([]uint64, n)
			for i := range keys {
				keys[i] = r.Uint64() >> r.IntN(64)
			}
			checkSort(t, keys, bits[0], bits[1])
		}
	}
}

func checkSort(t *testing.T, keys []uint64, lo, hi int) {
	t.Helper()
	digits := func(k uint64) uint64 { return k >> lo & (1<<(hi-lo) - 1) }
	want := slices.Clone(keys)
	slices.SortStableFunc(want, func(a, b uint64) int { return cmp.Compare(digits(a), digits(b)) })
	RadixSort(keys, make([]uint64, len(keys)+3), lo, hi)
	if !slices.Equal(keys, want) {
		t.Fatalf("%d keys are not sorted by bits %d to %d", len(keys), lo, hi)
	}
}

func TestRadixSortOfEqualDigits(t *testing.T) {
	keys := make([]uint64, 300)
	for i := range keys {
		keys[i] = 7<<40 | uint64(300-i)
	}
	checkSort(t, keys, 32, 64)
	checkSort(t, keys, 0, 64)
}
