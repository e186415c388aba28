//go:build !noasm

package kernel

import "golang.org/x/sys/cpu"

//go:generate go -C _gen run . -pkg kernel -out ../kernel_amd64.s -stubs ../stubs_amd64.go

// path is an instruction set that the functions below have code for.
type path uint8

const (
	pathGo path = iota
	pathAVX2
	pathAVX512
)

// active is the path in use. Only tests change it.
var active = best()

// best returns the widest path of this CPU and operating system that GODEBUG
// (cpu.avx2=off, cpu.avx512f=off) does not switch off.
func best() path {
	x := &cpu.X86
	switch {
	case !x.HasAVX2:
		return pathGo
	case x.HasAVX512F && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512BW:
		return pathAVX512
	}
	return pathAVX2
}

// Path returns the name of the instruction set in use: "avx512", "avx2" or "go".
func Path() string { return [...]string{"go", "avx2", "avx512"}[active] }

func maxIndex(idx []uint32) uint32 {
	if active == pathGo || len(idx) < 8 {
		return maxIndexGo(idx)
	}
	return maxIndexAVX2(idx)
}

// widenGroups widens as many numbers of a row as fill whole vectors, and returns how
// many.
func (h Half) widenGroups(dst, words []float32) int {
	switch {
	case active == pathGo:
		return 0
	case h == BFloat16:
		widenBrainAVX2(dst, words)
	default:
		widenFloat16AVX2(dst, words)
	}
	return len(dst) &^ 7
}

func poolSum(out []float32, width int, slab []float32, stride int, idx []uint32, offsets []int64, weights []float32) {
	if weights != nil {
		poolWeightedSum(out, width, slab, stride, idx, offsets, weights)
		return
	}
	switch active {
	case pathAVX512:
		poolSumAVX512(out, width, slab, stride, idx, offsets)
	case pathAVX2:
		poolSumAVX2(out, width, slab, stride, idx, offsets)
	default:
		poolSumGo(out, width, slab, stride, idx, offsets, nil)
	}
}

func poolWeightedSum(out []float32, width int, slab []float32, stride int, idx []uint32, offsets []int64, weights []float32) {
	switch active {
	case pathAVX512:
		poolWeightedSumAVX512(out, width, slab, stride, idx, offsets, weights)
	case pathAVX2:
		poolWeightedSumAVX2(out, width, slab, stride, idx, offsets, weights)
	default:
		poolSumGo(out, width, slab, stride, idx, offsets, weights)
	}
}

func dot(a, b []float32) float32 {
	switch active {
	case pathAVX512:
		return dotAVX512(a, b)
	case pathAVX2:
		return dotAVX2(a, b)
	}
	return dotGo(a, b)
}

func gather(out []float32, width int, slab []float32, stride int, idx []uint32) {
	switch active {
	case pathAVX512:
		gatherAVX512(out, width, slab, stride, idx)
	case pathAVX2:
		gatherAVX2(out, width, slab, stride, idx)
	default:
		gatherGo(out, width, slab, stride, idx)
	}
}

func scatter(slab []float32, stride, width int, idx []uint32, in []float32) {
	switch active {
	case pathAVX512:
		scatterAVX512(slab, stride, width, idx, in)
	case pathAVX2:
		scatterAVX2(slab, stride, width, idx, in)
	default:
		scatterGo(slab, stride, width, idx, in)
	}
}

func sumSquares(dst, x []float32, width int) {
	switch active {
	case pathAVX512:
		sumSquaresAVX512(dst, x, width)
	case pathAVX2:
		sumSquaresAVX2(dst, x, width)
	default:
		sumSquaresGo(dst, x, width)
	}
}

func divRows(x []float32, width int, div []float32) {
	switch active {
	case pathAVX512:
		divRowsAVX512(x, width, div)
	case pathAVX2:
		divRowsAVX2(x, width, div)
	default:
		divRowsGo(x, width, div)
	}
}

func scaleRows(x []float32, width int, scale []float32) {
	switch active {
	case pathAVX512:
		scaleRowsAVX512(x, width, scale)
	case pathAVX2:
		scaleRowsAVX2(x, width, scale)
	default:
		scaleRowsGo(x, width, scale)
	}
}

func sgd(slab []float32, stride, width int, rows []uint32, grads []float32, lr float32) {
	switch active {
	case pathAVX512:
		sgdAVX512(slab, stride, width, rows, grads, lr)
	case pathAVX2:
		sgdAVX2(slab, stride, width, rows, grads, lr)
	default:
		sgdGo(slab, stride, width, rows, grads, lr)
	}
}

func adagrad(slab []float32, stride, width int, rows []uint32, grads []float32, lr, eps float32) {
	switch active {
	case pathAVX512:
		adagradAVX512(slab, stride, width, rows, grads, lr, eps)
	case pathAVX2:
		adagradAVX2(slab, stride, width, rows, grads, lr, eps)
	default:
		adagradGo(slab, stride, width, rows, grads, lr, eps)
	}
}

func rowWiseAdagrad(slab []float32, stride, width int, rows []uint32, grads []float32, lr, eps float32) {
	switch active {
	case pathAVX512:
		rowWiseAdagradAVX512(slab, stride, width, rows, grads, lr, eps)
	case pathAVX2:
		rowWiseAdagradAVX2(slab, stride, width, rows, grads, lr, eps)
	default:
		rowWiseAdagradGo(slab, stride, width, rows, grads, lr, eps)
	}
}

func adam(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamStep) {
	switch active {
	case pathAVX512:
		adamAVX512(slab, stride, width, rows, grads, s.Alpha, float32(1-s.Beta1), float32(1-s.Beta2), s.Eps)
	case pathAVX2:
		adamAVX2(slab, stride, width, rows, grads, s.Alpha, float32(1-s.Beta1), float32(1-s.Beta2), s.Eps)
	default:
		adamGo(slab, stride, width, rows, grads, s)
	}
}

func adamDecay(row []float32, width int, alphas []float32, beta1, beta2 float64, eps float32) {
	switch active {
	case pathAVX512:
		adamDecayAVX512(row, width, alphas, float32(1-beta1), float32(1-beta2), eps)
	case pathAVX2:
		adamDecayAVX2(row, width, alphas, float32(1-beta1), float32(1-beta2), eps)
	default:
		adamDecayGo(row, width, alphas, beta1, beta2, eps)
	}
}
