package rowan_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// rowConstraints is one of each that looks at a row by itself.
var rowConstraints = []constraint.Constraint{
	constraint.MaxNorm{Max: 0.5, Axis: 1}, constraint.NonNeg{}, constraint.UnitNorm{Axis: -1},
	constraint.MinMaxNorm{Min: 0.5, Max: 0.75, Rate: 0.5, Axis: 1},
	constraint.Func{Name: "third", Rows: true, F: func(w constraint.Array) { w.Data[2] = 1 }},
}

// update makes a step with these gradients of the rows of ids.
func update(t *testing.T, table *rowan.Table, ids []int64, grads []float32) {
	t.Helper()
	step(t, table, dense(t, ids), rowan.None, func(l *rowan.Lookup) *tensor.Values { return values(t, grads, l.Values().Shape()...) })
}

// writeRows upserts rows.
func writeRows(t *testing.T, table *rowan.Table, ids []int64, rows []float32) {
	t.Helper()
	if err := table.Upsert(context.Background(), dense(t, ids), values(t, rows, len(ids), table.Width())); err != nil {
		t.Fatal(err)
	}
}

// every returns 0 to n-1.
func every(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i)
	}
	return ids
}

// TestConstraintOfTouchedRows: a row with gradients is updated, then constrained;
// another keeps what it started with, although it is out of bounds. Of a static
// and of a dynamic table.
func TestConstraintOfTouchedRows(t *testing.T) {
	start := initializer.Values{2, -3, 4}
	for _, rows := range []int{0, 3} {
		for _, c := range rowConstraints {
			table := newTable(t, rowan.TableOptions{Width: 3, Rows: rows, Initializer: start, Optimizer: sgd(0.5), Constraint: c})
			update(t, table, []int64{1, 1}, []float32{1, 0, 2, 1, 0, 2})
			want := []float32{1, -3, 2}
			c.Apply(constraint.Of(want, 1, 3))
			if got := read(t, table, 1); !slices.Equal(got, want) {
				t.Errorf("%+v, %d rows: the row is %v, want %v", c, rows, got, want)
			}
			if got := read(t, table, 0); !slices.Equal(got, start) {
				t.Errorf("%+v, %d rows: a row that no step touched is %v", c, rows, got)
			}
		}
	}
}

// TestConstraintOfWrites: what is written is not an update. It is constrained
// with the row's next one.
func TestConstraintOfWrites(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: sgd(1), Constraint: constraint.NonNeg{}})
	writeRows(t, table, []int64{5}, []float32{-1, 2})
	if got := read(t, table, 5); !slices.Equal(got, []float32{-1, 2}) {
		t.Errorf("after Upsert: %v", got)
	}
	update(t, table, []int64{5}, []float32{0, 1})
	if got := read(t, table, 5); !slices.Equal(got, []float32{0, 1}) {
		t.Errorf("after an update: %v", got)
	}
}

// TestConstraintOfMissedSteps: the steps that an exact optimizer makes up for
// are constrained together, in what is read and in what is stored, and reading
// leaves no trace.
func TestConstraintOfMissedSteps(t *testing.T) {
	for _, reads := range []bool{false, true} {
		o := rowan.TableOptions{Width: 2, Rows: 4, Initializer: initializer.Values{0.02, 5}, Optimizer: adam(true)}
		free, held := newTable(t, o), o
		held.Constraint = constraint.NonNeg{}
		table := newTable(t, held)
		for _, x := range []*rowan.Table{free, table} {
			update(t, x, []int64{0}, []float32{1, 1}) // row 0 moves on by itself from here
			for range 40 {
				update(t, x, []int64{1}, []float32{1, 1})
			}
		}
		if got := read(t, free, 0); got[0] >= 0 {
			t.Fatalf("the free row is %v: the test needs one that becomes negative while it is missed", got)
		}
		if reads {
			read(t, table, 0)
		}
		want := read(t, free, 0)
		want[0] = 0
		if got := read(t, table, 0); !slices.Equal(got, want) {
			t.Errorf("a missed row reads as %v, want %v", got, want)
		}
		for _, x := range []*rowan.Table{free, table} {
			update(t, x, []int64{0}, []float32{0, 0})
		}
		if got, want := read(t, table, 0)[1], read(t, free, 0)[1]; got != want {
			t.Errorf("reads %v: the weight within bounds is %v, without a constraint %v", reads, got, want)
		}
	}
}

// TestConstraintOfTheWholeMatrix: along axis 0 each column over all rows is
// constrained in each step, whatever the step touched, to the same bits on any
// number of threads. The oracle is the constraint of the exported matrix.
func TestConstraintOfTheWholeMatrix(t *testing.T) {
	for _, c := range []constraint.Constraint{
		constraint.MaxNorm{Max: 1}, constraint.UnitNorm{}, constraint.MinMaxNorm{Min: 2, Max: 3, Rate: 0.25},
		constraint.Func{Name: "first row is the last", F: func(w constraint.Array) {
			copy(w.Data[:3], w.Data[(w.Shape[0]-1)*w.Stride:])
		}},
	} {
		for _, threads := range []int{1, 3} {
			o := rowan.TableOptions{Width: 3, Rows: 2500, Optimizer: sgd(1), Threads: threads, Initializer: initializer.NewRandomNormal()}
			free := newTable(t, o)
			o.Constraint = c
			table := newTable(t, o)
			for round := range 3 {
				ids := []int64{int64(round), 1700, 2499}
				grads := []float32{1, 2, 3, -1, 0, 1, 0.5, 0.5, 0.5}
				writeRows(t, free, every(2500), numbersOf(t, table))
				update(t, free, ids, grads)
				update(t, table, ids, grads)
				want := numbersOf(t, free)
				c.Apply(constraint.Of(want, 2500, 3))
				if got := numbersOf(t, table); !slices.Equal(got, want) {
					t.Fatalf("%+v, %d threads, round %d: the table is not the constrained matrix", c, threads, round)
				}
			}
		}
	}
}

