package rowan

import (
	"slices"
	"sync/atomic"
)

// Combiners that are not a weighted sum need all rows of a bag together, and
// their gradient needs them again. So they go a way of their own:
//
//	ids ──> rows ──> gather ──> reduce a bag at a time ──> Lookup.Values
//	                   │        (without locks)
//	                   ▼ kept for training
//	grad of a bag ──> back a bag at a time ──> a gradient an id ──> Table.Apply
//
// Apply takes the ids for ids that were not pooled: what merges, sorts, clips
// and updates knows nothing of the combiner.

// reducer is a combiner that is given the rows of a bag.
type reducer interface {
	// accepts reports weights that the combiner has no meaning for. With prune,
	// ids whose weight is not positive are left out.
	accepts(weights []float32, prune bool) error
	// differentiable reports a combiner that cannot be trained through.
	differentiable() error
	// reduce writes what a bag comes to into out, which is zeros.
	reduce(s *columnTools, out []float32, b Bag) error
	// back writes the gradient of each row of a bag into grad, which is zeros,
	// for a gradient dout of what reduce wrote.
	back(s *columnTools, grad, dout []float32, b Bag) error
}

// reduction is the part of a Lookup that such combiners need.
type reduction struct {
	reducer reducer // nil: another kind of combiner, or none
	// rows are the rows that were read, for the way back. Those of a bag's ids
	// that count come first among the bag's.
	rows []float32
}

// reduceTools is one worker's scratch memory for reducing the bags of a block.
type reduceTools struct {
	columns  columnTools
	gathered []float32 // the rows of the block: in scratch, or for training in the lookup
	scratch  []float32
	counting []float32 // weights of the ids of a bag that count
}

// prepare readies r for a batch with n numbers in its rows.
func (r *reduction) prepare(o LookupOptions, weights []float32, n int) error {
	if r.reducer == nil {
		return nil
	}
	if err := r.reducer.accepts(weights, o.Prune); err != nil {
		return err
	}
	r.rows = r.rows[:0]
	if o.Training {
		if err := r.reducer.differentiable(); err != nil {
			return err
		}
		r.rows = slices.Grow(r.rows, n)[:n]
	}
	return nil
}

// reduceIDs is the number of ids of a block whose rows are gathered first: few
// enough that the rows, of some hundred bytes each, are still in the second-level
// cache when they are reduced. Of rows of 256 bytes in bags of ten, 128 and 1,024
// take the same time, 8,192 up to a third more (LookupInto by Max, one thread).
const reduceIDs = 1024

// mostIDs bounds the ids of a block.
func (l *Lookup) mostIDs() int {
	if l.reduction.reducer != nil || l.cells != nil {
		return reduceIDs
	}
	return blockIDs
}

// gather makes room for the rows of block b.
func (l *Lookup) gather(w *poolTools, b block) {
	lo, hi := l.bounds(b)
	width := l.table.opt.Width
	if l.opt.Training {
		w.gathered = l.reduction.rows[lo*width : hi*width]
	} else {
		n := (hi - lo) * width
		w.gathered = slices.Grow(w.scratch[:0], n)[:n]
		w.scratch = w.gathered
	}
	clear(w.gathered)
}

// reduce reduces the bags of block b, whose rows have been gathered.
func (l *Lookup) reduce(w *poolTools, b block) error {
	lo, _ := l.bounds(b)
	width := l.table.opt.Width
	for bag := b.from; bag < b.to; bag++ {
		from, to := l.bags.Splits[bag], l.bags.Splits[bag+1]
		rows := w.gathered[(int(from)-lo)*width : (int(to)-lo)*width]
		n := compactRows(rows, width, l.rows[from:to])
		if n == 0 {
			continue
		}
		out := l.values.Data()[bag*width : (bag+1)*width : (bag+1)*width]
		if err := l.reduction.reducer.reduce(&w.columns, out, l.bag(&w.reduceTools, bag, rows[:n*width:n*width])); err != nil {
			return err
		}
	}
	return nil
}

