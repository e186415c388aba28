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

// A table of strings beside those that are trained, for what an id is called, and one
// of counts.
func ExampleTableOf() {
	ctx := context.Background()
	titles := must(rowan.NewTableOf[string](rowan.TableOptions{Name: "title", Width: 2}))
	defer titles.Close()
	films := must(tensor.NewDense([]int64{1, 260}))
	if err := titles.Upsert(ctx, films, rowan.Array[string]{Data: []string{"Toy Story", "1995", "Star Wars", "1977"}}); err != nil {
		log.Fatal(err)
	}
	l := must(titles.Lookup(ctx, must(tensor.NewDense([]int64{260, 7})), rowan.LookupOptions{}))
	fmt.Printf("%q %v %v\n", l.Values().Data, l.Values().Shape, l.Exists())

	// Increments add up, as those of weights do.
	views := must(rowan.NewTableOf[int64](rowan.TableOptions{Name: "views", Width: 1}))
	defer views.Close()
	one := rowan.Array[int64]{Data: []int64{1}}
	for _, exists := range []bool{false, true, true} {
		if err := views.Accumulate(ctx, must(tensor.NewDense([]int64{260})), one, []bool{exists}); err != nil {
			log.Fatal(err)
		}
	}
	for rows, err := range views.Export(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(rows.Keys.(*tensor.Dense[int64]).Values(), rows.Values.Data)
	}
	// Output:
	// ["Star Wars" "1977" "" ""] [2 2] [true false]
	// [260] [3]
}

// Training in float64, by steps that are too small for float32 to hold.
func ExampleGradients_AddFloat64() {
	ctx := context.Background()
	table := must(rowan.NewTableOf[float64](rowan.TableOptions{
		Name: "film", Width: 1,
		Initializer: initializer.Ones{},
		Optimizer:   &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)},
	}))
	defer table.Close()
	ids, gradient := must(tensor.NewDense([]int64{1})), rowan.Array[float64]{Data: []float64{1e-9}, Shape: []int{1, 1}}
	g := table.NewGradients()
	for range 3 {
		l := must(table.Lookup(ctx, ids, rowan.LookupOptions{Training: true}))
		g.Reset()
		if err := g.AddFloat64(l, gradient); err != nil {
			log.Fatal(err)
		}
		if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
			log.Fatal(err)
		}
	}
	l := must(table.Lookup(ctx, ids, rowan.LookupOptions{}))
	fmt.Printf("%.9f\n", l.Values().Data[0])
	// Output: 0.999999997
}
