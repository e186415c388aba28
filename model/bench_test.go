package model

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// BenchmarkTrainOnBatch is a step of two tables of width 32 under an MLP 64-32-1
// on a batch of 512.
func BenchmarkTrainOnBatch(b *testing.B) {
	for _, exact := range []bool{false, true} {
		b.Run(fmt.Sprintf("exact=%v", exact), func(b *testing.B) {
			m := deep(b)
			check(b, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.NewAdam(), Exact: exact},
				OutputOptions: OutputOptions{LossName: "mse"}}))
			var batches []*Batch
			for x, err := range deepData(b).Batches(b.Context(), dataset.Cursor{}) {
				check(b, err)
				batches = append(batches, x)
			}
			b.ResetTimer()
			for i := range b.N {
				if _, err := m.TrainOnBatch(b.Context(), batches[i%len(batches)]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(512*float64(b.N)/b.Elapsed().Seconds(), "examples/s")
		})
	}
}

func deep(t testing.TB) *Model {
	scope := layer.NewScope(0)
	var in, rows []*layer.Tensor
	for _, name := range []string{"user", "film"} {
		x := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: name, IDs: true, Scope: scope}))
		in = append(in, x)
		rows = append(rows, apply(t, must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(32, layer.DynamicOptions{})), x))
	}
	x := apply(t, must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{})), rows...)
	for _, units := range []int{64, 32, 1} {
		x = apply(t, must[*layer.Dense](t)(layer.NewDense(units, layer.DenseOptions{Activation: "relu"})), x)
	}
	return must[*Model](t)(New(in, []*layer.Tensor{x}))
}

func deepData(t testing.TB) *Arrays {
	random := rand.New(rand.NewPCG(1, 1))
	users, films, labels := make([]int64, 51200), make([]int64, 51200), make([]float32, 51200)
	for i := range users {
		users[i], films[i], labels[i] = random.Int64N(600), random.Int64N(9000), random.Float32()
	}
	return &Arrays{Inputs: []layer.Value{{IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense(users))}, {IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense(films))}},
		Labels: []*tensor.Values{floats(t, labels, len(labels))}, BatchSize: 512}
}
