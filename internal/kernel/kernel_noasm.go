//go:build noasm || !amd64

package kernel

// Path returns the name of the instruction set in use: "avx512", "avx2" or "go".
func Path() string { return "go" }

func maxIndex(idx []uint32) uint32 { return maxIndexGo(idx) }

func (Half) widenGroups(_, _ []float32) int { return 0 }

func poolSum(out []float32, width int, slab []float32, stride int, idx []uint32, offsets []int64, weights []float32) {
	poolSumGo(out, width, slab, stride, idx, offsets, weights)
}

func gather(out []float32, width int, slab []float32, stride int, idx []uint32) {
	gatherGo(out, width, slab, stride, idx)
}

func scatter(slab []float32, stride, width int, idx []uint32, in []float32) {
	scatterGo(slab, stride, width, idx, in)
}

func dot(a, b []float32) float32 { return dotGo(a, b) }

func sumSquares(dst, x []float32, width int) { sumSquaresGo(dst, x, width) }

func divRows(x []float32, width int, div []float32) { divRowsGo(x, width, div) }

func scaleRows(x []float32, width int, scale []float32) { scaleRowsGo(x, width, scale) }

func sgd(slab []float32, stride, width int, rows []uint32, grads []float32, lr float32) {
	sgdGo(slab, stride, width, rows, grads, lr)
}

func adagrad(slab []float32, stride, width int, rows []uint32, grads []float32, lr, eps float32) {
	adagradGo(slab, stride, width, rows, grads, lr, eps)
}

func rowWiseAdagrad(slab []float32, stride, width int, rows []uint32, grads []float32, lr, eps float32) {
	rowWiseAdagradGo(slab, stride, width, rows, grads, lr, eps)
}

func adam(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamStep) {
	adamGo(slab, stride, width, rows, grads, s)
}

func adamDecay(row []float32, width int, alphas []float32, beta1, beta2 float64, eps float32) {
	adamDecayGo(row, width, alphas, beta1, beta2, eps)
}
