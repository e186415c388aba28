package activation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/activation"
	"github.com/rowan-embeddings/rowan/internal/dense"
)

// recorded is what interop/record_layers.py wrote down of the real Keras.
type recorded struct {
	X, Weight array
	Cases     []struct {
		Name        string
		Y, Gradient []float32
	}
	Thresholds []struct {
		Threshold    float64
		DefaultValue float64 `json:"default_value"`
		Y, Gradient  []float32
	}
}

type array struct {
	Shape  []int
	Values []float32
}

func readRecorded(t *testing.T) recorded {
	t.Helper()
	text, err := os.ReadFile("testdata/keras.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Activations recorded }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if n := len(all.Activations.Cases); n != 31 {
		t.Fatalf("%d activations were recorded, want 31", n)
	}
	if n := len(all.Activations.Thresholds); n != 3 {
		t.Fatalf("%d thresholds were recorded, want 3", n)
	}
	return all.Activations
}

// evaluate returns what a function makes of x, and the gradient by x of the sum
// of it times weight.
func evaluate(f activation.Func, x, weight array) (y, gradient []float32, err error) {
	p, err := dense.New(dense.Config{Name: "activation", Train: true, InputGradients: []int{0}, Build: func(tr *dense.Trace) (dense.Result, error) {
		y, weight := f(tr.Input(0)), tr.Input(1)
		if n := y.Shape().Dimensions[1]; n < x.Shape[1] { // glu
			weight = graph.Slice(weight, graph.AxisRange(), graph.AxisRange(0, n))
		}
		return dense.Result{Outputs: []*graph.Node{y}, Loss: graph.ReduceAllSum(graph.Mul(y, weight))}, nil
	}})
	if err != nil {
		return nil, nil, err
	}
	r, err := p.Run(dense.Args{Inputs: []dense.Array{dense.Floats(x.Values, x.Shape...), dense.Floats(weight.Values, weight.Shape...)}})
	if err != nil {
		return nil, nil, err
	}
	return r.Outputs[0].Float, r.InputGradients[0].Float, nil
}

// TestActivationsAreThoseOfKeras: values, and gradients by the input.
func TestActivationsAreThoseOfKeras(t *testing.T) {
	r := readRecorded(t)
	var names []string
	for _, c := range r.Cases {
		names = append(names, c.Name)
		f, err := activation.ByName(c.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		y, gradient, err := evaluate(f, r.X, r.Weight)
		if err != nil {
			t.Fatal(err)
		}
		if c.Name == "sparsemax" {
			// Keras 3.15.1's is wrong: its rows sum to 1.9, 0, 1 and 1. Ours is
			// compared with the definition.
			agree(t, c.Name, y, slowSparsemax(r.X.Values, r.X.Shape[1]))
			continue
		}
		agree(t, c.Name, y, c.Y)
		agree(t, c.Name+": gradient", gradient, c.Gradient)
	}
	if known := activation.Names(); !slices.Equal(known, names) {
		t.Errorf("Rowan knows %v, Keras %v", known, names)
	}
}

// TestThreshold: what Keras makes of the same arguments, and NaN, which is above
// nothing.
func TestThreshold(t *testing.T) {
	r := readRecorded(t)
	for _, c := range r.Thresholds {
		f, err := activation.Threshold(c.Threshold, c.DefaultValue)
		if err != nil {
			t.Fatal(err)
		}
		y, gradient, err := evaluate(f, r.X, r.Weight)
		if err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("threshold %v, else %v", c.Threshold, c.DefaultValue)
		agree(t, what, y, c.Y)
		agree(t, what+": gradient", gradient, c.Gradient)
	}
	f, err := activation.Threshold(0, 7)
	if err != nil {
		t.Fatal(err)
	}
	x := array{[]int{1, 2}, []float32{float32(math.NaN()), 1}}
	y, _, err := evaluate(f, x, array{[]int{1, 2}, []float32{1, 1}})
	if want := []float32{7, 1}; err != nil || !slices.Equal(y, want) {
		t.Errorf("of NaN and 1: %v, %v, want %v", y, err, want)
	}
	for _, bad := range [][2]float64{{math.NaN(), 0}, {0, math.NaN()}, {math.Inf(1), 0}, {0, math.Inf(-1)}} {
		if _, err := activation.Threshold(bad[0], bad[1]); !errors.Is(err, activation.ErrValue) || !strings.Contains(err.Error(), "must be finite numbers. Received: threshold=") {
			t.Errorf("of %v: error %v", bad, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	if _, err := activation.ByName("threshold"); !errors.Is(err, activation.ErrValue) || !strings.Contains(err.Error(), "use activation.Threshold") {
		t.Errorf("a name without its arguments: %v", err)
	}
	if _, err := activation.ByName("reloo"); !errors.Is(err, activation.ErrName) || !strings.Contains(err.Error(), `unknown activation "reloo": use one of celu, elu,`) {
		t.Errorf("an unknown name: %v", err)
	}
	glu, err := activation.ByName("glu")
	if err != nil {
		t.Fatal(err)
	}
	odd := array{[]int{1, 3}, []float32{1, 2, 3}}
	if _, _, err := evaluate(glu, odd, odd); !errors.Is(err, activation.ErrShape) || !strings.Contains(err.Error(), "must be even. Received an input of shape (1, 3)") {
		t.Errorf("half of three numbers: %v", err)
	}
}

// agree compares float32 results of a few operations with those of another
// library: functions such as exp differ in the last places, and a difference of
// large numbers keeps that error.
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
