package rowan

import (
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/optim"
)

// The backward pass, for every stripe on its own:
//
//	occurrences  (row 7, pos 0) (row 3, pos 1) (row 7, pos 4)   in batch order
//	sorted       (row 3, pos 1) (row 7, pos 0) (row 7, pos 4)   by row, stable
//	segments     row 3: {1}     row 7: {0, 4}
//	gradients    g[1]           g[0] + g[4]                     PoolSum over the gradients
//	update       rows 3 and 7, weights and state in place       one kernel call a block

// applyTools is one worker's scratch memory for updating a stripe whose rows are
// computed in F.
type applyTools[F optim.Float] struct {
	rows     []uint32  // distinct rows of the block
	segments []int64   // where each row's occurrences begin among from
	from     []uint32  // which row of the gradients each occurrence takes
	scale    []float32 // what it is multiplied by
	parts    []float64 // the same of rows of float64
	first    []int     // position at which each row first occurs
	grads    []F       // a summed gradient a row
	squares  []float32
	last     []int64
	scores   []int64
	penalty  []float32 // the gradient of a row's penalty, of a function of float32
	stripe   *stripe   // that the rows are of
	opened   openBlock // of rows that are stored narrower
}

// rowsPerUpdate is the number of distinct rows whose gradients are summed
// before they are updated: their gradients are read back from the cache, and
// the kernel has rows enough to fetch ahead.
const rowsPerUpdate = 256

// arrange gathers the occurrences of all terms, divided by stripe and in batch
// order within one. Ids that train nothing are left out.
func (g *Gradients) arrange() {
	n := g.positions()
	g.packed = slices.Grow(g.packed[:0], n)[:n]
	g.scratch = slices.Grow(g.scratch[:0], n)[:n]
	var counts [stripes]int
	for i := range g.terms {
		l := g.terms[i].lookup
		for j, r := range l.rows {
			if trains(r) {
				counts[g.table.stripeOf(&l.keys, j, r)]++
			}
		}
	}
	at := 0
	for s, c := range counts {
		g.begin[s] = at
		counts[s] = at
		at += c
	}
	g.begin[stripes] = at
	for i := range g.terms {
		term := &g.terms[i]
		for j, r := range term.lookup.rows {
			if trains(r) {
				s := g.table.stripeOf(&term.lookup.keys, j, r)
				g.packed[counts[s]] = uint64(r)<<posBits | uint64(term.first+j)
				counts[s]++
			}
		}
	}
	g.trace()
}

func trains(row uint32) bool { return row != rowZero && row != rowSkip }

// trace notes for each position which row of the gradients it takes, times
// what; and puts the gradients of several terms into one array for the kernel.
func (g *Gradients) trace() {
	g.source, g.scale = g.source[:0], g.scale[:0]
	if g.table.opt.DType == Float64 {
		g.traceWide()
		return
	}
	scaled := slices.ContainsFunc(g.terms, func(t term) bool { return t.lookup.scales() })
	for i := range g.terms {
		t := &g.terms[i]
		g.source = t.lookup.appendSources(g.source, uint32(t.row))
		if scaled {
			g.scale = t.lookup.appendScales(g.scale)
		}
	}
	g.grads.of(len(g.terms), func(i int) []float32 { return g.terms[i].grad })
}

// appendSources appends for each id the row of the result that it went into, counted from first.
func (l *Lookup) appendSources(to []uint32, first uint32) []uint32 {
	if !l.pooled() {
		for j := range l.rows {
			to = append(to, first+uint32(j))
		}
		return to
	}
	if l.reduction.reducer != nil {
		return l.appendKept(to, first)
	}
	for bag := range l.count() {
		for range l.bags.Splits[bag+1] - l.bags.Splits[bag] {
			to = append(to, first+uint32(bag))
		}
	}
	return to
}

// scales reports whether ids went into the result times anything but 1.
func (l *Lookup) scales() bool { return len(l.div) > 0 || l.factors() != nil }

// factors are the weights that rows are multiplied by; nil if there are none, or
// the combiner makes something else of them.
func (l *Lookup) factors() []float32 {
	if l.reduction.reducer != nil {
		return nil
	}
	return l.ids.Weights()
}

