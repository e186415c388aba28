package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/rowan-embeddings/rowan/layer"
)

// ConfigOptions say how a model is made from its config. The zero value works.
type ConfigOptions struct {
	// Custom makes layers of other classes, or replaces those of package layer.
	Custom map[string]layer.Constructor
	// Seed is that of the first weights. Default: 0.
	Seed uint64
}

// FromJSON makes the model that [Model.ToJSON] or to_json of TensorFlow 1.4,
// Keras 2, tf-keras or Keras 3 has written. See [FromConfig].
func FromJSON(text []byte, o ConfigOptions) (*Model, error) {
	var c layer.Config
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&c); err != nil {
		return nil, errModelConfig("a model's JSON: %v", err)
	}
	if d.More() {
		return nil, errModelConfig("a model's JSON: something follows the model")
	}
	return FromConfig(c, o)
}

// FromConfig makes the model that [Model.Config] or a Keras describes, with new
// weights. An input whose type is that of numbers becomes one of int64 ids where
// all that takes it looks ids up, since Keras casts for an Embedding. What a
// config says of an optimizer, a loss and metrics is not read: Compile takes
// them. A model inside a model, and an argument of a call that is no tensor, are
// [layer.ErrConfig].
func FromConfig(c layer.Config, o ConfigOptions) (*Model, error) {
	r := configReader{o: o, scope: layer.NewScope(o.Seed), layers: map[string]layer.Layer{},
		inputs: map[string]layer.InputOptions{}, out: map[origin][]*layer.Tensor{}}
	switch class, _ := c["class_name"].(string); class {
	case "Sequential":
		return r.sequential(c["config"])
	case "Functional", "Model":
		config, err := object(c["config"], "the model's config")
		if err != nil {
			return nil, err
		}
		return r.functional(config)
	default:
		return nil, errModelConfig("class_name must be Sequential, Functional or Model. Received: %v", c["class_name"])
	}
}

// origin is one call of a layer: its outputs are named by it.
type origin struct {
	layer string
	call  int
}

// configReader reads one model.
type configReader struct {
	o      ConfigOptions
	scope  *layer.Scope
	layers map[string]layer.Layer
	inputs map[string]layer.InputOptions // not made yet: see idInputs
	out    map[origin][]*layer.Tensor
}

// pending is a call that waits for its inputs.
type pending struct {
	at origin
	in []reference
}

// reference names a tensor.
type reference struct {
	origin
	index int
}

func (r *configReader) sequential(config any) (*Model, error) {
	objects, build, err := stackOf(config)
	if err != nil {
		return nil, err
	}
	s := &Sequential{Model: Model{class: "sequential"}}
	for i, c := range objects {
		l, err := r.stacked(c, objects[i+1:], build, i)
		if err != nil {
			return nil, err
		}
		for _, one := range l {
			if err := s.Add(one); err != nil {
				return nil, err
			}
		}
	}
	return &s.Model, s.built()
}

// stackOf returns the layers of a sequential model, and the shape of its input
// if the config has one apart from them.
func stackOf(config any) (objects []layer.Config, build []any, err error) {
	list, ok := config.([]any)
	if !ok {
		c, err := object(config, "the model's config")
		if err != nil {
			return nil, nil, err
		}
		if list, ok = c["layers"].([]any); !ok {
			return nil, nil, errModelConfig("a sequential model needs a list of layers. Received: %v", c["layers"])
		}
		build, _ = c["build_input_shape"].([]any)
	}
	for i, v := range list {
		c, err := object(v, fmt.Sprintf("layer %d of the model", i))
		if err != nil {
			return nil, nil, err
		}
		objects = append(objects, c)
	}
	return objects, build, nil
}

// stacked makes layer i of a stack; the first may bring an input before it.
func (r *configReader) stacked(c layer.Config, after []layer.Config, build []any, i int) ([]layer.Layer, error) {
	if c["class_name"] == "InputLayer" {
		o, err := r.input(c)
		if err != nil {
			return nil, err
		}
		if len(after) > 0 {
			next, err := layer.Decode(after[0], r.o.Custom)
			if err != nil {
				return nil, err
			}
			o = asIDs(o, next)
		}
		in, err := Start(o)
		return []layer.Layer{in}, err
	}
	l, err := layer.Decode(c, r.o.Custom)
	if err != nil || i > 0 {
		return []layer.Layer{l}, err
	}
	o, err := r.implied(l, build)
	if err != nil || o.Shape == nil {
		return []layer.Layer{l}, err
	}
	in, err := Start(o)
	return []layer.Layer{in, l}, err
}

