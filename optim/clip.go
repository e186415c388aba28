package optim

import (
	"math"

	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// Clip bounds gradients, after those of one row are summed. (Keras clips what
// it is given: for ids that repeat in a batch, the pieces of the sum.) At most
// one field may be set. The zero value changes nothing.
type Clip struct {
	// Value bounds each number of a gradient to [-Value, Value].
	Value float32
	// Norm bounds the L2 norm of the gradient of each weight; of a table, of each row.
	Norm float32
	// GlobalNorm bounds the L2 norm of all gradients of a step together.
	GlobalNorm float32
}

// Validate refuses negative bounds, NaN, and more than one bound.
func (c Clip) Validate() error {
	set := 0
	for _, bound := range []float32{c.Value, c.Norm, c.GlobalNorm} {
		if bound != 0 {
			set++
		}
	}
	if set > 1 {
		return configError("only one of clipvalue, clipnorm and global_clipnorm can be set. Received: clipvalue=%v, clipnorm=%v, global_clipnorm=%v",
			c.Value, c.Norm, c.GlobalNorm)
	}
	return firstError(
		notNegative("clipvalue", float64(c.Value)),
		notNegative("clipnorm", float64(c.Norm)),
		notNegative("global_clipnorm", float64(c.GlobalNorm)),
	)
}

// Rows clips the gradients of rows of a table, width numbers each, by value or
// by the norm of each row. It leaves them alone for other kinds of clipping:
// see [Clip.GlobalScale]. It does not allocate.
func (c Clip) Rows(grads []float32, width int) {
	switch {
	case c.Value > 0:
		clipValues(grads, c.Value)
	case c.Norm > 0 && width > 0:
		clipNorms(grads, width, c.Norm)
	}
}

// Rows64 is Rows of gradients of float64. The bounds are the float32 of c; norms
// and all else are of float64.
func (c Clip) Rows64(grads []float64, width int) {
	switch {
	case c.Value > 0:
		clipValues(grads, float64(c.Value))
	case c.Norm > 0 && width > 0:
		clipNorms64(grads, width, float64(c.Norm))
	}
}

// Weight clips the gradient of one dense weight, by value or by its norm as a
// whole; otherwise as [Clip.Rows].
func (c Clip) Weight(grads []float32) { c.Rows(grads, len(grads)) }

// GlobalScale returns what all gradients of a step are to be multiplied by,
// given the sum of their squares (see [SumSquares]): 1 unless GlobalNorm is set
// and exceeded. A sum that is infinite or NaN gives NaN, as in Keras: such a
// step cannot be scaled and should be refused before it gets here.
func (c Clip) GlobalScale(sumSquares float64) float32 {
	if !(c.GlobalNorm > 0) {
		return 1
	}
	if math.IsInf(sumSquares, 0) || math.IsNaN(sumSquares) {
		return float32(math.NaN())
	}
	norm := math.Sqrt(sumSquares)
	if norm <= float64(c.GlobalNorm) {
		return 1
	}
	return float32(float64(c.GlobalNorm) / norm)
}

// SumSquares returns the sum of the squares of gradients of width numbers a
// row: a row at a time in float32, over the kernels' fixed tree, and the rows
// in order in float64. So the result does not depend on threads, as long as
// the caller adds up several of them in a fixed order.
func SumSquares(grads []float32, width int) float64 {
	sum := 0.0
	var buffer [clipRows]float32
	for len(grads) >= width && width > 0 {
		n := min(len(grads)/width, clipRows)
		squares := buffer[:n]
		kernel.SumSquares(squares, grads, width)
		for _, s := range squares {
			sum += float64(s)
		}
		grads = grads[n*width:]
	}
	return sum
}

// Scale multiplies gradients by s, a result of [Clip.GlobalScale].
func Scale(grads []float32, s float32) {
	if s == 1 {
		return
	}
	for i := range grads {
		grads[i] *= s
	}
}

// clipRows is the number of rows whose norms are held at a time: 1 KiB on the stack.
const clipRows = 256

func clipValues[F Float](grads []F, bound F) {
	for i, g := range grads {
		grads[i] = min(max(g, -bound), bound)
	}
}

// clipNorms scales each row whose norm is above bound down to it.
func clipNorms(grads []float32, width int, bound float32) {
	var buffer [clipRows]float32
	for len(grads) >= width {
		n := min(len(grads)/width, clipRows)
		scale := buffer[:n]
		kernel.SumSquares(scale, grads, width)
		for i, s := range scale {
			scale[i] = 1
			if norm := sqrt(s); norm > bound {
				scale[i] = bound / norm
			}
		}
		kernel.ScaleRows(grads, width, scale)
		grads = grads[n*width:]
	}
}

// clipNorms64 is clipNorms, a row at a time: there are no kernels of float64 to
// hand many to.
func clipNorms64(grads []float64, width int, bound float64) {
	for ; len(grads) >= width; grads = grads[width:] {
		row := grads[:width]
		if norm := math.Sqrt(kernel.Dot64(row, row)); norm > bound {
			scaleBy(row, bound/norm)
		}
	}
}

// sqrt is rounded once: a float64 has more than twice the digits of a float32.
func sqrt[F Float](x F) F { return F(math.Sqrt(float64(x))) }
