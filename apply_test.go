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
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

func sgd(lr float32) *optim.Optimizer {
	return &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(lr)}
}

// step looks ids up for training and applies a gradient.
func step(t testing.TB, table *rowan.Table, ids tensor.IDs, c rowan.Combiner, grad func(l *rowan.Lookup) *tensor.Values) {
	t.Helper()
	l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: c, Training: true})
	if err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	if err := g.Add(l, grad(l)); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
}

// ones is a gradient of ones.
func ones(l *rowan.Lookup) *tensor.Values {
	v := tensor.ZeroValues(l.Values().Shape()...)
	for i := range v.Data() {
		v.Data()[i] = 1
	}
	return v
}

func read(t testing.TB, table *rowan.Table, keys ...int64) []float32 {
	t.Helper()
	l, err := table.Lookup(ctx, dense(t, keys), rowan.LookupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(l.Values().Data())
}

// TestApplyInserts: training inserts unseen keys with the values that were read.
func TestApplyInserts(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 4, Optimizer: sgd(0.5)})
	before := read(t, table, 1, 2)
	step(t, table, dense(t, []int64{1, 2, 1}, 3, 1), rowan.Sum, ones)
	if table.Len() != 2 {
		t.Fatalf("%d rows, want 2", table.Len())
	}
	after := read(t, table, 1, 2)
	for i := range 4 {
		if after[i] != before[i]-2*0.5 || after[4+i] != before[4+i]-0.5 {
			t.Fatalf("rows %v became %v: want the key that occurs twice to move by 1, the other by 0.5", before, after)
		}
	}
}

