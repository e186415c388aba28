// Package regularizer holds penalties on weights and outputs, which are added to
// the loss of a model, and what a table does about each. It computes them, by a
// graph or by hand; when a weight pays, and how often, is for layers, models and
// tables.
//
// On a table, [L1L2] and [Row] cost what the touched rows cost: a row pays when it
// is updated, for all the steps since it last was. Any other regularizer needs
// the whole matrix in the graph. A small static table offers that: all of its
// rows are looked up and trained in each step, as in Keras.
package regularizer

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/nils"
)

// ErrConfig is wrapped by the errors of this package: an unknown name or
// argument, a parameter out of range, a weight that a regularizer is not for.
var ErrConfig = errors.New("regularizer: bad configuration")

// Regularizer is a penalty on a weight, or on the outputs of a layer, that is
// added to the loss of a model. nil is none. Keras' are [L1L2], which [L1] and
// [L2] make too, and [Orthogonal]; [Func] is a function of the graph, [Row] one
// of the rows of a table.
type Regularizer interface {
	// Class is Keras' class name, as configs spell it: "L1L2".
	Class() string
	// Penalty returns the penalty on x, a scalar. It may panic, as graph
	// operations do: who builds the graph recovers it.
	Penalty(x *graph.Node) *graph.Node
}

// IsNone reports whether a regularizer adds nothing.
func IsNone(r Regularizer) bool { return r == nil || r == Regularizer(L1L2{}) }

// Check returns an error that wraps [ErrConfig] if r is a nil pointer, its
// parameters are out of range, or it cannot be a penalty on a dense weight of this
// shape. A nil Regularizer is none, and fits. A table asks [OfTable].
func Check(r Regularizer, shape []int) error {
	if r != nil && nils.Is(r) {
		return fmt.Errorf("%w: a nil %T penalizes nothing: give a value, or leave it out", ErrConfig, r)
	}
	if c, ok := r.(interface{ check(shape []int) error }); ok {
		return c.check(shape)
	}
	return nil
}

// Func is a penalty written in Go, of dense weights, outputs and small static
// tables: it returns a scalar of the graph. It has no config.
type Func func(x *graph.Node) *graph.Node

// Class implements [Regularizer].
func (Func) Class() string { return "regularizer.Func" }

// Penalty implements [Regularizer].
func (f Func) Penalty(x *graph.Node) *graph.Node {
	p := f(x)
	if p == nil || p.Rank() != 0 {
		panic(fmt.Errorf("%w: a function given as a regularizer must return a scalar", ErrConfig))
	}
	return p
}

// Row is a penalty written in Go on each row of a table, dynamic ones too: see
// [rowan.RowPenalty]. A dense weight takes a [Func]. It has no config.
type Row func(row, grad []float32) float32

// Class implements [Regularizer].
func (Row) Class() string { return "regularizer.Row" }

// Penalty implements [Regularizer]: in a graph there are no rows.
func (Row) Penalty(*graph.Node) *graph.Node {
	panic(errRow)
}

var errRow = fmt.Errorf("%w: regularizer.Row is for tables: use regularizer.Func", ErrConfig)

func (Row) check([]int) error { return errRow }
