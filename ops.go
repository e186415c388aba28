package rowan

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan/tensor"
)

// keyPool keeps the scratch memory of operations between calls.
var keyPool = sync.Pool{New: func() any { return new(keyOp) }}

// keyOp is a batch of keys divided by stripe, for operations that write.
type keyOp struct {
	keys  keyBatch
	order []uint32 // positions, those of a stripe together, in batch order
	begin [stripes + 1]int
}

// eachStripe calls f for every stripe that has keys of the batch, with the
// stripe locked and the positions of its keys in batch order.
func (t *Table) eachStripe(ctx context.Context, ids tensor.IDs, f func(c *core, k *keyBatch, at []uint32) error) error {
	if ids == nil {
		return fmt.Errorf("table %q: %w: ids are nil", t.opt.Name, ErrShape)
	}
	op := keyPool.Get().(*keyOp)
	defer keyPool.Put(op)
	if err := op.keys.set(ids, t.opt.KeyType, t.opt.Rows > 0); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	op.arrange(t)
	for s := range stripes {
		at := op.order[op.begin[s]:op.begin[s+1]]
		if len(at) == 0 {
			continue
		}
		if err := t.onStripe(ctx, s, &op.keys, at, f); err != nil {
			return fmt.Errorf("table %q: %w", t.opt.Name, err)
		}
	}
	op.keys.ints, op.keys.strs = nil, nil
	return nil
}

func (t *Table) onStripe(ctx context.Context, s int, k *keyBatch, at []uint32, f func(c *core, k *keyBatch, at []uint32) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.stripes[s].Lock()
	defer t.stripes[s].Unlock()
	if t.core == nil {
		return ErrClosed
	}
	return f(t.core, k, at)
}

// arrange hashes the keys and divides them by stripe. Ids out of range of a
// static table go to the last one.
func (op *keyOp) arrange(t *Table) {
	n := op.keys.len()
	op.keys.hashes = slices.Grow(op.keys.hashes[:0], n)[:n]
	op.order = slices.Grow(op.order[:0], n)[:n]
	t.hash(&op.keys)
	stripe := func(i int) int {
		if t.opt.Rows > 0 {
			return int(min(op.keys.ints[i], uint64(t.opt.Rows-1)) >> t.shift)
		}
		return t.stripeOf(&op.keys, i, 0)
	}
	var counts [stripes]int
	for i := range n {
		counts[stripe(i)]++
	}
	at := 0
	for s, c := range counts {
		op.begin[s], counts[s] = at, at
		at += c
	}
	op.begin[stripes] = at
	for i := range n {
		s := stripe(i)
		op.order[counts[s]] = uint32(i)
		counts[s]++
	}
}

// Upsert writes the weights of rows, and inserts the keys that the table does
// not hold. values has the shape of ids and the width after it. Of a key that
// occurs more than once the last row counts. Optimiser state starts afresh for
// new keys and stays for others. A static table refuses ids out of range before
// anything is written.
func (t *Table) Upsert(ctx context.Context, ids tensor.IDs, values *tensor.Values) error {
	if err := t.checkRows(ids, values); err != nil {
		return err
	}
	if err := checkFinite("value", values.Data()); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	width := t.opt.Width
	return t.eachStripe(ctx, ids, func(c *core, k *keyBatch, at []uint32) error {
		now := t.step.Load()
		for _, i := range at {
			r, err := t.rowFor(c, k, int(i), now)
			if err != nil {
				return err
			}
			row := c.row(r)
			if c.exact {
				t.bringOne(c, r, now)
			}
			copy(row[:width], values.Data()[int(i)*width:])
			t.clipNorm(row[:width])
		}
		return nil
	})
}

// bringOne makes up for the steps that row r missed.
func (t *Table) bringOne(c *core, r uint32, now int64) {
	last := c.layout.lastStep(c.row(r))
	t.catchUp(c, c.slab.Data(), []uint32{r}, []int64{last}, now)
	c.layout.setLastStep(c.row(r), max(now, last))
}

