package rowan_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// squares is a combiner of the test's own, Σwv².
var squares = mustRegister(rowan.CombinerFunc{
	Name: "test_squares", Weighted: true,
	Forward: func(out []float32, b rowan.Bag) {
		for i := range b.Len() {
			for d, v := range b.Row(i) {
				out[d] += weightOf(b, i) * v * v
			}
		}
	},
	Backward: func(grad, dout []float32, b rowan.Bag) {
		for i := range grad {
			grad[i] = 2 * weightOf(b, i/b.Width) * b.Rows[i] * dout[i%b.Width]
		}
	},
})

func weightOf(b rowan.Bag, i int) float32 {
	if b.Weights == nil {
		return 1
	}
	return b.Weights[i]
}

// everyCombiner are all that pool.
var everyCombiner = []rowan.Combiner{
	rowan.Sum, rowan.Mean, rowan.SqrtN, rowan.Max, rowan.Min, rowan.Prod,
	rowan.Std, rowan.Variance, rowan.EuclideanNorm, rowan.LogSumExp, squares,
}

// takesWeights reports whether a combiner takes weights, and whether only such
// as are not negative.
func takesWeights(c rowan.Combiner) (any, onlyCounts bool) {
	switch c {
	case rowan.Max, rowan.Min, rowan.Prod:
		return false, false
	case rowan.Std, rowan.Variance, rowan.EuclideanNorm, rowan.LogSumExp:
		return true, true
	}
	return true, false
}

// combine is the slow oracle of a combiner in one dimension, as a formula says
// it and not as the engine computes it.
func combine(c rowan.Combiner, x, w []float64) float64 {
	sum := func(f func(i int) float64) (s float64) {
		for i := range x {
			s += f(i)
		}
		return s
	}
	total := sum(func(i int) float64 { return w[i] })
	if len(x) == 0 || c != rowan.Sum && c != squares && c != rowan.SqrtN && total == 0 {
		return 0
	}
	switch c {
	case rowan.Sum:
		return sum(func(i int) float64 { return w[i] * x[i] })
	case rowan.Mean:
		return sum(func(i int) float64 { return w[i] * x[i] }) / total
	case rowan.SqrtN:
		if div := math.Sqrt(sum(func(i int) float64 { return w[i] * w[i] })); div > 0 {
			return sum(func(i int) float64 { return w[i] * x[i] }) / div
		}
		return 0
	case rowan.Max:
		return slices.Max(x)
	case rowan.Min:
		return slices.Min(x)
	case rowan.Prod:
		p := 1.0
		for _, v := range x {
			p *= v
		}
		return p
	case rowan.Std:
		return math.Sqrt(combine(rowan.Variance, x, w))
	case rowan.Variance: // the mean square of the differences of all pairs, halved
		return sum(func(i int) float64 {
			return sum(func(j int) float64 { return w[i] * w[j] * (x[i] - x[j]) * (x[i] - x[j]) })
		}) / (2 * total * total)
	case rowan.EuclideanNorm:
		return math.Sqrt(sum(func(i int) float64 { return w[i] * x[i] * x[i] }))
	case rowan.LogSumExp:
		return math.Log(sum(func(i int) float64 { return w[i] * math.Exp(x[i]) }))
	case squares:
		return sum(func(i int) float64 { return w[i] * x[i] * x[i] })
	}
	panic("no oracle for " + c.String())
}

// reading is what an id means to the oracle: the row of a key; or zeros that
// count, or nothing at all.
type reading struct {
	key         int64
	zeros, skip bool
}

// combineBatch is the slow oracle of the forward pass over a batch.
func combineBatch(b batch[int64], c rowan.Combiner, rows map[int64][]float64, width int, read func(int64) reading) []float64 {
	out := make([]float64, len(b.bags)*width)
	for i, bag := range b.bags {
		for d := range width {
			var x, w []float64
			for j, id := range bag {
				r := read(id)
				if r.skip {
					continue
				}
				v := 0.0
				if !r.zeros {
					v = rows[r.key][d]
				}
				x, w = append(x, v), append(w, 1)
				if b.weights != nil {
					w[len(w)-1] = float64(b.weights[i][j])
				}
			}
			out[i*width+d] = combine(c, x, w)
		}
	}
	return out
}

// differences is the slow oracle of the backward pass: central differences of
// grad·out in float64, for each number of each row.
func differences(grad []float32, rows map[int64][]float64, forward func() []float64) map[int64][]float64 {
	const h = 1e-5
	loss := func() (sum float64) {
		for i, y := range forward() {
			sum += float64(grad[i]) * y
		}
		return sum
	}
	all := map[int64][]float64{}
	for k, row := range rows {
		all[k] = make([]float64, len(row))
		for d, x := range row {
			row[d] = x + h
			above := loss()
			row[d] = x - h
			all[k][d] = (above - loss()) / (2 * h)
			row[d] = x
		}
	}
	return all
}

