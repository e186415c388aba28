package rowan_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func newTableOf[T rowan.Cell](t testing.TB, o rowan.TableOptions) *rowan.TableOf[T] {
	t.Helper()
	if o.Name == "" {
		o.Name = "film"
	}
	table, err := rowan.NewTableOf[T](o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	return table
}

// cellsOf is what the test of a type of cells needs: how to draw one, and what rows
// start with.
type cellsOf[T rowan.Cell] struct {
	draw  func(r *rand.Rand) T
	start initializer.Initializer
	first T
}

// TestTableOf writes, reads, removes, exports, saves and loads rows of each type, of
// integer and of string keys, in random order, and compares with a map.
func TestTableOf(t *testing.T) {
	anyBits := func(r *rand.Rand) int64 { return int64(r.Uint64()) }
	cellsAgainstMap(t, cellsOf[float64]{func(r *rand.Rand) float64 { return r.NormFloat64() * 1e99 }, initializer.Constant{Value: 0.1}, 0.1})
	cellsAgainstMap(t, cellsOf[int8]{func(r *rand.Rand) int8 { return int8(anyBits(r)) }, initializer.Constant{Value: -128}, -128})
	cellsAgainstMap(t, cellsOf[int32]{func(r *rand.Rand) int32 { return int32(anyBits(r)) }, initializer.Constant{Value: math.MaxInt32}, math.MaxInt32})
	cellsAgainstMap(t, cellsOf[int64]{anyBits, initializer.Constant{Value: 1<<53 - 1}, 1<<53 - 1})
	cellsAgainstMap(t, cellsOf[bool]{func(r *rand.Rand) bool { return r.IntN(2) == 0 }, initializer.Ones{}, true})
	cellsAgainstMap(t, cellsOf[string]{func(r *rand.Rand) string {
		return strings.Repeat(string([]byte{byte(r.Uint32()), 0, 255}), r.IntN(1+r.IntN(2000)))
	}, nil, ""})
}

func cellsAgainstMap[T rowan.Cell](t *testing.T, kind cellsOf[T]) {
	for _, rows := range []int{0, 30} {
		t.Run(fmt.Sprintf("%T/int64/rows=%d", kind.first, rows), func(t *testing.T) {
			runCells(t, kind, rowan.TableOptions{Rows: rows}, func(i int) int64 { return int64(i) })
		})
	}
	t.Run(fmt.Sprintf("%T/string", kind.first), func(t *testing.T) {
		runCells(t, kind, rowan.TableOptions{KeyType: tensor.String}, func(i int) string { return fmt.Sprint("film ", i) })
	})
}

// cellActs is the number of random acts on each kind of table.
const cellActs = 300

// cellRun is a table beside the map that it is to be.
type cellRun[K tensor.Key, T rowan.Cell] struct {
	*testing.T
	kind  cellsOf[T]
	r     *rand.Rand
	key   func(int) K
	o     rowan.TableOptions
	table *rowan.TableOf[T]
	want  map[K][]T
}

func runCells[K tensor.Key, T rowan.Cell](t *testing.T, kind cellsOf[T], o rowan.TableOptions, key func(int) K) {
	o.Width, o.Initializer = 3, kind.start
	x := cellRun[K, T]{T: t, kind: kind, r: rand.New(rand.NewPCG(1, 7)), key: key, o: o, table: newTableOf[T](t, o), want: map[K][]T{}}
	if o.Rows > 0 {
		x.reset()
	}
	for range cellActs {
		keys := make([]K, x.r.IntN(20))
		for i := range keys {
			keys[i] = key(x.r.IntN(30))
		}
		switch n := x.r.IntN(20); {
		case n < 8:
			x.upsert(keys)
		case n < 12 && o.Rows == 0:
			if err := x.table.Remove(ctx, dense(t, keys)); err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				delete(x.want, k)
			}
		case n == 13:
			if err := x.table.Clear(ctx); err != nil {
				t.Fatal(err)
			}
			x.reset()
		case n == 14:
			x.reload()
		case n == 15:
			x.export()
		}
		x.lookup(keys)
	}
}

// reset makes the map that of a table at its start.
func (x *cellRun[K, T]) reset() {
	clear(x.want)
	for i := range x.o.Rows {
		x.want[x.key(i)] = slices.Repeat([]T{x.kind.first}, x.o.Width)
	}
}

func (x *cellRun[K, T]) upsert(keys []K) {
	x.Helper()
	values := rowan.Array[T]{Shape: []int{len(keys), x.o.Width}}
	for _, k := range keys {
		row := make([]T, x.o.Width)
		for i := range row {
			row[i] = x.kind.draw(x.r)
		}
		values.Data, x.want[k] = append(values.Data, row...), row
	}
	if err := x.table.Upsert(ctx, dense(x.T, keys), values); err != nil {
		x.Fatal(err)
	}
}

