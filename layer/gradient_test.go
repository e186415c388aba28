package layer_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/activation"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// graphCase is a layer with inputs that it accepts.
type graphCase struct {
	name  string
	layer layer.GraphLayer
	in    []layer.Value
}

func graphCases(t testing.TB) []graphCase {
	var cases []graphCase
	add := func(name string, l layer.GraphLayer, in ...layer.Value) {
		cases = append(cases, graphCase{name, l, in})
	}
	for _, a := range activation.Names() {
		add("Dense "+a, newDense(t, 4, layer.DenseOptions{Activation: a}), floats(t, 2, 4))
		add("Activation "+a, must[*layer.Activation](t)(layer.NewActivation(a, layer.Options{})), floats(t, 2, 4))
	}
	add("Dense on a sequence", newDense(t, 2, layer.DenseOptions{NoBias: true}), floats(t, 2, 3, 4))
	add("Dense penalties", newDense(t, 2, layer.DenseOptions{
		Options: layer.Options{Activity: regularizer.L1L2{L1: 0.1, L2: 0.2}},
		Kernel:  layer.WeightOptions{Regularizer: regularizer.L2(0.3)}, Bias: layer.WeightOptions{Initializer: initializer.Constant{Value: 0.3}, Regularizer: regularizer.L1(0.1)}}), floats(t, 3, 4))
	for _, columns := range []bool{false, true} {
		add("Dense orthogonal", newDense(t, 3, layer.DenseOptions{NoBias: true, Kernel: layer.WeightOptions{
			Regularizer: regularizer.Orthogonal{Factor: 0.7, Columns: columns}}}), floats(t, 2, 4))
	}
	add("Dropout", must[*layer.Dropout](t)(layer.NewDropout(0.4, layer.DropoutOptions{})), floats(t, 4, 5))
	add("Flatten", layer.NewFlatten(layer.Options{}), floats(t, 2, 3, 2))
	add("Reshape", must[*layer.Reshape](t)(layer.NewReshape(layer.Shape{2, -1}, layer.Options{})), floats(t, 2, 6))
	add("Concatenate", must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{})), floats(t, 2, 3), floats(t, 2, 4))
	add("Add", layer.NewAdd(layer.Options{}), floats(t, 2, 3), floats(t, 2, 3), floats(t, 2, 3))
	add("Dot vectors", must[*layer.Dot](t)(layer.NewDot([2]int{1, 1}, false, layer.Options{})), floats(t, 3, 4), floats(t, 3, 4))
	add("Dot cosine", must[*layer.Dot](t)(layer.NewDot([2]int{-1, -1}, true, layer.Options{})), floats(t, 3, 4), floats(t, 3, 4))
	add("Dot matrices", must[*layer.Dot](t)(layer.NewDot([2]int{2, 2}, false, layer.Options{})), floats(t, 2, 3, 4), floats(t, 2, 2, 4))
	mask := []bool{true, false, true, true, true, false, false, false, false}
	for _, keep := range []bool{false, true} {
		add("average", layer.NewGlobalAveragePooling1D(keep, layer.Options{}), floats(t, 3, 3, 2))
		add("average masked", layer.NewGlobalAveragePooling1D(keep, layer.Options{}), masked(floats(t, 3, 3, 2), mask...))
		add("sum masked", layer.NewGlobalSumPooling1D(keep, layer.Options{}), masked(floats(t, 3, 3, 2), mask...))
		add("max", layer.NewGlobalMaxPooling1D(keep, layer.Options{}), floats(t, 3, 3, 2))
		add("max masked", layer.NewGlobalMaxPooling1D(keep, layer.Options{}), masked(floats(t, 3, 3, 2), mask...))
	}
	add("Multiply", layer.NewMultiply(layer.Options{}), floats(t, 2, 3), shifted(floats(t, 2, 1)), shifted(floats(t, 2, 3)))
	add("Subtract", layer.NewSubtract(layer.Options{}), floats(t, 2, 3, 2), shifted(floats(t, 2, 2)))
	add("Average", layer.NewAverage(layer.Options{}), floats(t, 2, 3), shifted(floats(t, 2, 3)))
	add("Maximum", layer.NewMaximum(layer.Options{}), floats(t, 2, 3), shifted(floats(t, 2, 3)), vector(t, []int{2, 1}, 0.1, -0.3))
	add("Minimum", layer.NewMinimum(layer.Options{}), floats(t, 2, 3), shifted(floats(t, 2, 3)), vector(t, []int{2, 1}, 0.1, -0.3))
	add("BatchNormalization", newBatchNormalization(t, layer.BatchNormalizationOptions{Epsilon: 0.1}), floats(t, 5, 3))
	add("BatchNormalization masked", newBatchNormalization(t, layer.BatchNormalizationOptions{Epsilon: 0.1}), masked(floats(t, 3, 3, 2), mask...))
	add("BatchNormalization frozen", newBatchNormalization(t, layer.BatchNormalizationOptions{Options: layer.Options{Frozen: true}}), floats(t, 4, 2))
	add("LayerNormalization", newLayerNormalization(t, layer.LayerNormalizationOptions{Epsilon: 0.1, Axes: []int{1, 2}}), floats(t, 2, 3, 2))
	add("FactorizationMachine", layer.NewFactorizationMachine(layer.Options{}), floats(t, 2, 3), shifted(floats(t, 2, 3)), floats(t, 2, 3))
	add("FactorizationMachine masked", layer.NewFactorizationMachine(layer.Options{}), masked(floats(t, 3, 3, 2), mask...))
	add("DotInteraction", layer.NewDotInteraction(true, layer.Options{}), floats(t, 2, 3), shifted(floats(t, 2, 3)), floats(t, 2, 3))
	add("DotInteraction masked", layer.NewDotInteraction(false, layer.Options{}), masked(floats(t, 3, 3, 2), mask...))
	cross := layer.FeatureCrossOptions{DiagScale: 0.3, PreActivation: "tanh", Kernel: layer.WeightOptions{Regularizer: regularizer.L2(0.1)}}
	add("FeatureCross", newFeatureCross(t, cross), floats(t, 2, 4), shifted(floats(t, 2, 4)))
	cross.Projection = 2
	add("FeatureCross of rank 2", newFeatureCross(t, cross), floats(t, 2, 3, 4))
	add("HistoryAttention", layer.NewHistoryAttention(true, layer.Options{}), shifted(floats(t, 3, 2)), floats(t, 3, 3, 2))
	add("HistoryAttention masked", layer.NewHistoryAttention(false, layer.Options{}), floats(t, 3, 2), masked(floats(t, 3, 3, 2), mask...), shifted(floats(t, 3, 3, 4)))
	add("DropMask", layer.NewDropMask(layer.Options{}), masked(floats(t, 3, 3, 2), mask...))
	return cases
}

