package dense

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Trace is one lowering of a program into a graph, for one set of input
// shapes. It lives while [Config.Build] runs, and belongs to its goroutine.
type Trace struct {
	graph  *graph.Graph
	inputs []*graph.Node
	vars   []*graph.Node // by variable, nil until used
	config *Config
	feeds  []feed // one a parameter, in order of creation
	scopes []string
}

// feed says what a parameter of the graph is filled with at each run: an
// input, a variable, or random numbers.
type feed struct {
	kind  feedKind
	index int    // of the input or variable
	key   uint64 // stream of the random numbers
	shape shapes.Shape
}

type feedKind uint8

const (
	feedInput feedKind = iota
	feedVariable
	feedRandom
)

// Graph returns the graph that is being built, for constants.
func (t *Trace) Graph() *graph.Graph { return t.graph }

// Input returns input i. One that a run does not bring is an error.
func (t *Trace) Input(i int) *graph.Node {
	if i >= len(t.inputs) {
		panic(fmt.Errorf("%w: %s reads input %d, but got %d inputs: are labels or weights missing?", ErrInput, t.config.Name, i, len(t.inputs)))
	}
	return t.inputs[i]
}

// Variable returns variable i of the program's config as a node. Only those
// that are asked for are copied in at each run.
func (t *Trace) Variable(i int) *graph.Node {
	if t.vars[i] == nil {
		v := t.config.Variables[i]
		t.vars[i] = t.parameter(fmt.Sprintf("variable %d", i), feed{
			kind: feedVariable, index: i, shape: shapes.Make(dtypes.Float32, v.Shape...)})
	}
	return t.vars[i]
}

// Uniform returns an array of numbers in [0, 1) that are new at every step: a
// pure function of (Config.Seed, Args.Step, stream, index in the array). Two
// calls with one stream return equal numbers; a layer uses its own.
func (t *Trace) Uniform(stream uint64, shape ...int) *graph.Node {
	return t.parameter(fmt.Sprintf("random %d", len(t.feeds)), feed{
		kind: feedRandom, key: stream, shape: shapes.Make(dtypes.Float32, shape...)})
}

// Scope runs f with name added to the errors of what it traces. Scopes nest:
// an error names the path, as in "tower/dense_1".
func (t *Trace) Scope(name string, f func()) {
	t.scopes = append(t.scopes, name)
	f()
	t.scopes = t.scopes[:len(t.scopes)-1] // a panic keeps the scope, for its error
}

func (t *Trace) parameter(name string, f feed) *graph.Node {
	t.feeds = append(t.feeds, f)
	return graph.Parameter(t.graph, name, f.shape)
}

// Result is what a traced program computes.
type Result struct {
	// Loss is a scalar that gradients are taken of; nil where none are.
	Loss *graph.Node
	// Outputs are returned by every run, in this order: predictions, metrics,
	// the parts of a loss.
	Outputs []*graph.Node
	// Updates are new values for variables, such as batch statistics.
	Updates []Update
}

// Update is a new value for a variable, which the caller stores after the step.
type Update struct {
	// Variable is its index in Config.Variables.
	Variable int
	// Value has the variable's shape.
	Value *graph.Node
}

// gradients appends the nodes of the gradients of loss by trainable variables
// that the graph uses, then by the chosen inputs.
func (t *Trace) gradients(loss *graph.Node, e *executable) ([]*graph.Node, error) {
	if loss == nil {
		return nil, fmt.Errorf("%w: %s has no loss to take gradients of", ErrGraph, t.config.Name)
	}
	if loss.Rank() != 0 {
		return nil, fmt.Errorf("%w: the loss of %s has shape %v, want a scalar", ErrGraph, t.config.Name, loss.Shape().Dimensions)
	}
	var by []*graph.Node
	for i, v := range t.vars {
		if v != nil && t.config.Variables[i].Trainable {
			by = append(by, v)
			e.varGrads = append(e.varGrads, i)
		}
	}
	for _, i := range t.config.InputGradients {
		by = append(by, t.inputs[i])
	}
	if len(by) == 0 {
		return nil, nil
	}
	return graph.Gradient(loss, by...), nil
}
