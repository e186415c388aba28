package rowan_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// A table that grows as keys come: look a ragged batch up, pull each user's
// mean of films towards a target, save, and load into another table.
func Example() {
	ctx := context.Background()
	options := rowan.TableOptions{Name: "film", Width: 4, Optimizer: &optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1)}}
	films := must(rowan.NewTable(options))
	defer films.Close()

	seen := tensor.RaggedOf([]int64{318, 593}, []int64{593}, []int64{318}) // what each of three users saw
	for range 40 {
		users := must(films.Lookup(ctx, seen, rowan.LookupOptions{Combiner: rowan.Mean, Training: true}))
		gradient := tensor.ZeroValues(users.Values().Shape()...)
		for i, x := range users.Values().Data() {
			gradient.Data()[i] = x - 1 // of the loss Σ(x-1)²/2
		}
		g := films.NewGradients()
		check(g.Add(users, gradient))
		check(films.Apply(ctx, g, rowan.Step{}))
	}

	dir := must(os.MkdirTemp("", "films"))
	defer os.RemoveAll(dir)
	check(must(rowan.OpenStore(dir)).Save(ctx, films.Step(), nil, films))
	again := must(rowan.NewTable(options))
	defer again.Close()
	step := must(must(rowan.OpenStore(dir)).Load(ctx, nil, again))
	means := must(again.Lookup(ctx, seen, rowan.LookupOptions{Combiner: rowan.Mean}))
	fmt.Printf("%d films of step %d, means %.2f\n", again.Len(), step, means.Values().Data())

	// Output:
	// 2 films of step 40, means [0.83 0.81 0.79 0.82 0.81 0.84 0.79 0.80 0.84 0.78 0.80 0.84]
}

// check and must end the program on an error.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

// Rows can be written and read by key, without training.
func ExampleTyped() {
	ctx := context.Background()
	t, err := rowan.NewTable(rowan.TableOptions{Name: "word", Width: 2, KeyType: tensor.String})
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()
	words, _ := rowan.As[string](t)
	_ = words.Set(ctx, "rowan", 1, 2)
	_ = words.Set(ctx, "ash", 3, 4)
	_ = words.Each(ctx, func(word string, row []float32) error {
		_, err := fmt.Println(word, row)
		return err
	})
	// Output:
	// ash [3 4]
	// rowan [1 2]
}
