package layer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// BenchmarkRowsLookedUp is what a batch of 4,096 ids costs in tables of 10,000
// and of 10 million rows: the same ids, so that the caches hold the same rows.
// LoRA is a lookup of both tables, and the update of the first factor; int8 and
// int4 are lookups. The cost is one of the ids and not of the table if the two
// sizes differ by less than a factor of 2. It takes 1 GB.
//
//	go test -run - -bench RowsLookedUp ./layer
func BenchmarkRowsLookedUp(b *testing.B) {
	for _, rows := range []int{10_000, 10_000_000} {
		for _, form := range []string{"lora", "int8", "int4"} {
			b.Run(fmt.Sprintf("form=%s/rows=%d", form, rows), func(b *testing.B) {
				l, err := layer.NewEmbedding(rows, 16, layer.EmbeddingOptions{Initializer: initializer.Constant{Value: 0.5}, Combiner: rowan.Sum,
					Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.01)}})
				if err != nil {
					b.Fatal(err)
				}
				lookUpRows(b, l, form)
			})
		}
	}
}

func lookUpRows(b *testing.B, l *layer.Embedding, form string) {
	ctx := context.Background()
	random, ids := rand.New(rand.NewPCG(1, 2)), make([]int64, 4096)
	for i := range ids {
		ids[i] = random.Int64N(10_000)
	}
	x := must[*tensor.Dense[int64]](b)(tensor.NewDense(ids, 1024, 4))
	run(b, l, layer.Value{IDs: x}) // builds it
	defer func() { l.Table().Close() }()
	if form != "lora" {
		if err := l.Quantize(ctx, must[rowan.Quantization](b)(rowan.ParseQuantization(form))); err != nil {
			b.Fatal(err)
		}
	} else if err := l.EnableLoRA(layer.LoRAOptions{Rank: 4}); err != nil {
		b.Fatal(err)
	}
	var rows layer.Rows
	var a *rowan.Table
	if form == "lora" {
		a = l.Variables()[1].Table()
		defer a.Close()
	}
	for b.Loop() {
		if err := l.Lookup(ctx, &rows, x, form == "lora"); err != nil {
			b.Fatal(err)
		}
		if form != "lora" {
			continue
		}
		fed, _, err := rows.Feed()
		if err != nil {
			b.Fatal(err)
		}
		g := a.NewGradients()
		if err := rows.Backward(g, fed); err != nil {
			b.Fatal(err)
		}
		if err := a.Apply(ctx, g, rowan.Step{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(ids)), "ns/id")
}
