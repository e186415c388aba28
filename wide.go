package rowan

import (
	"fmt"
	"slices"
)

// Rows of float64 go the way of others. What differs is that parts and sums are of
// float64 and in plain loops.

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
	if err := checkFinite("gradient", grad.Data); err != nil {
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

// push64 appends a term. A sum's gradient is that of its rows, in parts; what a column
// made of a bag has a gradient for each of its ids.
func (g *Gradients) push64(l *Lookup, grad []float64) error {
	if columns[l.opt.Combiner] == nil {
		return g.pushTerm(term{lookup: l, use: l.uses, wide: grad}, l.count())
	}
	wide := l.backward64(grad)
	if err := checkFinite("gradient of a row, which the combiner made,", wide); err != nil {
		return g.table.lookupError(l.opt, err)
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

// backward64 returns the gradient of each id, for the gradient dout of what a column
// made of their bags.
func (l *Lookup) backward64(dout []float64) []float64 {
	b := l.bag64()
	rows, width := l.cells.(*wideCells).rows, l.table.opt.Width
	grads := make([]float64, len(l.rows)*width)
	for bag := range l.count() {
		l.collect(&b, bag, 0)
		b.backward(grads, dout[bag*width:(bag+1)*width], rows)
	}
	return grads
}

// bag64 returns an empty bag of the lookup, which has been prepared before, so that
// there is no error.
func (l *Lookup) bag64() (b bag64) {
	_ = b.prepare(l.opt.Combiner, l.ids.Weights(), l.opt.Prune)
	return b
}

// traceWide does trace for rows of float64.
func (g *Gradients) traceWide() {
	g.parts = g.parts[:0]
	for i := range g.terms {
		t := &g.terms[i]
		if l := t.lookup; l.pooled() && columns[l.opt.Combiner] == nil {
			g.traceSums(l, uint32(t.row))
			continue
		}
		for j := range t.lookup.rows {
			g.source, g.parts = append(g.source, uint32(t.row+j)), append(g.parts, 1)
		}
	}
	g.wide.of(len(g.terms), func(i int) []float64 { return g.terms[i].wide })
}

// traceSums notes for each id of a lookup its bag, counted from first, and its part of
// the bag's sum.
func (g *Gradients) traceSums(l *Lookup, first uint32) {
	b := l.bag64()
	for bag := range l.count() {
		l.collect(&b, bag, 0)
		parts := len(g.parts)
		g.parts = b.parts(g.parts)
		for j := l.bags.Splits[bag]; j < l.bags.Splits[bag+1]; j++ {
			g.source = append(g.source, first+uint32(bag))
			if l.rows[j] == rowSkip { // it is not among the bag's, and trains nothing
				g.parts = slices.Insert(g.parts, parts, 0)
			}
			parts++
		}
	}
}

// sumWide adds the gathered occurrences to the gradients of the block's rows from row
// first on.
func sumWide(w *applyTools[float64], grads []float64, width, first int) {
	for i, from := range w.segments[:len(w.segments)-1] {
		sum := w.grads[(first+i)*width:][:width]
		for j := from; j < w.segments[i+1]; j++ {
			part := w.parts[j]
			for d, g := range grads[int(w.from[j])*width:][:width] {
				sum[d] += float64(g * part)
			}
		}
	}
}
