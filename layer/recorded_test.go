package layer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
)

// recorded is what interop/record_layers.py wrote down of the real Keras.
type recorded struct {
	Layers    []recordedLayer
	Attention []recordedLayer
}

type recordedArray struct {
	Shape  []int
	Values []float32
}

type recordedLayer struct {
	Name         string
	ClassName    string `json:"class_name"`
	Config       layer.Config
	Inputs       []recordedArray
	Mask         []bool
	Weights      [][]float32
	Output       recordedArray
	Trained      *recordedArray
	WeightsAfter [][]float32 `json:"weights_after"`
}

func readRecorded(t *testing.T) *recorded {
	t.Helper()
	text := must[[]byte](t)(os.ReadFile("testdata/keras.json"))
	r := new(recorded)
	if err := json.Unmarshal(text, r); err != nil {
		t.Fatal(err)
	}
	if len(r.Layers) != 23 || len(r.Attention) != 4 {
		t.Fatalf("%d layers and %d attentions were recorded, want 23 and 4",
			len(r.Layers), len(r.Attention))
	}
	return r
}

// agree compares float32 results of a few operations with those of another
// library: functions such as exp differ in the last places, and a difference of
// large numbers, or a mean of a batch, keeps that error.
func agree(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i, w := range want {
		if math.Abs(float64(got[i])-float64(w)) > 3e-6*(1+math.Abs(float64(w))) || got[i] != got[i] {
			t.Errorf("%s: number %d is %v, Keras has %v", what, i, got[i], w)
		}
	}
}

func (c *recordedLayer) values(t *testing.T) []layer.Value {
	var in []layer.Value
	for _, a := range c.Inputs {
		in = append(in, vector(t, a.Shape, a.Values...))
	}
	return in
}

// TestLayersComputeWhatKerasDoes reads the config that Keras wrote, sets its
// weights, and compares what comes out, in inference and in training, and what
// training does to the weights.
func TestLayersComputeWhatKerasDoes(t *testing.T) {
	for _, c := range readRecorded(t).Layers {
		t.Run(fmt.Sprint(c.ClassName, " ", c.Name), func(t *testing.T) {
			l := must[layer.Layer](t)(layer.FromConfig(c.ClassName, c.Config))
			in := c.values(t)
			in[0].Mask = c.Mask
			run(t, l, in...) // builds it
			if err := layer.Of(l).SetWeights(c.Weights); err != nil {
				t.Fatal(err)
			}
			out := run(t, l, in...).Values[0].Floats
			agree(t, "output", out.Data(), c.Output.Values)
			if !slices.Equal(out.Shape(), c.Output.Shape) {
				t.Errorf("shape %v, want %v", out.Shape(), c.Output.Shape)
			}
			if c.Trained == nil {
				return
			}
			trained := must[*layer.Output](t)(layer.Of(l).Run(context.Background(), layer.Args{Training: true}, in...))
			agree(t, "output in training", trained.Values[0].Floats.Data(), c.Trained.Values)
			for i, w := range must[[][]float32](t)(layer.Of(l).GetWeights(context.Background())) {
				agree(t, layer.Of(l).Variables()[i].Name(), w, c.WeightsAfter[i])
			}
		})
	}
}

// TestAttentionIsThatOfKeras: Keras' has a query of one step.
func TestAttentionIsThatOfKeras(t *testing.T) {
	for i, c := range readRecorded(t).Attention {
		in := c.values(t)
		in[1].Mask = c.Mask
		out := run(t, layer.NewHistoryAttention(false, layer.Options{}), in...).Values[0].Floats
		agree(t, fmt.Sprint("case ", i), out.Data(), c.Output.Values)
	}
}
