package rowan_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestOptionSets draws sets of options that go together, and for each a training
// of steps, writes, evictions and changes of the optimizer. However a table is
// run, it answers the same and ends with the same bytes:
//
//	plain      one goroutine, and nobody reads between the steps
//	threads    four, and every way to read is tried after every step
//	resumed    now and then saved, and loaded into a table made anew
//	stores     its rows in three stores, where the options allow it
//
// The penalty that follows the updates is that of the file, a warm start reads
// what the table reads, and a quantized copy does within its bound.
func TestOptionSets(t *testing.T) {
	for seed := range uint64(optionSets) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			switch seed % 4 {
			case 0:
				runSet(t, seed, func(i int) int64 { return int64(i) })
			case 1:
				runSet(t, seed, func(i int) string { return fmt.Sprint("film ", i) })
			case 2:
				runSet(t, seed, func(i int) uint64 { return uint64(i) })
			case 3:
				runSet(t, seed, func(i int) int32 { return int32(i) })
			}
		})
	}
}

// optionSets is the number of sets that are drawn.
const optionSets = 32

// optionSet is a set of options, and what its training draws from.
type optionSet[K tensor.Key] struct {
	r    *rand.Rand
	o    rowan.TableOptions
	keys []K
}

// pick returns one of all.
func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func (s *optionSet[K]) draw() K { return pick(s.r, s.keys...) }

// variant is one way to run a table.
type variant struct {
	name   string
	table  *rowan.Table
	gone   []string // the evictions
	reads  bool
	resume bool
}

// act is something done to a table; it returns what the table answered.
type act func(t *testing.T, table *rowan.Table) string

func runSet[K tensor.Key](t *testing.T, seed uint64, key func(int) K) {
	s := &optionSet[K]{r: rand.New(rand.NewPCG(seed, 4))}
	s.options(t, key)
	variants := s.variants(t)
	plain := variants[0]
	for n := range 12 {
		name, do := s.act(t, plain.table)
		resume := s.r.IntN(3) == 0
		want := ""
		for i, v := range variants {
			fail := func(format string, args ...any) {
				t.Helper()
				t.Fatalf("%+v\n%+v\nact %d, %s, %s: %s", s.o, s.o.Optimizer, n, name, v.name, fmt.Sprintf(format, args...))
			}
			got := do(t, v.table)
			if i == 0 {
				want = got
			} else if got != want {
				fail("it answers\n%.300s\nwant\n%.300s", got, want)
			}
			if v.reads {
				s.readAll(t, v.table)
			}
			if v.resume && resume {
				s.reload(t, v)
			}
			if !bytes.Equal(saved(t, v.table), saved(t, plain.table)) {
				fail("the file differs from that of the plain table")
			}
			if !slices.Equal(v.gone, plain.gone) {
				fail("evicted\n%v\nwant\n%v", v.gone, plain.gone)
			}
		}
		s.checkPenalty(t, name, variants)
	}
	s.checkWarmStart(t, plain.table)
	s.checkQuantized(t, plain.table)
}

// options draws a set that makes a table: what is refused is drawn again.
func (s *optionSet[K]) options(t *testing.T, key func(int) K) {
	for {
		s.o = s.drawn(key)
		table, err := rowan.NewTable(s.o)
		if err == nil {
			table.Close()
			return
		}
		if !errors.Is(err, rowan.ErrOptions) {
			t.Fatalf("%+v: %v", s.o, err)
		}
	}
}

