package rowan

import (
	"math"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// Weights of 16 bits lie two to a word of the slab, the first in its lower half.
// What follows them is as in any row:
//
//	stored   w0 w1 | w2 w3 | w4 0 | slots … | last step | padding
//	opened   w0 | w1 | w2 | w3 | w4 | slots … | last step
//
// core.layout is that of opened rows, which is what everything works on: a row is
// opened where it lies if it is of float32, else in scratch memory, and shut again.

// narrow says how the rows of a core lie in its slab. The zero value is float32:
// as in core.layout.
type narrow struct {
	half   kernel.Half // 0: not of 16 bits
	stride int         // of the slab, if it is not that of the layout
}

// narrowOf returns how rows of a layout lie in a slab.
func narrowOf(d DType, l *layout) narrow {
	if d.half() == 0 {
		return narrow{}
	}
	n := wordsOf(l.width) + l.state - l.width
	if l.last >= 0 {
		n++
	}
	return narrow{half: d.half(), stride: strideFor(n)}
}

// wordsOf returns how many words n weights of 16 bits take.
func wordsOf(n int) int { return (n + 1) / 2 }

// stride is from one row of the slab to the next.
func (c *core) stride() int {
	if c.narrow.stride != 0 {
		return c.narrow.stride
	}
	return c.layout.stride
}

// weightBytes is how many bytes of a row of type d are weights.
func (c *core) weightBytes(d DType) int {
	switch width := c.layout.width; {
	case c.packed != 0:
		return 4 * c.packed.words(width)
	case c.narrow.half != 0:
		return 4 * wordsOf(width)
	case d.isCells():
		return width * d.size()
	default:
		return 4 * width
	}
}

// words returns narrow row r as it lies in the slab.
func (c *core) words(r uint32) []float32 {
	at := int(r) * c.narrow.stride
	return c.slab.Data()[at : at+c.narrow.stride : at+c.narrow.stride]
}

// tail is the part of a row behind its weights: state, and the last step if it is kept.
func (l *layout) tail() (from, to int) {
	if l.last >= 0 {
		return l.width, l.last + 1
	}
	return l.width, l.state
}

// read copies row r, opened, to dst: all of it, or its weights alone if dst has
// room for no more.
func (c *core) read(dst []float32, r uint32) {
	if c.narrow.half == 0 {
		if c.packed != 0 {
			c.packed.unpack(dst, c.row(r))
		} else {
			copy(dst, c.row(r))
		}
		return
	}
	words, width := c.words(r), c.layout.width
	c.narrow.half.WidenRow(dst[:width], words)
	if from, to := c.layout.tail(); len(dst) > width {
		copy(dst[from:to], words[wordsOf(width):])
	}
}

// write stores an opened row.
func (c *core) write(r uint32, row []float32, how rounding) {
	words, width := c.words(r), c.layout.width
	if how.byChance {
		c.narrow.half.ByChanceRow(words, row[:width], func(word int) uint64 { return initializer.Bits(how.stream, uint64(word)) })
	} else {
		c.narrow.half.NearestRow(words, row[:width])
	}
	from, to := c.layout.tail()
	copy(words[wordsOf(width):], row[from:to])
}

// lastStep returns the last step of row r, 0 if the core keeps none.
func (c *core) lastStep(r uint32) int64 {
	switch l := &c.layout; {
	case l.last < 0:
		return 0
	case c.narrow.half != 0:
		return int64(math.Float32bits(c.words(r)[wordsOf(l.width)+l.last-l.width]))
	case c.dtype == Float64:
		return lastStep(l, rowOf[float64](c, r))
	default:
		return lastStep(l, c.row(r))
	}
}

// openRow is a row to be changed: where it lies, or in scratch memory.
type openRow struct {
	row     []float32
	core    *core
	number  uint32
	scratch *[]float32 // nil: row is where it lies
}

var openRows = sync.Pool{New: func() any { return new([]float32) }}

// open opens row r, whose stripe is locked.
func (c *core) open(r uint32) openRow {
	o := openRow{core: c, number: r}
	if c.narrow.half == 0 {
		o.row = c.row(r)
		return o
	}
	o.scratch = openRows.Get().(*[]float32)
	n := c.layout.stride
	*o.scratch = slices.Grow((*o.scratch)[:0], n)[:n]
	o.row = *o.scratch
	c.read(o.row, r)
	return o
}

// shut puts what has become of the row in its place.
func (o openRow) shut(how rounding) {
	if o.scratch != nil {
		o.core.write(o.number, o.row, how)
		openRows.Put(o.scratch)
	}
}

// leave closes the row as it was.
func (o openRow) leave() {
	if o.scratch != nil {
		openRows.Put(o.scratch)
	}
}

// round gives the weights of an opened row the numbers that they will be stored
// as, for what is made of them; shut then changes nothing.
func (o openRow) round(how rounding) {
	if o.scratch == nil {
		return
	}
	o.core.write(o.number, o.row, how)
	o.core.narrow.half.WidenRow(o.row[:o.core.layout.width], o.core.words(o.number))
}

// rounding says how weights are rounded. The zero value is to the nearest.
type rounding struct {
	byChance bool
	stream   uint64
}

// byChance returns the rounding of the row of key i of a batch at a step.
func (t *Table) byChance(k *keyBatch, i int, step int64) rounding {
	if t.opt.DType.half() == 0 {
		return rounding{}
	}
	return byChance(t.stream(k, i), step)
}

// byChance returns the rounding of the row of a stream at a step.
func byChance(stream uint64, step int64) rounding {
	// The complement: the stream itself is that of first values.
	return rounding{true, initializer.Bits(^stream, uint64(step))}
}

// openBlock is the rows of a block of an update, opened together.
type openBlock struct {
	core core     // of the opened rows, 0 to n-1
	rows []uint32 // where they belong
	all  []uint32 // 0, 1, 2, …
	data []float32
}

// open opens the block's rows and makes them the rows 0 to n-1 of the core that
// it returns: what updates rows works on them as on any.
func (w *applyTools[F]) open(c *core) *core {
	b := &w.opened
	b.rows = append(b.rows[:0], w.rows...)
	for len(b.all) < len(b.rows) {
		b.all = append(b.all, uint32(len(b.all)))
	}
	w.rows = append(w.rows[:0], b.all[:len(b.rows)]...)
	stride := c.layout.stride
	n := len(b.rows) * stride
	b.data = slices.Grow(b.data[:0], n)[:n]
	for i, r := range b.rows {
		c.read(b.data[i*stride:(i+1)*stride], r)
	}
	b.core = core{layout: c.layout, optimizer: c.optimizer, exact: c.exact, opened: b.data}
	return &b.core
}

// shut stores the block's rows in c, where they came from, and makes them the
// rows of w again.
func (w *applyTools[F]) shut(g *Gradients, c *core) {
	stride := c.layout.stride
	w.rows = append(w.rows[:0], w.opened.rows...)
	for i, r := range w.rows {
		c.write(r, w.opened.data[i*stride:(i+1)*stride], byChance(g.streamAt(w.first[i], r), g.step.Number))
	}
}

// streamAt returns the stream of the key that row r has, which occurs at a position.
// Ids out of range of a static table stand for its last row.
func (g *Gradients) streamAt(pos int, r uint32) uint64 {
	if g.table.opt.Rows > 0 {
		return g.table.streamOf(uint64(r))
	}
	term := g.term(pos)
	return g.table.stream(&term.lookup.keys, pos-term.first)
}