// TestSeveralLookups merges the gradients of lookups with different layouts and
// combiners, of one table, into one update.
func TestSeveralLookups(t *testing.T) {
	table := newTable(t, rowan.TableOptions{
		Width: 1, Initializer: initializer.Zeros{}, Optimizer: &optim.Optimizer{Updater: optim.Adagrad{InitialAccumulator: 1, Epsilon: 1e-9}, Rate: optim.Constant(1)},
	})
	g := table.NewGradients()
	for _, l := range []struct {
		ids  tensor.IDs
		c    rowan.Combiner
		grad []float32
	}{
		{dense(t, []int64{1, 2}), rowan.None, []float32{1, 10}},
		{tensor.RaggedOf([]int64{1, 1, 3, 3}, nil), rowan.Mean, []float32{2, 7}},
		{dense(t, []int64{1, 2}, 1, 2), rowan.Sum, []float32{4}},
	} {
		look, err := table.Lookup(ctx, l.ids, rowan.LookupOptions{Combiner: l.c, Training: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Add(look, values(t, l.grad, look.Values().Shape()...)); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := g.SumSquares(ctx, rowan.Step{Number: 1})
	if err != nil {
		t.Fatal(err)
	}
	// Key 1: 1 + 2·(2/4) + 4 = 6. Key 2: 10 + 4 = 14. Key 3: 2·(2/4) = 1.
	if want := 36.0 + 196 + 1; sum != want {
		t.Errorf("squared norm %v, want %v", sum, want)
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
	for i, grad := range []float64{6, 14, 1} {
		want := -grad / math.Sqrt(1+grad*grad)
		if got := read(t, table, int64(i+1))[0]; math.Abs(float64(got)-want) > 1e-6 {
			t.Errorf("key %d: %v, want %v: one update with the sum of its gradients", i+1, got, want)
		}
	}
}

func TestApplyErrors(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: sgd(1)})
	other := newTable(t, rowan.TableOptions{Name: "user", Width: 2})
	ids := dense(t, []int64{1})
	look := func(table *rowan.Table, training bool) *rowan.Lookup {
		l, err := table.Lookup(ctx, ids, rowan.LookupOptions{Training: training, Feature: "f"})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	good := values(t, []float32{1, 2}, 1, 2)
	bad := values(t, []float32{1, float32(math.Inf(1))}, 1, 2)
	g := table.NewGradients()
	for _, c := range []struct {
		name string
		err  error
		is   error
		says string
	}{
		{"not for training", g.Add(look(table, false), good), rowan.ErrStale, "Training: true"},
		{"another table's", g.Add(look(other, true), good), rowan.ErrStale, "of this table"},
		{"nil", g.Add(nil, good), rowan.ErrStale, ""},
		{"shape", g.Add(look(table, true), values(t, []float32{1, 2}, 2, 1)), rowan.ErrShape, "[1 2], got [2 1]"},
		{"infinite", g.Add(look(table, true), bad), rowan.ErrNotFinite, `table "film", feature "f": rowan: not a finite number: gradient 1 of 2 is +Inf`},
		{"no optimizer", other.Apply(ctx, other.NewGradients(), rowan.Step{}), rowan.ErrNotTrainable, "SetOptimizer"},
		{"gradients of another", other.Apply(ctx, g, rowan.Step{}), rowan.ErrStale, `of table "film"`},
		{"step", table.Apply(ctx, g, rowan.Step{Number: -1}), rowan.ErrOptions, "got -1"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(fmt.Sprint(c.err), c.says) {
			t.Errorf("%s: got %v, want %v saying %q", c.name, c.err, c.is, c.says)
		}
	}
	if table.Len() != 0 || table.Step() != 0 {
		t.Error("a refused gradient left a trace")
	}
}

// TestTableFull: an insert beyond MaxRows is an error, and what is there stays.
func TestTableFull(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, MaxRows: 3, Optimizer: sgd(1)})
	ids := dense(t, []int64{1, 2, 3})
	if err := table.Upsert(ctx, ids, values(t, []float32{1, 1, 2, 2, 3, 3}, 3, 2)); err != nil {
		t.Fatal(err)
	}
	if err := table.Upsert(ctx, dense(t, []int64{4}), values(t, []float32{4, 4}, 1, 2)); err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatalf("a fourth row: %v", err)
	}
	if got := read(t, table, 1, 2, 3); !slices.Equal(got, []float32{1, 1, 2, 2, 3, 3}) {
		t.Errorf("rows are %v", got)
	}
	if err := table.Remove(ctx, dense(t, []int64{2})); err != nil {
		t.Fatal(err)
	}
	if err := table.Upsert(ctx, dense(t, []int64{4}), values(t, []float32{4, 4}, 1, 2)); err != nil {
		t.Errorf("the room of a removed row: %v", err)
	}
}

// TestRemovedBetween: rows that are removed, and whose room another key takes,
// between the lookup and the update do not get each other's gradients.
func TestRemovedBetween(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Initializer: initializer.Zeros{}, Optimizer: sgd(1)})
	if err := table.Upsert(ctx, dense(t, []int64{1, 2}), values(t, []float32{10, 20}, 2, 1)); err != nil {
		t.Fatal(err)
	}
	l, err := table.Lookup(ctx, dense(t, []int64{1, 2}), rowan.LookupOptions{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Remove(ctx, dense(t, []int64{1})); err != nil {
		t.Fatal(err)
	}
	if err := table.Upsert(ctx, dense(t, []int64{3}), values(t, []float32{30}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	g := table.NewGradients()
	if err := g.Add(l, values(t, []float32{1, 1}, 2, 1)); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, table, 1, 2, 3), []float32{-1, 19, 30}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestTrainingThreads: training gives the same bits on any number of goroutines.
func TestTrainingThreads(t *testing.T) {
	for _, o := range []*optim.Optimizer{
		sgd(0.1),
		{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1), Clip: optim.Clip{GlobalNorm: 0.5}},
		{Updater: optim.NewAdam(), Rate: optim.Constant(0.01), Exact: true},
	} {
		var first []float32
		for _, threads := range []int{1, 3} {
			table := newTable(t, rowan.TableOptions{Width: 6, Threads: threads, Optimizer: o, Regularizer: rowan.Regularizer{L2: 0.001}})
			r := rand.New(rand.NewPCG(9, 9))
			for range 5 {
				ids := make([]int64, 20_000)
				for i := range ids {
					ids[i] = int64(r.ExpFloat64() * 500)
				}
				step(t, table, dense(t, ids, 2000, 10), rowan.Mean, func(l *rowan.Lookup) *tensor.Values {
					return values(t, randomGradient(r, 2000*6), 2000, 6)
				})
			}
			var got []float32
			for part, err := range table.Export(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, part.Values.Data()...)
			}
			if first == nil {
				first = got
			} else if !slices.Equal(first, got) {
				t.Errorf("%T: %d threads give other bits than 1", o.Updater, threads)
			}
		}
	}
}

// TestExact: a table whose rows are caught up reads as one whose rows are all
// updated at every step, as Keras' dense optimizer does; a lazy one does not.
func TestExact(t *testing.T) {
	for _, rule := range []optim.Updater{optim.SGD{Momentum: 0.9}, optim.NewAdam()} {
		rate := optim.ExponentialDecay{Initial: 0.05, DecaySteps: 5, DecayRate: 0.7}
		everyStep := newTable(t, rowan.TableOptions{Width: 3, Optimizer: &optim.Optimizer{Updater: rule, Rate: rate}})
		exact := newTable(t, rowan.TableOptions{Width: 3, Optimizer: &optim.Optimizer{Updater: rule, Rate: rate, Exact: true}})
		lazy := newTable(t, rowan.TableOptions{Width: 3, Optimizer: &optim.Optimizer{Updater: rule, Rate: rate}})
		r := rand.New(rand.NewPCG(1, 1))
		const keys = 7
		all := []int64{0, 1, 2, 3, 4, 5, 6}
		step(t, everyStep, dense(t, all), rowan.None, func(l *rowan.Lookup) *tensor.Values { return tensor.ZeroValues(keys, 3) })
		everyStep.SetStep(0)
		for n := range 30 {
			var touched []int64
			full := make([]float32, keys*3)
			for k := range all {
				if r.IntN(4) == 0 {
					touched = append(touched, int64(k))
					copy(full[k*3:], randomGradient(r, 3))
				}
			}
			some := func(l *rowan.Lookup) *tensor.Values {
				v := tensor.ZeroValues(len(touched), 3)
				for i, k := range touched {
					copy(v.Data()[i*3:], full[k*3:k*3+3])
				}
				return v
			}
			step(t, everyStep, dense(t, all), rowan.None, func(*rowan.Lookup) *tensor.Values { return values(t, full, keys, 3) })
			step(t, exact, dense(t, touched), rowan.None, some)
			step(t, lazy, dense(t, touched), rowan.None, some)
			want := make([]float64, 0, keys*3)
			for _, x := range read(t, everyStep, all...) {
				want = append(want, float64(x))
			}
			near(t, fmt.Sprintf("%T, step %d", rule, n), read(t, exact, all...), want)
		}
		if slices.Equal(read(t, lazy, all...), read(t, everyStep, all...)) {
			t.Errorf("%T: lazy rows equal dense ones: the test shows nothing", rule)
		}
	}
}

// TestReadsLeaveNoTrace: reading an exact table in between does not change the bits.
func TestReadsLeaveNoTrace(t *testing.T) {
	run := func(peek bool) []float32 {
		table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1), Exact: true}})
		for n := range 12 {
			step(t, table, dense(t, []int64{int64(n % 3), int64(n % 5)}), rowan.None, ones)
			if peek {
				read(t, table, 0, 1, 2, 3, 4)
			}
		}
		return read(t, table, 0, 1, 2, 3, 4)
	}
	if !slices.Equal(run(false), run(true)) {
		t.Error("a read changed what was trained")
	}
}

