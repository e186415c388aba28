package layer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Keys of any value become the indices that a static table has rows for.
// Training teaches the vocabulary, up to its bound; prediction reads it.
func ExampleIntegerLookup() {
	ctx := context.Background()
	lookup, err := layer.NewIntegerLookup(3, layer.IntegerLookupOptions{})
	if err != nil {
		log.Fatal(err)
	}
	films, err := layer.NewEmbedding(4, 2, layer.EmbeddingOptions{})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := tensor.NewDense([]int64{318, -1, 318, 1 << 60, 50})
	if err != nil {
		log.Fatal(err)
	}
	for _, training := range []bool{false, true, false} {
		out, err := lookup.Run(ctx, layer.Args{Training: training}, layer.Value{IDs: keys})
		if err != nil {
			log.Fatal(err)
		}
		rows, err := films.Run(ctx, layer.Args{}, out.Values[0])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(out.Values[0].IDs.(*tensor.Dense[int64]).Values(), rows.Values[0].Floats.Shape())
	}
	uses, unknown := lookup.Counts()
	fmt.Println(lookup.GetVocabulary(), uses, unknown)
	// Output:
	// [0 0 0 0 0] [5 2]
	// [1 2 1 3 0] [5 2]
	// [1 2 1 3 0] [5 2]
	// [-1 318 -1 1152921504606846976] [2 1 1] 1
}

// Ids of several fields in one list: the first digit says which.
func ExampleFieldWiseEmbedding() {
	slot := layer.SlotOf(func(id int64) int { return int(id/10) - 1 })
	fields, err := layer.NewFieldWiseEmbedding(8, 3, slot, layer.DynamicOptions{Combiner: "mean"})
	if err != nil {
		log.Fatal(err)
	}
	ids := tensor.RaggedOf([]int64{11, 25, 12}, []int64{21})
	out, err := fields.Run(context.Background(), layer.Args{}, layer.Value{IDs: ids})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Values[0].Floats.Shape())
	// Output: [2 3 8]
}

// One table for three features of one id each.
func ExampleConcatOneHotEmbedding() {
	features, err := layer.NewConcatOneHotEmbedding([]int{100, 7, 2}, 16, layer.EmbeddingOptions{})
	if err != nil {
		log.Fatal(err)
	}
	ids, err := tensor.NewDense([]int64{99, 0, 1, 3, 6, 0}, 2, 3)
	if err != nil {
		log.Fatal(err)
	}
	out, err := features.Run(context.Background(), layer.Args{}, layer.Value{IDs: ids})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Values[0].Floats.Shape(), features.Table().Len(), "rows")
	// Output: [2 3 16] 109 rows
}
