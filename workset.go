package rowan

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/rowan-embeddings/rowan/tensor"
)

// workset is the rows that one call to a table over stores needs: a table in
// memory that holds them and no others, on which the call is made as on any
// table, so that what it computes is the same. It belongs to one call at a time.
//
//	gather   the distinct keys of the call, each with a row
//	fetch    what the stores have; keys that they do not have lose their row
//	…        the call
//	write    the rows of the keys that have one now
type workset struct {
	memory *Table // holds the rows
	of     *Table // the table over stores
	keys   keyBatch
	rows   []uint32 // of each key, as it was gathered
	route  *route
	// In the order of the route, the keys of a part together:
	stored []float32 // what the stores have
	exists []bool    // whether they have
	now    []uint32  // the row of each key when it is written
	out    []float32 // what is written
}

// maxIdleRows bounds the rows whose memory is kept for the next call: those of
// a large batch, 16 MiB of rows of 256 bytes.
const maxIdleRows = 1 << 16

// workset returns an empty one with room for n keys, used before if there is
// one. The stores are in use.
func (t *Table) workset(n int) (*workset, error) {
	w := t.parts.takeIdle(n)
	if w == nil {
		var err error
		if w, err = t.newWorkset(n); err != nil {
			return nil, err
		}
	}
	w.memory.step.Store(t.step.Load())
	w.memory.core.optimizer = t.optimizer() // whose rate may be another than it was
	return w, nil
}

func (t *Table) newWorkset(n int) (*workset, error) {
	m := &Table{opt: t.opt, streams: t.streams, byRow: t.byRow, rowShape: t.rowShape}
	m.opt.Stores, m.opt.InitialCapacity = nil, 0
	m.opt.MaxRows = min(1<<bits.Len(uint(max(n, 1)-1)), maxRows)
	var err error
	if m.core, err = m.newCore(t.optimizer()); err != nil {
		return nil, err
	}
	return &workset{memory: m, of: t}, nil
}

// release ends the call that w was for. The stores are in use still.
func (w *workset) release() {
	if w.empty() != nil || !w.of.parts.keepIdle(w) {
		w.memory.core.discard()
	}
}

// empty takes the keys and rows out.
func (w *workset) empty() error {
	c := w.memory.core
	w.rows = w.rows[:0]
	for i := range w.keys.len() {
		if r := c.index.remove(&w.keys, i); r != rowAbsent {
			w.rows = append(w.rows, r)
		}
	}
	err := c.slab.Free(w.rows...)
	clear(w.keys.strs) // they are the caller's
	w.rows, w.route = w.rows[:0], nil
	w.keys.ints, w.keys.strs, w.keys.hashes = w.keys.ints[:0], w.keys.strs[:0], w.keys.hashes[:0]
	if c.index.len() > 0 {
		return fmt.Errorf("rowan: %d rows that no call asked for", c.index.len())
	}
	return err
}

// gather adds the keys of a batch that wanted says yes to, each once. Keys that
// no table can store are left out.
func (w *workset) gather(k *keyBatch, wanted func(i int) bool) error {
	c, own := w.memory.core, *k
	own.hashes = slices.Grow(w.keys.buffer[:0], k.len())[:k.len()]
	w.keys.buffer = own.hashes
	w.memory.hash(&own)
	if own.strs != nil && w.keys.strs == nil {
		w.keys.strs = []string{}
	}
	for i := range k.len() {
		if !wanted(i) || own.storable(i, 0) != nil || c.index.get(&own, i) != rowAbsent {
			continue
		}
		r, err := c.allocOne()
		if err != nil {
			return err
		}
		if err := c.index.put(&own, i, r); err != nil {
			return err
		}
		w.rows = append(w.rows, r)
		w.keys.hashes = append(w.keys.hashes, own.hashes[i])
		if own.strs != nil {
			w.keys.strs = append(w.keys.strs, own.strs[i])
		} else {
			w.keys.ints = append(w.keys.ints, own.ints[i])
		}
	}
	return nil
}

func always(int) bool { return true }

// fetch reads the rows of the gathered keys.
func (w *workset) fetch(ctx context.Context) (err error) {
	p, n, width := w.of.parts, w.keys.len(), w.memory.core.layout.stored()
	if w.route, err = p.divide(&w.keys, w.memory.opt.KeyType); err != nil {
		return err
	}
	w.stored = slices.Grow(w.stored[:0], n*width)[:n*width]
	w.exists = slices.Grow(w.exists[:0], n)[:n]
	clear(w.exists)
	err = p.each(ctx, w.route.parts, func(ctx context.Context, part int, s RowStore) error {
		from, to := w.route.bounds(part)
		return s.Find(ctx, w.route.ids[part], w.stored[from*width:to*width], w.exists[from:to])
	})
	if err != nil {
		return err
	}
	return w.settle()
}

// settle puts the rows that were read where their keys say.
func (w *workset) settle() error {
	c, width := w.memory.core, w.memory.core.layout.stored()
	for j, i := range w.route.order {
		r := w.rows[i]
		if !w.exists[j] {
			c.index.remove(&w.keys, int(i))
			if err := c.slab.Free(r); err != nil {
				return err
			}
			continue
		}
		if err := w.of.unpack(&c.layout, c.row(r), w.stored[j*width:][:width]); err != nil {
			return fmt.Errorf("key %s: %w", w.keys.format(int(i), w.memory.opt.KeyType), err)
		}
	}
	return nil
}

