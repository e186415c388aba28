package layer

import (
	"fmt"
	"regexp"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
)

// The sizes that stand for a free dimension while shapes are traced: a
// dimension of an output that differs between the two traces is free. They are
// unlikely sizes, so that nothing matches them by accident.
var freeSizes = [2]int{61, 67}

// otherSize is a third one, for messages.
const otherSize = 71

// sketch is what tracing says of an output: its shape, and that of its mask,
// nil if it has none.
type sketch struct{ shape, mask Shape }

// traceShapes lowers a layer twice to learn its outputs' shapes and which of
// them carry a mask.
func traceShapes(l GraphLayer, in []*Tensor) ([]sketch, error) {
	var sketches [2][]sketch
	for i, free := range freeSizes {
		var err error
		if sketches[i], err = sketchOnce(l, in, free); err != nil {
			return nil, err
		}
	}
	if len(sketches[0]) != len(sketches[1]) {
		return nil, fmt.Errorf("%w: the number of outputs, %d or %d, depends on the size of the inputs", ErrArgument, len(sketches[0]), len(sketches[1]))
	}
	for i, s := range sketches[0] {
		s.shape.free(sketches[1][i].shape)
		s.mask.free(sketches[1][i].mask)
	}
	return sketches[0], nil
}

// free makes the dimensions free that differ in another trace.
func (s Shape) free(other Shape) {
	for d := range s {
		if d < len(other) && s[d] != other[d] {
			s[d] = -1
		}
	}
}

func sketchOnce(l GraphLayer, in []*Tensor, free int) (out []sketch, err error) {
	var masks []Shape
	shapes, err := traceOnce(l, in, free, false, func(_ *Call, _, outMask []*graph.Node) dense.Result {
		masks = make([]Shape, len(outMask))
		for i, m := range outMask {
			if m != nil {
				masks[i] = append(Shape{}, m.Shape().Dimensions...)
			}
		}
		return dense.Result{}
	})
	if err != nil {
		return nil, err
	}
	if len(masks) != len(shapes) {
		return nil, fmt.Errorf("%w: %d masks for %d outputs", ErrMask, len(masks), len(shapes))
	}
	for i, s := range shapes {
		out = append(out, sketch{s, masks[i]})
	}
	return out, nil
}

// lookFunc sees a call that is traced and its results, and may add to what is
// compiled; it may run again where a trace is repeated.
type lookFunc func(c *Call, out, outMask []*graph.Node) dense.Result

// traceOnce lowers a layer alone, with a size for free dimensions, and returns
// the shapes of its outputs. An error has no size that stands for a free
// dimension: the trace is repeated with another one, and where the messages
// then differ is what was free.
func traceOnce(l GraphLayer, in []*Tensor, free int, training bool, look lookFunc) ([]Shape, error) {
	shapes, err := trace(l, in, free, training, look)
	if err != nil {
		if _, other := trace(l, in, otherSize, training, look); other != nil {
			err = &traceError{err, freeMessage(err.Error(), other.Error())}
		}
	}
	return shapes, err
}

// traceError is an error of a trace with another message.
type traceError struct {
	error
	message string
}

func (e *traceError) Error() string { return e.message }

func (e *traceError) Unwrap() error { return e.error }

var wholeNumber = regexp.MustCompile(`[0-9]+`)

// freeMessage puts None, as Keras does, in the place of the numbers that differ
// between two messages which are otherwise the same.
func freeMessage(message, other string) string {
	numbers := wholeNumber.FindAllString(other, -1)
	if wholeNumber.ReplaceAllLiteralString(message, "") != wholeNumber.ReplaceAllLiteralString(other, "") {
		return message
	}
	at := -1
	return wholeNumber.ReplaceAllStringFunc(message, func(n string) string {
		if at++; n != numbers[at] {
			return "None"
		}
		return n
	})
}

// trace is traceOnce with the messages that come.
func trace(l GraphLayer, in []*Tensor, free int, training bool, look lookFunc) ([]Shape, error) {
	vars := DenseVariables(l.core().Variables())
	p, err := dense.New(dense.Config{
		Name:      l.core().Name(),
		Variables: Specs(vars),
		Build: func(t *dense.Trace) (dense.Result, error) {
			nodes, masks := make([]*graph.Node, len(in)), make([]*graph.Node, len(in))
			next := len(in)
			for i, x := range in {
				nodes[i] = t.Input(i)
				if x.masked {
					masks[i] = t.Input(next)
					next++
				}
			}
			c := NewCall(t, vars, training)
			c.free = free
			out, outMask := c.apply(l, nodes, masks)
			r := look(c, out, outMask)
			r.Outputs = castAll(out, dtypes.Float32)
			return r, nil
		},
	})
	if err != nil {
		return nil, err
	}
	dims, err := p.Shapes(traceInputs(in, free))
	if err != nil {
		return nil, err
	}
	shapes := make([]Shape, len(dims))
	for i := range dims {
		shapes[i] = Shape(dims[i])
	}
	return shapes, nil
}

// traceInputs returns arrays without data, then masks for those that have one.
func traceInputs(in []*Tensor, free int) []dense.Array {
	var arrays, masks []dense.Array
	for _, t := range in {
		arrays = append(arrays, dense.Floats(nil, t.shape.sized(free)...))
		if t.masked {
			masks = append(masks, dense.Bools(nil, t.maskShape().sized(free)...))
		}
	}
	return append(arrays, masks...)
}

// sized puts a number in the place of free dimensions.
func (s Shape) sized(free int) []int {
	dims := make([]int, len(s))
	for d, n := range s {
		dims[d] = n
		if n < 0 {
			dims[d] = free
		}
	}
	return dims
}

// maskShape is the shape of the mask of an embedding: all dimensions but the
// row's width. Masks of later layers may differ: a tensor knows its mask's.
func maskShape(dims []int) []int { return dims[:min(len(dims), max(1, len(dims)-1))] }
