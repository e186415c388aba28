package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/metric"
)

// gather adds what was added from outside a call, by the model and to its
// layers, and what has to be computed for it. That may bring further layers,
// with additions of their own, so it goes on until nothing is new.
func (p *Plan) gather(more []*Additions, seen map[*Node]bool) error {
	taken := make(map[any]bool)
	for {
		before := len(taken)
		for _, a := range more {
			if err := p.take(a, seen, taken); err != nil {
				return err
			}
		}
		for _, b := range p.bases() {
			if err := p.take(&b.added, seen, taken); err != nil {
				return fmt.Errorf("layer %q: %w", b.Name(), err)
			}
		}
		if len(taken) == before {
			return nil
		}
	}
}

// bases are the layers of the plan, its inputs', and the layers inside.
func (p *Plan) bases() []*Base {
	var all []*Base
	for _, t := range p.Inputs {
		all = append(all, t.node.Layer.core())
	}
	for _, l := range p.Layers {
		all = append(all, l.core().family()...)
	}
	return all
}

// take adds those of a's terms that apply and are not there yet.
func (p *Plan) take(a *Additions, seen map[*Node]bool, taken map[any]bool) error {
	applies := func(term any, call *Node) bool {
		if taken[term] || call != nil && !seen[call] {
			return false
		}
		taken[term] = true
		return true
	}
	for i, l := range a.losses {
		if applies(l, l.call) {
			if err := p.need(l.tensor, seen); err != nil {
				return fmt.Errorf("loss %d that was added: %w", i, err)
			}
			p.Losses = append(p.Losses, l)
		}
	}
	for _, u := range a.updates {
		if applies(u, u.call) {
			if err := p.need(u.tensor, seen); err != nil {
				return fmt.Errorf("update of weight %q that was added: %w", u.variable.Name(), err)
			}
			p.Updates = append(p.Updates, u)
		}
	}
	for _, m := range a.metrics {
		if applies(m, m.call) {
			if err := p.need(m.tensor, seen); err != nil {
				return fmt.Errorf("metric %q that was added: %w", m.Name(), err)
			}
			p.Metrics = append(p.Metrics, m)
		}
	}
	return nil
}

// need makes a tensor part of the plan.
func (p *Plan) need(t *Tensor, seen map[*Node]bool) error {
	if t == nil {
		return nil
	}
	if err := p.visit(t, seen); err != nil {
		return err
	}
	p.feed(t)
	return nil
}

// addTerms adds the plan's losses, updates and metrics from outside to a
// lowering that has computed at.
func (p *Plan) addTerms(c *Call, at map[*Tensor]*graph.Node) {
	for _, l := range p.Losses {
		c.within(l.layer, func() {
			if l.tensor != nil {
				c.addLoss(l.layer, at[l.tensor])
			} else {
				c.addLoss(l.layer, l.node(c))
			}
		})
	}
	for _, u := range p.Updates {
		c.within(u.layer, func() { c.addUpdate(u, at[u.tensor]) })
	}
	for _, m := range p.Metrics {
		if m.object != nil {
			c.measure(m.layer, m.object, at[m.tensor])
		} else {
			c.metrics = append(c.metrics, addedMetric{m.layer, NamedNode{m.name, at[m.tensor]}})
		}
	}
}

// MetricObjects returns the metric objects that layers' calls report to, and
// those that were added from outside, each once.
func (p *Plan) MetricObjects() []metric.Metric {
	var all []metric.Metric
	add := func(m metric.Metric) {
		if m != nil && !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	for _, b := range p.bases() {
		for _, m := range b.added.tracked {
			add(m)
		}
	}
	for _, m := range p.Metrics {
		add(m.object)
	}
	return all
}
