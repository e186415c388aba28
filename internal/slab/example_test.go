package slab_test

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/internal/slab"
)

func Example() {
	s, err := slab.New(slab.Options{Stride: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	first, _ := s.Alloc()
	data := s.Data() // stays good while the slab grows
	second, _ := s.Alloc()
	copy(data[first*4:], []float32{1, 2, 3, 4})
	copy(s.Data()[second*4:], []float32{5, 6, 7, 8})
	fmt.Println(s.Data())

	_ = s.Free(first)
	again, _ := s.Alloc()
	fmt.Println(again == first, s.Data()[again*4:again*4+4])
	// Output:
	// [1 2 3 4 5 6 7 8]
	// true [0 0 0 0]
}
