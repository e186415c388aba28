package layer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Keras' example: ids of shape (batch, 10) become rows of 64 numbers.
func ExampleEmbedding() {
	ids, err := layer.Input(layer.InputOptions{IDs: true, Shape: layer.Shape{-1}, Scope: layer.NewScope(1)})
	if err != nil {
		log.Fatal(err)
	}
	embedding, err := layer.NewEmbedding(1000, 64, layer.EmbeddingOptions{InputLength: []int{10}})
	if err != nil {
		log.Fatal(err)
	}
	rows, err := embedding.Apply(ids)
	if err != nil {
		log.Fatal(err)
	}
	params, err := embedding.CountParams()
	fmt.Println(embedding.Name(), rows.Shape(), params, err)
	// Output: embedding (None, 10, 64) 64000 <nil>
}

// TFRA's example, an embedding of size 8: ids of any value and any shape, here
// (3, 2), give (3, 2, 8).
func ExampleDynamicEmbedding() {
	embedding, err := layer.NewDynamicEmbedding(8, layer.DynamicOptions{})
	if err != nil {
		log.Fatal(err)
	}
	ids, err := tensor.NewDense([]int64{15, 2, 4, 92, 22, 4}, 3, 2)
	if err != nil {
		log.Fatal(err)
	}
	out, err := embedding.Run(context.Background(), layer.Args{}, layer.Value{IDs: ids})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Values[0].Floats.Shape(), embedding.Table().Len())
	// Output: [3 2 8] 0
}

// A graph layer runs on data at once; no model is needed.
func ExampleBase_Run() {
	one := layer.WeightOptions{Initializer: initializer.Ones{}}
	dense, err := layer.NewDense(2, layer.DenseOptions{Activation: "relu", Kernel: one, Bias: one})
	if err != nil {
		log.Fatal(err)
	}
	x, err := tensor.NewValues([]float32{1, 2, -3, -4}, 2, 2)
	if err != nil {
		log.Fatal(err)
	}
	out, err := dense.Run(context.Background(), layer.Args{}, layer.Value{Floats: x})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Values[0].Floats.Data())
	// Output: [4 4 0 0]
}

// One training step by hand: host stage, graph stage, and the gradients back
// into the table.
func ExampleHostStage() {
	ctx := context.Background()
	film, err := layer.Input(layer.InputOptions{Name: "film", IDs: true, Scope: layer.NewScope(1)})
	if err != nil {
		log.Fatal(err)
	}
	films, err := layer.NewDynamicEmbedding(4, layer.DynamicOptions{Initializer: initializer.Ones{}})
	if err != nil {
		log.Fatal(err)
	}
	rows, err := films.Apply(film)
	if err != nil {
		log.Fatal(err)
	}
	score, err := layer.NewDense(1, layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: initializer.Ones{}}})
	if err != nil {
		log.Fatal(err)
	}
	out, err := score.Apply(rows)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := layer.NewPlan([]*layer.Tensor{film}, []*layer.Tensor{out})
	if err != nil {
		log.Fatal(err)
	}
	program, err := plan.Program(layer.ProgramOptions{Training: true, Losses: []loss.Func{loss.MeanSquaredError}})
	if err != nil {
		log.Fatal(err)
	}

	ids, err := tensor.NewDense([]int64{7, 8})
	if err != nil {
		log.Fatal(err)
	}
	stage := plan.NewHostStage()
	arrays, err := stage.Lookup(ctx, true, layer.Value{IDs: ids})
	if err != nil {
		log.Fatal(err)
	}
	arrays = append(arrays, dense.Floats([]float32{5, 3}, 2, 1)) // labels
	results, err := program.Run(dense.Args{Variables: layer.Values(program.Variables), Inputs: arrays, Step: 1})
	if err != nil {
		log.Fatal(err)
	}
	gradients := make(map[*rowan.Table]*rowan.Gradients)
	if err := stage.Backward(results, gradients); err != nil {
		log.Fatal(err)
	}
	fmt.Println("predicted", results.Outputs[0].Float, "loss", results.Loss)
	fmt.Println("gradient of the kernel", results.Gradients[0])
	fmt.Println("tables with gradients:", len(gradients))
	// Output:
	// predicted [4 4] loss 1
	// gradient of the kernel [0 0 0 0]
	// tables with gradients: 1
}
