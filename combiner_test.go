package rowan_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestCombinerNames: names read back, TensorFlow's too; an unknown one is an
// error that lists them.
func TestCombinerNames(t *testing.T) {
	for _, c := range append([]rowan.Combiner{rowan.None}, everyCombiner...) {
		if got, err := rowan.ParseCombiner(c.String()); err != nil || got != c {
			t.Errorf("%v reads back as %v, %v", c, got, err)
		}
	}
	for name, want := range map[string]rowan.Combiner{
		"": rowan.None, "sqrt_n": rowan.SqrtN, "reduce_sum": rowan.Sum, "reduce_mean": rowan.Mean, "reduce_max": rowan.Max,
		"reduce_min": rowan.Min, "reduce_prod": rowan.Prod, "reduce_std": rowan.Std, "reduce_variance": rowan.Variance,
		"reduce_euclidean_norm": rowan.EuclideanNorm, "reduce_logsumexp": rowan.LogSumExp,
	} {
		if got, err := rowan.ParseCombiner(name); err != nil || got != want {
			t.Errorf("%q reads as %v, %v; want %v", name, got, err, want)
		}
	}
	// reduce_all and reduce_any are of booleans; the others are no functions.
	for _, name := range []string{"mode", "reduce_all", "reduce_any", "reduce_none", "reduce_sqrtn", "reduce_test_squares", "Sum"} {
		_, err := rowan.ParseCombiner(name)
		if !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), "none, sum, mean, sqrtn, max, min, prod, std, variance, euclidean_norm, logsumexp, or a name given to RegisterCombiner") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// pooled looks one bag of a matrix of one column up, and returns what it comes
