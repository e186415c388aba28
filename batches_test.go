package rowan_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestBatches: gradients of several batches are averaged before they are
// clipped; a row that one of them names is updated once.
func TestBatches(t *testing.T) {
	collect := func(table *rowan.Table) *rowan.Gradients {
		g := table.NewGradients()
		for _, b := range []struct {
			keys []int64
			grad []float32
		}{{[]int64{1, 2, 1}, []float32{1, 6, 2}}, {[]int64{1}, []float32{1}}} {
			l, err := table.Lookup(ctx, dense(t, b.keys), rowan.LookupOptions{Training: true})
			if err == nil {
				err = g.Add(l, values(t, b.grad, len(b.keys), 1))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return g
	}
	for _, test := range []struct {
		clip optim.Clip
		want []float32 // of keys 1, 2 and 3; means are 2 and 3
	}{
		{optim.Clip{}, []float32{-2, -3, 0}},
		{optim.Clip{Norm: 2.5}, []float32{-2, -2.5, 0}},
		{optim.Clip{GlobalNorm: float32(math.Sqrt(13) / 2)}, []float32{-1, -1.5, 0}},
	} {
		o := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1), Clip: test.clip}
		table := newTable(t, rowan.TableOptions{Width: 1, Initializer: initializer.Zeros{}, Optimizer: o})
		g := collect(table)
		if err := table.Apply(ctx, g, rowan.Step{Batches: 2}); err != nil {
			t.Fatal(err)
		}
		if got := read(t, table, 1, 2, 3); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v, want %v", test.clip, got, test.want)
		}
	}
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1)})
	sum, err := collect(table).SumSquares(ctx, rowan.Step{Batches: 2})
	if err != nil || sum != 13 {
		t.Errorf("sum of squares %v, %v, want 13", sum, err)
	}
	if err := table.Apply(ctx, table.NewGradients(), rowan.Step{Batches: -1}); !errors.Is(err, rowan.ErrOptions) {
		t.Errorf("Batches -1: %v", err)
	}
}

// TestRateOfAccumulatedBatches: a table whose optimizer accumulates has the rate
// of the last batch of each update, in catching up too.
func TestRateOfAccumulatedBatches(t *testing.T) {
	o := &optim.Optimizer{Updater: optim.SGD{}, AccumulationSteps: 3, WeightDecay: 1, Exact: true,
		Rate: optim.PiecewiseConstant{Boundaries: []int64{3, 6}, Values: []float64{0.5, 0.25, 0}}}
	table := newTable(t, rowan.TableOptions{Width: 1, Rows: 2, Initializer: initializer.Ones{}, Optimizer: o})
	for range 3 {
		step(t, table, dense(t, []int64{0}), rowan.None, func(*rowan.Lookup) *tensor.Values { return tensor.ZeroValues(1, 1) })
	}
	if got, want := read(t, table, 0, 1), []float32{0.375, 0.375}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
