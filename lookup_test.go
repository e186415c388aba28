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
	"github.com/rowan-embeddings/rowan/tensor"
)

// ramp is a static table whose row r is (10r, 10r+1).
func ramp(t testing.TB, rows int, change func(*rowan.TableOptions)) *rowan.Table {
	t.Helper()
	o := rowan.TableOptions{Width: 2, Rows: rows}
	if change != nil {
		change(&o)
	}
	table := newTable(t, o)
	var ids []int64
	var data []float32
	for r := range rows {
		ids = append(ids, int64(r))
		data = append(data, float32(10*r), float32(10*r+1))
	}
	if err := table.Upsert(ctx, dense(t, ids), values(t, data, rows, 2)); err != nil {
		t.Fatal(err)
	}
	return table
}

func TestLookupShapes(t *testing.T) {
	table := ramp(t, 4, nil)
	ragged := tensor.RaggedOf([]int64{1, 2}, nil, []int64{3})
	sparse, err := tensor.NewSparse([]int64{0, 0, 1, 0, 1, 2}, []int64{3, 1}, 1, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		ids      tensor.IDs
		combiner rowan.Combiner
		shape    []int
		want     []float32
	}{
		{"one id a row", dense(t, []int64{2, 0}), rowan.None, []int{2, 2}, []float32{20, 21, 0, 1}},
		{"two dimensions", dense(t, []int64{2, 0, 1, 3}, 2, 2), rowan.None, []int{2, 2, 2}, []float32{20, 21, 0, 1, 10, 11, 30, 31}},
		{"sum", dense(t, []int64{2, 0, 1, 3}, 2, 2), rowan.Sum, []int{2, 2}, []float32{20, 22, 40, 42}},
		{"three dimensions", dense(t, []int64{2, 0, 1, 3}, 2, 1, 2), rowan.Mean, []int{2, 1, 2}, []float32{10, 11, 20, 21}},
		{"no ids", dense(t, []int64{}, 0, 3), rowan.Sum, []int{0, 2}, nil},
		{"bags of none", dense(t, []int64{}, 2, 0), rowan.Mean, []int{2, 2}, []float32{0, 0, 0, 0}},
		{"ragged", ragged, rowan.Mean, []int{3, 2}, []float32{15, 16, 0, 0, 30, 31}},
		{"ragged, no combiner", ragged, rowan.None, []int{3, 2}, []float32{10, 11, 20, 21, 30, 31}},
		{"sparse of rank 3", sparse, rowan.SqrtN, []int{1, 2, 2}, []float32{30, 31, 10, 11}},
		{"int32 ids", dense(t, []int32{3}), rowan.None, []int{1, 2}, []float32{30, 31}},
		{"uint64 ids", dense(t, []uint64{3}), rowan.None, []int{1, 2}, []float32{30, 31}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := table.Lookup(ctx, c.ids, rowan.LookupOptions{Combiner: c.combiner})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(l.Values().Shape(), c.shape) {
				t.Errorf("shape %v, want %v", l.Values().Shape(), c.shape)
			}
			if !slices.Equal(l.Values().Data(), c.want) {
				t.Errorf("got %v, want %v", l.Values().Data(), c.want)
			}
		})
	}
}

func TestLookupErrors(t *testing.T) {
	static := ramp(t, 4, nil)
	strict := newTable(t, rowan.TableOptions{Name: "user", Width: 2, Missing: rowan.MissingError})
	closed := newTable(t, rowan.TableOptions{Width: 2})
	closed.Close()
	nan, err := dense(t, []int64{1, 2}, 1, 2).WithWeights([]float32{1, float32(math.NaN())})
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, c := range []struct {
		name  string
		table *rowan.Table
		ctx   context.Context
		ids   tensor.IDs
		o     rowan.LookupOptions
		is    error
		says  string
	}{
		{"too large", static, ctx, dense(t, []int64{1, 2, 4, 9}, 2, 2), rowan.LookupOptions{Feature: "genre"}, rowan.ErrOutOfRange,
			`table "film", feature "genre": rowan: id out of range: id 4 at position 2 of ids of shape [2 2] is not in [0, 4)`},
		{"negative", static, ctx, dense(t, []int32{-1}), rowan.LookupOptions{}, rowan.ErrOutOfRange, "id -1 at position 0"},
		{"beyond 32 bits", static, ctx, dense(t, []int64{1 << 32}), rowan.LookupOptions{}, rowan.ErrOutOfRange, "id 4294967296"},
		{"unknown", strict, ctx, dense(t, []int64{5}), rowan.LookupOptions{}, rowan.ErrUnknownKey, `table "user": rowan: unknown key: 5 at position 0`},
		{"strings for numbers", static, ctx, dense(t, []string{"a"}), rowan.LookupOptions{}, rowan.ErrKeyType, "the table's keys are int64, got ids of string"},
		{"one dimension", static, ctx, dense(t, []int64{1}), rowan.LookupOptions{Combiner: rowan.Sum}, tensor.ErrShape, "at least two dimensions"},
		{"nil", static, ctx, nil, rowan.LookupOptions{}, rowan.ErrShape, "ids are nil"},
		{"combiner", static, ctx, dense(t, []int64{1}), rowan.LookupOptions{Combiner: 77}, rowan.ErrOptions, "Combiner(77)"},
		{"weights", static, ctx, nan, rowan.LookupOptions{Combiner: rowan.Sum}, rowan.ErrNotFinite, "weight 1 of 2 is NaN"},
		{"closed", closed, ctx, dense(t, []int64{1}), rowan.LookupOptions{}, rowan.ErrClosed, ""},
		{"closed, no ids", closed, ctx, dense(t, []int64{}, 0, 1), rowan.LookupOptions{Combiner: rowan.Sum}, rowan.ErrClosed, ""},
		{"cancelled", static, cancelled, dense(t, []int64{1}), rowan.LookupOptions{}, context.Canceled, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := c.table.Lookup(c.ctx, c.ids, c.o)
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.is, c.says)
			}
			if l != nil {
				t.Error("a failed lookup returned a result")
			}
		})
	}
}

