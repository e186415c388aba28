package rowan_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

var ctx = context.Background()

// newTable makes a table that is closed when the test ends.
func newTable(t testing.TB, o rowan.TableOptions) *rowan.Table {
	t.Helper()
	if o.Name == "" {
		o.Name = "film"
	}
	table, err := rowan.NewTable(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	return table
}

func dense[K tensor.Key](t testing.TB, values []K, shape ...int) *tensor.Dense[K] {
	t.Helper()
	d, err := tensor.NewDense(values, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func values(t testing.TB, data []float32, shape ...int) *tensor.Values {
	t.Helper()
	v, err := tensor.NewValues(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// batch is a random batch of bags in a form that the oracle understands.
type batch[K tensor.Key] struct {
	ids     tensor.IDs
	bags    [][]K
	weights [][]float32 // nil: none
}

// randomBatch draws bags of ids from draw in one of the three layouts.
func randomBatch[K tensor.Key](t testing.TB, r *rand.Rand, draw func() K, layout string, bags, longest int, weighted bool) batch[K] {
	t.Helper()
	var b batch[K]
	var flat []K
	var weights []float32
	var indices []int64
	for i := range bags {
		n := r.IntN(longest + 1)
		if layout == "dense" {
			n = longest
		}
		var bag []K
		var ws []float32
		for j := range n {
			bag = append(bag, draw())
			ws = append(ws, float32(r.IntN(9)-2)/4)
			indices = append(indices, int64(i), int64(2*j))
		}
		flat, weights = append(flat, bag...), append(weights, ws...)
		b.bags = append(b.bags, bag)
		if weighted {
			b.weights = append(b.weights, ws)
		}
	}
	var err error
	switch layout {
	case "dense":
		d := dense(t, flat, bags, longest)
		if b.ids = d; weighted {
			b.ids, err = d.WithWeights(weights)
		}
	case "ragged":
		d := tensor.RaggedOf(b.bags...)
		if b.ids = d; weighted {
			b.ids, err = d.WithWeights(weights)
		}
	case "sparse":
		d, e := tensor.NewSparse(indices, flat, bags, 2*longest+1)
		if e != nil {
			t.Fatal(e)
		}
		if b.ids = d; weighted {
			b.ids, err = d.WithWeights(weights)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// factors returns what each id of bag i is multiplied by when it is pooled.
func (b batch[K]) factors(i int, c rowan.Combiner) []float64 {
	w := make([]float64, len(b.bags[i]))
	var div float64
	for j := range w {
		w[j] = 1
		if b.weights != nil {
			w[j] = float64(b.weights[i][j])
		}
		switch c {
		case rowan.Mean:
			div += w[j]
		case rowan.SqrtN:
			div += w[j] * w[j]
		}
	}
	if c == rowan.SqrtN {
		div = math.Sqrt(div)
	}
	if c == rowan.Sum {
		return w
	}
	for j := range w {
		if w[j] /= div; div == 0 {
			w[j] = 0
		}
	}
	return w
}

// pool is the slow oracle of the forward pass.
func (b batch[K]) pool(rows map[K][]float64, width int, c rowan.Combiner) []float64 {
	out := make([]float64, len(b.bags)*width)
	for i, bag := range b.bags {
		for j, f := range b.factors(i, c) {
			for d, x := range rows[bag[j]] {
				out[i*width+d] += f * x
			}
		}
	}
	return out
}

// back is the slow oracle of the backward pass: a summed gradient a key.
func (b batch[K]) back(grad []float32, width int, c rowan.Combiner) map[K][]float64 {
	sums := map[K][]float64{}
	for i, bag := range b.bags {
		for j, f := range b.factors(i, c) {
			if sums[bag[j]] == nil {
				sums[bag[j]] = make([]float64, width)
			}
			for d := range width {
				sums[bag[j]][d] += f * float64(grad[i*width+d])
			}
		}
	}
	return sums
}

func near(t testing.TB, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= 1e-5*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: number %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func randomGradient(r *rand.Rand, n int) []float32 {
	g := make([]float32, n)
	for i := range g {
		g[i] = float32(r.NormFloat64())
	}
	return g
}

// everyDType are the types of rows that are trained.
var everyDType = []rowan.DType{rowan.Float32, rowan.Float16, rowan.BFloat16, rowan.Float64}

// isNarrow reports whether rows of a type are rounded after each step.
func isNarrow(d rowan.DType) bool { return d == rowan.Float16 || d == rowan.BFloat16 }

// TestAgainstOracle trains small tables of every kind, and of every type of rows,
// on random batches of every layout and compares each forward and backward pass
// with plain loops.
func TestAgainstOracle(t *testing.T) {
	for _, static := range []bool{false, true} {
		for _, layout := range []string{"dense", "ragged", "sparse"} {
			for _, c := range []rowan.Combiner{rowan.Sum, rowan.Mean, rowan.SqrtN} {
				for _, weighted := range []bool{false, true} {
					for _, d := range everyDType {
						name := fmt.Sprintf("static=%v/%s/%v/weighted=%v/%v", static, layout, c, weighted, d)
						t.Run(name, func(t *testing.T) {
							againstOracle(t, layout, c, weighted, static, d, func(i int) int64 { return int64(i) })
						})
					}
				}
			}
		}
	}
}

// TestKeyTypes does the same for the other key types.
func TestKeyTypes(t *testing.T) {
	t.Run("int32", func(t *testing.T) {
		againstOracle(t, "ragged", rowan.Mean, true, false, rowan.Float32, func(i int) int32 { return int32(-i * 1e7) })
	})
	t.Run("int64", func(t *testing.T) {
		againstOracle(t, "ragged", rowan.Mean, true, false, rowan.Float32, func(i int) int64 { return math.MinInt64 + int64(i) })
	})
	t.Run("uint64", func(t *testing.T) {
		againstOracle(t, "ragged", rowan.Mean, true, false, rowan.Float32, func(i int) uint64 { return math.MaxUint64 - uint64(i) })
	})
	t.Run("string", func(t *testing.T) {
		for _, d := range everyDType {
			againstOracle(t, "ragged", rowan.Mean, true, false, d, func(i int) string { return fmt.Sprint("film ", i) })
		}
	})
}

func againstOracle[K tensor.Key](t *testing.T, layout string, c rowan.Combiner, weighted, static bool, d rowan.DType, key func(int) K) {
	const keys, width, lr = 60, 5, 0.25
	r := rand.New(rand.NewPCG(1, 2))
	o := rowan.TableOptions{
		Width: width, KeyType: tensor.KeyTypeOf[K](), Seed: 7, DType: d,
		Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(lr)},
	}
	if static {
		o.Rows = keys
	}
	table := newTable(t, o)
	rows := map[K][]float64{}
	for i := range keys {
		rows[key(i)] = firstValues(t, table, key(i))
	}
	draw := func() K { return key(r.IntN(keys)) }
	var l rowan.Lookup
	g := table.NewGradients()
	for step := range 10 {
		b := randomBatch(t, r, draw, layout, r.IntN(40), 1+r.IntN(6), weighted)
		if err := table.LookupInto(ctx, &l, b.ids, rowan.LookupOptions{Combiner: c, Training: true}); err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprint("step ", step), l.Values().Data(), b.pool(rows, width, c))
		grad := randomGradient(r, len(b.bags)*width)
		g.Reset()
		if err := g.Add(&l, values(t, grad, len(b.bags), width)); err != nil {
			t.Fatal(err)
		}
		if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
			t.Fatal(err)
		}
		for k, sum := range b.back(grad, width, c) {
			for d := range sum {
				rows[k][d] -= lr * sum[d]
			}
			if isNarrow(d) {
				rows[k] = rounded(t, fmt.Sprintf("step %d, key %v", step, k), d, firstValues(t, table, k), rows[k])
			}
		}
	}
	if table.Step() != 10 {
		t.Errorf("step is %d, want 10", table.Step())
	}
}

// rounded checks that got is want, rounded to one of the two numbers of the type
// on either side of it, up to what float32 leaves of a step, and returns it.
func rounded(t testing.TB, what string, d rowan.DType, got, want []float64) []float64 {
	t.Helper()
	h := kernel.Half(d)
	for i, x := range got {
		if !h.Holds(float32(x)) {
			t.Fatalf("%s: number %d is %v, which is no %v", what, i, x, d)
		}
		near := h.Nearest(float32(math.Abs(x)))
		apart := float64(h.Widen(near+1) - h.Widen(near))
		if off := math.Abs(x - want[i]); !(off < apart+1e-5*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: number %d is %v, want a neighbour of %v, %v apart", what, i, x, want[i], apart)
		}
	}
	return got
}

// firstValues reads the row of a key that may not be there yet.
func firstValues[K tensor.Key](t testing.TB, table *rowan.Table, key K) []float64 {
	t.Helper()
	l, err := table.Lookup(ctx, dense(t, []K{key}), rowan.LookupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float64, table.Width())
	for i, x := range l.Values().Data() {
		row[i] = float64(x)
	}
	return row
}