// to and the gradient of each row for a gradient of 12.
func pooled(t *testing.T, c rowan.Combiner, weights []float32, rows ...float32) (y float32, grad []float32) {
	t.Helper()
	ids := make([]int64, len(rows))
	for i := range ids {
		ids[i] = int64(i)
	}
	batch := dense(t, ids, 1, len(ids))
	if weights != nil {
		var err error
		if batch, err = batch.WithWeights(weights); err != nil {
			t.Fatal(err)
		}
	}
	m, err := rowan.EmbeddingLookup(values(t, rows, len(rows), 1), batch, c)
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Gradient(values(t, []float32{12}, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	return m.Values().Data()[0], g.Values.Data()
}

// TestCombinersByHand works the corners out: ties share, zeros do not spoil a
// product, equal rows have no deviation and a gradient of 0, weights count.
func TestCombinersByHand(t *testing.T) {
	third, big := float32(1.0/3), float32(3e38)
	for _, c := range []struct {
		combiner      rowan.Combiner
		weights, rows []float32
		want          float32
		grad          []float32
	}{
		{rowan.Max, nil, []float32{1, 3, 2}, 3, []float32{0, 12, 0}},
		{rowan.Max, nil, []float32{3, 1, 3, 3}, 3, []float32{4, 0, 4, 4}},
		{rowan.Max, nil, []float32{-3, -1}, -1, []float32{0, 12}},
		{rowan.Max, nil, []float32{0, float32(math.Copysign(0, -1))}, 0, []float32{6, 6}},
		{rowan.Min, nil, []float32{1, 3, 1}, 1, []float32{6, 0, 6}},
		{rowan.Min, nil, []float32{1, 2}, 1, []float32{12, 0}},
		{rowan.Prod, nil, []float32{2, 3, -4}, -24, []float32{-144, -96, 72}},
		{rowan.Prod, nil, []float32{2, 0, 5}, 0, []float32{0, 120, 0}},
		{rowan.Prod, nil, []float32{2, 0, 0}, 0, []float32{0, 0, 0}},
		{rowan.Prod, nil, []float32{7}, 7, []float32{12}},
		{rowan.Variance, nil, []float32{1, 5}, 4, []float32{-24, 24}},
		{rowan.Variance, []float32{3, 1}, []float32{1, 5}, 3, []float32{-18, 18}},
		{rowan.Variance, nil, []float32{third, third, third}, 0, []float32{0, 0, 0}},
		{rowan.Std, nil, []float32{1, 5}, 2, []float32{-6, 6}},
		{rowan.Std, nil, []float32{third, third, third}, 0, []float32{0, 0, 0}},
		{rowan.Std, []float32{0.1, 0.7, 0.3}, []float32{third, third, third}, 0, []float32{0, 0, 0}},
		{rowan.Std, []float32{1, 0}, []float32{third, 9}, 0, []float32{0, 0}},
		{rowan.Std, nil, []float32{7}, 0, []float32{0}},
		{rowan.EuclideanNorm, nil, []float32{3, -4}, 5, []float32{7.2, -9.6}},
		{rowan.EuclideanNorm, []float32{4, 1}, []float32{2, -3}, 5, []float32{19.2, -7.2}},
		{rowan.EuclideanNorm, nil, []float32{0, 0}, 0, []float32{0, 0}},
		{rowan.EuclideanNorm, nil, []float32{big / 2, 0}, big / 2, []float32{12, 0}},
		{rowan.LogSumExp, nil, []float32{0, 0, 0}, float32(math.Log(3)), []float32{4, 4, 4}},
		{rowan.LogSumExp, nil, []float32{1000, 0}, 1000, []float32{12, 0}},
		{rowan.LogSumExp, []float32{2, 0}, []float32{5, 900}, 5 + math.Ln2, []float32{12, 0}},
		{rowan.LogSumExp, []float32{0, 0}, []float32{5, 6}, 0, []float32{0, 0}},
		{squares, []float32{1, -2}, []float32{3, 2}, 1, []float32{72, -96}},
	} {
		y, grad := pooled(t, c.combiner, c.weights, c.rows...)
		if y != c.want || !slices.Equal(grad, c.grad) {
			t.Errorf("%v of %v, weights %v: %v with gradient %v, want %v and %v", c.combiner, c.rows, c.weights, y, grad, c.want, c.grad)
		}
	}
}

// TestEmptyBags: nothing in a bag is zeros and trains nothing, whatever the
// combiner and however the bag came to be empty.
func TestEmptyBags(t *testing.T) {
	for _, c := range everyCombiner {
		table := newTable(t, rowan.TableOptions{Width: 2, Padding: rowan.PaddingID(0), Initializer: initializer.Ones{}, Optimizer: sgd(1)})
		ids := tensor.RaggedOf(nil, []int64{0, 0}, nil, []int64{5}, nil)
		for range 2 { // what the first left behind is cleared
			step(t, table, ids, c, func(l *rowan.Lookup) *tensor.Values {
				for i, bag := range []string{"no ids", "padding", "no ids", "", "no ids"} {
					if bag != "" && !slices.Equal(l.Values().Row(i), []float32{0, 0}) {
						t.Errorf("%v of %s: %v, want zeros", c, bag, l.Values().Row(i))
					}
				}
				return ones(l)
			})
		}
		if table.Len() != 1 {
			t.Errorf("%v: %d rows; only one key was trained", c, table.Len())
		}
		if _, err := table.Lookup(ctx, tensor.RaggedOf[int64](), rowan.LookupOptions{Combiner: c, Training: true}); err != nil {
			t.Errorf("%v of no bags: %v", c, err)
		}
	}
}

func TestCombinersRefuseWeights(t *testing.T) {
	table := ramp(t, 4, nil)
	weighted := func(w ...float32) tensor.IDs {
		ids, err := dense(t, []int64{1, 2, 3}, 1, 3).WithWeights(w)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	for _, c := range everyCombiner {
		takes, counts := takesWeights(c)
		for _, w := range []struct {
			weights []float32
			refused bool
			says    string
		}{
			{[]float32{1, 0.5, 0}, !takes, "takes no weights"},
			{[]float32{1, 0.5, -1}, !takes || counts, ""},
		} {
			_, err := table.Lookup(ctx, weighted(w.weights...), rowan.LookupOptions{Combiner: c})
			if w.refused != errors.Is(err, rowan.ErrOptions) || w.refused && !strings.Contains(err.Error(), w.says) {
				t.Errorf("%v with weights %v: %v", c, w.weights, err)
			}
		}
	}
	_, err := table.Lookup(ctx, weighted(1, 2, -0.5), rowan.LookupOptions{Combiner: rowan.Std, Feature: "genre"})
	if want := `table "film", feature "genre": rowan: bad options: combiner std: a weight says how often a row counts and must not be negative. Received: weight 2 of 3 is -0.5`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// twice is Σ2v: its gradient is exact whatever the rows.
var twice = mustRegister(rowan.CombinerFunc{
	Name: "test_twice",
	Forward: func(out []float32, b rowan.Bag) {
		for i, v := range b.Rows {
			out[i%b.Width] += 2 * v
		}
	},
	Backward: func(grad, dout []float32, b rowan.Bag) {
		for i := range grad {
			grad[i] = 2 * dout[i%b.Width]
		}
	},
})

// TestReducedTrainsAsUnpooled: through a combiner that is given whole bags a
// table comes to the bits of one whose ids were looked up one by one, with all
// that a step can do: exact optimizers, missed steps, penalties, bounded and
// clipped norms, several lookups of a step, threads, rows removed in between.
func TestReducedTrainsAsUnpooled(t *testing.T) {
	o := rowan.TableOptions{Width: 3, MaxNorm: 2, Regularizer: rowan.Regularizer{L2: 0.01}, Padding: rowan.PaddingID(7)}
	var files [3][]byte
	for way, threads := range []int{1, 1, 5} {
		o.Threads = threads
		o.Optimizer = &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1), Exact: true, Clip: optim.Clip{GlobalNorm: 50}}
		table, r := newTable(t, o), rand.New(rand.NewPCG(8, 8))
		for s := range 12 {
			g := table.NewGradients()
			for range 2 {
				b := randomBatch(t, r, func() int64 { return int64(r.IntN(40 * (1 + s%3))) }, "ragged", 900, 6, false)
				grad := randomGradient(r, len(b.bags)*3)
				lo := rowan.LookupOptions{Combiner: twice, Training: true}
				if way == 0 {
					lo.Combiner = rowan.None
					grad = unpooled(b, grad, 3)
				}
				l, err := table.Lookup(ctx, b.ids, lo)
				if err != nil {
					t.Fatal(err)
				}
				if way > 0 {
					checkTwice(t, table, b, l)
				}
				if err := g.Add(l, values(t, grad, l.Values().Shape()...)); err != nil {
					t.Fatal(err)
				}
			}
			if err := table.Remove(ctx, dense(t, []int64{int64(s), int64(s + 1)})); err != nil {
				t.Fatal(err)
			}
			if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
				t.Fatal(err)
			}
		}
		files[way] = saved(t, table)
	}
	if !slices.Equal(files[0], files[1]) || !slices.Equal(files[1], files[2]) {
		t.Error("the same step by another way leaves other bits")
	}
}

// unpooled is the gradient of each id of a batch pooled by twice.
func unpooled(b batch[int64], grad []float32, width int) []float32 {
	var all []float32
	for i, bag := range b.bags {
		for range bag {
			for d := range width {
				all = append(all, 2*grad[i*width+d])
			}
		}
	}
	return all
}

// checkTwice compares a lookup with what its ids read as one by one, caught up.
func checkTwice(t *testing.T, table *rowan.Table, b batch[int64], l *rowan.Lookup) {
	t.Helper()
	single, err := table.Lookup(ctx, b.ids, rowan.LookupOptions{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	want, at := make([]float32, l.Values().Len()), 0
	for i, bag := range b.bags {
		for range bag {
			for d, v := range single.Values().Row(at) {
				want[i*table.Width()+d] += 2 * v
			}
			at++
		}
	}
	if !slices.Equal(l.Values().Data(), want) {
		t.Fatal("a bag is not of the rows that its ids read as")
	}
}

// TestReducedLongBag reduces a bag longer than a block, and one after it.
func TestReducedLongBag(t *testing.T) {
	bag := make([]int64, 20_001)
	for i := range bag {
		bag[i] = int64(i)
	}
	table := ramp(t, len(bag), func(o *rowan.TableOptions) { o.Optimizer = sgd(1) })
	ids := tensor.RaggedOf([]int64{1, 2}, bag, nil, []int64{3})
	step(t, table, ids, rowan.Max, func(l *rowan.Lookup) *tensor.Values {
		if want := []float32{20, 21, 200_000, 200_001, 0, 0, 30, 31}; !slices.Equal(l.Values().Data(), want) {
			t.Errorf("got %v, want %v", l.Values().Data(), want)
		}
		return ones(l)
	})
	if got, want := read(t, table, 1, 2, 3, 19_999, 20_000), []float32{10, 11, 19, 20, 29, 30, 199_990, 199_991, 199_999, 200_000}; !slices.Equal(got, want) {
		t.Errorf("rows are %v, want %v", got, want)
	}
}

// TestReducedThreads: the same bits from any number of goroutines, forward and back.
func TestReducedThreads(t *testing.T) {
	for _, c := range []rowan.Combiner{rowan.LogSumExp, rowan.Std} {
		var first []byte
		for _, threads := range []int{1, 2, 5} {
			table := newTable(t, rowan.TableOptions{Width: 3, Threads: threads, Optimizer: sgd(0.5)})
			r := rand.New(rand.NewPCG(3, 3))
			b := randomBatch(t, r, func() int64 { return int64(r.IntN(500)) }, "ragged", 4000, 9, false)
			step(t, table, b.ids, c, func(l *rowan.Lookup) *tensor.Values {
				return values(t, append([]float32(nil), l.Values().Data()...), 4000, 3)
			})
			file := saved(t, table)
			if first == nil {
				first = file
			}
			if !slices.Equal(first, file) {
				t.Errorf("%v: %d threads give other bits than 1", c, threads)
			}
		}
	}
}

// TestReducedNoAllocation: these combiners allocate nothing either once warm.
func TestReducedNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	table := newTable(t, rowan.TableOptions{Width: 8, Rows: 1000, Optimizer: sgd(0.1), Padding: rowan.PaddingID(0), Threads: 1})
	ids := make([]int64, 5000)
	for i := range ids {
		ids[i] = int64(i * 37 % 1000)
	}
	batch, err := dense(t, ids, 500, 10).WithWeights(make([]float32, 5000))
	if err != nil {
		t.Fatal(err)
	}
	for i := range ids {
		batch.Weights()[i] = float32(i % 3)
	}
	var l rowan.Lookup
	g := table.NewGradients()
	grad := tensor.ZeroValues(500, 8)
	for _, c := range []rowan.Combiner{rowan.LogSumExp, squares} {
		for _, training := range []bool{true, false} {
			work := func() {
				if err := table.LookupInto(ctx, &l, batch, rowan.LookupOptions{Combiner: c, Training: training}); err != nil {
					t.Fatal(err)
				}
				g.Reset()
				if !training {
					return
				}
				if err := g.Add(&l, grad); err != nil {
					t.Fatal(err)
				}
				if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				work()
			}
			if n := testing.AllocsPerRun(20, work); n != 0 {
				t.Errorf("%v, training %v: %v allocations a step, want none", c, training, n)
			}
		}
	}
}

// TestSameLookupTwice: two gradients of one lookup in one step add up.
func TestSameLookupTwice(t *testing.T) {
	table := ramp(t, 3, func(o *rowan.TableOptions) { o.Optimizer = sgd(1) })
	l, err := table.Lookup(ctx, dense(t, []int64{1, 2}, 1, 2), rowan.LookupOptions{Combiner: rowan.Max, Training: true})
	if err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	for _, x := range []float32{1, 10} {
		if err := g.Add(l, values(t, []float32{x, 2 * x}, 1, 2)); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, table, 1, 2), []float32{10, 11, 9, -1}; !slices.Equal(got, want) {
		t.Errorf("rows are %v, want %v", got, want)
	}
}

// TestGradientBeyondFloat: a gradient that a combiner makes too large for a
// float32 is told and changes nothing.
func TestGradientBeyondFloat(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Rows: 3, Initializer: initializer.Constant{Value: 1e30}, Optimizer: sgd(1)})
	l, err := table.Lookup(ctx, dense(t, []int64{0, 1}, 1, 2), rowan.LookupOptions{Combiner: rowan.Prod, Training: true, Feature: "f"})
	if err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	err = g.Add(l, values(t, []float32{1e30}, 1, 1))
	if !errors.Is(err, rowan.ErrNotFinite) || !strings.Contains(err.Error(), `table "film", feature "f"`) {
		t.Errorf("got %v", err)
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil || read(t, table, 0)[0] != 1e30 {
		t.Errorf("row is %v after nothing was added: %v", read(t, table, 0), err)
	}
}

// TestRegisterCombiner registers what cannot be a combiner, and uses those that
// can do less than all or go wrong.
func TestRegisterCombiner(t *testing.T) {
	if n := (rowan.Bag{}).Len(); n != 0 {
		t.Errorf("no bag has %d rows", n)
	}
	forward := func([]float32, rowan.Bag) {}
	for _, c := range []struct {
		f    rowan.CombinerFunc
		says string
	}{
		{rowan.CombinerFunc{Forward: forward}, "needs a name"},
		{rowan.CombinerFunc{Name: "x"}, `"x" has no Forward`},
		{rowan.CombinerFunc{Name: "max", Forward: forward}, `"max" already`},
		{rowan.CombinerFunc{Name: "reduce_max", Forward: forward}, `"reduce_max" already`},
		{rowan.CombinerFunc{Name: "test_twice", Forward: forward}, `"test_twice" already`},
	} {
		if _, err := rowan.RegisterCombiner(c.f); !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: got %v, want %q", c.f.Name, err, c.says)
		}
	}
	table := ramp(t, 4, func(o *rowan.TableOptions) { o.Optimizer = sgd(1) })
	ids := dense(t, []int64{1, 2}, 1, 2)
	for _, c := range []struct {
		combiner rowan.Combiner
		training bool
		says     string
	}{
		{readOnly, true, `combiner "test_read_only" has no Backward`},
		{broken, false, `combiner "test_broken": Forward panicked: odd`},
	} {
		_, err := table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: c.combiner, Training: c.training})
		if !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: got %v, want %q", c.combiner, err, c.says)
		}
	}
	l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: readOnly})
	if err != nil || !slices.Equal(l.Values().Data(), []float32{20, 21}) {
		t.Errorf("reads %v, %v", l, err)
	}
	weighted, err := ids.WithWeights([]float32{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	_, err = table.Lookup(ctx, weighted, rowan.LookupOptions{Combiner: readOnly})
	is(t, "weights", err, rowan.ErrOptions)
	if l, err = table.Lookup(ctx, dense(t, []int64{2, 2}, 1, 2), rowan.LookupOptions{Combiner: broken, Training: true}); err != nil {
		t.Fatal(err)
	}
	err = table.NewGradients().Add(l, ones(l))
	if !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), "Backward panicked") {
		t.Errorf("got %v", err)
	}
}

