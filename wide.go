package rowan

import "fmt"

// Rows of float64 go the way of others, with two differences: what a bag's gradient
// means to each of its ids is computed when it is added, in float64, so that a term
// has a gradient an id, and they are summed by plain loops.

// AddFloat64 is [Gradients.Add] for a table of Float64, with nothing rounded to
// float32: grad has the shape of the looked up values.
func (g *Gradients) AddFloat64(l *LookupOf[float64], grad Array[float64]) error {
	if g == nil || g.table == nil {
		return errNoTable
	}
	var lookup *Lookup
	if l != nil {
		lookup = &l.Lookup
	}
	if err := g.fits(lookup, grad.Shape); err != nil {
		return err
	}
	if want := lookup.count() * g.table.opt.Width; len(grad.Data) != want {
		return fmt.Errorf("%w: table %q: a gradient of shape %v has %d numbers, got %d",
			ErrShape, g.table.opt.Name, grad.Shape, want, len(grad.Data))
	}
	if err := checkFinite64("gradient", grad.Data); err != nil {
		return g.table.lookupError(lookup.opt, err)
	}
	return g.add64(lookup, grad.Data)
}

// add64 adds the gradient of a lookup's values, which has been checked.
func (g *Gradients) add64(l *Lookup, grad []float64) error {
	before := len(g.terms)
	err := g.push64(l, grad)
	if f := &l.fallback; err == nil && len(f.empty) > 0 {
		err = g.push64(f.lookup, f.sum64(grad, l.table.opt.Width))
	}
	if err != nil {
		g.terms = g.terms[:before]
	}
	return err
}

// push64 appends a term.
func (g *Gradients) push64(l *Lookup, grad []float64) error {
	wide := l.backward64(grad)
	if columns[l.opt.Combiner] != nil {
		if err := checkFinite64("gradient of a row, which the combiner made,", wide); err != nil {
			return g.table.lookupError(l.opt, err)
		}
	}
	return g.pushTerm(term{lookup: l, use: l.uses, wide: wide}, len(l.rows))
}

// sum64 does ofEmpty in float64.
func (f *fallback) sum64(dout []float64, width int) []float64 {
	sum := make([]float64, width)
	for _, bag := range f.empty {
		for d, g := range dout[bag*width : (bag+1)*width] {
			sum[d] += g
		}
	}
	return sum
}

// backward64 returns the gradient of each id, for the gradient dout of the values.
func (l *Lookup) backward64(dout []float64) []float64 {
	if !l.pooled() {
		return dout
	}
	var b bag64
	// The lookup has been prepared so, without an error.
	_ = b.prepare(l.opt.Combiner, l.ids.Weights(), l.opt.Prune)
	rows, width := l.cells.(*wideCells).rows, l.table.opt.Width
	grads := make([]float64, len(l.rows)*width)
	for bag := range l.count() {
		l.collect(&b, bag, 0)
		b.backward(grads, dout[bag*width:(bag+1)*width], rows)
	}
	return grads
}

// traceWide does trace for rows of float64.
func (g *Gradients) traceWide() {
	for pos := range g.positions() {
		g.source = append(g.source, uint32(pos))
	}
	g.wide.of(len(g.terms), func(i int) []float64 { return g.terms[i].wide })
}

// sumWide adds the gathered occurrences to the gradients of the block's rows from
// row first on.
func sumWide(w *applyTools[float64], grads []float64, width, first int) {
	for i, from := range w.segments[:len(w.segments)-1] {
		sum := w.grads[(first+i)*width:][:width]
		for _, source := range w.from[from:w.segments[i+1]] {
			for d, g := range grads[int(source)*width:][:width] {
				sum[d] += g
			}
		}
	}
}
