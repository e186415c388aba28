package rowan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// These tests use tables as they are not meant to be used: every answer must be
// right, or an error of the kind that is documented.

func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func trainingLookup(t testing.TB, table *rowan.Table, ids tensor.IDs) *rowan.Lookup {
	t.Helper()
	l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestNothingPassed: nil, typed nil and zero values are errors, not panics.
func TestNothingPassed(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: sgd(1)})
	row := values(t, []float32{1, 2}, 1, 2)
	_, err := table.Lookup(ctx, (*tensor.Dense[int64])(nil), rowan.LookupOptions{})
	is(t, "typed nil ids", err, rowan.ErrShape)
	is(t, "upsert of typed nil ids", table.Upsert(ctx, (*tensor.Ragged[int64])(nil), row), rowan.ErrShape)
	is(t, "remove of typed nil ids", table.Remove(ctx, (*tensor.Sparse[int64])(nil)), rowan.ErrShape)
	_, err = table.Lookup(ctx, &tensor.Dense[int64]{}, rowan.LookupOptions{})
	is(t, "ids without a shape", err, rowan.ErrShape)
	_, err = table.Lookup(ctx, struct{ tensor.IDs }{dense(t, []int64{1})}, rowan.LookupOptions{})
	is(t, "another implementation of IDs", err, rowan.ErrKeyType)
	is(t, "nil lookup", table.LookupInto(ctx, nil, dense(t, []int64{1}), rowan.LookupOptions{}), rowan.ErrStale)
	is(t, "nil gradients", table.Apply(ctx, nil, rowan.Step{}), rowan.ErrStale)
	is(t, "gradients of no table", table.Apply(ctx, &rowan.Gradients{}, rowan.Step{}), rowan.ErrStale)
	is(t, "adding to gradients of no table", new(rowan.Gradients).Add(trainingLookup(t, table, dense(t, []int64{1})), row), rowan.ErrStale)
	_, err = new(rowan.Gradients).SumSquares(ctx, rowan.Step{})
	is(t, "norm of gradients of no table", err, rowan.ErrStale)
	for _, ids := range []tensor.IDs{&tensor.Ragged[int64]{}, dense(t, []int64(nil)), dense(t, []int64{}, 0, 3)} {
		l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Training: true})
		if err != nil || l.Values().Len() != 0 {
			t.Errorf("%T without ids: %v, %v", ids, l, err)
		}
	}
}

// TestNoContext: a nil context is an error, on whichever goroutine it is asked
// first, and nothing is written.
func TestNoContext(t *testing.T) {
	var none context.Context
	table := newTable(t, rowan.TableOptions{Width: 1, Threads: 2, Optimizer: sgd(1)})
	many := dense(t, make([]int64, 5000))
	l := trainingLookup(t, table, many)
	g := table.NewGradients()
	if err := g.Add(l, ones(l)); err != nil {
		t.Fatal(err)
	}
	store, err := rowan.OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := saved(t, newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1)}))
	_, err = table.Lookup(none, many, rowan.LookupOptions{})
	is(t, "lookup", err, rowan.ErrOptions)
	is(t, "apply", table.Apply(none, g, rowan.Step{}), rowan.ErrOptions)
	is(t, "upsert", table.Upsert(none, many, tensor.ZeroValues(5000, 1)), rowan.ErrOptions)
	is(t, "remove", table.Remove(none, many), rowan.ErrOptions)
	is(t, "clear", table.Clear(none), rowan.ErrOptions)
	is(t, "load", table.Load(none, bytes.NewReader(file)), rowan.ErrOptions)
	is(t, "save to a store", store.Save(none, 1, nil, table), rowan.ErrOptions)
	if table.Len() != 0 {
		t.Errorf("%d rows were written", table.Len())
	}
	if err := table.Upsert(ctx, dense(t, []int64{1}), tensor.ZeroValues(1, 1)); err != nil {
		t.Fatal(err)
	}
	is(t, "save", table.Save(none, new(bytes.Buffer)), rowan.ErrOptions)
	for _, err := range table.Export(none) {
		is(t, "export", err, rowan.ErrOptions)
	}
	for _, err := range table.ExportSlot(none, "momentum") {
		is(t, "export of a slot", err, rowan.ErrOptions)
	}
	_, _, err = table.LookupSlot(none, "momentum", many)
	is(t, "lookup of a slot", err, rowan.ErrOptions)
	bounded := newTable(t, rowan.TableOptions{Width: 1, Restrict: rowan.Restrict{Policy: rowan.FrequencyPolicy{}}})
	_, err = bounded.Restrict(none, 0, 0)
	is(t, "restrict", err, rowan.ErrOptions)
	is(t, "touch", bounded.Touch(none, many), rowan.ErrOptions)
	_, _, err = bounded.Scores(none, many)
	is(t, "scores", err, rowan.ErrOptions)
}

