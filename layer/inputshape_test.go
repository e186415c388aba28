package layer_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func fromJSON(t *testing.T, class, text string) (layer.Layer, error) {
	t.Helper()
	var c layer.Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return layer.FromConfig(class, c)
}

// TestBatchInputShape reads what Keras writes of a model's first layer.
func TestBatchInputShape(t *testing.T) {
	for _, c := range []struct{ class, text, want string }{
		{"Dense", `{"units": 3, "dtype": "float32", "batch_input_shape": [null, 4]}`, "(4,)"},
		{"Dense", `{"units": 3, "input_shape": [7, 4]}`, "(7, 4)"},
		{"Dense", `{"units": 3, "input_shape": [7], "batch_input_shape": [null, null, 4], "batch_size": null}`, "(None, 4)"},
		{"Activation", `{"activation": "relu", "batch_input_shape": [null]}`, "()"},
		{"Embedding", `{"input_dim": 9, "output_dim": 2, "batch_input_shape": [null, 5], "input_length": null}`, "(5,)"},
		{"Embedding", `{"input_dim": 9, "output_dim": 2, "batch_input_shape": [null, 5], "input_length": 5}`, "(5,)"},
		{"Embedding", `{"input_dim": 9, "output_dim": 2, "input_length": 6}`, "(6,)"},
		{"Embedding", `{"input_dim": 9, "output_dim": 2}`, "(None,)"},
		{"DynamicEmbedding", `{"embedding_size": 2, "key_dtype": "string", "input_shape": [5, 6]}`, "(5, 6)"},
	} {
		l, err := fromJSON(t, c.class, c.text)
		if err != nil {
			t.Errorf("%s %s: %v", c.class, c.text, err)
			continue
		}
		in := l.(interface{ ImpliedInput() layer.InputOptions }).ImpliedInput()
		if got := in.Shape.String(); got != c.want || in.IDs != strings.HasSuffix(c.class, "Embedding") {
			t.Errorf("%s %s begins with %+v, want shape %s", c.class, c.text, in, c.want)
		}
	}
	for text, says := range map[string]string{
		`{"units": 3, "batch_input_shape": [32, 4]}`:           "begins with null",
		`{"units": 3, "batch_input_shape": []}`:                "begins with null",
		`{"units": 3, "batch_input_shape": [null, 0]}`:         "positive integers",
		`{"units": 3, "input_shape": [-4]}`:                    "positive integers",
		`{"units": 3, "input_shape": [1.5]}`:                   "an integer",
		`{"units": 3, "input_shape": [4], "batch_size": 32}`:   `"batch_size" must be null`,
		`{"units": 3, "input_shape": [4], "dtype": "float64"}`: "float32",
	} {
		if _, err := fromJSON(t, "Dense", text); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one that says %q", text, err, says)
		}
	}
}

// TestKerasInputLayer reads the config of Keras' InputLayer.
func TestKerasInputLayer(t *testing.T) {
	for text, want := range map[string]layer.InputOptions{
		`{"batch_input_shape": [null, 10], "dtype": "float32", "sparse": false, "ragged": false, "name": "in"}`: {Shape: layer.Shape{10}},
		`{"batch_input_shape": [null, null], "dtype": "string", "sparse": false, "ragged": true, "name": "in"}`: {Shape: layer.Shape{-1}, IDs: true, KeyType: tensor.String, Ragged: true},
	} {
		l, err := fromJSON(t, "InputLayer", text)
		if err != nil {
			t.Fatal(err)
		}
		x := l.(*layer.InputLayer).Tensor()
		if !x.Shape()[1:].Equal(want.Shape) || x.IsIDs() != want.IDs || x.KeyType() != want.KeyType || x.Ragged() != want.Ragged || x.Name() != "in" {
			t.Errorf("%s: %+v, want %+v", text, x, want)
		}
	}
	for text, says := range map[string]string{
		`{"batch_input_shape": [null, 10], "sparse": true}`:     "declared ragged",
		`{"batch_input_shape": [null, 10], "dtype": "float16"}`: "float16",
		`{"batch_input_shape": [8, 10]}`:                        "begins with null",
	} {
		if _, err := fromJSON(t, "InputLayer", text); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one that says %q", text, err, says)
		}
	}
}

func TestInputShapeOfATable(t *testing.T) {
	table := must[*rowan.Table](t)(rowan.NewTable(rowan.TableOptions{Name: "words", Width: 2, KeyType: tensor.String}))
	l := must[*layer.TableLookup](t)(layer.NewTableLookup(table, rowan.None, layer.Options{InputShape: layer.Shape{3}}))
	if in := l.ImpliedInput(); !in.IDs || in.KeyType != tensor.String || !in.Shape.Equal(layer.Shape{3}) {
		t.Errorf("begins with %+v", in)
	}
}