// implied is the input that the first layer of a stack needs.
func (r *configReader) implied(l layer.Layer, build []any) (o layer.InputOptions, err error) {
	if b, ok := l.(beginner); ok {
		o = b.ImpliedInput()
	}
	if o.Shape == nil && build != nil {
		if o, err = layer.InputFromConfig(layer.Config{"batch_shape": build}); err != nil {
			return o, err
		}
	}
	o.Scope = r.scope
	return asIDs(o, l), nil
}

// input reads the options of an InputLayer.
func (r *configReader) input(c layer.Config) (layer.InputOptions, error) {
	args, err := object(c["config"], "the config of an InputLayer")
	if err != nil {
		return layer.InputOptions{}, err
	}
	o, err := layer.InputFromConfig(args)
	o.Scope = r.scope
	return o, err
}

// asIDs makes an input one of ids, if what takes it looks ids up.
func asIDs(o layer.InputOptions, taker layer.Layer) layer.InputOptions {
	switch taker.(type) {
	case layer.HostLayer, layer.IDLayer:
		o.IDs = true
	}
	return o
}

func (r *configReader) functional(c layer.Config) (*Model, error) {
	list, ok := c["layers"].([]any)
	if !ok {
		return nil, errModelConfig("a functional model needs a list of layers. Received: %v", c["layers"])
	}
	var calls []pending
	for i, v := range list {
		one, err := object(v, fmt.Sprintf("layer %d of the model", i))
		if err != nil {
			return nil, err
		}
		more, err := r.declare(one)
		if err != nil {
			return nil, err
		}
		calls = append(calls, more...)
	}
	if err := r.makeInputs(calls); err != nil {
		return nil, err
	}
	if err := r.connect(calls); err != nil {
		return nil, err
	}
	inputs, err := r.ends(c["input_layers"], "input_layers")
	if err != nil {
		return nil, err
	}
	outputs, err := r.ends(c["output_layers"], "output_layers")
	if err != nil {
		return nil, err
	}
	m := &Model{class: "functional"}
	if m.added, err = r.added(c); err != nil {
		return nil, err
	}
	return m, m.use(inputs, outputs)
}

// declare makes a layer, and returns the calls of it.
func (r *configReader) declare(c layer.Config) ([]pending, error) {
	name, _ := c["name"].(string)
	if args, err := object(c["config"], "a layer's config"); err == nil && name == "" {
		name, _ = args["name"].(string)
	}
	_, twice := r.layers[name]
	if _, input := r.inputs[name]; name == "" || twice || input {
		return nil, errModelConfig("layers need names of their own. Received: %q", name)
	}
	if c["class_name"] == "InputLayer" {
		o, err := r.input(c)
		o.Name = name
		r.inputs[name] = o
		return nil, err
	}
	l, err := layer.Decode(c, r.o.Custom)
	if err != nil {
		return nil, fmt.Errorf("layer %q: %w", name, err)
	}
	r.layers[name] = l
	r.scope.Reserve(name)
	nodes, _ := c["inbound_nodes"].([]any)
	var calls []pending
	for i, n := range nodes {
		p := pending{at: origin{name, i}}
		if p.in, err = references(n); err != nil {
			return nil, fmt.Errorf("call %d of layer %q: %w", i, name, err)
		}
		calls = append(calls, p)
	}
	return calls, nil
}

// makeInputs makes the inputs, knowing what takes them.
func (r *configReader) makeInputs(calls []pending) error {
	takers := make(map[string][]layer.Layer)
	for _, p := range calls {
		for _, in := range p.in {
			takers[in.layer] = append(takers[in.layer], r.layers[p.at.layer])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.inputs)) {
		o := r.inputs[name]
		looksUp := func(l layer.Layer) bool { return asIDs(layer.InputOptions{}, l).IDs }
		if all := takers[name]; len(all) > 0 && !slices.ContainsFunc(all, func(l layer.Layer) bool { return !looksUp(l) }) {
			o.IDs = true
		}
		t, err := layer.Input(o)
		if err != nil {
			return err
		}
		r.out[origin{name, 0}] = []*layer.Tensor{t}
	}
	return nil
}

