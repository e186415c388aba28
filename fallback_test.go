package rowan_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

func weighted(t testing.TB, bags [][]int64, weights ...float32) tensor.IDs {
	t.Helper()
	ids, err := tensor.RaggedOf(bags...).WithWeights(weights)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestSafeLookup is TensorFlow's safe_embedding_lookup_sparse: empty bags are
// zeros or the default id's, ids below 0 and weights of nothing are no ids.
func TestSafeLookup(t *testing.T) {
	bags := [][]int64{{1, 2}, {}, {-1}, {3, -7, 1}}
	for _, c := range []struct {
		name string
		ids  tensor.IDs
		o    rowan.LookupOptions
		want []float32
	}{
		{"zeros", tensor.RaggedOf(bags...), rowan.LookupOptions{Combiner: rowan.Mean, Prune: true}, []float32{15, 0, 0, 20}},
		{"default", tensor.RaggedOf(bags...), rowan.LookupOptions{Combiner: rowan.Mean, Prune: true, DefaultID: new(int64(4))}, []float32{15, 40, 40, 20}},
		{"weights", weighted(t, [][]int64{{1, 2}, {3}, {2, 1}}, 1, 3, 0, -2, 1), rowan.LookupOptions{Combiner: rowan.Mean, Prune: true, DefaultID: new(int64(0))}, []float32{17.5, 0, 10}},
		{"weights of a sum", weighted(t, [][]int64{{1, 2}, {3}, {2, 1}}, 1, 3, 0, -2, 1), rowan.LookupOptions{Combiner: rowan.Sum, Prune: true, DefaultID: new(int64(4))}, []float32{70, 0, -30}},
		{"sqrtn", weighted(t, [][]int64{{1}, {2}}, -1, 4), rowan.LookupOptions{Combiner: rowan.SqrtN, Prune: true}, []float32{0, 20}},
		{"max", tensor.RaggedOf(bags...), rowan.LookupOptions{Combiner: rowan.Max, Prune: true, DefaultID: new(int64(4))}, []float32{20, 40, 40, 30}},
		{"variance of one", tensor.RaggedOf(bags...), rowan.LookupOptions{Combiner: rowan.Variance, Prune: true, DefaultID: new(int64(4))}, []float32{25, 0, 0, 100}},
		{"counts", weighted(t, [][]int64{{1, 2, 3}, {4}}, 1, 1, -5, -1), rowan.LookupOptions{Combiner: rowan.Variance, Prune: true, DefaultID: new(int64(4))}, []float32{25, 0}},
		{"not pruned", weighted(t, [][]int64{{1, 2}, {}}, 0, 0), rowan.LookupOptions{Combiner: rowan.Mean, DefaultID: new(int64(4))}, []float32{0, 40}},
	} {
		for _, d := range []rowan.DType{rowan.Float32, rowan.Float64} {
			table := newTable(t, rowan.TableOptions{Width: 1, Rows: 5, Initializer: initializer.Zeros{}, DType: d})
			if err := table.Upsert(ctx, dense(t, []int64{0, 1, 2, 3, 4}), values(t, []float32{0, 10, 20, 30, 40}, 5, 1)); err != nil {
				t.Fatal(err)
			}
			var l rowan.Lookup
			for range 2 {
				if err := table.LookupInto(ctx, &l, c.ids, c.o); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(l.Values().Data(), c.want) {
					t.Errorf("%s, %v: %v, want %v", c.name, d, l.Values().Data(), c.want)
				}
			}
		}
	}
}

// TestLookupFunctions is TensorFlow Recommenders Addons' lookup functions over
// one table, in their order in the documentation of Table.Lookup.
func TestLookupFunctions(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Initializer: initializer.Zeros{}})
	if err := table.Upsert(ctx, dense(t, []int64{-1, 1, 2, 3}), values(t, []float32{5, 10, 20, 30}, 4, 1)); err != nil {
		t.Fatal(err)
	}
	cube, err := tensor.NewSparse([]int64{0, 0, 1, 0, 2, 0, 2, 1, 0}, []int64{1, 3, 2}, 4, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	if cube, err = cube.WithWeights([]float32{1, 3, 2}); err != nil {
		t.Fatal(err)
	}
	byRow, err := cube.ByRow()
	if err != nil {
		t.Fatal(err)
	}
	bags := [][]int64{{-1, 3}, {}, {2}}
	for _, c := range []struct {
		function string
		ids      tensor.IDs
		o        rowan.LookupOptions
		shape    []int
		want     []float32
	}{
		{"embedding_lookup", dense(t, []int64{3, 1, 3, 3}, 2, 2), rowan.LookupOptions{}, []int{2, 2, 1}, []float32{30, 10, 30, 30}},
		{"embedding_lookup_sparse", byRow, rowan.LookupOptions{Combiner: rowan.Mean}, []int{4, 1}, []float32{25, 0, 20, 0}},
		{"safe_embedding_lookup_sparse", cube, rowan.LookupOptions{Combiner: rowan.Mean, Prune: true}, []int{4, 3, 1}, []float32{10, 0, 30, 0, 0, 0, 0, 20, 0, 0, 0, 0}},
		{"ragged embedding_lookup_sparse", tensor.RaggedOf(bags...), rowan.LookupOptions{Combiner: rowan.Sum}, []int{3, 1}, []float32{35, 0, 20}},
		{"ragged safe_embedding_lookup_sparse", weighted(t, bags, 2, 1, 0), rowan.LookupOptions{Combiner: rowan.Sum, Prune: true, DefaultID: new(int64(1))}, []int{3, 1}, []float32{40, 10, 0}},
	} {
		l, err := table.Lookup(ctx, c.ids, c.o)
		if err != nil {
			t.Fatal(c.function, err)
		}
		if v := l.Values(); !slices.Equal(v.Shape(), c.shape) || !slices.Equal(v.Data(), c.want) {
			t.Errorf("%s: %v of shape %v, want %v of %v", c.function, v.Data(), v.Shape(), c.want, c.shape)
		}
	}
}

