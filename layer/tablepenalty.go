package layer

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Penalties returns what the regularizers of the plan's tables add to the loss:
// of each table once, over all of its rows, frozen or not, as Keras has it. It
// is [rowan.Table.Penalty], or where a regularizer needs the whole matrix a graph
// of its own. Tables over row stores, which would have to read every row to
// tell, pay their penalties and are left out.
//
// With into, which makes it part of a training step, it adds the gradients of
// the latter kind to the collections of their tables, unless they are frozen; a
// table without one gets it. Tables see to the other kinds themselves.
func (s *HostStage) Penalties(ctx context.Context, into map[*rowan.Table]*rowan.Gradients) (float64, error) {
	sum := 0.0
	for _, t := range s.plan.Tables() {
		if t.Options().Stores != nil {
			continue
		}
		p, err := t.Penalty(ctx)
		if err != nil {
			return 0, err
		}
		sum += p
	}
	for _, v := range s.plan.Variables() {
		if v.table == nil || v.regularizer == nil {
			continue
		}
		w, err := s.whole(v)
		if err != nil {
			return 0, err
		}
		p, err := w.run(ctx, into)
		if err != nil {
			return 0, fmt.Errorf("the regularizer of %q: %w", v.Name(), err)
		}
		sum += float64(p)
	}
	return sum, nil
}

// wholeTable is a table whose regularizer is computed from all of its rows.
type wholeTable struct {
	v        *Variable
	program  *dense.Program
	ids      tensor.IDs
	lookup   rowan.Lookup
	gradient tensor.Values
}

// whole returns what computes the penalty of v, made when it is first needed.
func (s *HostStage) whole(v *Variable) (*wholeTable, error) {
	if w := s.wholes[v]; w != nil {
		return w, nil
	}
	ids, err := rowIDs(0, v.shape[0])
	if err != nil {
		return nil, err
	}
	w := &wholeTable{v: v, ids: ids}
	w.program, err = dense.New(dense.Config{
		Name: "the regularizer of " + v.Name(), Train: true, InputGradients: []int{0},
		Build: func(t *dense.Trace) (dense.Result, error) {
			return dense.Result{Loss: v.regularizer.Penalty(t.Input(0)), Outputs: []*graph.Node{}}, nil
		},
	})
	if err != nil {
		return nil, err
	}
	if s.wholes == nil {
		s.wholes = make(map[*Variable]*wholeTable)
	}
	s.wholes[v] = w
	return w, nil
}

func (w *wholeTable) run(ctx context.Context, into map[*rowan.Table]*rowan.Gradients) (float32, error) {
	table, trains := w.v.table, into != nil && w.v.Trainable()
	if err := table.LookupInto(ctx, &w.lookup, w.ids, rowan.LookupOptions{Training: trains}); err != nil {
		return 0, err
	}
	rows := w.lookup.Values()
	r, err := w.program.Run(dense.Args{Inputs: []dense.Array{dense.Floats(rows.Data(), rows.Shape()...)}})
	if err != nil {
		return 0, err
	}
	if !trains {
		return r.Loss, nil
	}
	if err := w.gradient.Reset(rows.Shape()...); err != nil {
		return 0, err
	}
	copy(w.gradient.Data(), r.InputGradients[0].Float)
	if into[table] == nil {
		into[table] = table.NewGradients()
	}
	return r.Loss, into[table].Add(&w.lookup, &w.gradient)
}
