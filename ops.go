package rowan

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/slab"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// keyOps keeps the scratch memory of operations between calls.
var keyOps = sync.Pool{New: func() any { return new(keyOp) }}

// keyOp is a batch of keys divided by stripe, for operations that write.
type keyOp struct {
	batch keyBatch // as the caller gave it
	keys  keyBatch // those of a stripe together, in batch order
	at    []uint32 // which of the batch each of keys is
	begin [stripes + 1]int
	strs  []string

	part portion
}

// portion is the keys of one stripe, while it is locked.
type portion struct {
	core *core
	keys keyBatch
	at   []uint32 // which of the batch each is
	rows []uint32 // what insert and find fill in
	free []uint32
	news []uint32

	scores []int64 // what used needs
}

// eachStripe calls f for every stripe that has keys of the batch, with the
// stripe locked. Keys come in batch order.
func (t *Table) eachStripe(ctx context.Context, ids tensor.IDs, f func(p *portion) error) error {
	if err := checkIDs(ids); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	if uint64(ids.Len()) > math.MaxUint32 {
		return fmt.Errorf("table %q: %w: a call takes at most %d ids, got %d; split the batch",
			t.opt.Name, ErrShape, uint32(math.MaxUint32), ids.Len())
	}
	if t.parts != nil {
		return t.changeParts(ctx, ids, f)
	}
	op := keyOps.Get().(*keyOp)
	defer op.put()
	if err := op.batch.set(ids, t.opt.KeyType, t.opt.Rows > 0); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	op.arrange(t)
	for s := range stripes {
		if op.begin[s] == op.begin[s+1] {
			continue
		}
		if err := t.onStripe(ctx, s, op, f); err != nil {
			return fmt.Errorf("table %q: %w", t.opt.Name, err)
		}
	}
	if ids.Len() == 0 {
		_, err := t.length() // nothing to do, but a closed table says so
		return err
	}
	return nil
}

// put keeps op for another call, without what belongs to the caller or a table.
func (op *keyOp) put() {
	op.batch.ints, op.batch.strs = nil, nil
	clear(op.strs)
	op.part.core = nil
	keyOps.Put(op)
}

func (t *Table) onStripe(ctx context.Context, s int, op *keyOp, f func(p *portion) error) error {
	if err := ended(ctx); err != nil {
		return err
	}
	t.stripes[s].Lock()
	defer t.stripes[s].Unlock()
	if t.core == nil {
		return ErrClosed
	}
	t.stripes[s].summed = false
	p := &op.part
	p.core = t.core
	p.keys, p.at = op.keys.slice(op.begin[s], op.begin[s+1]), op.at[op.begin[s]:op.begin[s+1]]
	p.rows = slices.Grow(p.rows[:0], len(p.at))[:len(p.at)]
	return f(p)
}

// arrange hashes the keys and puts those of a stripe together. Ids out of range
// of a static table go to its last stripe.
func (op *keyOp) arrange(t *Table) {
	n := op.batch.len()
	op.batch.hashes = slices.Grow(op.batch.hashes[:0], n)[:n]
	op.at = slices.Grow(op.at[:0], n)[:n]
	t.hash(&op.batch)
	stripe := func(i int) int {
		if t.opt.Rows > 0 {
			return int(min(op.batch.ints[i], uint64(t.opt.Rows-1)) >> t.shift)
		}
		return t.stripeOf(&op.batch, i, 0)
	}
	var next [stripes]int
	for i := range n {
		next[stripe(i)]++
	}
	at := 0
	for s, c := range next {
		op.begin[s], next[s] = at, at
		at += c
	}
	op.begin[stripes] = at
	for i := range n {
		s := stripe(i)
		op.at[next[s]] = uint32(i)
		next[s]++
	}
	op.collect()
}

// collect puts the keys in the order of op.at.
func (op *keyOp) collect() {
	k := &op.keys
	k.strs, k.hashes, k.buffer = nil, k.hashes[:0], k.buffer[:0]
	op.strs = op.strs[:0]
	for _, i := range op.at {
		k.hashes = append(k.hashes, op.batch.hashes[i])
		if op.batch.strs != nil {
			op.strs = append(op.strs, op.batch.strs[i])
		} else {
			k.buffer = append(k.buffer, op.batch.ints[i])
		}
	}
	k.ints = k.buffer
	if op.batch.strs != nil {
		k.ints, k.strs = nil, op.strs
		if k.strs == nil {
			k.strs = []string{}
		}
	}
}

