package rowan_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestFloat64Combiners does what TestEveryCombiner does, over tables of float64 and
// by their own methods: what is read agrees with the oracle to 1e-12 of 1 and the
// number, where float32 would be off by 1e-8, and gradients with central differences
// to 1e-7, which is what these leave of themselves.
func TestFloat64Combiners(t *testing.T) {
	for _, c := range everyCombiner {
		for _, layout := range []string{"dense", "ragged", "sparse"} {
			for _, kind := range tableKinds {
				for _, weighted := range []bool{false, true} {
					if takes, _ := takesWeights(c); weighted && !takes || c == squares {
						continue
					}
					t.Run(fmt.Sprintf("%v/%s/%s/weighted=%v", c, layout, kind.name, weighted), func(t *testing.T) {
						float64Combiner(t, c, layout, kind.o, kind.read, weighted)
					})
				}
			}
		}
	}
}

func float64Combiner(t *testing.T, c rowan.Combiner, layout string, o rowan.TableOptions, read func(int64, bool, bool) reading, weighted bool) {
	const width, rate = 3, 0.125
	r := rand.New(rand.NewPCG(uint64(len(layout)), uint64(c)))
	o.Width, o.Initializer, o.Optimizer = width, initializer.RandomUniform{Min: -2, Max: 2}, sgd(rate)
	table := newTableOf[float64](t, o)
	g := table.NewGradients()
	for range propertyCases {
		b := randomBatch(t, r, func() int64 { return int64(r.IntN(propertyKeys)) }, layout, 1+r.IntN(6), 1+r.IntN(5), weighted)
		if _, counts := takesWeights(c); counts {
			b.nonNegative()
		}
		rows := readRows64(t, table)
		forward := func() []float64 {
			return combineBatch(b, c, rows, width, func(id int64) reading { return read(id, true, true) })
		}
		l, err := table.Lookup(ctx, b.ids, rowan.LookupOptions{Combiner: c, Training: true})
		if err != nil {
			t.Fatal(err)
		}
		within64(t, "read", 1e-12, l.Values().Data, forward())
		grad := randomGradient(r, len(l.Values().Data))
		want := differences(grad, rows, forward)
		g.Reset()
		if err := g.AddFloat64(l, rowan.Array[float64]{Data: widened(grad), Shape: l.Values().Shape}); err != nil {
			t.Fatal(err)
		}
		if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
			t.Fatal(err)
		}
		after := readRows64(t, table)
		for k, row := range rows {
			for d := range row {
				row[d] -= rate * want[k][d]
			}
			within64(t, fmt.Sprint("row of ", k), 1e-7, after[k], row)
		}
	}
}

