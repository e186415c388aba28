package model_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// The example of Keras' Embedding page.
func Example() {
	embedding, err := layer.NewEmbedding(1000, 64, layer.EmbeddingOptions{InputLength: []int{10}})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := model.NewSequential(embedding)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The model takes an integer matrix of shape (batch, input_length); the
	// largest integer in it must not be larger than 999.
	fmt.Println(m.OutputShape())

	input := make([]int64, 32*10)
	for i := range input {
		input[i] = rand.Int64N(1000)
	}
	ids, err := tensor.NewDense(input, 32, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = m.Compile(model.CompileOptions{OptimizerName: "rmsprop", OutputOptions: model.OutputOptions{LossName: "mse"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	output, err := m.Predict(context.Background(), &model.Arrays{Inputs: []layer.Value{{IDs: ids}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(output[0].Shape())
	// Output:
	// (None, 10, 64)
	// [32 10 64]
}

// Two towers, of users and of films, meet in a dot product. The ratings are
// planted: users and films each have one hidden number, and like their own sign.
func ExampleNew() {
	scope := layer.NewScope(1)
	user, err := layer.Input(layer.InputOptions{Name: "user", IDs: true, Scope: scope})
	if err != nil {
		fmt.Println(err)
		return
	}
	film, err := layer.Input(layer.InputOptions{Name: "film", IDs: true, Scope: scope})
	if err != nil {
		fmt.Println(err)
		return
	}
	score, err := dotOf(user, film)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := model.New([]*layer.Tensor{user, film}, []*layer.Tensor{score})
	if err != nil {
		fmt.Println(err)
		return
	}
	adam := &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.02)}
	err = m.Compile(model.CompileOptions{Optimizer: adam, OutputOptions: model.OutputOptions{
		LossName: "mse", MetricNames: []string{"rmse"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := m.Fit(context.Background(), planted(), model.FitOptions{Epochs: 8})
	if err != nil {
		fmt.Println(err)
		return
	}
	rmse := h.Values("rmse")
	fmt.Println("learned:", rmse[0] > 0.7 && rmse[len(rmse)-1] < 0.1)
	// Output:
	// learned: true
}

// dotOf embeds each input in a table of its own and multiplies the rows.
func dotOf(inputs ...*layer.Tensor) (*layer.Tensor, error) {
	var rows []*layer.Tensor
	for _, in := range inputs {
		tower, err := layer.NewDynamicEmbedding(8, layer.DynamicOptions{Options: layer.Options{Name: in.Name() + "_rows"}})
		if err != nil {
			return nil, err
		}
		row, err := tower.Apply(in)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	dot, err := layer.NewDot([2]int{1, 1}, false, layer.Options{})
	if err != nil {
		return nil, err
	}
	return dot.Apply(rows...)
}

func planted() *model.Arrays {
	random := rand.New(rand.NewPCG(1, 2))
	var users, films []int64
	var ratings []float32
	for range 2000 {
		u, f := random.Int64N(40), random.Int64N(30)
		sign := float32(1 - 2*((u+f)%2))
		users, films, ratings = append(users, u), append(films, f), append(ratings, sign)
	}
	u, _ := tensor.NewDense(users)
	f, _ := tensor.NewDense(films)
	y, _ := tensor.NewValues(ratings, len(ratings))
	return &model.Arrays{Named: map[string]layer.Value{"user": {IDs: u}, "film": {IDs: f}},
		Labels: []*tensor.Values{y}, Shuffle: true}
}

// What model.to_json() of Keras wrote, in any of its dialects, is a model here;
// and the other way round.
func ExampleFromJSON() {
	m, err := model.FromJSON([]byte(`{"module": "keras", "class_name": "Sequential", "config": {"name": "words", "layers": [
		{"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 10], "dtype": "float32"}},
		{"module": "keras.layers", "class_name": "Embedding", "config": {"name": "embedding", "input_dim": 1000, "output_dim": 64}},
		{"module": "keras.layers", "class_name": "Flatten", "config": {"name": "flatten"}}]}}`), model.ConfigOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.OutputShape(), m.CountParams())
	text, err := m.ToJSON(layer.Keras2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Contains(string(text), `"batch_input_shape"`))
	// Output:
	// (None, 640) 64000
	// true
}