func (s *optionSet[K]) drawn(key func(int) K) rowan.TableOptions {
	r := s.r
	o := rowan.TableOptions{
		Name: "film", Width: 1 + r.IntN(9), Seed: r.Uint64(), KeyType: tensor.KeyTypeOf[K](), Threads: 1,
		Initializer: pick[initializer.Initializer](r, nil, initializer.Ones{}, initializer.TruncatedNormal{Stddev: 0.3}),
		Optimizer:   drawnOptimizer(r),
		Missing:     rowan.Missing(r.IntN(3)),
		OutOfRange:  rowan.OutOfRange(r.IntN(3)),
		DType:       pick(r, rowan.Float32, rowan.Float32, rowan.Float16, rowan.BFloat16, rowan.Float64),
		MaxNorm:     pick[float32](r, 0, 0, 0.25),
		Regularizer: pick(r, rowan.Regularizer{}, rowan.Regularizer{}, rowan.Regularizer{L1: 1e-3, L2: 1e-2}, rowan.Regularizer{Row: cubes}),
		Constraint: pick[constraint.Constraint](r, nil, nil, constraint.NonNeg{}, constraint.UnitNorm{Axis: 1},
			constraint.MinMaxNorm{Min: 0.2, Max: 0.5, Rate: 0.7, Axis: 1}, constraint.MaxNorm{Max: 0.6}),
	}
	from, to := -8, 32
	switch {
	case o.KeyType != tensor.String && r.IntN(3) == 0:
		if o.Rows = 20; o.OutOfRange == rowan.OutOfRangeError {
			from, to = 0, o.Rows
		}
	case r.IntN(2) == 0:
		o.Restrict = rowan.Restrict{Policy: pick[rowan.RestrictPolicy](r, rowan.TimestampPolicy{}, rowan.FrequencyPolicy{}), Keep: r.IntN(3) * 8}
	}
	s.keys = s.keys[:0]
	for i := from; i < to; i++ {
		s.keys = append(s.keys, key(i))
	}
	if r.IntN(2) == 0 {
		if o.Padding = rowan.PaddingID(5); o.KeyType == tensor.String {
			o.Padding = rowan.PaddingString("film 5")
		}
	}
	return o
}

// drawnOptimizer draws a rule, and what surrounds it.
func drawnOptimizer(r *rand.Rand) *optim.Optimizer {
	shrinking := optim.NewFTRL()
	shrinking.L1, shrinking.L2Shrinkage = 1e-3, 0.01
	hats := optim.NewAdam()
	hats.AMSGrad = true
	return &optim.Optimizer{
		Updater: pick[optim.Updater](r, optim.SGD{}, optim.SGD{Momentum: 0.9}, optim.SGD{Momentum: 0.9, Nesterov: true},
			optim.NewAdagrad(), optim.NewRowWiseAdagrad(), optim.NewRMSprop(), optim.RMSprop{Rho: 0.9, Momentum: 0.5, Centered: true, Epsilon: 1e-7},
			optim.NewAdam(), hats, optim.NewAdamax(), optim.NewNadam(), optim.NewAdadelta(), optim.NewFTRL(), shrinking,
			optim.ProximalSGD{L1: 1e-3, L2: 1e-2}, optim.ProximalAdagrad{InitialAccumulator: 0.1, L1: 1e-3}, optim.NewLion()),
		Rate: pick[optim.Schedule](r, optim.Constant(0.05), optim.ExponentialDecay{Initial: 0.05, DecaySteps: 5, DecayRate: 0.7},
			optim.PiecewiseConstant{Boundaries: []int64{4}, Values: []float64{0.05, 0.01}}),
		Clip:              pick(r, optim.Clip{}, optim.Clip{}, optim.Clip{Value: 0.5}, optim.Clip{Norm: 0.5}, optim.Clip{GlobalNorm: 2}),
		WeightDecay:       pick(r, 0, 0, 0.01),
		EMA:               pick(r, nil, nil, &optim.EMA{Momentum: 0.9}, &optim.EMA{Momentum: 0.5, OverwriteEvery: 3}),
		AccumulationSteps: pick(r, 0, 0, 3),
		Exact:             r.IntN(2) == 0,
	}
}

// variants makes the tables.
func (s *optionSet[K]) variants(t *testing.T) []*variant {
	all := []*variant{{name: "plain"}, {name: "threads", reads: true}, {name: "resumed", resume: true}}
	for i, v := range all {
		v.table = newTable(t, s.of(v, s.o))
		if i == 1 {
			v.table.Close()
			o := s.of(v, s.o)
			o.Threads = 4
			v.table = newTable(t, o)
		}
	}
	if s.o.Rows == 0 && s.o.Restrict.Policy == nil && s.o.DType == rowan.Float32 {
		o := s.o
		o.Stores = &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"memory:", "memory:", "memory:"}}
		all = append(all, &variant{name: "stores", table: newTable(t, o)})
	}
	return all
}

// of returns options whose evictions v notes.
func (s *optionSet[K]) of(v *variant, o rowan.TableOptions) rowan.TableOptions {
	if o.Restrict.Policy != nil {
		o.Restrict.Evicted = func(e rowan.Eviction) {
			v.gone = append(v.gone, fmt.Sprint(e.Step, e.Keys.(*tensor.Dense[K]).Values(), e.Scores, e.Left))
		}
	}
	return o
}