// TestNilTables: a nil table among those to save or load is an error.
func TestNilTables(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1})
	store, err := rowan.OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	is(t, "save", store.Save(ctx, 1, nil, table, nil), rowan.ErrOptions)
	if err := store.Save(ctx, 1, nil, table); err != nil {
		t.Fatal(err)
	}
	_, err = store.Load(ctx, nil, table, nil)
	is(t, "load", err, rowan.ErrOptions)
	_, err = rowan.As[int64](nil)
	is(t, "typed view", err, rowan.ErrOptions)
}

// TestLookupUsedAgainTooEarly: gradients of a lookup that has been used for
// another batch since are refused, whatever the two batches' shapes.
func TestLookupUsedAgainTooEarly(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: sgd(1)})
	for _, again := range [][]int64{{1, 2, 3, 4, 5, 6}, {9}, {8, 9}, nil} {
		l := trainingLookup(t, table, dense(t, []int64{1, 2}))
		g := table.NewGradients()
		if err := g.Add(l, tensor.ZeroValues(2, 2)); err != nil {
			t.Fatal(err)
		}
		if err := table.LookupInto(ctx, l, dense(t, again), rowan.LookupOptions{Training: true}); err != nil {
			t.Fatal(err)
		}
		is(t, fmt.Sprint("apply after a lookup of ", again), table.Apply(ctx, g, rowan.Step{}), rowan.ErrStale)
		_, err := g.SumSquares(ctx, rowan.Step{})
		is(t, fmt.Sprint("norm after a lookup of ", again), err, rowan.ErrStale)
		if table.Len() != 0 || table.Step() != 0 {
			t.Errorf("%d rows and step %d after an error", table.Len(), table.Step())
		}
		g.Reset()
		if err := table.Apply(ctx, g, rowan.Step{Number: 1}); err != nil {
			t.Error(err)
		}
		if err := table.Clear(ctx); err != nil {
			t.Fatal(err)
		}
		table.SetStep(0)
	}
}

// TestFailedLookupHoldsNothing: what an earlier batch left is gone.
func TestFailedLookupHoldsNothing(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, Rows: 4})
	l := trainingLookup(t, table, dense(t, []int64{1, 2}))
	is(t, "lookup", table.LookupInto(ctx, l, dense(t, []int64{7}), rowan.LookupOptions{}), rowan.ErrOutOfRange)
	if len(l.Exists()) != 0 || l.Values().Len() != 0 || l.IDs() != nil {
		t.Errorf("left behind: %v, %v, %v", l.Exists(), l.Values(), l.IDs())
	}
}

// TestClosedSaysSo: every call on a closed table is ErrClosed, training too.
func TestClosedSaysSo(t *testing.T) {
	for _, rows := range []int{0, 8} {
		table := newTable(t, rowan.TableOptions{Width: 2, Rows: rows, Optimizer: adam(true)})
		file := saved(t, table)
		g := table.NewGradients()
		if err := g.Add(trainingLookup(t, table, dense(t, []int64{1})), tensor.ZeroValues(1, 2)); err != nil {
			t.Fatal(err)
		}
		table.Close()
		is(t, "apply", table.Apply(ctx, g, rowan.Step{}), rowan.ErrClosed)
		is(t, "apply of nothing", table.Apply(ctx, table.NewGradients(), rowan.Step{}), rowan.ErrClosed)
		_, err := g.SumSquares(ctx, rowan.Step{})
		is(t, "norm", err, rowan.ErrClosed)
		is(t, "load", table.Load(ctx, bytes.NewReader(file)), rowan.ErrClosed)
		is(t, "clear", table.Clear(ctx), rowan.ErrClosed)
		is(t, "optimizer", table.SetOptimizer(nil), rowan.ErrClosed)
		is(t, "save", table.Save(ctx, new(bytes.Buffer)), rowan.ErrClosed)
	}
}

