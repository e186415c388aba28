package rowan_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// BenchmarkDType measures what rows of each type cost: 2,048 bags of 20 ids of 100,000
// rows of 64 numbers, pooled by sum, without and with their update by Adagrad; and the
// same ids looked up as they are in tables of integers and strings.
func BenchmarkDType(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]int64, 2048*20)
	for i := range ids {
		ids[i] = r.Int64N(100_000)
	}
	batch := dense(b, ids, 2048, 20)
	for _, d := range everyDType {
		table := newTable(b, rowan.TableOptions{Rows: 100_000, Width: 64, DType: d, Threads: 1,
			Optimizer: &optim.Optimizer{Updater: optim.NewAdagrad(), Rate: optim.Constant(0.1)}})
		for _, training := range []bool{false, true} {
			b.Run(fmt.Sprintf("%v/training=%v", d, training), func(b *testing.B) { benchmarkRows(b, table, batch, training) })
		}
	}
	benchmarkCells(b, batch, int64(7))
	benchmarkCells(b, batch, "drama")
}

func benchmarkRows(b *testing.B, table *rowan.Table, batch tensor.IDs, training bool) {
	var l rowan.Lookup
	g, grad := table.NewGradients(), tensor.ZeroValues(2048, 64)
	for b.Loop() {
		err := table.LookupInto(ctx, &l, batch, rowan.LookupOptions{Combiner: rowan.Sum, Training: training})
		if g.Reset(); err == nil && training {
			if err = g.Add(&l, grad); err == nil {
				err = table.Apply(ctx, g, rowan.Step{})
			}
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	perID(b, batch)
}

// benchmarkCells looks up single cells of T.
func benchmarkCells[T rowan.Cell](b *testing.B, batch tensor.IDs, cell T) {
	table := newTableOf[T](b, rowan.TableOptions{Width: 1, Threads: 1})
	all := rowan.Array[T]{Data: make([]T, 100_000)}
	for i := range all.Data {
		all.Data[i] = cell
	}
	if err := table.Upsert(ctx, dense(b, ids64(100_000)), all); err != nil {
		b.Fatal(err)
	}
	b.Run(fmt.Sprintf("cells of %T", cell), func(b *testing.B) {
		var l rowan.LookupOf[T]
		for b.Loop() {
			if err := table.LookupInto(ctx, &l, batch, rowan.LookupOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		perID(b, batch)
	})
}

func perID(b *testing.B, batch tensor.IDs) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.Len()), "ns/id")
}