// appendScales appends for each id the factor that it went into the result with.
func (l *Lookup) appendScales(to []float32) []float32 {
	first := len(to)
	if w := l.factors(); w != nil {
		to = append(to, w...)
	} else {
		for range l.rows {
			to = append(to, 1)
		}
	}
	for bag, d := range l.div {
		for j := l.bags.Splits[bag]; j < l.bags.Splits[bag+1]; j++ {
			to[first+int(j)] /= d
		}
	}
	return to
}

// term returns the term that a position belongs to.
func (g *Gradients) term(pos int) *term {
	i := len(g.terms) - 1
	for g.terms[i].first > pos {
		i--
	}
	return &g.terms[i]
}

// resolve makes sure that every occurrence of a stripe has a row: keys the
// table did not hold are inserted, and where rows have been freed since the
// lookup all keys are found again. The stripe is locked. The rows of a static
// table are what the lookup made of its ids, whatever has happened since.
func (g *Gradients) resolve(c *core, occurrences []uint64) error {
	if g.table.opt.Rows > 0 {
		return nil
	}
	freed, stale := g.table.freed.Load(), false
	for i := range g.terms {
		stale = stale || g.terms[i].lookup.freed != freed
	}
	for i, o := range occurrences {
		if uint32(o>>posBits) != rowAbsent && !stale {
			continue
		}
		pos := int(o & (1<<posBits - 1))
		term := g.term(pos)
		row, err := g.table.rowFor(c, &term.lookup.keys, pos-term.first, g.step.Number-1)
		if err != nil {
			return err
		}
		occurrences[i] = uint64(row)<<posBits | uint64(pos)
	}
	return nil
}

// fill takes the next block of distinct rows off the sorted occurrences and
// sums their gradients.
func fill[F optim.Float](g *Gradients, w *applyTools[F], sorted []uint64) (rest []uint64) {
	width := g.table.opt.Width
	w.rows, w.first = w.rows[:0], w.first[:0]
	w.segments, w.from, w.scale, w.parts = w.segments[:0], w.from[:0], w.scale[:0], w.parts[:0]
	w.grads = slices.Grow(w.grads[:0], rowsPerUpdate*width)[:rowsPerUpdate*width]
	clear(w.grads)
	summed, last := 0, uint32(rowAbsent)
	i := 0
	for ; i < len(sorted); i++ {
		row, pos := uint32(sorted[i]>>posBits), int(sorted[i]&(1<<posBits-1))
		if row != last {
			if len(w.rows) == rowsPerUpdate {
				break
			}
			w.rows, w.first = append(w.rows, row), append(w.first, pos)
			w.segments = append(w.segments, int64(len(w.from)))
			last = row
		}
		if len(w.from) == kernel.MaxRows {
			summed = sum(g, w, summed)
		}
		w.from = append(w.from, g.source[pos])
		if len(g.scale) > 0 {
			w.scale = append(w.scale, g.scale[pos])
		}
		if len(g.parts) > 0 {
			w.parts = append(w.parts, g.parts[pos])
		}
	}
	sum(g, w, summed)
	w.grads = w.grads[:len(w.rows)*width]
	return sorted[i:]
}

// sum adds the gathered occurrences to the gradients of the block's rows from
// row first on, and returns the row that more occurrences may belong to.
func sum[F optim.Float](g *Gradients, w *applyTools[F], first int) int {
	width := g.table.opt.Width
	w.segments = append(w.segments, int64(len(w.from)))
	switch w := any(w).(type) {
	case *applyTools[float32]:
		scale := w.scale
		if len(g.scale) == 0 {
			scale = nil
		}
		kernel.PoolSum(w.grads[first*width:len(w.rows)*width], width, g.grads.all, width, w.from, w.segments, scale)
	case *applyTools[float64]:
		sumWide(w, g.wide.all, width, first)
	}
	w.segments, w.from, w.scale, w.parts = append(w.segments[:0], 0), w.from[:0], w.scale[:0], w.parts[:0]
	return len(w.rows) - 1
}