func (x *cellRun[K, T]) lookup(keys []K) {
	x.Helper()
	l, err := x.table.Lookup(ctx, dense(x.T, keys), rowan.LookupOptions{})
	if err != nil {
		x.Fatal(err)
	}
	var want []T
	for i, k := range keys {
		row, ok := x.want[k]
		if !ok {
			row = slices.Repeat([]T{x.kind.first}, x.o.Width)
		}
		if want = append(want, row...); l.Exists()[i] != ok {
			x.Fatalf("key %v exists: %v, want %v", k, l.Exists()[i], ok)
		}
	}
	if got := l.Values(); !slices.Equal(got.Data, want) || !slices.Equal(got.Shape, []int{len(keys), x.o.Width}) {
		x.Fatalf("keys %v read as\n%v\nof shape %v, want\n%v", keys, got.Data, got.Shape, want)
	}
	if n := x.table.Len(); n != len(x.want) {
		x.Fatalf("%d rows, want %d", n, len(x.want))
	}
}

// reload goes on with a table that has been saved and loaded.
func (x *cellRun[K, T]) reload() {
	x.Helper()
	next := newTableOf[T](x.T, x.o)
	if err := next.Load(ctx, bytes.NewReader(saved(x.T, x.table.Table))); err != nil {
		x.Fatal(err)
	}
	if !bytes.Equal(saved(x.T, next.Table), saved(x.T, x.table.Table)) {
		x.Fatal("a table that was loaded is saved as something else")
	}
	x.table = next
}

func (x *cellRun[K, T]) export() {
	x.Helper()
	keys, rows := []K{}, []T{}
	for part, err := range x.table.Export(ctx) {
		if err != nil {
			x.Fatal(err)
		}
		keys = append(keys, part.Keys.(*tensor.Dense[K]).Values()...)
		rows = append(rows, part.Values.Data...)
	}
	wantKeys, want := slices.Sorted(maps.Keys(x.want)), []T{}
	for _, k := range wantKeys {
		want = append(want, x.want[k]...)
	}
	if !slices.Equal(keys, wantKeys) || !slices.Equal(rows, want) {
		x.Fatalf("exported keys %v, want %v, rows\n%v\nwant\n%v", keys, wantKeys, rows, want)
	}
}

// TestTableOfAccumulate: increments go by the rule that those of float32 go by, and
// a sum that there is no room for is an error that leaves its row as it was.
func TestTableOfAccumulate(t *testing.T) {
	accumulates[float64](t)
	accumulates[int8](t)
	accumulates[int32](t)
	accumulates[int64](t)
	table := newTableOf[int8](t, rowan.TableOptions{Width: 1})
	one := func(v int8) rowan.Array[int8] { return rowan.Array[int8]{Data: []int8{v}, Shape: []int{1, 1}} }
	key := dense(t, []int64{5})
	for _, v := range []int8{100, -100} {
		if err := table.Upsert(ctx, key, one(v)); err != nil {
			t.Fatal(err)
		}
		err := table.Accumulate(ctx, key, one(v), []bool{true})
		is(t, "more than there is room for", err, rowan.ErrOutOfRange)
		if err == nil || !strings.Contains(err.Error(), "key 5") {
			t.Error(err)
		}
		if got := cells(t, table, 5); got[0] != v {
			t.Errorf("the row became %v", got)
		}
	}
	flags := newTableOf[bool](t, rowan.TableOptions{Width: 1})
	is(t, "truth values", flags.Accumulate(ctx, key, rowan.Array[bool]{Data: []bool{true}}, []bool{true}), rowan.ErrDType)
}

func accumulates[T int8 | int32 | int64 | float64](t *testing.T) {
	t.Helper()
	table := newTableOf[T](t, rowan.TableOptions{Width: 2})
	ids := dense(t, []int64{1, 2, 1})
	row := func(v ...T) rowan.Array[T] { return rowan.Array[T]{Data: v, Shape: []int{len(v) / 2, 2}} }
	add := func(v rowan.Array[T], exists ...bool) {
		t.Helper()
		if err := table.Accumulate(ctx, ids, v, exists); err != nil {
			t.Fatal(err)
		}
	}
	add(row(1, 2, 3, 4, 50, 60), false, true, true) // key 2 was removed meanwhile
	if got, want := cells(t, table, 1), []T{51, 62}; !slices.Equal(got, want) || table.Len() != 1 {
		t.Errorf("%T: %v, want %v; %d rows", want[0], got, want, table.Len())
	}
	add(row(9, 9, 7, 8, 9, 9), false, false, false) // another worker was first with key 1
	if got, want := cells(t, table, 1, 2), []T{51, 62, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("%T: %v, want %v", want[0], got, want)
	}
}

