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
	films, err := rowan.NewTable(options)
	if err != nil {
		log.Fatal(err)
	}
	defer films.Close()

	seen := tensor.RaggedOf([]int64{318, 593}, []int64{593}, []int64{318}) // what each of three users saw
	for step := range 40 {
		l, err := films.Lookup(ctx, seen, rowan.LookupOptions{Combiner: rowan.Mean, Training: true})
		if err != nil {
			log.Fatal(err)
		}
		gradient, loss := tensor.ZeroValues(l.Values().Shape()...), float32(0)
		for i, x := range l.Values().Data() {
			gradient.Data()[i] = x - 1 // of the loss (x-1)²/2
			loss += (x - 1) * (x - 1) / 2
		}
		if step%13 == 0 {
			fmt.Printf("step %2d: %d films, loss %.2f\n", step, films.Len(), loss)
		}
		g := films.NewGradients()
		if err := g.Add(l, gradient); err != nil {
			log.Fatal(err)
		}
		if err := films.Apply(ctx, g, rowan.Step{}); err != nil {
			log.Fatal(err)
		}
	}

	dir, _ := os.MkdirTemp("", "films")
	defer os.RemoveAll(dir)
	store, _ := rowan.OpenStore(dir)
	if err := store.Save(ctx, films.Step(), nil, films); err != nil {
		log.Fatal(err)
	}
	again, _ := rowan.NewTable(options)
	defer again.Close()
	step, err := store.Load(ctx, nil, again)
	fmt.Println("loaded", again.Len(), "films of step", step, err)

	// Output:
	// step  0: 0 films, loss 5.90
	// step 13: 2 films, loss 1.42
	// step 26: 2 films, loss 0.55
	// step 39: 2 films, loss 0.23
	// loaded 2 films of step 40 <nil>
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
