package layer

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
)

// The sizes that stand for a free dimension while shapes are traced: a
// dimension of an output that differs between the two traces is free. They are
// unlikely sizes, so that nothing matches them by accident.
var freeSizes = [2]int{61, 67}

// traceShapes lowers a layer twice to learn its outputs' shapes and which of
// them carry a mask.
func traceShapes(l GraphLayer, in []Shape, masked []bool) ([]Shape, []bool, error) {
	var shapes [2][]Shape
	var outMasked []bool
	for i, free := range freeSizes {
		var err error
		if shapes[i], outMasked, err = traceOnce(l, in, masked, free); err != nil {
			return nil, nil, err
		}
	}
	if len(shapes[0]) != len(shapes[1]) {
		return nil, nil, fmt.Errorf("%w: the number of outputs, %d or %d, depends on the size of the inputs", ErrArgument, len(shapes[0]), len(shapes[1]))
	}
	for i, s := range shapes[0] {
		for d := range s {
			if d < len(shapes[1][i]) && s[d] != shapes[1][i][d] {
				s[d] = -1
			}
		}
	}
	return shapes[0], outMasked, nil
}

func traceOnce(l GraphLayer, in []Shape, masked []bool, free int) (shapes []Shape, outMasked []bool, err error) {
	vars := DenseVariables(l.core().Variables())
	p, err := dense.New(dense.Config{
		Name:      l.core().Name(),
		Variables: Specs(vars),
		Build: func(t *dense.Trace) (dense.Result, error) {
			nodes, masks := make([]*graph.Node, len(in)), make([]*graph.Node, len(in))
			next := len(in)
			for i := range in {
				nodes[i] = t.Input(i)
				if masked[i] {
					masks[i] = t.Input(next)
					next++
				}
			}
			out, outMask := NewCall(t, vars, false).apply(l, nodes, masks)
			outMasked = make([]bool, len(out))
			for i, m := range outMask {
				outMasked[i] = m != nil
			}
			return dense.Result{Outputs: out}, nil
		},
	})
	if err != nil {
		return nil, nil, err
	}
	dims, err := p.Shapes(traceInputs(in, masked, free))
	if err != nil {
		return nil, nil, err
	}
	for i := range dims {
		shapes = append(shapes, Shape(dims[i]))
	}
	if len(outMasked) != len(shapes) {
		return nil, nil, fmt.Errorf("%w: %d masks for %d outputs", ErrMask, len(outMasked), len(shapes))
	}
	return shapes, outMasked, nil
}

// traceInputs returns arrays without data, then masks for those that have one.
func traceInputs(in []Shape, masked []bool, free int) []dense.Array {
	var arrays, masks []dense.Array
	for i, s := range in {
		dims := make([]int, len(s))
		for d, n := range s {
			dims[d] = n
			if n < 0 {
				dims[d] = free
			}
		}
		arrays = append(arrays, dense.Floats(nil, dims...))
		if masked[i] {
			masks = append(masks, dense.Bools(nil, maskShape(dims)...))
		}
	}
	return append(arrays, masks...)
}

// maskShape is the shape of the mask of an embedding: all dimensions but the
// row's width. Masks of later layers may differ; a layer that is handed one
// knows only that it covers leading dimensions.
func maskShape(dims []int) []int { return dims[:min(len(dims), max(1, len(dims)-1))] }
