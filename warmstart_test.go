package rowan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// storeOf returns a store with one checkpoint of tables.
func storeOf(t testing.TB, tables ...*rowan.Table) *rowan.Store {
	t.Helper()
	s, err := rowan.OpenStore(t.TempDir())
	if err == nil {
		err = s.Save(ctx, 1, nil, tables...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWarmStart: tables start from those of another checkpoint, under other
// names and another seed, with their state: they go on as the old ones would.
func TestWarmStart(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Seed: 3, Optimizer: adam(true), Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}}}
	named := func(name string, seed uint64) *rowan.Table {
		o := o
		o.Name, o.Seed = name, seed
		return newTable(t, o)
	}
	film, user, plain := named("old/film", 3), named("user", 3), named("plain", 3)
	trainOn(t, film, int64(1), 2)
	trainOn(t, film, int64(2))
	trainOn(t, user, int64(9))
	trainOn(t, plain, int64(5))
	s := storeOf(t, film, user, plain)

	newFilm, newUser, same, other := named("film", 4), named("v2/user", 4), named("plain", 4), named("other", 4)
	trainOn(t, other, int64(77))
	if err := s.WarmStart(ctx, rowan.WarmStart{
		Names:  map[string]string{"film": "old/film"},
		Rename: func(name string) string { return strings.TrimPrefix(name, "v2/") },
		Only:   regexp.MustCompile("film|user|plain"),
	}, newFilm, newUser, same, other); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(held[int64](t, newUser), []int64{9}) || !slices.Equal(held[int64](t, same), []int64{5}) {
		t.Errorf("keys %v and %v", held[int64](t, newUser), held[int64](t, same))
	}
	if !slices.Equal(held[int64](t, other), []int64{77}) || other.Step() != 1 {
		t.Errorf("a table that Only leaves out holds %v", held[int64](t, other))
	}
	// Both go on with the keys they have: weights, momentum, last steps, step and scores are the same.
	trainOn(t, film, int64(1))
	trainOn(t, newFilm, int64(1))
	if a, b := read(t, film, 1, 2), read(t, newFilm, 1, 2); !slices.Equal(a, b) || newFilm.Step() != 3 {
		t.Errorf("went on to %v at step %d, want %v at 3", b, newFilm.Step(), a)
	}
	for _, table := range []*rowan.Table{film, newFilm} {
		scores, _, err := table.Scores(ctx, dense(t, []int64{1, 2}))
		if err != nil || !slices.Equal(scores, []int64{3, 2}) {
			t.Errorf("table %q: scores %v, %v", table.Name(), scores, err)
		}
	}
	// A key that neither has starts as the new table says.
	fresh := named("film", 4)
	if a, b := read(t, newFilm, 1000), read(t, fresh, 1000); !slices.Equal(a, b) {
		t.Errorf("a new key reads %v, want %v", a, b)
	}
}

// TestWarmStartWithoutState: the weights alone, for a table of another
// optimizer, policy and bound.
func TestWarmStartWithoutState(t *testing.T) {
	old := newTable(t, rowan.TableOptions{Width: 2, Optimizer: adam(true), Restrict: rowan.Restrict{Policy: rowan.FrequencyPolicy{}}})
	if err := old.Upsert(ctx, dense(t, []int64{1, 2}), values(t, []float32{1, 2, 30, 40}, 2, 2)); err != nil {
		t.Fatal(err)
	}
	trainOn(t, old, int64(1))
	weights := read(t, old, 1)
	s := storeOf(t, old)
	table := newTable(t, rowan.TableOptions{Width: 2, MaxNorm: 5, Optimizer: adam(false), Regularizer: rowan.Regularizer{L2: 0.5},
		Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}}})
	trainOn(t, table, int64(8))
	trainOn(t, table, int64(8))
	if err := s.WarmStart(ctx, rowan.WarmStart{WithoutState: true}, table); err != nil {
		t.Fatal(err)
	}
	if got := read(t, table, 1, 2); !slices.Equal(got, append(weights, 3, 4)) {
		t.Errorf("weights %v, want %v and (3, 4), which is (30, 40) cut to a norm of 5", got, weights)
	}
	v, exists, err := table.LookupSlot(ctx, "momentum", dense(t, []int64{1, 8}))
	if err != nil || !slices.Equal(v.Data(), []float32{0, 0, 0, 0}) || exists[1] {
		t.Errorf("momentum %v, key 8 there: %v, %v", v.Data(), exists[1], err)
	}
	if table.Step() != 2 {
		t.Errorf("step %d, want the table's own, 2", table.Step())
	}
	scores, _, err := table.Scores(ctx, dense(t, []int64{1, 2}))
	if err != nil || !slices.Equal(scores, []int64{2, 2}) {
		t.Errorf("scores %v, %v; want rows as of now", scores, err)
	}
	// The rows owe no penalty for steps before they came.
	before := read(t, table, 1)
	step(t, table, dense(t, []int64{1}), rowan.None, func(l *rowan.Lookup) *tensor.Values { return tensor.ZeroValues(1, 2) })
	twin := newTable(t, rowan.TableOptions{Width: 2, Optimizer: adam(false), Regularizer: rowan.Regularizer{L2: 0.5}})
	twin.SetStep(2)
	if err := twin.Upsert(ctx, dense(t, []int64{1}), values(t, before, 1, 2)); err != nil {
		t.Fatal(err)
	}
	step(t, twin, dense(t, []int64{1}), rowan.None, func(l *rowan.Lookup) *tensor.Values { return tensor.ZeroValues(1, 2) })
	if a, b := read(t, table, 1), read(t, twin, 1); !slices.Equal(a, b) {
		t.Errorf("the row went on to %v, want %v", a, b)
	}
}