// program lowers a layer alone; its loss is a weighted sum of its outputs, so
// that no gradient cancels, and its own losses.
func (c graphCase) program(t testing.TB, vars []*layer.Variable) *dense.Program {
	config := dense.Config{Name: c.name, Variables: layer.Specs(vars), Train: true}
	for i := range c.in {
		config.InputGradients = append(config.InputGradients, i)
	}
	config.Build = func(tr *dense.Trace) (dense.Result, error) {
		call := layer.NewCall(tr, vars, true)
		var in []*graph.Node
		masks, next := make([]*graph.Node, len(c.in)), len(c.in)
		for i := range c.in {
			in = append(in, tr.Input(i))
			if c.in[i].Mask != nil {
				masks[i] = tr.Input(next)
				next++
			}
		}
		var loss *graph.Node
		for _, o := range layer.CallMasked(call, c.layer, in, masks) {
			w := graph.AddScalar(graph.MulScalar(graph.Sin(graph.IotaFull(tr.Graph(), o.Shape())), 0.5), 1)
			s := graph.ReduceAllSum(graph.Mul(o, w))
			loss = s
		}
		for _, l := range append(call.Losses(), call.WeightLosses(vars)...) {
			loss = graph.Add(loss, l)
		}
		return dense.Result{Loss: loss}, nil
	}
	return must[*dense.Program](t)(dense.New(config))
}

func TestLayerGradientsMatchFiniteDifferences(t *testing.T) {
	for _, c := range graphCases(t) {
		t.Run(c.name, func(t *testing.T) {
			// A scope of its own, so that the weights, and how near they lie to a
			// kink, do not depend on the tests before.
			if err := layer.Bind(c.layer, layer.NewScope(1)); err != nil {
				t.Fatal(err)
			}
			run(t, c.layer, c.in...) // builds it
			vars := layer.DenseVariables(layer.Of(c.layer).Variables())
			p := c.program(t, vars)
			a := dense.Args{Variables: layer.Values(vars), Step: 3}
			for _, v := range c.in {
				a.Inputs = append(a.Inputs, dense.Floats(v.Floats.Data(), v.Floats.Shape()...))
			}
			for _, v := range c.in {
				if v.Mask != nil {
					a.Inputs = append(a.Inputs, dense.Bools(v.Mask, v.Floats.Shape()[:2]...))
				}
			}
			r := must[*dense.Results](t)(p.Run(a))
			for i := range c.in {
				compareGradient(t, fmt.Sprint("input ", i), p, a, a.Inputs[i].Float, r.InputGradients[i].Float)
			}
			for i, v := range vars {
				if !v.Trainable() {
					continue // a moving average, or all of a frozen layer
				}
				compareGradient(t, v.Name(), p, a, a.Variables[i], r.Gradients[i])
			}
		})
	}
}

func compareGradient(t *testing.T, name string, p *dense.Program, a dense.Args, x, grad []float32) {
	t.Helper()
	const eps = 4e-3
	at := func(v float32, i int) float64 {
		old := x[i]
		x[i] = v
		loss := must[*dense.Results](t)(p.Run(a)).Loss
		x[i] = old
		return float64(loss)
	}
	for i, v := range x {
		want := (at(v+eps, i) - at(v-eps, i)) / (2 * eps)
		if math.Abs(want-float64(grad[i])) > 4e-3*(1+math.Abs(want)) {
			t.Errorf("gradient of %s[%d] = %v, finite difference %v", name, i, grad[i], want)
		}
	}
}
