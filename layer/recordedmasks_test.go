package layer_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
)

// recordedMasks is what interop/record_masks.py wrote down of Keras: the masks of
// a layer's inputs, of shape (2, 3), and that of its output.
type recordedMasks struct {
	IDs   []int64 `json:"ids"`
	Cases []struct {
		ClassName string          `json:"class_name"`
		Config    layer.Config    `json:"config"`
		Masks     [][]bool        `json:"masks"`
		Keras2    json.RawMessage `json:"keras2"`
		Keras3    json.RawMessage `json:"keras3"`
	} `json:"cases"`
}

// TestRecordedMasks: masks come out as those of Keras 2 do, in which a step
// counts where it counts in all inputs that have a mask, and a layer that supports
// none is an error, as TensorFlow's page says. Keras 2 fails to join a sequence
// under a mask and one without along the sequence, and Keras 3 does not.
func TestRecordedMasks(t *testing.T) {
	var golden recordedMasks
	readGolden(t, "keras_masks.json", &golden)
	var refused, later int
	for _, c := range golden.Cases {
		l := must[layer.Layer](t)(layer.FromConfig(c.ClassName, c.Config))
		in := make([]layer.Value, len(c.Masks))
		for i, m := range c.Masks {
			in[i] = masked(floats(t, 2, 3, 2), m...)
		}
		if c.ClassName == "Embedding" {
			in = []layer.Value{ids(t, []int{2, 3}, golden.IDs...)}
		}
		out, err := layer.Of(l).Run(t.Context(), layer.Args{}, in...)
		want := c.Keras2
		if c.ClassName == "Flatten" || c.ClassName == "Reshape" {
			if refused++; string(want) != `{"error":"TypeError"}` || !errors.Is(err, layer.ErrMask) {
				t.Errorf("%s: error %v, recorded %s; want %v", c.ClassName, err, want, layer.ErrMask)
			}
			continue
		}
		if want[0] == '{' {
			want = c.Keras3
			later++
		}
		var mask []bool
		if err := errors.Join(err, json.Unmarshal(want, &mask)); err != nil {
			t.Errorf("%s of %v: %v", c.ClassName, c.Masks, err)
		} else if got := out.Values[0].Mask; !slices.Equal(got, mask) {
			t.Errorf("%s %v of %v: mask %v, recorded %v", c.ClassName, c.Config, c.Masks, got, mask)
		}
	}
	if len(golden.Cases) != 28 || refused != 2 || later != 1 {
		t.Errorf("%d cases, %d refused, %d as of Keras 3; want 28, 2 and 1", len(golden.Cases), refused, later)
	}
}
