package loss_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/loss"
)

// must fails the test of a call that fails.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// evaluate returns the mean of a loss over a batch, and its gradient by the
// prediction. Examples are weighed by weights where there are any.
func evaluate(t *testing.T, l loss.Func, truth, prediction dense.Array, weights []float32) (mean float32, gradient []float32) {
	t.Helper()
	p := must[*dense.Program](t)(dense.New(dense.Config{Name: "loss", Train: true, InputGradients: []int{0}, Build: func(tr *dense.Trace) (dense.Result, error) {
		each := l(tr.Input(1), tr.Input(0))
		size := float64(each.Shape().Size())
		if weights != nil {
			each = graph.Mul(each, tr.Input(2))
		}
		return dense.Result{Loss: graph.DivScalar(graph.ReduceAllSum(each), size)}, nil
	}}))
	arrays := []dense.Array{prediction, truth}
	if weights != nil {
		arrays = append(arrays, dense.Floats(weights, len(weights)))
	}
	r := must[*dense.Results](t)(p.Run(dense.Args{Inputs: arrays}))
	return r.Loss, r.InputGradients[0].Float
}

// valueOf is the loss of one example.
func valueOf(t *testing.T, l loss.Func, truth, prediction []float32) float32 {
	t.Helper()
	v, _ := evaluate(t, l, dense.Floats(truth, 1, len(truth)), dense.Floats(prediction, 1, len(prediction)), nil)
	return v
}

func TestLosses(t *testing.T) {
	for _, c := range []struct {
		name              string
		truth, prediction []float32
		want              float64
	}{
		{"mse", []float32{1, 0, 3}, []float32{1, 2, 1}, 8.0 / 3},
		{"mae", []float32{1, 0, 3}, []float32{1, 2, 1}, 4.0 / 3},
		{"binary_crossentropy", []float32{1, 0, 1}, []float32{0.9, 0.2, 0}, -(math.Log(0.9) + math.Log(0.8) + math.Log(1e-7)) / 3},
		{"binary_crossentropy_from_logits", []float32{1, 0, 1}, []float32{0, 2, -200}, (math.Ln2 + math.Log1p(math.Exp(2)) + 200) / 3},
		{"categorical_crossentropy", []float32{0, 1, 0}, []float32{1, 2, 1}, -math.Log(0.5)},
	} {
		l := must[loss.Func](t)(loss.ByName(c.name))
		got := valueOf(t, l, c.truth, c.prediction)
		if math.Abs(float64(got)-c.want) > 1e-5*(1+c.want) {
			t.Errorf("%s = %v, want %v", c.name, got, c.want)
		}
	}
	prediction := dense.Floats([]float32{0.5, 0.5, 0.25, 0.75}, 2, 2)
	got, _ := evaluate(t, loss.SparseCategoricalCrossentropy, dense.Floats([]float32{1, 0}, 2), prediction, nil)
	if want := (math.Log(2) + math.Log(4)) / 2; math.Abs(float64(got)-want) > 1e-5 {
		t.Errorf("sparse categorical = %v, want %v", got, want)
	}
	nan := float32(math.NaN())
	if got, _ := evaluate(t, loss.SparseCategoricalCrossentropy, dense.Floats([]float32{1, nan}, 2), prediction, nil); got == got {
		t.Errorf("sparse categorical of a NaN label = %v, want NaN", got)
	}
	if _, err := loss.ByName("hinge?"); err == nil || !strings.Contains(err.Error(), "mse") {
		t.Errorf("unknown loss: %v", err)
	}
}

// TestShapes: labels that do not fit are an error of whoever builds the graph.
func TestShapes(t *testing.T) {
	for name, c := range map[string]struct {
		l     loss.Func
		truth dense.Array
	}{
		"mse":                {loss.MeanSquaredError, dense.Floats(make([]float32, 4), 2, 2)},
		"sparse categorical": {loss.SparseCategoricalCrossentropy, dense.Floats(make([]float32, 3), 3)},
	} {
		p := must[*dense.Program](t)(dense.New(dense.Config{Name: name, Build: func(tr *dense.Trace) (dense.Result, error) {
			return dense.Result{Outputs: []*graph.Node{c.l(tr.Input(0), tr.Input(1))}}, nil
		}}))
		_, err := p.Run(dense.Args{Inputs: []dense.Array{c.truth, dense.Floats(make([]float32, 6), 2, 3)}})
		if !errors.Is(err, loss.ErrShape) || !strings.Contains(err.Error(), "do not fit predictions of shape (2, 3)") {
			t.Errorf("%s: error %v, want one about shapes", name, err)
		}
	}
}