// readRows64 reads the rows of the keys of the property test that are in range.
func readRows64(t testing.TB, table *rowan.TableOf[float64]) map[int64][]float64 {
	t.Helper()
	l, err := table.Lookup(ctx, dense(t, ids64(propertyKeys)), rowan.LookupOptions{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int64][]float64{}
	for i := range int64(propertyKeys) {
		rows[i] = slices.Clone(l.Values().Data[i*3 : i*3+3])
	}
	return rows
}

// within64 checks numbers to a part of 1 and the number.
func within64(t testing.TB, what string, part float64, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(got[i] - want[i]); !(d <= part*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: number %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestFloat64KeepsWhatFloat32Loses: a hundred steps of 1e-12 are there, in weights
// near 1, and the table's other face shows them rounded.
func TestFloat64KeepsWhatFloat32Loses(t *testing.T) {
	table := newTableOf[float64](t, rowan.TableOptions{Width: 1, Initializer: initializer.Constant{Value: 1.1}, Optimizer: sgd(1)})
	ids := dense(t, []int64{1})
	g := table.NewGradients()
	var l rowan.LookupOf[float64]
	for range 100 {
		if err := table.LookupInto(ctx, &l, ids, rowan.LookupOptions{Training: true}); err != nil {
			t.Fatal(err)
		}
		g.Reset()
		if err := g.AddFloat64(&l, rowan.Array[float64]{Data: []float64{-1e-12}, Shape: []int{1, 1}}); err != nil {
			t.Fatal(err)
		}
		if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
			t.Fatal(err)
		}
	}
	// A hundred roundings of at most half a last place, 1.1e-16 each.
	if got := cells(t, table, 1); math.Abs(got[0]-1.1-1e-10) > 1.2e-14 {
		t.Errorf("the weight is %v", got)
	}
	if got := read(t, table.Table, 1); got[0] != float32(1.1+1e-10) {
		t.Errorf("rounded, the weight is %v", got)
	}
	if err := table.Table.Upsert(ctx, ids, values(t, []float32{0.1}, 1, 1)); err != nil || cells(t, table, 1)[0] != float64(float32(0.1)) {
		t.Errorf("float32 0.1 was taken for %v, %v", cells(t, table, 1), err)
	}
	if err := table.Upsert(ctx, ids, rowan.Array[float64]{Data: []float64{1e300}}); err != nil || !math.IsInf(float64(read(t, table.Table, 1)[0]), 1) {
		t.Errorf("1e300 reads as %v, %v", read(t, table.Table, 1), err)
	}
	is(t, "NaN", table.Upsert(ctx, ids, rowan.Array[float64]{Data: []float64{math.NaN()}}), rowan.ErrNotFinite)
}

// oracle64 is a table of float64 as plain arrays: rows of weights and state, and what
// an update does in its order.
type oracle64 struct {
	o     rowan.TableOptions
	state int
	rows  map[int64][]float64
	last  map[int64]int64
}

// update takes a step, for the summed gradients of some keys.
func (x *oracle64) update(grads map[int64][]float64, step int64) {
	total := 0.0
	for k, g := range grads {
		x.o.Optimizer.Clip.Rows64(g, len(g))
		grads[k] = g
		for _, v := range g {
			total += v * v
		}
	}
	scale := 1.0
	if x.o.Optimizer.Clip.GlobalNorm > 0 {
		scale = float64(x.o.Optimizer.Clip.GlobalScale(total))
	}
	for k, g := range grads {
		row := x.rows[k]
		x.catchUp(row, x.last[k], step-1)
		for i := range g {
			g[i] *= scale
			paid := float64(step - x.last[k])
			g[i] += paid * (2*float64(x.o.Regularizer.L2)*row[i] + float64(x.o.Regularizer.L1)*math.Copysign(1, row[i]))
		}
		b := x.block(row, step)
		b.Grads = g
		x.o.Optimizer.Update64(b)
		x.bound(row)
		x.last[k] = step
	}
}

// catchUp makes up for the steps that a row missed, if the optimizer is exact.
func (x *oracle64) catchUp(row []float64, last, step int64) {
	if x.o.Optimizer.Exact {
		x.o.Optimizer.CatchUp64(x.block(row, step), []int64{last})
		x.bound(row)
	}
}

func (x *oracle64) block(row []float64, step int64) optim.BlockOf[float64] {
	return optim.BlockOf[float64]{Data: row, Stride: len(row), Width: x.o.Width, Rows: []uint32{0},
		Step: step, LR: float64(x.o.Optimizer.LearningRate(step))}
}

func (x *oracle64) bound(row []float64) {
	square := 0.0
	for _, w := range row[:x.o.Width] {
		square += w * w
	}
	if bound := float64(x.o.MaxNorm); bound > 0 && square > bound*bound {
		for i := range x.o.Width {
			row[i] *= bound / math.Sqrt(square)
		}
	}
}

// TestFloat64Training trains with each rule and what may surround it, and compares
// weights with plain arrays that the optimizer updates row by row, to 1e-12: sums of
// duplicates and norms are added up in another order there.
func TestFloat64Training(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 9))
		o := rowan.TableOptions{
			Name: "film", Width: 1 + r.IntN(5), Optimizer: drawnOptimizer(r), Threads: 1 + r.IntN(3),
			Regularizer: pick(r, rowan.Regularizer{}, rowan.Regularizer{L1: 1e-3, L2: 1e-2}), MaxNorm: pick[float32](r, 0, 0.25),
		}
		t.Run(fmt.Sprintf("%d/%s", seed, o.Optimizer.Updater.Name()), func(t *testing.T) { float64Training(t, r, o) })
	}
}