// insert finds the rows of a portion's keys, and makes rows for those that have
// none: with their state begun, and their weights still zero. p.news are the
// keys that are new, each once, of those that stand for the same.
func (t *Table) insert(p *portion) error {
	c := p.core
	c.index.find(&p.keys, p.rows)
	absent := 0
	for _, r := range p.rows {
		if r == rowAbsent {
			absent++
		}
	}
	p.news = p.news[:0]
	if absent == 0 {
		return nil
	}
	if err := p.alloc(absent); err != nil {
		return err
	}
	p.news = slices.Grow(p.news, len(p.free))[:len(p.free)]
	n, err := c.index.insert(&p.keys, p.rows, p.free, p.news)
	p.news = p.news[:n]
	now := t.step.Load()
	for _, r := range p.free[:n] {
		c.begin(r, now)
	}
	if err != nil {
		// A key that came in has no weights: it goes again.
		for _, i := range p.news {
			c.index.remove(&p.keys, int(i))
		}
		n = 0
	}
	return errors.Join(err, c.slab.Free(p.free[n:]...))
}

// alloc gets rows for the absent keys of a portion. Keys that repeat are counted
// once where there is not room for all.
func (p *portion) alloc(absent int) error {
	p.free = slices.Grow(p.free[:0], absent)[:absent]
	err := p.core.alloc(p.free)
	if !errors.Is(err, slab.ErrFull) {
		return err
	}
	ints, strs := map[uint64]bool{}, map[string]bool{}
	for i, r := range p.rows {
		switch {
		case r != rowAbsent:
		case p.keys.strs != nil:
			strs[p.keys.strs[i]] = true
		default:
			ints[p.keys.ints[i]] = true
		}
	}
	if n := len(ints) + len(strs); n < absent {
		p.free = p.free[:n]
		return p.core.alloc(p.free)
	}
	return err
}

// Upsert writes the weights of rows, and inserts the keys that the table does
// not hold. values has the shape of ids and the width after it. Of a key that
// occurs more than once the last row counts. Optimiser state starts afresh for
// new keys and stays for others, but for an average of the weights (optim.EMA),
// which starts anew with what is written. Numbers that are not finite, keys that
// are too long and ids out of range of a static table are refused before anything
// is written; an error about room or a cancelled ctx may come after some rows are.
func (t *Table) Upsert(ctx context.Context, ids tensor.IDs, values *tensor.Values) error {
	if err := t.checkRows(ids, values); err != nil {
		return err
	}
	if err := checkFinite("value", values.Data()); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	if err := t.opt.DType.checkRange("value", values.Data()); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	if t.opt.DType == Float64 {
		return upsertCells(ctx, t, ids, widened(values.Data()))
	}
	width, now := t.opt.Width, t.tick()
	err := t.eachStripe(ctx, ids, func(p *portion) error {
		if err := t.insert(p); err != nil {
			return err
		}
		for j, r := range p.rows {
			weights := values.Data()[int(p.at[j])*width:][:width]
			if p.core.narrow.half == 0 {
				row := p.core.row(r)
				t.overwrite(p.core, row, weights)
				follow(&p.core.layout, row)
				continue
			}
			o := p.core.open(r)
			t.overwrite(p.core, o.row, weights)
			o.round(rounding{})
			follow(&p.core.layout, o.row)
			o.shut(rounding{})
		}
		t.used(p, now)
		return nil
	})
	if err != nil {
		return err
	}
	return t.settle()
}

// overwrite gives a row weights. Rows of float32 are written where they lie, with
// nothing else stored between one and the next: a row that is not in the cache
// holds its stores back until it is, and a processor has room for so few of them
// that those of an openRow a row take two thirds of the speed.
func (t *Table) overwrite(c *core, row, weights []float32) {
	bringOne(t, c, row, t.step.Load())
	copy(row, weights)
	clipNorm(t, row[:len(weights)])
}

// bringOne makes a row one of step now, if it remembers its step: an exact
// optimizer makes up for those it missed, a regularizer forgives what it owes.
func bringOne[F optim.Float](t *Table, c *core, row []F, now int64) {
	if c.layout.last < 0 {
		return
	}
	last := lastStep(&c.layout, row)
	if c.exact {
		catchUp(t, c, row, only, []int64{last}, now)
	}
	setLastStep(&c.layout, row, max(now, last))
}

// checkRows checks that values has one row for each id, and ids of a static table.
func (t *Table) checkRows(ids tensor.IDs, values *tensor.Values) error {
	if err := t.given(); err != nil {
		return err
	}
	if err := t.floats(); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	if values == nil {
		return fmt.Errorf("table %q: %w: values are nil", t.opt.Name, ErrShape)
	}
	return t.checkBatch(ids, len(values.Data()), values.Shape())
}

// checkBatch checks that n values are one row for each id, and ids of a static table.
func (t *Table) checkBatch(ids tensor.IDs, got int, shape []int) error {
	if err := t.writable(); err != nil {
		return err
	}
	if err := checkIDs(ids); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	if n := ids.Len() * t.opt.Width; got != n {
		return fmt.Errorf("table %q: %w: %d ids of width %d need %d numbers, got %d in shape %v",
			t.opt.Name, ErrShape, ids.Len(), t.opt.Width, n, got, shape)
	}
	if err := t.checkKeys(ids); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return nil
}

