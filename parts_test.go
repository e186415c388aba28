package rowan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/keymap"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// memoryStores returns n empty stores for a table of options o.
func memoryStores(t testing.TB, o rowan.TableOptions, n int) []rowan.RowStore {
	t.Helper()
	if o.Name == "" {
		o.Name = "film"
	}
	var all []rowan.RowStore
	for range n {
		s, err := rowan.NewMemoryStore(o.KeyType, o.StoreWidth())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		all = append(all, s)
	}
	return all
}

// over makes a table whose rows are in stores.
func over(t testing.TB, o rowan.TableOptions, stores ...rowan.RowStore) *rowan.Table {
	t.Helper()
	o.Stores = &rowan.Stores{Parts: stores}
	return newTable(t, o)
}

// spy is a store that counts the calls to it, and does what a test wants before
// each.
type spy struct {
	rowan.RowStore
	finds, upserts, adds, removes atomic.Int64
	before                        func(ctx context.Context, call string) error
}

func spies(stores []rowan.RowStore) ([]*spy, []rowan.RowStore) {
	var all []*spy
	var as []rowan.RowStore
	for _, s := range stores {
		one := &spy{RowStore: s, before: func(context.Context, string) error { return nil }}
		all, as = append(all, one), append(as, one)
	}
	return all, as
}

func (s *spy) Find(ctx context.Context, keys tensor.IDs, rows []float32, exists []bool) error {
	s.finds.Add(1)
	if err := s.before(ctx, "Find"); err != nil {
		return err
	}
	return s.RowStore.Find(ctx, keys, rows, exists)
}

func (s *spy) Upsert(ctx context.Context, keys tensor.IDs, rows []float32) error {
	s.upserts.Add(1)
	if err := s.before(ctx, "Upsert"); err != nil {
		return err
	}
	return s.RowStore.Upsert(ctx, keys, rows)
}

func (s *spy) Accumulate(ctx context.Context, keys tensor.IDs, rows []float32, exists []bool) error {
	s.adds.Add(1)
	if err := s.before(ctx, "Accumulate"); err != nil {
		return err
	}
	return s.RowStore.Accumulate(ctx, keys, rows, exists)
}

func (s *spy) Remove(ctx context.Context, keys tensor.IDs) error {
	s.removes.Add(1)
	if err := s.before(ctx, "Remove"); err != nil {
		return err
	}
	return s.RowStore.Remove(ctx, keys)
}

func (s *spy) Clear(ctx context.Context) error {
	if err := s.before(ctx, "Clear"); err != nil {
		return err
	}
	return s.RowStore.Clear(ctx)
}

func (s *spy) Len(ctx context.Context) (int, error) {
	if err := s.before(ctx, "Len"); err != nil {
		return 0, err
	}
	return s.RowStore.Len(ctx)
}

func (s *spy) Export(ctx context.Context) iter.Seq2[*rowan.Rows, error] {
	if err := s.before(ctx, "Export"); err != nil {
		return func(yield func(*rowan.Rows, error) bool) { yield(nil, err) }
	}
	return s.RowStore.Export(ctx)
}

// partsCases are tables of every kind of row and of every rule about ids.
func partsCases() map[string]rowan.TableOptions {
	adam := &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.01), Exact: true}
	return map[string]rowan.TableOptions{
		"sgd": {Optimizer: sgd(0.1)},
		"lazy momentum": {Missing: rowan.MissingZeros, Padding: rowan.PaddingID(5e15),
			Optimizer: &optim.Optimizer{Updater: optim.SGD{Momentum: 0.9}, Rate: optim.Constant(0.1)}},
		"exact Adam": {Optimizer: adam, MaxNorm: 0.3},
		"exact RMSprop with a regularizer": {Regularizer: rowan.Regularizer{L1: 1e-3, L2: 1e-2},
			Optimizer: &optim.Optimizer{Updater: optim.NewRMSprop(), Rate: optim.Constant(0.01), Exact: true}},
		"Adagrad, clipped by global norm": {Missing: rowan.MissingSkip, MaxNorm: 0.5, Padding: rowan.PaddingID(-3e15),
			Optimizer: &optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1), Clip: optim.Clip{GlobalNorm: 1}}},
		"row-wise Adagrad with a regularizer": {Regularizer: rowan.Regularizer{L2: 1e-2},
			Optimizer: &optim.Optimizer{Updater: optim.RowWiseAdagrad{Epsilon: 1e-7}, Rate: optim.Constant(0.1)}},
		"threads": {Optimizer: adam, Threads: 3},
	}
}

// TestPartsEqualMemory: a table over one, two or five stores goes through the
// same training as one in memory, with the same bits in every lookup, every
// state and every file. Twin opens its stores itself.
func TestPartsEqualMemory(t *testing.T) {
	for name, o := range partsCases() {
		t.Run(name, func(t *testing.T) {
			againstMemory(t, o, func(i int) int64 { return int64(i-20) * 1e15 })
		})
	}
	adam := &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.01), Exact: true}
	t.Run("int32", func(t *testing.T) {
		againstMemory(t, rowan.TableOptions{Optimizer: adam}, func(i int) int32 { return int32(i-20) * 1e7 })
	})
	t.Run("uint64", func(t *testing.T) {
		againstMemory(t, rowan.TableOptions{Optimizer: adam}, func(i int) uint64 { return math.MaxUint64 - uint64(i) })
	})
	t.Run("string", func(t *testing.T) {
		o := rowan.TableOptions{Optimizer: adam, Padding: rowan.PaddingString("film 3")}
		againstMemory(t, o, func(i int) string { return fmt.Sprint("film ", i) })
	})
}

