package rowan

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/tensor"
)

// freedByCall is the count of freed rows that a lookup in a table over stores
// ends with: no table ever has it, so that Apply finds all its rows again.
const freedByCall = math.MaxUint64

// lookParts does look for a table over stores; l is prepared.
func (t *Table) lookParts(ctx context.Context, l *Lookup, ids tensor.IDs, o LookupOptions) error {
	if err := t.parts.enter(ctx, t); err != nil {
		return err
	}
	defer t.parts.leave()
	w, err := t.fetch(ctx, l.keys.len()+1, l.gatherInto)
	if err != nil {
		return err
	}
	defer w.release()
	if err := w.memory.look(ctx, l, ids, o); err != nil {
		return err
	}
	l.belong(t)
	if l.fallback.lookup != nil {
		l.fallback.lookup.belong(t)
	}
	return nil
}

// gatherInto adds the keys that l reads to a workset.
func (l *Lookup) gatherInto(w *workset) error {
	if err := w.gather(&l.keys, always); err != nil || !l.opt.hasDefault() {
		return err
	}
	ids, err := l.defaultBag()
	if err != nil {
		return err
	}
	var k keyBatch
	if err := k.set(ids, l.table.opt.KeyType, false); err != nil {
		return err
	}
	return w.gather(&k, always)
}

// belong makes l, which was done in memory, one of table t.
func (l *Lookup) belong(t *Table) { l.table, l.freed = t, freedByCall }

// fetch returns a workset of at most n keys, those that gather adds.
func (t *Table) fetch(ctx context.Context, n int, gather func(w *workset) error) (*workset, error) {
	w, err := t.workset(n)
	if err != nil {
		return nil, err
	}
	if err = gather(w); err == nil {
		err = w.fetch(ctx)
	}
	if err != nil {
		w.release()
		return nil, err
	}
	return w, nil
}

// lookupSlotParts does lookupSlot for a table over stores; k are the ids' keys.
func (t *Table) lookupSlotParts(ctx context.Context, name string, ids tensor.IDs, k *keyBatch) (*tensor.Values, []bool, error) {
	if err := t.parts.enter(ctx, t); err != nil {
		return nil, nil, err
	}
	defer t.parts.leave()
	w, err := t.fetch(ctx, k.len(), func(w *workset) error { return w.gather(k, always) })
	if err != nil {
		return nil, nil, err
	}
	defer w.release()
	return w.memory.lookupSlot(ctx, name, ids)
}

// applyParts does Apply for a table over stores.
func (t *Table) applyParts(ctx context.Context, g *Gradients, s Step) error {
	try := s // what is wrong with the step is told before a store is asked
	o, err := g.ready(&try)
	if err == nil && o == nil {
		err = errNoOptimizer
	}
	if err == nil {
		err = t.parts.enterAlone(ctx, t)
	}
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	defer t.parts.leaveAlone()
	w, err := t.fetch(ctx, g.positions(), g.gather)
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	defer w.release()
	if err := g.lend(w, func() error { return w.memory.Apply(ctx, g, s) }); err != nil {
		return err
	}
	write := w.write
	if t.opt.Stores.Increments {
		write = w.add
	}
	if err := write(ctx); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	t.step.Store(w.memory.step.Load())
	return nil
}

// gather adds the keys that the collected lookups train to a workset.
func (g *Gradients) gather(w *workset) error {
	for i := range g.terms {
		l := g.terms[i].lookup
		if err := w.gather(&l.keys, func(j int) bool { return trains(l.rows[j]) }); err != nil {
			return err
		}
	}
	return nil
}

// lend makes the gradients those of a workset while f runs.
func (g *Gradients) lend(w *workset, f func() error) error {
	t := g.table
	g.table = w.memory
	defer func() { g.table = t }()
	return f()
}

