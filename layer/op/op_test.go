package op_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/layer/op"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/tensor"
)

func input(t testing.TB, s *layer.Scope, shape ...int) *layer.Tensor {
	t.Helper()
	x, err := layer.Input(layer.InputOptions{Scope: s, Shape: shape})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func values(t testing.TB, shape []int, data ...float32) layer.Value {
	t.Helper()
	v, err := tensor.NewValues(data, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return layer.Value{Floats: v}
}

// TestOperations evaluates each on two batches of two numbers.
func TestOperations(t *testing.T) {
	s := layer.NewScope(1)
	x, y := input(t, s, 2), input(t, s, 2)
	in := []layer.Value{values(t, []int{2, 2}, -1, 2, 4, -8), values(t, []int{2, 2}, 2, 2, -0.5, 4)}
	each := func(f func(x, y float64) float64) []float32 {
		var all []float32
		for i, v := range in[0].Floats.Data() {
			all = append(all, float32(f(float64(v), float64(in[1].Floats.Data()[i]))))
		}
		return all
	}
	for name, c := range map[string]struct {
		out   *layer.Tensor
		shape string
		want  []float32
	}{
		"abs":             {op.Abs(x), "(None, 2)", []float32{1, 2, 4, 8}},
		"neg":             {op.Neg(x), "(None, 2)", []float32{1, -2, -4, 8}},
		"square":          {op.Square(x), "(None, 2)", []float32{1, 4, 16, 64}},
		"sqrt":            {op.Sqrt(op.Square(x)), "(None, 2)", []float32{1, 2, 4, 8}},
		"exp":             {op.Exp(y), "(None, 2)", each(func(_, y float64) float64 { return math.Exp(y) })},
		"log":             {op.Log(op.Abs(x)), "(None, 2)", each(func(x, _ float64) float64 { return math.Log(math.Abs(x)) })},
		"add":             {op.Add(x, y), "(None, 2)", []float32{1, 4, 3.5, -4}},
		"sub":             {op.Sub(x, y), "(None, 2)", []float32{-3, 0, 4.5, -12}},
		"mul":             {op.Mul(x, y), "(None, 2)", []float32{-2, 4, -2, -32}},
		"div":             {op.Div(x, y), "(None, 2)", []float32{-0.5, 1, -8, -2}},
		"maximum":         {op.Maximum(x, y), "(None, 2)", []float32{2, 2, 4, 4}},
		"minimum":         {op.Minimum(x, y), "(None, 2)", []float32{-1, 2, -0.5, -8}},
		"scale":           {op.Scale(x, 0.5), "(None, 2)", []float32{-0.5, 1, 2, -4}},
		"shift":           {op.Shift(x, 1), "(None, 2)", []float32{0, 3, 5, -7}},
		"threshold":       {op.Threshold(x, 2, 9), "(None, 2)", []float32{9, 9, 4, 9}},
		"sum":             {op.ReduceSum(x), "()", []float32{-3}},
		"mean":            {op.ReduceMean(x), "()", []float32{-0.75}},
		"max":             {op.ReduceMax(x), "()", []float32{4}},
		"min":             {op.ReduceMin(x), "()", []float32{-8}},
		"sum of rows":     {op.ReduceSum(x, -1), "(None,)", []float32{1, -4}},
		"mean of columns": {op.ReduceMean(x, 0), "(2,)", []float32{1.5, -3}},
		"max of both":     {op.ReduceMax(x, 1, 0), "()", []float32{4}},
		"min of rows":     {op.ReduceMin(x, 1), "(None,)", []float32{-1, -8}},
		"nested":          {op.Abs(op.ReduceMean(x)), "()", []float32{0.75}},
		"scalar left":     {op.Sub(op.ReduceSum(x), y), "(None, 2)", []float32{-5, -5, -2.5, -7}},
		"scalar right":    {op.Mul(x, op.ReduceMax(x)), "(None, 2)", []float32{-4, 8, 16, -32}},
		"sum of a scalar": {op.ReduceSum(op.ReduceSum(x)), "()", []float32{-3}},
	} {
		if err := c.out.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := c.out.Shape().String(); got != c.shape {
			t.Errorf("%s has shape %s, want %s", name, got, c.shape)
		}
		m, err := model.New([]*layer.Tensor{x, y}, []*layer.Tensor{c.out})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := m.PredictOnBatch(t.Context(), &model.Batch{Inputs: in})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		near := func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-5*math.Abs(float64(b)) } // exp and log round
		if got := out[0].Data(); !slices.EqualFunc(got, c.want, near) {
			t.Errorf("%s = %v, want %v", name, got, c.want)
		}
	}
}

// TestErrorsTravel through nested operations to where the tensor is used.
func TestErrorsTravel(t *testing.T) {
	s := layer.NewScope(1)
	x, wide := input(t, s, 2), input(t, s, 3)
	ids, err := layer.Input(layer.InputOptions{IDs: true, Scope: s})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		out  *layer.Tensor
		is   error
		says string
	}{
		"axis":          {op.Abs(op.ReduceSum(x, 2)), layer.ErrShape, "axes [2] of a tensor of 2 dimensions"},
		"axis twice":    {op.ReduceSum(x, 1, -1), layer.ErrShape, "axes [1 -1]"},
		"shapes":        {op.Neg(op.Add(x, wide)), layer.ErrShape, "equal shapes or a scalar"},
		"ids":           {op.ReduceMean(ids), layer.ErrStage, "put an Embedding between"},
		"infinite":      {op.Threshold(x, math.Inf(1), 0), layer.ErrArgument, "must be finite"},
		"nil":           {op.Scale(nil, 2), layer.ErrArgument, "nil"},
		"none":          {op.Abs(new(layer.Tensor)), layer.ErrArgument, "made by no layer"},
		"unknown":       {layer.Operate("conv", layer.OperationOptions{}, x), layer.ErrArgument, "reduce_mean"},
		"too many":      {layer.Operate("abs", layer.OperationOptions{}, x, x), layer.ErrShape, "expects 1 input, but it received 2"},
		"nothing":       {layer.Operate("abs", layer.OperationOptions{}), layer.ErrArgument, "no input"},
		"masked tensor": {op.ReduceMean(masked(t, ids)), layer.ErrMask, "DropMask"},
	} {
		err := c.out.Err()
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", name, err, c.is, c.says)
		}
		dense, denseErr := layer.NewDense(1, layer.DenseOptions{})
		if denseErr != nil {
			t.Fatal(denseErr)
		}
		_, applied := dense.Apply(c.out)
		_, made := model.New([]*layer.Tensor{x}, []*layer.Tensor{c.out})
		_, began := model.New([]*layer.Tensor{c.out}, []*layer.Tensor{x})
		if !errors.Is(applied, c.is) || !errors.Is(made, c.is) || began == nil {
			t.Errorf("%s: used in a layer: %v, as an output: %v, as an input: %v", name, applied, made, began)
		}
	}
	dense, err := layer.NewDense(1, layer.DenseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dense.Apply(op.ReduceMean(x)); !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), "takes batches") {
		t.Errorf("a layer of a scalar: %v", err)
	}
}

