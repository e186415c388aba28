package model_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/model"
)

// TestFirstLayerKnowsItsInput begins a model with a layer that Keras described.
func TestFirstLayerKnowsItsInput(t *testing.T) {
	for _, c := range []struct {
		class  string
		config layer.Config
		want   string
	}{
		{"Dense", layer.Config{"units": 3, "batch_input_shape": []any{nil, 4.0}}, "(None, 3)"},
		{"Embedding", layer.Config{"input_dim": 9, "output_dim": 2, "batch_input_shape": []any{nil, 5.0}}, "(None, 5, 2)"},
	} {
		l, err := layer.FromConfig(c.class, c.config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.NewSequential(l); err != nil {
			t.Fatalf("%s: %v", c.class, err)
		}
		if shapes, err := layer.Of(l).OutputShapes(); err != nil || shapes[0].String() != c.want {
			t.Errorf("%s: output %v, %v; want %s", c.class, shapes, err, c.want)
		}
	}
	_, err := model.NewSequential(layer.NewFlatten(layer.Options{}))
	if !errors.Is(err, model.ErrArgument) || !strings.Contains(err.Error(), "give it an InputShape") {
		t.Errorf("a first layer that does not know its input: %v", err)
	}
}
