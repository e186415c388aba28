package layer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func newDynamicLookup(t testing.TB, size int, of rowan.DType, o layer.DynamicLookupOptions) *layer.DynamicLookup {
	t.Helper()
	return must[*layer.DynamicLookup](t)(layer.NewDynamicLookup(size, of, o))
}

// fillLookup gives key 5 a row, and closes the table when the test ends.
func fillLookup[T rowan.Cell](t testing.TB, l *layer.DynamicLookup, row ...T) {
	t.Helper()
	run(t, l, ids(t, []int{1}, 5)) // builds it
	t.Cleanup(func() { l.Table().Close() })
	table := must[*rowan.TableOf[T]](t)(rowan.AsTableOf[T](l.Table()))
	if err := table.Upsert(t.Context(), ids(t, []int{1}, 5).IDs, rowan.Array[T]{Data: row}); err != nil {
		t.Fatal(err)
	}
}

// TestDynamicLookup: rows of each type come out as ids, one dimension deeper than
// those that went in.
func TestDynamicLookup(t *testing.T) {
	eight := newDynamicLookup(t, 2, rowan.Int8, layer.DynamicLookupOptions{})
	fillLookup[int8](t, eight, -128, 7)
	looksUp(t, eight, []int32{-128, 7, 0, 0})
	thirtyTwo := newDynamicLookup(t, 2, rowan.Int32, layer.DynamicLookupOptions{Initializer: initializer.Constant{Value: -1}})
	fillLookup[int32](t, thirtyTwo, 1<<30, 7)
	looksUp(t, thirtyTwo, []int32{1 << 30, 7, -1, -1})
	sixtyFour := newDynamicLookup(t, 2, rowan.Int64, layer.DynamicLookupOptions{})
	fillLookup[int64](t, sixtyFour, 1<<62, 7)
	looksUp(t, sixtyFour, []int64{1 << 62, 7, 0, 0})
	flags := newDynamicLookup(t, 2, rowan.Bool, layer.DynamicLookupOptions{Initializer: initializer.Ones{}})
	fillLookup(t, flags, true, false)
	looksUp(t, flags, []int32{1, 0, 1, 1})
	texts := newDynamicLookup(t, 2, rowan.String, layer.DynamicLookupOptions{})
	fillLookup(t, texts, "drama", "war")
	looksUp(t, texts, []string{"drama", "war", "", ""})
}

func looksUp[K tensor.Key](t *testing.T, l *layer.DynamicLookup, want []K) {
	t.Helper()
	got, ok := run(t, l, ids(t, []int{2, 1}, 5, 9)).Values[0].IDs.(*tensor.Dense[K])
	if !ok || !slices.Equal(got.Values(), want) || !slices.Equal(got.Shape(), []int{2, 1, 2}) {
		t.Errorf("%v, want %v of shape [2 1 2]", got, want)
	}
	if out := must[*layer.Tensor](t)(l.Apply(idInput(t, nil, -1))); !out.Shape().Equal(layer.Shape{-1, -1, 2}) || out.KeyType() != tensor.KeyTypeOf[K]() {
		t.Errorf("symbolic: %v of shape %v", out.KeyType(), out.Shape())
	}
	if n := len(l.TrainableVariables()); n != 0 || len(l.Variables()) != 1 {
		t.Errorf("%d of %d weights are trained", n, len(l.Variables()))
	}
	clone := must[layer.Layer](t)(l.Clone(t.Context())).(*layer.DynamicLookup)
	defer clone.Table().Close()
	if same := run(t, clone, ids(t, []int{2, 1}, 5, 9)).Values[0].IDs.(*tensor.Dense[K]); !slices.Equal(same.Values(), want) {
		t.Errorf("cloned: %v, want %v", same.Values(), want)
	}
}