// TestDefaultTrains: the gradients of all bags that the default id stands in
// are its row's, beside those of bags that name it; ids left out train nothing.
func TestDefaultTrains(t *testing.T) {
	for _, c := range []struct {
		combiner rowan.Combiner
		want     []float32 // what is left of rows 1 to 4
	}{
		{rowan.Mean, []float32{10 - 0.5, 20, 30, 40 - 0.5 - 2 - 4 - 16}},
		{rowan.Max, []float32{10, 20, 30, 40 - 1 - 2 - 4 - 16}},
		{squares, []float32{10 - 20*1, 20, 30, 40 - 80*(1+2+4+16)}},
	} {
		table := newTable(t, rowan.TableOptions{Width: 1, Initializer: initializer.Zeros{}, Optimizer: sgd(1), Padding: rowan.PaddingID(3), Missing: rowan.MissingSkip})
		if err := table.Upsert(ctx, dense(t, []int64{1, 2, 3, 4}), values(t, []float32{10, 20, 30, 40}, 4, 1)); err != nil {
			t.Fatal(err)
		}
		ids := weighted(t, [][]int64{{1, 4}, {}, {2, 3}, {9}, {2}}, 1, 1, -1, 1, 1, 0)
		l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: rowan.Sum, DefaultID: new(int64(4))})
		if err != nil {
			t.Fatal(err)
		}
		if want := []float32{50, 40, -20, 40, 0}; !slices.Equal(l.Values().Data(), want) {
			t.Errorf("for inference: %v, want %v: a key that is left out leaves its bag empty", l.Values().Data(), want)
		}
		if c.combiner == rowan.Max {
			ids = tensor.RaggedOf([]int64{1, 4}, nil, []int64{3}, []int64{9}, nil)
		}
		l, err = table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: c.combiner, Training: true, Prune: true, DefaultID: new(int64(4))})
		if err != nil {
			t.Fatal(err)
		}
		train(t, table, l, []float32{1, 2, 4, 8, 16})
		if got := read(t, table, 1, 2, 3, 4); got[0] != c.want[0] || got[1] != c.want[1] || got[2] != 0 || got[3] != c.want[3] {
			t.Errorf("%v: rows are %v, want %v and the padding id zeros", c.combiner, got, c.want)
		}
		if table.Len() != 5 {
			t.Errorf("%v: %d rows, want the four and key 9", c.combiner, table.Len())
		}
	}
}