// compactRows moves the rows of ids that count to the front and returns their number.
func compactRows(rows []float32, width int, ids []uint32) int {
	n := 0
	for i, r := range ids {
		if r == rowSkip {
			continue
		}
		if n < i {
			copy(rows[n*width:(n+1)*width], rows[i*width:])
		}
		n++
	}
	return n
}

// bag returns what a combiner is given of a bag whose rows that count are rows.
func (l *Lookup) bag(w *reduceTools, bag int, rows []float32) Bag {
	b := Bag{Rows: rows, Width: l.table.opt.Width}
	weights := l.ids.Weights()
	if weights == nil {
		return b
	}
	from, to := l.bags.Splits[bag], l.bags.Splits[bag+1]
	if b.Weights = weights[from:to:to]; len(b.Weights) == b.Len() {
		return b
	}
	w.counting = w.counting[:0]
	for i, r := range l.rows[from:to] {
		if r != rowSkip {
			w.counting = append(w.counting, b.Weights[i])
		}
	}
	b.Weights = w.counting
	return b
}

// kept returns how many ids of a bag count.
func (l *Lookup) kept(bag int) (n int) {
	for _, r := range l.rows[l.bags.Splits[bag]:l.bags.Splits[bag+1]] {
		if r != rowSkip {
			n++
		}
	}
	return n
}

// appendKept does appendSources where each id has a gradient of its own.
func (l *Lookup) appendKept(to []uint32, first uint32) []uint32 {
	for bag := range l.count() {
		at := first + uint32(l.bags.Splits[bag])
		for _, r := range l.rows[l.bags.Splits[bag]:l.bags.Splits[bag+1]] {
			to = append(to, at)
			if r != rowSkip {
				at++
			}
		}
	}
	return to
}

// backward turns gradients of bags into gradients of their ids, which it keeps
// until the step is over.
type backward struct {
	buffers [][]float32
	used    int // buffers of this step

	lookup     *Lookup
	grad, dout []float32
	crew       crew
	next       atomic.Int64
	errors     firstError
	tools      []*reduceTools
}

func (b *backward) reset() { b.used = 0 }

// buffer returns n numbers, zeros, that are nobody else's until reset.
func (b *backward) buffer(n int) []float32 {
	if b.used == len(b.buffers) {
		b.buffers = append(b.buffers, nil)
	}
	x := slices.Grow(b.buffers[b.used][:0], n)[:n]
	clear(x)
	b.buffers[b.used] = x
	b.used++
	return x
}

// propagate returns the gradients of l's ids, in the places of its rows, for
// the gradient dout of its values.
func (b *backward) propagate(l *Lookup, dout []float32) ([]float32, error) {
	b.lookup, b.grad, b.dout = l, b.buffer(len(l.reduction.rows)), dout
	if b.crew.work == nil {
		b.crew.work = b.work
	}
	workers := min(l.table.workers(len(l.rows)), max(1, len(l.blocks)))
	for len(b.tools) < workers {
		b.tools = append(b.tools, new(reduceTools))
	}
	b.next.Store(0)
	b.errors.reset()
	b.crew.do(workers)
	b.lookup, b.dout = nil, nil
	if b.errors.err != nil {
		return nil, b.errors.err
	}
	return b.grad, checkFinite("gradient of a row, which the combiner made,", b.grad)
}

// work takes blocks until there are none left.
func (b *backward) work(worker int) {
	for {
		i := int(b.next.Add(1) - 1)
		if i >= len(b.lookup.blocks) {
			return
		}
		if err := b.block(b.tools[worker], b.lookup.blocks[i]); err != nil {
			b.errors.set(err, i)
			return
		}
	}
}

func (b *backward) block(w *reduceTools, block block) error {
	l := b.lookup
	width := l.table.opt.Width
	for bag := block.from; bag < block.to; bag++ {
		n := l.kept(bag)
		if n == 0 {
			continue
		}
		from := int(l.bags.Splits[bag]) * width
		to := from + n*width
		dout := b.dout[bag*width : (bag+1)*width : (bag+1)*width]
		if err := l.reduction.reducer.back(&w.columns, b.grad[from:to:to], dout, l.bag(w, bag, l.reduction.rows[from:to:to])); err != nil {
			return err
		}
	}
	return nil
}
