package layer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// SideBySide is a dynamic embedding whose output has another shape: the rows of
// an example stand side by side, (batch, n) ids give (batch, n × size).
type SideBySide struct {
	*layer.DynamicEmbedding
	n, size int
}

// NewSideBySide makes itself the layer that the embedding's Base speaks for:
// Apply, Run and models then call the methods below.
func NewSideBySide(n, size int, o layer.DynamicOptions) (*SideBySide, error) {
	inner, err := layer.NewDynamicEmbedding(size, o)
	if err != nil {
		return nil, err
	}
	l := &SideBySide{inner, n, size}
	l.Init(l, o.Options)
	return l, nil
}

// Symbolic says what comes out for symbolic ids.
func (l *SideBySide) Symbolic(in []*layer.Tensor) (*layer.Tensor, error) {
	if ids := in[0].Shape(); !(layer.Shape{-1, l.n}).Accepts(ids) {
		return nil, fmt.Errorf("%w: want ids of shape (None, %d), got %v", layer.ErrShape, l.n, ids)
	}
	return layer.SymbolicRows(layer.Shape{in[0].Shape()[0], l.n * l.size}, false), nil
}

// Lookup looks the rows up, and gives them their shape. The way back needs
// nothing more: gradients of the output are gradients of the rows.
func (l *SideBySide) Lookup(ctx context.Context, r *layer.Rows, ids tensor.IDs, training bool) error {
	err := r.Look(ctx, l.Table(), ids, rowan.LookupOptions{Training: training && l.Trainable()})
	if err != nil {
		return err
	}
	return r.Reshape(ids.Shape()[0], l.n*l.size)
}

// A layer of one's own over a dynamic table, with another output shape. A layer
// that embeds only Base makes its table in Build and gives it to AddTable.
func ExampleHostLayer() {
	ctx := context.Background()
	pairs, err := NewSideBySide(2, 3, layer.DynamicOptions{
		Initializer: initializer.Ones{}, Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.5)}})
	if err != nil {
		log.Fatal(err)
	}
	// In a model: shapes.
	in, err := layer.Input(layer.InputOptions{IDs: true, Shape: layer.Shape{2}, Scope: layer.NewScope(1)})
	if err != nil {
		log.Fatal(err)
	}
	out, err := pairs.Apply(in)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pairs.Name(), out.Shape())

	// On data: a step of training by hand, which a model makes by itself.
	ids, err := tensor.NewDense([]int64{7, 8, 8, 9}, 2, 2)
	if err != nil {
		log.Fatal(err)
	}
	var rows layer.Rows
	if err := pairs.Lookup(ctx, &rows, ids, true); err != nil {
		log.Fatal(err)
	}
	gradient, err := tensor.NewValues([]float32{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, 2, 6)
	if err != nil {
		log.Fatal(err)
	}
	g := pairs.Table().NewGradients()
	if err := rows.Backward(g, gradient); err != nil {
		log.Fatal(err)
	}
	if err := pairs.Table().Apply(ctx, g, rowan.Step{}); err != nil {
		log.Fatal(err)
	}
	now, err := pairs.Run(ctx, layer.Args{}, layer.Value{IDs: ids})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(now.Values[0].Floats.Shape(), now.Values[0].Floats.Data())
	// Output:
	// side_by_side (None, 6)
	// [2 6] [0.5 1 1 1 0.5 0.5 1 0.5 0.5 1 1 1]
}
