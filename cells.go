package rowan

import (
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/text"
)

// Rows that are not computed in float32 are rows of cells. Those of float64 have
// what any row has, in float64; the others have their cells and nothing else:
//
//	Float64      w0 … | slot 0 … | slot 1 … | last step | padding    8 bytes each
//	Int8, …      c0 c1 c2 … | padding                                their own size
//	String       nothing: cell i of row r is text r·width+i of core.texts
//
// What the slab has room for is counted in float32s, as everywhere.

// Cell is a type of what the rows of a [TableOf] hold.
type Cell interface {
	float64 | int8 | int32 | int64 | bool | string
}

// dtypeOf returns the type of rows of T.
func dtypeOf[T Cell]() DType {
	switch any(*new(T)).(type) {
	case float64:
		return Float64
	case int8:
		return Int8
	case int32:
		return Int32
	case int64:
		return Int64
	case bool:
		return Bool
	}
	return String
}

// size returns the bytes of a cell in the slab; 0 of a string, which is elsewhere.
func (d DType) size() int {
	switch d {
	case Int8, Bool:
		return 1
	case Int32:
		return 4
	case Int64, Float64:
		return 8
	}
	return 0
}

// layCells says where rows of cells lie in the slab of c.
func (c *core) layCells(d DType) {
	l := &c.layout
	n := l.state * d.size()
	if l.last >= 0 {
		n += d.size()
	}
	c.narrow.stride = strideFor(max(1, (n+3)/4))
	if d == Float64 {
		l.stride = c.narrow.stride / 2
	}
}

// openTexts makes room for what rows of strings hold.
func (c *core) openTexts() (err error) {
	c.texts, err = text.New(text.Options{Stripes: stripes})
	return err
}

// bytesOf is the memory of cells that are no strings.
func bytesOf[T Cell](cells []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(cells))), len(cells)*int(unsafe.Sizeof(*new(T))))
}

// cellsAt is the memory of row r from its first cell on.
func (c *core) cellsAt(r uint32) []byte {
	words := c.words(r)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 4*len(words))
}

// readCells copies the cells of row r, without state, to dst. Its stripe is locked.
func readCells[T Cell](c *core, dst []T, r uint32) {
	texts, ok := any(&dst).(*[]string)
	if !ok {
		copy(bytesOf(dst), c.cellsAt(r))
		return
	}
	first := r * uint32(c.layout.width)
	for i := range *texts {
		(*texts)[i] = strings.Clone(c.texts.Read(first + uint32(i)))
	}
}

// writeCells makes src the cells of row r, whose stripe is locked for writing.
func writeCells[T Cell](c *core, stripe int, r uint32, src []T) error {
	texts, ok := any(&src).(*[]string)
	if !ok {
		copy(c.cellsAt(r), bytesOf(src))
		return nil
	}
	first := r * uint32(c.layout.width)
	for i, s := range *texts {
		if err := c.texts.Write(stripe, first+uint32(i), s); err != nil {
			return err
		}
	}
	return nil
}

// forget drops what row r, which is about to be freed, holds outside the slab.
func (c *core) forget(stripe int, r uint32) {
	if c.texts == nil {
		return
	}
	for i := range uint32(c.layout.width) {
		c.texts.Erase(stripe, r*uint32(c.layout.width)+i)
	}
}

// checkCells reports the first cell that a table cannot hold.
func checkCells[T Cell](cells []T) error {
	switch cells := any(&cells).(type) {
	case *[]float64:
		return checkFinite("value", *cells)
	case *[]string:
		for i, s := range *cells {
			if len(s) > text.MaxString {
				return fmt.Errorf("%w: value %d of %d is a string of %d bytes, at most %d: beginning %.40q",
					ErrShape, i, len(*cells), len(s), text.MaxString, s)
			}
		}
	}
	return nil
}

// firstCells returns what a row of integers or truth values starts with, in the
// form of the slab; nothing of strings, which start empty.
func (o *TableOptions) firstCells() ([]byte, error) {
	row := make([]float64, o.Width)
	switch i := o.Initializer.(type) {
	case nil, initializer.Zeros:
	case initializer.Ones, initializer.Constant, initializer.Values:
		if o.DType == String {
			return nil, fmt.Errorf("gives numbers, and strings start empty: leave it out. Received: %s", i.Name())
		}
		if err := initializer.Check(i, o.Width); err != nil {
			return nil, err
		}
		initializer.Row64(i, row, 0, o.Fan)
	default:
		return nil, fmt.Errorf("of rows of %v must be Zeros, Ones, Constant or Values, which are the same for every key. Received: %s", o.DType, i.Name())
	}
	switch o.DType {
	case Int8:
		return whole[int8](row, math.MinInt8, math.MaxInt8)
	case Int32:
		return whole[int32](row, math.MinInt32, math.MaxInt32)
	case Int64:
		return whole[int64](row, -1<<53, 1<<53)
	case Bool:
		return whole[int8](row, 0, 1)
	}
	return nil, nil
}

// whole returns the memory of numbers, which must be whole and within bounds.
func whole[T int8 | int32 | int64](row []float64, least, most float64) ([]byte, error) {
	cells := make([]T, len(row))
	for i, x := range row {
		if x != math.Trunc(x) || !(x >= least && x <= most) {
			return nil, fmt.Errorf("must give whole numbers from %.0f to %.0f. Received: %v", least, most, x)
		}
		cells[i] = T(x)
	}
	return bytesOf(cells), nil
}

// initialCells writes the cells that a key which has no row reads as.
func initialCells[T Cell](t *Table, dst []T, stream uint64) {
	switch cells := any(&dst).(type) {
	case *[]float64:
		initializer.Row64(t.opt.Initializer, *cells, stream, t.opt.Fan)
		clipNorm(t, *cells)
	case *[]string:
		clear(*cells)
	default:
		copy(bytesOf(dst), t.first)
	}
}

// startCells makes row r a new one.
func (t *Table) startCells(c *core, r uint32, stream uint64, step int64) {
	switch t.opt.DType {
	case Float64:
		row := rowOf[float64](c, r)
		initialCells(t, row[:t.opt.Width], stream)
		begin(&c.layout, row, step)
	case String: // it has no text yet
	default:
		copy(c.cellsAt(r), t.first)
	}
}