// connect makes the calls, each once its inputs are there.
func (r *configReader) connect(calls []pending) error {
	for len(calls) > 0 {
		var wait []pending
		for _, p := range calls {
			in, ok := r.tensors(p.in)
			if _, first := r.out[origin{p.at.layer, p.at.call - 1}]; !ok || p.at.call > 0 && !first {
				wait = append(wait, p)
				continue
			}
			out, err := layer.Of(r.layers[p.at.layer]).ApplyAll(in...)
			if err != nil {
				return err
			}
			r.out[p.at] = out
		}
		if len(wait) == len(calls) {
			return errModelConfig("call %d of layer %q takes what no layer gives: %v", wait[0].at.call, wait[0].at.layer, wait[0].in)
		}
		calls = wait
	}
	return nil
}

// tensors returns what references name, if all of it is there.
func (r *configReader) tensors(refs []reference) ([]*layer.Tensor, bool) {
	var all []*layer.Tensor
	for _, ref := range refs {
		out := r.out[ref.origin]
		if ref.index < 0 || ref.index >= len(out) {
			return nil, false
		}
		all = append(all, out[ref.index])
	}
	return all, true
}

// ends returns the inputs or outputs of the model: [[name, call, index], …],
// one of them alone, or a map of them.
func (r *configReader) ends(v any, what string) ([]*layer.Tensor, error) {
	if m, ok := v.(map[string]any); ok {
		var list []any
		for _, key := range slices.Sorted(maps.Keys(m)) {
			list = append(list, m[key])
		}
		v = list
	}
	list, _ := v.([]any)
	if len(list) > 0 {
		if _, alone := list[0].(string); alone {
			list = []any{list}
		}
	}
	var refs []reference
	for _, one := range list {
		ref, err := referenceOf(one)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		refs = append(refs, ref)
	}
	all, ok := r.tensors(refs)
	if !ok || len(all) == 0 {
		return nil, errModelConfig("%s must name layers of the model. Received: %v", what, v)
	}
	return all, nil
}

// references reads the inputs of one call, as Keras 2 or as Keras 3 has them.
func references(node any) ([]reference, error) {
	if c, ok := node.(map[string]any); ok {
		if err := noArguments(c["kwargs"]); err != nil {
			return nil, err
		}
		return historyOf(c["args"])
	}
	list, ok := node.([]any)
	if !ok {
		return nil, errModelConfig("the inputs of a call must be a list. Received: %v", node)
	}
	var refs []reference
	for _, v := range list {
		ref, err := referenceOf(v)
		if err != nil {
			return nil, err
		}
		if one := v.([]any); len(one) > 3 {
			if err := noArguments(one[3]); err != nil {
				return nil, err
			}
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// noArguments refuses arguments of a call beside its inputs.
func noArguments(v any) error {
	kwargs, _ := v.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(kwargs)) {
		if kwargs[key] != nil {
			return errModelConfig("a call takes tensors alone. Received: %s=%v", key, kwargs[key])
		}
	}
	return nil
}

// historyOf collects the tensors in the arguments of a call of Keras 3.
func historyOf(v any) ([]reference, error) {
	switch v := v.(type) {
	case []any:
		var all []reference
		for _, one := range v {
			refs, err := historyOf(one)
			if err != nil {
				return nil, err
			}
			all = append(all, refs...)
		}
		return all, nil
	case map[string]any:
		if v["class_name"] == "__keras_tensor__" {
			c, err := object(v["config"], "a tensor's config")
			if err != nil {
				return nil, err
			}
			ref, err := referenceOf(c["keras_history"])
			return []reference{ref}, err
		}
	}
	return nil, errModelConfig("a call takes tensors alone. Received: %v", v)
}

// referenceOf reads [name, call, index, …].
func referenceOf(v any) (reference, error) {
	list, _ := v.([]any)
	if len(list) >= 3 {
		name, named := list[0].(string)
		call, index := wholeNumber(list[1]), wholeNumber(list[2])
		if named && call >= 0 && index >= 0 {
			return reference{origin{name, call}, index}, nil
		}
	}
	return reference{}, errModelConfig("a tensor must be [layer, call, output]. Received: %v", v)
}

// wholeNumber is a number of a config as an int, -1 if it is none.
func wholeNumber(v any) int {
	switch n := v.(type) {
	case int:
		return n
	case float64:
		if n == float64(int(n)) {
			return int(n)
		}
	}
	return -1
}

func object(v any, what string) (layer.Config, error) {
	switch c := v.(type) {
	case map[string]any:
		return c, nil
	case layer.Config:
		return c, nil
	}
	return nil, errModelConfig("%s must be an object. Received: %v", what, v)
}
