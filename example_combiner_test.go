package rowan_test

import (
	"cmp"
	"fmt"
	"log"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// median takes the median of a bag's rows in each dimension. A program registers
// it once; configs name it "median".
var median = mustRegister(rowan.CombinerFunc{
	Name: "median",
	Forward: func(out []float32, b rowan.Bag) {
		for d := range out {
			out[d] = b.Row(middle(b, d))[d]
		}
	},
	Backward: func(grad, dout []float32, b rowan.Bag) {
		for d := range dout {
			grad[middle(b, d)*b.Width+d] = dout[d]
		}
	},
})

// middle returns the row of a bag that has the median of dimension d.
func middle(b rowan.Bag, d int) int {
	order := make([]int, b.Len())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(b.Row(i)[d], b.Row(j)[d]) })
	return order[len(order)/2]
}

func ExampleRegisterCombiner() {
	matrix, err := tensor.NewValues([]float32{1, 10, 2, 30, 9, 20}, 3, 2)
	if err != nil {
		log.Fatal(err)
	}
	m, err := rowan.EmbeddingLookup(matrix, tensor.RaggedOf([]int64{0, 1, 2}, nil), median)
	if err != nil {
		log.Fatal(err)
	}
	byName, err := rowan.ParseCombiner("median")
	fmt.Println(m.Values().Data(), byName == median, err)
	// Output: [2 20 0 0] true <nil>
}
