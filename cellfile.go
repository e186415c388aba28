package rowan

import (
	"fmt"
	"math"

	"github.com/rowan-embeddings/rowan/internal/format"
)

// cellForm is what depends on the type of cells, where that is known to the table
// alone.
type cellForm interface {
	// values returns what a lookup reads them into.
	values() cellValues
	// save appends rows, with their state, to a block of a file.
	save(b *format.Block, c *core, rows []uint32)
	// load makes row r of the core of l, which is of a stripe, of row i of a block of
	// a file.
	load(l *loading, h format.Header, b *format.Block, i int, r uint32, stripe int) error
}

// cellForms are the forms of the types that are cells.
var cellForms = [...]cellForm{
	Float64: wideForm{},
	Int8:    plainForm[int8]{},
	Int32:   plainForm[int32]{},
	Int64:   plainForm[int64]{},
	Bool:    plainForm[bool]{},
	String:  textForm{},
}

// plainForm is that of integers and truth values.
type plainForm[T int8 | int32 | int64 | bool] struct{}

func (plainForm[T]) values() cellValues { return new(plainCells[T]) }

func (plainForm[T]) save(b *format.Block, c *core, rows []uint32) {
	cells := make([]T, c.layout.width)
	for _, r := range rows {
		readCells(c, cells, r)
		b.Cells = format.AppendCells(b.Cells, cells)
	}
}

func (plainForm[T]) load(l *loading, h format.Header, b *format.Block, i int, r uint32, stripe int) error {
	cells := make([]T, h.Width)
	format.ReadCells(cells, rowBytes(b, i))
	return writeCells(l.core, stripe, r, cells)
}

// textForm is that of strings.
type textForm struct{}

func (textForm) values() cellValues { return new(plainCells[string]) }

func (textForm) save(b *format.Block, c *core, rows []uint32) {
	for _, r := range rows {
		n := len(b.Texts)
		b.Texts = append(b.Texts, make([]string, c.layout.width)...)
		readCells(c, b.Texts[n:], r)
	}
}

func (textForm) load(l *loading, h format.Header, b *format.Block, i int, r uint32, stripe int) error {
	cells := b.Texts[i*h.Width:][:h.Width]
	if err := checkCells(cells); err != nil {
		return err
	}
	return writeCells(l.core, stripe, r, cells)
}

// wideForm is that of float64, which has state.
type wideForm struct{}

func (wideForm) values() cellValues { return new(wideCells) }

func (wideForm) save(b *format.Block, c *core, rows []uint32) {
	for _, r := range rows {
		b.Cells = format.AppendCells(b.Cells, rowOf[float64](c, r)[:c.layout.state])
	}
}

func (wideForm) load(l *loading, h format.Header, b *format.Block, i int, r uint32, _ int) error {
	fillRow(l, rowOf[float64](l.core, r), numbers64(h, b, i), b, i)
	return nil
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
