package layer

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Value is a batch of data: ids, or floats. Exactly one of IDs and Floats is set.
type Value struct {
	// IDs is a batch of ids.
	IDs tensor.IDs
	// Floats is an array whose first dimension is the batch.
	Floats *tensor.Values
	// Mask says which entries of Floats count; nil without a mask. Run takes one,
	// an input of a model does not: masks come from its embeddings.
	Mask []bool
	// Splits says where each bag of ragged Floats begins and ends; nil if they are rectangular.
	Splits []int64
}

// HostStage runs the lookups of a plan. It holds the memory of one batch, so a
// goroutine needs its own.
//
//	arrays := stage.Lookup(ids)          host: rows in, rectangles out
//	results := program.Run(arrays)       graph: loss, gradients
//	stage.Backward(results, gradients)   host: gradients to their tables
//	stage.Learn()                        host: new tokens to their vocabularies
type HostStage struct {
	plan    *Plan
	rows    map[*Node]*Rows
	maps    map[Layer]*Mapping // of IDLayers
	trained []int
	arrays  []dense.Array
	wholes  map[*Variable]*wholeTable // of Penalties
}

// NewHostStage returns a stage for one goroutine.
func (p *Plan) NewHostStage() *HostStage {
	s := &HostStage{plan: p, rows: make(map[*Node]*Rows), maps: make(map[Layer]*Mapping), trained: p.trained()}
	for _, n := range p.Host {
		if _, ok := n.Layer.(HostLayer); ok {
			s.rows[n] = &Rows{feature: feature(n)}
		} else {
			s.maps[n.Layer] = new(Mapping)
		}
	}
	return s
}

// feature is the name of the input that a call of the host stage begins at.
func feature(n *Node) string {
	for len(n.In[0].node.In) > 0 {
		n = n.In[0].node
	}
	return n.In[0].name
}

// Lookup looks the ids of a batch up. in belongs to Plan.Inputs. The result is
// what the plan's program takes first: an array for each feed, then a mask for
// each masked feed. It is valid until the next Lookup.
func (s *HostStage) Lookup(ctx context.Context, training bool, in ...Value) ([]dense.Array, error) {
	if len(in) != len(s.plan.Inputs) {
		return nil, fmt.Errorf("%w: the model has %d inputs, got %d", ErrShape, len(s.plan.Inputs), len(in))
	}
	at := make(map[*Tensor]Value, len(in))
	for i, t := range s.plan.Inputs {
		if err := t.accepts(in[i]); err != nil {
			return nil, err
		}
		at[t] = in[i]
	}
	for _, m := range s.maps {
		m.begin()
	}
	for _, n := range s.plan.Host {
		if err := guard(func() error { return s.call(ctx, n, at, training) }); err != nil {
			return nil, fmt.Errorf("layer %q: %w", n.Layer.core().Name(), err)
		}
	}
	return s.feeds(at)
}

// call computes a node of the host stage.
func (s *HostStage) call(ctx context.Context, n *Node, at map[*Tensor]Value, training bool) error {
	ids := at[n.In[0]].IDs
	if l, ok := n.Layer.(HostLayer); ok {
		return l.Lookup(ctx, s.rows[n], ids, training)
	}
	ids, err := n.Layer.(IDLayer).Map(ctx, s.maps[n.Layer], ids, training)
	at[n.Out[0]] = Value{IDs: ids}
	return err
}

// Learn makes the layers' own what the last Lookup, one that trains, showed them
// for the first time: a vocabulary's new tokens. Call it once a step when nothing
// can stop the step any more, before gradients are applied; without it the layers
// stay as they are. A layer that was taught elsewhere since the Lookup is
// rowan.ErrStale, and the step must not be taken, though layers before it have
// learned.
func (s *HostStage) Learn() error {
	for _, l := range s.plan.Layers {
		learner, ok := l.(Learner)
		if !ok {
			continue
		}
		if err := guard(func() error { return learner.Learn(s.maps[l]) }); err != nil {
			return fmt.Errorf("layer %q: %w", l.core().Name(), err)
		}
	}
	return nil
}

// feeds gathers the arrays that enter the graph.
func (s *HostStage) feeds(at map[*Tensor]Value) ([]dense.Array, error) {
	arrays := s.arrays[:0]
	var masks []dense.Array
	for _, t := range s.plan.Feeds {
		values, mask, err := s.feed(t, at)
		if err != nil {
			return nil, err
		}
		shape := values.Shape()
		arrays = append(arrays, dense.Floats(values.Data(), shape...))
		if !t.masked {
			if s.rows[t.node] != nil && s.rows[t.node].ragged {
				return nil, fmt.Errorf("%w: input %q got ragged ids: declare it Ragged, or give its embedding a combiner", ErrShape, t.name)
			}
			continue
		}
		masks = append(masks, dense.Bools(mask, maskShape(shape)...))
	}
	s.arrays = append(arrays, masks...)
	return s.arrays, nil
}

func (s *HostStage) feed(t *Tensor, at map[*Tensor]Value) (*tensor.Values, []bool, error) {
	if r := s.rows[t.node]; r != nil {
		values, mask, err := r.Feed()
		if t.masked && len(mask) == 0 && err == nil {
			mask = r.all() // rectangular ids where ragged ones were declared
		}
		return values, mask, err
	}
	v := at[t]
	return v.Floats, v.Mask, nil
}

// Backward adds the gradients of a training run to the collections of their
// tables; a table without one gets it.
func (s *HostStage) Backward(r *dense.Results, into map[*rowan.Table]*rowan.Gradients) error {
	for i, at := range s.trained {
		t := s.plan.Feeds[at]
		table := tableOf(t.node.Layer)
		if into[table] == nil {
			into[table] = table.NewGradients()
		}
		a := r.InputGradients[i]
		grad, err := tensor.NewValues(a.Float, a.Shape...)
		if err != nil {
			return err
		}
		if err := s.rows[t.node].Backward(into[table], grad); err != nil {
			return fmt.Errorf("layer %q: %w", t.node.Layer.core().Name(), err)
		}
	}
	return nil
}

// accepts checks data against a symbolic input.
func (t *Tensor) accepts(v Value) error {
	switch {
	case t.ids && nils.Is(v.IDs):
		return fmt.Errorf("%w: input %q takes ids, got floats", ErrStage, t.name)
	case !t.ids && v.Floats == nil:
		return fmt.Errorf("%w: input %q takes floats, got ids", ErrStage, t.name)
	case v.Mask != nil || v.Splits != nil:
		return fmt.Errorf("%w: input %q takes whole arrays, got one with a mask or splits: ids that are masked or ragged go through an embedding of the model", ErrMask, t.name)
	}
	var dims Shape
	if t.ids {
		dims = v.IDs.Shape()
	} else {
		dims = v.Floats.Shape()
	}
	if !t.shape.Accepts(dims) {
		return fmt.Errorf("%w: input %q expects shape %v, got %v", ErrShape, t.name, t.shape, dims)
	}
	return nil
}
