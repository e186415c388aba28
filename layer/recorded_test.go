package layer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
)

// recorded is what interop/record_layers.py wrote down of the real Keras.
type recorded struct {
	Activations struct {
		X, Weight recordedArray
		Cases     []struct {
			Name        string
			Y, Gradient []float32
		}
	}
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
	if len(r.Activations.Cases) != 31 || len(r.Layers) != 23 || len(r.Attention) != 4 {
		t.Fatalf("%d activations, %d layers and %d attentions were recorded, want 31, 23 and 4",
			len(r.Activations.Cases), len(r.Layers), len(r.Attention))
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

// TestActivationsAreThoseOfKeras: values, and gradients by the input.
func TestActivationsAreThoseOfKeras(t *testing.T) {
	r := readRecorded(t).Activations
	var names []string
	for _, c := range r.Cases {
		names = append(names, c.Name)
		l := must[*layer.Activation](t)(layer.NewActivation(c.Name, layer.Options{}))
		p := must[*dense.Program](t)(dense.New(dense.Config{Name: c.Name, Train: true, InputGradients: []int{0}, Build: func(tr *dense.Trace) (dense.Result, error) {
			y := layer.NewCall(tr, nil, true).Apply(l, tr.Input(0))[0]
			weight := tr.Input(1)
			if n := y.Shape().Dimensions[1]; n < r.X.Shape[1] { // glu
				weight = graph.Slice(weight, graph.AxisRange(), graph.AxisRange(0, n))
			}
			return dense.Result{Outputs: []*graph.Node{y}, Loss: graph.ReduceAllSum(graph.Mul(y, weight))}, nil
		}}))
		res := must[*dense.Results](t)(p.Run(dense.Args{Inputs: []dense.Array{
			dense.Floats(r.X.Values, r.X.Shape...), dense.Floats(r.Weight.Values, r.Weight.Shape...)}}))
		if c.Name == "sparsemax" {
			// Keras 3.15.1's is wrong: its rows sum to 1.9, 0, 1 and 1. Ours is
			// compared with the definition.
			agree(t, c.Name, res.Outputs[0].Float, slowSparsemax(r.X.Values, r.X.Shape[1]))
			continue
		}
		agree(t, c.Name, res.Outputs[0].Float, c.Y)
		agree(t, c.Name+": gradient", res.InputGradients[0].Float, c.Gradient)
	}
	if known := layer.ActivationNames(); !slices.Equal(known, names) {
		t.Errorf("Rowan knows %v, Keras %v", known, names)
	}
}

// slowSparsemax finds the threshold of each row by bisection.
func slowSparsemax(x []float32, n int) []float32 {
	y := make([]float32, len(x))
	for at := 0; at < len(x); at += n {
		row := x[at : at+n]
		low, high := float64(slices.Max(row))-1, float64(slices.Max(row))
		for range 60 {
			threshold, sum := (low+high)/2, 0.0
			for i, v := range row {
				y[at+i] = float32(max(float64(v)-threshold, 0))
				sum += float64(y[at+i])
			}
			if sum > 1 {
				low = threshold
			} else {
				high = threshold
			}
		}
	}
	return y
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
