package rowan_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
)

// TestMatrixInitializers: a static table starts as the whole matrix, on any
// number of threads, and again when it is cleared.
func TestMatrixInitializers(t *testing.T) {
	orthogonal := initializer.Orthogonal{Gain: 2}
	row, err := orthogonal.Rows(5000, 3, initializer.TableStream(7, "whole"))
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, 5000*3)
	for r := range 5000 {
		row(want[3*r:3*r+3], r)
	}
	for _, threads := range []int{1, 4} {
		table := newTable(t, rowan.TableOptions{Name: "whole", Width: 3, Rows: 5000, Seed: 7, Threads: threads, Initializer: orthogonal})
		for range 2 {
			if got := numbersOf(t, table); !slices.Equal(got, want) {
				t.Fatalf("%d threads: the table does not start as the matrix", threads)
			}
			if err := table.Clear(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	eye := newTable(t, rowan.TableOptions{Name: "eye", Width: 2, Rows: 3, Initializer: initializer.NewIdentity(), MaxNorm: 0.5})
	if got := numbersOf(t, eye); !slices.Equal(got, []float32{0.5, 0, 0, 0.5, 0, 0}) {
		t.Errorf("identity under MaxNorm 0.5 starts as %v", got)
	}
}

func TestMatrixInitializerRefusals(t *testing.T) {
	for message, o := range map[string]rowan.TableOptions{
		"Identity needs the whole matrix: only static tables": {Name: "a", Width: 2, Initializer: initializer.NewIdentity()},
		"use another initializer. Received: rows=8388608":     {Name: "a", Width: 64, Rows: 1 << 23, Initializer: initializer.NewOrthogonal()},
	} {
		if _, err := rowan.NewTable(o); !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), message) {
			t.Errorf("error %v, want one with %q", err, message)
		}
	}
}

// numbersOf returns all rows of a table, in the order of their keys.
func numbersOf(t *testing.T, table *rowan.Table) []float32 {
	t.Helper()
	var all []float32
	for rows, err := range table.Export(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rows.Values.Data()...)
	}
	return all
}