// againstMemory runs one random training on a table in memory and its twins.
func againstMemory[K tensor.Key](t *testing.T, o rowan.TableOptions, key func(i int) K) {
	o.Name, o.Width, o.KeyType, o.Seed = "film", 5, tensor.KeyTypeOf[K](), 7
	tables := []*rowan.Table{newTable(t, o)}
	for _, n := range []int{1, 2, 5} {
		tables = append(tables, over(t, o, memoryStores(t, o, n)...))
	}
	o.Stores = &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"memory:", "memory:", "memory:"}}
	tables = append(tables, newTable(t, o))
	for _, table := range tables {
		table.SetStep(1<<16 - 4) // so that last steps outgrow 16 bits
	}
	r := rand.New(rand.NewPCG(1, 2))
	draw := func() K { return key(r.IntN(60)) }
	for step := range 16 {
		var all []batch[K]
		how := lookupOptions(r, o.KeyType)
		weighed := how.Combiner <= rowan.SqrtN // others take no weights, or none below 0
		for range 1 + r.IntN(3) {
			layout := []string{"dense", "ragged", "sparse"}[r.IntN(3)]
			all = append(all, randomBatch(t, r, draw, layout, r.IntN(40), 1+r.IntN(6), weighed && r.IntN(2) == 0))
		}
		seed := r.Uint64()
		if step == 8 {
			for _, table := range tables {
				if err := table.SetRate(optim.Constant(0.03)); err != nil {
					t.Fatal(err)
				}
			}
		}
		var want []float32
		for i, table := range tables {
			read := trainParts(t, table, all, how, seed, 1<<16-3+int64(step)*2) // every other step is missed
			if i == 0 {
				want = read
			} else {
				if !slices.Equal(read, want) {
					t.Fatalf("step %d, table %d, %+v: read\n%v\nwant\n%v", step, i, how, read, want)
				}
				sameTables(t, fmt.Sprintf("step %d, table %d", step, i), table, tables[0], draw)
			}
		}
		changeAll(t, r, tables, draw)
	}
	if n := tables[0].Len(); n < 20 {
		t.Errorf("only %d rows: the test means to have more", n)
	}
}

// lookupOptions draws a way to look a training batch up.
func lookupOptions(r *rand.Rand, key tensor.KeyType) rowan.LookupOptions {
	o := rowan.LookupOptions{Training: true, Combiner: []rowan.Combiner{rowan.None, rowan.Sum, rowan.Mean, rowan.SqrtN, rowan.Max, rowan.Std}[r.IntN(6)]}
	if o.Combiner == rowan.None {
		return o
	}
	o.Prune = r.IntN(2) == 0
	switch {
	case r.IntN(2) == 0:
	case key == tensor.String:
		o.DefaultString = new("film 1")
	default:
		o.DefaultID = new(int64(5))
	}
	return o
}

// trainParts takes a step over several lookups, merged, and returns what they read.
func trainParts[K tensor.Key](t *testing.T, table *rowan.Table, all []batch[K], o rowan.LookupOptions, seed uint64, number int64) (read []float32) {
	t.Helper()
	r, g := rand.New(rand.NewPCG(seed, 0)), table.NewGradients()
	for _, b := range all {
		l, err := table.Lookup(ctx, b.ids, o)
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, l.Values().Data()...)
		shape := l.Values().Shape()
		if err := g.Add(l, values(t, randomGradient(r, len(l.Values().Data())), shape...)); err != nil {
			t.Fatal(err)
		}
	}
	step := rowan.Step{Number: number}
	if _, err := g.SumSquares(ctx, step); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(ctx, g, step); err != nil {
		t.Fatal(err)
	}
	return read
}

// sameTables compares two tables in all that can be asked of them.
func sameTables[K tensor.Key](t *testing.T, what string, got, want *rowan.Table, draw func() K) {
	t.Helper()
	if !bytes.Equal(saved(t, got), saved(t, want)) {
		t.Fatalf("%s: the file differs from that of the table in memory", what)
	}
	keys := make([]K, 50)
	for i := range keys {
		keys[i] = draw()
	}
	a, errA := got.Lookup(ctx, dense(t, keys, 10, 5), rowan.LookupOptions{Combiner: rowan.Mean})
	b, errB := want.Lookup(ctx, dense(t, keys, 10, 5), rowan.LookupOptions{Combiner: rowan.Mean})
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if !slices.Equal(a.Values().Data(), b.Values().Data()) || !slices.Equal(a.Exists(), b.Exists()) {
		t.Fatalf("%s: reads\n%v\nwant\n%v", what, a.Values().Data(), b.Values().Data())
	}
	if got.Len() != want.Len() || got.Step() != want.Step() {
		t.Fatalf("%s: %d rows at step %d, want %d at %d", what, got.Len(), got.Step(), want.Len(), want.Step())
	}
	for _, slot := range want.Slots() {
		a, errA := slotOf[K](t, got, slot.Name, keys)
		b, errB := slotOf[K](t, want, slot.Name, keys)
		if errA != nil || errB != nil || !slices.Equal(a, b) {
			t.Fatalf("%s: slot %s is (%v)\n%v\nwant (%v)\n%v", what, slot.Name, errA, a, errB, b)
		}
	}
	x, y := exported[K](t, got), exported[K](t, want)
	if !slices.Equal(x.keys, y.keys) || !slices.Equal(x.values, y.values) {
		t.Fatalf("%s: the export differs from that of the table in memory", what)
	}
}

// slotOf reads a slot of some keys, and then of all.
func slotOf[K tensor.Key](t *testing.T, table *rowan.Table, name string, keys []K) ([]float32, error) {
	v, exists, err := table.LookupSlot(ctx, name, dense(t, keys))
	if err != nil {
		return nil, err
	}
	all := slices.Clone(v.Data())
	for _, e := range exists {
		all = append(all, map[bool]float32{true: 1}[e])
	}
	for rows, err := range table.ExportSlot(ctx, name) {
		if err != nil {
			return nil, err
		}
		all = append(all, rows.Values.Data()...)
	}
	return all, nil
}

type export[K tensor.Key] struct {
	keys   []K
	values []float32
}

func exported[K tensor.Key](t testing.TB, table *rowan.Table) (all export[K]) {
	t.Helper()
	for rows, err := range table.Export(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		all.keys = append(all.keys, rows.Keys.(*tensor.Dense[K]).Values()...)
		all.values = append(all.values, rows.Values.Data()...)
	}
	return all
}

