package layer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
)

// TestQuantizeLayers: rows read as before within half a step of ±0.05, from a
// static and a dynamic table; their weight is frozen.
func TestQuantizeLayers(t *testing.T) {
	ctx := context.Background()
	for q, bound := range map[rowan.Quantization]float64{rowan.QuantizeInt8: 0.1 / 510, rowan.QuantizeInt4: 0.1 / 30} {
		uniform := initializer.NewRandomUniform()
		for _, l := range []interface {
			layer.Layer
			Quantize(context.Context, rowan.Quantization) error
			Table() *rowan.Table
		}{newEmbedding(t, 9, 6, layer.EmbeddingOptions{Initializer: uniform}), newDynamic(t, 6, layer.DynamicOptions{Initializer: uniform})} {
			if err := l.Quantize(ctx, q); !errors.Is(err, layer.ErrNotBuilt) {
				t.Errorf("before it is built: %v", err)
			}
			x := ids(t, []int{2, 2}, 0, 5, 8, 5)
			want := slices.Clone(run(t, l, x).Values[0].Floats.Data())
			if l.Table().Dynamic() {
				fill(t, l.Table(), []int64{0, 5, 8}, slices.Concat(want[:12], want[12:18]))
			}
			old := l.Table()
			if err := l.Quantize(ctx, q); err != nil {
				t.Fatal(err)
			}
			got := run(t, l, x).Values[0].Floats.Data()
			same := true
			for i := range want {
				same = same && got[i] == want[i]
				if math.Abs(float64(got[i]-want[i])) > bound+1e-8 {
					t.Errorf("%v: %v reads as %v, off by more than %v", q, want[i], got[i], bound)
				}
			}
			v := layer.Of(l).Variables()[0]
			if same || old.Len() != 0 || v.Table() != l.Table() || v.Trainable() || l.Table().Quantization() != q {
				t.Errorf("%v: unchanged %v, %d rows in the old table, trainable %v, %v", q, same, old.Len(), v.Trainable(), l.Table().Quantization())
			}
			if err := l.Quantize(ctx, 5); !errors.Is(err, rowan.ErrOptions) {
				t.Errorf("5 bits: %v", err)
			}
		}
	}
}

func fill(t *testing.T, table *rowan.Table, keys []int64, rows []float32) {
	t.Helper()
	for i, k := range keys {
		width := table.Width()
		v := floatsOf(t, 1, rows[i*width:(i+1)*width]...)
		if err := table.Upsert(context.Background(), ids(t, []int{1}, k).IDs, v.Floats); err != nil {
			t.Fatal(err)
		}
	}
}

// TestQuantizeUnderLoRA: the adaptation is added to the packed rows.
func TestQuantizeUnderLoRA(t *testing.T) {
	l, want := adapted(t, layer.EmbeddingOptions{})
	if err := l.Quantize(context.Background(), rowan.QuantizeInt8); err != nil {
		t.Fatal(err)
	}
	got := run(t, l, ids(t, []int{4}, 0, 1, 2, 3)).Values[0].Floats.Data()
	for i, w := range want {
		if math.Abs(float64(got[i]-w)) > 0.1/510+1e-7 {
			t.Errorf("%v reads as %v", w, got[i])
		}
	}
	if vars := l.TrainableVariables(); len(vars) != 2 {
		t.Errorf("%d weights are trained, want the two factors", len(vars))
	}
	if err := l.MergeLoRA(context.Background()); !errors.Is(err, rowan.ErrReadOnly) {
		t.Errorf("merging into packed rows: %v", err)
	}
}

// TestLoRAOverQuantized: the adaptation is put beside rows that are packed
// already, too: what is called QLoRA.
func TestLoRAOverQuantized(t *testing.T) {
	l := newEmbedding(t, 4, 3, layer.EmbeddingOptions{})
	x := ids(t, []int{4}, 0, 1, 2, 3)
	run(t, l, x)
	if err := l.Quantize(context.Background(), rowan.QuantizeInt8); err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(run(t, l, x).Values[0].Floats.Data())
	if err := l.EnableLoRA(layer.LoRAOptions{Rank: 2}); err != nil {
		t.Fatal(err)
	}
	if got := run(t, l, x).Values[0].Floats.Data(); !slices.Equal(got, want) {
		t.Errorf("rows read as %v, want the packed %v", got, want)
	}
	if vars := l.TrainableVariables(); len(vars) != 2 {
		t.Errorf("%d weights are trained, want the two factors", len(vars))
	}
}
