package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan"
)

// Plan is what has to be computed to get from inputs to outputs, in order:
// first the lookups of the host stage, then the nodes of the graph stage.
// It does not change, and is safe for concurrent use.
type Plan struct {
	// Inputs and Outputs are as given.
	Inputs, Outputs []*Tensor
	// Host are the calls of the host stage, HostLayers and IDLayers, each after
	// those it needs.
	Host []*Node
	// Graph are the calls of graph layers, each after those it needs.
	Graph []*Node
	// Layers are all layers but inputs, each once, in the order of their first use.
	Layers []Layer
	// Feeds are the tensors that enter the graph: outputs of host layers and
	// inputs of float32, in the order of their first use.
	Feeds []*Tensor
	// Losses, Updates and Metrics were given from outside a call, to layers of
	// the plan and to the model, and apply here.
	Losses  []*LossTerm
	Updates []*UpdateTerm
	Metrics []*MetricTerm
}

// NewPlan plans the computation of outputs from inputs. Inputs that no output
// needs are allowed. It is an error if an output needs an input that is not
// listed, if two layers share a name, or if ids are an output.
//
// What was added to the layers is part of the plan, with what has to be computed
// for it; more is what was added to the model. A term that depends on a call of
// a layer which is not in the plan is left out.
func NewPlan(inputs, outputs []*Tensor, more ...*Additions) (*Plan, error) {
	if len(inputs) == 0 || len(outputs) == 0 {
		return nil, fmt.Errorf("%w: a model needs at least one input and one output, got %d and %d", ErrArgument, len(inputs), len(outputs))
	}
	p := &Plan{Inputs: slices.Clone(inputs), Outputs: slices.Clone(outputs)}
	for i, t := range inputs {
		if t.usable() != nil || len(t.node.In) > 0 {
			return nil, fmt.Errorf("%w: input %d of the model must come from Input", ErrArgument, i)
		}
	}
	seen := make(map[*Node]bool)
	for i, t := range outputs {
		if t != nil && t.err != nil {
			return nil, fmt.Errorf("output %d of the model: %w", i, t.err)
		}
		if t.floats() != nil {
			return nil, fmt.Errorf("%w: output %d of the model must be the output of a layer that computes floats", ErrStage, i)
		}
		if err := p.visit(t, seen); err != nil {
			return nil, err
		}
		p.feed(t)
	}
	if err := p.gather(more, seen); err != nil {
		return nil, err
	}
	return p, p.checkNames()
}

// visit adds what t needs, then the node of t.
func (p *Plan) visit(t *Tensor, seen map[*Node]bool) error {
	n := t.node
	if seen[n] {
		return nil
	}
	seen[n] = true
	if len(n.In) == 0 {
		if !slices.Contains(p.Inputs, t) {
			return fmt.Errorf("%w: graph disconnected: what is computed needs input %q, which is not among the model's inputs", ErrNotConnected, t.name)
		}
		return nil
	}
	for _, in := range n.In {
		if err := p.visit(in, seen); err != nil {
			return err
		}
	}
	if !slices.Contains(p.Layers, n.Layer) {
		p.Layers = append(p.Layers, n.Layer)
	}
	if n.Layer.core().takesIDs() {
		p.Host = append(p.Host, n)
		return nil
	}
	p.Graph = append(p.Graph, n)
	for _, in := range n.In {
		p.feed(in)
	}
	return nil
}

// feed notes that t enters the graph from outside, if it does.
func (p *Plan) feed(t *Tensor) {
	_, graph := t.node.Layer.(GraphLayer)
	if !graph && !slices.Contains(p.Feeds, t) {
		p.Feeds = append(p.Feeds, t)
	}
}

func (p *Plan) checkNames() error {
	names := make(map[string]bool)
	add := func(l Layer) error {
		name := l.core().Name()
		if names[name] {
			return fmt.Errorf("%w: the name %q is used more than once in the model: all layer names must be unique", ErrArgument, name)
		}
		names[name] = true
		return nil
	}
	for _, t := range p.Inputs {
		if err := add(t.node.Layer); err != nil {
			return err
		}
	}
	for _, l := range p.Layers {
		if err := add(l); err != nil {
			return err
		}
	}
	return nil
}

// Variables returns the weights of all layers, in the order of Layers.
func (p *Plan) Variables() []*Variable {
	var all []*Variable
	for _, l := range p.Layers {
		all = append(all, l.core().Variables()...)
	}
	return all
}

// Tables returns the tables of all layers, each once. Two layers may share one.
func (p *Plan) Tables() []*rowan.Table {
	var all []*rowan.Table
	for _, v := range p.Variables() {
		if v.table != nil && !slices.Contains(all, v.table) {
			all = append(all, v.table)
		}
	}
	return all
}

// trained returns the indices of feeds whose gradients train a table.
func (p *Plan) trained() []int {
	var at []int
	for i, t := range p.Feeds {
		if tableOf(t.node.Layer) != nil && len(t.node.Layer.core().TrainableVariables()) > 0 {
			at = append(at, i)
		}
	}
	return at
}

// tableOf returns the table of a host layer that gradients train: the last that
// is not frozen by itself, else the first. It is nil of other layers.
func tableOf(l Layer) *rowan.Table {
	if _, host := l.(HostLayer); !host {
		return nil
	}
	var table *rowan.Table
	for _, v := range l.core().vars {
		if v.table != nil && (table == nil || !v.frozen) {
			table = v.table
		}
	}
	return table
}

// Lower lowers the graph stage. values and masks belong to Feeds; a mask is nil
// where there is none. It returns the outputs and their masks.
func (p *Plan) Lower(c *Call, values, masks []*graph.Node) (out, outMasks []*graph.Node) {
	at, maskAt := p.lower(c, values, masks)
	return pick(p.Outputs, at), pick(p.Outputs, maskAt)
}

// lower returns the value and the mask of every tensor of the plan.
func (p *Plan) lower(c *Call, values, masks []*graph.Node) (at, maskAt map[*Tensor]*graph.Node) {
	at, maskAt = make(map[*Tensor]*graph.Node), make(map[*Tensor]*graph.Node)
	for i, t := range p.Feeds {
		x := values[i]
		if e, ok := t.node.Layer.(interface{ adaptation() *lora }); ok && e.adaptation() != nil {
			x = e.adaptation().adapt(c, x)
		}
		at[t], maskAt[t] = cast(x, t.dtype().engine()), masks[i]
		if len(t.node.In) > 0 {
			c.addActivity(t.node.Layer.core(), []*graph.Node{at[t]})
		}
	}
	for _, n := range p.Graph {
		in, mask := pick(n.In, at), pick(n.In, maskAt)
		results, resultMasks := c.apply(n.Layer.(GraphLayer), in, mask)
		for i, t := range n.Out {
			at[t], maskAt[t] = results[i], resultMasks[i]
		}
	}
	return at, maskAt
}

func pick(ts []*Tensor, at map[*Tensor]*graph.Node) []*graph.Node {
	nodes := make([]*graph.Node, len(ts))
	for i, t := range ts {
		nodes[i] = at[t]
	}
	return nodes
}
