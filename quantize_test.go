package rowan_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
)

var quantizations = map[rowan.Quantization]float64{rowan.QuantizeInt8: 255, rowan.QuantizeInt4: 15}

// TestQuantizeBound: no number is off by more than half a step of its row, of
// any width, and what float32 rounds: two units in the last place of the row's
// greatest number. The least number of a row is kept, the greatest nearly.
func TestQuantizeBound(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for q, levels := range quantizations {
		for _, width := range []int{1, 2, 3, 4, 5, 7, 8, 9, 64, 65} {
			table := newTable(t, rowan.TableOptions{Width: width, Rows: 300})
			want := make([]float32, 300*width)
			for i := range want {
				size := math.Pow(10, float64(i/width%9)-4)
				want[i] = float32((random.NormFloat64() + random.Float64()) * size)
			}
			copy(want, make([]float32, width)) // a row of zeros
			for i := range width {
				want[width+i] = -7.5 // and one of equal numbers
			}
			writeRows(t, table, every(300), want)
			packed := quantized(t, table, q)
			got := numbersOf(t, packed)
			for r := range 300 {
				row := want[r*width : (r+1)*width]
				least, greatest := float64(slices.Min(row)), float64(slices.Max(row))
				bound := (greatest-least)/levels/2 + 2*0x1p-23*max(greatest, -least)
				for i, x := range row {
					if off := math.Abs(float64(got[r*width+i]) - float64(x)); off > bound {
						t.Fatalf("%d bits, width %d: %v reads as %v, off by %v, more than %v", q, width, x, got[r*width+i], off, bound)
					}
				}
			}
			if !slices.Equal(got[:2*width], want[:2*width]) {
				t.Errorf("%d bits: rows of equal numbers read as %v, want %v", q, got[:2*width], want[:2*width])
			}
			if s, bytes := packed.Stats(), 8+4*((width*int(q)+31)/32); s.Stride != bytes || s.WeightBytes != bytes {
				t.Errorf("%d bits, width %d: a row takes %d bytes, %d of them weights, want %d", q, width, s.Stride, s.WeightBytes, bytes)
			}
		}
	}
}

func quantized(t *testing.T, table *rowan.Table, q rowan.Quantization) *rowan.Table {
	t.Helper()
	packed, err := table.Quantize(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packed.Close() })
	return packed
}

// TestQuantizedAnswersAsTheTable: in every layout and combiner, with weights,
// padding and absent keys, a lookup in the copy equals one in a table that holds
// the unpacked rows.
func TestQuantizedAnswersAsTheTable(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for q := range quantizations {
		for _, o := range []rowan.TableOptions{
			{Width: 5, Rows: 50, OutOfRange: rowan.OutOfRangeZeros},
			{Width: 5, Padding: rowan.PaddingID(3), Threads: 3},
			{Width: 5, Optimizer: adam(true), Missing: rowan.MissingSkip},
		} {
			o.Initializer = initializer.NewRandomNormal()
			table := newTable(t, o)
			for range 4 {
				ids := make([]int64, 30)
				for i := range ids {
					ids[i] = random.Int64N(50)
				}
				if o.Optimizer != nil {
					update(t, table, ids, randomGradient(random, 150))
				} else {
					writeRows(t, table, ids, randomGradient(random, 150))
				}
			}
			packed := quantized(t, table, q)
			if packed.Len() != table.Len() || packed.Quantization() != q || table.Quantization() != 0 {
				t.Errorf("the copy has %d rows of %d bits, the table %d", packed.Len(), packed.Quantization(), table.Len())
			}
			same := newTable(t, rowan.TableOptions{Name: table.Name(), Width: o.Width, Rows: o.Rows, OutOfRange: o.OutOfRange, Padding: o.Padding, Missing: o.Missing, Initializer: o.Initializer})
			for rows, err := range packed.Export(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				if err := same.Upsert(ctx, rows.Keys, rows.Values); err != nil {
					t.Fatal(err)
				}
			}
			for _, layout := range []string{"dense", "ragged", "sparse"} {
				for _, c := range []rowan.Combiner{rowan.Sum, rowan.Mean, rowan.SqrtN, rowan.Max, rowan.LogSumExp} {
					for _, weighted := range []bool{false, c != rowan.Max && c != rowan.LogSumExp} {
						b := randomBatch(t, random, func() int64 { return random.Int64N(60) }, layout, 40, 6, weighted)
						got, err := packed.Lookup(ctx, b.ids, rowan.LookupOptions{Combiner: c})
						if err != nil {
							t.Fatal(err)
						}
						want, err := same.Lookup(ctx, b.ids, rowan.LookupOptions{Combiner: c})
						if err != nil {
							t.Fatal(err)
						}
						if !slices.Equal(got.Values().Data(), want.Values().Data()) {
							t.Errorf("%d bits, %s, %v, weights %v: the copy does not answer as its rows do", q, layout, c, weighted)
						}
					}
				}
			}
		}
	}
}

