package rowan_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/format"
	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

var narrowDTypes = []rowan.DType{rowan.Float16, rowan.BFloat16}

// nearest returns numbers rounded to the nearest of a type.
func nearest(d rowan.DType, x ...float32) []float32 {
	h, y := kernel.Half(d), make([]float32, len(x))
	for i, v := range x {
		y[i] = h.Widen(h.Nearest(v))
	}
	return y
}

func ids64(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i)
	}
	return ids
}

func TestDTypeNames(t *testing.T) {
	for d, name := range map[rowan.DType]string{
		rowan.Float32: "float32", rowan.Float16: "float16", rowan.BFloat16: "bfloat16", rowan.Float64: "float64",
		rowan.Int8: "int8", rowan.Int32: "int32", rowan.Int64: "int64", rowan.Bool: "bool", rowan.String: "string",
	} {
		if got, err := rowan.ParseDType(name); got != d || err != nil || d.String() != name {
			t.Errorf("%q: %v, %v, is called %q", name, got, err, d)
		}
	}
	if d, err := rowan.ParseDType("half"); d != rowan.Float16 || err != nil {
		t.Errorf("half: %v, %v", d, err)
	}
	if d, err := rowan.ParseDType("double"); d != rowan.Float64 || err != nil {
		t.Errorf("double: %v, %v", d, err)
	}
	_, err := rowan.ParseDType("complex64")
	is(t, "complex64", err, rowan.ErrOptions)
	if s := rowan.DType(9).String(); s != "DType(9)" {
		t.Errorf("an unknown type is called %q", s)
	}
}

// TestDTypeBytes: what a row takes is what the documentation says.
func TestDTypeBytes(t *testing.T) {
	rowWise := &optim.Optimizer{Updater: optim.NewRowWiseAdagrad(), Rate: optim.Constant(1)}
	for _, c := range []struct {
		o               *optim.Optimizer
		width           int
		float32, narrow int
		float64         int
	}{
		{nil, 64, 256, 128, 512}, {rowWise, 64, 320, 192, 576}, {adam(false), 64, 768, 640, 1536},
		{nil, 1, 4, 4, 8}, {nil, 3, 16, 8, 32}, {sgd(1), 7, 32, 16, 64}, {adam(true), 2, 32, 32, 64},
	} {
		for _, d := range everyDType {
			want := map[rowan.DType]int{rowan.Float32: c.float32, rowan.Float16: c.narrow, rowan.BFloat16: c.narrow, rowan.Float64: c.float64}[d]
			half := 4 * ((c.width + 1) / 2)
			weights := map[rowan.DType]int{rowan.Float32: 4 * c.width, rowan.Float16: half, rowan.BFloat16: half, rowan.Float64: 8 * c.width}[d]
			s := newTable(t, rowan.TableOptions{Width: c.width, Optimizer: c.o, DType: d}).Stats()
			if s.Stride != want || s.WeightBytes != weights {
				t.Errorf("width %d, %v: %d bytes a row, %d of them weights, want %d and %d", c.width, d, s.Stride, s.WeightBytes, want, weights)
			}
		}
	}
	for d, want := range map[rowan.DType][2]int{rowan.Int8: {8, 7}, rowan.Bool: {8, 7}, rowan.Int32: {32, 28}, rowan.Int64: {64, 56}, rowan.String: {4, 0}} {
		if s := newTable(t, rowan.TableOptions{Width: 7, DType: d}).Stats(); s.Stride != want[0] || s.WeightBytes != want[1] {
			t.Errorf("7 cells of %v: %d bytes a row, %d of them weights, want %d and %d", d, s.Stride, s.WeightBytes, want[0], want[1])
		}
	}
}