// nonNegative makes the weights of a batch counts.
func (b *batch[K]) nonNegative() {
	for _, ws := range append([][]float32{b.ids.Weights()}, b.weights...) {
		for i, w := range ws {
			ws[i] = max(w, -w)
		}
	}
}

// tableKinds are the tables that the property test looks up in, with what an id
// means there. Ids lie in [-2, propertyKeys+2); 1 is the padding id.
const propertyKeys = 12

var tableKinds = []struct {
	name string
	o    rowan.TableOptions
	read func(id int64, held, training bool) reading
}{
	{"static", rowan.TableOptions{Rows: propertyKeys, OutOfRange: rowan.OutOfRangeLast}, func(id int64, _, _ bool) reading {
		if id < 0 || id >= propertyKeys {
			id = propertyKeys - 1
		}
		return reading{key: id}
	}},
	{"static,zeros,padding", rowan.TableOptions{Rows: propertyKeys, OutOfRange: rowan.OutOfRangeZeros, Padding: rowan.PaddingID(1)}, func(id int64, _, _ bool) reading {
		return reading{key: id, zeros: id < 0 || id >= propertyKeys, skip: id == 1}
	}},
	{"dynamic", rowan.TableOptions{}, func(id int64, _, _ bool) reading { return reading{key: id} }},
	{"dynamic,missing=zeros,padding", rowan.TableOptions{Missing: rowan.MissingZeros, Padding: rowan.PaddingID(1)}, func(id int64, held, training bool) reading {
		return reading{key: id, zeros: !held && !training, skip: id == 1}
	}},
	{"dynamic,missing=skip", rowan.TableOptions{Missing: rowan.MissingSkip}, func(id int64, held, training bool) reading {
		return reading{key: id, skip: !held && !training}
	}},
}

// propertyCases is the number of random batches of each combination below: with
// 11 combiners, 3 layouts, weights or not, 5 kinds of table and 4 types of rows,
// 4,440 in all.
const propertyCases = 4

// TestEveryCombiner compares each combiner, in every layout, with and without
// weights, over every kind of table, with plain loops in float64: what it reads,
// in training and out of it, and its gradient with central differences. The
// tolerance, 2e-5 of 1 and the number, is what float32 leaves of rows near 2
// after a step of an eighth of the gradient is taken off them. Rows of other types
// are then one of the two neighbours of what they would be.
func TestEveryCombiner(t *testing.T) {
	cases := 0
	for _, c := range everyCombiner {
		for _, layout := range []string{"dense", "ragged", "sparse"} {
			for _, kind := range tableKinds {
				for _, weighted := range []bool{false, true} {
					if takes, _ := takesWeights(c); weighted && !takes {
						continue
					}
					for _, d := range everyDType {
						if c == squares && d == rowan.Float64 {
							continue // it is a function of float32
						}
						o := kind.o
						o.DType = d
						t.Run(fmt.Sprintf("%v/%s/%s/weighted=%v/%v", c, layout, kind.name, weighted, d), func(t *testing.T) {
							everyCombiner1(t, c, layout, o, kind.read, weighted)
						})
						cases += propertyCases
					}
				}
			}
		}
	}
	if cases != 4440 {
		t.Errorf("%d random cases; the comments above say 4,440", cases)
	}
}