func masked(t testing.TB, ids *layer.Tensor) *layer.Tensor {
	t.Helper()
	e, err := layer.NewEmbedding(3, 2, layer.EmbeddingOptions{MaskZero: true})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := e.Apply(ids)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestOperationsHaveConfigs: a formula can be written down and read again.
func TestOperationsHaveConfigs(t *testing.T) {
	s := layer.NewScope(1)
	x := input(t, s, 2)
	for _, out := range []*layer.Tensor{op.Abs(x), op.Scale(x, 0.25), op.ReduceMax(x, 1, -2), op.Threshold(x, 0.5, -1)} {
		class, c, err := layer.ToConfig(out.Node().Layer)
		if err != nil || class != "Operation" || c["name"] != out.Name() {
			t.Fatalf("config of %s: %s %v, %v", out.Name(), class, c, err)
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var read layer.Config
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		l, err := layer.FromConfig(class, read)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		_, again, err := layer.ToConfig(l)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(text) {
			t.Errorf("config %s became %s, %v", text, second, err)
		}
		if y, err := layer.Of(l).Apply(x); err != nil || !y.Shape().Equal(out.Shape()) {
			t.Errorf("made again: %v, %v", y, err)
		}
	}
	if a, b := op.Abs(x), op.Abs(x); a.Name() == b.Name() || !strings.HasPrefix(b.Name(), "abs_") {
		t.Errorf("names %q and %q", a.Name(), b.Name())
	}
	if _, err := layer.FromConfig("Operation", layer.Config{"function": "conv"}); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("an unknown function: %v", err)
	}
	if _, err := layer.FromConfig("Operation", layer.Config{"function": "abs", "axis": 1}); !errors.Is(err, layer.ErrConfig) {
		t.Errorf("an unknown key: %v", err)
	}
}