// checkKeys reports the first key that the table can never hold: it is told
// before a stripe is written.
func (t *Table) checkKeys(ids tensor.IDs) error {
	if t.opt.Rows == 0 && t.opt.KeyType != tensor.String {
		return nil
	}
	var k keyBatch
	if err := k.set(ids, t.opt.KeyType, t.opt.Rows > 0); err != nil {
		return err
	}
	for i := range k.strs {
		if err := k.storable(i, 0); err != nil {
			return err
		}
	}
	return t.inRange(&k, ids.KeyType())
}

// inRange reports the first id that is no row of a static table.
func (t *Table) inRange(k *keyBatch, kind tensor.KeyType) error {
	if t.opt.Rows == 0 {
		return nil
	}
	for i, id := range k.ints {
		if id >= uint64(t.opt.Rows) {
			return fmt.Errorf("%w: id %s at position %d is not in [0, %d)", ErrOutOfRange, k.format(i, kind), i, t.opt.Rows)
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
// one key are taken in batch order. values has the shape of ids and the width
// after it. What is refused before anything is written is as of Upsert.
func (t *Table) Accumulate(ctx context.Context, ids tensor.IDs, values *tensor.Values, exists []bool) error {
	if err := t.checkRows(ids, values); err != nil {
		return err
	}
	if err := t.checkExists(ids, exists); err != nil {
		return err
	}
	if err := checkFinite("value", values.Data()); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	if t.opt.DType == Float64 {
		return accumulateCells(ctx, t, ids, widened(values.Data()), exists)
	}
	if t.parts != nil && t.storesAdd() {
		return t.accumulateParts(ctx, ids, values.Data(), exists)
	}
	width, now := t.opt.Width, t.tick()
	err := t.eachStripe(ctx, ids, func(p *portion) (err error) {
		for j, i := range p.at {
			if p.rows[j], err = t.accumulate(p.core, &p.keys, j, values.Data()[int(i)*width:][:width], exists[i]); err != nil {
				return err
			}
		}
		t.used(p, now)
		return nil
	})
	if err != nil {
		return err
	}
	return t.settle()
}

// checkExists checks that there is a flag for each id.
func (t *Table) checkExists(ids tensor.IDs, exists []bool) error {
	if len(exists) != ids.Len() {
		return fmt.Errorf("table %q: %w: %d ids need as many exists flags, got %d", t.opt.Name, ErrShape, ids.Len(), len(exists))
	}
	return nil
}

// accumulate returns the row that it wrote, or rowAbsent if it wrote none.
func (t *Table) accumulate(c *core, k *keyBatch, i int, value []float32, existed bool) (uint32, error) {
	r := c.index.get(k, i)
	if (r != rowAbsent) != existed {
		return rowAbsent, nil
	}
	now := t.step.Load()
	if !existed {
		var err error
		if r, err = t.rowFor(c, k, i, now); err != nil {
			return rowAbsent, err
		}
	}
	o := c.open(r)
	if !existed {
		copy(o.row, value)
	} else {
		bringOne(t, c, o.row, now)
		for j, d := range value {
			o.row[j] += d
		}
	}
	clipNorm(t, o.row[:t.opt.Width])
	how := t.byChance(k, i, now)
	if !existed {
		o.round(how)
		follow(&c.layout, o.row)
	}
	o.shut(how)
	return r, nil
}

// Remove takes keys and their rows, with the optimiser's state, out of a
// dynamic table. Keys that it does not hold are ignored. A removed key reads
// as its first values again.
func (t *Table) Remove(ctx context.Context, ids tensor.IDs) error {
	if err := t.checkContext(ctx); err != nil {
		return err
	}
	if t.opt.Rows > 0 {
		return fmt.Errorf("table %q: %w: its rows cannot be removed", t.opt.Name, ErrStatic)
	}
	if t.parts != nil {
		return t.removeParts(ctx, ids)
	}
	return t.eachStripe(ctx, ids, func(p *portion) error {
		for j := range p.at {
			if r := p.core.index.remove(&p.keys, j); r != rowAbsent {
				t.freed.Add(1)
				p.core.forget(t.stripeOf(&p.keys, j, r), r)
				if err := p.core.slab.Free(r); err != nil {
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
	if err := t.writable(); err != nil {
		return err
	}
	if t.parts != nil {
		return t.clearParts(ctx)
	}
	t.lock()
	defer t.unlock()
	if t.core == nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, ErrClosed)
	}
	c, err := t.newCore(t.core.optimizer)
	if err == nil {
		if err = t.fillStatic(c); err != nil {
			c.discard()
		}
	}
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	t.swap(c)
	return nil
}