// readOnly is the last row; broken panics at a row 1, and always on the way back.
var (
	readOnly = mustRegister(rowan.CombinerFunc{
		Name:    "test_read_only",
		Forward: func(out []float32, b rowan.Bag) { copy(out, b.Row(b.Len()-1)) },
	})
	broken = mustRegister(rowan.CombinerFunc{
		Name: "test_broken",
		Forward: func(out []float32, b rowan.Bag) {
			if b.Row(0)[0] == 10 {
				panic("odd")
			}
		},
		Backward: func(grad, dout []float32, b rowan.Bag) { grad[len(grad)] = 1 },
	})
)

func mustRegister(f rowan.CombinerFunc) rowan.Combiner {
	c, err := rowan.RegisterCombiner(f)
	if err != nil {
		panic(err)
	}
	return c
}

// TestReducedCancelled: a cancelled lookup says so, and holds nothing.
func TestReducedCancelled(t *testing.T) {
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	table := ramp(t, 4, nil)
	_, err := table.Lookup(cancelled, dense(t, []int64{1, 2}, 1, 2), rowan.LookupOptions{Combiner: rowan.Max})
	is(t, "lookup", err, context.Canceled)
	_, err = table.Lookup(ctx, dense(t, []int64{1, 9}, 1, 2), rowan.LookupOptions{Combiner: rowan.Max})
	if !errors.Is(err, rowan.ErrOutOfRange) || !strings.Contains(err.Error(), "id 9 at position 1") {
		t.Errorf("got %v", err)
	}
}
