package rowan

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Rows is some rows of a table with their keys. It is valid until the next.
type Rows struct {
	// Keys are the keys, one-dimensional, of the table's key type.
	Keys tensor.IDs
	// Values are the weights, (number of keys, width).
	Values *tensor.Values
}

// exportRows is the number of rows that Export and Save handle at a time.
const exportRows = 4096

// Export yields the rows of the table in ascending order of their keys, some
// thousands at a time. Rows of an exact optimizer are caught up. The keys are
// those at the start; a row that is updated while the export goes on comes as
// it is when it is reached, one that is removed is left out. The caller may use
// the table between two yields, for writing too.
func (t *Table) Export(ctx context.Context) iter.Seq2[*Rows, error] {
	return t.export(ctx, exporter{t: t})
}

// export yields what e reads.
func (t *Table) export(ctx context.Context, e exporter) iter.Seq2[*Rows, error] {
	if err := t.given(); err != nil {
		return func(yield func(*Rows, error) bool) { yield(nil, err) }
	}
	if t.parts != nil {
		return t.exportParts(ctx, e)
	}
	return func(yield func(*Rows, error) bool) {
		e := e // its memory is of this loop over the rows
		err := t.floats()
		if err == nil {
			err = t.eachPart(ctx, func(keys *keyBatch) (bool, error) {
				if err := e.read(keys); err != nil {
					return false, err
				}
				return e.out.Keys.Len() == 0 || yield(&e.out, nil), nil
			})
		}
		if err != nil {
			yield(nil, fmt.Errorf("table %q: %w", t.opt.Name, err))
		}
	}
}

// eachPart calls f for the keys of the table in ascending order, some thousands at
// a time and at least once, until it says that there is enough.
func (t *Table) eachPart(ctx context.Context, f func(keys *keyBatch) (more bool, err error)) error {
	keys, err := t.sortedKeys()
	if err != nil {
		return err
	}
	for from, more := 0, true; more && (from == 0 || from < keys.len()); from += exportRows {
		part := keys.slice(from, min(from+exportRows, keys.len()))
		if err := ended(ctx); err != nil {
			return err
		}
		if more, err = f(&part); err != nil {
			return err
		}
	}
	return nil
}

// exporter copies rows out, a part at a time.
type exporter struct {
	t      *Table
	slot   string // what to copy, if copies have the state; else the weights
	out    Rows
	found  foundRows
	copies copier
	values tensor.Values
}

// read copies the rows of keys that the table holds to e.out.
func (e *exporter) read(keys *keyBatch) error {
	t := e.t
	mask := t.hash(keys)
	t.rlock(mask)
	defer t.runlock(mask)
	if t.core == nil {
		return ErrClosed
	}
	e.found.of(t.core, keys)
	rows := e.found.rows
	stride := e.copies.rows(t, t.core, rows)
	at := rowPart{width: t.opt.Width}
	if e.copies.state {
		var err error
		if at, err = t.core.slotAt(e.slot); err != nil {
			return fmt.Errorf("slot %q: %w", e.slot, err)
		}
	}
	if err := e.values.Reset(len(rows), at.width); err != nil {
		return err
	}
	for i := range rows {
		copy(e.values.Data()[i*at.width:(i+1)*at.width], e.copies.copies[i*stride+at.from:])
	}
	ids, err := e.found.keys.ids(t.opt.KeyType)
	e.out = Rows{Keys: ids, Values: &e.values}
	return err
}

// foundRows is keys that a core holds, and their rows.
type foundRows struct {
	keys keyBatch
	rows []uint32
}

// of finds the rows of keys, and leaves out those that have none any more.
func (f *foundRows) of(c *core, keys *keyBatch) {
	f.rows = slices.Grow(f.rows[:0], keys.len())[:keys.len()]
	c.index.find(keys, f.rows)
	f.keys.ints, f.keys.strs = f.keys.ints[:0], f.keys.strs[:0]
	n := 0
	for i, r := range f.rows {
		if r == rowAbsent {
			continue
		}
		f.rows[n] = r
		n++
		if keys.strs != nil {
			f.keys.strs = append(f.keys.strs, keys.strs[i])
		} else {
			f.keys.ints = append(f.keys.ints, keys.ints[i])
		}
	}
	f.rows = f.rows[:n]
}

// ids returns the keys as a one-dimensional batch of the given type.
func (k *keyBatch) ids(t tensor.KeyType) (tensor.IDs, error) {
	switch t {
	case tensor.String:
		return tensor.NewDense(slices.Clone(k.strs))
	case tensor.Uint64:
		return tensor.NewDense(slices.Clone(k.ints))
	case tensor.Int32:
		ids := make([]int32, len(k.ints))
		for i, x := range k.ints {
			ids[i] = int32(x)
		}
		return tensor.NewDense(ids)
	}
	ids := make([]int64, len(k.ints))
	for i, x := range k.ints {
		ids[i] = int64(x)
	}
	return tensor.NewDense(ids)
}

// sortedKeys returns the keys of the table in ascending order, with room for hashes.
func (t *Table) sortedKeys() (*keyBatch, error) {
	t.rlock(allStripes)
	defer t.runlock(allStripes)
	if t.core == nil {
		return nil, ErrClosed
	}
	return t.sortKeys(t.core), nil
}

// sortKeys does sortedKeys under the locks that the caller holds.
func (t *Table) sortKeys(c *core) *keyBatch {
	var all keyRows
	if t.opt.KeyType == tensor.String && t.opt.Rows == 0 {
		all.keys.strs = []string{}
	}
	for s := range stripes {
		c.index.stripe(s, &all)
	}
	k := &all.keys
	k.hashes = make([]uint64, k.len())
	if k.strs != nil {
		slices.Sort(k.strs)
		return k
	}
	sign := t.signBit()
	for i := range k.ints {
		k.ints[i] ^= sign
	}
	kernel.RadixSort(k.ints, k.hashes, 0, 64)
	for i := range k.ints {
		k.ints[i] ^= sign
	}
	return k
}

// each calls f for every key of a core and its row. All stripes are locked.
func (t *Table) each(c *core, f func(k *keyBatch, i int, row uint32) error) error {
	var some keyRows
	for s := range stripes {
		some.reset()
		if t.opt.KeyType == tensor.String && some.keys.strs == nil {
			some.keys.strs = []string{}
		}
		c.index.stripe(s, &some)
		n := len(some.rows)
		some.keys.hashes = slices.Grow(some.keys.hashes[:0], n)[:n]
		t.hash(&some.keys)
		for i, r := range some.rows {
			if err := f(&some.keys, i, r); err != nil {
				return err
			}
		}
	}
	return nil
}