// TestStaticKeepsIDsOutOfRange: a static table trains ids out of range as the
// lookup took them, also if its rows were replaced in between.
func TestStaticKeepsIDsOutOfRange(t *testing.T) {
	for name, replace := range map[string]func(*rowan.Table) error{
		"clear":     func(table *rowan.Table) error { return table.Clear(ctx) },
		"optimizer": func(table *rowan.Table) error { return table.SetOptimizer(sgd(1)) },
	} {
		table := newTable(t, rowan.TableOptions{
			Width: 1, Rows: 4, OutOfRange: rowan.OutOfRangeLast, Optimizer: sgd(1),
			Initializer: initializer.Zeros{}, Padding: rowan.PaddingID(0),
		})
		g := table.NewGradients()
		if err := g.Add(trainingLookup(t, table, dense(t, []int64{99, -1, 0, 2})), values(t, []float32{1, 1, 1, 1}, 4, 1)); err != nil {
			t.Fatal(err)
		}
		if err := replace(table); err != nil {
			t.Fatal(err)
		}
		if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := read(t, table, 1, 2, 3); !slices.Equal(got, []float32{0, -1, -2}) {
			t.Errorf("%s: rows are %v", name, got)
		}
	}
}

// TestClearedRowsOweNothing: the rows of a cleared static table begin at the
// step the table is at; nothing is charged for steps before.
func TestClearedRowsOweNothing(t *testing.T) {
	o := rowan.TableOptions{
		Width: 1, Rows: 2, Initializer: initializer.Ones{}, Optimizer: sgd(1),
		Regularizer: rowan.Regularizer{L2: 0.125},
	}
	table := newTable(t, o)
	table.SetStep(100)
	if err := table.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	touch := func(*rowan.Lookup) *tensor.Values { return tensor.ZeroValues(1, 1) }
	step(t, table, dense(t, []int64{1}), rowan.None, touch)
	if got := read(t, table, 1); got[0] != 0.75 {
		t.Errorf("a step after it was cleared a row is %v, want 0.75", got)
	}
	if err := table.Upsert(ctx, dense(t, []int64{0}), values(t, []float32{1}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	step(t, table, dense(t, []int64{0}), rowan.None, touch)
	if got := read(t, table, 0); got[0] != 0.75 {
		t.Errorf("a step after it was written a row is %v, want 0.75", got)
	}
}

// TestNormBeforeStep: measuring the norm with the default step leaves no trace
// in the rows that it inserts.
func TestNormBeforeStep(t *testing.T) {
	var files [2][]byte
	for i, measure := range []bool{false, true} {
		table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: adam(true)})
		g := table.NewGradients()
		if err := g.Add(trainingLookup(t, table, dense(t, []int64{1, 2})), values(t, []float32{1, 2, 3, 4}, 2, 2)); err != nil {
			t.Fatal(err)
		}
		if measure {
			if sum, err := g.SumSquares(ctx, rowan.Step{}); sum != 30 || err != nil {
				t.Fatal(sum, err)
			}
			if err := table.SetOptimizer(adam(true)); err != nil { // looks at every row's last step
				t.Fatal(err)
			}
		}
		if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
			t.Fatal(err)
		}
		files[i] = saved(t, table)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("to measure a norm changes what is trained")
	}
}

// TestNormTooLarge: gradients whose norm is no number cannot be clipped by it.
// They are refused, and no row becomes NaN.
func TestNormTooLarge(t *testing.T) {
	o := sgd(1)
	o.Clip.GlobalNorm = 1
	table := newTable(t, rowan.TableOptions{Width: 2, Rows: 2, Optimizer: o})
	before := read(t, table, 0, 1)
	g := table.NewGradients()
	if err := g.Add(trainingLookup(t, table, dense(t, []int64{0, 1})), values(t, []float32{1e20, 1, 1, 1}, 2, 2)); err != nil {
		t.Fatal(err)
	}
	is(t, "apply", table.Apply(ctx, g, rowan.Step{}), rowan.ErrNotFinite)
	if got := read(t, table, 0, 1); !slices.Equal(got, before) || table.Step() != 0 {
		t.Errorf("rows %v became %v, at step %d", before, got, table.Step())
	}
}

// TestNormOfNewRows: rows that SumSquares has inserted begin at the step before.
func TestNormOfNewRows(t *testing.T) {
	var files [2][]byte
	for i, s := range []rowan.Step{{}, {Number: 1}} {
		table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: adam(true)})
		g := table.NewGradients()
		if err := g.Add(trainingLookup(t, table, dense(t, []int64{1})), values(t, []float32{1, 2}, 1, 2)); err != nil {
			t.Fatal(err)
		}
		if _, err := g.SumSquares(ctx, s); err != nil {
			t.Fatal(err)
		}
		files[i] = saved(t, table)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the default step is not the next one")
	}
}

