package layer_test

import (
	"encoding/json"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
)

// TestConfigsAreCopies writes into every slice and map of a config, and into
// what the layer was made with.
func TestConfigsAreCopies(t *testing.T) {
	length, target, shape, padding := []int{3, -1}, layer.Shape{-1, 3}, layer.Shape{4, 5}, new(int64(3))
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "in", Shape: shape}))
	embedding := newEmbedding(t, 9, 4, layer.EmbeddingOptions{InputLength: length, Padding: padding})
	layers := append(configured(t), in.Node().Layer, embedding,
		must[*layer.Reshape](t)(layer.NewReshape(target, layer.Options{})),
		newDynamic(t, 2, layer.DynamicOptions{Padding: padding}))
	var before []string
	for _, l := range layers {
		before = append(before, configText(t, l))
	}
	length[0], target[1], shape[0], *padding = 77, 77, 77, 77
	embedding.ImpliedInput().Shape[0] = 77
	for i, l := range layers {
		_, c, err := layer.ToConfig(l)
		if err != nil {
			t.Fatal(err)
		}
		scribble(map[string]any(c))
		if after := configText(t, l); after != before[i] {
			t.Errorf("config after writing to one:\n%s\nbefore:\n%s", after, before[i])
		}
	}
}

func configText(t *testing.T, l layer.Layer) string {
	t.Helper()
	_, c, err := layer.ToConfig(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(must[[]byte](t)(json.Marshal(c)))
}

// scribble overwrites what a config refers to.
func scribble(v any) {
	switch v := v.(type) {
	case []int:
		for i := range v {
			v[i] = 77
		}
	case []any:
		for i := range v {
			v[i] = 77
		}
	case map[string]any:
		for k, inner := range v {
			scribble(inner)
			v[k] = 77
		}
	}
}
