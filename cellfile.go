package rowan

import (
	"fmt"
	"math"

	"github.com/rowan-embeddings/rowan/internal/format"
)

// fillCells copies rows of cells, with their state, into a block of a file.
func (c *core) fillCells(b *format.Block, rows []uint32) {
	b.Cells, b.Texts = b.Cells[:0], b.Texts[:0]
	for _, r := range rows {
		switch c.dtype {
		case Float64:
			b.Cells = format.AppendCells(b.Cells, rowOf[float64](c, r)[:c.layout.state])
		case Int8:
			b.Cells = appendRow[int8](b.Cells, c, r)
		case Int32:
			b.Cells = appendRow[int32](b.Cells, c, r)
		case Int64:
			b.Cells = appendRow[int64](b.Cells, c, r)
		case Bool:
			b.Cells = appendRow[bool](b.Cells, c, r)
		case String:
			n := len(b.Texts)
			b.Texts = append(b.Texts, make([]string, c.layout.width)...)
			readCells(c, b.Texts[n:], r)
		}
	}
}

func appendRow[T int8 | int32 | int64 | bool](to []byte, c *core, r uint32) []byte {
	cells := make([]T, c.layout.width)
	readCells(c, cells, r)
	return format.AppendCells(to, cells)
}

// loadCells makes row r, which is of a stripe, of row i of a block of cells without
// state.
func (c *core) loadCells(b *format.Block, i int, r uint32, stripe int) error {
	switch width := c.layout.width; c.dtype {
	case Int8:
		return loadRow[int8](c, b, i, r, stripe)
	case Int32:
		return loadRow[int32](c, b, i, r, stripe)
	case Int64:
		return loadRow[int64](c, b, i, r, stripe)
	case Bool:
		return loadRow[bool](c, b, i, r, stripe)
	default:
		cells := b.Texts[i*width : (i+1)*width]
		if err := checkCells(cells); err != nil {
			return err
		}
		return writeCells(c, stripe, r, cells)
	}
}

func loadRow[T int8 | int32 | int64 | bool](c *core, b *format.Block, i int, r uint32, stripe int) error {
	cells := make([]T, c.layout.width)
	format.ReadCells(cells, rowBytes(b, i))
	return writeCells(c, stripe, r, cells)
}

// rowBytes returns the bytes of row i of a block.
func rowBytes(b *format.Block, i int) []byte {
	size := len(b.Cells) / b.Len()
	return b.Cells[i*size : (i+1)*size]
}

// numbers64 returns the weights and state of row i of a block, widened if need be.
func numbers64(h format.Header, b *format.Block, i int) []float64 {
	n := h.Stride()
	if h.Type != format.Float64 {
		return widened(b.Rows[i*n : (i+1)*n])
	}
	numbers := make([]float64, n)
	format.ReadCells(numbers, rowBytes(b, i))
	return numbers
}

// numbers32 returns the weights and state of row i of a block, rounded if need be. A
// number that float32 has no room for is ErrNotFinite.
func numbers32(h format.Header, b *format.Block, i int) ([]float32, error) {
	n := h.Stride()
	if h.Type != format.Float64 {
		return b.Rows[i*n : (i+1)*n], nil
	}
	wide, numbers := numbers64(h, b, i), make([]float32, n)
	narrowed(numbers, wide)
	for j, x := range numbers {
		if math.IsInf(float64(x), 0) && !math.IsInf(wide[j], 0) {
			return nil, fmt.Errorf("%w as float32: number %d of %d is %v", ErrNotFinite, j, n, wide[j])
		}
	}
	return numbers, nil
}