// reload puts a table that holds what v's had been saved as in its place.
func (s *optionSet[K]) reload(t *testing.T, v *variant) {
	next := newTable(t, v.table.Options())
	if err := next.Load(ctx, bytes.NewReader(saved(t, v.table))); err != nil {
		t.Fatal(err)
	}
	v.table = next
}

// act draws what happens next.
func (s *optionSet[K]) act(t *testing.T, plain *rowan.Table) (string, act) {
	r, o := s.r, plain.Options()
	keys, flags := make([]K, 9), make([]bool, 9)
	for i := range keys {
		keys[i], flags[i] = s.draw(), r.IntN(2) == 0
	}
	keys[8] = keys[0]
	ids, rows := dense(t, keys), values(t, randomGradient(r, 9*o.Width), 9, o.Width)
	say := func(do func(table *rowan.Table) error) act {
		return func(_ *testing.T, table *rowan.Table) string { return fmt.Sprint(do(table)) }
	}
	switch n := r.IntN(24); {
	case n == 0:
		return "Upsert", say(func(table *rowan.Table) error { return table.Upsert(ctx, ids, rows) })
	case n == 1:
		return "Accumulate", say(func(table *rowan.Table) error { return table.Accumulate(ctx, ids, rows, flags) })
	case n == 2:
		return "Remove", say(func(table *rowan.Table) error { return table.Remove(ctx, ids) })
	case n == 3:
		changed, ok := o.Optimizer.Rate.(optim.Changed)
		if !ok {
			changed.Base = o.Optimizer.Rate
		}
		changed = changed.With(plain.Step()*int64(max(1, o.Optimizer.AccumulationSteps))+1, 0.02)
		return "SetRate", say(func(table *rowan.Table) error { return table.SetRate(changed) })
	case n == 4:
		next := drawnOptimizer(r)
		return "SetOptimizer", say(func(table *rowan.Table) error { return table.SetOptimizer(next) })
	case n == 5 && o.Optimizer.EMA != nil && (o.Rows > 0 || o.Restrict.Policy != nil):
		return "UseAverages", say(func(table *rowan.Table) error { return table.UseAverages(ctx) })
	case n == 6 && o.Restrict.Policy != nil:
		keep := r.IntN(20)
		return "Restrict", func(_ *testing.T, table *rowan.Table) string {
			e, err := table.Restrict(ctx, keep, 0)
			return fmt.Sprint(e.Scores, e.Left, err)
		}
	case n == 7 && o.Restrict.Policy != nil:
		return "Touch", say(func(table *rowan.Table) error { return table.Touch(ctx, ids) })
	case n == 8 && r.IntN(3) == 0:
		return "Clear", say(func(table *rowan.Table) error { return table.Clear(ctx) })
	}
	return "train", s.train(t, plain.Step()+1+int64(r.IntN(3)))
}

// train draws a step over some lookups.
func (s *optionSet[K]) train(t *testing.T, number int64) act {
	r := s.r
	how := rowan.LookupOptions{Combiner: pick(r, append(everyCombiner, rowan.None, rowan.None)...), Training: true}
	takes, counts := takesWeights(how.Combiner)
	if how.Combiner != rowan.None {
		how.Prune = r.IntN(2) == 0
		switch {
		case r.IntN(2) == 0:
		case s.o.KeyType == tensor.String:
			how.DefaultString = new("film 7")
		default:
			how.DefaultID = new(int64(7))
		}
	}
	var all []batch[K]
	for range 1 + r.IntN(2) {
		b := randomBatch(t, r, s.draw, pick(r, "dense", "ragged", "sparse"), pick(r, 0, 9, 9, 700), 1+r.IntN(6), takes && r.IntN(2) == 0)
		if b.weights != nil && counts {
			b.nonNegative()
		}
		all = append(all, b)
	}
	grads, step := r.Uint64(), rowan.Step{Number: number, Scale: pick[float32](r, 0, 0, 0.5), Batches: pick(r, 0, 0, 3)}
	measure := r.IntN(2) == 0
	return func(t *testing.T, table *rowan.Table) string {
		r, g := rand.New(rand.NewPCG(grads, 0)), table.NewGradients()
		answer := fmt.Sprintf("%+v", how)
		for _, b := range all {
			l, err := table.Lookup(ctx, b.ids, how)
			if err != nil {
				return err.Error()
			}
			answer += fmt.Sprint(l.Values().Data(), l.Exists())
			if err := g.Add(l, values(t, randomGradient(r, l.Values().Len()), l.Values().Shape()...)); err != nil {
				return err.Error()
			}
		}
		if measure {
			sum, err := g.SumSquares(ctx, step)
			answer += fmt.Sprint(sum, err)
		}
		return answer + fmt.Sprint(table.Apply(ctx, g, step), table.Step())
	}
}