// TestBadSteps: step numbers and scales that make no sense change nothing.
func TestBadSteps(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1)})
	g := table.NewGradients()
	if err := g.Add(trainingLookup(t, table, dense(t, []int64{1})), values(t, []float32{1}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	inf := float32(math.Inf(1))
	for _, s := range []rowan.Step{{Number: -1}, {Number: 1 << 32}, {Number: math.MaxInt64}} {
		is(t, fmt.Sprint(s), table.Apply(ctx, g, s), rowan.ErrOptions)
		_, err := g.SumSquares(ctx, s)
		is(t, fmt.Sprint(s), err, rowan.ErrOptions)
	}
	for _, scale := range []float32{inf, -inf, inf - inf} {
		is(t, fmt.Sprint(scale), table.Apply(ctx, g, rowan.Step{Scale: scale}), rowan.ErrNotFinite)
	}
	if table.Len() != 0 || table.Step() != 0 {
		t.Errorf("%d rows, step %d", table.Len(), table.Step())
	}
}

// TestStepsGoBack: numbers that jump or go back are taken as they are.
func TestStepsGoBack(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: adam(true), MaxNorm: 1, Regularizer: rowan.Regularizer{L1: 0.01}})
	for _, n := range []int64{5, 3, 1 << 20, 7, math.MaxUint32, 1} {
		g := table.NewGradients()
		if err := g.Add(trainingLookup(t, table, dense(t, []int64{1})), values(t, []float32{1}, 1, 1)); err != nil {
			t.Fatal(err)
		}
		if err := table.Apply(ctx, g, rowan.Step{Number: n}); err != nil {
			t.Fatal(n, err)
		}
		if x := read(t, table, 1)[0]; !(x*x <= 1.0001) || table.Step() != n {
			t.Errorf("step %d: row %v, step %d", n, x, table.Step())
		}
	}
}

// TestZeroDivisor: a bag whose weights add up to nothing reads as zeros and
// gives its rows no gradient.
func TestZeroDivisor(t *testing.T) {
	for _, c := range []rowan.Combiner{rowan.Mean, rowan.SqrtN} {
		table := newTable(t, rowan.TableOptions{Width: 1, Initializer: initializer.Ones{}, Optimizer: sgd(1)})
		weights := []float32{3, -3}
		if c == rowan.SqrtN {
			weights = []float32{0, 0}
		}
		if err := table.Upsert(ctx, dense(t, []int64{1, 2}), values(t, []float32{-5, 7}, 2, 1)); err != nil {
			t.Fatal(err)
		}
		ids, err := dense(t, []int64{1, 2}, 1, 2).WithWeights(weights)
		if err != nil {
			t.Fatal(err)
		}
		step(t, table, ids, c, func(l *rowan.Lookup) *tensor.Values {
			if got := math.Float32bits(l.Values().Data()[0]); got != 0 {
				t.Errorf("%v: reads bits %x, want 0", c, got)
			}
			return ones(l)
		})
		if got := read(t, table, 1, 2); !slices.Equal(got, []float32{-5, 7}) {
			t.Errorf("%v: rows are %v", c, got)
		}
	}
}

// TestLongKeyWritesNothing: a key that cannot be stored is told by its place in
// the batch before any of the others is written.
func TestLongKeyWritesNothing(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, KeyType: tensor.String})
	var keys []string
	for i := range 500 {
		keys = append(keys, fmt.Sprint(i))
	}
	keys = append(keys, strings.Repeat("x", 1<<16))
	ids, rows := dense(t, keys), tensor.ZeroValues(len(keys), 1)
	for what, err := range map[string]error{
		"upsert":     table.Upsert(ctx, ids, rows),
		"accumulate": table.Accumulate(ctx, ids, rows, make([]bool, len(keys))),
	} {
		if err == nil || !strings.Contains(err.Error(), "got 65536 at position 500") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := table.Len(); n != 0 {
		t.Errorf("%d rows were written", n)
	}
}