// TestErrorIsTheFirst says that the reported id is the first bad one, whatever
// goroutine met which first.
func TestErrorIsTheFirst(t *testing.T) {
	table := ramp(t, 4, nil)
	ids := make([]int64, 100_000)
	for i := 70_000; i < len(ids); i++ {
		ids[i] = int64(i)
	}
	for range 5 {
		_, err := table.Lookup(ctx, dense(t, ids), rowan.LookupOptions{})
		if err == nil || !strings.Contains(err.Error(), "id 70000 at position 70000") {
			t.Fatalf("got %v", err)
		}
	}
}

func TestOutOfRange(t *testing.T) {
	ids := dense(t, []int64{1, 7, 2, -1}, 2, 2)
	for _, c := range []struct {
		policy rowan.OutOfRange
		want   []float32
	}{
		{rowan.OutOfRangeZeros, []float32{5, 5.5, 10, 10.5}},
		{rowan.OutOfRangeLast, []float32{20, 21, 25, 26}},
	} {
		table := ramp(t, 4, func(o *rowan.TableOptions) { o.OutOfRange = c.policy })
		l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: rowan.Mean})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(l.Values().Data(), c.want) {
			t.Errorf("policy %d: got %v, want %v", c.policy, l.Values().Data(), c.want)
		}
	}
}

func TestMissing(t *testing.T) {
	ids := dense(t, []int64{1, 99, 2, 1}, 2, 2)
	for _, c := range []struct {
		policy rowan.Missing
		want   []float32
	}{
		{rowan.MissingInitial, []float32{4, 1.5}},
		{rowan.MissingZeros, []float32{0.5, 1.5}},
		{rowan.MissingSkip, []float32{1, 1.5}},
	} {
		table := newTable(t, rowan.TableOptions{Width: 1, Missing: c.policy, Initializer: initializer.Constant{Value: 7}})
		if err := table.Upsert(ctx, dense(t, []int64{1, 2}), values(t, []float32{1, 2}, 2, 1)); err != nil {
			t.Fatal(err)
		}
		l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: rowan.Mean})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(l.Values().Data(), c.want) {
			t.Errorf("policy %d: got %v, want %v", c.policy, l.Values().Data(), c.want)
		}
		if got, want := l.Exists(), []bool{true, false, true, true}; !slices.Equal(got, want) {
			t.Errorf("policy %d: exists %v, want %v", c.policy, got, want)
		}
		if table.Len() != 2 {
			t.Errorf("a lookup for inference inserted a row")
		}
	}
}

