package rowan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/format"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// storedRows is some keys of all parts, ascending, and their rows as the stores
// have them.
type storedRows struct {
	keys keyBatch
	rows []float32
}

// merge yields the rows of all stores in ascending order of their keys,
// at most exportRows at a time, valid until the next.
func (p *parts) merge(ctx context.Context, stores []RowStore, key tensor.KeyType) iter.Seq2[*storedRows, error] {
	return func(yield func(*storedRows, error) bool) {
		heads := make([]*head, 0, len(stores))
		defer func() {
			for _, h := range heads {
				h.stop()
			}
		}()
		for i, s := range stores {
			h := &head{name: p.opt.name(i), key: key, width: s.Width()}
			h.next, h.stop = iter.Pull2(s.Export(ctx))
			heads = append(heads, h)
			if err := h.advance(); err != nil {
				yield(nil, err)
				return
			}
		}
		out := storedRows{}
		for {
			least, err := first(heads)
			if err != nil {
				yield(nil, err)
				return
			}
			if n := out.keys.len(); n == exportRows || least == nil && n > 0 {
				if !yield(&out, nil) {
					return
				}
				out.reset()
			}
			if least == nil {
				return
			}
			out.take(least)
			if err := least.advance(); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func (r *storedRows) reset() {
	r.keys.ints, r.keys.strs, r.rows = r.keys.ints[:0], r.keys.strs[:0], r.rows[:0]
}

// take adds the row that a head is at.
func (r *storedRows) take(h *head) {
	if h.key == tensor.String {
		r.keys.strs = append(r.keys.strs, h.keys.strs[h.at])
	} else {
		r.keys.ints = append(r.keys.ints, h.keys.ints[h.at])
	}
	r.rows = append(r.rows, h.values.Data()[h.at*h.width:][:h.width]...)
}

// first returns the head with the least key, nil if all are at their ends.
func first(heads []*head) (*head, error) {
	var least *head
	for _, h := range heads {
		if h.keys.len() == 0 {
			continue
		}
		if least == nil {
			least = h
			continue
		}
		switch c := h.current().compare(least.current(), h.key); {
		case c < 0:
			least = h
		case c == 0:
			return nil, fmt.Errorf("%w: %s and %s both have key %s: have the partitioner, the order or the number of parts changed?",
				ErrMismatch, least.name, h.name, h.keys.format(h.at, h.key))
		}
	}
	return least, nil
}

// head is where the export of one store has come to.
type head struct {
	name   string
	key    tensor.KeyType
	width  int
	next   func() (*Rows, error, bool)
	stop   func()
	keys   keyBatch // of the rows that the store gave last; empty at the end
	values *tensor.Values
	at     int // which of them is next
}

// advance goes to the next row, which must have a greater key.
func (h *head) advance() error {
	before, began := h.current(), h.keys.len() > 0
	if err := h.step(); err != nil || !began || h.keys.len() == 0 {
		return err
	}
	if now := h.current(); now.compare(before, h.key) <= 0 {
		return fmt.Errorf("%s: %w: it exported key %s after key %s: keys must ascend",
			h.name, ErrMismatch, h.keys.format(h.at, h.key), before.format(h.key))
	}
	return nil
}

// step goes to the next row, or to the end.
func (h *head) step() error {
	if h.at++; h.at < h.keys.len() {
		return nil
	}
	h.at, h.keys = 0, keyBatch{}
	for h.keys.len() == 0 {
		rows, err, ok := h.next()
		if err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
		if !ok {
			return nil
		}
		if err := h.set(rows); err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
	}
	return nil
}

// set takes what a store gave, if it is what it should give.
func (h *head) set(rows *Rows) error {
	if rows == nil {
		return fmt.Errorf("%w: it exported rows that are nil", ErrShape)
	}
	if err := checkIDs(rows.Keys); err != nil {
		return err
	}
	if rows.Keys.KeyType() != h.key {
		return fmt.Errorf("%w: it exported %v keys, its keys are %v", ErrKeyType, rows.Keys.KeyType(), h.key)
	}
	if rows.Values == nil || len(rows.Values.Data()) != rows.Keys.Len()*h.width {
		return fmt.Errorf("%w: it exported %d keys and not %d numbers for each", ErrShape, rows.Keys.Len(), h.width)
	}
	h.values = rows.Values
	return h.keys.set(rows.Keys, h.key, false)
}

// oneKey is one key, of which str or num counts.
type oneKey struct {
	str string
	num uint64
}

// current returns the key that h is at.
func (h *head) current() oneKey {
	switch {
	case h.keys.len() == 0:
		return oneKey{}
	case h.key == tensor.String:
		return oneKey{str: h.keys.strs[h.at]}
	}
	return oneKey{num: h.keys.ints[h.at]}
}

// compare returns -1, 0 or 1 as k is less than, as or more than other.
func (k oneKey) compare(other oneKey, t tensor.KeyType) int {
	switch t {
	case tensor.String:
		return cmp.Compare(k.str, other.str)
	case tensor.Uint64:
		return cmp.Compare(k.num, other.num)
	}
	return cmp.Compare(int64(k.num), int64(other.num))
}

func (k oneKey) format(t tensor.KeyType) string {
	one := keyBatch{ints: []uint64{k.num}}
	if t == tensor.String {
		one = keyBatch{strs: []string{k.str}}
	}
	return one.format(0, t)
}

// unpacked is rows of stores as they lie in memory.
type unpacked struct {
	t      *Table
	core   *core
	data   []float32 // core.layout.stride apart
	copies copier
}

// set unpacks rows, and brings those of an exact optimizer to where they are now.
func (u *unpacked) set(r *storedRows) error {
	l, n := &u.core.layout, r.keys.len()
	u.data = slices.Grow(u.data[:0], n*l.stride)[:n*l.stride]
	clear(u.data)
	u.copies.last = u.copies.last[:0]
	for i := range n {
		row := u.data[i*l.stride:][:l.stride]
		if err := u.t.unpack(l, row, r.rows[i*l.stored():][:l.stored()]); err != nil {
			return fmt.Errorf("key %s: %w", r.keys.format(i, u.t.opt.KeyType), err)
		}
		if l.last >= 0 {
			u.copies.last = append(u.copies.last, lastStep(l, row))
		}
	}
	return nil
}

// catchUp brings the rows of an exact optimizer to the table's step. The lock is
// that of the optimizer's rate.
func (u *unpacked) catchUp(n int) {
	if u.core.exact {
		u.t.rlock(0)
		defer u.t.runlock(0)
		catchUp(u.t, u.core, u.data, u.copies.number(n), u.copies.last, u.t.step.Load())
	}
}

// opened returns the stores and the layout of their rows. They are not held:
// the caller of an export may use, change or close the table between two rows.
func (t *Table) opened(ctx context.Context) ([]RowStore, *core, error) {
	if err := t.parts.enter(ctx, t); err != nil {
		return nil, nil, err
	}
	defer t.parts.leave()
	return t.parts.stores, t.core, nil
}

// exportParts does export for a table over stores: it yields what e names.
func (t *Table) exportParts(ctx context.Context, e exporter) iter.Seq2[*Rows, error] {
	return func(yield func(*Rows, error) bool) {
		fail := func(err error) { yield(nil, fmt.Errorf("table %q: %w", t.opt.Name, err)) }
		stores, c, err := t.opened(ctx)
		if err != nil {
			fail(err)
			return
		}
		u, at := unpacked{t: t, core: c}, rowPart{width: t.opt.Width}
		if e.copies.state {
			if at, err = t.slotAt(c, e.slot); err != nil {
				fail(err)
				return
			}
		}
		var out Rows
		out.Values = new(tensor.Values)
		for rows, err := range t.parts.merge(ctx, stores, t.opt.KeyType) {
			if err == nil {
				err = u.set(rows)
			}
			n := 0
			if err == nil {
				n = rows.keys.len()
				u.catchUp(n)
				out.Keys, err = rows.keys.ids(t.opt.KeyType)
			}
			if err == nil {
				err = out.Values.Reset(n, at.width)
			}
			if err != nil {
				fail(err)
				return
			}
			for i := range n {
				copy(out.Values.Data()[i*at.width:][:at.width], u.data[i*c.layout.stride+at.from:])
			}
			if !yield(&out, nil) {
				return
			}
		}
	}
}

// slotAt says where a slot lies in a row of core c.
func (t *Table) slotAt(c *core, slot string) (rowPart, error) {
	t.rlock(0)
	defer t.runlock(0)
	at, err := c.slotAt(slot)
	if err != nil {
		return at, fmt.Errorf("slot %q: %w", slot, err)
	}
	return at, nil
}

// saveParts does Save for a table over stores.
func (t *Table) saveParts(ctx context.Context, w io.Writer) error {
	err := t.parts.enterAlone(ctx, t)
	if err == nil {
		defer t.parts.leaveAlone()
		err = t.saveStored(ctx, w)
	}
	if err != nil {
		return fmt.Errorf("save table %q: %w", t.opt.Name, err)
	}
	return nil
}

func (t *Table) saveStored(ctx context.Context, w io.Writer) error {
	n, err := t.parts.count(ctx)
	if err != nil {
		return err
	}
	h := t.header(t.core)
	h.Rows = int64(n)
	file, err := format.NewTableWriter(w, h)
	if err != nil {
		return err
	}
	l, u, written := &t.core.layout, unpacked{t: t, core: t.core}, 0
	var block format.Block
	for rows, err := range t.parts.merge(ctx, t.parts.stores, t.opt.KeyType) {
		if err == nil {
			err = u.set(rows)
		}
		if err != nil {
			return err
		}
		block.Keys, block.Strings = rows.keys.ints, rows.keys.strs
		block.Rows, block.Last = block.Rows[:0], append(block.Last[:0], u.copies.last...)
		for i := range rows.keys.len() {
			block.Rows = append(block.Rows, u.data[i*l.stride:][:l.state]...)
		}
		written += rows.keys.len()
		if err := file.WriteBlock(&block); err != nil {
			return err
		}
	}
	if written != n {
		return fmt.Errorf("%w: the stores had %d rows, and gave %d: save while no other table writes to them", ErrStale, n, written)
	}
	return file.Close()
}

// replaceParts puts the rows of a loaded file in the place of the stores'.
func (t *Table) replaceParts(ctx context.Context, from *loading) error {
	if err := t.parts.enterAlone(ctx, t); err != nil {
		return err
	}
	defer t.parts.leaveAlone()
	if err := from.current(); err != nil {
		return err
	}
	if err := t.parts.clear(ctx); err != nil {
		return err
	}
	l, out := &from.core.layout, storedRows{}
	err := t.each(from.core, func(k *keyBatch, i int, row uint32) error {
		if k.strs != nil {
			out.keys.strs = append(out.keys.strs, k.strs[i])
		} else {
			out.keys.ints = append(out.keys.ints, k.ints[i])
		}
		out.rows = l.pack(out.rows, from.core.row(row))
		if out.keys.len() < exportRows {
			return nil
		}
		defer out.reset()
		return t.upsertStored(ctx, t.parts.stores, &out)
	})
	if err == nil {
		err = t.upsertStored(ctx, t.parts.stores, &out)
	}
	if err != nil {
		return err
	}
	t.SetStep(from.step)
	return nil
}

// upsertStored writes rows to stores, as they are.
func (t *Table) upsertStored(ctx context.Context, stores []RowStore, r *storedRows) error {
	n := r.keys.len()
	if n == 0 {
		return nil
	}
	route, err := t.parts.divide(&r.keys, t.opt.KeyType)
	if err != nil {
		return err
	}
	width := len(r.rows) / n
	return t.parts.eachOf(ctx, stores, route.parts, func(ctx context.Context, part int, s RowStore) error {
		rows := make([]float32, 0, len(route.at(part))*width)
		for _, i := range route.at(part) {
			rows = append(rows, r.rows[int(i)*width:][:width]...)
		}
		return s.Upsert(ctx, route.ids[part], rows)
	})
}

// setPartsOptimizer does SetOptimizer for a table over stores.
func (t *Table) setPartsOptimizer(o *optim.Optimizer) error {
	p := t.parts
	p.using.Lock()
	defer p.using.Unlock()
	if err := t.changeOptimizer(o); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return nil
}

// changeOptimizer does it while nobody uses the stores.
func (t *Table) changeOptimizer(o *optim.Optimizer) error {
	p := t.parts
	if p.closed {
		return ErrClosed
	}
	c, err := t.emptyCore(o)
	if err != nil {
		return err
	}
	stores, old := p.stores, []RowStore(nil)
	if err = p.opt.checkRow(&c.layout); err == nil && stores != nil {
		stores, old, err = t.rewrite(context.Background(), c)
	}
	if err != nil {
		c.discard()
		return err
	}
	p.stores = stores
	p.dropIdle()
	t.lock()
	t.swap(c)
	t.unlock()
	return p.close(old)
}

// rewrite writes all rows anew in the layout of core to, and returns the stores
// where they are; old are those to be closed, if that is elsewhere than before.
func (t *Table) rewrite(ctx context.Context, to *core) (stores, old []RowStore, err error) {
	p, before, width := t.parts, t.core.layout.stored(), to.layout.stored()
	if width == before {
		return p.stores, nil, t.moveStored(ctx, p.stores, to)
	}
	if p.opt.Open == nil {
		return nil, nil, fmt.Errorf("%w: the stores have rows of %d numbers, and with this optimizer they would have %d: "+
			"give it before the table is used, or let Stores.Open open stores anew", ErrOptions, before, width)
	}
	if stores, err = p.open(ctx, t, width); err != nil {
		return nil, nil, err
	}
	if err := t.moveStored(ctx, stores, to); err != nil {
		return nil, nil, errors.Join(err, p.close(stores))
	}
	return stores, p.stores, nil
}

// moveStored writes the weights of every row to stores, with the first state of
// the layout of core to.
func (t *Table) moveStored(ctx context.Context, stores []RowStore, to *core) error {
	l, from, now := &to.layout, t.core, t.step.Load()
	u, row := unpacked{t: t, core: from}, make([]float32, l.stride)
	out := storedRows{}
	for rows, err := range t.parts.merge(ctx, t.parts.stores, t.opt.KeyType) {
		if err == nil {
			err = u.set(rows)
		}
		if err != nil {
			return err
		}
		n := rows.keys.len()
		u.catchUp(n)
		out.keys = rows.keys
		out.rows = out.rows[:0]
		for i := range n {
			copy(row[:t.opt.Width], u.data[i*from.layout.stride:])
			begin(l, row, now)
			out.rows = l.pack(out.rows, row)
		}
		if err := t.upsertStored(ctx, stores, &out); err != nil {
			return err
		}
	}
	return nil
}