// lockstepOptions are tables that update rows in every way that there is.
func lockstepOptions() map[string]rowan.TableOptions {
	all := map[string]rowan.TableOptions{
		"regularizer": {Optimizer: adam(false), Regularizer: rowan.Regularizer{L1: 0.01, L2: 0.1}},
		"constraint":  {Optimizer: sgd(0.1), Constraint: constraint.NonNeg{}},
		"policy":      {Optimizer: sgd(0.1), Restrict: rowan.Restrict{Policy: rowan.FrequencyPolicy{}}},
		"static":      {Optimizer: adam(false), Rows: 40},
	}
	for _, o := range append(surroundings(),
		&optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)},
		&optim.Optimizer{Updater: optim.NewRowWiseAdagrad(), Rate: optim.Constant(0.1)},
	) {
		name := fmt.Sprintf("%s, EMA %v", o.Updater.Name(), o.EMA != nil)
		all[name] = rowan.TableOptions{Optimizer: o}
		exact := *o
		exact.Exact = true
		all[name+", exact"] = rowan.TableOptions{Optimizer: &exact}
	}
	return all
}

// TestDTypeLockstep trains a table of each type beside one of float32 that starts
// each step with the same rows. Weights are then one of the two neighbours of what
// float32 has; state, and what unseen and caught-up rows read, are the same bits.
func TestDTypeLockstep(t *testing.T) {
	for name, o := range lockstepOptions() {
		for _, d := range narrowDTypes {
			t.Run(fmt.Sprintf("%s/%v", name, d), func(t *testing.T) { lockstep(t, o, d) })
		}
	}
}

func lockstep(t *testing.T, o rowan.TableOptions, d rowan.DType) {
	const keys, width = 40, 5
	o.Width, o.Seed = width, 3
	wide := newTable(t, o)
	o.DType = d
	table := newTable(t, o)
	all := ids64(keys)
	if got, want := read(t, table, all...), nearest(d, read(t, wide, all...)...); !slices.Equal(got, want) {
		t.Fatalf("first values %v, want %v", got, want)
	}
	start := values(t, nearest(d, randomGradient(rand.New(rand.NewPCG(1, 1)), keys*width)...), keys, width)
	for _, x := range []*rowan.Table{table, wide} {
		if err := x.Upsert(ctx, dense(t, all), start); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(4, 4))
	moved := false
	for n := range 12 {
		var touched []int64
		for _, k := range all {
			if r.IntN(3) == 0 {
				touched = append(touched, k)
			}
		}
		grad := values(t, randomGradient(r, len(touched)*width), len(touched), width)
		for _, x := range []*rowan.Table{table, wide} {
			step(t, x, dense(t, touched), rowan.None, func(*rowan.Lookup) *tensor.Values { return grad })
		}
		got, want := read(t, table, touched...), read(t, wide, touched...)
		what := fmt.Sprint("step ", n)
		rounded(t, what, d, widened(got), widened(want))
		moved = moved || !slices.Equal(got, nearest(d, want...))
		sameSlots(t, what, table, wide, all)
		// float32 goes on with the rounded rows: the sum of a number and its
		// difference to a number near it is exact.
		diff := make([]float32, len(got))
		exists := make([]bool, len(touched))
		for i := range diff {
			diff[i], exists[i/width] = got[i]-want[i], true
		}
		if err := wide.Accumulate(ctx, dense(t, touched), values(t, diff, len(touched), width), exists); err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, table, all...), read(t, wide, all...); !slices.Equal(got, want) {
			t.Fatalf("%s: rows\n%v, want\n%v", what, got, want)
		}
	}
	if !moved {
		t.Error("every number was rounded to the nearest: none by chance")
	}
}

