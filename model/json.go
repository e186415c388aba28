package model

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/layer"
)

// Config returns the model as a dialect of Keras writes it, without its weights
// and without what Compile was given:
//
//	Sequential  {"class_name": "Sequential", "config": {"name": …, "layers": [layer, …]}}
//	functional  {"class_name": "Functional", "config": {"name": …, "layers": [
//	                layer and "name", "inbound_nodes": a call of it each, …],
//	                "input_layers": [[name, 0, 0], …], "output_layers": […]}}
//
// What that Keras cannot say is [layer.ErrConfig]. In Rowan's own dialect losses,
// updates and metrics that were added as tensors are there too; a sequential
// model that has some is written as a functional one.
func (m *Model) Config(d layer.Dialect) (layer.Config, error) {
	if err := m.built(); err != nil {
		return nil, err
	}
	plan, err := m.newPlan() // what layers were given since is part of it
	if err != nil {
		return nil, err
	}
	now := &Model{class: m.class, plan: plan}
	w := configWriter{d: d, calls: now.callsOf()}
	if m.class == "sequential" && !now.hasAdditions() {
		return w.sequential(now)
	}
	return w.functional(now)
}

// ToJSON returns Config as JSON, indented.
func (m *Model) ToJSON(d layer.Dialect) ([]byte, error) {
	c, err := m.Config(d)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(c, "", "  ")
}

// callsOf returns the calls of each layer that the model makes, in their order.
func (m *Model) callsOf() map[layer.Layer][]*layer.Node {
	all := make(map[layer.Layer][]*layer.Node)
	used := slices.Concat(m.plan.Host, m.plan.Graph)
	for _, l := range m.plan.Layers {
		for _, n := range layer.Of(l).Nodes() {
			if slices.Contains(used, n) {
				all[l] = append(all[l], n)
			}
		}
	}
	return all
}

// configWriter writes a model in one dialect.
type configWriter struct {
	d     layer.Dialect
	calls map[layer.Layer][]*layer.Node
}

func (w *configWriter) sequential(m *Model) (layer.Config, error) {
	var layers []any
	for _, l := range append([]layer.Layer{m.plan.Inputs[0].Node().Layer}, m.plan.Layers...) {
		c, err := w.d.Encode(l)
		if err != nil {
			return nil, err
		}
		layers = append(layers, c)
	}
	if w.d == layer.TF1 {
		return w.whole("Sequential", layers), nil
	}
	return w.whole("Sequential", layer.Config{"name": "sequential", "layers": layers}), nil
}

func (w *configWriter) functional(m *Model) (layer.Config, error) {
	var layers []any
	for _, t := range m.plan.Inputs {
		c, err := w.called(t.Node().Layer)
		if err != nil {
			return nil, err
		}
		layers = append(layers, c)
	}
	for _, l := range m.plan.Layers {
		c, err := w.called(l)
		if err != nil {
			return nil, err
		}
		layers = append(layers, c)
	}
	class := "Functional"
	if w.d == layer.TF1 {
		class = "Model"
	}
	config := layer.Config{"name": "functional", "layers": layers,
		"input_layers": w.ends(m.plan.Inputs), "output_layers": w.ends(m.plan.Outputs)}
	return w.whole(class, config), w.added(m, config)
}

// whole is what stands around the config of a model.
func (w *configWriter) whole(class string, config any) layer.Config {
	c := layer.Config{"class_name": class, "config": config}
	if w.d == layer.Keras3 {
		c["module"], c["registered_name"] = "keras", nil
		if class == "Functional" {
			c["module"], c["registered_name"] = "keras.src.models.functional", "Functional"
		}
	}
	return c
}

// called is a layer of a functional model, with its calls.
func (w *configWriter) called(l layer.Layer) (layer.Config, error) {
	c, err := w.d.Encode(l)
	if err != nil {
		return nil, err
	}
	calls := []any{}
	for _, n := range w.calls[l] {
		calls = append(calls, w.call(n))
	}
	c["name"], c["inbound_nodes"] = layer.Of(l).Name(), calls
	return c, nil
}

// call writes the inputs of one call.
func (w *configWriter) call(n *layer.Node) any {
	if w.d != layer.Keras3 {
		var in []any
		for _, t := range n.In {
			in = append(in, append(w.origin(t), layer.Config{}))
		}
		return in
	}
	var in []any
	for _, t := range n.In {
		in = append(in, layer.Config{"class_name": "__keras_tensor__", "config": layer.Config{
			"shape": t.Shape().Dimensions(), "dtype": string(t.DType()), "keras_history": w.origin(t)}})
	}
	args := []any{in}
	if len(in) == 1 {
		args = in
	}
	return layer.Config{"args": args, "kwargs": layer.Config{}}
}

// origin is where a tensor comes from: a layer, its call, and which output.
func (w *configWriter) origin(t *layer.Tensor) []any {
	return []any{t.Name(), max(0, slices.Index(w.calls[t.Node().Layer], t.Node())), t.Index()}
}

func (w *configWriter) ends(ts []*layer.Tensor) []any {
	var all []any
	for _, t := range ts {
		all = append(all, w.origin(t))
	}
	return all
}

// errModelConfig is a fault of a model's config.
func errModelConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", layer.ErrConfig, fmt.Sprintf(format, args...))
}