// TestDefaultOnce: the default id's row is updated once a step with the sum of
// its gradients, inserted if it was not there, and counted in the norm once.
func TestDefaultOnce(t *testing.T) {
	table := newTable(t, rowan.TableOptions{
		Width: 1, KeyType: tensor.String, Initializer: initializer.Zeros{},
		Optimizer: &optim.Optimizer{Updater: optim.Adagrad{InitialAccumulator: 0, Epsilon: 1e-9}, Rate: optim.Constant(1)},
	})
	l, err := table.Lookup(ctx, tensor.RaggedOf([]string{"a", "none"}, nil, nil), rowan.LookupOptions{Combiner: rowan.Sum, Training: true, DefaultString: new("none")})
	if err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	for range 2 {
		g.Reset()
		if err := g.Add(l, values(t, []float32{1, 2, 3}, 3, 1)); err != nil {
			t.Fatal(err)
		}
		sum, err := g.SumSquares(ctx, rowan.Step{Number: 1})
		if err != nil || sum != 1+36 {
			t.Errorf("squared norm %v, %v; want 37", sum, err)
		}
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
	got, err := table.Lookup(ctx, dense(t, []string{"a", "none"}), rowan.LookupOptions{})
	if err != nil || !slices.Equal(got.Values().Data(), []float32{-1, -1}) {
		t.Errorf("rows are %v, %v; want Adagrad's first step, -1, of each", got.Values().Data(), err)
	}
}

// TestDefaultBeyondFloat: where the default id's gradient is refused, those of
// the other bags are not added either.
func TestDefaultBeyondFloat(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Rows: 2, Initializer: initializer.Ones{}, Optimizer: sgd(1)})
	if err := table.Upsert(ctx, dense(t, []int64{1}), values(t, []float32{1e18}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	l, err := table.Lookup(ctx, tensor.RaggedOf([]int64{0}, nil), rowan.LookupOptions{Combiner: squares, Training: true, DefaultID: new(int64(1))})
	if err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	is(t, "gradient", g.Add(l, values(t, []float32{1, 1e30}, 2, 1)), rowan.ErrNotFinite)
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil || read(t, table, 0)[0] != 1 {
		t.Errorf("row is %v, %v; want it untouched", read(t, table, 0), err)
	}
}

// TestDefaultOfEarlierBatch: a lookup that is used again trains what is in the
// batch it was used for last.
func TestDefaultOfEarlierBatch(t *testing.T) {
	table := ramp(t, 4, func(o *rowan.TableOptions) { o.Optimizer = sgd(1) })
	var l rowan.Lookup
	for _, o := range []rowan.LookupOptions{
		{Combiner: rowan.Sum, Training: true, DefaultID: new(int64(3))},
		{Combiner: rowan.Sum, Training: true},
	} {
		if err := table.LookupInto(ctx, &l, tensor.RaggedOf(nil, []int64{1}), o); err != nil {
			t.Fatal(err)
		}
	}
	train(t, table, &l, []float32{1, 2, 3, 4})
	if got, want := read(t, table, 1, 3), []float32{7, 7, 30, 31}; !slices.Equal(got, want) {
		t.Errorf("rows are %v, want %v", got, want)
	}
}

// TestDefaultOfEveryKeyType: the default id is given as int64 for all integers.
func TestDefaultOfEveryKeyType(t *testing.T) {
	for _, k := range []tensor.KeyType{tensor.Int32, tensor.Int64, tensor.Uint64} {
		for _, rows := range []int{0, 4} {
			table := newTable(t, rowan.TableOptions{Width: 1, Rows: rows, KeyType: k, Initializer: initializer.Ones{}})
			var ids tensor.IDs = tensor.RaggedOf[int64](nil)
			switch k {
			case tensor.Int32:
				ids = tensor.RaggedOf[int32](nil)
			case tensor.Uint64:
				ids = tensor.RaggedOf[uint64](nil)
			}
			l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: rowan.Mean, DefaultID: new(int64(3))})
			if err != nil || !slices.Equal(l.Values().Data(), []float32{1}) {
				t.Errorf("%v: %v, %v", k, l, err)
			}
		}
	}
}