func float64Training(t *testing.T, r *rand.Rand, o rowan.TableOptions) {
	const keys = 9
	table := newTableOf[float64](t, o)
	x := oracle64{o: table.Options(), rows: map[int64][]float64{}, last: map[int64]int64{}}
	for _, s := range table.Slots() {
		x.state += s.Width
	}
	g := table.NewGradients()
	for step := int64(1); step <= 12; step++ {
		b := randomBatch(t, r, func() int64 { return int64(r.IntN(keys)) }, "dense", 3, 2, false)
		l, err := table.Lookup(ctx, b.ids, rowan.LookupOptions{Training: true})
		if err != nil {
			t.Fatal(err)
		}
		grad, grads, at := widened(randomGradient(r, 6*o.Width)), map[int64][]float64{}, 0
		for _, k := range slices.Concat(b.bags...) {
			if x.rows[k] == nil {
				x.insert(table, k, l.Values().Data[at:at+o.Width], step-1)
			}
			if grads[k] == nil {
				grads[k] = make([]float64, o.Width)
			}
			for i := range o.Width {
				grads[k][i] += grad[at+i]
			}
			at += o.Width
		}
		x.update(grads, step)
		g.Reset()
		if err := g.AddFloat64(l, rowan.Array[float64]{Data: grad, Shape: l.Values().Shape}); err != nil {
			t.Fatal(err)
		}
		if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
			t.Fatal(err)
		}
		for k, row := range x.rows {
			row = slices.Clone(row)
			x.catchUp(row, x.last[k], step)
			within64(t, fmt.Sprintf("step %d, key %d", step, k), 1e-12, cells(t, table, k), row[:o.Width])
		}
	}
}

// insert makes a row of what a key reads as.
func (x *oracle64) insert(table *rowan.TableOf[float64], k int64, weights []float64, step int64) {
	row := slices.Clone(weights)
	for _, s := range table.Slots() {
		if s.Weights {
			row = append(row, weights...)
		} else {
			row = append(row, slices.Repeat([]float64{s.Init}, s.Width)...)
		}
	}
	x.rows[k], x.last[k] = row, step
}

// TestFloat64FTRLLeavesUntouchedRows: a gradient of zero leaves the first values of
// a new row, whose accumulator starts at 0.1 and not at float32(0.1).
func TestFloat64FTRLLeavesUntouchedRows(t *testing.T) {
	table := newTableOf[float64](t, rowan.TableOptions{Name: "film", Width: 2, Initializer: initializer.RandomUniform{Min: 1, Max: 2},
		Optimizer: &optim.Optimizer{Updater: optim.NewFTRL(), Rate: optim.Constant(0.1)}})
	l, err := table.Lookup(ctx, dense(t, []int64{7}), rowan.LookupOptions{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	g, want := table.NewGradients(), slices.Clone(l.Values().Data)
	if err := g.AddFloat64(l, rowan.Array[float64]{Data: []float64{0, 0}, Shape: l.Values().Shape}); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
	if got := cells(t, table, 7); !slices.Equal(got, want) {
		t.Errorf("the row became %v, it was %v", got, want)
	}
}

// TestFloat64Refusals: what is of float32 alone is an error.
func TestFloat64Refusals(t *testing.T) {
	_, err := rowan.NewTableOf[float64](rowan.TableOptions{Name: "film", Width: 1, Regularizer: rowan.Regularizer{Row: cubes}})
	is(t, "a penalty of float32", err, rowan.ErrOptions)
	table := newTableOf[float64](t, rowan.TableOptions{Width: 1, Optimizer: sgd(1)})
	ids := tensor.IDs(dense(t, []int64{1}, 1, 1))
	_, err = table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: squares})
	is(t, "a combiner of float32", err, rowan.ErrOptions)
	l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: rowan.Sum, Training: true})
	if err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	one := rowan.Array[float64]{Data: []float64{1}, Shape: []int{1, 1}}
	is(t, "no lookup", g.AddFloat64(nil, one), rowan.ErrStale)
	is(t, "another shape", g.AddFloat64(l, rowan.Array[float64]{Data: []float64{1}, Shape: []int{1}}), rowan.ErrShape)
	is(t, "few numbers", g.AddFloat64(l, rowan.Array[float64]{Shape: []int{1, 1}}), rowan.ErrShape)
	is(t, "an infinity", g.AddFloat64(l, rowan.Array[float64]{Data: []float64{math.Inf(1)}, Shape: []int{1, 1}}), rowan.ErrNotFinite)
	is(t, "no table", new(rowan.Gradients).AddFloat64(l, one), rowan.ErrStale)
	still, err := table.Lookup(ctx, ids, rowan.LookupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	is(t, "a lookup that does not train", g.AddFloat64(still, rowan.Array[float64]{Data: []float64{1}, Shape: []int{1, 1, 1}}), rowan.ErrStale)
	if err := g.AddFloat64(l, one); err != nil {
		t.Fatal(err)
	}
	if err := table.LookupInto(ctx, l, ids, rowan.LookupOptions{Training: true}); err != nil {
		t.Fatal(err)
	}
	is(t, "a lookup of another batch", table.Apply(ctx, g, rowan.Step{}), rowan.ErrStale)
}
