package layer_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
)

// sayable is a config without what a dialect cannot say of a layer that it has.
func sayable(c layer.Config, d layer.Dialect) layer.Config {
	c = maps.Clone(c)
	for _, ours := range []string{"combiner", "out_of_range", "padding", "row_dtype"} {
		delete(c, ours)
	}
	if d == layer.TF1 {
		delete(c, "autocast")
		delete(c, "keepdims")
		if c["ids"] == nil {
			c["dtype"] = "float32"
		}
		if c["ragged"] == true {
			c["ragged"] = false
		}
	}
	if d == layer.Keras3 {
		delete(c, "batch_input_shape") // a model has it, as its InputLayer
		if c["input_length"] != nil {
			delete(c, "input_length")
		}
	}
	return c
}

// TestDialectsRoundTrip writes every layer that a dialect has, with every argument
// away from its default that the dialect knows, and reads it again.
func TestDialectsRoundTrip(t *testing.T) {
	same := make(map[layer.Dialect]int)
	for _, l := range configured(t) {
		class, own, err := layer.ToConfig(l)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []layer.Dialect{layer.TF1, layer.Keras2, layer.TFKeras, layer.Keras3} {
			l := must[layer.Layer](t)(layer.FromConfig(class, sayable(own, d)))
			object, err := d.Encode(l)
			if err != nil {
				if !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), "has no layer "+class) {
					t.Errorf("%v of %s: %v", d, class, err)
				}
				continue
			}
			var read layer.Config
			if err := json.Unmarshal(must[[]byte](t)(json.Marshal(object)), &read); err != nil {
				t.Fatal(err)
			}
			again := must[layer.Layer](t)(layer.Decode(read))
			if got, want := text(t, again), text(t, l); got != want || reflect.TypeOf(again) != reflect.TypeOf(l) {
				t.Errorf("%v of %s:\n%s\nwant\n%s", d, class, got, want)
			}
			same[d]++
		}
	}
	// TensorFlow 1.4 has neither Subtract, Minimum and LayerNormalization nor the
	// three layers that turn ids into ids, of which there are five here.
	if want := map[layer.Dialect]int{layer.TF1: 17, layer.Keras2: 25, layer.TFKeras: 25, layer.Keras3: 25}; !maps.Equal(same, want) {
		t.Errorf("layers of each dialect: %v, want %v", same, want)
	}
}

// text is a layer's own config.
func text(t *testing.T, l layer.Layer) string {
	t.Helper()
	_, c, err := layer.ToConfig(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(must[[]byte](t)(json.Marshal(c)))
}

// TestDialectNamesTheFirst: of several arguments that a dialect lacks the error names
// the first, each time.
func TestDialectNamesTheFirst(t *testing.T) {
	first := int64(1)
	for range 20 {
		l := newEmbedding(t, 9, 2, layer.EmbeddingOptions{RowDType: rowan.Float16, Combiner: rowan.Sum, Padding: &first})
		if _, err := layer.Keras3.Encode(l); err == nil || !strings.Contains(err.Error(), `"combiner"`) {
			t.Fatalf("%v, want the combiner named", err)
		}
	}
}
