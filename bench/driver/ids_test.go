package main

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestUniformCoversTheRange(t *testing.T) {
	const n, count = 100, 100_000
	seen := make([]int, n)
	for _, id := range uniform(1, n, count) {
		if id < 0 || id >= n {
			t.Fatalf("id %d lies outside [0, %d)", id, n)
		}
		seen[id]++
	}
	// 1,000 expected each, standard deviation 31.
	if lo, hi := slices.Min(seen), slices.Max(seen); lo < 850 || hi > 1150 {
		t.Errorf("ids occur %d to %d times, want about 1,000", lo, hi)
	}
}

// TestZipfFollowsTheLaw compares the frequency of each of the first ranks with
// the integral of the density over it.
func TestZipfFollowsTheLaw(t *testing.T) {
	const n, count = 100_000, 1_000_000
	m := scatter(n)
	seen := map[int64]int{}
	for _, id := range zipf(3, n, count) {
		if id < 0 || id >= n {
			t.Fatalf("id %d lies outside [0, %d)", id, n)
		}
		seen[id]++
	}
	whole := 1 - math.Pow(n+1, 1-zipfExponent)
	for rank := range 20 {
		p := (math.Pow(float64(rank+1), 1-zipfExponent) - math.Pow(float64(rank+2), 1-zipfExponent)) / whole
		got, want := seen[int64(rank*m%n)], p*count
		if math.Abs(float64(got)-want) > 6*math.Sqrt(want) {
			t.Errorf("rank %d occurs %d times, want about %.0f", rank, got, want)
		}
	}
}

func TestScatterIsABijection(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 1024, 4096, 9999} {
		m, seen := scatter(n), make([]bool, n)
		for rank := range n {
			seen[rank*m%n] = true
		}
		if slices.Contains(seen, false) {
			t.Errorf("scatter(%d) = %d maps two ranks to one id", n, m)
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	k := keys(1, 100_000)
	if !slices.Equal(k, keys(1, 100_000)) {
		t.Error("keys of one seed differ from run to run")
	}
	s := shuffled(2, k)
	if slices.Equal(k, s) {
		t.Error("shuffled keys are in the old order")
	}
	slices.Sort(k)
	if len(slices.Compact(slices.Clone(k))) != len(k) {
		t.Error("two keys are equal")
	}
	if slices.Sort(s); !slices.Equal(k, s) {
		t.Error("shuffled keys are not the same keys")
	}
}

func TestWriteIDs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ids")
	if err := writeIDs(file, []int64{1, -2}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	minusTwo := int64(-2)
	want := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 1), uint64(minusTwo))
	if !slices.Equal(got, want) {
		t.Errorf("file holds % x, want % x", got, want)
	}
}
