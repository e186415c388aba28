package rowan_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// collectionFeatures are of three tables: mixed widths and key types, a table of
// three features, and options of its own for each.
var collectionFeatures = []rowan.Feature{
	{Name: "seen", Table: "film", LookupOptions: rowan.LookupOptions{Combiner: rowan.Mean}},
	{Name: "user"},
	{Name: "liked", Table: "film", LookupOptions: rowan.LookupOptions{Combiner: rowan.Sum, DefaultID: new(int64(3))}},
	{Name: "tags", Table: "tag", LookupOptions: rowan.LookupOptions{Combiner: rowan.Max}},
	{Name: "film"},
}

func collectionTables(t testing.TB, threads int) []*rowan.Table {
	t.Helper()
	make := func(o rowan.TableOptions) *rowan.Table {
		o.Threads, o.Seed = threads, 7
		o.Optimizer = &optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1)}
		return newTable(t, o)
	}
	return []*rowan.Table{
		make(rowan.TableOptions{Name: "user", Width: 3, Rows: 500}),
		make(rowan.TableOptions{Name: "film", Width: 5}),
		make(rowan.TableOptions{Name: "tag", Width: 2, KeyType: tensor.String}),
	}
}

func newCollection(t testing.TB, tables []*rowan.Table) *rowan.Collection {
	t.Helper()
	c, err := rowan.NewCollection(tables, collectionFeatures...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// collectionBatch is n examples at random.
func collectionBatch(t testing.TB, r *rand.Rand, n int) map[string]tensor.IDs {
	t.Helper()
	users, films := make([]int64, n), make([]int64, n)
	bags := func() [][]int64 {
		bags := make([][]int64, n)
		for i := range bags {
			for range r.IntN(5) {
				bags[i] = append(bags[i], r.Int64N(300)-20)
			}
		}
		return bags
	}
	tags := make([][]string, n)
	for i := range n {
		users[i], films[i] = r.Int64N(500), r.Int64N(300)-20
		for range r.IntN(3) {
			tags[i] = append(tags[i], fmt.Sprint("tag", r.IntN(30)))
		}
	}
	return map[string]tensor.IDs{"seen": tensor.RaggedOf(bags()...), "liked": tensor.RaggedOf(bags()...),
		"user": dense(t, users), "film": dense(t, films), "tags": tensor.RaggedOf(tags...)}
}

// TestCollection trains a collection, and the same tables one by one with
// gradients merged by hand: they read and end with the same bits, whatever the
// threads, and whether gradients come by name or joined.
func TestCollection(t *testing.T) {
	const n = 2000 // ids enough for several goroutines
	hand := collectionTables(t, 1)
	byName := map[string]*rowan.Table{"user": hand[0], "film": hand[1], "tag": hand[2]}
	ways := []struct {
		c      *rowan.Collection
		g      *rowan.CollectionGradients
		l      *rowan.CollectionLookup
		joined bool
	}{{c: newCollection(t, collectionTables(t, 1))}, {c: newCollection(t, collectionTables(t, 4)), joined: true}}
	for i := range ways {
		ways[i].g, ways[i].l = ways[i].c.NewGradients(), new(rowan.CollectionLookup)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		batch := collectionBatch(t, r, n)
		grads, want := make(map[string]*tensor.Values), make(map[string]*rowan.Lookup)
		merged := make(map[*rowan.Table]*rowan.Gradients)
		for _, f := range ways[0].c.Features() {
			table := byName[f.Table]
			o := f.LookupOptions
			o.Training = true
			l, err := table.Lookup(ctx, batch[f.Name], o)
			if err != nil {
				t.Fatal(err)
			}
			want[f.Name] = l
			grads[f.Name] = values(t, randomGradient(r, l.Values().Len()), l.Values().Shape()...)
			if merged[table] == nil {
				merged[table] = table.NewGradients()
			}
			if err := merged[table].Add(l, grads[f.Name]); err != nil {
				t.Fatal(err)
			}
		}
		for i, w := range ways {
			if err := w.c.LookupInto(ctx, w.l, batch, true); err != nil {
				t.Fatal(err)
			}
			joined, err := w.l.Joined()
			if err != nil {
				t.Fatal(err)
			}
			all := tensor.ZeroValues(n, 5+3+5+2+5)
			if !slices.Equal(joined.Shape(), all.Shape()) {
				t.Fatalf("joined shape %v, want %v", joined.Shape(), all.Shape())
			}
			at := 0
			for _, f := range collectionFeatures {
				got, err := w.l.Values(f.Name)
				if err != nil || !slices.Equal(got.Data(), want[f.Name].Values().Data()) || !slices.Equal(got.Shape(), want[f.Name].Values().Shape()) {
					t.Fatalf("way %d: feature %q differs (%v)", i, f.Name, err)
				}
				for b := range n {
					row := got.Row(b)
					if !slices.Equal(joined.Row(b)[at:at+len(row)], row) {
						t.Fatalf("way %d: feature %q is not at %d of joined row %d", i, f.Name, at, b)
					}
					copy(all.Row(b)[at:], grads[f.Name].Row(b))
				}
				at += got.Shape()[1]
			}
			w.g.Reset()
			if w.joined {
				err = w.g.AddJoined(w.l, all)
				clear(all.Data()) // it has been copied
			} else {
				err = w.g.Add(w.l, grads)
			}
			if err == nil {
				err = w.c.Apply(ctx, w.g, rowan.Step{})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, table := range hand {
			if err := table.Apply(ctx, merged[table], rowan.Step{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, w := range ways {
		for j, table := range w.c.Tables() {
			if !slices.Equal(saved(t, table), saved(t, hand[j])) || table.Step() != 3 {
				t.Errorf("way %d: table %q at step %d has other bytes", i, table.Name(), table.Step())
			}
		}
	}
}

// TestCollectionGradientsAddUp adds two lookups of a step, one of them joined.
func TestCollectionGradientsAddUp(t *testing.T) {
	make := func() (*rowan.Table, *rowan.Collection) {
		table := ramp(t, 4, func(o *rowan.TableOptions) {
			o.Optimizer = &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}
		})
		c, err := rowan.NewCollection([]*rowan.Table{table}, rowan.Feature{Name: "a", Table: "film"}, rowan.Feature{Name: "b", Table: "film"})
		if err != nil {
			t.Fatal(err)
		}
		return table, c
	}
	table, c := make()
	first, err := c.Lookup(ctx, map[string]tensor.IDs{"a": dense(t, []int64{0}), "b": dense(t, []int64{1})}, true)
	if err != nil {
		t.Fatal(err)
	}
	g := c.NewGradients()
	joined := values(t, []float32{1, 2, 3, 4}, 1, 4)
	for range 2 {
		if err := g.AddJoined(first, joined); err != nil {
			t.Fatal(err)
		}
		copy(joined.Data(), []float32{10, 20, 30, 40})
	}
	if err := g.Add(first, map[string]*tensor.Values{"b": values(t, []float32{100, 0}, 1, 2)}); err != nil {
		t.Fatal(err)
	}
	// What is wrong in one feature adds nothing of another.
	bad := map[string]*tensor.Values{"a": values(t, []float32{1000, 1000}, 1, 2), "b": values(t, []float32{1}, 1, 1)}
	if err := g.Add(first, bad); !errors.Is(err, rowan.ErrShape) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("error %v", err)
	}
	nan := values(t, []float32{1000, 1000, 1, float32(math.NaN())}, 1, 4)
	if err := g.AddJoined(first, nan); !errors.Is(err, rowan.ErrNotFinite) {
		t.Errorf("error %v", err)
	}
	if sum, err := g.SumSquares(ctx, rowan.Step{}); err != nil || sum != 11*11+22*22+133*133+44*44 {
		t.Errorf("squared norm %v (%v)", sum, err)
	}
	if err := c.Apply(ctx, g, rowan.Step{Scale: 0.5, Number: 9}); err != nil {
		t.Fatal(err)
	}
	rows, err := c.Lookup(ctx, map[string]tensor.IDs{"a": dense(t, []int64{0}), "b": dense(t, []int64{1})}, false)
	if err != nil {
		t.Fatal(err)
	}
	now, err := rows.Joined()
	if want := []float32{0 - 5.5, 1 - 11, 10 - 66.5, 11 - 22}; err != nil || !slices.Equal(now.Data(), want) || table.Step() != 9 {
		t.Errorf("rows %v at step %d, want %v (%v)", now.Data(), table.Step(), want, err)
	}
}

func TestCollectionErrors(t *testing.T) {
	tables := collectionTables(t, 1)
	c := newCollection(t, tables)
	other := newCollection(t, tables)
	r := rand.New(rand.NewPCG(1, 1))
	batch := collectionBatch(t, r, 3)
	with := func(name string, ids tensor.IDs) map[string]tensor.IDs {
		b := collectionBatch(t, r, 3)
		b[name] = ids
		return b
	}
	without := collectionBatch(t, r, 3)
	delete(without, "tags")
	typo := collectionBatch(t, r, 3)
	typo["flim"] = typo["film"]
	trained, err := c.Lookup(ctx, batch, true)
	if err != nil {
		t.Fatal(err)
	}
	read, err := c.Lookup(ctx, batch, false)
	if err != nil {
		t.Fatal(err)
	}
	long, err := c.Lookup(ctx, with("film", dense(t, make([]int64, 4))), true)
	if err != nil {
		t.Fatal(err)
	}
	film := func(f ...rowan.Feature) error { return failure(rowan.NewCollection(tables[1:2], f...)) }
	grad := map[string]*tensor.Values{"flim": tensor.ZeroValues(3, 5)}
	g := c.NewGradients()
	untrained, err := rowan.NewCollection([]*rowan.Table{newTable(t, rowan.TableOptions{Name: "y", Width: 1})}, rowan.Feature{Name: "y"})
	if err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"table 0 of 1 is nil":                                      failure(rowan.NewCollection([]*rowan.Table{nil}, rowan.Feature{Name: "a"})),
		`two tables are named "film"`:                              failure(rowan.NewCollection([]*rowan.Table{tables[1], tables[1]}, rowan.Feature{Name: "film"})),
		"it has no features":                                       film(),
		`feature 1 is named ""`:                                    film(rowan.Feature{Name: "film"}, rowan.Feature{Table: "film"}),
		`feature 1 is named "film"`:                                film(rowan.Feature{Name: "film"}, rowan.Feature{Name: "film"}),
		`of table "flm", which is not there; did you mean "film"?`: film(rowan.Feature{Name: "a", Table: "flm"}),
		"is made with NewCollection":                               failure(new(rowan.Collection).Lookup(ctx, batch, true)),
		"the lookup to fill is nil":                                c.LookupInto(ctx, nil, batch, true),
		`the batch has no feature "tags"`:                          failure(c.Lookup(ctx, without, true)),
		`no feature is named "flim"; did you mean "film"?`:         failure(c.Lookup(ctx, typo, true)),
		"ids are nil":                                              failure(c.Lookup(ctx, with("film", (*tensor.Dense[int64])(nil)), true)),
		`table "film", feature "liked"`:                            failure(c.Lookup(ctx, with("liked", dense(t, []int64{1})), true)),
		`table "user", feature "user"`:                             failure(c.Lookup(ctx, with("user", dense(t, []int64{1, 500, 2})), true)),
		`is named "usr"; did you mean "user"?`:                     failure(trained.Values("usr")),
		"holds no batch":                                           failure(new(rowan.CollectionLookup).Values("user")),
		`"seen" has shape [3 5], "film" has [4 5]`:                 failure(long.Joined()),
		"must have the shape of the joined values, [3 20]":         g.AddJoined(trained, tensor.ZeroValues(3, 19)),
		"joined values, [3 20]":                                    g.AddJoined(trained, nil),
		"made for training":                                        g.Add(read, nil),
		"of this collection, made":                                 other.NewGradients().Add(trained, nil),
		"no feature is named \"flim\"":                             g.Add(trained, grad),
		"holds no":                                                 g.AddJoined(nil, nil),
		"Collection.NewGradients":                                  new(rowan.CollectionGradients).Add(trained, nil),
		"with its NewGradients":                                    c.Apply(ctx, other.NewGradients(), rowan.Step{}),
		"make them with its":                                       c.Apply(ctx, nil, rowan.Step{}),
		`table "user": rowan: bad options: steps`:                  c.Apply(ctx, g, rowan.Step{Number: -1}),
		`table "y": rowan: table is not trainable`:                 untrained.Apply(ctx, untrained.NewGradients(), rowan.Step{}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	for _, table := range tables {
		if table.Step() != 0 {
			t.Errorf("table %q is at step %d after errors", table.Name(), table.Step())
		}
	}
}

func failure[T any](_ T, err error) error { return err }

// TestCollectionAfterAnError: a lookup that failed holds nothing, and serves again.
func TestCollectionAfterAnError(t *testing.T) {
	c := newCollection(t, collectionTables(t, 2))
	r := rand.New(rand.NewPCG(3, 1))
	var l rowan.CollectionLookup
	good := collectionBatch(t, r, 10)
	bad := collectionBatch(t, r, 10)
	bad["user"] = dense(t, []int64{-1})
	if err := c.LookupInto(ctx, &l, good, true); err != nil {
		t.Fatal(err)
	}
	if err := c.LookupInto(ctx, &l, bad, true); !errors.Is(err, rowan.ErrOutOfRange) {
		t.Fatalf("error %v", err)
	}
	if _, err := l.Joined(); !errors.Is(err, rowan.ErrStale) {
		t.Errorf("joined after an error: %v", err)
	}
	if err := c.LookupInto(ctx, &l, good, true); err != nil {
		t.Fatal(err)
	}
	if v, err := l.Joined(); err != nil || v.Len() != 10*20 {
		t.Errorf("joined after all: %v", err)
	}
}

// TestCollectionManyReaders reads while another goroutine trains.
func TestCollectionManyReaders(t *testing.T) {
	c := newCollection(t, collectionTables(t, 2))
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			var l rowan.CollectionLookup
			grads := c.NewGradients()
			for range 20 {
				err := c.LookupInto(ctx, &l, collectionBatch(t, r, 50), g == 0)
				if g == 0 && err == nil {
					grads.Reset()
					if err = grads.AddJoined(&l, tensor.ZeroValues(50, 20)); err == nil {
						err = c.Apply(ctx, grads, rowan.Step{})
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

func TestCollectionNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	features := slices.Clone(collectionFeatures)
	features[2].DefaultID = nil // which makes a batch of its own
	for _, threads := range []int{1, 3} {
		c, err := rowan.NewCollection(collectionTables(t, threads), features...)
		if err != nil {
			t.Fatal(err)
		}
		batch := collectionBatch(t, rand.New(rand.NewPCG(1, 1)), 2000)
		var l rowan.CollectionLookup
		g := c.NewGradients()
		joined := tensor.ZeroValues(2000, 20)
		named := map[string]*tensor.Values{"film": tensor.ZeroValues(2000, 5)}
		work := func() {
			err := c.LookupInto(ctx, &l, batch, true)
			if err == nil {
				_, err = l.Joined()
			}
			g.Reset()
			if err == nil {
				err = errors.Join(g.AddJoined(&l, joined), g.Add(&l, named))
			}
			if err == nil {
				err = c.Apply(ctx, g, rowan.Step{})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			work()
		}
		// See TestNoAllocation.
		best := testing.AllocsPerRun(20, work)
		for range 4 {
			best = min(best, testing.AllocsPerRun(20, work))
		}
		if best != 0 {
			t.Errorf("%d threads: %v allocations a step, want none", threads, best)
		}
	}
}
