package layer

import (
	"slices"

	"github.com/rowan-embeddings/rowan/regularizer"
)

// Losses returns every term that the layer adds to the loss of a model: of each
// symbolic call what the call adds, penalties on outputs among it; then what was
// added from outside; then the penalties on its dense weights, once. Those of
// sublayers are with them. Tables pay their penalties when rows are updated.
//
// Calls are traced to answer. Runs on data leave nothing behind: [Base.Run]
// returns the losses of each.
func (b *Base) Losses() ([]*LossTerm, error) {
	all, err := b.lossesOf(b.nodes)
	if err != nil {
		return nil, err
	}
	for _, f := range b.family() {
		for _, t := range f.added.losses {
			if t.call != nil {
				all = append(all, t)
			}
		}
	}
	return append(all, b.unconditional()...), nil
}

// LossesFor returns the terms that depend on these inputs: those of the calls
// on exactly them, in that order. Without inputs it returns the unconditional
// terms. Inputs are ErrNotConnected before the first symbolic call.
func (b *Base) LossesFor(in ...*Tensor) ([]*LossTerm, error) {
	if len(in) == 0 {
		return b.unconditional(), nil
	}
	if len(b.nodes) == 0 {
		return nil, b.neverCalled("losses of these inputs")
	}
	calls := b.callsOn(in)
	all, err := b.lossesOf(calls)
	if err != nil {
		return nil, err
	}
	for _, f := range b.family() {
		for _, t := range f.added.losses {
			if t.call != nil && slices.Contains(calls, t.call) {
				all = append(all, t)
			}
		}
	}
	return all, nil
}

// unconditional returns the terms that count once however the layer is called.
func (b *Base) unconditional() []*LossTerm {
	var all []*LossTerm
	for _, f := range b.family() {
		for _, t := range f.added.losses {
			if t.call == nil {
				all = append(all, t)
			}
		}
	}
	return append(all, b.penalties()...)
}

// penalties are the terms of dense weights' regularizers.
func (b *Base) penalties() []*LossTerm {
	var all []*LossTerm
	for _, v := range b.Variables() {
		if v.table == nil && !regularizer.IsNone(v.regularizer) {
			all = append(all, &LossTerm{layer: v.layer, weight: v})
		}
	}
	return all
}

func (b *Base) lossesOf(calls []*Node) ([]*LossTerm, error) {
	var all []*LossTerm
	for _, n := range calls {
		r, err := n.record()
		if err != nil {
			return nil, err
		}
		all = append(all, r.losses...)
	}
	return all, nil
}

// Updates returns every update that the layer makes in a training step: those
// of each symbolic call, then those that were added from outside. A frozen
// layer makes none. Calls are traced to answer.
func (b *Base) Updates() ([]*UpdateTerm, error) {
	return b.updatesOf(b.nodes, func(*UpdateTerm) bool { return true })
}

// UpdatesFor returns the updates that depend on these inputs: those of the
// calls on exactly them. Without inputs it returns the unconditional ones.
// Inputs are ErrNotConnected before the first symbolic call.
func (b *Base) UpdatesFor(in ...*Tensor) ([]*UpdateTerm, error) {
	if len(in) > 0 && len(b.nodes) == 0 {
		return nil, b.neverCalled("updates of these inputs")
	}
	if len(in) == 0 {
		return b.updatesOf(nil, func(u *UpdateTerm) bool { return u.call == nil })
	}
	calls := b.callsOn(in)
	return b.updatesOf(calls, func(u *UpdateTerm) bool { return slices.Contains(calls, u.call) })
}

// updatesOf returns the updates of calls, and of those from outside the ones wanted.
func (b *Base) updatesOf(calls []*Node, wanted func(*UpdateTerm) bool) ([]*UpdateTerm, error) {
	var all []*UpdateTerm
	for _, n := range calls {
		r, err := n.record()
		if err != nil {
			return nil, err
		}
		all = append(all, r.updates...)
	}
	for _, f := range b.family() {
		for _, u := range f.added.updates {
			if !f.frozen && wanted(u) {
				all = append(all, u)
			}
		}
	}
	return all, nil
}

// Metrics returns every metric that the layer reports: those of each symbolic
// call, each object once, then those that were added from outside. Calls are
// traced to answer.
func (b *Base) Metrics() ([]*MetricTerm, error) {
	var all []*MetricTerm
	for _, n := range b.nodes {
		r, err := n.record()
		if err != nil {
			return nil, err
		}
		all = appendMetrics(all, r.metrics)
	}
	for _, f := range b.family() {
		all = append(all, f.added.metrics...)
	}
	return all, nil
}

// LossTerms returns every term of the loss that the plan's calls add, that was
// added to its layers or to the model, and the penalties on dense weights. The
// losses of outputs are not among them. Calls are traced to answer.
func (p *Plan) LossTerms() ([]*LossTerm, error) {
	var all []*LossTerm
	err := p.records(func(r *record) { all = append(all, r.losses...) })
	if err != nil {
		return nil, err
	}
	all = append(all, p.Losses...)
	for _, l := range p.Layers {
		all = append(all, l.core().penalties()...)
	}
	return all, nil
}

// UpdateTerms returns every update of a training step: those of the plan's
// calls, and those that were added to its layers, unless they are frozen.
func (p *Plan) UpdateTerms() ([]*UpdateTerm, error) {
	var all []*UpdateTerm
	err := p.records(func(r *record) { all = append(all, r.updates...) })
	if err != nil {
		return nil, err
	}
	for _, u := range p.Updates {
		if !u.layer.frozen {
			all = append(all, u)
		}
	}
	return all, nil
}

// MetricTerms returns every metric that the plan's calls report, each object
// once, and that was added to its layers or to the model.
func (p *Plan) MetricTerms() ([]*MetricTerm, error) {
	var all []*MetricTerm
	if err := p.records(func(r *record) { all = appendMetrics(all, r.metrics) }); err != nil {
		return nil, err
	}
	return append(all, p.Metrics...), nil
}

// appendMetrics leaves out objects that are there already.
func appendMetrics(all, more []*MetricTerm) []*MetricTerm {
	for _, m := range more {
		same := func(o *MetricTerm) bool { return m.object != nil && o.object == m.object }
		if !slices.ContainsFunc(all, same) {
			all = append(all, m)
		}
	}
	return all
}

// records looks at what each call of the plan adds.
func (p *Plan) records(look func(*record)) error {
	for _, n := range slices.Concat(p.Host, p.Graph) {
		r, err := n.record()
		if err != nil {
			return err
		}
		look(r)
	}
	return nil
}
