package rowan_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestLookupSlot reads an accumulator whose numbers are known: the initial 0.1
// and the squares of the gradients.
func TestLookupSlot(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: &optim.Optimizer{
		Updater: optim.Adagrad{InitialAccumulator: 0.5, Epsilon: 1e-7}, Rate: optim.Constant(1)}})
	if s := table.Slots(); len(s) != 1 || s[0].Name != "accumulator" || s[0].Width != 2 {
		t.Errorf("slots %+v", s)
	}
	trainOn(t, table, int64(7), 8, 8)
	before := saved(t, table)
	for _, name := range []string{"accumulator", "Adagrad/accumulator"} {
		v, exists, err := table.LookupSlot(ctx, name, dense(t, []int64{9, 8, 7, 8}, 2, 2))
		if err != nil {
			t.Fatal(err)
		}
		if want := []float32{0.5, 0.5, 4.5, 4.5, 1.5, 1.5, 4.5, 4.5}; !slices.Equal(v.Data(), want) || !slices.Equal(v.Shape(), []int{2, 2, 2}) {
			t.Errorf("%s: %v of shape %v, want %v", name, v.Data(), v.Shape(), want)
		}
		if !slices.Equal(exists, []bool{false, true, true, true}) {
			t.Errorf("%s: exists %v", name, exists)
		}
	}
	v, _, err := table.LookupSlot(ctx, "accumulator", tensor.RaggedOf([]int64{7}, nil, []int64{8, 9}))
	if err != nil || !slices.Equal(v.Shape(), []int{3, 2}) {
		t.Errorf("ragged ids: %v, %v", v, err)
	}
	if !slices.Equal(before, saved(t, table)) {
		t.Error("reading a slot changed the table")
	}
}

// TestSlotsByName: each slot of an optimizer is read for itself, in one call or
// exported, of its own width, of more rows than one part.
func TestSlotsByName(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 3, Optimizer: adam(false)})
	const n = 9000
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64((i*7919 + 13) % n)
	}
	step(t, table, dense(t, ids), rowan.None, func(l *rowan.Lookup) *tensor.Values {
		grad := tensor.ZeroValues(n, 3)
		for i, id := range ids {
			for d := range 3 {
				grad.Data()[3*i+d] = float32(id)
			}
		}
		return grad
	})
	for name, of := range map[string]func(g float64) float64{
		"momentum": func(g float64) float64 { return 0.1 * g },
		"velocity": func(g float64) float64 { return 0.001 * g * g },
	} {
		v, _, err := table.LookupSlot(ctx, name, dense(t, ids))
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			slotIs(t, name, id, v.Row(i), of)
		}
		next := int64(0)
		for part, err := range table.ExportSlot(ctx, "Adam/"+name) {
			if err != nil {
				t.Fatal(err)
			}
			for i, id := range part.Keys.(*tensor.Dense[int64]).Values() {
				if id != next {
					t.Fatalf("%s: key %d comes where %d should", name, id, next)
				}
				slotIs(t, name, id, part.Values.Row(i), of)
				next++
			}
		}
		if next != n {
			t.Errorf("%s: exported %d rows", name, next)
		}
	}
	narrow := newTable(t, rowan.TableOptions{Width: 3, Optimizer: &optim.Optimizer{Updater: optim.NewRowWiseAdagrad(), Rate: optim.Constant(1)}})
	trainOn(t, narrow, int64(1))
	v, _, err := narrow.LookupSlot(ctx, narrow.Slots()[0].Name, dense(t, []int64{1, 2}))
	if err != nil || !slices.Equal(v.Shape(), []int{2, 1}) || narrow.Slots()[0].Width != 1 {
		t.Errorf("a slot of one number a row: %v, %v", v, err)
	}
}