// changeAll writes, adds and removes the same rows in all tables.
func changeAll[K tensor.Key](t *testing.T, r *rand.Rand, tables []*rowan.Table, draw func() K) {
	t.Helper()
	keys, exists := make([]K, 9), make([]bool, 9)
	for i := range keys {
		keys[i], exists[i] = draw(), r.IntN(2) == 0
	}
	keys[8] = keys[0]
	v := values(t, randomGradient(r, 9*5), 9, 5)
	which, ids := r.IntN(3), dense(t, keys)
	for _, table := range tables {
		var err error
		switch which {
		case 0:
			err = table.Upsert(ctx, ids, v)
		case 1:
			err = table.Accumulate(ctx, ids, v, exists)
		case 2:
			err = table.Remove(ctx, ids)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestPartsLoad: a file of a table over five parts loads into memory and into
// two parts, and one of a table in memory into parts; steps and state go along.
// More rows than one block, of one key in four parts none.
func TestPartsLoad(t *testing.T) {
	o := rowan.TableOptions{Name: "film", Width: 3, Optimizer: adam(true)}
	five := over(t, o, memoryStores(t, o, 5)...)
	keys := make([]int64, 9000)
	for i := range keys {
		keys[i] = int64(i*i) - 1000
	}
	step(t, five, dense(t, keys), rowan.None, ones)
	step(t, five, dense(t, keys[:100]), rowan.None, ones)
	file := saved(t, five)
	two := over(t, o, memoryStores(t, o, 2)...)
	step(t, two, dense(t, []int64{-77777}), rowan.None, ones) // goes
	memory := newTable(t, o)
	for _, table := range []*rowan.Table{memory, two} {
		if err := table.Load(ctx, bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(saved(t, table), file) || table.Step() != 2 {
			t.Errorf("loaded into %d parts at step %d, the file differs", table.Stats().Parts, table.Step())
		}
	}
	for _, w := range []rowan.WarmStart{{}, {WithoutState: true}} {
		want, got := newTable(t, o), over(t, o, memoryStores(t, o, 3)...)
		for _, table := range []*rowan.Table{want, got} {
			if err := storeOf(t, five).WarmStart(ctx, w, table); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(saved(t, got), saved(t, want)) {
			t.Errorf("a warm start %+v differs from that of a table in memory", w)
		}
	}
	damaged := slices.Clone(file)
	damaged[len(damaged)/2] ^= 1
	if err := two.Load(ctx, bytes.NewReader(damaged)); err == nil {
		t.Error("a damaged file was loaded")
	}
	if !bytes.Equal(saved(t, two), file) {
		t.Error("a damaged file left its traces")
	}
}

// TestPartsCalls bounds what goes over the network: one Find of each part a
// lookup, however many ids and blocks it has; one Find and one write a step,
// however many lookups; nothing to measure gradients, for no ids, or of parts
// that have no key of the batch.
func TestPartsCalls(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Optimizer: &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1), Clip: optim.Clip{GlobalNorm: 1}}}
	for _, increments := range []bool{false, true} {
		spied, stores := spies(memoryStores(t, o, 3))
		o.Stores = &rowan.Stores{Parts: stores, Increments: increments, Partitioner: func(keys tensor.IDs, parts int, out []int32) error {
			for i, k := range keys.(*tensor.Dense[int64]).Values() {
				out[i] = int32(k & 1) // nothing for part 2
			}
			return nil
		}}
		table := newTable(t, o)
		expect := func(what string, finds, writes int64) {
			t.Helper()
			for i, s := range spied {
				if i == 2 {
					finds, writes = 0, 0
				}
				upserts, adds := writes, int64(0)
				if increments {
					upserts, adds = 0, writes
				}
				if s.finds.Load() != finds || s.upserts.Load() != upserts || s.adds.Load() != adds {
					t.Errorf("%s: part %d was asked by %d Find, %d Upsert, %d Accumulate; want %d, %d, %d",
						what, i, s.finds.Load(), s.upserts.Load(), s.adds.Load(), finds, upserts, adds)
				}
				s.finds.Store(0)
				s.upserts.Store(0)
				s.adds.Store(0)
			}
		}
		ids := make([]int64, 20_000)
		for i := range ids {
			ids[i] = int64(i % 700)
		}
		g := table.NewGradients()
		for range 3 {
			l, err := table.Lookup(ctx, dense(t, ids, 200, 100), rowan.LookupOptions{Training: true, Combiner: rowan.Sum})
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Add(l, ones(l)); err != nil {
				t.Fatal(err)
			}
			expect("a lookup", 1, 0)
		}
		if _, err := g.SumSquares(ctx, rowan.Step{}); err != nil {
			t.Fatal(err)
		}
		expect("SumSquares", 0, 0)
		if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
			t.Fatal(err)
		}
		expect("Apply", 1, 1)
		if _, err := table.Lookup(ctx, dense(t, []int64{}, 0, 4), rowan.LookupOptions{}); err != nil {
			t.Fatal(err)
		}
		expect("a lookup of nothing", 0, 0)
		if err := table.Remove(ctx, dense(t, []int64{1, 3})); err != nil {
			t.Fatal(err)
		}
		if n := [3]int64{spied[0].removes.Load(), spied[1].removes.Load(), spied[2].removes.Load()}; n != [3]int64{0, 1, 0} {
			t.Errorf("removing odd keys asked the parts %v times, want only part 1, once", n)
		}
	}
}

// TestPartsFail: a part that fails, fails the call, which names it and changes
// nothing here; no lookup turns a failure into first values.
func TestPartsFail(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Optimizer: adam(false)}
	spied, stores := spies(memoryStores(t, o, 3))
	table := over(t, o, stores...)
	ids := dense(t, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9})
	step(t, table, ids, rowan.None, ones)
	l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	if err := g.Add(l, ones(l)); err != nil {
		t.Fatal(err)
	}
	before := saved(t, table)
	cable := errors.New("the cable is out")
	var failing atomic.Value
	failing.Store("")
	spied[1].before = func(_ context.Context, call string) error {
		if call == failing.Load() {
			return cable
		}
		return nil
	}
	v := tensor.ZeroValues(9, 2)
	for _, c := range []struct {
		call string
		do   func() error
	}{
		{"Find", func() error {
			l, err := table.Lookup(ctx, ids, rowan.LookupOptions{})
			if err == nil {
				t.Errorf("read %v", l.Values().Data())
			}
			return err
		}},
		{"Find", func() error { return table.Apply(ctx, g, rowan.Step{}) }},
		{"Find", func() error { return table.Upsert(ctx, ids, v) }},
		{"Len", func() error { _, err := table.Count(ctx); return err }},
		{"Len", func() error { return table.Save(ctx, new(bytes.Buffer)) }},
		{"Export", func() error { return table.Save(ctx, new(bytes.Buffer)) }},
		{"Export", func() error {
			for _, err := range table.Export(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"Export", func() error { return table.SetOptimizer(adam(false)) }},
	} {
		failing.Store(c.call)
		err := c.do()
		if !errors.Is(err, cable) || !strings.Contains(err.Error(), "part 1 of 0 to 2") || !strings.Contains(err.Error(), `"film"`) {
			t.Errorf("%s failed: got %v", c.call, err)
		}
		failing.Store("")
		if !bytes.Equal(saved(t, table), before) {
			t.Fatalf("%s failed: the table has changed", c.call)
		}
	}
	failing.Store("Len")
	if n := table.Len(); n != -1 {
		t.Errorf("Len is %d while a part does not answer, want -1", n)
	}
	for _, c := range []struct {
		call string
		do   func() error
	}{
		{"Upsert", func() error { return table.Apply(ctx, g, rowan.Step{}) }},
		{"Upsert", func() error { return table.Upsert(ctx, ids, v) }},
		{"Upsert", func() error { return table.Load(ctx, bytes.NewReader(before)) }},
		{"Accumulate", func() error { return table.Accumulate(ctx, ids, v, make([]bool, 9)) }},
		{"Remove", func() error { return table.Remove(ctx, ids) }},
		{"Clear", func() error { return table.Clear(ctx) }},
	} {
		failing.Store(c.call)
		if err := c.do(); !errors.Is(err, cable) || !strings.Contains(err.Error(), "part 1 of 0 to 2") {
			t.Errorf("%s failed: got %v", c.call, err)
		}
	}
	if table.Step() != 1 {
		t.Errorf("step %d after an Apply that failed, want 1", table.Step())
	}
}

// waited is a context that says when somebody waits for its end.
type waited struct {
	context.Context
	asked chan struct{}
}

func (w waited) Done() <-chan struct{} {
	w.asked <- struct{}{}
	return w.Context.Done()
}

// TestPartsContext: a call ends with its context while a store is silent, and
// while another call is at the stores; parts are asked at once, so that the
// part which fails ends the others.
func TestPartsContext(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Optimizer: sgd(1)}
	spied, stores := spies(memoryStores(t, o, 3))
	table := over(t, o, stores...)
	ids := dense(t, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9})
	silent := make(chan struct{}, 1)
	spied[2].before = func(ctx context.Context, call string) error {
		silent <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	within, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- table.Upsert(within, ids, tensor.ZeroValues(9, 2)) }()
	<-silent
	second, cancelSecond := context.WithCancel(ctx)
	waits := waited{second, make(chan struct{}, 9)}
	go func() { done <- table.Upsert(waits, ids, tensor.ZeroValues(9, 2)) }()
	<-waits.asked
	cancelSecond()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for its turn: got %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for a store: got %v", err)
	}
	broken := errors.New("broken")
	spied[1].before = func(context.Context, string) error { return broken }
	if _, err := table.Lookup(ctx, ids, rowan.LookupOptions{}); !errors.Is(err, broken) {
		t.Errorf("one part fails, another is silent: got %v", err)
	}
	<-silent
	if _, err := table.Lookup(within, ids, rowan.LookupOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: got %v", err)
	}
}