// cells reads the rows of keys.
func cells[T rowan.Cell](t testing.TB, table *rowan.TableOf[T], keys ...int64) []T {
	t.Helper()
	l, err := table.Lookup(ctx, dense(t, keys), rowan.LookupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(l.Values().Data)
}

// TestTableOfMissing: what ids without a row read as, in a static table and in a
// dynamic one.
func TestTableOfMissing(t *testing.T) {
	o := rowan.TableOptions{Width: 1, Initializer: initializer.Constant{Value: 7}, Padding: rowan.PaddingID(3)}
	for missing, want := range map[rowan.Missing]int32{rowan.MissingInitial: 7, rowan.MissingZeros: 0, rowan.MissingSkip: 0} {
		o.Missing = missing
		table := newTableOf[int32](t, o)
		if got := cells(t, table, 1, 3); !slices.Equal(got, []int32{want, 0}) || table.Len() != 0 {
			t.Errorf("missing=%v: %v, want %v and the padding 0", missing, got, want)
		}
	}
	o.Missing = rowan.MissingError
	_, err := newTableOf[int32](t, o).Lookup(ctx, dense(t, []int64{1}), rowan.LookupOptions{})
	is(t, "a missing key", err, rowan.ErrUnknownKey)
	o.Rows = 10
	_, err = newTableOf[int32](t, o).Lookup(ctx, dense(t, []int64{10}), rowan.LookupOptions{})
	is(t, "an id out of range", err, rowan.ErrOutOfRange)
	o.OutOfRange = rowan.OutOfRangeZeros
	if got := cells(t, newTableOf[int32](t, o), 10, 9); !slices.Equal(got, []int32{0, 7}) {
		t.Errorf("out of range: %v", got)
	}
}

// TestTableOfEvicts: rows that are given up leave nothing behind, of strings too.
func TestTableOfEvicts(t *testing.T) {
	table := newTableOf[string](t, rowan.TableOptions{Width: 2, Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}, Keep: 10}})
	at := func(i int64) []string { return []string{fmt.Sprint(i), strings.Repeat("x", int(i))} }
	for i := range int64(1000) {
		if err := table.Upsert(ctx, dense(t, []int64{i}), rowan.Array[string]{Data: at(i), Shape: []int{1, 2}}); err != nil {
			t.Fatal(err)
		}
		if i >= 10 && !slices.Equal(cells(t, table, i-10, i), append([]string{"", ""}, at(i)...)) {
			t.Fatalf("after key %d: %q", i, cells(t, table, i-10, i))
		}
	}
	if table.Len() != 10 {
		t.Errorf("%d rows", table.Len())
	}
	// A thousand rows of half a kilobyte were written; ten are left.
	if s := table.Stats(); s.Evicted != 990 || s.RowBytes > 8<<20 {
		t.Errorf("%d rows evicted, %d bytes in use", s.Evicted, s.RowBytes)
	}
}

// TestTableOfAtOnce: readers see rows whole while others write them.
func TestTableOfAtOnce(t *testing.T) {
	atOnce(t, func(i int) string { return strings.Repeat(fmt.Sprint(i), 1+i%50) })
	atOnce(t, func(i int) int64 { return int64(i) })
	atOnce(t, func(i int) float64 { return float64(i) })
}

