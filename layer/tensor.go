package layer

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/tensor"
)

// Tensor is a symbolic value between two layers: a shape, never data.
type Tensor struct {
	name    string
	shape   Shape
	ids     bool
	keyType tensor.KeyType
	ragged  bool
	masked  bool
	mask    Shape // of the mask of a masked tensor; nil: that of an embedding
	node    *Node
	index   int
	scope   *Scope
	err     error // of the operation that should have made the tensor
}

// Err returns why a tensor that came out of package op is none. It is an error
// too wherever the tensor is used, so that operations can be nested.
func (t *Tensor) Err() error { return t.err }

// usable says why the tensor is not the output of a layer or input.
func (t *Tensor) usable() error {
	switch {
	case t == nil:
		return fmt.Errorf("%w: the tensor is nil", ErrArgument)
	case t.err != nil:
		return t.err
	case t.node == nil:
		return fmt.Errorf("%w: the tensor was made by no layer: it must come from Input, Apply or package op", ErrArgument)
	}
	return nil
}

// String describes the tensor as Keras does: its shape, its type and its name, or
// the error of a tensor that is none.
func (t *Tensor) String() string {
	if err := t.usable(); err != nil {
		return fmt.Sprintf("<Tensor: %v>", err)
	}
	return fmt.Sprintf("<Tensor shape=%v, dtype=%s, name=%s>", t.shape, t.DType(), t.name)
}

// Name returns the name of the layer that made the tensor.
func (t *Tensor) Name() string { return t.name }

// Shape returns the shape, -1 for a free dimension. The caller must not change it.
func (t *Tensor) Shape() Shape { return t.shape }

// DType returns the type of the tensor's numbers: of ids that of their keys, of
// floats what the layer that made them computes in.
func (t *Tensor) DType() DType {
	if t.ids {
		return DType(t.keyType.String())
	}
	return t.dtype()
}

// dtype is the type of floats.
func (t *Tensor) dtype() DType {
	if t.node == nil {
		return Float32
	}
	return t.node.Layer.core().ComputeDType()
}

// IsIDs reports whether the tensor is a batch of ids; else it is one of floats.
func (t *Tensor) IsIDs() bool { return t.ids }

// KeyType returns the type of the ids of a batch of ids.
func (t *Tensor) KeyType() tensor.KeyType { return t.keyType }

// Ragged reports whether the ids' last dimension varies within a batch.
func (t *Tensor) Ragged() bool { return t.ragged }

// Masked reports whether a mask travels with the tensor.
func (t *Tensor) Masked() bool { return t.masked }

func (t *Tensor) maskShape() Shape {
	if t.mask != nil {
		return t.mask
	}
	return maskShape(t.shape)
}

// Node returns the call that made the tensor.
func (t *Tensor) Node() *Node { return t.node }

// Index returns which output of its node the tensor is.
func (t *Tensor) Index() int { return t.index }

// Scope returns the scope that names the layers after this tensor.
func (t *Tensor) Scope() *Scope { return t.scope }

// Node is one symbolic call of a layer.
type Node struct {
	// Layer was called.
	Layer Layer
	// In are its inputs, Out its outputs.
	In, Out []*Tensor
}

// InputOptions describes an input of a model. The zero value is one float32 an
// example.
type InputOptions struct {
	// Name names the input, and the feature that feeds it. Default: "input", "input_1", ….
	Name string
	// Shape is the shape of one example, without the batch, -1 where it is not
	// known. Default: (), a number an example.
	Shape Shape
	// IDs makes it a batch of ids for an embedding. Default: float32.
	IDs bool
	// KeyType is the type of the ids. Default: int64.
	KeyType tensor.KeyType
	// Ragged says that the number of ids varies from example to example. Its
	// Shape is (-1). Without a combiner such ids come out of an embedding
	// padded, under a mask. Batches that are rectangles fit too. Default:
	// rectangular.
	Ragged bool
	// Scope names the layers behind this input. The inputs of one model share
	// one. Default: one for the whole process.
	Scope *Scope
}

// Input returns a symbolic input: the start of a model.
func Input(o InputOptions) (*Tensor, error) {
	l, err := newInputLayer(o)
	if err != nil {
		return nil, err
	}
	return l.tensor(), nil
}