func widened(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// sameSlots compares all state of two tables bit for bit.
func sameSlots(t *testing.T, what string, a, b *rowan.Table, keys []int64) {
	t.Helper()
	for _, s := range a.Slots() {
		x, _, err := a.LookupSlot(ctx, s.Name, dense(t, keys))
		if err != nil {
			t.Fatal(err)
		}
		y, _, err := b.LookupSlot(ctx, s.Name, dense(t, keys))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(x.Data(), y.Data()) {
			t.Fatalf("%s: slot %s is\n%v, want\n%v", what, s.Name, x.Data(), y.Data())
		}
	}
}

// TestDTypeSmallSteps: steps of an eighth of the distance between neighbours,
// which rounding to the nearest would lose, add up; and at each of them one
// number in eight moves. 32,768 numbers of a chance of 1/8 have a deviation of 60
// from 4,096, and the sums of 64 steps one of 0.45 neighbours a mean of 8.
func TestDTypeSmallSteps(t *testing.T) {
	for _, d := range narrowDTypes {
		const keys, width, steps = 4096, 8, 64
		h := kernel.Half(d)
		apart := float32(h.Widen(h.Nearest(1)+1)) - 1
		table := newTable(t, rowan.TableOptions{Width: width, DType: d, Optimizer: sgd(1), Initializer: initializer.Ones{}})
		all := dense(t, ids64(keys))
		grad := tensor.ZeroValues(keys, width)
		for i := range grad.Data() {
			grad.Data()[i] = -apart / 8
		}
		for n := range steps {
			step(t, table, all, rowan.None, func(*rowan.Lookup) *tensor.Values { return grad })
			if n > 0 {
				continue
			}
			moved := 0
			for _, x := range read(t, table, ids64(keys)...) {
				if x == 1+apart {
					moved++
				} else if x != 1 {
					t.Fatalf("%v: a number is %v", d, x)
				}
			}
			if moved < 4096-300 || moved > 4096+300 {
				t.Errorf("%v: %d of 32768 numbers moved, want 4096 but for 5 deviations of 60", d, moved)
			}
		}
		var sum, squares float64
		for _, x := range read(t, table, ids64(keys)...) {
			n := float64((x - 1) / apart)
			sum, squares = sum+n, squares+n*n
		}
		mean := sum / (keys * width)
		variance := squares/(keys*width) - mean*mean
		// Independent draws: 64·1/8·7/8 = 7, whose estimate deviates by 0.055.
		if math.Abs(mean-8) > 0.075 || math.Abs(variance-7) > 0.3 {
			t.Errorf("%v: after %d steps numbers have moved by %v on average, of variance %v; want 8 and 7", d, steps, mean, variance)
		}
	}
}

// TestDTypeSameBits: threads, the rows that keys lie in and an interruption leave
// no trace.
func TestDTypeSameBits(t *testing.T) {
	for _, d := range narrowDTypes {
		for name, o := range map[string]rowan.TableOptions{
			"dynamic": {Optimizer: adam(false)},
			"exact":   {Optimizer: adam(true)},
			"static":  {Optimizer: adam(false), Rows: 700, OutOfRange: rowan.OutOfRangeLast},
		} {
			o.Width, o.DType, o.Seed = 7, d, 5
			run := func(threads int, disorder, resume bool) []byte {
				o := o
				o.Threads = threads
				table := newTable(t, o)
				if disorder && o.Rows == 0 {
					others := dense(t, []int64{5, 9000, 3, 9001, 1})
					if err := errors.Join(table.Upsert(ctx, others, tensor.ZeroValues(5, 7)), table.Remove(ctx, others)); err != nil {
						t.Fatal(err)
					}
				}
				r := rand.New(rand.NewPCG(7, 7))
				for n := range 6 {
					ids := make([]int64, 3000)
					for i := range ids {
						ids[i] = r.Int64N(900)
					}
					grad := values(t, randomGradient(r, 3000*7), 3000, 7)
					step(t, table, dense(t, ids), rowan.None, func(*rowan.Lookup) *tensor.Values { return grad })
					if resume && n == 2 {
						file := saved(t, table)
						table = newTable(t, o)
						if err := table.Load(ctx, bytes.NewReader(file)); err != nil {
							t.Fatal(err)
						}
						if !bytes.Equal(saved(t, table), file) {
							t.Errorf("%s, %v: what was loaded is saved as other bytes", name, d)
						}
					}
				}
				return saved(t, table)
			}
			want := run(1, false, false)
			for what, got := range map[string][]byte{
				"threads": run(8, false, false), "other rows": run(1, true, false), "resumed": run(3, false, true),
			} {
				if !bytes.Equal(got, want) {
					t.Errorf("%s, %v, %s: other bits", name, d, what)
				}
			}
		}
	}
}

// TestDTypeChance: half a distance is rounded otherwise for another seed, table,
// key or step, and the same for the same.
func TestDTypeChance(t *testing.T) {
	const width = 64
	trained := func(name string, seed uint64, key, at int64) []float32 {
		table := newTable(t, rowan.TableOptions{Name: name, Seed: seed, Width: width, DType: rowan.BFloat16, Optimizer: sgd(0x1p-8), Initializer: initializer.Constant{Value: -1}})
		table.SetStep(at)
		trainOn(t, table, key)
		return read(t, table, key)
	}
	first := trained("film", 1, 1, 0)
	if !slices.Equal(first, trained("film", 1, 1, 0)) {
		t.Error("the same is rounded otherwise")
	}
	for what, other := range map[string][]float32{
		"table": trained("user", 1, 1, 0), "seed": trained("film", 2, 1, 0), "key": trained("film", 1, 2, 0), "step": trained("film", 1, 1, 1),
	} {
		same := 0
		for i, x := range other {
			if x == first[i] {
				same++
			}
		}
		if same < 12 || same > 52 { // 5 deviations of 4 from 32
			t.Errorf("another %s: %d of %d numbers are rounded the same", what, same, width)
		}
	}
	// The key of the last row is its number, whatever id stands for it.
	last := func(id int64) []float32 {
		table := newTable(t, rowan.TableOptions{Rows: 4, OutOfRange: rowan.OutOfRangeLast, Width: width, DType: rowan.BFloat16, Optimizer: sgd(0x1p-8), Initializer: initializer.Constant{Value: -1}})
		trainOn(t, table, id)
		return read(t, table, 3)
	}
	if !slices.Equal(last(3), last(17)) {
		t.Error("an id out of range rounds the last row otherwise")
	}
}

// TestDTypeOperations goes through what writes and reads rows besides training.
func TestDTypeOperations(t *testing.T) {
	for _, d := range narrowDTypes {
		t.Run(d.String(), func(t *testing.T) {
			ema := &optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.5), EMA: &optim.EMA{Momentum: 0.5}}
			table := newTable(t, rowan.TableOptions{Width: 3, DType: d, Optimizer: ema})
			if got := table.Options().DType; got != d {
				t.Errorf("the table says it is of %v", got)
			}
			given := []float32{0.1, -0.2, 1 / 3.0, 1e-30, 7, 1000.7}
			want := nearest(d, given...)
			if err := table.Upsert(ctx, dense(t, []int64{1, 2}), values(t, given, 2, 3)); err != nil {
				t.Fatal(err)
			}
			if got := read(t, table, 1, 2); !slices.Equal(got, want) {
				t.Errorf("upserted %v, want %v", got, want)
			}
			average, _, err := table.LookupSlot(ctx, optim.AverageSlot, dense(t, []int64{1, 2}))
			if err != nil || !slices.Equal(average.Data(), want) {
				t.Errorf("the average of what was upserted is %v, %v, want %v", average, err, want)
			}
			// Sums of numbers that have room are exact: no chance in them.
			if err := table.Accumulate(ctx, dense(t, []int64{2, 3, 4}), values(t, []float32{1, 1, 0.5, 0.5, 1, 2, 9, 9, 9}, 3, 3), []bool{true, false, true}); err != nil {
				t.Fatal(err)
			}
			if got := read(t, table, 3); !slices.Equal(got, []float32{0.5, 1, 2}) {
				t.Errorf("accumulated a new row %v", got)
			}
			if got := read(t, table, 2)[:2]; !slices.Equal(got, []float32{1, 8}) {
				t.Errorf("accumulated %v", got)
			}
			if got := held[int64](t, table); !slices.Equal(got, []int64{1, 2, 3}) {
				t.Errorf("keys %v", got)
			}
			for part, err := range table.Export(ctx) {
				if err != nil || !slices.Equal(part.Values.Data(), read(t, table, 1, 2, 3)) {
					t.Errorf("exported %v, %v", part.Values, err)
				}
			}
			trainOn(t, table, int64(1))
			before := read(t, table, 1, 2, 3)
			if err := table.SetOptimizer(adam(true)); err != nil {
				t.Fatal(err)
			}
			if got := read(t, table, 1, 2, 3); !slices.Equal(got, before) {
				t.Errorf("another optimizer made %v of %v", got, before)
			}
			trainOn(t, table, int64(1))
			trainOn(t, table, int64(2)) // 1 misses a step
			caught := read(t, table, 1)
			if err := table.SetOptimizer(nil); err != nil {
				t.Fatal(err)
			}
			rounded(t, "caught up", d, widened(read(t, table, 1)), widened(caught))
			if err := errors.Join(table.Remove(ctx, dense(t, []int64{1})), table.Clear(ctx)); err != nil || table.Len() != 0 {
				t.Errorf("%d rows are left, %v", table.Len(), err)
			}
		})
	}
}