// TestLongKeyStopsBeforeTheStep: a key that cannot be stored reads as its first
// values, and is refused where it would be trained, not half way through a step.
func TestLongKeyStopsBeforeTheStep(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, KeyType: tensor.String, Optimizer: sgd(1)})
	ids := dense(t, []string{"a", strings.Repeat("x", 1<<16)})
	if _, err := table.Lookup(ctx, ids, rowan.LookupOptions{}); err != nil {
		t.Error(err)
	}
	_, err := table.Lookup(ctx, ids, rowan.LookupOptions{Training: true})
	if err == nil || !strings.Contains(err.Error(), "got 65536 at position 1") {
		t.Error(err)
	}
}

// TestRepeatedKeysFit: keys that repeat take the room of one.
func TestRepeatedKeysFit(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, MaxRows: 2})
	ids, rows := dense(t, []int64{1, 1, 1, 2, 2, 1}), values(t, []float32{1, 2, 3, 4, 5, 6}, 6, 1)
	if err := table.Upsert(ctx, ids, rows); err != nil {
		t.Fatal(err)
	}
	if got := read(t, table, 1, 2); !slices.Equal(got, []float32{6, 5}) {
		t.Errorf("rows are %v", got)
	}
}

// TestHostileOptions: options that make no sense are refused before memory is asked for.
func TestHostileOptions(t *testing.T) {
	inf := float32(math.Inf(1))
	for name, o := range map[string]rowan.TableOptions{
		"string padding of integers": {Width: 1, Padding: rowan.PaddingString("x")},
		"integer padding of strings": {Width: 1, KeyType: tensor.String, Padding: rowan.PaddingID(0)},
		"an infinite penalty":        {Width: 1, Regularizer: rowan.Regularizer{L1: inf}},
		"MaxRows":                    {Width: 1, MaxRows: math.MaxInt},
		"wide":                       {Width: math.MaxInt},
		"wide with state":            {Width: math.MaxInt/3*2 + 2, Optimizer: adam(false), Rows: 1},
		"no numbers":                 {Width: 1, Initializer: initializer.Constant{Value: math.NaN()}},
		"another row's numbers":      {Width: 3, Initializer: initializer.Values{1, 2}},
		"capacity":                   {Width: 1, InitialCapacity: math.MaxInt},
	} {
		if max(o.MaxRows, o.InitialCapacity) == math.MaxInt32 {
			continue // a 32-bit int names no number of rows that is too large
		}
		o.Name = name
		if _, err := rowan.NewTable(o); !errors.Is(err, rowan.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEdgeKeys: the ends of every key type are keys like others.
func TestEdgeKeys(t *testing.T) {
	edgeKeys(t, math.MinInt64, math.MaxInt64, 0, -1, int64(1))
	edgeKeys(t, math.MinInt32, math.MaxInt32, 0, -1, int32(1))
	edgeKeys(t, math.MaxUint64, math.MaxUint64-1, 0, 1<<63, uint64(1))
	edgeKeys(t, "", "\x00", "\x00\x00", "\xff", strings.Repeat("x", 65000))
}

func edgeKeys[K tensor.Key](t *testing.T, keys ...K) {
	o := rowan.TableOptions{Width: 1, KeyType: tensor.KeyTypeOf[K](), Optimizer: sgd(1), Initializer: initializer.Zeros{}}
	table := newTable(t, o)
	ids := dense(t, keys)
	step(t, table, ids, rowan.None, func(*rowan.Lookup) *tensor.Values { return values(t, []float32{1, 2, 3, 4, 5}, 5, 1) })
	other := newTable(t, o)
	if err := other.Load(ctx, bytes.NewReader(saved(t, table))); err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		l, err := other.Lookup(ctx, dense(t, []K{k}), rowan.LookupOptions{})
		if err != nil || l.Values().Data()[0] != -float32(i+1) || !l.Exists()[0] {
			t.Errorf("key %.20q: %v, %v", fmt.Sprint(k), l.Values().Data(), err)
		}
	}
	if err := other.Remove(ctx, ids); err != nil || other.Len() != 0 {
		t.Errorf("%d keys left, %v", other.Len(), err)
	}
}

// TestSameTableTwice: one load may name a table more than once.
func TestSameTableTwice(t *testing.T) {
	store, err := rowan.OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(t, rowan.TableOptions{Width: 1, Rows: 3})
	if err := store.Save(ctx, 1, nil, table); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(ctx, nil, table, table); err != nil {
		t.Error(err)
	}
	twin := newTable(t, rowan.TableOptions{Width: 1, Rows: 3})
	if err := store.Save(ctx, 2, nil, table, twin); err == nil {
		t.Error("two tables of one name were saved in one checkpoint")
	}
}

// TestLoadOfSeveralIsOne: a table that changes while others are read keeps all
// from being loaded.
func TestLoadOfSeveralIsOne(t *testing.T) {
	for name, change := range map[string]func(*rowan.Table) error{
		"closed":            (*rowan.Table).Close,
		"another optimizer": func(table *rowan.Table) error { return table.SetOptimizer(sgd(1)) },
	} {
		first, second := newTable(t, rowan.TableOptions{Width: 1, Rows: 1}), newTable(t, rowan.TableOptions{Width: 1, Rows: 1})
		file := saved(t, first)
		written := values(t, []float32{7}, 1, 1)
		if err := first.Upsert(ctx, dense(t, []int64{0}), written); err != nil {
			t.Fatal(err)
		}
		end := &atEnd{Reader: bytes.NewReader(file), do: func() error { return change(second) }}
		open := func(table *rowan.Table) (io.ReadCloser, error) {
			if table == second {
				return end, nil
			}
			return io.NopCloser(bytes.NewReader(file)), nil
		}
		if err := rowan.LoadTables(ctx, open, first, second); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := read(t, first, 0); got[0] != 7 {
			t.Errorf("%s: the other table reads %v, want 7", name, got)
		}
	}
}

// atEnd is a file that does something when it is closed.
type atEnd struct {
	io.Reader
	do func() error
}

func (f *atEnd) Close() error { return f.do() }

// TestChurnIsBounded: keys that come and go do not make a table of strings grow.
func TestChurnIsBounded(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 4, KeyType: tensor.String})
	const n = 5000
	var settled int64
	for round := range 60 {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf("a key of some length, of round %d and number %d", round, i)
		}
		if err := table.Upsert(ctx, dense(t, keys), tensor.ZeroValues(n, 4)); err != nil {
			t.Fatal(err)
		}
		if err := table.Remove(ctx, dense(t, keys[:n-1])); err != nil {
			t.Fatal(err)
		}
		s := table.Stats()
		if round == 10 {
			settled = s.RowBytes + s.IndexBytes
		}
		if grown := s.RowBytes + s.IndexBytes; round > 10 && grown > settled*3/2 {
			t.Fatalf("%d bytes after round %d, %d after round 10", grown, round, settled)
		}
	}
	if table.Len() != 60 {
		t.Errorf("%d keys are left, want 60", table.Len())
	}
}