func TestMaxNorm(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, MaxNorm: 1, Initializer: initializer.Constant{Value: 3}, Optimizer: sgd(1)})
	norm := func() float64 { x := read(t, table, 1); return math.Hypot(float64(x[0]), float64(x[1])) }
	if n := norm(); math.Abs(n-1) > 1e-6 {
		t.Errorf("an unseen row reads with norm %v", n)
	}
	step(t, table, dense(t, []int64{1}), rowan.None, func(*rowan.Lookup) *tensor.Values { return values(t, []float32{-5, 0}, 1, 2) })
	if n := norm(); math.Abs(n-1) > 1e-6 {
		t.Errorf("a trained row reads with norm %v", n)
	}
	if err := table.Upsert(ctx, dense(t, []int64{1}), values(t, []float32{3, 4}, 1, 2)); err != nil {
		t.Fatal(err)
	}
	if n := norm(); math.Abs(n-1) > 1e-6 {
		t.Errorf("a written row reads with norm %v", n)
	}
}

// TestRegularizer: a touched row pays for the steps since it was last updated.
func TestRegularizer(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Rows: 2, Initializer: initializer.Ones{}, Optimizer: sgd(0.1), Regularizer: rowan.Regularizer{L2: 0.5, L1: 0.25}})
	zero := func(l *rowan.Lookup) *tensor.Values { return tensor.ZeroValues(l.Values().Shape()...) }
	step(t, table, dense(t, []int64{0}), rowan.None, zero) // step 1: row 0 pays once
	step(t, table, dense(t, []int64{0}), rowan.None, zero)
	step(t, table, dense(t, []int64{1}), rowan.None, zero) // step 3: row 1 pays three times
	row0 := 1 - 0.1*(2*0.5*1+0.25)
	row0 -= 0.1 * (2*0.5*row0 + 0.25)
	near(t, "rows", read(t, table, 0, 1), []float64{row0, 1 - 0.1*3*(2*0.5+0.25)})
}

