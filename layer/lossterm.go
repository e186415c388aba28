package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
)

// LossFunc computes a loss, a scalar, from weights: [Call.Var] gives them.
type LossFunc func(c *Call) *graph.Node

// LossTerm is one term that a layer, or a model, adds to the loss: by its call,
// by a penalty on its outputs or weights, or because it was given one.
//
// A term depends on the inputs of one call of its layer, or is unconditional:
// then it counts once in every model that the layer is part of.
type LossTerm struct {
	layer  *Base // nil of a model
	call   *Node // whose inputs it depends on; nil if unconditional
	tensor *Tensor
	f      LossFunc
	weight *Variable
}

// Layer returns the name of the layer that adds the term, "" of a model.
func (l *LossTerm) Layer() string { return nameOf(l.layer) }

// Inputs returns what the layer was called on where the term was added, nil of
// an unconditional term.
func (l *LossTerm) Inputs() []*Tensor { return inputsOf(l.call) }

// Tensor returns the symbolic loss that was given to AddLoss, else nil.
func (l *LossTerm) Tensor() *Tensor { return l.tensor }

// Variable returns the weight that the term is a penalty on, else nil.
func (l *LossTerm) Variable() *Variable { return l.weight }

// Value computes a term that depends on weights alone: a penalty, or a
// function given to AddLossFunc. Other terms need data, and are ErrArgument:
// Run returns them, and a model's loss has them. It reads weights, which
// nobody may train meanwhile.
func (l *LossTerm) Value() (float32, error) {
	if l.f == nil && l.weight == nil {
		return 0, fmt.Errorf("%w: a loss of layer %q that depends on inputs has no value without data: run the layer, or evaluate the model", ErrArgument, l.Layer())
	}
	p, err := dense.New(dense.Config{Name: "a loss of layer " + l.Layer(), Build: func(t *dense.Trace) (dense.Result, error) {
		c := NewCall(t, nil, false)
		c.constant = true
		return dense.Result{Outputs: []*graph.Node{l.node(c)}}, nil
	}})
	if err != nil {
		return 0, err
	}
	r, err := p.Run(dense.Args{})
	if err != nil {
		return 0, err
	}
	return r.Outputs[0].Float[0], nil
}

// node computes a term that depends on weights alone.
func (l *LossTerm) node(c *Call) *graph.Node {
	if l.weight != nil {
		return l.weight.regularizer.Penalty(c.Var(l.weight))
	}
	n := l.f(c)
	if n == nil {
		graphPanic("%w: a function given to AddLossFunc returned no loss", ErrArgument)
	}
	return n
}

func nameOf(b *Base) string {
	if b == nil {
		return ""
	}
	return b.Name()
}

func inputsOf(call *Node) []*Tensor {
	if call == nil {
		return nil
	}
	return slices.Clone(call.In)
}