// measureParts does SumSquares for a table over stores. What gradients measure
// does not depend on rows, so that the stores are not asked.
func (t *Table) measureParts(ctx context.Context, g *Gradients, s Step) (sum float64, err error) {
	if _, err = g.ready(&s); err == nil {
		err = t.parts.enter(ctx, t)
	}
	if err != nil {
		return 0, fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	defer t.parts.leave()
	w, err := t.workset(g.positions())
	if err != nil {
		return 0, fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	defer w.release()
	if err := g.gather(w); err != nil {
		return 0, fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	err = g.lend(w, func() (err error) {
		sum, err = g.SumSquares(ctx, s)
		return err
	})
	return sum, err
}

// changeParts does eachStripe for a table over stores: it reads the rows of the
// ids, has f change them in memory, and writes them back.
func (t *Table) changeParts(ctx context.Context, ids tensor.IDs, f func(p *portion) error) error {
	var k keyBatch
	err := k.set(ids, t.opt.KeyType, false)
	if err == nil {
		err = t.parts.enterAlone(ctx, t)
	}
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	defer t.parts.leaveAlone()
	w, err := t.fetch(ctx, k.len(), func(w *workset) error { return w.gather(&k, always) })
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	defer w.release()
	if err := w.memory.eachStripe(ctx, ids, f); err != nil {
		return err
	}
	if err := w.write(ctx); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return nil
}

// storesAdd reports whether the stores can do Accumulate by themselves: rows
// need no catching up before, and no bound on their norm after.
func (t *Table) storesAdd() bool {
	l := t.opt.layout(t.optimizer())
	return l.last < 0 && t.opt.MaxNorm == 0
}

// accumulateParts has the stores do Accumulate: differences to weights, and
// none to state.
func (t *Table) accumulateParts(ctx context.Context, ids tensor.IDs, values []float32, exists []bool) error {
	var k keyBatch
	err := k.set(ids, t.opt.KeyType, false)
	if err == nil {
		err = t.parts.enter(ctx, t)
	}
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	defer t.parts.leave()
	l, width := &t.core.layout, t.opt.Width
	fresh, same := make([]float32, l.stride), make([]float32, l.stored())
	begin(l, fresh, 0)
	for i := range same {
		same[i] = float32(math.Copysign(0, -1)) // x + -0 is x, of -0 too
	}
	err = t.write(ctx, &k, func(ctx context.Context, s RowStore, ids tensor.IDs, at []uint32) error {
		rows, there := make([]float32, 0, len(at)*l.stored()), make([]bool, 0, len(at))
		for _, i := range at {
			from := len(rows)
			rest := same
			if !exists[i] {
				rest = fresh
			}
			rows = append(rows, values[int(i)*width:][:width]...)
			rows = append(rows, rest[width:l.stored()]...)
			if !exists[i] {
				follow(l, rows[from:])
			}
			there = append(there, exists[i])
		}
		return s.Accumulate(ctx, ids, rows, there)
	})
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return nil
}

// write calls f for every part with its keys of a batch. The stores are in use.
func (t *Table) write(ctx context.Context, k *keyBatch, f func(ctx context.Context, s RowStore, ids tensor.IDs, at []uint32) error) error {
	r, err := t.parts.divide(k, t.opt.KeyType)
	if err != nil {
		return err
	}
	return t.parts.each(ctx, r.parts, func(ctx context.Context, part int, s RowStore) error {
		return f(ctx, s, r.ids[part], r.at(part))
	})
}

// removeParts does Remove for a table over stores.
func (t *Table) removeParts(ctx context.Context, ids tensor.IDs) error {
	err := checkIDs(ids)
	var k keyBatch
	if err == nil {
		err = k.set(ids, t.opt.KeyType, false)
	}
	if err == nil {
		err = t.parts.enterAlone(ctx, t)
	}
	if err == nil {
		defer t.parts.leaveAlone()
		err = t.write(ctx, &k, func(ctx context.Context, s RowStore, ids tensor.IDs, _ []uint32) error { return s.Remove(ctx, ids) })
	}
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return nil
}

// clearParts does Clear for a table over stores.
func (t *Table) clearParts(ctx context.Context) error {
	err := t.parts.enterAlone(ctx, t)
	if err == nil {
		defer t.parts.leaveAlone()
		err = t.parts.clear(ctx)
	}
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return nil
}

func (p *parts) clear(ctx context.Context) error {
	return p.each(ctx, p.all(), func(ctx context.Context, _ int, s RowStore) error { return s.Clear(ctx) })
}

// countParts does Count for a table over stores.
func (t *Table) countParts(ctx context.Context) (n int, err error) {
	if err = t.parts.enter(ctx, t); err == nil {
		defer t.parts.leave()
		n, err = t.parts.count(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return n, nil
}

func (p *parts) count(ctx context.Context) (int, error) {
	counts := make([]int, p.opt.len())
	err := p.each(ctx, p.all(), func(ctx context.Context, part int, s RowStore) (err error) {
		counts[part], err = s.Len(ctx)
		return err
	})
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum, err
}

// statsParts does Stats for a table over stores.
func (t *Table) statsParts() Stats {
	n := t.Len()
	t.rlock(0)
	defer t.runlock(0)
	if t.core == nil {
		return Stats{}
	}
	l := &t.core.layout
	return Stats{Rows: n, Stride: 4 * l.stored(), WeightBytes: 4 * l.width, Slots: slices.Clone(l.slots), Parts: t.opt.Stores.len()}
}

// closeParts does Close for a table over stores.
func (t *Table) closeParts() error {
	p := t.parts
	p.using.Lock()
	defer p.using.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	p.dropIdle()
	err := t.closeCore()
	if p.opt.Open != nil {
		err = errors.Join(err, p.close(p.stores))
	}
	p.stores = nil
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return nil
}