// checkRows checks that values has one row for each id, and ids of a static table.
func (t *Table) checkRows(ids tensor.IDs, values *tensor.Values) error {
	if ids == nil || values == nil {
		return fmt.Errorf("table %q: %w: ids and values must not be nil", t.opt.Name, ErrShape)
	}
	if n := ids.Len() * t.opt.Width; len(values.Data()) != n {
		return fmt.Errorf("table %q: %w: %d ids of width %d need %d numbers, got %d in shape %v",
			t.opt.Name, ErrShape, ids.Len(), t.opt.Width, n, len(values.Data()), values.Shape())
	}
	if t.opt.Rows == 0 {
		return nil
	}
	var k keyBatch
	if err := k.set(ids, t.opt.KeyType, true); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	for i, id := range k.ints {
		if id >= uint64(t.opt.Rows) {
			return fmt.Errorf("table %q: %w: id %s at position %d is not in [0, %d)",
				t.opt.Name, ErrOutOfRange, k.format(i, ids.KeyType()), i, t.opt.Rows)
		}
	}
	return nil
}

// Accumulate adds to rows what a worker found out since it read them. exists
// says for each id whether the row was there when the worker read; values holds
// the difference if it was, and the whole new row if it was not:
//
//	             row there now      no row now
//	was there    add the difference nothing: it was removed meanwhile
//	was not      nothing: another   insert the new row
//	             worker was first
//
// This is how increments of workers that share a table add up. Occurrences of
// one key are taken in batch order. values has the shape of ids and the width after it.
func (t *Table) Accumulate(ctx context.Context, ids tensor.IDs, values *tensor.Values, exists []bool) error {
	if err := t.checkRows(ids, values); err != nil {
		return err
	}
	if len(exists) != ids.Len() {
		return fmt.Errorf("table %q: %w: %d ids need as many exists flags, got %d", t.opt.Name, ErrShape, ids.Len(), len(exists))
	}
	if err := checkFinite("value", values.Data()); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	width := t.opt.Width
	return t.eachStripe(ctx, ids, func(c *core, k *keyBatch, at []uint32) error {
		for _, i := range at {
			if err := t.accumulate(c, k, int(i), values.Data()[int(i)*width:][:width], exists[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Table) accumulate(c *core, k *keyBatch, i int, value []float32, existed bool) error {
	r := c.index.get(k, i)
	if (r != rowAbsent) != existed {
		return nil
	}
	now := t.step.Load()
	if !existed {
		var err error
		if r, err = t.rowFor(c, k, i, now); err != nil {
			return err
		}
		copy(c.row(r), value)
	} else {
		if c.exact {
			t.bringOne(c, r, now)
		}
		row := c.row(r)
		for j, d := range value {
			row[j] += d
		}
	}
	t.clipNorm(c.row(r)[:t.opt.Width])
	return nil
}

// Remove takes keys and their rows, with the optimiser's state, out of a
// dynamic table. Keys that it does not hold are ignored. A removed key reads
// as its first values again.
func (t *Table) Remove(ctx context.Context, ids tensor.IDs) error {
	if t.opt.Rows > 0 {
		return fmt.Errorf("table %q: %w: its rows cannot be removed", t.opt.Name, ErrStatic)
	}
	return t.eachStripe(ctx, ids, func(c *core, k *keyBatch, at []uint32) error {
		for _, i := range at {
			if r := c.index.remove(k, int(i)); r != rowAbsent {
				t.freed.Add(1)
				if err := c.slab.Free(r); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Clear removes every row of a dynamic table; a static table starts over with
// its first values.
func (t *Table) Clear(ctx context.Context) error {
	if err := t.checkContext(ctx); err != nil {
		return err
	}
	t.lock()
	defer t.unlock()
	if t.core == nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, ErrClosed)
	}
	c, err := t.newCore(t.core.optimizer)
	if err == nil {
		if err = t.fillStatic(c); err != nil {
			c.close()
		}
	}
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	t.swap(c)
	return nil
}
