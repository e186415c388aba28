package kernel

// Dot returns the sum of a[i]*b[i], added over the fixed tree of 16 lanes. b
// must be as long as a.
func Dot(a, b []float32) float32 {
	return dot(a, b[:len(a)])
}

// SumSquares sets dst[i] to the squared norm of row i of x, added over the
// fixed tree of 16 lanes.
func SumSquares(dst, x []float32, width int) {
	blockFits("x", x, len(dst), width)
	sumSquares(dst, x, width)
}

// DivRows divides row i of x by div[i].
func DivRows(x []float32, width int, div []float32) {
	blockFits("x", x, len(div), width)
	divRows(x, width, div)
}

// ScaleRows multiplies row i of x by scale[i].
func ScaleRows(x []float32, width int, scale []float32) {
	blockFits("x", x, len(scale), width)
	scaleRows(x, width, scale)
}
