package layer

import "github.com/gomlx/gomlx/core/graph"

// Regularizer is Keras' L1L2 penalty, L1·Σ|x| + L2·Σx². The zero value is none.
// On a table it is paid by the rows that are touched.
type Regularizer struct {
	L1, L2 float32
}

// L1 returns the penalty l·Σ|x|.
func L1(l float32) Regularizer { return Regularizer{L1: l} }

// L2 returns the penalty l·Σx².
func L2(l float32) Regularizer { return Regularizer{L2: l} }

// IsZero reports whether there is no penalty.
func (r Regularizer) IsZero() bool { return r == Regularizer{} }

// node returns the penalty as a scalar.
func (r Regularizer) node(x *graph.Node) *graph.Node {
	var sum *graph.Node
	if r.L1 != 0 {
		sum = graph.MulScalar(graph.ReduceAllSum(abs(x)), float64(r.L1))
	}
	if r.L2 != 0 {
		l2 := graph.MulScalar(graph.ReduceAllSum(graph.Square(x)), float64(r.L2))
		if sum == nil {
			return l2
		}
		sum = graph.Add(sum, l2)
	}
	return sum
}