// TestDTypeUseAverages puts averages, which are float32, in the place of weights.
func TestDTypeUseAverages(t *testing.T) {
	for _, d := range narrowDTypes {
		ema := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1), EMA: &optim.EMA{Momentum: 0.9}}
		table := newTable(t, rowan.TableOptions{Rows: 3, Width: 3, DType: d, Optimizer: ema})
		if first, _, err := table.LookupSlot(ctx, optim.AverageSlot, dense(t, []int64{1, 2})); err != nil || !slices.Equal(first.Data(), read(t, table, 1, 2)) {
			t.Errorf("%v: averages start as %v, %v, rows as %v", d, first, err, read(t, table, 1, 2))
		}
		for range 4 {
			trainOn(t, table, int64(1), 2)
		}
		average, _, err := table.LookupSlot(ctx, optim.AverageSlot, dense(t, []int64{1, 2}))
		if err == nil {
			err = table.UseAverages(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, table, 1, 2), nearest(d, average.Data()...); !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", d, got, want)
		}
	}
}

// TestDTypeMaxNorm: norms keep the bound, but for the rounding.
func TestDTypeMaxNorm(t *testing.T) {
	for d, off := range map[rowan.DType]float64{rowan.Float16: 0x1p-10, rowan.BFloat16: 0x1p-7} {
		table := newTable(t, rowan.TableOptions{Width: 4, DType: d, MaxNorm: 1, Optimizer: sgd(1), Initializer: initializer.Ones{}})
		keys := ids64(50)
		if got := read(t, table, 99); !slices.Equal(got, []float32{0.5, 0.5, 0.5, 0.5}) {
			t.Errorf("%v: first values %v", d, got)
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 5 {
			grad := values(t, randomGradient(r, 200), 50, 4)
			step(t, table, dense(t, keys), rowan.None, func(*rowan.Lookup) *tensor.Values { return grad })
			for _, k := range keys {
				square := 0.0
				for _, x := range widened(read(t, table, k)) {
					square += x * x
				}
				if norm := math.Sqrt(square); norm > 1+off {
					t.Errorf("%v: norm %v", d, norm)
				}
			}
		}
	}
}

// TestDTypeRange: what is given and too large for float16 is refused, before
// anything is written; what comes of training stays at the largest.
func TestDTypeRange(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, DType: rowan.Float16, Optimizer: sgd(1)})
	err := table.Upsert(ctx, dense(t, []int64{1, 2}), values(t, []float32{1, 2, -65505, 3}, 2, 2))
	is(t, "upsert", err, rowan.ErrNotFinite)
	if err == nil || !strings.Contains(err.Error(), "value 2 of 4 is -65505") || table.Len() != 0 {
		t.Errorf("%v, with %d rows", err, table.Len())
	}
	if err := table.Upsert(ctx, dense(t, []int64{1}), values(t, []float32{65504, -65504}, 1, 2)); err != nil {
		t.Fatal(err)
	}
	step(t, table, dense(t, []int64{1}), rowan.None, func(*rowan.Lookup) *tensor.Values { return values(t, []float32{-1e30, 1e5}, 1, 2) })
	if got := read(t, table, 1); !slices.Equal(got, []float32{65504, -65504}) {
		t.Errorf("trained to %v", got)
	}
	if err := table.Accumulate(ctx, dense(t, []int64{1}), values(t, []float32{1e30, -1}, 1, 2), []bool{true}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, table, 1); got[0] != 65504 {
		t.Errorf("accumulated to %v", got)
	}
	huge := newTable(t, rowan.TableOptions{Width: 1, DType: rowan.Float16, Initializer: initializer.Constant{Value: 1e9}})
	if got := read(t, huge, 1); got[0] != 65504 {
		t.Errorf("a first value is %v", got)
	}
	wide := newTable(t, rowan.TableOptions{Width: 1, DType: rowan.BFloat16})
	if err := wide.Upsert(ctx, dense(t, []int64{1}), values(t, []float32{math.MaxFloat32}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, wide, 1)[0]; !(got > 3.38e38 && got < math.MaxFloat32) {
		t.Errorf("the largest bfloat16 is %v", got)
	}
}

