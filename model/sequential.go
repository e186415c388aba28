package model

import (
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/layer"
)

// Sequential is a model that is a stack of layers: each one's output is the
// next one's input.
type Sequential struct {
	Model
	input  *layer.Tensor
	output *layer.Tensor
	stack  []layer.Layer
}

// beginner is a layer that knows the input it needs as the first of a stack.
type beginner interface {
	ImpliedInput() layer.InputOptions
}

// NewSequential returns a stack of layers. The first is the layer of an Input,
// see [Start], which also gives the seed; or an embedding or a layer with an
// InputShape, which brings its own input and takes seed 0. More layers may
// follow with Add.
func NewSequential(layers ...layer.Layer) (*Sequential, error) {
	s := &Sequential{Model: Model{class: "sequential"}}
	for _, l := range layers {
		if err := s.Add(l); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Start returns the layer of a new input, to be the first of a sequential
// model. Without a Scope in its options it gets a new one with seed 0.
func Start(o layer.InputOptions) (layer.Layer, error) {
	if o.Scope == nil {
		o.Scope = layer.NewScope(0)
	}
	t, err := layer.Input(o)
	if err != nil {
		return nil, err
	}
	return t.Node().Layer, nil
}

// Add puts a layer on top. The model has to be compiled anew. After an error
// the stack is as it was.
func (s *Sequential) Add(l layer.Layer) error {
	if nils.Is(l) {
		return fmt.Errorf("%w: the layer is nil", ErrArgument)
	}
	if in, ok := l.(*layer.InputLayer); ok {
		return s.begin(in.Tensor())
	}
	if slices.Contains(s.stack, l) {
		return fmt.Errorf("%w: layer %q is in the model already: all layers should have unique names", ErrArgument, layer.Of(l).Name())
	}
	if s.input == nil {
		if err := s.imply(l); err != nil {
			return err
		}
	}
	out, err := layer.Of(l).Apply(s.output)
	if err != nil {
		return err
	}
	if !out.IsIDs() { // else an embedding is still to come
		if err := s.use([]*layer.Tensor{s.input}, []*layer.Tensor{out}); err != nil {
			return err
		}
	}
	s.output, s.stack = out, append(s.stack, l)
	return nil
}

func (s *Sequential) begin(input *layer.Tensor) error {
	if s.input != nil {
		return fmt.Errorf("%w: input %q: an input can only be the first layer", ErrArgument, input.Name())
	}
	s.input, s.output = input, input
	return nil
}

// imply makes the input that a first layer needs.
func (s *Sequential) imply(first layer.Layer) error {
	var o layer.InputOptions
	if b, ok := first.(beginner); ok {
		o = b.ImpliedInput()
	}
	if o.Shape == nil {
		return fmt.Errorf("%w: layer %q does not know the shape of its input: give it an InputShape, or begin the model with Start(layer.InputOptions{Shape: …})",
			ErrArgument, layer.Of(first).Class())
	}
	in, err := Start(o)
	if err != nil {
		return err
	}
	return s.begin(in.(*layer.InputLayer).Tensor())
}