// TestPartsTogether: any number of goroutines train and read one table over
// stores, and no update is lost.
func TestPartsTogether(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Initializer: initializer.Zeros{}, Optimizer: sgd(1)}
	table := over(t, o, memoryStores(t, o, 3)...)
	ids := dense(t, []int64{1, 2, 3, 4, 5})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Training: true})
				if err != nil {
					t.Error(err)
					return
				}
				g := table.NewGradients()
				if err := errors.Join(g.Add(l, ones(l)), table.Apply(ctx, g, rowan.Step{})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, x := range read(t, table, 1, 2, 3, 4, 5) {
		if x != -80 {
			t.Fatalf("rows are %v after 80 updates by -1", read(t, table, 1, 2, 3, 4, 5))
		}
	}
}

// TestPartsClose: a table that is closed, or given another optimizer, while
// others use it waits for their calls; later ones are told.
func TestPartsClose(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Optimizer: adam(false)}
	o.Stores = &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"memory:", "memory:"}}
	table, ids := newTable(t, o), dense(t, []int64{1, 2, 3, 4, 5})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for {
				l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Training: true})
				g := table.NewGradients()
				if err == nil {
					err = errors.Join(g.Add(l, ones(l)), table.Apply(ctx, g, rowan.Step{}))
				}
				if errors.Is(err, rowan.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, next := range []*optim.Optimizer{sgd(1), adam(true), adam(false)} {
		if err := table.SetOptimizer(next); err != nil {
			t.Error(err)
		}
	}
	if err := table.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	g := table.NewGradients()
	for name, err := range map[string]error{
		"Apply":        table.Apply(ctx, g, rowan.Step{}),
		"SumSquares":   second(g.SumSquares(ctx, rowan.Step{})),
		"Upsert":       table.Upsert(ctx, ids, tensor.ZeroValues(5, 2)),
		"Accumulate":   table.Accumulate(ctx, ids, tensor.ZeroValues(5, 2), make([]bool, 5)),
		"Remove":       table.Remove(ctx, ids),
		"Clear":        table.Clear(ctx),
		"Count":        second(table.Count(ctx)),
		"Save":         table.Save(ctx, new(bytes.Buffer)),
		"SetOptimizer": table.SetOptimizer(sgd(1)),
	} {
		if !errors.Is(err, rowan.ErrClosed) {
			t.Errorf("%s on a closed table: got %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestPartsNoContext: a context that is nil is an error.
func TestPartsNoContext(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Optimizer: adam(false)}
	table, ids := over(t, o, memoryStores(t, o, 2)...), dense(t, []int64{1, 2})
	var none context.Context
	g := table.NewGradients()
	for name, err := range map[string]error{
		"Lookup":     second(table.Lookup(none, ids, rowan.LookupOptions{})),
		"Apply":      table.Apply(none, g, rowan.Step{}),
		"SumSquares": second(g.SumSquares(none, rowan.Step{})),
		"Upsert":     table.Upsert(none, ids, tensor.ZeroValues(2, 2)),
		"Accumulate": table.Accumulate(none, ids, tensor.ZeroValues(2, 2), make([]bool, 2)),
		"Remove":     table.Remove(none, ids),
		"Clear":      table.Clear(none),
		"Count":      second(table.Count(none)),
		"Save":       table.Save(none, new(bytes.Buffer)),
		"Load":       table.Load(none, bytes.NewReader(saved(t, table))),
	} {
		if !errors.Is(err, rowan.ErrOptions) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestIncrements: two workers read the same rows, some of them new, before
// either writes. With Increments both updates count, in weights and in sums of
// squares; without, the last worker wins.
func TestIncrements(t *testing.T) {
	const lr, g1, g2 = 0.5, 3, 4
	for _, increments := range []bool{true, false} {
		o := rowan.TableOptions{Width: 2, Optimizer: &optim.Optimizer{
			Updater: optim.Adagrad{InitialAccumulator: 0.1, Epsilon: 1e-7}, Rate: optim.Constant(lr)}}
		spied, stores := spies(memoryStores(t, o, 1))
		o.Stores = &rowan.Stores{Parts: stores, Increments: increments}
		workers := []*rowan.Table{newTable(t, o), newTable(t, o)}
		if err := workers[0].Upsert(ctx, dense(t, []int64{1}), values(t, []float32{7, 8}, 1, 2)); err != nil {
			t.Fatal(err)
		}
		first := read(t, workers[1], 1, 2)
		ids := dense(t, []int64{1, 2})
		lookups := [2]*rowan.Lookup{}
		for i, w := range workers {
			var err error
			if lookups[i], err = w.Lookup(ctx, ids, rowan.LookupOptions{Training: true}); err != nil {
				t.Fatal(err)
			}
		}
		var both sync.WaitGroup // both have read before one writes
		both.Add(2)
		spied[0].before = func(_ context.Context, call string) error {
			if call != "Find" {
				both.Done()
				both.Wait()
			}
			return nil
		}
		var done sync.WaitGroup
		for i, w := range workers {
			done.Go(func() {
				g, v := w.NewGradients(), tensor.ZeroValues(2, 2)
				for j := range v.Data() {
					v.Data()[j] = [2]float32{g1, g2}[i]
				}
				if err := errors.Join(g.Add(lookups[i], v), w.Apply(ctx, g, rowan.Step{})); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		spied[0].before = func(context.Context, string) error { return nil }
		rows, exists := make([]float32, 8), make([]bool, 2)
		if err := stores[0].Find(ctx, ids, rows, exists); err != nil {
			t.Fatal(err)
		}
		move := func(g float64) float64 { return lr * g / (math.Sqrt(0.1+g*g) + 1e-7) }
		for i, x := range rows {
			key, slot := i/4, i%4
			want := 0.1 + g1*g1 + g2*g2
			if slot < 2 {
				want = float64(first[key*2+slot]) - move(g1) - move(g2)
			}
			// Differences are rounded to float32 twice.
			if near := math.Abs(float64(x)-want) < 1e-5; near != increments {
				t.Errorf("increments %v: number %d of key %d is %v; both updates make %v", increments, slot, key+1, x, want)
			}
		}
	}
}

// TestIncrementsAlone: one worker that writes increments comes to the rows of
// one that writes rows, but for the rounding of differences.
func TestIncrementsAlone(t *testing.T) {
	o := rowan.TableOptions{Width: 3, Optimizer: adam(false), MaxNorm: 0.4}
	rows := over(t, o, memoryStores(t, o, 2)...)
	o.Stores = &rowan.Stores{Parts: memoryStores(t, o, 2), Increments: true}
	increments := newTable(t, o)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 30 {
		b := randomBatch(t, r, func() int64 { return r.Int64N(20) }, "ragged", 9, 4, false)
		seed, how := r.Uint64(), rowan.LookupOptions{Combiner: rowan.Mean, Training: true}
		trainParts(t, rows, []batch[int64]{b}, how, seed, int64(i+1))
		trainParts(t, increments, []batch[int64]{b}, how, seed, int64(i+1))
	}
	a, b := exported[int64](t, increments), exported[int64](t, rows)
	if !slices.Equal(a.keys, b.keys) {
		t.Fatalf("keys %v, want %v", a.keys, b.keys)
	}
	for i := range a.values {
		// Each of 30 steps rounds once more, at 2^-24 of numbers below 1.
		if d := math.Abs(float64(a.values[i] - b.values[i])); d > 30*0x1p-22 {
			t.Errorf("number %d is %v, want %v", i, a.values[i], b.values[i])
		}
	}
	// What other workers have added may carry a stored row over the bound.
	if err := o.Stores.Parts[0].Upsert(ctx, dense(t, a.keys[:1]), []float32{3, 4, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if err := o.Stores.Parts[1].Remove(ctx, dense(t, a.keys[:1])); err != nil {
		t.Fatal(err)
	}
	a = exported[int64](t, increments)
	for i := 0; i < len(a.values); i += 3 {
		if n := math.Hypot(math.Hypot(float64(a.values[i]), float64(a.values[i+1])), float64(a.values[i+2])); n > 0.4*(1+1e-6) {
			t.Errorf("a row of norm %v is read, the bound is 0.4", n)
		}
	}
}

// TestPartitioner: a table's own partitioner says where rows go; what it says
// is checked.
func TestPartitioner(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Optimizer: sgd(1)}
	stores := memoryStores(t, o, 3)
	var answer func(k int64) (int32, error)
	o.Stores = &rowan.Stores{Parts: stores, Partitioner: func(keys tensor.IDs, parts int, out []int32) error {
		if parts != 3 || len(out) != keys.Len() {
			t.Errorf("asked about %d keys in %d parts with room for %d", keys.Len(), parts, len(out))
		}
		for i, k := range keys.(*tensor.Dense[int64]).Values() {
			var err error
			if out[i], err = answer(k); err != nil {
				return err
			}
		}
		return nil
	}}
	table := newTable(t, o)
	answer = func(k int64) (int32, error) { return int32(k / 10), nil }
	step(t, table, dense(t, []int64{1, 2, 11, 21, 22, 23}), rowan.None, ones)
	table.Options().Stores.Parts[0] = nil // a copy
	for i, want := range []int{2, 1, 3} {
		if n, err := stores[i].Len(ctx); n != want || err != nil {
			t.Errorf("part %d has %d rows (%v), want %d", i, n, err, want)
		}
	}
	// A table that names none asks Partition.
	plain, ids, of := memoryStores(t, o, 3), dense(t, []int64{-5, -4, -3, 1 << 40, 2, 3}), make([]int32, 6)
	step(t, over(t, o, plain...), ids, rowan.None, ones)
	if err := rowan.Partition(ids, 3, of); err != nil {
		t.Fatal(err)
	}
	for i, key := range ids.Values() {
		exists := make([]bool, 1)
		if err := plain[of[i]].Find(ctx, dense(t, []int64{key}), make([]float32, 2), exists); err != nil || !exists[0] {
			t.Errorf("key %d is not in part %d, where Partition sends it (%v)", key, of[i], err)
		}
	}
	_, err := table.Lookup(ctx, dense(t, []int64{31}), rowan.LookupOptions{})
	if !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), "key 31 to part 3 of 0 to 2") {
		t.Errorf("a part too high: got %v", err)
	}
	answer = func(k int64) (int32, error) { return -1, nil }
	if err := table.Remove(ctx, dense(t, []int64{1})); !errors.Is(err, rowan.ErrOptions) {
		t.Errorf("a negative part: got %v", err)
	}
	lost := errors.New("lost")
	answer = func(k int64) (int32, error) { return 0, lost }
	if err := table.Upsert(ctx, dense(t, []int64{1}), tensor.ZeroValues(1, 2)); !errors.Is(err, lost) {
		t.Errorf("a partitioner that fails: got %v", err)
	}
	// Rows that moved to two parts at once are not counted as two keys.
	answer = func(k int64) (int32, error) { return 2, nil }
	if err := table.Upsert(ctx, dense(t, []int64{1}), tensor.ZeroValues(1, 2)); err != nil {
		t.Fatal(err)
	}
	if err := table.Save(ctx, new(bytes.Buffer)); !errors.Is(err, rowan.ErrMismatch) || !strings.Contains(err.Error(), "both have key 1") {
		t.Errorf("saving a key that two parts have: got %v", err)
	}
}

// TestPartsOpen: stores that the table opens are opened when it is first used,
// in the width of the optimizer it has then, and closed with it; parts that the
// caller gave are not.
func TestPartsOpen(t *testing.T) {
	var asked []rowan.StoreOptions
	var opened []rowan.RowStore
	broken := errors.New("no route to host")
	fail := true
	o := rowan.TableOptions{Width: 2, InitialCapacity: 100, Stores: &rowan.Stores{
		URLs: []string{"memory:", "memory:"},
		Open: func(ctx context.Context, o rowan.StoreOptions) (rowan.RowStore, error) {
			if asked = append(asked, o); fail && o.Part == 1 {
				return nil, broken
			}
			s, err := rowan.OpenMemory(ctx, o)
			opened = append(opened, s)
			return s, err
		},
	}}
	table := newTable(t, o)
	if err := table.SetOptimizer(adam(false)); err != nil {
		t.Fatal(err)
	}
	if len(asked) > 0 {
		t.Error("stores were opened before the table was used")
	}
	_, err := table.Lookup(ctx, dense(t, []int64{1}), rowan.LookupOptions{})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "open part 1 of 0 to 1 (memory:)") {
		t.Errorf("a part that cannot be opened: got %v", err)
	}
	if _, err := opened[0].Len(ctx); !errors.Is(err, rowan.ErrClosed) {
		t.Errorf("part 0 was left open when part 1 failed: %v", err)
	}
	fail, asked, opened = false, nil, nil
	step(t, table, dense(t, []int64{1, 2, 3, 4}), rowan.None, ones)
	want := []rowan.StoreOptions{
		{Table: "film", Part: 0, Parts: 2, URL: "memory:", Width: 6, Capacity: 50},
		{Table: "film", Part: 1, Parts: 2, URL: "memory:", Width: 6, Capacity: 50},
	}
	if !slices.Equal(asked, want) {
		t.Errorf("opened %+v, want %+v", asked, want)
	}
	if s := table.Stats(); s.Parts != 2 || s.Rows != 4 || s.Stride != 24 || s.WeightBytes != 8 {
		t.Errorf("stats are %+v, want 2 parts with 4 rows of 24 bytes", s)
	}
	if err := errors.Join(table.Close(), table.Close()); err != nil {
		t.Fatal(err)
	}
	for i, s := range opened {
		if _, err := s.Len(ctx); !errors.Is(err, rowan.ErrClosed) {
			t.Errorf("part %d is open after the table: %v", i, err)
		}
	}
	o.Stores = &rowan.Stores{Parts: memoryStores(t, o, 2)}
	o.InitialCapacity = 0
	given := newTable(t, o)
	if err := given.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Stores.Parts[0].Len(ctx); err != nil {
		t.Errorf("closing a table closed a store that is not its own: %v", err)
	}
	if _, err := given.Lookup(ctx, dense(t, []int64{1}), rowan.LookupOptions{}); !errors.Is(err, rowan.ErrClosed) || given.Len() != 0 {
		t.Errorf("a closed table reads, or has %d rows: %v", given.Len(), err)
	}
}

// TestPartsSetOptimizer: rows keep their weights, as of the step, and start with
// fresh state; as in memory, bit for bit.
func TestPartsSetOptimizer(t *testing.T) {
	momentum := &optim.Optimizer{Updater: optim.SGD{Momentum: 0.5}, Rate: optim.Constant(0.1)}
	adagrad := &optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1)}
	o := rowan.TableOptions{Width: 2, Optimizer: adam(true)}
	memory := newTable(t, o)
	o.Stores = &rowan.Stores{URLs: []string{"memory:", "memory:"}, Open: rowan.OpenMemory}
	parts := newTable(t, o)
	for _, next := range []*optim.Optimizer{momentum, adagrad, nil, adam(true)} {
		for _, table := range []*rowan.Table{memory, parts} {
			step(t, table, dense(t, []int64{1, 2, 3, 4, 5}), rowan.None, ones)
			step(t, table, dense(t, []int64{1}), rowan.None, ones)
			if err := table.SetOptimizer(next); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(saved(t, parts), saved(t, memory)) {
			t.Fatalf("given %v: differs from the table in memory", next)
		}
		if next == nil {
			for _, table := range []*rowan.Table{memory, parts} {
				if err := table.SetOptimizer(momentum); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	o.Optimizer, o.Stores = momentum, nil
	o.Stores = &rowan.Stores{Parts: memoryStores(t, o, 2)}
	given := newTable(t, o)
	step(t, given, dense(t, []int64{1}), rowan.None, ones)
	if err := given.SetOptimizer(adagrad); err != nil { // of the same width
		t.Fatal(err)
	}
	if err := given.SetOptimizer(adam(false)); !errors.Is(err, rowan.ErrOptions) {
		t.Errorf("rows too wide for the stores: got %v", err)
	}
	if s := given.Stats(); s.Slots[0].Name != "accumulator" {
		t.Errorf("slots are %v after a change that was refused", s.Slots)
	}
}

// TestPartsRefusals: what makes no sense is told, and by whom it can be mended.
func TestPartsRefusals(t *testing.T) {
	o := rowan.TableOptions{Name: "film", Width: 2, Optimizer: sgd(1)}
	stores := memoryStores(t, o, 2)
	open := &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"memory:"}}
	wide, err := rowan.NewMemoryStore(tensor.Int64, 9)
	if err != nil {
		t.Fatal(err)
	}
	text, err := rowan.NewMemoryStore(tensor.String, 2)
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]rowan.TableOptions{
		"static":                  {Rows: 3, Stores: open},
		"MaxRows bounds":          {MaxRows: 3, Stores: open},
		"InitialCapacity is for":  {InitialCapacity: 3, Stores: &rowan.Stores{Parts: stores}},
		"Restrict gives up":       {Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}}, Stores: open},
		"Open needs URLs":         {Stores: &rowan.Stores{Open: rowan.OpenMemory}},
		"URLs need Open":          {Stores: &rowan.Stores{URLs: open.URLs}},
		"not both":                {Stores: &rowan.Stores{Open: rowan.OpenMemory, URLs: open.URLs, Parts: stores}},
		"leave Stores nil":        {Stores: &rowan.Stores{}},
		"part 1 of 0 to 1 is nil": {Stores: &rowan.Stores{Parts: []rowan.RowStore{stores[0], nil}}},
		"parts 0 and 1 are one":   {Stores: &rowan.Stores{Parts: []rowan.RowStore{stores[0], stores[0]}}},
		"rows have 9 numbers":     {Optimizer: sgd(1), Stores: &rowan.Stores{Parts: []rowan.RowStore{stores[0], wide}}},
		"keys are string":         {Stores: &rowan.Stores{Parts: []rowan.RowStore{text}}},
		"Increments cannot":       {Optimizer: adam(true), Stores: &rowan.Stores{Parts: stores, Increments: true}},
		"no Regularizer":          {Regularizer: rowan.Regularizer{L2: 1}, Stores: &rowan.Stores{Parts: stores, Increments: true}},
	} {
		o.Name, o.Width = "film", 2
		table, err := rowan.NewTable(o)
		if err == nil {
			table.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `table "film"`) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	table := newTable(t, rowan.TableOptions{Width: 2, Stores: &rowan.Stores{Parts: []rowan.RowStore{wide}}})
	if _, err := table.Lookup(ctx, dense(t, []int64{1}), rowan.LookupOptions{}); !errors.Is(err, rowan.ErrMismatch) {
		t.Errorf("a table without the optimizer of its rows: got %v", err)
	}
	far := newTable(t, rowan.TableOptions{Width: 2, Stores: &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"redis://me:secret@there/0"}}})
	_, err = far.Lookup(ctx, dense(t, []int64{1}), rowan.LookupOptions{})
	if !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), "redis://me:xxxxx@there/0") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a URL without a driver: got %v", err)
	}
	empty := newTable(t, rowan.TableOptions{Width: 2, Stores: &rowan.Stores{URLs: open.URLs,
		Open: func(context.Context, rowan.StoreOptions) (rowan.RowStore, error) { return nil, nil }}})
	if _, err := empty.Count(ctx); !errors.Is(err, rowan.ErrOptions) {
		t.Errorf("a driver that returns nothing: got %v", err)
	}
	if _, _, err := over(t, o, stores...).LookupSlot(ctx, "momentum", dense(t, []int64{1})); !errors.Is(err, rowan.ErrOptions) {
		t.Errorf("a slot that plain descent does not keep: got %v", err)
	}
	for _, err := range over(t, o, stores...).ExportSlot(ctx, "momentum") {
		if !errors.Is(err, rowan.ErrOptions) {
			t.Errorf("exporting it: got %v", err)
		}
	}
	if n := (rowan.TableOptions{}).StoreWidth(); n != 0 {
		t.Errorf("options that make no table have a row width of %d", n)
	}
}