// TestWarmStartCatchesUp: a row that missed steps of an exact optimizer reads as
// it did there, where the table has that optimizer; else as it was last updated.
func TestWarmStartCatchesUp(t *testing.T) {
	old := newTable(t, rowan.TableOptions{Width: 1, Optimizer: adam(true)})
	trainOn(t, old, int64(1))
	lazy := read(t, old, 1)
	trainOn(t, old, int64(2))
	trainOn(t, old, int64(2))
	exact := read(t, old, 1)
	s := storeOf(t, old)
	if slices.Equal(lazy, exact) {
		t.Fatal("the row missed nothing")
	}
	for _, c := range []struct {
		exact bool
		want  []float32
	}{{true, exact}, {false, lazy}} {
		table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: adam(c.exact)})
		if err := s.WarmStart(ctx, rowan.WarmStart{WithoutState: true}, table); err != nil {
			t.Fatal(err)
		}
		if got := read(t, table, 1); !slices.Equal(got, c.want) {
			t.Errorf("exact %v: the row reads %v, want %v", c.exact, got, c.want)
		}
		v, _, err := table.LookupSlot(ctx, "momentum", dense(t, []int64{1}))
		if err != nil || v.Data()[0] != 0 {
			t.Errorf("exact %v: momentum %v, %v", c.exact, v, err)
		}
	}
}

// TestWarmStartStatic: a static table starts from one of as many rows.
func TestWarmStartStatic(t *testing.T) {
	old := ramp(t, 4, func(o *rowan.TableOptions) { o.Name = "old" })
	s := storeOf(t, old)
	names := rowan.WarmStart{Names: map[string]string{"film": "old"}}
	table := newTable(t, rowan.TableOptions{Name: "film", Width: 2, Rows: 4})
	if err := s.WarmStart(ctx, names, table); err != nil {
		t.Fatal(err)
	}
	if got := read(t, table, 3, 0); !slices.Equal(got, []float32{30, 31, 0, 1}) {
		t.Errorf("rows %v", got)
	}
	for _, rows := range []int{3, 5} {
		names.WithoutState = rows == 3
		if err := s.WarmStart(ctx, names, newTable(t, rowan.TableOptions{Name: "film", Width: 2, Rows: rows})); !errors.Is(err, rowan.ErrMismatch) {
			t.Errorf("a table of %d rows: %v", rows, err)
		}
	}
}

// TestWarmStartRefusals: what does not fit is an error, and no table is changed.
func TestWarmStartRefusals(t *testing.T) {
	o := rowan.TableOptions{Name: "film", Width: 2, Optimizer: adam(false), Restrict: rowan.Restrict{Policy: rowan.FrequencyPolicy{}}}
	old := newTable(t, o)
	trainOn(t, old, int64(1))
	s := storeOf(t, old)
	with := func(change func(*rowan.TableOptions)) *rowan.Table {
		o := o
		change(&o)
		return newTable(t, o)
	}
	good := with(func(o *rowan.TableOptions) { o.Name = "good" })
	trainOn(t, good, int64(5))
	before := saved(t, good)
	toFilm := rowan.WarmStart{Rename: func(string) string { return "film" }}
	weights := toFilm
	weights.WithoutState = true
	for _, c := range []struct {
		name  string
		w     rowan.WarmStart
		table *rowan.Table
		is    error
		says  string
	}{
		{"width", weights, with(func(o *rowan.TableOptions) { o.Width = 3 }), rowan.ErrMismatch, "2 wide, the table's 3"},
		{"key type", weights, with(func(o *rowan.TableOptions) { o.KeyType = tensor.String }), rowan.ErrMismatch, "keys"},
		{"state", toFilm, with(func(o *rowan.TableOptions) { o.Optimizer = sgd(1) }), rowan.ErrMismatch, "slots"},
		{"last steps", toFilm, with(func(o *rowan.TableOptions) { o.Optimizer = adam(true) }), rowan.ErrMismatch, "last step"},
		{"policy", toFilm, with(func(o *rowan.TableOptions) { o.Restrict.Policy = rowan.TimestampPolicy{} }), rowan.ErrMismatch, `"frequency", the table's policy is "timestamp"`},
		{"missing there", rowan.WarmStart{Names: map[string]string{"good": "film"}}, with(func(o *rowan.TableOptions) { o.Name = "user" }), rowan.ErrMismatch, `has no table "user": there is no user.table among ["film.table"]`},
		{"missing here", rowan.WarmStart{Names: map[string]string{"god": "film"}}, with(func(*rowan.TableOptions) {}), rowan.ErrOptions, `did you mean "good"?`},
		{"none", rowan.WarmStart{Only: regexp.MustCompile("^x")}, with(func(*rowan.TableOptions) {}), rowan.ErrOptions, `["good" "film"]`},
		{"left out and named", rowan.WarmStart{Only: regexp.MustCompile("film"), Names: map[string]string{"good": "film"}}, with(func(*rowan.TableOptions) {}), rowan.ErrOptions, `Names has "good"`},
	} {
		err := s.WarmStart(ctx, c.w, good, c.table)
		if !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: got %v, want %v saying %q", c.name, err, c.is, c.says)
		}
		if !bytes.Equal(before, saved(t, good)) {
			t.Fatalf("%s: the table that fits was changed", c.name)
		}
	}
	var none context.Context
	is(t, "a nil table", s.WarmStart(ctx, toFilm, good, nil), rowan.ErrOptions)
	is(t, "a nil context", s.WarmStart(none, toFilm, good), rowan.ErrOptions)
	empty, err := rowan.OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.WarmStart(ctx, toFilm, good); err == nil {
		t.Error("a warm start from an empty store")
	}
}
