package model

import (
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/layer"
)

// Losses, updates and metrics that were added from outside a call stand in the
// config of a functional model beside its layers, in Rowan's own dialect:
//
//	"losses":  [{"tensor": [name, 0, 0]}, {"tensor": …, "layer": name, "call": 0}, …]
//	"updates": [{"tensor": …, "layer": name, "variable": "name/weight"}, …]
//	"metrics": [{"tensor": …, "name": …}, …]
//
// Without a layer it was added to the model; with a call it depends on the
// inputs of that. Functions of weights and metric objects cannot be written
// down, and are left out.

// hasAdditions reports whether the plan has layers that are there for what was
// added, or words for it in its config.
func (m *Model) hasAdditions() bool {
	return len(m.plan.Losses)+len(m.plan.Updates)+len(m.plan.Metrics) > 0
}

// added writes what was added into the config of a functional model.
func (w *configWriter) added(m *Model, c layer.Config) error {
	var losses, updates, metrics []any
	for _, l := range m.plan.Losses {
		if t := l.Tensor(); t != nil {
			losses = append(losses, w.addition(t, l.Layer(), l.Inputs()))
		}
	}
	for _, u := range m.plan.Updates {
		if t := u.Tensor(); t != nil {
			a := w.addition(t, u.Layer(), u.Inputs())
			a["variable"] = u.Variable().Name()
			updates = append(updates, a)
		}
	}
	for _, t := range m.plan.Metrics {
		if t.Metric() == nil {
			a := w.addition(t.Tensor(), t.Layer(), nil)
			a["name"] = t.Name()
			metrics = append(metrics, a)
		}
	}
	for key, all := range map[string][]any{"losses": losses, "updates": updates, "metrics": metrics} {
		if len(all) == 0 {
			continue
		}
		if w.d != layer.Own {
			return errModelConfig("%v has no words for %s that were added to a model or a layer", w.d, key)
		}
		c[key] = all
	}
	return nil
}

func (w *configWriter) addition(t *layer.Tensor, name string, in []*layer.Tensor) layer.Config {
	a := layer.Config{"tensor": w.origin(t)}
	if name != "" {
		a["layer"] = name
	}
	for l, calls := range w.calls {
		if at := slices.IndexFunc(calls, func(n *layer.Node) bool { return slices.Equal(n.In, in) }); at >= 0 && layer.Of(l).Name() == name {
			a["call"] = at
		}
	}
	return a
}

// added reads what was added, and adds it again: to layers at once, to the model
// by what it returns.
func (r *configReader) added(c layer.Config) (layer.Additions, error) {
	var model layer.Additions
	for _, kind := range []struct {
		key string
		add func(addition) error
	}{
		{"losses", func(a addition) error {
			switch {
			case a.base == nil:
				return model.AddLoss(a.tensor)
			case a.in == nil:
				return a.base.AddLoss(a.tensor)
			}
			return a.base.AddLossFor(a.in, a.tensor)
		}},
		{"updates", func(a addition) error {
			switch v := r.variable(a.variable); {
			case a.base == nil || v == nil:
				return errModelConfig("an update needs a layer and a weight of the model. Received: %q, %q", a.layer, a.variable)
			case a.in == nil:
				return a.base.AddUpdate(v, a.tensor)
			default:
				return a.base.AddUpdateFor(a.in, v, a.tensor)
			}
		}},
		{"metrics", func(a addition) error {
			if a.base == nil {
				return model.AddMetric(a.name, a.tensor)
			}
			return a.base.AddMetric(a.name, a.tensor)
		}},
	} {
		list, _ := c[kind.key].([]any)
		for i, v := range list {
			a, err := r.addition(v)
			if err == nil {
				err = kind.add(a)
			}
			if err != nil {
				return model, fmt.Errorf("%s, number %d: %w", kind.key, i, err)
			}
		}
	}
	return model, nil
}

// addition is something added from outside a call, as a config has it.
type addition struct {
	layer, variable, name string
	base                  *layer.Base // of the layer; nil of the model
	in                    []*layer.Tensor
	tensor                *layer.Tensor
}

func (r *configReader) addition(v any) (a addition, err error) {
	c, err := object(v, "what was added")
	if err != nil {
		return a, err
	}
	ref, err := referenceOf(c["tensor"])
	if err != nil {
		return a, err
	}
	ts, ok := r.tensors([]reference{ref})
	if !ok {
		return a, errModelConfig("the tensor %v is no output of a layer", c["tensor"])
	}
	a.tensor = ts[0]
	a.layer, _ = c["layer"].(string)
	a.variable, _ = c["variable"].(string)
	a.name, _ = c["name"].(string)
	if a.layer == "" {
		return a, nil
	}
	if a.base = r.base(a.layer); a.base == nil {
		return a, errModelConfig("there is no layer %q", a.layer)
	}
	if call, given := c["call"]; given {
		a.in, err = a.base.InputAt(wholeNumber(call))
	}
	return a, err
}

// base finds a layer, or one inside another, nil if there is none.
func (r *configReader) base(name string) *layer.Base {
	for _, l := range r.layers {
		for _, one := range append([]layer.Layer{l}, layer.Of(l).Submodules()...) {
			if layer.Of(one).Name() == name {
				return layer.Of(one)
			}
		}
	}
	return nil
}

// variable finds a weight by its full name, nil if there is none.
func (r *configReader) variable(name string) *layer.Variable {
	for _, l := range r.layers {
		for _, v := range layer.Of(l).Variables() {
			if v.Name() == name {
				return v
			}
		}
	}
	return nil
}