func TestSetOptimizer(t *testing.T) {
	for _, rows := range []int{0, 1000} {
		t.Run(fmt.Sprint("rows=", rows), func(t *testing.T) { setOptimizer(t, rows) })
	}
}

func setOptimizer(t *testing.T, rows int) {
	table := newTable(t, rowan.TableOptions{Width: 3, Rows: rows})
	untouched := read(t, table, 999)
	if err := table.Upsert(ctx, dense(t, []int64{4, 5}), values(t, []float32{1, 2, 3, 4, 5, 6}, 2, 3)); err != nil {
		t.Fatal(err)
	}
	if err := table.SetOptimizer(&optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)}); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, table, 4, 5), []float32{1, 2, 3, 4, 5, 6}; !slices.Equal(got, want) {
		t.Errorf("rows became %v", got)
	}
	if got := read(t, table, 999); !slices.Equal(got, untouched) {
		t.Errorf("an untouched row became %v, was %v", got, untouched)
	}
	if slots := table.Stats().Slots; len(slots) != 2 {
		t.Errorf("slots %v, want Adam's two", slots)
	}
	step(t, table, dense(t, []int64{4}), rowan.None, ones)
	if got := read(t, table, 4)[0]; math.Abs(float64(got)-0.9) > 1e-3 {
		t.Errorf("the first step of Adam took 1 to %v, want about 0.9", got)
	}
}

