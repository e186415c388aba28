package tensor_test

import (
	"errors"
	"fmt"

	"github.com/rowan-embeddings/rowan/tensor"
)

// Three users have seen two films, none, and one.
//
//	user 0  7 3
//	user 1
//	user 2  7
func ExampleNewRagged() {
	films, err := tensor.NewRagged([]int64{7, 3, 7}, []int64{0, 2, 2, 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("shape ", films.Shape())
	fmt.Println("values", films.Values())
	fmt.Println("splits", films.Splits())
	for i := range films.Bags() {
		fmt.Println("user", i, films.Bag(i))
	}
	// Output:
	// shape  [3 -1]
	// values [7 3 7]
	// splits [0 2 2 3]
	// user 0 [7 3]
	// user 1 []
	// user 2 [7]
}

func ExampleRaggedOf() {
	genres := tensor.RaggedOf([]string{"War", "Drama"}, nil, []string{"Comedy"})
	fmt.Println(genres.KeyType(), genres.Shape(), genres.Len())
	// Output: string [3 -1] 3
}

func ExampleRaggedFromLengths() {
	films, err := tensor.RaggedFromLengths([]int64{7, 3, 7}, []int{2, 0, 1})
	fmt.Println(films.Splits(), err)
	_, err = tensor.RaggedFromLengths([]int64{7, 3, 7}, []int{2, 2})
	fmt.Println(err)
	// Output:
	// [0 2 2 3] <nil>
	// tensor: bad row splits: length 2 of bag 1, with 1 of 3 ids left
}

func ExampleNewSparse() {
	// . 7 3
	// . . .
	// 7 . .
	films, err := tensor.NewSparse([]int64{0, 1, 0, 2, 2, 0}, []int64{7, 3, 7}, 3, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	bags, err := films.Ragged()
	fmt.Println(bags.Values(), bags.Splits(), err)

	_, err = tensor.NewSparse([]int64{0, 1, 0, 1}, []int64{7, 3}, 3, 3)
	fmt.Println(errors.Is(err, tensor.ErrIndices), err)
	// Output:
	// [7 3 7] [0 2 2 3] <nil>
	// true tensor: bad sparse indices: entries 0 and 1 are both at [0 1]
}

func ExampleRagged_Dense() {
	films, err := tensor.RaggedOf([]int64{7, 3}, nil, []int64{7}).Dense(-1)
	fmt.Println(films.Values(), films.Shape(), err)
	// Output: [7 3 -1 -1 7 -1] [3 2] <nil>
}

// The same bags in two layouts, and what pooling gets to see of them.
func ExampleBags_Of() {
	ragged := tensor.RaggedOf([]int64{7, 3}, nil, []int64{7})
	var bags tensor.Bags
	for _, ids := range []tensor.IDs{ragged, ragged.Sparse()} {
		err := bags.Of(ids)
		fmt.Println(ids.Shape(), "->", bags.Splits, bags.Outer, err)
	}
	flat, _ := tensor.NewDense([]int64{7, 3, 7})
	fmt.Println(bags.Of(flat))
	// Output:
	// [3 -1] -> [0 2 2 3] [3] <nil>
	// [3 2] -> [0 2 2 3] [3] <nil>
	// tensor: shapes do not agree: pooling needs ids of at least two dimensions (a batch of bags), got shape [3]
}

func ExampleDense_WithWeights() {
	ids, err := tensor.NewDense([]int64{7, 3, 7, 1}, 2, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	weighted, err := ids.WithWeights([]float32{1, 0.5, 1, 0.25})
	fmt.Println(weighted.Weights(), ids.Weights() == nil, err)
	_, err = ids.WithWeights([]float32{1})
	fmt.Println(err)
	// Output:
	// [1 0.5 1 0.25] true <nil>
	// tensor: shapes do not agree: 4 ids need as many weights, got 1
}

func ExampleNewValues() {
	v, err := tensor.NewValues([]float32{1, 2, 3, 4, 5, 6}, 3, 2)
	fmt.Println(v.Shape(), v.Row(1), err)
	_, err = tensor.NewValues([]float32{1, 2, 3}, 2, 2)
	fmt.Println(err)
	// Output:
	// [3 2] [3 4] <nil>
	// tensor: shapes do not agree: shape [2 2] holds 4 numbers, got 3
}
