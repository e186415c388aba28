package rowan

import (
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/tensor"
)

// cellValues is what a Lookup reads of rows of cells of some type. Its methods but
// reset are called by several goroutines at once, for different ids.
type cellValues interface {
	// reset makes room for what l looks up.
	reset(l *Lookup)
	// read reads the rows of ids from one on, of block b. The stripes of keys are
	// locked.
	read(l *Lookup, w *cellTools, b block, keys *keyBatch, from int)
	// pool makes the result's rows of block b.
	pool(l *Lookup, w *cellTools, b block)
	// fill makes row i of the result the one row of another's.
	fill(i int, from cellValues)
}

// cellTools is one worker's memory for reading cells.
type cellTools struct {
	bag   bag64
	block []float64 // the rows of a block that are not kept
	row   []float64 // a copy of a row, to be caught up
	last  [1]int64
}

// prepareCells readies l for a table whose rows are cells, or are not.
func (l *Lookup) prepareCells(t *Table, ids tensor.IDs, o LookupOptions) error {
	d := t.opt.DType
	switch {
	case !d.isCells():
		l.cells = nil
		return nil
	case d != Float64 && o.Combiner != None:
		return fmt.Errorf("%w: combiner %v is of floats, the rows are %v: they have only %v", ErrOptions, o.Combiner, d, None)
	case d != Float64 && o.Training:
		return fmt.Errorf("%w: rows of %v are stored and looked up: leave Training out", ErrNotTrainable, d)
	}
	l.reduction.reducer = nil
	if l.cells == nil || l.table == nil || l.table.opt.DType != d {
		l.cells = cellForms[d].values()
	}
	return new(bag64).prepare(o.Combiner, ids.Weights(), o.Prune)
}

// plainCells is what is read of rows that are not pooled.
type plainCells[T Cell] struct {
	rows []T // the cells of each id
	out  []T // the result
}

func (p *plainCells[T]) reset(l *Lookup) {
	n := len(l.rows) * l.table.opt.Width
	p.rows = slices.Grow(p.rows[:0], n)[:n]
	p.out = p.rows
}

func (p *plainCells[T]) read(l *Lookup, _ *cellTools, _ block, keys *keyBatch, from int) {
	width := l.table.opt.Width
	for i := range keys.len() {
		readID(l.table, p.rows[(from+i)*width:][:width], keys, i, l.rows[from+i])
	}
}

// readID writes what id i of a batch, which has row r, reads as.
func readID[T Cell](t *Table, dst []T, keys *keyBatch, i int, r uint32) {
	switch r {
	case rowZero, rowSkip:
		clear(dst)
	case rowAbsent:
		initialCells(t, dst, t.stream(keys, i))
	default:
		readCells(t.core, dst, r)
	}
}

func (p *plainCells[T]) pool(*Lookup, *cellTools, block) {}

func (p *plainCells[T]) fill(int, cellValues) {} // no empty bags without a combiner

// wideCells is what is read of rows of float64: caught up, and pooled in float64. Rows
// are kept where they are the result, or where the way back needs them; else those of
// a block are forgotten when it has been pooled.
type wideCells struct {
	plainCells[float64]
	pooled []float64
	keeps  bool
}

func (x *wideCells) reset(l *Lookup) {
	x.keeps = !l.pooled() || l.opt.Training && columns[l.opt.Combiner] != nil
	if x.keeps {
		x.plainCells.reset(l)
	}
	if l.pooled() {
		n := l.count() * l.table.opt.Width
		x.pooled = slices.Grow(x.pooled[:0], n)[:n]
		x.out = x.pooled
	}
}

// of returns the rows of block b, and the id that the first of them is of.
func (x *wideCells) of(l *Lookup, w *cellTools, b block) (rows []float64, first int) {
	if x.keeps {
		return x.rows, 0
	}
	lo, hi := l.bounds(b)
	n := (hi - lo) * l.table.opt.Width
	w.block = slices.Grow(w.block[:0], n)[:n]
	return w.block, lo
}

func (x *wideCells) read(l *Lookup, w *cellTools, b block, keys *keyBatch, from int) {
	all, first := x.of(l, w, b)
	t, width := l.table, l.table.opt.Width
	for i := range keys.len() {
		dst, r := all[(from+i-first)*width:][:width], l.rows[from+i]
		if t.core.exact && r < firstSpecial {
			copy(dst, w.caughtUp(t, r))
		} else {
			readID(t, dst, keys, i, r)
		}
	}
}

// caughtUp returns a copy of row r as of now, which is good until the next. Its
// stripe is locked.
func (w *cellTools) caughtUp(t *Table, r uint32) []float64 {
	c := t.core
	w.row = append(w.row[:0], rowOf[float64](c, r)...)
	if c.exact {
		w.last[0] = lastStep(&c.layout, w.row)
		catchUp(t, c, w.row, only, w.last[:], t.step.Load())
	}
	return w.row
}

// only names the row of a slab of one row.
var only = []uint32{0}

func (x *wideCells) pool(l *Lookup, w *cellTools, b block) {
	width := l.table.opt.Width
	if l.pooled() {
		// It has been prepared before, so that there is no error.
		_ = w.bag.prepare(l.opt.Combiner, l.ids.Weights(), l.opt.Prune)
		rows, first := x.of(l, w, b)
		for i := b.from; i < b.to; i++ {
			l.collect(&w.bag, i, first)
			out := x.out[i*width : (i+1)*width]
			clear(out)
			w.bag.forward(out, rows)
		}
	}
	if !l.cellsOnly {
		narrowed(l.out(b), x.out[b.from*width:])
	}
}

func (x *wideCells) fill(i int, from cellValues) {
	row := from.(*wideCells).out
	copy(x.out[i*len(row):], row)
}

// narrowed rounds numbers to float32.
func narrowed(dst []float32, src []float64) {
	for i := range dst {
		dst[i] = float32(src[i])
	}
}

// widened returns numbers as float64.
func widened(src []float32) []float64 {
	dst := make([]float64, len(src))
	for i, x := range src {
		dst[i] = float64(x)
	}
	return dst
}

// collect puts the ids of a bag that count into b, numbered from first on.
func (l *Lookup) collect(b *bag64, bag, first int) {
	b.reset()
	for j := l.bags.Splits[bag]; j < l.bags.Splits[bag+1]; j++ {
		if l.rows[j] != rowSkip {
			b.add(int(j)-first, l.ids.Weights(), int(j))
		}
	}
}