// TestEverythingAtOnce does all that a table can at once; the race detector and
// the table's own locks must be content.
func TestEverythingAtOnce(t *testing.T) {
	averaged := &optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1), EMA: optim.NewEMA(), Exact: true}
	for _, o := range []rowan.TableOptions{
		{Width: 3, Optimizer: adam(true), Regularizer: rowan.Regularizer{L2: 0.01}, MaxNorm: 1},
		{Width: 3, Optimizer: adam(true), Rows: 300, OutOfRange: rowan.OutOfRangeLast},
		{Width: 3, Optimizer: sgd(0.1), KeyType: tensor.String},
		{Width: 3, Optimizer: adam(true), Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}, Keep: 100, Trigger: 150}},
		{Width: 3, Optimizer: averaged, Regularizer: rowan.Regularizer{L1: 0.01}, Constraint: constraint.NonNeg{},
			Restrict: rowan.Restrict{Policy: rowan.FrequencyPolicy{}, Keep: 150}},
		{Width: 3, Optimizer: averaged, Rows: 300, Constraint: constraint.MaxNorm{Max: 1}},
		{Width: 3, Optimizer: averaged, Regularizer: rowan.Regularizer{L1: 0.01}, Constraint: constraint.UnitNorm{Axis: 1},
			Stores: &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"memory:", "memory:"}}},
	} {
		everythingAtOnce(t, o)
	}
}

