package layer

import (
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/tensor"
)

// InputLayer is the layer behind [Input]. It computes nothing.
type InputLayer struct {
	Base
	o InputOptions
}

func newInputLayer(o InputOptions) (*InputLayer, error) {
	if o.Scope == nil {
		o.Scope = process
	}
	if o.Ragged {
		if !o.IDs {
			return nil, fmt.Errorf("%w: input %q: only ids may be ragged", ErrArgument, o.Name)
		}
		if o.Shape == nil {
			o.Shape = Shape{-1}
		}
		if len(o.Shape) != 1 {
			return nil, fmt.Errorf("%w: input %q: ragged ids have shape (None,), got %v", ErrArgument, o.Name, o.Shape)
		}
	}
	for _, d := range o.Shape {
		if d == 0 || d < -1 {
			return nil, fmt.Errorf("%w: input %q: dimensions are positive, or -1 where not known, got %v", ErrArgument, o.Name, o.Shape)
		}
	}
	o.Shape = slices.Clone(o.Shape)
	l := &InputLayer{o: o}
	if o.Name == "" {
		l.o.Name = o.Scope.unique("input")
	}
	l.Init(l, Options{Name: l.o.Name})
	l.scope = o.Scope
	l.built = true
	return l, nil
}

// Build does nothing.
func (l *InputLayer) Build(...Shape) error { return nil }

// Config implements [Configurer].
func (l *InputLayer) Config() Config {
	c := Config{"name": l.Name(), "shape": []int(slices.Clone(l.o.Shape)), "ids": l.o.IDs, "ragged": l.o.Ragged}
	if l.o.IDs {
		c["key_dtype"] = l.o.KeyType.String()
	}
	return c
}

func (l *InputLayer) tensor() *Tensor {
	if len(l.nodes) > 0 {
		return l.nodes[0].Out[0]
	}
	t := &Tensor{name: l.Name(), shape: Shape{-1}.append(l.o.Shape...), ids: l.o.IDs,
		keyType: l.o.KeyType, ragged: l.o.Ragged, scope: l.o.Scope}
	t.node = &Node{Layer: l, Out: []*Tensor{t}}
	l.nodes = append(l.nodes, t.node)
	return t
}

// Tensor returns the layer's symbolic output.
func (l *InputLayer) Tensor() *Tensor { return l.tensor() }

// InputFromConfig reads the config of an input, as InputLayer.Config and any
// dialect of Keras write it: a dtype that ids have makes it an input of ids.
func InputFromConfig(c Config) (InputOptions, error) {
	r := c.reader()
	o := InputOptions{Name: r.Text("name"), Shape: Shape(r.Ints("shape")), IDs: r.Flag("ids"), Ragged: r.Flag("ragged")}
	if s := r.inputShape(); s != nil {
		o.Shape = s
	}
	if r.Flag("sparse") {
		r.Bad("sparse", "false: an input of ids takes sparse batches as it is, declared ragged unless they are pooled", true)
	}
	key := r.Text("key_dtype")
	if dtype := r.dtype(); dtype != "" && dtype != "float32" {
		o.IDs, key = true, dtype
	}
	if key != "" {
		k, err := tensor.ParseKeyType(key)
		if err != nil {
			return o, fmt.Errorf("%w: InputLayer: %w", ErrConfig, err)
		}
		o.KeyType = k
	}
	return o, r.done("InputLayer")
}

func inputFromConfig(c Config) (Layer, error) {
	o, err := InputFromConfig(c)
	if err != nil {
		return nil, err
	}
	return newInputLayer(o)
}