// TestWholeConstraintOfExactRows: rows that a step leaves out are brought to it
// first, as if the optimizer were dense.
func TestWholeConstraintOfExactRows(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Rows: 3, Optimizer: adam(true), Constraint: constraint.UnitNorm{}}
	table := newTable(t, o)
	update(t, table, []int64{0}, []float32{1, -1})
	for range 5 {
		o.Constraint = nil
		free := newTable(t, o)
		if err := free.Load(context.Background(), bytes.NewReader(saved(t, table))); err != nil {
			t.Fatal(err)
		}
		update(t, free, []int64{1}, []float32{1, 2})
		update(t, table, []int64{1}, []float32{1, 2})
		want := numbersOf(t, free)
		constraint.UnitNorm{}.Apply(constraint.Of(want, 3, 2))
		if got := numbersOf(t, table); !slices.Equal(got, want) {
			t.Fatalf("the table is %v, want %v", got, want)
		}
	}
	column := 0.0
	for i, x := range numbersOf(t, table) {
		if i%2 == 0 {
			column += float64(x) * float64(x)
		}
	}
	if math.Abs(column-1) > 1e-6 {
		t.Errorf("a column has the squared norm %v, want 1", column)
	}
}

func TestConstraintRefusals(t *testing.T) {
	regular := rowan.Regularizer{L2: 0.1}
	for _, test := range []struct {
		o       rowan.TableOptions
		message string
	}{
		{rowan.TableOptions{Constraint: constraint.MaxNorm{Max: -1, Axis: 1}}, "max_value must be a finite number"},
		{rowan.TableOptions{Constraint: constraint.MaxNorm{Max: 1}}, "MaxNorm is over all rows, and a dynamic table has no fixed number of them: use one along axis 1"},
		{rowan.TableOptions{Rows: 3, Constraint: constraint.MaxNorm{Max: 1, Axis: 2}}, "axis must be a dimension of the weight, whose shape is [3 2]"},
		{rowan.TableOptions{Rows: 3, Constraint: constraint.Radial{}}, "RadialConstraint is for convolution kernels"},
		{rowan.TableOptions{Constraint: constraint.Radial{}}, "RadialConstraint is for convolution kernels"},
		{rowan.TableOptions{Rows: 3, Constraint: constraint.UnitNorm{}, Optimizer: adam(true), Regularizer: regular}, "leave out one of the three"},
	} {
		test.o.Name, test.o.Width = "a", 2
		if _, err := rowan.NewTable(test.o); !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), test.message) {
			t.Errorf("error %v, want one with %q", err, test.message)
		}
	}
	table := newTable(t, rowan.TableOptions{Width: 2, Rows: 3, Constraint: constraint.UnitNorm{}, Regularizer: regular})
	if err := table.SetOptimizer(adam(true)); !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), "leave out one of the three") {
		t.Errorf("SetOptimizer: %v", err)
	}
}

// TestConstraintAllocatesNothing: constraining touched rows is part of an update.
func TestConstraintAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	table := newTable(t, rowan.TableOptions{Width: 8, Rows: 100, Threads: 1, Optimizer: sgd(0.1), Constraint: constraint.MinMaxNorm{Max: 1, Rate: 1, Axis: 1}})
	ids, grad := dense(t, every(50)), tensor.ZeroValues(50, 8)
	var l rowan.Lookup
	g, ctx := table.NewGradients(), context.Background()
	got := testing.AllocsPerRun(20, func() {
		g.Reset()
		if table.LookupInto(ctx, &l, ids, rowan.LookupOptions{Training: true}) != nil || g.Add(&l, grad) != nil || table.Apply(ctx, g, rowan.Step{}) != nil {
			t.Fatal("a step failed")
		}
	})
	if got != 0 {
		t.Errorf("%v allocations a step", got)
	}
}

// TestConstraintOverStores: rows of stores are constrained as rows in memory
// are, and their penalty is that of all of them.
func TestConstraintOverStores(t *testing.T) {
	o := rowan.TableOptions{Width: 3, Initializer: initializer.Values{2, -3, 4}, Optimizer: sgd(0.5), Constraint: constraint.UnitNorm{Axis: 1},
		Regularizer: rowan.Regularizer{L2: 0.5}}
	memory := newTable(t, o)
	o.Stores = &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"memory:", "memory:"}}
	stored := newTable(t, o)
	for _, x := range []*rowan.Table{memory, stored} {
		update(t, x, []int64{1, 5, 1}, []float32{1, 0, 2, 1, 0, 2, 0, 0, 1})
	}
	if got, want := numbersOf(t, stored), numbersOf(t, memory); !slices.Equal(got, want) {
		t.Errorf("over stores the rows are %v, in memory %v", got, want)
	}
	got, err := stored.Penalty(ctx)
	want, err2 := memory.Penalty(ctx)
	if err != nil || err2 != nil || got != want || want == 0 {
		t.Errorf("over stores the penalty is %v, %v, in memory %v, %v", got, err, want, err2)
	}
	packed := quantized(t, stored, rowan.QuantizeInt8)
	if packed.Len() != 2 {
		t.Errorf("the quantized copy has %d rows", packed.Len())
	}
}
