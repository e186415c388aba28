package rowan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

func ExampleTable_UseAverages() {
	o := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1), EMA: &optim.EMA{Momentum: 0.75}}
	table, err := rowan.NewTable(rowan.TableOptions{Name: "film", Width: 1, Rows: 1, Optimizer: o})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer table.Close()
	film := tensor.RaggedOf([]int64{0})
	weight := func() float32 {
		l, err := table.Lookup(ctx, film, rowan.LookupOptions{Combiner: rowan.Sum})
		if err != nil {
			fmt.Println(err)
		}
		return l.Values().Data()[0]
	}
	if err := table.Upsert(ctx, film, tensor.ZeroValues(1, 1)); err != nil {
		fmt.Println(err)
	}
	for range 3 {
		l, err := table.Lookup(ctx, film, rowan.LookupOptions{Combiner: rowan.Sum, Training: true})
		if err != nil {
			fmt.Println(err)
		}
		gradient := tensor.ZeroValues(1, 1)
		gradient.Data()[0] = -4
		g := table.NewGradients()
		if err := errors.Join(g.Add(l, gradient), table.Apply(ctx, g, rowan.Step{})); err != nil {
			fmt.Println(err)
		}
		fmt.Println("trained", weight())
	}
	if err := table.UseAverages(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("averaged", weight())
	// Output:
	// trained 4
	// trained 8
	// trained 12
	// averaged 6.75
}

// surroundings are optimizers that do more than their rule to every row at
// every step.
func surroundings() []*optim.Optimizer {
	rate := optim.ExponentialDecay{Initial: 0.05, DecaySteps: 5, DecayRate: 0.7}
	return []*optim.Optimizer{
		{Updater: optim.SGD{}, Rate: rate, WeightDecay: 0.5},
		{Updater: optim.NewAdagrad(), Rate: rate, EMA: &optim.EMA{Momentum: 0.8, OverwriteEvery: 4}},
		{Updater: optim.NewAdam(), Rate: rate, WeightDecay: 0.1, EMA: &optim.EMA{Momentum: 0.9}},
		{Updater: optim.NewLion(), Rate: rate},
		{Updater: optim.FTRL{InitialAccumulator: 0.1, LearningRatePower: -0.5, L1: 0.01, L2Shrinkage: 0.1}, Rate: rate},
		{Updater: optim.ProximalSGD{L1: 0.01, L2: 0.1}, Rate: rate},
	}
}

// TestExactSurroundings: rows that a batch leaves out decay, and are averaged
// and overwritten, as they are when every step updates every row.
func TestExactSurroundings(t *testing.T) {
	for _, o := range surroundings() {
		exact := *o
		exact.Exact = true
		const keys = 6
		all := []int64{0, 1, 2, 3, 4, 5}
		every := newTable(t, rowan.TableOptions{Width: 3, Rows: keys, Optimizer: o})
		some := newTable(t, rowan.TableOptions{Width: 3, Rows: keys, Optimizer: &exact})
		lazy := newTable(t, rowan.TableOptions{Width: 3, Rows: keys, Optimizer: o})
		r := rand.New(rand.NewPCG(12, 12))
		for n := range 30 {
			var touched []int64
			full, part := make([]float32, keys*3), []float32(nil)
			for k := range all {
				if n == 0 || r.IntN(4) == 0 {
					touched = append(touched, int64(k))
					part = append(part, randomGradient(r, 3)...)
					copy(full[k*3:], part[len(part)-3:])
				}
			}
			step(t, every, dense(t, all), rowan.None, func(*rowan.Lookup) *tensor.Values { return values(t, full, keys, 3) })
			for _, table := range []*rowan.Table{some, lazy} {
				step(t, table, dense(t, touched), rowan.None, func(*rowan.Lookup) *tensor.Values { return values(t, part, len(touched), 3) })
			}
			equalTables(t, fmt.Sprintf("%T, step %d", o.Updater, n), some, every)
		}
		if slices.Equal(read(t, lazy, all...), read(t, every, all...)) {
			t.Errorf("%T: lazy rows equal dense ones: the test shows nothing", o.Updater)
		}
		if o.EMA != nil {
			for _, table := range []*rowan.Table{some, every} {
				if err := table.UseAverages(ctx); err != nil {
					t.Fatal(err)
				}
			}
			equalTables(t, fmt.Sprintf("%T, averages", o.Updater), some, every)
		}
	}
}