func everythingAtOnce(t *testing.T, o rowan.TableOptions) {
	table := newTable(t, o)
	const n = 200
	at := func(from int) tensor.IDs {
		ints, strs := make([]int64, n), make([]string, n)
		for i := range ints {
			ints[i] = int64((from + i*7) % 299)
			strs[i] = fmt.Sprint(ints[i])
		}
		if o.KeyType == tensor.String {
			return dense(t, strs, n/4, 4)
		}
		return dense(t, ints, n/4, 4)
	}
	file := saved(t, table)
	ops := []func(i int) error{
		func(i int) error {
			how := rowan.LookupOptions{Combiner: []rowan.Combiner{rowan.Mean, rowan.Max}[i%2], Training: true}
			if o.KeyType != tensor.String {
				how.DefaultID = new(int64(7))
			}
			l, err := table.Lookup(ctx, at(i), how)
			if err != nil {
				return err
			}
			g := table.NewGradients()
			if err := g.Add(l, tensor.ZeroValues(n/4, 3)); err != nil {
				return err
			}
			if _, err := g.SumSquares(ctx, rowan.Step{}); err != nil {
				return err
			}
			return table.Apply(ctx, g, rowan.Step{})
		},
		func(i int) error { _, err := table.Lookup(ctx, at(i), rowan.LookupOptions{}); return err },
		func(i int) error { return table.Upsert(ctx, at(i), tensor.ZeroValues(n, 3)) },
		func(i int) error { return table.Accumulate(ctx, at(i), tensor.ZeroValues(n, 3), make([]bool, n)) },
		func(i int) error {
			if o.Rows > 0 {
				return nil
			}
			return table.Remove(ctx, at(i))
		},
		func(i int) error { return table.SetOptimizer(o.Optimizer) },
		func(i int) error { return table.SetRate(optim.Constant(float32(i) / 100)) },
		func(i int) error {
			if err := table.UseAverages(ctx); !errors.Is(err, rowan.ErrOptions) {
				return err
			}
			return nil
		},
		func(i int) error { _, err := table.Penalty(ctx); return err },
		func(i int) error {
			packed, err := table.Quantize(ctx, rowan.QuantizeInt8)
			if err != nil {
				return err
			}
			_, err = packed.Lookup(ctx, at(i), rowan.LookupOptions{Combiner: rowan.Max})
			return errors.Join(err, packed.Close())
		},
		func(i int) error { return table.Clear(ctx) },
		func(i int) error { return table.Save(ctx, new(bytes.Buffer)) },
		func(i int) error {
			if err := table.Load(ctx, bytes.NewReader(file)); !errors.Is(err, rowan.ErrStale) {
				return err
			}
			return nil
		},
		func(i int) error {
			for _, err := range table.Export(ctx) {
				if err != nil {
					return err
				}
			}
			table.Stats()
			table.Options()
			return nil
		},
		func(i int) error {
			for _, s := range table.Slots() {
				if _, _, err := table.LookupSlot(ctx, s.Name, at(i)); err != nil {
					return err
				}
			}
			return nil
		},
		func(i int) error {
			if o.Restrict.Policy == nil {
				return nil
			}
			_, restricted := table.Restrict(ctx, 50, 60)
			return errors.Join(restricted, table.Touch(ctx, at(i)))
		},
	}
	var wait sync.WaitGroup
	for k, op := range append(ops, ops[0], ops[1]) {
		wait.Go(func() {
			for i := range 25 {
				if err := op(i); err != nil && !errors.Is(err, rowan.ErrClosed) {
					t.Errorf("operation %d: %v", k, err)
					return
				}
				if k == 1 && i == 24 {
					table.Close()
				}
			}
		})
	}
	wait.Wait()
}

// TestCancelledInTheMiddle: a call whose context ends says so, and the next works.
func TestCancelledInTheMiddle(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1)})
	ids := make([]int64, 10000)
	for i := range ids {
		ids[i] = int64(i)
	}
	g := table.NewGradients()
	if err := g.Add(trainingLookup(t, table, dense(t, ids)), tensor.ZeroValues(len(ids), 1)); err != nil {
		t.Fatal(err)
	}
	late := &lateContext{Context: ctx, left: 20}
	is(t, "apply", table.Apply(late, g, rowan.Step{}), context.Canceled)
	if table.Step() != 0 {
		t.Errorf("step %d was cancelled and counts", table.Step())
	}
	late.left = 20
	is(t, "upsert", table.Upsert(late, dense(t, ids), tensor.ZeroValues(len(ids), 1)), context.Canceled)
	late.left = 0
	is(t, "save", table.Save(late, new(bytes.Buffer)), context.Canceled)
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil || table.Len() != len(ids) {
		t.Errorf("after that: %d rows, %v", table.Len(), err)
	}
}

// lateContext is cancelled when it has been asked a number of times.
type lateContext struct {
	context.Context
	mu   sync.Mutex
	left int
}