func atOnce[T rowan.Cell](t *testing.T, cell func(int) T) {
	const width, keys = 5, 40
	table := newTableOf[T](t, rowan.TableOptions{Width: width, Threads: 2, Initializer: initializer.Zeros{}})
	all := dense(t, ids64(keys))
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 100 {
				var values rowan.Array[T]
				for k := range keys {
					values.Data = append(values.Data, slices.Repeat([]T{cell(g*1000 + i + k)}, width)...)
				}
				if err := table.Upsert(ctx, all, values); err != nil {
					t.Error(err)
				}
				l, err := table.Lookup(ctx, all, rowan.LookupOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				for row := range slices.Chunk(l.Values().Data, width) {
					if !slices.Equal(row, slices.Repeat(row[:1], width)) {
						t.Errorf("half a row: %v", row)
					}
				}
				if g == 0 && i%10 == 0 {
					if err := table.Remove(ctx, dense(t, ids64(7))); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wait.Wait()
}

// TestTableOfRefusals: what has no meaning for rows of a type is an error that says
// so.
func TestTableOfRefusals(t *testing.T) {
	_, err := rowan.NewTableOf[int64](rowan.TableOptions{Name: "film", Width: 1, DType: rowan.Int32})
	is(t, "another type", err, rowan.ErrDType)
	_, err = rowan.AsTableOf[string](newTable(t, rowan.TableOptions{Width: 1}))
	is(t, "a table of float32", err, rowan.ErrDType)
	_, err = rowan.AsTableOf[string](nil)
	is(t, "no table", err, rowan.ErrOptions)
	for name, o := range map[string]rowan.TableOptions{
		"Optimizer":   {Optimizer: sgd(1)},
		"Regularizer": {Regularizer: rowan.Regularizer{L2: 1}},
		"MaxNorm":     {MaxNorm: 1},
		"Initializer": {Initializer: initializer.RandomUniform{Max: 1}},
		"128":         {Initializer: initializer.Constant{Value: 128}},
		"0.5":         {Initializer: initializer.Constant{Value: 0.5}},
		"Stores":      {Stores: &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"memory:"}}},
	} {
		o.Name, o.Width = "film", 2
		_, err := rowan.NewTableOf[int8](o)
		is(t, name, err, rowan.ErrOptions)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not say %q", err, name)
		}
	}
	_, err = rowan.NewTableOf[string](rowan.TableOptions{Name: "film", Width: 1, Initializer: initializer.Ones{}})
	is(t, "ones of strings", err, rowan.ErrOptions)

	table := newTableOf[int64](t, rowan.TableOptions{Width: 2})
	ids := tensor.IDs(dense(t, []int64{1}, 1, 1))
	two := rowan.Array[int64]{Data: []int64{1, 2}}
	_, err = table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: rowan.Mean})
	is(t, "a mean of integers", err, rowan.ErrOptions)
	_, err = table.Lookup(ctx, ids, rowan.LookupOptions{Training: true})
	is(t, "training", err, rowan.ErrNotTrainable)
	_, err = table.Table.Lookup(ctx, ids, rowan.LookupOptions{})
	is(t, "float32 of integers", err, rowan.ErrDType)
	is(t, "float32 into integers", table.Table.Upsert(ctx, ids, values(t, []float32{1, 2}, 1, 1, 2)), rowan.ErrDType)
	is(t, "an optimizer", table.SetOptimizer(sgd(1)), rowan.ErrNotTrainable)
	if err := table.SetOptimizer(nil); err != nil {
		t.Errorf("taking no optimizer away: %v", err)
	}
	_, err = table.Quantize(ctx, rowan.QuantizeInt8)
	is(t, "quantized", err, rowan.ErrDType)
	for _, err := range table.Table.Export(ctx) {
		is(t, "float32 out of integers", err, rowan.ErrDType)
	}
	is(t, "few values", table.Upsert(ctx, ids, rowan.Array[int64]{Data: []int64{1}}), rowan.ErrShape)
	is(t, "few flags", table.Accumulate(ctx, ids, two, nil), rowan.ErrShape)
	is(t, "strings for keys", table.Upsert(ctx, dense(t, []string{"a"}), two), rowan.ErrKeyType)
	is(t, "nothing to fill", table.LookupInto(ctx, nil, ids, rowan.LookupOptions{}), rowan.ErrStale)
	var none *rowan.TableOf[int64]
	_, err = none.Lookup(ctx, ids, rowan.LookupOptions{})
	is(t, "a lookup in no table", err, rowan.ErrOptions)
	is(t, "an upsert in no table", none.Upsert(ctx, ids, two), rowan.ErrOptions)
	for _, err := range none.Export(ctx) {
		is(t, "an export of no table", err, rowan.ErrOptions)
	}

	texts := newTableOf[string](t, rowan.TableOptions{Width: 1})
	long := rowan.Array[string]{Data: []string{"a", strings.Repeat("b", 1<<16)}}
	err = texts.Upsert(ctx, dense(t, []int64{1, 2}), long)
	is(t, "a long string", err, rowan.ErrShape)
	if texts.Len() != 0 || err == nil || !strings.Contains(err.Error(), "value 1 of 2 is a string of 65536 bytes") {
		t.Errorf("%v; %d rows", err, texts.Len())
	}
	other := newTableOf[int32](t, rowan.TableOptions{Width: 2})
	is(t, "a file of another type", other.Load(ctx, bytes.NewReader(saved(t, table.Table))), rowan.ErrMismatch)
	table.Close()
	_, err = table.Lookup(ctx, ids, rowan.LookupOptions{})
	is(t, "closed", err, rowan.ErrClosed)
	is(t, "closed", table.Upsert(ctx, ids, two), rowan.ErrClosed)
}
