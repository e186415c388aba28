package regularizer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/kink"
)

// L1L2 is Keras' penalty L1·Σ|x| + L2·Σx².
type L1L2 struct {
	L1, L2 float32
}

// L1 returns the penalty l·Σ|x|.
func L1(l float32) Regularizer { return L1L2{L1: l} }

// L2 returns the penalty l·Σx².
func L2(l float32) Regularizer { return L1L2{L2: l} }

// Class implements [Regularizer].
func (L1L2) Class() string { return "L1L2" }

// Penalty implements [Regularizer].
func (r L1L2) Penalty(x *graph.Node) *graph.Node {
	l1 := func() *graph.Node { return graph.MulScalar(graph.ReduceAllSum(kink.Abs(x)), float64(r.L1)) }
	l2 := func() *graph.Node { return graph.MulScalar(graph.ReduceAllSum(graph.Square(x)), float64(r.L2)) }
	switch {
	case r.L2 == 0:
		return l1()
	case r.L1 == 0:
		return l2()
	}
	return graph.Add(l1(), l2())
}

// Value is the penalty on numbers at hand, summed in order.
func (r L1L2) Value(x []float32) float32 {
	var l1, l2 float64
	for _, v := range x {
		l1 += max(float64(v), -float64(v))
		l2 += float64(float64(v) * float64(v))
	}
	return float32(float64(float64(r.L1)*l1) + float64(float64(r.L2)*l2))
}

// check is what Check asks.
func (r L1L2) check([]int) error {
	if !(r.L1 >= 0) || !(r.L2 >= 0) || r.L1-r.L1 != 0 || r.L2-r.L2 != 0 {
		return fmt.Errorf("%w: L1L2: expected non-negative floats. Received: l1=%v, l2=%v", ErrConfig, r.L1, r.L2)
	}
	return nil
}
