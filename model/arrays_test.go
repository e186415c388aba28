package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// batchesOf describes the batches from a cursor on: ids of every layout, labels, weights, end.
func batchesOf(t *testing.T, a *Arrays, from dataset.Cursor) []string {
	t.Helper()
	var all []string
	for b, err := range a.Batches(t.Context(), from) {
		check(t, err)
		dense, ragged := b.Named["dense"].IDs.(*tensor.Dense[int32]), b.Named["ragged"].IDs.(*tensor.Ragged[uint64])
		sparse, float := b.Named["sparse"].IDs.(*tensor.Sparse[string]), b.Named["float"]
		all = append(all, fmt.Sprint(b.N, dense.Values(), dense.Shape(), ragged.Values(), ragged.Splits(), ragged.Weights(),
			sparse.Indices(), sparse.Values(), sparse.Shape(), sparse.Weights(), float.Floats.Data(), float.Mask,
			b.Labels[0].Data(), b.Labels[0].Shape(), b.Weights, b.End))
	}
	return all
}

func everyLayout(t *testing.T) *Arrays {
	t.Helper()
	ragged := tensor.RaggedOf([]uint64{1, 2}, nil, []uint64{3})
	sparse := must[*tensor.Sparse[string]](t)(tensor.NewSparse([]int64{0, 1, 2, 0, 2, 3}, []string{"a", "b", "c"}, 3, 4))
	return &Arrays{
		Named: map[string]layer.Value{
			"dense":  {IDs: must[*tensor.Dense[int32]](t)(tensor.NewDense([]int32{1, 2, 3, 4, 5, 6}, 3, 2))},
			"ragged": {IDs: must[*tensor.Ragged[uint64]](t)(ragged.WithWeights([]float32{.1, .2, .3}))},
			"sparse": {IDs: must[*tensor.Sparse[string]](t)(sparse.WithWeights([]float32{1, 2, 3}))},
			"float":  {Floats: floats(t, []float32{7, 8, 9}, 3, 1), Mask: []bool{true, false, true}},
		},
		Labels: []*tensor.Values{floats(t, []float32{1, 2, 3, 4, 5, 6}, 3, 2)}, Weights: []float32{4, 5, 6}, BatchSize: 2,
	}
}

func TestArraysOfEveryLayout(t *testing.T) {
	a := everyLayout(t)
	want := []string{
		"2 [1 2 3 4] [2 2] [1 2] [0 2 2] [0.1 0.2] [0 1] [a] [2 4] [1] [7 8] [true false] [1 2 3 4] [2 2] [4 5] {0 2}",
		"1 [5 6] [1 2] [3] [0 1] [0.3] [0 0 0 3] [b c] [1 4] [2 3] [9] [true] [5 6] [1 2] [6] {1 0}",
	}
	if got := batchesOf(t, a, dataset.Cursor{}); !slices.Equal(got, want) {
		t.Errorf("batches\n%q\nwant\n%q", got, want)
	}
	if a.Steps() != 2 {
		t.Errorf("%d steps", a.Steps())
	}
}

func TestArraysGoOnFromACursor(t *testing.T) {
	a := everyLayout(t)
	a.BatchSize, a.Shuffle, a.Seed = 1, true, 3
	orders := make(map[string]bool)
	for epoch := range int64(20) {
		all := batchesOf(t, a, dataset.Cursor{Epoch: epoch})
		for at := range int64(3) {
			if got := batchesOf(t, a, dataset.Cursor{Epoch: epoch, Position: at}); !slices.Equal(got, all[at:]) {
				t.Errorf("epoch %d from %d: %q, want %q", epoch, at, got, all[at:])
			}
		}
		orders[fmt.Sprint(a.order(3, epoch))] = true
	}
	if len(orders) != 6 {
		t.Errorf("20 epochs have %d orders of 3 examples, want all 6", len(orders))
	}
}

func TestArraysErrors(t *testing.T) {
	two, three := floats(t, make([]float32, 2), 2), floats(t, make([]float32, 3), 3)
	for _, c := range []struct {
		name string
		a    Arrays
		want string
	}{
		{"nothing", Arrays{}, "no examples"},
		{"batch size", Arrays{Inputs: []layer.Value{{Floats: two}}, BatchSize: -1}, "-1"},
		{"inputs", Arrays{Inputs: []layer.Value{{Floats: two}, {Floats: three}}}, "input 1 holds 3 examples, the first array 2"},
		{"named", Arrays{Named: map[string]layer.Value{"a": {Floats: two}, "b": {Floats: three}}}, `input "b" holds 3`},
		{"labels", Arrays{Inputs: []layer.Value{{Floats: two}}, Labels: []*tensor.Values{three}}, "labels 0 holds 3"},
		{"nil labels", Arrays{Inputs: []layer.Value{{Floats: two}}, Labels: []*tensor.Values{nil}}, "labels 0"},
		{"weights", Arrays{Inputs: []layer.Value{{Floats: two}}, Weights: []float32{1}}, "weights holds 1"},
		{"scalar", Arrays{Inputs: []layer.Value{{Floats: floats(t, []float32{1})}}}, "scalar"},
		{"empty", Arrays{Inputs: []layer.Value{{Floats: floats(t, nil, 0, 3)}}}, "no examples"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, err := range c.a.Batches(t.Context(), dataset.Cursor{}) {
				wants(t, err, c.want)
			}
			if c.a.Steps() != -1 {
				t.Errorf("%d steps", c.a.Steps())
			}
		})
	}
	good := Arrays{Inputs: []layer.Value{{Floats: two}}}
	for _, from := range []dataset.Cursor{{Epoch: -1}, {Position: -1}, {Position: 2}} {
		for _, err := range good.Batches(t.Context(), from) {
			wants(t, err, "cursor")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range good.Batches(ctx, dataset.Cursor{}) {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}