// equalTables compares what two tables of six rows read.
func equalTables(t *testing.T, what string, got, want *rowan.Table) {
	t.Helper()
	all := []int64{0, 1, 2, 3, 4, 5}
	var reference []float64
	for _, x := range read(t, want, all...) {
		reference = append(reference, float64(x))
	}
	near(t, what, read(t, got, all...), reference)
}

// TestAveragesStartWithTheRow: the average of a new row, or of one that is
// written, is what it holds.
func TestAveragesStartWithTheRow(t *testing.T) {
	o := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1), EMA: &optim.EMA{Momentum: 0.5}}
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: o})
	zero := func(l *rowan.Lookup) *tensor.Values { return tensor.ZeroValues(l.Values().Shape()...) }
	table.SetStep(10) // the first step of all would set the averages
	step(t, table, dense(t, []int64{1}), rowan.None, zero)
	if err := table.Upsert(ctx, dense(t, []int64{2}), values(t, []float32{7}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := table.Accumulate(ctx, dense(t, []int64{3}), values(t, []float32{8}, 1, 1), []bool{false}); err != nil {
		t.Fatal(err)
	}
	want := read(t, table, 1, 2, 3, 4)
	if err := table.UseAverages(ctx); err != nil {
		t.Fatal(err)
	}
	if got := read(t, table, 1, 2, 3, 4); !slices.Equal(got, want) {
		t.Errorf("averages %v of rows that never moved, %v", got, want)
	}
	if err := table.Upsert(ctx, dense(t, []int64{1, 2}), values(t, []float32{5, 6}, 2, 1)); err != nil {
		t.Fatal(err)
	}
	if err := table.UseAverages(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, table, 1, 2), []float32{5, 6}; !slices.Equal(got, want) {
		t.Errorf("averages %v of rows that were written, want %v", got, want)
	}
	if err := table.SetOptimizer(&optim.Optimizer{Updater: optim.NewAdam(), EMA: optim.NewEMA()}); err != nil {
		t.Fatal(err)
	}
	if err := table.UseAverages(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, table, 1, 2), []float32{5, 6}; !slices.Equal(got, want) {
		t.Errorf("averages %v under a new optimizer, want %v", got, want)
	}
}

// TestAveragesOverStores: so it is where rows are in stores, which take what is
// accumulated by themselves, and are written anew for another optimizer.
func TestAveragesOverStores(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1), EMA: optim.NewEMA()}}
	o.Stores = &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"memory:", "memory:"}}
	table, ids := newTable(t, o), dense(t, []int64{1, 2, 3})
	want := []float32{1, 2, 3, 4, 5, 6}
	check := func(after string) {
		t.Helper()
		got, _, err := table.LookupSlot(ctx, optim.AverageSlot, ids)
		if err != nil || !slices.Equal(got.Data(), want) {
			t.Errorf("after %s: averages %v, %v, want %v", after, got.Data(), err, want)
		}
	}
	if err := table.Accumulate(ctx, ids, values(t, want, 3, 2), make([]bool, 3)); err != nil {
		t.Fatal(err)
	}
	check("Accumulate of new rows")
	if err := table.Accumulate(ctx, ids, values(t, want, 3, 2), []bool{true, true, true}); err != nil {
		t.Fatal(err)
	}
	check("Accumulate of differences")
	if err := table.SetOptimizer(&optim.Optimizer{Updater: optim.NewAdam(), EMA: optim.NewEMA()}); err != nil {
		t.Fatal(err)
	}
	want = []float32{2, 4, 6, 8, 10, 12}
	check("SetOptimizer")
}

