package rowan

import (
	"slices"

	"github.com/rowan-embeddings/rowan/optim"
)

// copier copies out rows that cannot be read where they lie: first values of
// keys that have no row, rows that missed steps which an exact optimizer makes
// up for, and rows that are packed or of another type than float32. A read
// changes nothing in the table, so that the steps at which
// somebody happened to read leave no trace in the bits.
type copier struct {
	copies []float32
	at     []uint32 // which copy each id of the piece reads
	all    []uint32 // 0, 1, 2, …: the numbers of the copies
	last   []int64  // the step that each copy was last brought to
	state  bool     // copy the optimizer's state too, where weights alone would do
	seen   rowSet
	wide   cellTools // for rows of float64, which are rounded
}

// copyOut copies the rows of a piece, each distinct slab row once, and returns
// the stride of the copies and which of them each id reads. Ids that read
// nothing are given copy 0, which nobody looks at.
func (t *Table) copyOut(c *core, w *copier, p *piece) (stride int, at []uint32) {
	stride = w.begin(t, c)
	w.seen.reset(len(p.rows))
	now := t.step.Load()
	for i, r := range p.rows {
		next := uint32(len(w.last))
		switch {
		case r == rowZero || r == rowSkip:
			next = 0
		case r == rowAbsent:
			clear(w.add(stride))
			t.initial(w.copies[int(next)*stride:][:t.opt.Width], t.stream(p.keys, p.from+i))
			w.last = append(w.last, now)
		default:
			var known bool
			if next, known = w.seen.put(r, next); !known {
				w.copy(t, c, r, stride)
			}
		}
		w.at = append(w.at, next)
	}
	w.end(t, c, now)
	return stride, w.at
}

// rows copies slab rows, caught up, and returns the stride of the copies.
func (w *copier) rows(t *Table, c *core, rows []uint32) (stride int) {
	stride = w.begin(t, c)
	for _, r := range rows {
		w.copy(t, c, r, stride)
	}
	w.end(t, c, t.step.Load())
	return stride
}

// begin empties w and returns the stride of the copies to come: whole rows if
// they are to be caught up or are wanted with their state, else weights alone.
func (w *copier) begin(t *Table, c *core) (stride int) {
	w.copies, w.at, w.last = w.copies[:0], w.at[:0], w.last[:0]
	if c.exact || w.state {
		return c.layout.stride
	}
	return c.layout.width
}

// end brings the copies to step now.
func (w *copier) end(t *Table, c *core, now int64) {
	if c.exact && c.dtype != Float64 {
		catchUp(t, c, w.copies, w.number(len(w.last)), w.last, now)
	}
}

// copy adds a copy of slab row r.
func (w *copier) copy(t *Table, c *core, r uint32, stride int) {
	if c.dtype == Float64 {
		narrowed(w.add(stride), w.wide.caughtUp(t, r))
		w.last = append(w.last, 0)
		return
	}
	c.read(w.add(stride), r)
	w.last = append(w.last, c.lastStep(r))
}

// add returns room for one more copy.
func (w *copier) add(stride int) []float32 {
	n := len(w.copies)
	w.copies = slices.Grow(w.copies, stride)[:n+stride]
	return w.copies[n:]
}

// number returns 0 to n-1.
func (w *copier) number(n int) []uint32 {
	for len(w.all) < n {
		w.all = append(w.all, uint32(len(w.all)))
	}
	return w.all[:n]
}

// catchUp brings rows of data to what the dense form of the optimizer would
// have made of them by step now.
func catchUp[F optim.Float](t *Table, c *core, data []F, rows []uint32, last []int64, now int64) {
	block := optim.BlockOf[F]{
		Data: data, Stride: c.layout.stride, Width: c.layout.width,
		Rows: rows, Step: now,
	}
	switch b := any(&block).(type) {
	case *optim.Block:
		c.optimizer.CatchUp(*b, last)
	case *optim.BlockOf[float64]:
		c.optimizer.CatchUp64(*b, last)
	}
	if t.opt.MaxNorm > 0 {
		for _, r := range rows {
			clipNorm(t, data[int(r)*c.layout.stride:][:c.layout.width])
		}
	}
	if t.byRow {
		constrainMoved(t, c, data, rows, last, now)
	}
}

// rowSet numbers the distinct rows of a piece: an open-addressed table, at
// most half full.
type rowSet struct {
	keys   []uint32 // row + 1; 0 is free
	values []uint32
}

func (s *rowSet) reset(n int) {
	size := 16
	for size < 2*n {
		size *= 2
	}
	if size > len(s.keys) {
		s.keys, s.values = make([]uint32, size), make([]uint32, size)
		return
	}
	clear(s.keys)
}

// put returns the value that row was first put with, and whether that was earlier.
func (s *rowSet) put(row, value uint32) (uint32, bool) {
	mask := uint32(len(s.keys) - 1)
	for i := row * 0x9E3779B1 & mask; ; i = (i + 1) & mask {
		switch s.keys[i] {
		case row + 1:
			return s.values[i], true
		case 0:
			s.keys[i], s.values[i] = row+1, value
			return value, false
		}
	}
}