// TestTornRows: readers see a row before or after an update, never half of it.
func TestTornRows(t *testing.T) {
	const width = 64
	table := newTable(t, rowan.TableOptions{Width: width, Initializer: initializer.Zeros{}, Optimizer: sgd(1)})
	ids := make([]int64, 300)
	for i := range ids {
		ids[i] = int64(i % 100)
	}
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			g := table.NewGradients()
			for range 100 {
				l, err := table.Lookup(ctx, dense(t, ids), rowan.LookupOptions{Training: true})
				if err == nil {
					g.Reset()
					err = g.Add(l, ones(l))
				}
				if err == nil {
					err = table.Apply(ctx, g, rowan.Step{})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			for range 200 {
				l, err := table.Lookup(ctx, dense(t, ids), rowan.LookupOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				for i := 0; i < len(ids)*width; i += width {
					row := l.Values().Data()[i : i+width]
					if row[0] != row[width-1] || row[0] != row[width/2] {
						t.Errorf("a torn row: %v", row)
						return
					}
				}
			}
		})
		group.Go(func() {
			for k := range int64(50) {
				if err := table.Remove(ctx, dense(t, []int64{k})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// TestCloseWaits: Close under load neither faults nor hangs.
func TestCloseWaits(t *testing.T) {
	for range 20 {
		table := newTable(t, rowan.TableOptions{Width: 16, Rows: 1000})
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				ids := dense(t, make([]int64, 5000), 50, 100)
				for {
					_, err := table.Lookup(ctx, ids, rowan.LookupOptions{Combiner: rowan.Sum})
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
		if err := table.Close(); err != nil {
			t.Error(err)
		}
		group.Wait()
	}
}

// TestNoAllocation: lookups and updates allocate nothing once they are warm.
func TestNoAllocation(t *testing.T) {
	for _, c := range []struct {
		name string
		o    rowan.TableOptions
	}{
		{"dynamic", rowan.TableOptions{}},
		{"static", rowan.TableOptions{Rows: 1000}},
		{"bfloat16", rowan.TableOptions{DType: rowan.BFloat16}},
		{"threads", rowan.TableOptions{Threads: 3}},
		{"exact", rowan.TableOptions{Optimizer: &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1), Exact: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if raceEnabled {
				t.Skip("the race detector allocates")
			}
			c.o.Width = 8
			if c.o.Optimizer == nil {
				c.o.Optimizer = &optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1)}
			}
			table := newTable(t, c.o)
			ids := make([]int64, 5000)
			for i := range ids {
				ids[i] = int64(i * 37 % 1000)
			}
			batch := tensor.IDs(dense(t, ids, 500, 10))
			var l rowan.Lookup
			g := table.NewGradients()
			grad := tensor.ZeroValues(500, 8)
			work := func() {
				if err := table.LookupInto(ctx, &l, batch, rowan.LookupOptions{Combiner: rowan.Mean, Training: true}); err != nil {
					t.Fatal(err)
				}
				g.Reset()
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
			// A goroutine that has not quite ended when the next one starts makes
			// the runtime allocate a new one: the best of a few runs is ours.
			best := testing.AllocsPerRun(20, work)
			for range 4 {
				best = min(best, testing.AllocsPerRun(20, work))
			}
			if best != 0 {
				t.Errorf("%v allocations a step, want none", best)
			}
		})
	}
}

// TestPaddingTrains: a batch with padding ids, unseen ids and weights trains a
// table to the bits that the same batch without the padding ids does.
func TestPaddingTrains(t *testing.T) {
	for _, c := range []rowan.Combiner{rowan.Sum, rowan.Mean, rowan.SqrtN} {
		o := rowan.TableOptions{Width: 3, Optimizer: adam(true), Padding: rowan.PaddingID(-1)}
		padded, plain := newTable(t, o), newTable(t, o)
		r := rand.New(rand.NewPCG(4, 4))
		for range 12 {
			bags, without := make([][]int64, 20), make([][]int64, 20)
			var weights, left []float32
			for i := range bags {
				for range r.IntN(7) {
					id, w := int64(r.IntN(40))-1, r.Float32()
					if r.IntN(3) == 0 {
						id = -1
					}
					bags[i], weights = append(bags[i], id), append(weights, w)
					if id != -1 {
						without[i], left = append(without[i], id), append(left, w)
					}
				}
			}
			grad := values(t, randomGradient(r, 20*3), 20, 3)
			var read [2][]float32
			for i, x := range []struct {
				table   *rowan.Table
				bags    [][]int64
				weights []float32
			}{{padded, bags, weights}, {plain, without, left}} {
				ids, err := tensor.RaggedOf(x.bags...).WithWeights(x.weights)
				if err != nil {
					t.Fatal(err)
				}
				step(t, x.table, ids, c, func(l *rowan.Lookup) *tensor.Values {
					read[i] = slices.Clone(l.Values().Data())
					return grad
				})
			}
			if !slices.Equal(read[0], read[1]) {
				t.Fatalf("%v: padding changes what is read: %v, %v", c, read[0], read[1])
			}
		}
		if !slices.Equal(saved(t, padded), saved(t, plain)) {
			t.Errorf("%v: padding changes what is trained", c)
		}
	}
}

// TestGradientsLeaveTheirArgumentsAlone: a step of one gradient and then one of two,
// the second of them in the memory that held the first, are no more than their sum.
func TestGradientsLeaveTheirArgumentsAlone(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1, Optimizer: sgd(1), Initializer: initializer.Zeros{}})
	g := table.NewGradients()
	add := func(key int64, grad *tensor.Values) {
		t.Helper()
		l, err := table.Lookup(ctx, dense(t, []int64{key}), rowan.LookupOptions{Training: true})
		if err == nil {
			err = g.Add(l, grad)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	apply := func() {
		t.Helper()
		if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
			t.Fatal(err)
		}
		g.Reset()
	}
	again, other := values(t, []float32{1}, 1, 1), values(t, []float32{10}, 1, 1)
	add(1, again)
	apply()
	again.Data()[0] = 100
	add(2, other)
	add(3, again)
	apply()
	if got, want := read(t, table, 1, 2, 3), []float32{-1, -10, -100}; !slices.Equal(got, want) {
		t.Errorf("weights %v, want %v", got, want)
	}
	if again.Data()[0] != 100 || other.Data()[0] != 10 {
		t.Errorf("gradients became %v and %v", again.Data(), other.Data())
	}
}
