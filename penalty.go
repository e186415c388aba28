package rowan

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/rowan-embeddings/rowan/optim"
)

// Regularizer is a penalty on a table's weights over the whole table at every
// step: Keras' L1·Σ|w| + L2·Σw², and a function of each row. It is paid by a row
// when it is touched, for all the steps since it was last updated. A row that is
// never touched again pays nothing, so the cost is that of the touched rows. A
// row that Upsert or Accumulate writes, or SetOptimizer or UseAverages, owes
// nothing from before.
type Regularizer struct {
	L1, L2 float32
	// Row is one more penalty, of each row. Default: none.
	Row RowPenalty
}

// RowPenalty returns the penalty on a row, and adds its gradient to grad, which
// is as long as the row, or nil where the penalty alone is wanted. It must not
// change row, and may be called from several goroutines at once. It must depend
// on the row alone, or results depend on threads.
type RowPenalty func(row, grad []float32) float32

// none reports whether there is no penalty.
func (r Regularizer) none() bool { return r.L1 == 0 && r.L2 == 0 && r.Row == nil }

// addPenalty adds the gradient of the penalty of the given number of steps.
// scratch is memory for a row's.
func addPenalty[F optim.Float](r Regularizer, grad, weights []F, steps int64, scratch []float32) {
	if r.none() || steps <= 0 {
		return
	}
	l1, l2 := F(F(r.L1)*F(steps)), F(2*F(r.L2)*F(steps))
	grad = grad[:len(weights)]
	if l1 == 0 { // the signs of weights are no branch that could be foretold
		for i, w := range weights {
			grad[i] += F(l2 * w)
		}
	} else {
		addL1(grad, weights, l1, l2)
	}
	if r.Row == nil {
		return
	}
	clear(scratch)
	r.Row(*any(&weights).(*[]float32), scratch)
	for i, g := range scratch {
		grad[i] += F(F(g) * F(steps))
	}
}

// addL1 adds the gradients of both penalties of numbers, together.
func addL1[F optim.Float](grad, weights []F, l1, l2 F) {
	for i, w := range weights {
		g := F(l2 * w)
		switch {
		case w > 0:
			g += l1
		case w < 0:
			g -= l1
		}
		grad[i] += g
	}
}

// penaltyOn returns the penalty on a row.
func penaltyOn[F optim.Float](r Regularizer, row []F) float64 {
	sum := 0.0
	if r.L1 != 0 {
		l1 := 0.0
		for _, w := range row {
			l1 += float64(max(w, -w))
		}
		sum += float64(float64(r.L1) * l1)
	}
	if r.L2 != 0 {
		sum += float64(float64(r.L2) * float64(squares(row)))
	}
	if r.Row != nil {
		sum += float64(r.Row(*any(&row).(*[]float32), nil))
	}
	return sum
}

// Penalty returns the regularizer's penalty over the whole table, which is what
// Keras adds to the loss. Rows count as they are stored: what an exact optimizer
// has yet to make up for is not in it. A row's part counts as at most 2^31.
//
// The first call passes over the table; from then on each stripe's sum follows
// its updates, which read their rows twice more, so that another call costs
// nothing to speak of. Where rows have been written otherwise, their stripe is
// summed again. The sums are of fixed point: the same in any order of additions,
// whatever the threads, and after a restart. Of a table over [Stores] every call
// reads all rows, caught up. It is safe for concurrent use; an
// update under way may be in it in part.
func (t *Table) Penalty(ctx context.Context) (float64, error) {
	if err := t.checkContext(ctx); err != nil {
		return 0, err
	}
	if t.opt.Regularizer.none() {
		_, err := t.length()
		return 0, err
	}
	if t.parts != nil {
		return t.storedPenalty(ctx)
	}
	var sum fixed
	var some keyRows
	for s := range stripes {
		if err := t.checkContext(ctx); err != nil {
			return 0, err
		}
		part, err := t.stripePenalty(s, &some)
		if err != nil {
			return 0, err
		}
		sum = sum.plus(part)
	}
	return sum.float(), nil
}

// storedPenalty reads every row of a table over stores.
func (t *Table) storedPenalty(ctx context.Context) (float64, error) {
	var sum fixed
	for rows, err := range t.Export(ctx) {
		if err != nil {
			return 0, err
		}
		data, width := rows.Values.Data(), t.opt.Width
		for i := 0; i < len(data); i += width {
			sum = sum.plus(fix(penaltyOn(t.opt.Regularizer, data[i:i+width])))
		}
	}
	return sum.float(), nil
}

// stripePenalty returns the sum of a stripe, made anew if it is not known.
func (t *Table) stripePenalty(s int, some *keyRows) (fixed, error) {
	stripe := &t.stripes[s]
	stripe.Lock()
	defer stripe.Unlock()
	if t.core == nil {
		return fixed{}, fmt.Errorf("table %q: %w", t.opt.Name, ErrClosed)
	}
	if !stripe.summed {
		some.reset()
		t.core.index.stripe(s, some)
		stripe.penalty = t.penaltyOf(t.core, some.rows)
		stripe.summed = true
	}
	return stripe.penalty, nil
}

// penaltyOf returns the penalty on some slab rows.
func (t *Table) penaltyOf(c *core, rows []uint32) fixed {
	var sum fixed
	for _, r := range rows {
		if c.dtype == Float64 {
			sum = sum.plus(fix(penaltyOn(t.opt.Regularizer, rowOf[float64](c, r)[:t.opt.Width])))
			continue
		}
		o := c.open(r)
		sum = sum.plus(fix(penaltyOn(t.opt.Regularizer, o.row[:t.opt.Width])))
		o.leave()
	}
	return sum
}

// uncount takes a row that is about to go, of key i of a batch, out of its
// stripe's sum. The stripe is locked.
func (t *Table) uncount(c *core, k *keyBatch, i int, r uint32) {
	if s := &t.stripes[t.stripeOf(k, i, r)]; s.summed {
		s.penalty = s.penalty.minus(t.penaltyOf(c, []uint32{r}))
	}
}

// forgetPenalties says that rows of every stripe have changed. All are locked.
func (t *Table) forgetPenalties() {
	for i := range t.stripes {
		t.stripes[i].summed = false
	}
}

// fixed is a number of 2^-64ths, in two's complement of 128 bits: a sum that is
// exact whatever the order.
type fixed struct{ high, low uint64 }

// fix returns x, which is not negative, rounded down; at most 2^31.
func fix(x float64) fixed {
	const most = 1 << 31
	if !(x < most) { // NaN too: a function may return it
		return fixed{high: most}
	}
	x = max(x, -most)
	whole := int64(x)
	if float64(whole) > x {
		whole--
	}
	return fixed{uint64(whole), uint64((x - float64(whole)) * 0x1p64)}
}

func (f fixed) plus(g fixed) fixed {
	low, carry := bits.Add64(f.low, g.low, 0)
	high, _ := bits.Add64(f.high, g.high, carry)
	return fixed{high, low}
}

func (f fixed) minus(g fixed) fixed {
	low, borrow := bits.Sub64(f.low, g.low, 0)
	high, _ := bits.Sub64(f.high, g.high, borrow)
	return fixed{high, low}
}

func (f fixed) float() float64 { return float64(int64(f.high)) + float64(float64(f.low)*0x1p-64) }
