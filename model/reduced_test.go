package model

import (
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestLayersOfOtherShapesTrain puts the layers whose rows are reduced or stand in
// one table behind a model's inputs: their tables learn what there is to learn.
func TestLayersOfOtherShapesTrain(t *testing.T) {
	scope := layer.NewScope(2)
	in := func(o layer.InputOptions) *layer.Tensor {
		o.IDs, o.Scope = true, scope
		return must[*layer.Tensor](t)(layer.Input(o))
	}
	list, pair := in(layer.InputOptions{Name: "list", Ragged: true}), in(layer.InputOptions{Name: "pair", Shape: layer.Shape{2}})
	slot := layer.SlotOf(func(id int64) int { return int(id % 2) })
	fields := must[*layer.FieldWiseEmbedding](t)(layer.NewFieldWiseEmbedding(2, 2, slot, layer.DynamicOptions{Combiner: "max"}))
	squashed := must[*layer.SquashedEmbedding](t)(layer.NewSquashedEmbedding(2, layer.DynamicOptions{}))
	onehot := must[*layer.ConcatOneHotEmbedding](t)(layer.NewConcatOneHotEmbedding([]int{3, 4}, 2, layer.EmbeddingOptions{}))
	flat := func(x *layer.Tensor) *layer.Tensor { return apply(t, layer.NewFlatten(layer.Options{}), x) }
	join := must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{}))
	x := apply(t, join, flat(apply(t, fields, list)), apply(t, squashed, list), flat(apply(t, onehot, pair)))
	if want := (layer.Shape{-1, 4 + 2 + 4}); !x.Shape().Equal(want) {
		t.Fatalf("shape %v, want %v", x.Shape(), want)
	}
	m := must[*Model](t)(New([]*layer.Tensor{list, pair}, []*layer.Tensor{apply(t, must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{})), x)}))
	for _, table := range m.Tables() {
		defer table.Close()
	}
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.05)}, OutputOptions: OutputOptions{LossName: "mse"}}))
	data := &Arrays{Named: map[string]layer.Value{
		"list": {IDs: tensor.RaggedOf([]int64{2, 3, 4}, nil, []int64{7})},
		"pair": {IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{0, 3, 2, 0, 1, 1}, 3, 2))},
	}, Labels: []*tensor.Values{floats(t, []float32{1, -2, 3}, 3)}}
	h := must[History](t)(m.Fit(t.Context(), data, FitOptions{Epochs: 200}))
	if loss := must[Logs](t)(m.Evaluate(t.Context(), data))[0].Value; loss > 0.01 {
		t.Errorf("loss %v after %d epochs of three examples", loss, len(h))
	}
	for _, l := range []interface{ Table() *rowan.Table }{fields, squashed} {
		if n := l.Table().Len(); n != 4 {
			t.Errorf("%d rows, want those of 4 ids", n)
		}
	}
}