// TestPartsLongKeys: strings that no table stores are told as in memory.
func TestPartsLongKeys(t *testing.T) {
	o := rowan.TableOptions{Width: 2, KeyType: tensor.String, Optimizer: sgd(1)}
	memory, parts := newTable(t, o), over(t, o, memoryStores(t, o, 2)...)
	ids := dense(t, []string{"a", strings.Repeat("x", keymap.MaxString+1)})
	for _, training := range []bool{false, true} {
		a, errA := memory.Lookup(ctx, ids, rowan.LookupOptions{Training: training})
		b, errB := parts.Lookup(ctx, ids, rowan.LookupOptions{Training: training})
		if fmt.Sprint(errA) != fmt.Sprint(errB) || training != errors.Is(errB, keymap.ErrLong) {
			t.Errorf("training %v: got %v, in memory %v", training, errB, errA)
		}
		if errA == nil && errB == nil && !slices.Equal(a.Values().Data(), b.Values().Data()) {
			t.Errorf("reads %v, want %v", b.Values().Data(), a.Values().Data())
		}
	}
}

// TestPartsDamaged: a row whose last step is none, and numbers that are not
// finite, are errors.
func TestPartsDamaged(t *testing.T) {
	o := rowan.TableOptions{Width: 1, Optimizer: adam(true)}
	stores := memoryStores(t, o, 1)
	table := over(t, o, stores...)
	for _, last := range [][2]float32{{0.5, 0}, {-1, 0}, {0, 65536}, {0, 1e20}} {
		row := []float32{1, 0, 0, last[0], last[1]}
		if err := stores[0].Upsert(ctx, dense(t, []int64{4}), row); err != nil {
			t.Fatal(err)
		}
		if _, err := table.Lookup(ctx, dense(t, []int64{4}), rowan.LookupOptions{}); !errors.Is(err, rowan.ErrMismatch) {
			t.Errorf("last step %v: got %v", last, err)
		}
		if err := table.Save(ctx, new(bytes.Buffer)); !errors.Is(err, rowan.ErrMismatch) {
			t.Errorf("saving last step %v: got %v", last, err)
		}
	}
	o.Optimizer = sgd(math.MaxFloat32)
	huge := over(t, o, memoryStores(t, o, 1)...)
	l, err := huge.Lookup(ctx, dense(t, []int64{1}), rowan.LookupOptions{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	g := huge.NewGradients()
	err = errors.Join(g.Add(l, values(t, []float32{1e9}, 1, 1)), huge.Apply(ctx, g, rowan.Step{}))
	if !errors.Is(err, rowan.ErrNotFinite) || !strings.Contains(err.Error(), "key 1") || huge.Len() != 0 {
		t.Errorf("an infinite row: got %v, %d rows", err, huge.Len())
	}
}

// badExport is a store that exports what it should not.
type badExport struct {
	rowan.RowStore
	rows []*rowan.Rows
}

func (b badExport) Export(context.Context) iter.Seq2[*rowan.Rows, error] {
	return func(yield func(*rowan.Rows, error) bool) {
		for _, r := range b.rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (b badExport) Len(context.Context) (int, error) { return 2, nil }

// TestPartsBadExport: a store of somebody else's that exports nonsense is an
// error that says what, and no file.
func TestPartsBadExport(t *testing.T) {
	o := rowan.TableOptions{Width: 1, Optimizer: sgd(1)}
	good := func(keys ...int64) *rowan.Rows {
		return &rowan.Rows{Keys: dense(t, keys), Values: tensor.ZeroValues(len(keys), 1)}
	}
	for want, rows := range map[string][]*rowan.Rows{
		"rows that are nil":        {nil},
		"ids are nil":              {{Values: tensor.ZeroValues(1, 1)}},
		"string keys":              {{Keys: dense(t, []string{"a"}), Values: tensor.ZeroValues(1, 1)}},
		"not 1 numbers for each":   {{Keys: dense(t, []int64{1, 2}), Values: tensor.ZeroValues(1, 1)}},
		"1 keys and not":           {{Keys: dense(t, []int64{1})}},
		"key -1 after key 3":       {good(3, -1)},
		"key 3 after key 3":        {good(3), good(3)},
		"had 2 rows, and gave 3":   {good(1, 2), good(), good(3)},
		"had 2 rows, and gave 1: ": {good(1)},
	} {
		table := over(t, o, badExport{memoryStores(t, o, 1)[0], rows})
		if err := table.Save(ctx, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

// TestReplicas: workers in one process that share out each batch, look their
// pieces up at once and add their gradients in the order of the pieces, come to
// the bits of one worker with the whole batch. Nothing of a lookup is kept in
// the table, so that it needs no copy for each.
func TestReplicas(t *testing.T) {
	o := rowan.TableOptions{Width: 3, Optimizer: adam(false)}
	for _, c := range []rowan.Combiner{rowan.None, rowan.Sum, rowan.Mean, rowan.SqrtN} {
		one, shared := newTable(t, o), newTable(t, o)
		over := over(t, o, memoryStores(t, o, 2)...)
		r := rand.New(rand.NewPCG(3, 4))
		for range 8 {
			const bags, length, replicas = 24, 5, 4
			ids := make([]int64, bags*length)
			for i := range ids {
				ids[i] = r.Int64N(40)
			}
			rows := bags
			if c == rowan.None {
				rows *= length
			}
			grad := randomGradient(r, rows*3)
			replicate(t, one, c, ids, grad, 1, bags, length)
			replicate(t, shared, c, ids, grad, replicas, bags, length)
			replicate(t, over, c, ids, grad, replicas, bags, length)
		}
		if want := saved(t, one); !bytes.Equal(saved(t, shared), want) || !bytes.Equal(saved(t, over), want) {
			t.Errorf("%v: replicas do not come to the bits of one", c)
		}
	}
}

// replicate shares one batch out among n workers.
func replicate(t *testing.T, table *rowan.Table, c rowan.Combiner, ids []int64, grad []float32, n, bags, length int) {
	t.Helper()
	lookups, errs := make([]*rowan.Lookup, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		part := dense(t, ids[i*len(ids)/n:(i+1)*len(ids)/n], bags/n, length)
		all.Go(func() {
			lookups[i], errs[i] = table.Lookup(ctx, part, rowan.LookupOptions{Training: true, Combiner: c})
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	for i, l := range lookups {
		v := values(t, grad[i*len(grad)/n:(i+1)*len(grad)/n], l.Values().Shape()...)
		if err := g.Add(l, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
}
