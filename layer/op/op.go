// Package op has operations on symbolic tensors, to write losses and metrics of
// a functional model as formulas:
//
//	m.AddLoss(op.Abs(op.ReduceMean(x)))
//	m.AddMetric("largest", op.ReduceMax(x))
//
// Each call makes a layer of class Operation, so that what is written this way
// is part of the model and can be put into a config. A function of Go could
// not: use layer.Base.AddLossFunc where no formula will do.
//
// The functions return no error, so that they nest. A tensor that could not be
// made carries its error: layer.Tensor.Err returns it, and so does whatever the
// tensor is given to.
package op

import "github.com/rowan-embeddings/rowan/layer"

func operate(name string, in ...*layer.Tensor) *layer.Tensor {
	return layer.Operate(name, layer.OperationOptions{}, in...)
}

// Abs returns |x| of each number. Its gradient at 0 is 0.
func Abs(x *layer.Tensor) *layer.Tensor { return operate("abs", x) }

// Neg returns -x of each number.
func Neg(x *layer.Tensor) *layer.Tensor { return operate("neg", x) }

// Square returns x² of each number.
func Square(x *layer.Tensor) *layer.Tensor { return operate("square", x) }

// Sqrt returns the square root of each number, NaN below 0.
func Sqrt(x *layer.Tensor) *layer.Tensor { return operate("sqrt", x) }

// Exp returns eˣ of each number.
func Exp(x *layer.Tensor) *layer.Tensor { return operate("exp", x) }

// Log returns the natural logarithm of each number, NaN below 0.
func Log(x *layer.Tensor) *layer.Tensor { return operate("log", x) }

// Add returns x + y. The shapes are equal, or one of the two is a scalar.
func Add(x, y *layer.Tensor) *layer.Tensor { return operate("add", x, y) }

// Sub returns x - y. The shapes are equal, or one of the two is a scalar.
func Sub(x, y *layer.Tensor) *layer.Tensor { return operate("sub", x, y) }

// Mul returns x · y, number by number. The shapes are equal, or one of the two
// is a scalar.
func Mul(x, y *layer.Tensor) *layer.Tensor { return operate("mul", x, y) }

// Div returns x / y, number by number. The shapes are equal, or one of the two
// is a scalar.
func Div(x, y *layer.Tensor) *layer.Tensor { return operate("div", x, y) }

// Maximum returns the larger of x and y, number by number. The shapes are
// equal, or one of the two is a scalar.
func Maximum(x, y *layer.Tensor) *layer.Tensor { return operate("maximum", x, y) }

// Minimum returns the smaller of x and y, number by number. The shapes are
// equal, or one of the two is a scalar.
func Minimum(x, y *layer.Tensor) *layer.Tensor { return operate("minimum", x, y) }

// Scale returns c · x of each number.
func Scale(x *layer.Tensor, c float64) *layer.Tensor {
	return layer.Operate("scale", layer.OperationOptions{Value: c}, x)
}

// Shift returns x + c of each number.
func Shift(x *layer.Tensor, c float64) *layer.Tensor {
	return layer.Operate("shift", layer.OperationOptions{Value: c}, x)
}

// Threshold returns x where it is more than threshold, else the number otherwise;
// both are finite, see activation.Threshold.
func Threshold(x *layer.Tensor, threshold, otherwise float64) *layer.Tensor {
	return layer.Operate("threshold", layer.OperationOptions{Value: threshold, Otherwise: otherwise}, x)
}

// ReduceSum adds numbers up, over some dimensions or, without any, all of them;
// negative ones count from the end.
func ReduceSum(x *layer.Tensor, axes ...int) *layer.Tensor {
	return layer.Operate("reduce_sum", layer.OperationOptions{Axes: axes}, x)
}

// ReduceMean averages over some dimensions or, without any, all of them;
// negative ones count from the end.
func ReduceMean(x *layer.Tensor, axes ...int) *layer.Tensor {
	return layer.Operate("reduce_mean", layer.OperationOptions{Axes: axes}, x)
}

// ReduceMax takes the largest number, over some dimensions or, without any, all
// of them; negative ones count from the end.
func ReduceMax(x *layer.Tensor, axes ...int) *layer.Tensor {
	return layer.Operate("reduce_max", layer.OperationOptions{Axes: axes}, x)
}

// ReduceMin takes the smallest number, over some dimensions or, without any,
// all of them; negative ones count from the end.
func ReduceMin(x *layer.Tensor, axes ...int) *layer.Tensor {
	return layer.Operate("reduce_min", layer.OperationOptions{Axes: axes}, x)
}
