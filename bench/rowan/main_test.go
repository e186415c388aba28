package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// ids writes a file of ids and returns it as an --ids argument.
func ids(t *testing.T, name string, list ...int64) string {
	t.Helper()
	var raw []byte
	for _, id := range list {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(id))
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return name + "=" + file
}

func figures(t *testing.T, args ...string) []figure {
	t.Helper()
	var out bytes.Buffer
	args = append(args, "--dim", "4", "--bag", "2", "--batch", "3", "--seconds", "0.001")
	if err := run(context.Background(), args, &out); err != nil {
		t.Fatal(err)
	}
	var list []figure
	for d := json.NewDecoder(&out); d.More(); {
		var f figure
		if err := d.Decode(&f); err != nil {
			t.Fatal(err)
		}
		if f.Rate <= 0 {
			t.Errorf("%+v has no rate", f)
		}
		list = append(list, f)
	}
	return list
}

// rowSum is the sum of row r's first values at width 4.
func rowSum(r int) float64 { return float64(16*r+6) / 1024 }

func TestGather(t *testing.T) {
	got := figures(t, "--work", "gather", "--rows", "10", "--ids", ids(t, "uniform", 0, 1, 1, 9, 3, 3))
	want := 2*rowSum(1) + 2*rowSum(3) + rowSum(0) + rowSum(9)
	if len(got) != 1 || got[0].Check != want || got[0].Dist != "uniform" {
		t.Errorf("figures = %+v, want one with check %v", got, want)
	}
}

// TestTrain: after one step of Adagrad every touched weight is one learning
// rate lower, since all gradients are above 0, and a lookup sees each id again.
func TestTrain(t *testing.T) {
	got := figures(t, "--work", "train", "--rows", "10", "--ids", ids(t, "zipf", 0, 1, 1, 9, 3, 3))
	want := 2*rowSum(1) + 2*rowSum(3) + rowSum(0) + rowSum(9) - 6*4*0.1
	if len(got) != 1 || got[0].Check < want-1e-5 || got[0].Check > want+1e-5 {
		t.Errorf("figures = %+v, want one with check %v", got, want)
	}
}

func TestDynamic(t *testing.T) {
	got := figures(t, "--work", "dynamic", "--rows", "12",
		"--ids", ids(t, "insert", 11, 12, 13, 14, 15, 16, -1, -2, -3, -4, -5, -6),
		"--ids", ids(t, "find", -1, -2, -3, 11, 12, 13, -4, -5, -6, 14, 15, 16))
	var found float64 // keys of the last batch hold the rows at which they were inserted
	for _, r := range []int{3, 4, 5, 3, 4, 5} {
		found += rowSum(r)
	}
	want := []struct {
		op    string
		check float64
	}{{"insert", 12}, {"find", found}, {"upsert", 12}}
	if len(got) != len(want) {
		t.Fatalf("figures = %+v, want insert, find and upsert", got)
	}
	for i, w := range want {
		if got[i].Op != w.op || got[i].Check != w.check {
			t.Errorf("figure %d = %+v, want %+v", i, got[i], w)
		}
	}
}

func TestBadArguments(t *testing.T) {
	few := ids(t, "uniform", 1, 2)
	for _, args := range [][]string{
		{"--work", "swim"},
		{"--work", "gather", "--rows", "10", "--ids", few},
		{"--work", "gather", "--rows", "10", "--ids", "uniform=/nonexistent"},
		{"--work", "dynamic", "--rows", "10"},
		{"--swim"},
	} {
		if err := run(context.Background(), args, &bytes.Buffer{}); err == nil {
			t.Errorf("run(%q) gave no error", args)
		}
	}
}
