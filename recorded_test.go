package rowan_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// recordedLookups is what interop/record_lookups.py has written. A number that
// is null is NaN there.
type recordedLookups struct {
	Table    []float32   `json:"table"`
	Bags     [][]int64   `json:"bags"`
	Weights  [][]float32 `json:"weights"`
	Upstream []float32   `json:"upstream"`
	Cases    []struct {
		Source   string     `json:"source"`
		Combiner string     `json:"combiner"`
		Weighted bool       `json:"weighted"`
		Values   []*float32 `json:"values"`
		Gradient []*float32 `json:"gradient"`
	} `json:"cases"`
}

// TestRecordedLookups pools the bags of interop/record_lookups.py: values and
// gradients are those of TensorFlow and PyTorch, in ragged, sparse and padded
// layouts and from static and dynamic tables. Where TensorFlow's gradient is NaN
// there is a finite one here. Tolerance: sums of up to four float32 in another order.
func TestRecordedLookups(t *testing.T) {
	for _, name := range []string{"lookups-tensorflow.json", "lookups-torch.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var golden recordedLookups
		if err := json.Unmarshal(text, &golden); err != nil {
			t.Fatal(err)
		}
		if len(golden.Cases) < 4 {
			t.Fatalf("%s has %d cases", name, len(golden.Cases))
		}
		for _, c := range golden.Cases {
			for layout, ids := range golden.layouts(t, c.Weighted) {
				for _, rows := range []int{0, len(golden.Table) / 3} {
					t.Run(fmt.Sprintf("%s/%s/weighted=%v/%s/rows=%d", c.Source, c.Combiner, c.Weighted, layout, rows), func(t *testing.T) {
						combiner := must(rowan.ParseCombiner(c.Combiner))
						values, gradient := golden.run(t, rows, ids, combiner)
						same(t, "values", values, c.Values)
						same(t, "gradient", gradient, c.Gradient)
					})
				}
			}
		}
	}
}

// layouts returns the bags as ragged, sparse and dense ids; of the dense ones
// the padding id fills bags up, which is -1.
func (g *recordedLookups) layouts(t *testing.T, weighted bool) map[string]tensor.IDs {
	t.Helper()
	longest := 0
	for _, b := range g.Bags {
		longest = max(longest, len(b))
	}
	var coordinates, flat, padded []int64
	var weights, paddedWeights []float32
	for i, b := range g.Bags {
		for j, id := range b {
			coordinates = append(coordinates, int64(i), int64(j))
			flat = append(flat, id)
		}
		weights = append(weights, g.Weights[i]...)
		padded = append(append(padded, b...), slices.Repeat([]int64{-1}, longest-len(b))...)
		paddedWeights = append(append(paddedWeights, g.Weights[i]...), make([]float32, longest-len(b))...)
	}
	ragged := tensor.RaggedOf(g.Bags...)
	sparse := must(tensor.NewSparse(coordinates, flat, len(g.Bags), longest))
	dense := must(tensor.NewDense(padded, len(g.Bags), longest))
	if weighted {
		ragged, sparse = must(ragged.WithWeights(weights)), must(sparse.WithWeights(weights))
		dense = must(dense.WithWeights(paddedWeights))
	}
	return map[string]tensor.IDs{"ragged": ragged, "sparse": sparse, "dense": dense}
}

// run pools the ids and returns the gradient of the table, which is what a step
// of gradient descent of rate 1 takes off it.
func (g *recordedLookups) run(t *testing.T, rows int, ids tensor.IDs, c rowan.Combiner) (values, gradient []float32) {
	t.Helper()
	ctx := context.Background()
	table := must(rowan.NewTable(rowan.TableOptions{Name: "recorded", Width: 3, Rows: rows, Initializer: initializer.Zeros{}, Padding: rowan.PaddingID(-1),
		Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}}))
	defer table.Close()
	all := make([]int64, len(g.Table)/3)
	for i := range all {
		all[i] = int64(i)
	}
	keys := must(tensor.NewDense(all))
	check(table.Upsert(ctx, keys, must(tensor.NewValues(g.Table, len(all), 3))))
	l := must(table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: c, Training: true}))
	collected := table.NewGradients()
	check(collected.Add(l, must(tensor.NewValues(g.Upstream, len(g.Bags), 3))))
	check(table.Apply(ctx, collected, rowan.Step{}))
	after := must(table.Lookup(ctx, keys, rowan.LookupOptions{})).Values().Data()
	for i, w := range g.Table {
		gradient = append(gradient, w-after[i])
	}
	return l.Values().Data(), gradient
}

func same(t *testing.T, what string, got []float32, want []*float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d %s, want %d", len(got), what, len(want))
	}
	for i, w := range want {
		switch {
		case w == nil && got[i]-got[i] != 0:
			t.Errorf("%s[%d] = %v, want a finite number where the source has NaN", what, i, got[i])
		case w != nil && !(math.Abs(float64(got[i]-*w)) <= 2e-6*max(1, math.Abs(float64(*w)))):
			t.Errorf("%s[%d] = %v, want %v", what, i, got[i], *w)
		}
	}
}