// slotIs checks a row of a slot, to the rounding of float32.
func slotIs(t *testing.T, name string, id int64, row []float32, of func(float64) float64) {
	t.Helper()
	want := of(float64(id))
	for _, x := range row {
		if len(row) != 3 || math.Abs(float64(x)-want) > 1e-6*(1+math.Abs(want)) {
			t.Fatalf("%s of key %d is %v, want %v", name, id, row, want)
		}
	}
}

// TestSlotsAreCaughtUp: the state of a row that missed steps reads as an exact
// optimizer's would be, and stays as it lies.
func TestSlotsAreCaughtUp(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Initializer: initializer.Zeros{}, Optimizer: adam(true)})
	trainOn(t, table, int64(1))
	trainOn(t, table, int64(2))
	before := saved(t, table)
	v, _, err := table.LookupSlot(ctx, "momentum", dense(t, []int64{1, 2, 3}))
	if err != nil {
		t.Fatal(err)
	}
	// 0.1 after the step with a gradient of 1, times 0.9 for the one without.
	for i, want := range []float64{0.09, 0.1, 0} {
		if got := float64(v.Data()[i]); math.Abs(got-want) > 1e-7 {
			t.Errorf("momentum of key %d is %v, want %v", i+1, got, want)
		}
	}
	if !slices.Equal(before, saved(t, table)) {
		t.Error("reading a slot changed the table")
	}
}

func TestSlotRefusals(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: adam(false)})
	bare := newTable(t, rowan.TableOptions{Width: 2})
	static := newTable(t, rowan.TableOptions{Width: 2, Rows: 3, Optimizer: adam(false)})
	closed := newTable(t, rowan.TableOptions{Width: 2, Optimizer: adam(false)})
	closed.Close()
	one := dense(t, []int64{3})
	look := func(table *rowan.Table, name string, ids tensor.IDs) error {
		_, _, err := table.LookupSlot(ctx, name, ids)
		return err
	}
	export := func(ctx context.Context, table *rowan.Table, name string) (err error) {
		for _, e := range table.ExportSlot(ctx, name) {
			err = e
		}
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, _, cancelledErr := table.LookupSlot(cancelled, "velocity", one)
	for _, c := range []struct {
		name string
		err  error
		is   error
		says string
	}{
		{"unknown", look(table, "velocety", one), rowan.ErrOptions, `Adam keeps ["momentum" "velocity"] beside a row; did you mean "velocity"?`},
		{"unknown, exported", export(ctx, table, "accumulator"), rowan.ErrOptions, `"momentum" "velocity"`},
		{"of another optimizer", look(table, "Adagrad/accumulator", one), rowan.ErrOptions, `of Adam, not of "Adagrad"`},
		{"no name", look(table, "", one), rowan.ErrOptions, "Adam keeps"},
		{"no name, exported", export(ctx, table, ""), rowan.ErrOptions, "Adam keeps"},
		{"no optimizer", look(bare, "velocity", one), rowan.ErrOptions, "no optimizer"},
		{"out of range", look(static, "velocity", one), rowan.ErrOutOfRange, "id 3 at position 0"},
		{"nil ids", look(table, "velocity", nil), rowan.ErrShape, ""},
		{"another type", look(table, "velocity", dense(t, []string{"a"})), rowan.ErrKeyType, ""},
		{"closed", look(closed, "velocity", one), rowan.ErrClosed, ""},
		{"closed, exported", export(ctx, closed, "velocity"), rowan.ErrClosed, ""},
		{"cancelled", cancelledErr, context.Canceled, ""},
		{"cancelled, exported", export(cancelled, table, "velocity"), context.Canceled, ""},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(fmt.Sprint(c.err), c.says) {
			t.Errorf("%s: got %v, want %v saying %q", c.name, c.err, c.is, c.says)
		}
	}
	if len(closed.Slots()) != 0 || len(bare.Slots()) != 0 {
		t.Errorf("slots of a closed table: %v, of one without an optimizer: %v", closed.Slots(), bare.Slots())
	}
}