// apply updates the rows of a block with their summed gradients; to measure,
// it notes their squared norms instead.
func apply[F optim.Float](g *Gradients, w *applyTools[F], c *core) {
	t, width := g.table, g.table.opt.Width
	o := c.optimizer
	if n := g.step.Batches; n > 1 {
		for i := range w.grads {
			w.grads[i] /= F(n)
		}
	}
	if o != nil {
		w.clip(o.Clip, width)
	}
	if g.measure {
		w.measure(g.norms, width)
		return
	}
	if g.step.Scale != 1 {
		for i := range w.grads {
			w.grads[i] *= F(g.step.Scale)
		}
	}
	now, stored := g.step.Number, c
	if w.stripe.summed {
		w.stripe.penalty = w.stripe.penalty.minus(t.penaltyOf(stored, w.rows))
	}
	if stored.narrow.half != 0 {
		c = w.open(stored)
	}
	if c.layout.last >= 0 {
		bring(t, w, c, now)
	}
	update(o, optim.BlockOf[F]{
		Data: numbersOf[F](c), Stride: c.layout.stride, Width: width,
		Rows: w.rows, Grads: w.grads, Step: now, LR: F(o.LearningRate(now)),
	})
	if t.opt.MaxNorm > 0 {
		for _, r := range w.rows {
			clipNorm(t, rowOf[F](c, r)[:width])
		}
	}
	if t.byRow {
		for _, r := range w.rows {
			constrainRow(t, rowOf[F](c, r)[:width])
		}
	}
	if c != stored {
		w.shut(g, stored)
	}
	if stored.scores != nil {
		w.scores = stored.scores.use(t.opt.Restrict.Policy, w.rows, w.scores, g.now)
	}
	if w.stripe.summed {
		w.stripe.penalty = w.stripe.penalty.plus(t.penaltyOf(stored, w.rows))
	}
}

// clip bounds the gradients of the block's rows.
func (w *applyTools[F]) clip(c optim.Clip, width int) {
	switch grads := any(&w.grads).(type) {
	case *[]float32:
		c.Rows(*grads, width)
	case *[]float64:
		c.Rows64(*grads, width)
	}
}

// measure notes the squared norms of the gradients of the block's rows, under the
// positions at which the rows first occur.
func (w *applyTools[F]) measure(norms []float64, width int) {
	if grads, ok := any(&w.grads).(*[]float32); ok {
		w.squares = slices.Grow(w.squares[:0], len(w.rows))[:len(w.rows)]
		kernel.SumSquares(w.squares, *grads, width)
		for i, pos := range w.first {
			norms[pos] = float64(w.squares[i])
		}
		return
	}
	for i, pos := range w.first {
		norms[pos] = float64(squares(w.grads[i*width : (i+1)*width]))
	}
}

// update takes a step of the optimizer.
func update[F optim.Float](o *optim.Optimizer, b optim.BlockOf[F]) {
	switch b := any(&b).(type) {
	case *optim.Block:
		o.Update(*b)
	case *optim.BlockOf[float64]:
		o.Update64(*b)
	}
}

// bring readies rows that remember their last step for step now: an exact
// optimizer makes up for the steps they missed, and the regularizer charges
// for the steps since they last paid.
func bring[F optim.Float](t *Table, w *applyTools[F], c *core, now int64) {
	w.last = w.last[:0]
	for _, r := range w.rows {
		w.last = append(w.last, lastStep(&c.layout, rowOf[F](c, r)))
	}
	if c.exact {
		catchUp(t, c, numbersOf[F](c), w.rows, w.last, now-1)
	}
	width := t.opt.Width
	if t.opt.Regularizer.Row != nil {
		w.penalty = slices.Grow(w.penalty[:0], width)[:width]
	}
	for i, r := range w.rows {
		row := rowOf[F](c, r)
		addPenalty(t.opt.Regularizer, w.grads[i*width:(i+1)*width], row[:width], now-w.last[i], w.penalty)
		setLastStep(&c.layout, row, now)
	}
}

// clipNorm scales a row down to the table's bound on its norm.
func clipNorm[F optim.Float](t *Table, row []F) {
	if t.opt.MaxNorm <= 0 {
		return
	}
	bound := F(t.opt.MaxNorm)
	square := squares(row)
	if square <= bound*bound {
		return
	}
	scale := bound / F(math.Sqrt(float64(square)))
	for i := range row {
		row[i] *= scale
	}
}

// squares returns the squared L2 norm of a row.
func squares[F optim.Float](row []F) F {
	if row, ok := any(&row).(*[]float32); ok {
		return F(kernel.Dot(*row, *row))
	}
	wide := *any(&row).(*[]float64)
	return F(kernel.Dot64(wide, wide))
}