func TestQuantizationNames(t *testing.T) {
	for _, q := range []rowan.Quantization{rowan.QuantizeInt8, rowan.QuantizeInt4} {
		if got, err := rowan.ParseQuantization(q.String()); err != nil || got != q {
			t.Errorf("%v is parsed as %v, %v", q, got, err)
		}
	}
	if _, err := rowan.ParseQuantization("gptq"); !errors.Is(err, rowan.ErrOptions) || rowan.Quantization(0).String() != "none" {
		t.Errorf("gptq: %v", err)
	}
}

// TestQuantizedIsReadOnly: whatever would write is refused, but removing keys.
func TestQuantizedIsReadOnly(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, Optimizer: sgd(1)})
	writeRows(t, table, []int64{1, 2}, []float32{1, 2, 3, 4})
	file := saved(t, table)
	packed := quantized(t, table, rowan.QuantizeInt8)
	before := numbersOf(t, packed)
	l, err := packed.Lookup(ctx, dense(t, []int64{1, 9}), rowan.LookupOptions{Training: true})
	if err != nil {
		t.Fatal(err)
	}
	g := packed.NewGradients()
	if err := g.Add(l, ones(l)); err != nil {
		t.Fatal(err)
	}
	_, norm := g.SumSquares(ctx, rowan.Step{})
	rows := values(t, []float32{1, 2}, 1, 2)
	for what, err := range map[string]error{
		"Upsert":       packed.Upsert(ctx, dense(t, []int64{1}), rows),
		"Accumulate":   packed.Accumulate(ctx, dense(t, []int64{1}), rows, []bool{true}),
		"Apply":        packed.Apply(ctx, g, rowan.Step{}),
		"SumSquares":   norm,
		"SetOptimizer": packed.SetOptimizer(sgd(1)),
		"Clear":        packed.Clear(ctx),
		"Save":         packed.Save(ctx, io.Discard),
		"Load":         packed.Load(ctx, bytes.NewReader(file)),
	} {
		if !errors.Is(err, rowan.ErrReadOnly) {
			t.Errorf("%s: error %v, want ErrReadOnly", what, err)
		}
	}
	if got := numbersOf(t, packed); !slices.Equal(got, before) || packed.Len() != 2 {
		t.Errorf("the copy became %v, of %v", got, before)
	}
	if err := packed.Remove(ctx, dense(t, []int64{1})); err != nil || packed.Len() != 1 {
		t.Errorf("Remove: %v, %d rows left", err, packed.Len())
	}
	if _, err := table.Quantize(ctx, 3); !errors.Is(err, rowan.ErrOptions) {
		t.Errorf("3 bits: %v", err)
	}
	again := quantized(t, packed, rowan.QuantizeInt4)
	if again.Len() != 1 {
		t.Errorf("the quantized copy of the copy has %d rows", again.Len())
	}
	writeRows(t, table, []int64{1}, []float32{3e38, -3e38})
	if _, err := table.Quantize(ctx, rowan.QuantizeInt8); !errors.Is(err, rowan.ErrNotFinite) {
		t.Errorf("numbers too far apart: %v", err)
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Quantize(ctx, rowan.QuantizeInt4); !errors.Is(err, rowan.ErrClosed) {
		t.Errorf("a closed table: %v", err)
	}
}