// TestDTypeFiles: a table's file has its type; another type is a mismatch, which
// a warm start takes as the nearest numbers.
func TestDTypeFiles(t *testing.T) {
	given := []float32{0.1, -0.2, 1 / 3.0}
	table := func(d rowan.DType, o *optim.Optimizer) *rowan.Table {
		x := newTable(t, rowan.TableOptions{Width: 3, DType: d, Optimizer: o})
		if err := x.Upsert(ctx, dense(t, []int64{7}), values(t, given, 1, 3)); err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, from := range everyDType {
		for _, to := range everyDType {
			a, b := table(from, adam(true)), newTable(t, rowan.TableOptions{Width: 3, DType: to, Optimizer: adam(true)})
			trainOn(t, a, int64(8))
			file := saved(t, a)
			f, err := format.NewTableReader(bytes.NewReader(file))
			if err != nil || rowan.DType(f.Header().Type) != from {
				t.Fatalf("%v: the file says %v, %v", from, f.Header().Type, err)
			}
			want := read(t, a, 7, 8)
			if isNarrow(to) {
				want = nearest(to, want...)
			}
			err = b.Load(ctx, bytes.NewReader(file))
			if from != to {
				is(t, fmt.Sprintf("%v into %v", from, to), err, rowan.ErrMismatch)
				if err == nil || !strings.Contains(err.Error(), from.String()) || !strings.Contains(err.Error(), to.String()) || b.Len() != 0 {
					t.Errorf("%v, with %d rows", err, b.Len())
				}
				err = storeOf(t, a).WarmStart(ctx, rowan.WarmStart{}, b)
			}
			if err != nil {
				t.Fatal(err)
			}
			// Row 7 has missed a step, which reading makes up for, from the rounded row:
			// without a gradient ever, by nothing.
			if got := read(t, b, 7, 8); !slices.Equal(got, want) {
				t.Errorf("%v into %v: %v, want %v", from, to, got, want)
			}
			if x, _, err := b.LookupSlot(ctx, "velocity", dense(t, []int64{8})); err != nil || x.Data()[0] == 0 {
				t.Errorf("%v into %v: state %v, %v", from, to, x, err)
			}
			c := newTable(t, rowan.TableOptions{Width: 3, DType: to, Optimizer: sgd(1)})
			if err := storeOf(t, a).WarmStart(ctx, rowan.WarmStart{WithoutState: true}, c); err != nil {
				t.Fatal(err)
			}
			if got := read(t, c, 7, 8); !slices.Equal(got, want) {
				t.Errorf("%v into %v without state: %v, want %v", from, to, got, want)
			}
		}
	}
	large := newTable(t, rowan.TableOptions{Width: 1})
	if err := large.Upsert(ctx, dense(t, []int64{42}), values(t, []float32{1e6}, 1, 1)); err != nil {
		t.Fatal(err)
	}
	small := newTable(t, rowan.TableOptions{Width: 1, DType: rowan.Float16})
	err := storeOf(t, large).WarmStart(ctx, rowan.WarmStart{}, small)
	is(t, "1e6", err, rowan.ErrNotFinite)
	if err == nil || !strings.Contains(err.Error(), "key 42") || small.Len() != 0 {
		t.Errorf("%v, with %d rows", err, small.Len())
	}
}

// TestDTypePenalty: the penalty that follows the updates is the sum over the rows
// as they are stored, of fixed point and so the same to the last bit.
func TestDTypePenalty(t *testing.T) {
	for _, d := range narrowDTypes {
		o := rowan.TableOptions{Width: 3, DType: d, Optimizer: sgd(0.1), Regularizer: rowan.Regularizer{L1: 0.1, L2: 0.5},
			Restrict: rowan.Restrict{Policy: rowan.TimestampPolicy{}, Keep: 20, Trigger: 25}}
		table := newTable(t, o)
		if _, err := table.Penalty(ctx); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(3, 3))
		for range 10 {
			trainOn(t, table, r.Int64N(60), 100+r.Int64N(60), 200+r.Int64N(60))
			got, err := table.Penalty(ctx)
			if err != nil {
				t.Fatal(err)
			}
			again := newTable(t, o)
			if err := again.Load(ctx, bytes.NewReader(saved(t, table))); err != nil {
				t.Fatal(err)
			}
			if want, err := again.Penalty(ctx); err != nil || got != want || got == 0 {
				t.Errorf("%v: penalty %v, of the rows anew %v, %v", d, got, want, err)
			}
		}
		if s := table.Stats(); s.Evicted == 0 || s.Rows > 25 {
			t.Errorf("%v: %d rows, %d evicted", d, s.Rows, s.Evicted)
		}
	}
}