func (c *lateContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestGradientIsTheDerivative compares the backward pass with differences of
// the forward pass, for any bags, weights and combiner: the loss is a random
// linear function of what is looked up, so that both are exact but for rounding.
func TestGradientIsTheDerivative(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		const keys, width = 6, 3
		o := rowan.TableOptions{Width: width, Optimizer: sgd(1)}
		o.Rows = rapid.SampledFrom([]int{0, keys}).Draw(r, "rows")
		if rapid.Bool().Draw(r, "padded") {
			o.Padding = rowan.PaddingID(0)
		}
		o.Name = "film"
		table, err := rowan.NewTable(o)
		if err != nil {
			r.Fatal(err)
		}
		defer table.Close()
		ids := drawBags(r, keys)
		options := rowan.LookupOptions{Training: true, Combiner: rapid.SampledFrom([]rowan.Combiner{rowan.None, rowan.Sum, rowan.Mean, rowan.SqrtN}).Draw(r, "combiner")}
		l, err := table.Lookup(ctx, ids, options)
		if err != nil {
			r.Fatal(err)
		}
		grad := tensor.ZeroValues(l.Values().Shape()...)
		for i := range grad.Data() {
			grad.Data()[i] = rapid.Float32Range(-2, 2).Draw(r, "gradient")
		}
		all := []int64{0, 1, 2, 3, 4, 5}
		before := weightsOf(r, table, all)
		want := make([]float64, len(before))
		for i := range want {
			want[i] = difference(r, table, ids, options, grad, all, before, i)
		}
		write(r, table, all, before)
		g := table.NewGradients()
		if err := errors.Join(g.Add(l, grad), table.Apply(ctx, g, rowan.Step{})); err != nil {
			r.Fatal(err)
		}
		for i, after := range weightsOf(r, table, all) {
			got := float64(before[i]) - float64(after)
			if math.Abs(got-want[i]) > 2e-3*(1+math.Abs(want[i])) {
				r.Fatalf("key %d, number %d: gradient %v, difference %v", i/width, i%width, got, want[i])
			}
		}
	})
}

// drawBags draws ragged ids below keys, with weights or without.
func drawBags(r *rapid.T, keys int64) tensor.IDs {
	bags := rapid.SliceOfN(rapid.SliceOfN(rapid.Int64Range(0, keys-1), 0, 5), 1, 4).Draw(r, "bags")
	ids := tensor.RaggedOf(bags...)
	if !rapid.Bool().Draw(r, "weighted") {
		return ids
	}
	weights := make([]float32, ids.Len())
	for i := range weights {
		weights[i] = rapid.Float32Range(0.25, 2).Draw(r, "weight")
	}
	weighted, err := ids.WithWeights(weights)
	if err != nil {
		r.Fatal(err)
	}
	return weighted
}

// difference is the central difference of the loss by number i of the rows.
func difference(r *rapid.T, table *rowan.Table, ids tensor.IDs, o rowan.LookupOptions, grad *tensor.Values, keys []int64, rows []float32, i int) float64 {
	const h = 0.5 // large: the loss is linear
	var loss [2]float64
	for side, by := range []float32{-h, h} {
		moved := slices.Clone(rows)
		moved[i] += by
		write(r, table, keys, moved)
		l, err := table.Lookup(ctx, ids, o)
		if err != nil {
			r.Fatal(err)
		}
		for j, x := range l.Values().Data() {
			loss[side] += float64(x) * float64(grad.Data()[j])
		}
	}
	return (loss[1] - loss[0]) / (2 * h)
}

func write(r *rapid.T, table *rowan.Table, keys []int64, rows []float32) {
	ids, err := tensor.NewDense(keys)
	if err != nil {
		r.Fatal(err)
	}
	v, err := tensor.NewValues(rows, len(keys), table.Width())
	if err == nil {
		err = table.Upsert(ctx, ids, v)
	}
	if err != nil {
		r.Fatal(err)
	}
}

// weightsOf reads rows as they lie, that of the padding id too.
func weightsOf(r *rapid.T, table *rowan.Table, keys []int64) []float32 {
	rows := map[int64][]float32{}
	for part, err := range table.Export(ctx) {
		if err != nil {
			r.Fatal(err)
		}
		for i, k := range part.Keys.(*tensor.Dense[int64]).Values() {
			rows[k] = slices.Clone(part.Values.Row(i))
		}
	}
	out := make([]float32, 0, len(keys)*table.Width())
	for _, k := range keys {
		if rows[k] == nil {
			rows[k] = make([]float32, table.Width())
		}
		out = append(out, rows[k]...)
	}
	return out
}
