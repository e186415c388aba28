package rowan_test

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Three features of two tables, looked up and trained together.
func ExampleCollection() {
	ctx := context.Background()
	ones := func(name string, width int) rowan.TableOptions {
		return rowan.TableOptions{Name: name, Width: width, Initializer: initializer.Ones{},
			Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1)}}
	}
	users, films := must(rowan.NewTable(ones("user", 1))), must(rowan.NewTable(ones("film", 2)))
	defer users.Close()
	defer films.Close()
	features := must(rowan.NewCollection([]*rowan.Table{users, films},
		rowan.Feature{Name: "user"},
		rowan.Feature{Name: "film"},
		rowan.Feature{Name: "seen", Table: "film", LookupOptions: rowan.LookupOptions{Combiner: rowan.Sum}}))

	batch := map[string]tensor.IDs{
		"user": must(tensor.NewDense([]int64{7, 8})),
		"film": must(tensor.NewDense([]int64{318, 593})),
		"seen": tensor.RaggedOf([]int64{593, 50, 318}, nil),
	}
	l := must(features.Lookup(ctx, batch, true))
	joined := must(l.Joined())
	fmt.Println(joined.Shape(), joined.Data())

	g := features.NewGradients()
	check(g.AddJoined(l, must(tensor.NewValues([]float32{1, 0, 0, 0, 5, 0, 0, 0, 0, 0}, 2, 5)))) // user 7, and what they saw
	check(features.Apply(ctx, g, rowan.Step{}))
	fmt.Printf("%.1f\n", must(must(features.Lookup(ctx, batch, false)).Joined()).Data())
	// Output:
	// [2 5] [1 1 1 3 3 1 1 1 0 0]
	// [0.9 1.0 0.5 3.0 1.5 1.0 1.0 0.5 0.0 0.0]
}