// TestDTypeElsewhere: tables of other types in collections, and their quantized copies.
func TestDTypeElsewhere(t *testing.T) {
	for _, d := range narrowDTypes {
		film := newTable(t, rowan.TableOptions{Name: "film", Width: 4, DType: d, Optimizer: sgd(1)})
		user := newTable(t, rowan.TableOptions{Name: "user", Width: 4, Optimizer: sgd(1)})
		c, err := rowan.NewCollection([]*rowan.Table{film, user}, rowan.Feature{Name: "film"}, rowan.Feature{Name: "user"})
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.Lookup(ctx, map[string]tensor.IDs{"film": dense(t, []int64{1}), "user": dense(t, []int64{2})}, true)
		if err != nil {
			t.Fatal(err)
		}
		v, err := l.Values("film")
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Data(); !slices.Equal(got, read(t, film, 1)) || !slices.Equal(got, nearest(d, got...)) {
			t.Errorf("%v: in a collection %v, by itself %v", d, got, read(t, film, 1))
		}
		trainOn(t, film, ids64(10)...)
		packed, err := film.Quantize(ctx, rowan.QuantizeInt8)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range read(t, packed, 1, 2, 77) {
			// An eight-bit step of rows of span 0.1, and of new ones none.
			if want := read(t, film, 1, 2, 77)[i]; math.Abs(float64(x-want)) > 0.1/255 || i >= 8 && x != want {
				t.Errorf("%v: number %d is %v, quantized %v", d, i, want, x)
			}
		}
		packed.Close()
	}
}

func TestDTypeRefusals(t *testing.T) {
	_, err := rowan.NewTable(rowan.TableOptions{Name: "film", Width: 1, DType: 99})
	is(t, "an unknown type", err, rowan.ErrOptions)
	_, err = rowan.NewTable(rowan.TableOptions{Name: "film", Width: 1, DType: rowan.Float16,
		Stores: &rowan.Stores{Open: rowan.OpenMemory, URLs: []string{"memory:"}}})
	is(t, "row stores", err, rowan.ErrOptions)
	_, err = rowan.NewTable(rowan.TableOptions{Name: "film", Width: 1, Rows: 4, DType: rowan.BFloat16, Constraint: constraint.MaxNorm{Max: 1, Axis: 0}})
	is(t, "a constraint of the whole matrix", err, rowan.ErrOptions)
	if err == nil || !strings.Contains(err.Error(), "DType=bfloat16") {
		t.Error(err)
	}
}