// TestAveragesArePenalized: the penalty is that of the averages once they are
// the weights.
func TestAveragesArePenalized(t *testing.T) {
	o := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1), EMA: &optim.EMA{Momentum: 0.5}}
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: o, Initializer: initializer.Zeros{}, Regularizer: rowan.Regularizer{L1: 1}})
	table.SetStep(10)
	step(t, table, dense(t, []int64{1}), rowan.None, ones) // to -1, of which the average is half
	for _, want := range []float64{1, 0.5} {
		if got, err := table.Penalty(ctx); err != nil || got != want {
			t.Errorf("penalty %v, %v, want %v", got, err, want)
		}
		if err := table.UseAverages(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAveragesAreConstrained: averages of weights from before the constraint do
// not bring weights that it forbids, a row's or the matrix's.
func TestAveragesAreConstrained(t *testing.T) {
	o := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1), EMA: &optim.EMA{Momentum: 0}}
	for _, c := range []constraint.Constraint{constraint.NonNeg{}, constraint.MaxNorm{Max: 0}} {
		table := newTable(t, rowan.TableOptions{Width: 2, Rows: 3, Optimizer: o, Initializer: initializer.Zeros{}, Constraint: c})
		update(t, table, []int64{0, 2}, []float32{1, 2, 3, 4}) // averages of -1, -2, -3, -4
		if err := table.UseAverages(ctx); err != nil {
			t.Fatal(err)
		}
		for _, w := range numbersOf(t, table) {
			if w != 0 {
				t.Errorf("%s: a weight is %v, want 0", c.Class(), w)
			}
		}
	}
}

// TestAveragesAreASlot: averages are read by the slot's name, of keys that the
// table does not hold as their first values.
func TestAveragesAreASlot(t *testing.T) {
	o := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1), EMA: &optim.EMA{Momentum: 0.5}}
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: o})
	first := read(t, table, 1, 2)
	table.SetStep(10)
	step(t, table, dense(t, []int64{1}), rowan.None, func(*rowan.Lookup) *tensor.Values { return values(t, []float32{-2, 2}, 1, 2) })
	got, _, err := table.LookupSlot(ctx, optim.AverageSlot, dense(t, []int64{1, 2}))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "averages", got.Data(), []float64{float64(first[0]) + 1, float64(first[1]) - 1, float64(first[2]), float64(first[3])})
}

// TestAveragesOfAWarmStart: rows that another table's file gives their weights
// start with those as their averages.
func TestAveragesOfAWarmStart(t *testing.T) {
	from := newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1)})
	if err := from.Upsert(ctx, dense(t, []int64{1}), values(t, []float32{7}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	store, err := rowan.OpenStore(t.TempDir())
	if err == nil {
		err = store.Save(ctx, 1, nil, from)
	}
	if err != nil {
		t.Fatal(err)
	}
	to := newTable(t, rowan.TableOptions{Width: 1, Optimizer: &optim.Optimizer{EMA: optim.NewEMA()}})
	if err := store.WarmStart(ctx, rowan.WarmStart{WithoutState: true}, to); err != nil {
		t.Fatal(err)
	}
	if err := to.UseAverages(ctx); err != nil {
		t.Fatal(err)
	}
	if got := read(t, to, 1); got[0] != 7 {
		t.Errorf("the average of a row of 7 is %v", got)
	}
}

// TestAveragesAreSaved: averages are state, and come back with it.
func TestAveragesAreSaved(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Optimizer: &optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1), EMA: optim.NewEMA()}}
	table, again := newTable(t, o), newTable(t, o)
	for range 3 {
		step(t, table, dense(t, []int64{1, 2}), rowan.None, ones)
	}
	var file bytes.Buffer
	if err := errors.Join(table.Save(ctx, &file), again.Load(ctx, &file)); err != nil {
		t.Fatal(err)
	}
	for _, x := range []*rowan.Table{table, again} {
		if err := x.UseAverages(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := read(t, again, 1, 2), read(t, table, 1, 2); !slices.Equal(got, want) {
		t.Errorf("%v after a file, %v before", got, want)
	}
}

func TestUseAveragesErrors(t *testing.T) {
	plain := newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1)})
	if err := plain.UseAverages(ctx); !errors.Is(err, rowan.ErrOptions) {
		t.Errorf("without EMA: %v", err)
	}
	closed := newTable(t, rowan.TableOptions{Width: 1})
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := closed.UseAverages(ctx); !errors.Is(err, rowan.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	o := rowan.TableOptions{Width: 1, Optimizer: &optim.Optimizer{EMA: optim.NewEMA()}}
	o.Stores = &rowan.Stores{Parts: memoryStores(t, o, 1)}
	if err := newTable(t, o).UseAverages(ctx); !errors.Is(err, rowan.ErrOptions) {
		t.Errorf("over row stores: %v", err)
	}
	averaged := newTable(t, rowan.TableOptions{Width: 1, Optimizer: &optim.Optimizer{EMA: optim.NewEMA()}})
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := averaged.UseAverages(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
