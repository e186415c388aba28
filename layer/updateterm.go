package layer

import "github.com/gomlx/gomlx/core/graph"

// UpdateFunc computes the new value of a weight from weights: [Call.Var] gives
// them, as they were before the step.
type UpdateFunc func(c *Call) *graph.Node

// UpdateTerm is a new value that a weight is given after each training step: by
// the call of its layer, such as a running mean, or by a rule that was added to
// the layer. It depends on the inputs of one call, or is unconditional.
type UpdateTerm struct {
	layer    *Base
	call     *Node // whose inputs it depends on; nil if unconditional
	variable *Variable
	tensor   *Tensor
	f        UpdateFunc
}

// Layer returns the name of the layer that makes the update.
func (u *UpdateTerm) Layer() string { return nameOf(u.layer) }

// Inputs returns what the layer was called on where the update was added, nil
// of an unconditional one.
func (u *UpdateTerm) Inputs() []*Tensor { return inputsOf(u.call) }

// Variable returns the weight that is updated.
func (u *UpdateTerm) Variable() *Variable { return u.variable }

// Tensor returns the symbolic value that was given to AddUpdate, else nil.
func (u *UpdateTerm) Tensor() *Tensor { return u.tensor }
