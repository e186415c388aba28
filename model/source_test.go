package model

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

const ratings = `user,film,tags,age,rating,weight
1,10,x|y,0.5,4,1
2,11,,0.25,2,2
1,11,y,0.5,5,1
3,10,x,1,1,0.5
`

func fromText(t *testing.T, text string) Source {
	t.Helper()
	f := must[*dataset.Frame](t)(dataset.Read(t.Context(), dataset.Config{
		File: dataset.File{Path: "ratings.csv"},
		Columns: []dataset.Column{{Name: "user", Kind: dataset.ID}, {Name: "film", Kind: dataset.ID},
			{Name: "tags", Kind: dataset.IDs, Type: "string"}, {Name: "age", Kind: dataset.Number},
			{Name: "rating", Kind: dataset.Label}, {Name: "weight", Kind: dataset.Weight}},
		Open: func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}))
	return FromDataset(must[dataset.Source](t)(f.Source(nil, dataset.Options{BatchSize: 3, Shuffle: true, Seed: 1})))
}

func TestFitFromADataset(t *testing.T) {
	scope := layer.NewScope(0)
	in := func(o layer.InputOptions) *layer.Tensor {
		o.Scope = scope
		return must[*layer.Tensor](t)(layer.Input(o))
	}
	user, tags := in(layer.InputOptions{Name: "user", IDs: true}), in(layer.InputOptions{Name: "tags", IDs: true, Ragged: true, KeyType: tensor.String})
	age := in(layer.InputOptions{Name: "age", Shape: layer.Shape{1}})
	rows := apply(t, must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(4, layer.DynamicOptions{})), user)
	words := apply(t, must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(4, layer.DynamicOptions{KeyType: tensor.String})), tags)
	pooled := apply(t, layer.NewGlobalAveragePooling1D(false, layer.Options{}), words)
	x := apply(t, must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{})), rows, pooled, age)
	out := apply(t, must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{})), x)
	m := must[*Model](t)(New([]*layer.Tensor{user, tags, age}, []*layer.Tensor{out}))
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)},
		OutputOptions: OutputOptions{LossName: "mse", MetricNames: []string{"rmse"}}}))
	s := fromText(t, ratings)
	h := must[History](t)(m.Fit(t.Context(), s, FitOptions{Epochs: 60, Validation: s}))
	if rmse := h.Values("val_rmse"); rmse[0] < 1 || rmse[len(rmse)-1] > 0.1 {
		t.Errorf("val_rmse from %v to %v", rmse[0], rmse[len(rmse)-1])
	}
	if m.Step() != 120 {
		t.Errorf("%d steps", m.Step())
	}
	for p, err := range m.Predictions(t.Context(), s) {
		check(t, err)
		if p.Batch.Data == nil || !slices.Equal(p.Outputs[0].Shape(), []int{len(p.Batch.Data.Rows), 1}) {
			t.Errorf("outputs of shape %v for rows %v", p.Outputs[0].Shape(), p.Batch.Data)
		}
	}
}