// TestDynamicLookupFeeds: what a film is kept with becomes the ids of an embedding.
func TestDynamicLookupFeeds(t *testing.T) {
	genres := newDynamicLookup(t, 2, rowan.Int64, layer.DynamicLookupOptions{})
	fillLookup[int64](t, genres, 3, 1)
	rows := newEmbedding(t, 4, 1, layer.EmbeddingOptions{Options: layer.Options{Weights: [][]float32{{0, 10, 20, 30}}}})
	out := run(t, rows, run(t, genres, ids(t, []int{1}, 5)).Values[0]).Values[0].Floats
	if !slices.Equal(out.Data(), []float32{30, 10}) || !slices.Equal(out.Shape(), []int{1, 2, 1}) {
		t.Errorf("%v of shape %v", out.Data(), out.Shape())
	}
}

func TestDynamicLookupConfig(t *testing.T) {
	l := newDynamicLookup(t, 3, rowan.Int32, layer.DynamicLookupOptions{
		Options: layer.Options{Name: "genres"}, KeyType: tensor.String, Initializer: initializer.Constant{Value: 4},
		InitCapacity: 9, Missing: rowan.MissingZeros, RestrictPolicy: rowan.Restrict{Policy: rowan.FrequencyPolicy{}, Keep: 5},
	})
	class, config, err := layer.ToConfig(l)
	if err != nil || class != "DynamicLookup" {
		t.Fatal(class, err)
	}
	again := must[layer.Layer](t)(layer.FromConfig(class, config))
	if _, c, err := layer.ToConfig(again); err != nil || fmt.Sprint(c) != fmt.Sprint(config) {
		t.Errorf("config\n%v\nbecame\n%v, %v", config, c, err)
	}
	for key, value := range map[string]any{"value_dtype": "float32", "key_dtype": "int8", "embedding_size": 0, "colour": 1} {
		c := layer.Config{"embedding_size": 3, "value_dtype": "int32"}
		c[key] = value
		if _, err := layer.FromConfig(class, c); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %v: %v", key, value, err)
		}
	}
}

func TestDynamicLookupRefusals(t *testing.T) {
	for _, d := range []rowan.DType{rowan.Float32, rowan.Float64, rowan.String + 1} {
		if _, err := layer.NewDynamicLookup(1, d, layer.DynamicLookupOptions{}); !errors.Is(err, layer.ErrArgument) {
			t.Errorf("%v: %v", d, err)
		}
	}
	l := newDynamicLookup(t, 2, rowan.Int64, layer.DynamicLookupOptions{})
	ragged := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{IDs: true, Ragged: true}))
	if _, err := l.Apply(ragged); !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), "ragged") {
		t.Errorf("ragged: %v", err)
	}
	if _, err := l.Apply(must[*layer.Tensor](t)(layer.Input(layer.InputOptions{IDs: true, KeyType: tensor.String}))); !errors.Is(err, layer.ErrStage) {
		t.Errorf("strings: %v", err)
	}
	if _, err := newDynamicLookup(t, 2, rowan.Int64, layer.DynamicLookupOptions{}).Map(t.Context(), nil, ids(t, []int{1}, 5).IDs, false); !errors.Is(err, layer.ErrNotBuilt) {
		t.Errorf("not built: %v", err)
	}
	run(t, l, ids(t, []int{1}, 5))
	defer l.Table().Close()
	if _, err := l.Run(t.Context(), layer.Args{}, layer.Value{IDs: tensor.RaggedOf([]int64{1, 2})}); !errors.Is(err, layer.ErrShape) {
		t.Errorf("ragged ids: %v", err)
	}
	bad := newDynamicLookup(t, 2, rowan.Int64, layer.DynamicLookupOptions{Initializer: initializer.RandomUniform{Max: 1}})
	if _, err := bad.Run(t.Context(), layer.Args{}, ids(t, []int{1}, 5)); !errors.Is(err, rowan.ErrOptions) {
		t.Errorf("an initializer that draws: %v", err)
	}
}
