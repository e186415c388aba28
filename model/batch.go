package model

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Batch is some examples for a model. One that a Source gave is valid until the
// next, and must not be changed.
type Batch struct {
	// N is the number of examples.
	N int
	// Inputs belong to the model's inputs, in their order.
	Inputs []layer.Value
	// Named are inputs by name, used where Inputs is empty. Names that the
	// model does not know are passed over.
	Named map[string]layer.Value
	// Labels belong to the outputs that have a loss, in their order: of the
	// output's shape, or for class numbers without its last dimension. Of an
	// output of shape (None, 1), N numbers will do. Not needed to predict.
	Labels []*tensor.Values
	// Weights multiply each example's loss and count in weighted metrics. Default: all 1.
	Weights []float32
	// End is where the next batch begins.
	End dataset.Cursor
	// Data is what the batch was made from, nil if it is not from package dataset.
	Data *dataset.Batch
}

// inputs returns the batch's data in the order of the model's inputs.
func (m *Model) inputs(b *Batch) ([]layer.Value, error) {
	if b == nil {
		return nil, fmt.Errorf("%w: the batch is nil", ErrData)
	}
	in := b.Inputs
	if len(in) == 0 {
		for _, t := range m.plan.Inputs {
			v, ok := b.Named[t.Name()]
			if !ok {
				return nil, fmt.Errorf("%w: the model needs input %q, the batch has %q", ErrData, t.Name(), names(b.Named))
			}
			in = append(in, v)
		}
	}
	if len(in) != len(m.plan.Inputs) {
		return nil, fmt.Errorf("%w: the model has %d inputs, the batch %d", ErrData, len(m.plan.Inputs), len(in))
	}
	return in, m.checkSizes(b.N, in)
}

// checkSizes says which input is not one of n examples; n 0 is not checked.
func (m *Model) checkSizes(n int, in []layer.Value) error {
	for i, v := range in {
		name := m.plan.Inputs[i].Name()
		got, err := examples(v)
		if err != nil {
			return fmt.Errorf("%w: input %q: %w", ErrData, name, err)
		}
		if i == 0 && n == 0 {
			n = got
		}
		if got != n {
			return fmt.Errorf("%w: input %q has %d examples, the batch %d", ErrData, name, got, n)
		}
	}
	if n == 0 {
		return fmt.Errorf("%w: the batch is empty", ErrData)
	}
	return nil
}

// examples returns the first dimension of a value.
func examples(v layer.Value) (int, error) {
	var shape []int
	switch ids := !nils.Is(v.IDs); {
	case ids && v.Floats != nil:
		return 0, fmt.Errorf("both ids and floats")
	case ids:
		shape = v.IDs.Shape()
	case v.Floats != nil:
		shape = v.Floats.Shape()
	default:
		return 0, fmt.Errorf("neither ids nor floats")
	}
	if len(shape) == 0 {
		return 0, fmt.Errorf("a scalar has no examples")
	}
	if n := len(v.Mask); n > 0 && (v.Floats == nil || shape[0] == 0 || n%shape[0] != 0 || n > v.Floats.Len()) {
		return 0, fmt.Errorf("a mask of %d flags beside an array of shape %v: it belongs to floats, a flag an entry", n, shape)
	}
	return shape[0], nil
}

func names(named map[string]layer.Value) []string { return slices.Sorted(maps.Keys(named)) }

// size returns the number of examples of a batch whose inputs have been checked.
func (b *Batch) size(in []layer.Value) int {
	n, _ := examples(in[0])
	return n
}

// labels returns the arrays that a program with losses takes after the inputs.
func (m *Model) labels(b *Batch, n int) ([]dense.Array, error) {
	var arrays []dense.Array
	for i, o := range m.compiled.outputs {
		if o.loss == nil {
			continue
		}
		if len(arrays) >= len(b.Labels) || b.Labels[len(arrays)] == nil {
			return nil, fmt.Errorf("%w: output %q has a loss and needs labels, the batch has labels for %d outputs",
				ErrData, m.plan.Outputs[i].Name(), len(b.Labels))
		}
		a, err := label(b.Labels[len(arrays)], m.plan.Outputs[i], n)
		if err != nil {
			return nil, err
		}
		arrays = append(arrays, a)
	}
	if len(b.Labels) != len(arrays) {
		return nil, fmt.Errorf("%w: %d outputs have a loss, the batch has labels for %d", ErrData, len(arrays), len(b.Labels))
	}
	if b.Weights == nil {
		return arrays, nil
	}
	if len(b.Weights) != n {
		return nil, fmt.Errorf("%w: %d examples, %d sample weights", ErrData, n, len(b.Weights))
	}
	return append(arrays, dense.Floats(b.Weights, n)), nil
}

// label gives the labels of an output a shape that its loss takes. (N) and
// (N, 1) stand for each other where the output is the other.
func label(v *tensor.Values, out *layer.Tensor, n int) (dense.Array, error) {
	shape := v.Shape()
	if len(shape) == 0 || shape[0] != n {
		return dense.Array{}, fmt.Errorf("%w: labels of output %q have shape %v, the batch has %d examples",
			ErrData, out.Name(), shape, n)
	}
	if want := out.Shape(); len(v.Data()) == n && (len(want) == 1 || len(want) == 2 && want[1] == 1) {
		shape = []int{n, 1}[:len(want)]
	}
	return dense.Floats(v.Data(), shape...), nil
}
