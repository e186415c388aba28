package rowan_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Two workers train one table, whose rows are in two stores: what each of them
// writes is added to what is there by then.
func ExampleStores() {
	ctx := context.Background()
	options := rowan.TableOptions{
		Name: "film", Width: 2, Initializer: initializer.Zeros{},
		Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)},
	}
	width := options.StoreWidth()
	a, b := must(rowan.NewMemoryStore(tensor.Int64, width)), must(rowan.NewMemoryStore(tensor.Int64, width))
	defer a.Close()
	defer b.Close()
	options.Stores = &rowan.Stores{Parts: []rowan.RowStore{a, b}, Increments: true}
	workers := []*rowan.Table{must(rowan.NewTable(options)), must(rowan.NewTable(options))}

	gradient := must(tensor.NewValues([]float32{1, 2, 3, 4}, 2, 2))
	for _, w := range workers {
		defer w.Close()
		g := w.NewGradients()
		l := must(w.Lookup(ctx, tensor.RaggedOf([]int64{318, 593}), rowan.LookupOptions{Training: true}))
		if err := g.Add(l, gradient); err != nil {
			log.Fatal(err)
		}
		if err := w.Apply(ctx, g, rowan.Step{}); err != nil {
			log.Fatal(err)
		}
	}
	for i, s := range []rowan.RowStore{a, b} {
		rows, exists := make([]float32, 2*width), make([]bool, 2)
		if err := s.Find(ctx, tensor.RaggedOf([]int64{318, 593}), rows, exists); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("part %d: %v %v\n", i, exists, rows)
	}
	// Output:
	// part 0: [false true] [0 0 -6 -8]
	// part 1: [true false] [-2 -4 0 0]
}
