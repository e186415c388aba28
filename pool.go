package rowan

import (
	"fmt"
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// poolTools is one worker's scratch memory for pooling a block.
type poolTools struct {
	keys keyBatch // of the piece
	// The block with the ids that contribute nothing left out.
	rows    []uint32
	splits  []int64
	kept    []int64
	weights []float32
	copier
	reduceTools
	cells cellTools
}

// poolBlock finds the rows of a block and pools them, under the locks of the
// stripes that the block needs.
func (l *Lookup) poolBlock(w *poolTools, b block) error {
	lo, hi := l.bounds(b)
	switch {
	case l.cells != nil:
	case l.reduction.reducer != nil:
		l.gather(w, b)
		fallthrough
	default:
		clear(l.out(b))
	}
	for from := lo; ; from += blockIDs {
		to := min(from+blockIDs, hi)
		if err := l.poolPiece(w, b, from, to); err != nil {
			return err
		}
		if to == hi {
			break
		}
	}
	switch {
	case l.cells != nil:
		l.cells.pool(l, &w.cells, b)
	case l.reduction.reducer != nil:
		return l.reduce(w, b)
	default:
		l.divide(b)
	}
	return nil
}

// poolPiece does ids from to to of block b: all of it, or of one long bag a part.
func (l *Lookup) poolPiece(w *poolTools, b block, from, to int) error {
	t := l.table
	w.keys = l.keys.slice(from, to)
	mask := t.hash(&w.keys)
	t.rlock(mask)
	defer t.runlock(mask)
	c := t.core
	if c == nil {
		return ErrClosed
	}
	rows := l.rows[from:to]
	c.index.find(&w.keys, rows)
	special, err := t.classify(l, &w.keys, rows, from)
	if err != nil {
		return err
	}
	if l.cells != nil {
		l.cells.read(l, &w.cells, b, &w.keys, from)
		return nil
	}
	piece := l.piece(w, b, from, to)
	t.pool(c, w, &piece, special)
	return nil
}

// piece returns ids from to to of block b, to be pooled into the block's result;
// or to be gathered as they are, for a combiner that reduces them afterwards.
func (l *Lookup) piece(w *poolTools, b block, from, to int) piece {
	p := piece{keys: &w.keys, rows: l.rows[from:to]}
	if l.reduction.reducer != nil {
		lo, _ := l.bounds(b)
		width := l.table.opt.Width
		p.out = w.gathered[(from-lo)*width : (to-lo)*width]
		return p
	}
	p.out = l.out(b)
	if ws := l.ids.Weights(); ws != nil {
		p.weights = ws[from:to]
	}
	if l.pooled() {
		p.splits = w.clip(l.bags.Splits[b.from:b.to+1], from, to)
	}
	return p
}

// piece is the part of a batch that is pooled under one set of locks.
type piece struct {
	keys    *keyBatch
	rows    []uint32
	weights []float32 // nil: none
	splits  []int64   // where bags begin, counted from the piece's first id; nil: ids are not pooled
	out     []float32
	from    int // which id of w.keys the first is
}

// clip returns the splits of the part from to to of a block, counted from its start.
func (w *poolTools) clip(splits []int64, from, to int) []int64 {
	w.splits = w.splits[:0]
	for _, s := range splits {
		w.splits = append(w.splits, min(max(s, int64(from)), int64(to))-int64(from))
	}
	return w.splits
}

// out returns the numbers of the result that block b fills.
func (l *Lookup) out(b block) []float32 {
	width := l.table.opt.Width
	return l.values.Data()[b.from*width : b.to*width]
}

// classify gives ids without a row their meaning, and reports which kinds of
// special row numbers the block has.
func (t *Table) classify(l *Lookup, keys *keyBatch, rows []uint32, from int) (special, error) {
	if t.opt.Padding != nil {
		t.skipPadding(keys, rows)
	}
	if l.opt.Prune {
		l.prune(keys, rows, from)
	}
	var found special
	for i, r := range rows {
		if r < firstSpecial {
			continue
		}
		if r == rowAbsent {
			var err error
			if r, err = t.missing(l, keys, i, from); err != nil {
				return special{}, err
			}
			rows[i] = r
		}
		switch r {
		case rowAbsent:
			found.absent = true
		case rowZero, rowSkip:
			found.left = true
		}
	}
	return found, nil
}

// special says which row numbers that name no slab row a block has.
type special struct {
	absent bool // rowAbsent
	left   bool // rowZero or rowSkip
}

func (t *Table) skipPadding(keys *keyBatch, rows []uint32) {
	for i := range rows {
		if keys.strs != nil && keys.strs[i] == t.opt.Padding.str ||
			keys.strs == nil && keys.ints[i] == t.opt.Padding.id {
			rows[i] = rowSkip
		}
	}
}

// missing says what id i of a block reads as when it has no row.
func (t *Table) missing(l *Lookup, keys *keyBatch, i, from int) (uint32, error) {
	if t.opt.Rows > 0 {
		switch t.opt.OutOfRange {
		case OutOfRangeZeros:
			return rowZero, nil
		case OutOfRangeLast:
			return uint32(t.opt.Rows - 1), nil
		}
		return 0, fmt.Errorf("%w: id %s at position %d of ids of shape %v is not in [0, %d); "+
			"mend the ids, or choose what to do with such ones by TableOptions.OutOfRange",
			ErrOutOfRange, keys.format(i, l.ids.KeyType()), from+i, l.ids.Shape(), t.opt.Rows)
	}
	if l.opt.Training {
		return rowAbsent, keys.storable(i, from)
	}
	switch t.opt.Missing {
	case MissingZeros:
		return rowZero, nil
	case MissingSkip:
		return rowSkip, nil
	case MissingError:
		return 0, fmt.Errorf("%w: %s at position %d of ids of shape %v; "+
			"train or upsert it first, or choose another Missing",
			ErrUnknownKey, keys.format(i, l.ids.KeyType()), from+i, l.ids.Shape())
	}
	return rowAbsent, nil
}

// pool adds up the rows of a piece. Bags whose rows all lie in the slab as they
// are read go straight to the kernel, many at a time; the others are copied out
// first. The order of additions is that of the bag either way.
func (t *Table) pool(c *core, w *poolTools, p *piece, s special) {
	if p.splits == nil && (p.weights != nil || s.left || s.absent) {
		p.splits = w.singles(len(p.rows))
	}
	if copied := c.exact || c.packed != 0 || c.narrow.half != 0; copied || !s.absent {
		t.poolRun(c, w, *p, copied, s.left)
		return
	}
	bags := len(p.splits) - 1
	for from := 0; from < bags; {
		copied := p.absent(from)
		to := from + 1
		for to < bags && p.absent(to) == copied {
			to++
		}
		t.poolRun(c, w, p.part(t.opt.Width, from, to), copied, s.left)
		from = to
	}
}

// absent reports whether a bag of the piece has an id without a row.
func (p *piece) absent(bag int) bool {
	return slices.Contains(p.rows[p.splits[bag]:p.splits[bag+1]], rowAbsent)
}

// part returns bags from to to of a piece.
func (p *piece) part(width, from, to int) piece {
	lo, hi := p.splits[from], p.splits[to]
	q := piece{
		keys: p.keys, rows: p.rows[lo:hi], splits: p.splits[from : to+1],
		out: p.out[from*width : to*width], from: p.from + int(lo),
	}
	if p.weights != nil {
		q.weights = p.weights[lo:hi]
	}
	return q
}

// poolRun adds up the rows of a piece, copied out or as they lie. left says
// that some ids may contribute nothing.
func (t *Table) poolRun(c *core, w *poolTools, p piece, copied, left bool) {
	data, stride, rows := c.slab.Data(), c.layout.stride, p.rows
	if copied {
		stride, rows = t.copyOut(c, &w.copier, &p)
		data = w.copies
	}
	if p.splits == nil {
		kernel.Gather(p.out, t.opt.Width, data, stride, rows)
		return
	}
	if left {
		rows = w.compact(&p, rows)
	}
	kernel.PoolSum(p.out, t.opt.Width, data, stride, rows, p.splits, p.weights)
}

// singles returns the splits of n bags of one id each.
func (w *poolTools) singles(n int) []int64 {
	w.splits = w.splits[:0]
	for i := range int64(n + 1) {
		w.splits = append(w.splits, i)
	}
	return w.splits
}

// compact leaves the ids that contribute nothing out of a piece's bags. rows
// are the numbers that the kernel will read, one for each id of the piece.
func (w *poolTools) compact(p *piece, rows []uint32) []uint32 {
	w.rows, w.weights, w.kept = w.rows[:0], w.weights[:0], append(w.kept[:0], 0)
	from := int64(0)
	for _, to := range p.splits[1:] {
		to -= p.splits[0]
		for i := from; i < to; i++ {
			if r := p.rows[i]; r == rowZero || r == rowSkip {
				continue
			}
			w.rows = append(w.rows, rows[i])
			if p.weights != nil {
				w.weights = append(w.weights, p.weights[i])
			}
		}
		w.kept = append(w.kept, int64(len(w.rows)))
		from = to
	}
	p.splits = w.kept
	if p.weights != nil {
		p.weights = w.weights
	}
	return w.rows
}

// divide turns the sums of block b into what the combiner gives.
func (l *Lookup) divide(b block) {
	if len(l.div) == 0 {
		return
	}
	weights := l.ids.Weights()
	for bag := b.from; bag < b.to; bag++ {
		lo, hi := l.bags.Splits[bag], l.bags.Splits[bag+1]
		var w []float32
		if weights != nil {
			w = weights[lo:hi]
		}
		l.div[bag] = l.opt.Combiner.divisor(l.rows[lo:hi], w)
	}
	out, width := l.out(b), l.table.opt.Width
	kernel.DivRows(out, width, l.div[b.from:b.to])
	for i, d := range l.div[b.from:b.to] {
		if math.IsInf(float64(d), 0) {
			clear(out[i*width : (i+1)*width]) // a sum over infinity may be -0, or NaN
		}
	}
}