// readAll reads a table in every way.
func (s *optionSet[K]) readAll(t *testing.T, table *rowan.Table) {
	exported[K](t, table)
	ids := dense(t, s.keys[:9])
	for _, training := range []bool{false, true} {
		if _, err := table.Lookup(ctx, ids, rowan.LookupOptions{Training: training}); err != nil {
			t.Fatal(err)
		}
	}
	for _, slot := range table.Slots() {
		if _, _, err := table.LookupSlot(ctx, slot.Name, dense(t, []K{s.keys[8]})); err != nil {
			t.Fatal(err)
		}
	}
	if s.o.Restrict.Policy != nil {
		if _, _, err := table.Scores(ctx, ids); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := table.Penalty(ctx); err != nil {
		t.Fatal(err)
	}
}

// checkPenalty compares the penalty that follows the updates with that of a
// table that was just loaded.
func (s *optionSet[K]) checkPenalty(t *testing.T, after string, variants []*variant) {
	if p := s.o.Regularizer; p.L1 == 0 && p.Row == nil {
		return
	}
	v := &variant{table: variants[0].table}
	s.reload(t, v)
	defer v.table.Close()
	want, err := v.table.Penalty(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variants[:2] {
		if got, err := v.table.Penalty(ctx); err != nil || got != want {
			t.Fatalf("%+v\nafter %s the penalty of %s is %v, %v, of its file %v", s.o, after, v.name, got, err, want)
		}
	}
}

// checkWarmStart compares a table with one that starts from its weights.
func (s *optionSet[K]) checkWarmStart(t *testing.T, table *rowan.Table) {
	if s.o.MaxNorm > 0 {
		return // a bound that is kept twice may round twice
	}
	if isNarrow(s.o.DType) && table.Options().Optimizer.Exact {
		return // rows are rounded where they are caught up to be stored, not where to be read
	}
	o := table.Options()
	o.Seed++
	next := newTable(t, o)
	if err := storeOf(t, table).WarmStart(ctx, rowan.WarmStart{WithoutState: true}, next); err != nil {
		t.Fatal(err)
	}
	got, want := exported[K](t, next), exported[K](t, table)
	if !slices.Equal(got.keys, want.keys) || !slices.Equal(got.values, want.values) {
		t.Fatalf("%+v\nwarm start reads\n%v\nwant\n%v", s.o, got, want)
	}
}

// checkQuantized compares a table with its copy of 8 bits. A number is off by
// half a step at most, and by what float32 rounds.
func (s *optionSet[K]) checkQuantized(t *testing.T, table *rowan.Table) {
	var got, want [2][]float32
	packed := quantized(t, table, rowan.QuantizeInt8)
	for i, ids := range []tensor.IDs{dense(t, s.keys), dense(t, s.keys, len(s.keys)/4, 4)} {
		how := rowan.LookupOptions{Combiner: []rowan.Combiner{rowan.None, rowan.Max}[i]}
		for _, table := range []*rowan.Table{packed, table} {
			l, err := table.Lookup(ctx, ids, how)
			if err != nil {
				t.Fatal(err)
			}
			if table == packed {
				got[i] = l.Values().Data()
			} else {
				want[i] = l.Values().Data()
			}
		}
	}
	step := 0.0
	for row := range slices.Chunk(want[0], s.o.Width) {
		step = max(step, float64(slices.Max(row)-slices.Min(row))/255)
	}
	for i := range got {
		for j, x := range want[i] {
			if off := math.Abs(float64(got[i][j] - x)); off > step/2+1e-6*math.Abs(float64(x)) {
				t.Fatalf("%+v\nlookup %d: number %d is %v quantized, and %v", s.o, i, j, got[i][j], x)
			}
		}
	}
}