func TestPadding(t *testing.T) {
	table := ramp(t, 4, func(o *rowan.TableOptions) { o.Padding = rowan.PaddingID(0) })
	l, err := table.Lookup(ctx, dense(t, []int64{2, 3, 0, 0, 0, 0}, 2, 3), rowan.LookupOptions{Combiner: rowan.Mean})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{25, 26, 0, 0}; !slices.Equal(l.Values().Data(), want) {
		t.Errorf("pooled: got %v, want %v", l.Values().Data(), want)
	}
	l, err = table.Lookup(ctx, dense(t, []int64{0, 1}), rowan.LookupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{0, 0, 10, 11}; !slices.Equal(l.Values().Data(), want) {
		t.Errorf("rows: got %v, want %v", l.Values().Data(), want)
	}
}

// TestWeightsWithoutCombiner: an id's row comes times its weight.
func TestWeightsWithoutCombiner(t *testing.T) {
	table := ramp(t, 3, nil)
	ids, err := dense(t, []int64{1, 2}).WithWeights([]float32{2, 0.5})
	if err != nil {
		t.Fatal(err)
	}
	l, err := table.Lookup(ctx, ids, rowan.LookupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{20, 22, 10, 10.5}; !slices.Equal(l.Values().Data(), want) {
		t.Errorf("got %v, want %v", l.Values().Data(), want)
	}
}

// TestFirstValues: a key that was never seen reads the same everywhere, and
// what was read before training is what is stored.
func TestFirstValues(t *testing.T) {
	o := rowan.TableOptions{Name: "user", Width: 8, Seed: 3}
	a, b := newTable(t, o), newTable(t, o)
	ids := dense(t, []int64{5, -5, math.MaxInt64})
	read := func(table *rowan.Table) []float32 {
		l, err := table.Lookup(ctx, ids, rowan.LookupOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(l.Values().Data())
	}
	first := read(a)
	if !slices.Equal(first, read(a)) || !slices.Equal(first, read(b)) {
		t.Error("first values differ from read to read or table to table")
	}
	if slices.Equal(first[:8], first[8:16]) {
		t.Error("two keys have the same first values")
	}
	for _, x := range first {
		if x < -0.05 || x >= 0.05 || x == 0 {
			t.Fatalf("first value %v is not in Keras' range of ±0.05", x)
		}
	}
	if err := a.Upsert(ctx, dense(t, []int64{5}), values(t, make([]float32, 8), 1, 8)); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(ctx, dense(t, []int64{5})); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first, read(a)) {
		t.Error("a removed key does not read as its first values again")
	}
	o.Seed = 4
	if slices.Equal(first, read(newTable(t, o))) {
		t.Error("the seed makes no difference")
	}
	o.Seed, o.Name = 3, "film"
	if slices.Equal(first, read(newTable(t, o))) {
		t.Error("the table's name makes no difference")
	}
}

// TestLongBag pools a bag that is longer than a block.
func TestLongBag(t *testing.T) {
	table := ramp(t, 2, nil)
	bag := make([]int64, 20_001)
	for i := range bag {
		bag[i] = 1
	}
	l, err := table.Lookup(ctx, tensor.RaggedOf([]int64{1}, bag, []int64{0}), rowan.LookupOptions{Combiner: rowan.Mean})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{10, 11, 10, 11, 0, 1}; !slices.Equal(l.Values().Data(), want) {
		t.Errorf("got %v, want %v", l.Values().Data(), want)
	}
}

// TestThreads: the same bits from any number of goroutines.
func TestThreads(t *testing.T) {
	var first []float32
	for _, threads := range []int{1, 2, 5} {
		table := newTable(t, rowan.TableOptions{Width: 3, Threads: threads})
		ids := make([]int64, 50_000)
		for i := range ids {
			ids[i] = int64(i * i % 7001)
		}
		l, err := table.Lookup(ctx, dense(t, ids, 1000, 50), rowan.LookupOptions{Combiner: rowan.Mean})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = slices.Clone(l.Values().Data())
		} else if !slices.Equal(first, l.Values().Data()) {
			t.Errorf("%d threads give other bits than 1", threads)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    rowan.TableOptions
		says string
	}{
		{rowan.TableOptions{Width: 1}, "Name must not be empty"},
		{rowan.TableOptions{Name: "a"}, "Width must be a positive integer. Received: Width=0"},
		{rowan.TableOptions{Name: "a", Width: 1, Rows: -1}, "Rows must not be negative"},
		{rowan.TableOptions{Name: "a", Width: 1, Rows: 1, KeyType: tensor.String}, "KeyType of a static table must be an integer type"},
		{rowan.TableOptions{Name: "a", Width: 1, MaxNorm: float32(math.NaN())}, "MaxNorm must be a finite number"},
		{rowan.TableOptions{Name: "a", Width: 1, Regularizer: rowan.Regularizer{L2: -1}}, "Regularizer must not be negative"},
		{rowan.TableOptions{Name: "a", Width: 1, KeyType: 9}, "KeyType must be int32, int64, uint64 or string"},
		{rowan.TableOptions{Name: "a", Width: 1, Missing: 9}, "Missing is unknown"},
		{rowan.TableOptions{Name: "a", Width: 1, OutOfRange: 9}, "OutOfRange is unknown"},
		{rowan.TableOptions{Name: "a", Width: 1, Threads: -1}, "Threads must not be negative"},
		{rowan.TableOptions{Name: "a", Width: 1, InitialCapacity: -1}, "InitialCapacity must not be negative"},
		{rowan.TableOptions{Name: "a", Width: 1, MaxRows: -1}, "MaxRows must not be negative"},
	} {
		_, err := rowan.NewTable(c.o)
		if !errors.Is(err, rowan.ErrOptions) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%+v: got %v, want %q", c.o, err, c.says)
		}
	}
}

// TestNoTable looks ids up where there is no table: nil, one that NewTable did
// not make, and a closed one.
func TestNoTable(t *testing.T) {
	closed := newTable(t, rowan.TableOptions{Width: 2, Rows: 3})
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		table *rowan.Table
		want  error
	}{{"nil", nil, rowan.ErrOptions}, {"zero", new(rowan.Table), rowan.ErrClosed}, {"closed", closed, rowan.ErrClosed}} {
		for _, combiner := range []rowan.Combiner{rowan.None, rowan.Mean} {
			_, err := c.table.Lookup(ctx, dense(t, []int64{1, 2}, 1, 2), rowan.LookupOptions{Combiner: combiner})
			is(t, c.name, err, c.want)
		}
	}
	_, err := rowan.NewTable(rowan.TableOptions{Width: 2, Rows: -1})
	is(t, "no rows", err, rowan.ErrOptions)
}
