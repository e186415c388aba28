// Package kink has the functions of a graph that bend at 0, or were written so
// that they do, with the gradients that Keras has there. GoMLX's own have others,
// by which a weight that starts at 0 would train otherwise.
package kink

import "github.com/gomlx/gomlx/core/graph"

// Abs is |x| with gradient 0 at 0, as Keras has; the engine's own has 1.
func Abs(x *graph.Node) *graph.Node { return graph.Mul(x, graph.StopGradient(graph.Sign(x))) }

// Relu has gradient 0 at 0, as Keras' has.
func Relu(x *graph.Node) *graph.Node {
	return graph.Where(graph.GreaterThan(x, graph.ScalarZero(x.Graph(), x.DType())), x, graph.ZerosLike(x))
}

// Softplus is log(1 + exp(x)), without overflow: max(x, 0) + log(1 + exp(-|x|)).
// Maximum and absolute value are written as products with constant factors,
// so that the gradient at 0 is sigmoid(0), where a kinked form has another.
func Softplus(x *graph.Node) *graph.Node {
	positive := graph.GreaterOrEqual(x, graph.ScalarZero(x.Graph(), x.DType()))
	step := graph.ConvertDType(positive, x.DType()) // 1 or 0, constant
	sign := graph.AddScalar(graph.MulScalar(step, 2), -1)
	return graph.Add(graph.Mul(x, step), graph.Log1P(graph.Exp(graph.Neg(graph.Mul(x, sign)))))
}
