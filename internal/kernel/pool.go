package kernel

import "fmt"

// PoolSum adds to each bag's row of out the slab rows that the bag names, in
// order, each times its weight unless weights is nil:
//
//	for b := range len(offsets) - 1 {
//		for i := offsets[b] - offsets[0]; i < offsets[b+1]-offsets[0]; i++ {
//			for j := range width {
//				out[b*width+j] += float32(weights[i] * slab[int(idx[i])*stride+j])
//			}
//		}
//	}
//
// Offsets need not start at 0 and out is added to, so that a long bag may be
// fed in pieces and gives the bits of one call. The segment sum of the backward
// pass is the same loop, with gradients for the slab.
//
// PoolSum panics if an index, offset or length points outside its slice; so do
// all functions of this package.
func PoolSum(out []float32, width int, slab []float32, stride int, idx []uint32, offsets []int64, weights []float32) {
	bags := len(offsets) - 1
	if bags < 1 {
		return
	}
	bagsFit(offsets, len(idx))
	idx = idx[:offsets[bags]-offsets[0]]
	blockFits("out", out, bags, width)
	rowsFit(slab, stride, width, idx)
	if weights != nil && len(weights) < len(idx) {
		panic(fmt.Sprintf("kernel: %d indices need as many weights, got %d", len(idx), len(weights)))
	}
	poolSum(out, width, slab, stride, idx, offsets, weights)
}

// Gather copies the first width numbers of slab row idx[i] to row i of out.
func Gather(out []float32, width int, slab []float32, stride int, idx []uint32) {
	blockFits("out", out, len(idx), width)
	rowsFit(slab, stride, width, idx)
	gather(out, width, slab, stride, idx)
}

// Scatter copies row i of in to the first width numbers of slab row idx[i].
// The indices must be distinct.
func Scatter(slab []float32, stride, width int, idx []uint32, in []float32) {
	blockFits("in", in, len(idx), width)
	rowsFit(slab, stride, width, idx)
	scatter(slab, stride, width, idx, in)
}