// TestPruneTakesWhatIsAnID: a dynamic table has keys below 0, and no uint64 is one.
func TestPruneTakesWhatIsAnID(t *testing.T) {
	dynamic := newTable(t, rowan.TableOptions{Width: 1, Initializer: initializer.Ones{}})
	l, err := dynamic.Lookup(ctx, dense(t, []int64{-1, -2}, 1, 2), rowan.LookupOptions{Combiner: rowan.Sum, Prune: true})
	if err != nil || l.Values().Data()[0] != 2 {
		t.Errorf("keys below 0: %v, %v", l, err)
	}
	static := newTable(t, rowan.TableOptions{Width: 1, Rows: 3, KeyType: tensor.Uint64})
	_, err = static.Lookup(ctx, dense(t, []uint64{1 << 63}, 1, 1), rowan.LookupOptions{Combiner: rowan.Sum, Prune: true})
	is(t, "a uint64 beyond the table", err, rowan.ErrOutOfRange)
	_, err = static.Lookup(ctx, dense(t, []int64{3}, 1, 1), rowan.LookupOptions{Combiner: rowan.Sum, Prune: true})
	is(t, "an id beyond the table", err, rowan.ErrOutOfRange)
}

func TestDefaultErrors(t *testing.T) {
	ints := newTable(t, rowan.TableOptions{Width: 1, KeyType: tensor.Int32})
	strs := newTable(t, rowan.TableOptions{Width: 1, KeyType: tensor.String})
	static := newTable(t, rowan.TableOptions{Width: 1, Rows: 3})
	empty := tensor.RaggedOf[int64](nil)
	for _, c := range []struct {
		table *rowan.Table
		ids   tensor.IDs
		o     rowan.LookupOptions
		is    error
		says  string
	}{
		{static, empty, rowan.LookupOptions{DefaultID: new(int64(1))}, rowan.ErrOptions, "need a Combiner"},
		{static, empty, rowan.LookupOptions{Prune: true}, rowan.ErrOptions, "need a Combiner"},
		{static, empty, rowan.LookupOptions{Combiner: rowan.Sum, DefaultString: new("")}, rowan.ErrOptions, "DefaultString for strings"},
		{strs, tensor.RaggedOf[string](nil), rowan.LookupOptions{Combiner: rowan.Sum, DefaultID: new(int64(1))}, rowan.ErrOptions, "DefaultString for strings"},
		{ints, tensor.RaggedOf[int32](nil), rowan.LookupOptions{Combiner: rowan.Sum, DefaultID: new(int64(1 << 40))}, rowan.ErrKeyType, "default id 1099511627776 is not an int32"},
		{static, empty, rowan.LookupOptions{Combiner: rowan.Sum, DefaultID: new(int64(3)), Feature: "genre"}, rowan.ErrOutOfRange, `table "film", feature "genre": default id of empty bags: rowan: id out of range: id 3`},
	} {
		l, err := c.table.Lookup(ctx, c.ids, c.o)
		if l != nil || !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("got %v, want %q", err, c.says)
		}
	}
}
