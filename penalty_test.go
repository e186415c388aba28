package rowan_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
)

// cubes is a penalty written in Go: a third of the sum of |w|³.
func cubes(row, grad []float32) float32 {
	sum := float32(0)
	for i, w := range row {
		sum += w * w * max(w, -w) / 3
		if grad != nil {
			grad[i] += w * max(w, -w)
		}
	}
	return sum
}

// TestRowPenalty: a row pays a function's penalty when it is touched, for the
// steps since it last paid; its gradient is added once however often the id
// occurs.
func TestRowPenalty(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, Rows: 2, Initializer: initializer.Values{2, -1}, Optimizer: sgd(0.125),
		Regularizer: rowan.Regularizer{Row: cubes}})
	update(t, table, []int64{0, 0}, []float32{0, 0, 0, 1})
	if got := read(t, table, 0); !slices.Equal(got, []float32{2 - 0.125*4, -1}) {
		t.Errorf("after a step the row is %v", got)
	}
	update(t, table, []int64{0}, []float32{0, 0})
	update(t, table, []int64{1}, []float32{0, 0}) // pays for three steps
	if got := read(t, table, 1); !slices.Equal(got, []float32{2 - 0.125*3*4, -1 + 0.125*3}) {
		t.Errorf("a row that was missed twice is %v", got)
	}
}

// TestPenalty: the sum over the whole table follows whatever is done to it. The
// oracle adds up the exported rows. Sums of fixed point leave out less than
// 2^-64 a row; the squares of a row are summed in float32.
func TestPenalty(t *testing.T) {
	r := rowan.Regularizer{L1: 0.5, L2: 0.25, Row: cubes}
	for name, o := range map[string]rowan.TableOptions{
		"static":  {Width: 3, Rows: 300, Optimizer: sgd(0.1), Regularizer: r},
		"dynamic": {Width: 3, Optimizer: sgd(0.1), Regularizer: r},
		"adam":    {Width: 3, Optimizer: adam(false), Regularizer: r, MaxNorm: 1},
		"rows":    {Width: 3, Rows: 300, Optimizer: sgd(0.1), Regularizer: r, Constraint: constraint.UnitNorm{Axis: 1}},
		"whole":   {Width: 3, Rows: 300, Optimizer: sgd(0.1), Regularizer: r, Constraint: constraint.MaxNorm{Max: 1}},
		"evicts":  {Width: 3, Optimizer: sgd(0.1), Regularizer: r, Restrict: rowan.Restrict{Policy: rowan.FrequencyPolicy{}, Keep: 50}},
		"threads": {Width: 3, Optimizer: sgd(0.1), Regularizer: r, Threads: 4},
	} {
		t.Run(name, func(t *testing.T) {
			table, random := newTable(t, o), rand.New(rand.NewPCG(1, 2))
			check := func(after string) {
				t.Helper()
				want := 0.0
				for _, w := range numbersOf(t, table) {
					x := math.Abs(float64(w))
					want += 0.5*x + 0.25*x*x + x*x*x/3
				}
				got, err := table.Penalty(ctx)
				if err != nil || math.Abs(got-want) > 1e-6*(1+want) {
					t.Fatalf("after %s: penalty %v, %v, want %v", after, got, err, want)
				}
			}
			check("nothing")
			for range 5 {
				ids := make([]int64, 40)
				for i := range ids {
					ids[i] = random.Int64N(300)
				}
				update(t, table, ids, randomGradient(random, 120))
				check("a step")
			}
			if o.Restrict.Policy != nil {
				if e, err := table.Restrict(ctx, 20, 0); err != nil || e.Left != 20 {
					t.Fatalf("%+v, %v", e, err)
				}
				check("Restrict")
			}
			writeRows(t, table, []int64{3, 299}, []float32{1, 2, 3, -4, 5, 6})
			check("Upsert")
			old := saved(t, table)
			if o.Rows == 0 {
				if err := table.Remove(ctx, dense(t, []int64{3, 1000})); err != nil {
					t.Fatal(err)
				}
				check("Remove")
			}
			before, err := table.Penalty(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := table.SetOptimizer(&optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1)}); err != nil {
				t.Fatal(err)
			}
			if after, _ := table.Penalty(ctx); after != before {
				t.Errorf("SetOptimizer turns the penalty %v into %v: the same rows have the same sum", before, after)
			}
			if err := table.Clear(ctx); err != nil {
				t.Fatal(err)
			}
			check("Clear")
			if err := table.SetOptimizer(o.Optimizer); err != nil {
				t.Fatal(err)
			}
			if err := table.Load(ctx, bytes.NewReader(old)); err != nil {
				t.Fatal(err)
			}
			check("Load")
		})
	}
}

// TestPenaltyOfNothing: a table without a regularizer has none, a closed one says so.
func TestPenaltyOfNothing(t *testing.T) {
	for _, r := range []rowan.Regularizer{{}, {L2: 1}} {
		table := newTable(t, rowan.TableOptions{Width: 2, Rows: 2, Initializer: initializer.Ones{}, Regularizer: r})
		if got, err := table.Penalty(ctx); err != nil || got != float64(4*r.L2) {
			t.Errorf("%+v: %v, %v", r.L2, got, err)
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := table.Penalty(ctx); !errors.Is(err, rowan.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
}

// TestPenaltyOfExtremes: what a row's part may be, keeps
// to the bound, and comes out of the sum again.
func TestPenaltyOfExtremes(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1), Regularizer: rowan.Regularizer{Row: func(row, _ []float32) float32 { return row[0] }}})
	for _, x := range []float32{3e38, 1.5, -0.25, -3e38} {
		writeRows(t, table, []int64{1, 2}, []float32{x, 0.5})
		if got, want := must(table.Penalty(ctx)), max(-0x1p31, min(0x1p31, float64(x)))+0.5; got != want {
			t.Errorf("a row's part of %v makes %v, want %v", x, got, want)
		}
		update(t, table, []int64{1}, []float32{x - 1})
		if got := must(table.Penalty(ctx)); x < 3e38 && x > -3e38 && got != 1.5 {
			t.Errorf("after an update of %v to 1 the sum is %v, want 1.5", x, got)
		}
	}
}
