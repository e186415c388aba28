package kernel

import "fmt"

// rowsFit panics unless each of idx names a slab row whose first need numbers
// exist: what the assembly reads and writes is settled here, before it runs.
//
// The scan for the largest number is vectorised: 1.4 µs for 8,192 indices (Zen
// 3), whose rows take 250 µs to pool where they are cold and 25 where they are not.
func rowsFit[F Float](slab []F, stride, need int, idx []uint32) {
	if len(idx) == 0 {
		return
	}
	top := int(maxIndex(idx))
	if need < 1 || stride < need || len(slab) < need || top > (len(slab)-need)/stride {
		panic(fmt.Sprintf("kernel: row %d of %d numbers at stride %d lies outside a slab of %d numbers",
			top, need, stride, len(slab)))
	}
}

// blockFits panics unless x has at least rows*width numbers.
func blockFits[F Float](name string, x []F, rows, width int) {
	if width < 1 || len(x)/width < rows {
		panic(fmt.Sprintf("kernel: %s needs %d rows of %d numbers, got %d numbers", name, rows, width, len(x)))
	}
}

// bagsFit panics unless offsets never decrease and end within n indices.
func bagsFit(offsets []int64, n int) {
	for i := 1; i < len(offsets); i++ {
		if offsets[i] < offsets[i-1] {
			panic(fmt.Sprintf("kernel: offset %d is %d, less than %d before it", i, offsets[i], offsets[i-1]))
		}
	}
	if used := uint64(offsets[len(offsets)-1] - offsets[0]); used > uint64(n) {
		panic(fmt.Sprintf("kernel: offsets name %d indices, got %d", used, n))
	}
}
