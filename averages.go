package rowan

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan/optim"
)

// UseAverages puts the averages of the weights in the place of the weights, in
// every row: what Keras' finalize_variable_values does. The table's optimizer
// must have an EMA, else it is ErrOptions; rows of an exact one are caught up
// first. A table over row stores (TableOptions.Stores) is ErrOptions too. MaxNorm
// and Constraint hold for what the rows become, which Keras leaves to the next
// step: averages are of weights as they were before the constraint. The averages
// stay, and so does the rest of the optimizer's state, so that training may go on.
func (t *Table) UseAverages(ctx context.Context) error {
	if err := t.checkContext(ctx); err != nil {
		return err
	}
	if t.parts != nil {
		return fmt.Errorf("%w: table %q: its rows are in row stores: averages there are read by LookupSlot and written by Upsert", ErrOptions, t.opt.Name)
	}
	t.lock()
	defer t.unlock()
	c := t.core
	if c == nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, ErrClosed)
	}
	at, ok := c.layout.average()
	if !ok {
		return fmt.Errorf("%w: table %q keeps no averages of its weights: set EMA of its optimizer", ErrOptions, t.opt.Name)
	}
	t.forgetPenalties()
	now := t.step.Load()
	err := t.each(c, func(_ *keyBatch, _ int, r uint32) error {
		if c.dtype == Float64 {
			useAverage(t, c, rowOf[float64](c, r), at, now)
			return nil
		}
		o := c.open(r)
		useAverage(t, c, o.row, at, now)
		o.shut(rounding{})
		return nil
	})
	if err == nil && t.whole {
		t.constrainWhole(c)
	}
	return err
}

// useAverage puts the average of a row, which lies at a place in it, in the place of
// its weights.
func useAverage[F optim.Float](t *Table, c *core, row []F, at int, now int64) {
	width := t.opt.Width
	bringOne(t, c, row, now)
	copy(row[:width], row[at:at+width])
	clipNorm(t, row[:width])
	if t.byRow {
		constrainRow(t, row[:width])
	}
}

// average returns where the average of the weights lies in a row.
func (l *layout) average() (at int, ok bool) {
	at = l.width
	for _, s := range l.slots {
		if s.Name == optim.AverageSlot {
			return at, true
		}
		at += slotWidth(s, l.width)
	}
	return 0, false
}

// follow makes the slots that start as a copy of the weights start anew, for a
// row whose weights have been written.
func follow[F optim.Float](l *layout, row []F) {
	at := l.width
	for _, s := range l.slots {
		end := at + slotWidth(s, l.width)
		if s.Weights {
			copy(row[at:end], row[:l.width])
		}
		at = end
	}
}
