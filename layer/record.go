package layer

import (
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// record is what a call adds to a model in training.
type record struct {
	losses  []*LossTerm
	updates []*UpdateTerm
	metrics []*MetricTerm
}

// record traces the call once more, for training.
func (n *Node) record() (r *record, err error) {
	b := n.Layer.core()
	l, ok := n.Layer.(GraphLayer)
	if !ok {
		r = new(record)
		if len(n.In) > 0 && !regularizer.IsNone(b.options.Activity) {
			r.losses = []*LossTerm{{layer: b, call: n}}
		}
		return r, nil
	}
	_, err = traceOnce(l, n.In, freeSizes[0], true, func(c *Call, _, _ []*graph.Node) dense.Result {
		r = c.record(n)
		return dense.Result{Updates: c.Updates()}
	})
	return r, err
}

func (c *Call) record(n *Node) *record {
	r := new(record)
	for _, l := range c.losses {
		r.losses = append(r.losses, &LossTerm{layer: l.by, call: n})
	}
	for i, u := range c.updates {
		r.updates = append(r.updates, &UpdateTerm{layer: c.updaters[i], call: n, variable: c.vars[u.Variable]})
	}
	for _, m := range c.metrics {
		r.metrics = append(r.metrics, &MetricTerm{layer: m.by, call: n, name: m.Name})
	}
	for _, m := range c.measures {
		r.metrics = append(r.metrics, &MetricTerm{layer: m.by, call: n, object: m.object})
	}
	return r
}
