package rowan_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
)

// TestPartition pins where keys go: rows that are stored stay found. The numbers
// were worked out by another program from the formula in the documentation.
func TestPartition(t *testing.T) {
	golden := map[int][]int32{
		2: {0, 1, 1, 1, 0, 1, 0, 0},
		5: {0, 4, 2, 0, 4, 3, 0, 2},
	}
	ints := []int64{0, 1, -1, 1 << 31, -1 << 31, math.MaxInt64, math.MinInt64, 42}
	texts := []string{"", "a", "b", "film 1", "film 2", "κ", "a\x00", strings.Repeat("x", 1000)}
	words := []int32{3, 1, 1, 2, 2, 1, 0, 2}
	out := make([]int32, len(ints))
	for n, want := range golden {
		if err := rowan.Partition(dense(t, ints), n, out); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out, want) {
			t.Errorf("%d parts: integers go to %v, want %v", n, out, want)
		}
	}
	if err := rowan.Partition(dense(t, texts), 5, out); err != nil || !slices.Equal(out, words) {
		t.Errorf("strings go to %v (%v), want %v", out, err, words)
	}
	// A key goes where it went, whatever the type that it fits in.
	narrow, wide, unsigned := make([]int32, 3), make([]int32, 3), make([]int32, 3)
	err := errors.Join(rowan.Partition(dense(t, []int32{5, -5, math.MinInt32}), 7, narrow),
		rowan.Partition(dense(t, []int64{5, -5, math.MinInt32}), 7, wide),
		rowan.Partition(dense(t, []uint64{5, math.MaxUint64 - 4, math.MaxUint64 - 1<<31 + 1}), 7, unsigned))
	if err != nil || !slices.Equal(narrow, wide) || !slices.Equal(narrow, unsigned) {
		t.Errorf("int32, int64, uint64 go to %v, %v, %v (%v)", narrow, wide, unsigned, err)
	}
	// Keys that follow each other are spread evenly: none of 5 parts is 5 % off.
	many, at, counts := make([]int64, 100_000), make([]int32, 100_000), [5]int{}
	for i := range many {
		many[i] = int64(i) * 5
	}
	if err := rowan.Partition(dense(t, many), 5, at); err != nil {
		t.Fatal(err)
	}
	for _, part := range at {
		counts[part]++
	}
	for _, n := range counts {
		if n < 19_000 || n > 21_000 {
			t.Errorf("multiples of 5 are spread as %v", counts)
		}
	}
	for name, err := range map[string]error{
		"nil":      rowan.Partition(nil, 2, nil),
		"no parts": rowan.Partition(dense(t, ints), 0, out),
		"short":    rowan.Partition(dense(t, ints), 2, out[:3]),
	} {
		if !errors.Is(err, rowan.ErrShape) {
			t.Errorf("%s: got %v, want ErrShape", name, err)
		}
	}
}