// write writes the rows of the gathered keys that have one.
func (w *workset) write(ctx context.Context) error {
	if err := w.ready(); err != nil {
		return err
	}
	return w.of.parts.each(ctx, w.route.parts, func(ctx context.Context, part int, s RowStore) error {
		c, width := w.memory.core, w.memory.core.layout.stored()
		from, to := w.route.bounds(part)
		var at []uint32 // which of the route have a row
		out := w.out[from*width : from*width : to*width]
		for j := from; j < to; j++ {
			if r := w.now[j]; r != rowAbsent {
				at, out = append(at, uint32(j)), c.layout.pack(out, c.row(r))
			}
		}
		ids, err := w.picked(part, at)
		if err != nil || len(at) == 0 {
			return err
		}
		return s.Upsert(ctx, ids, out)
	})
}

// add adds to the stores what the rows have become different by. A key that had
// no row is inserted with its first values, unless another worker did so
// meanwhile, and then the difference is added like the others: first values are
// the same for all workers, so that both have their say.
func (w *workset) add(ctx context.Context) error {
	if err := w.ready(); err != nil {
		return err
	}
	return w.of.parts.each(ctx, w.route.parts, func(ctx context.Context, part int, s RowStore) error {
		m, l, width := w.memory, &w.memory.core.layout, w.memory.core.layout.stored()
		from, to := w.route.bounds(part)
		var at []uint32 // which of the route, new ones twice
		var exists []bool
		var out []float32
		first := make([]float32, l.stride)
		for j := from; j < to; j++ {
			if w.now[j] == rowAbsent {
				continue
			}
			before := w.stored[j*width:][:width]
			if !w.exists[j] {
				m.start(l, first, m.stream(&w.keys, int(w.route.order[j])), 0)
				l.pack(before[:0], first)
				at, exists, out = append(at, uint32(j)), append(exists, false), append(out, before...)
			}
			n := len(out)
			at, exists, out = append(at, uint32(j)), append(exists, true), l.pack(out, m.core.row(w.now[j]))
			for x, b := range before {
				out[n+x] -= b
			}
		}
		ids, err := w.picked(part, at)
		if err != nil || len(at) == 0 {
			return err
		}
		return s.Accumulate(ctx, ids, out, exists)
	})
}

// ready finds the rows that are to be written, and reports the first that holds
// a number which is none.
func (w *workset) ready() error {
	c, n := w.memory.core, w.keys.len()
	w.rows = slices.Grow(w.rows[:0], n)[:n]
	c.index.find(&w.keys, w.rows)
	w.now = w.now[:0]
	for _, i := range w.route.order {
		r := w.rows[i]
		if w.now = append(w.now, r); r == rowAbsent {
			continue
		}
		if err := checkFinite("number", c.row(r)[:c.layout.state]); err != nil {
			return fmt.Errorf("the row of key %s: %w", w.keys.format(int(i), w.memory.opt.KeyType), err)
		}
	}
	width := c.layout.stored()
	w.out = slices.Grow(w.out[:0], n*width)[:n*width]
	return nil
}

// picked returns some keys of a part: at are which of the route.
func (w *workset) picked(part int, at []uint32) (tensor.IDs, error) {
	if from, to := w.route.bounds(part); len(at) == to-from && !repeats(at) {
		return w.route.ids[part], nil
	}
	some := make([]uint32, len(at))
	for j, x := range at {
		some[j] = w.route.order[x]
	}
	keys := w.keys.pick(some)
	return keys.ids(w.memory.opt.KeyType)
}

// repeats reports whether an ascending list has a number twice.
func repeats(at []uint32) bool { return len(slices.Compact(slices.Clone(at))) < len(at) }

// stored returns how many numbers a row has in a store.
func (l *layout) stored() int {
	if l.last >= 0 {
		return l.state + 2
	}
	return l.state
}

// pack appends a row as stores have it: weights and state, and if it is kept
// the last step in two halves. The bits of a step would be no number that a
// store could be asked to keep.
func (l *layout) pack(dst, row []float32) []float32 {
	dst = append(dst, row[:l.state]...)
	if l.last >= 0 {
		last := uint32(lastStep(l, row))
		dst = append(dst, float32(last>>16), float32(last&math.MaxUint16))
	}
	return dst
}

// unpack is the inverse of pack. Rows that increments have carried over the
// table's bound on norms are brought back.
func (t *Table) unpack(l *layout, row, stored []float32) error {
	copy(row, stored[:l.state])
	if l.last >= 0 {
		hi, lo := stored[l.state], stored[l.state+1]
		if !isHalf(hi) || !isHalf(lo) {
			return fmt.Errorf("%w: its last step is stored as (%v, %v), no two whole numbers of 16 bits", ErrMismatch, hi, lo)
		}
		setLastStep(l, row, int64(uint32(hi)<<16|uint32(lo)))
	}
	if t.opt.Stores.Increments {
		clipNorm(t, row[:l.width])
	}
	return nil
}

func isHalf(x float32) bool { return x >= 0 && x <= math.MaxUint16 && x == float32(uint32(x)) }