func everyCombiner1(t *testing.T, c rowan.Combiner, layout string, o rowan.TableOptions, read func(int64, bool, bool) reading, weighted bool) {
	const width, rate = 3, 0.125
	r := rand.New(rand.NewPCG(uint64(len(layout)), uint64(c)))
	o.Width, o.Initializer = width, initializer.RandomUniform{Min: -2, Max: 2}
	o.Optimizer = sgd(rate)
	table := newTable(t, o)
	held := map[int64]bool{}
	draw := func() int64 { return int64(r.IntN(propertyKeys+4)) - 2 }
	for range propertyCases {
		b := randomBatch(t, r, draw, layout, 1+r.IntN(6), 1+r.IntN(5), weighted)
		if _, counts := takesWeights(c); counts {
			b.nonNegative()
		}
		rows := readRows(t, table)
		forward := func(training bool) []float64 {
			return combineBatch(b, c, rows, width, func(id int64) reading { return read(id, held[id], training) })
		}
		l, err := table.Lookup(ctx, b.ids, rowan.LookupOptions{Combiner: c})
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, "read", l.Values().Data(), forward(false))
		if l, err = table.Lookup(ctx, b.ids, rowan.LookupOptions{Combiner: c, Training: true}); err != nil {
			t.Fatal(err)
		}
		closeTo(t, "read in training", l.Values().Data(), forward(true))
		grad := randomGradient(r, l.Values().Len())
		want := differences(grad, rows, func() []float64 { return forward(true) })
		train(t, table, l, grad)
		after := readRows(t, table)
		for k, row := range rows {
			if isNarrow(o.DType) {
				for d := range row {
					row[d] -= rate * want[k][d]
				}
				rounded(t, fmt.Sprint("row of ", k), o.DType, after[k], row)
				continue
			}
			got := make([]float32, width)
			for d := range got {
				got[d] = float32((row[d] - after[k][d]) / rate)
			}
			closeTo(t, fmt.Sprint("gradient of ", k), got, want[k])
		}
		for _, id := range slices.Concat(b.bags...) {
			if !read(id, true, true).skip {
				held[id] = true
			}
		}
	}
	if o.Rows == 0 && table.Len() != len(held) {
		t.Errorf("%d rows; %d keys were trained", table.Len(), len(held))
	}
}

// readRows reads the rows of all keys of the property test that a table can
// have, unseen ones as their first values.
func readRows(t testing.TB, table *rowan.Table) map[int64][]float64 {
	t.Helper()
	var keys []int64
	for k := int64(-2); k < propertyKeys+2; k++ {
		if table.Dynamic() || k >= 0 && k < propertyKeys {
			keys = append(keys, k)
		}
	}
	l, err := table.Lookup(ctx, dense(t, keys), rowan.LookupOptions{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int64][]float64{}
	for i, k := range keys {
		for _, x := range l.Values().Row(i) {
			rows[k] = append(rows[k], float64(x))
		}
	}
	return rows
}

func train(t testing.TB, table *rowan.Table, l *rowan.Lookup, grad []float32) {
	t.Helper()
	g := table.NewGradients()
	if err := g.Add(l, values(t, grad, l.Values().Shape()...)); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
}

func closeTo(t testing.TB, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: got %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= 2e-5*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: number %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// FuzzCombine decodes bytes into a bag of one dimension, with weights, and
// compares what each combiner reads, and its gradient, with the oracle. A byte is a number
// in sixteenths; near each other they meet the corners: ties, zeros, bags of
// equal rows. There the gradient is only finite, and 0 in sum where the function
// does not change with all rows together.
func FuzzCombine(f *testing.F) {
	f.Add([]byte{3, 1, 255, 4, 9, 2})
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{128, 1, 128, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		n := min(len(data)/2, 40)
		matrix, ids, weights := make([]float32, max(n, 1)), make([]int64, n), make([]float32, n)
		x, w, ones := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range n {
			matrix[i], weights[i], ids[i] = float32(int8(data[2*i]))/16, float32(data[2*i+1]%4)/2, int64(i)
			x[i], w[i], ones[i] = float64(matrix[i]), float64(weights[i]), 1
		}
		param := values(t, matrix, len(matrix), 1)
		for _, c := range everyCombiner {
			if c == rowan.Prod && n > 8 {
				continue // the product of more is no float32
			}
			batch, counts := tensor.IDs(dense(t, ids, 1, n)), ones
			if takes, _ := takesWeights(c); takes {
				weighed, err := dense(t, ids, 1, n).WithWeights(weights)
				if err != nil {
					t.Fatal(err)
				}
				batch, counts = weighed, w
			}
			m, err := rowan.EmbeddingLookup(param, batch, c)
			if err != nil {
				t.Fatal(err)
			}
			closeTo(t, c.String(), m.Values().Data(), []float64{combine(c, x, counts)})
			g, err := m.Gradient(values(t, []float32{1}, 1, 1))
			if err != nil {
				t.Fatalf("%v of %v, weights %v: %v", c, x, counts, err)
			}
			sum := 0.0
			for _, d := range g.Values.Data() {
				sum += float64(d)
			}
			// What adding the same to all rows does to the result.
			want, known := map[rowan.Combiner]float64{rowan.Max: 1, rowan.Min: 1, rowan.Std: 0, rowan.Variance: 0, rowan.LogSumExp: 1, rowan.Mean: 1}[c]
			if total := combine(rowan.Sum, ones, counts); total == 0 {
				want = 0
			}
			if known && math.Abs(sum-want) > 1e-4 {
				t.Errorf("%v of %v, weights %v: gradients add up to %v, want %v", c, x, counts, sum, want)
			}
		}
	})
}
