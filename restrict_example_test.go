package rowan_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// A table that holds at most two rows: after each write the row that was written
// the longest ago goes.
func ExampleRestrict() {
	ctx := context.Background()
	films, err := rowan.NewTable(rowan.TableOptions{Name: "film", Width: 1, Restrict: rowan.Restrict{
		Policy: rowan.TimestampPolicy{}, Keep: 2,
		Evicted: func(e rowan.Eviction) {
			fmt.Println("evicted", e.Keys.(*tensor.Dense[int64]).Values(), "scores", e.Scores, "left", e.Left)
		}}})
	if err != nil {
		log.Fatal(err)
	}
	defer films.Close()
	table, err := rowan.As[int64](films)
	if err != nil {
		log.Fatal(err)
	}
	for _, film := range []int64{318, 593, 318, 1, 2} {
		if err := table.Set(ctx, film, 0.5); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("evicted so far:", films.Stats().Evicted)
	// Output:
	// evicted [593] scores [2] left 2
	// evicted [318] scores [3] left 2
	// evicted so far: 2
}

// fading counts how often a row is used, and halves what it has counted with
// every so many writes to the table. The score holds both numbers: the time of
// the last use above, the count below.
type fading struct{ halve int64 }

func (fading) Name() string { return "fading" }

func (f fading) Use(scores []int64, now int64) {
	const bits = 20
	for i, s := range scores {
		count := s & (1<<bits - 1) >> min(now/f.halve-s>>bits, bits)
		scores[i] = now/f.halve<<bits | min(count+1, 1<<bits-1)
	}
}

// A policy of one's own: rows of an earlier time go before those of a later, and
// of one time those that were used less.
func ExampleRestrictPolicy() {
	ctx := context.Background()
	films, err := rowan.NewTable(rowan.TableOptions{Name: "film", Width: 1, Restrict: rowan.Restrict{Policy: fading{halve: 4}}})
	if err != nil {
		log.Fatal(err)
	}
	defer films.Close()
	table, err := rowan.As[int64](films)
	if err != nil {
		log.Fatal(err)
	}
	for _, film := range []int64{1, 1, 1, 2, 2, 3, 2} {
		if err := table.Set(ctx, film, 0.5); err != nil {
			log.Fatal(err)
		}
	}
	e, err := films.Restrict(ctx, 1, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("evicted", e.Keys.(*tensor.Dense[int64]).Values())
	// Output: evicted [1 3]
}
