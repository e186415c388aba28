package rowan

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/suggest"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Slots returns the state that the table's optimizer keeps beside each row, with
// widths filled in: of Adam "momentum" and "velocity". It is empty without an
// optimizer. [Table.LookupSlot] and [Table.ExportSlot] read a slot by its name,
// or by the optimizer's and its name, "Adam/velocity", which makes sure whose
// state is read.
func (t *Table) Slots() []optim.Slot {
	t.rlock(0)
	defer t.runlock(0)
	if t.core == nil {
		return nil
	}
	slots := slices.Clone(t.core.layout.slots)
	for i := range slots {
		slots[i].Width = slotWidth(slots[i], t.opt.Width)
	}
	return slots
}

// slotAt says where the slot of a name lies in a row.
func (c *core) slotAt(name string) (at rowPart, err error) {
	if c.optimizer == nil {
		return at, fmt.Errorf("%w: the table has no optimizer, and its rows no state", ErrOptions)
	}
	rule, slot := c.optimizer.Updater.Name(), name
	if of, rest, ok := strings.Cut(name, "/"); ok {
		if of != rule {
			return at, fmt.Errorf("%w: the rows' state is of %s, not of %q", ErrOptions, rule, of)
		}
		slot = rest
	}
	var known []string
	at.from = c.layout.width
	for _, s := range c.layout.slots {
		at.width, at.fill, at.weights = slotWidth(s, c.layout.width), float32(s.Init), s.Weights
		if s.Name == slot {
			return at, nil
		}
		at.from += at.width
		known = append(known, s.Name)
	}
	return at, fmt.Errorf("%w: %s keeps %q beside a row%s", ErrOptions, rule, known, suggest.Hint(slot, known))
}

// rowPart is where in a row something lies.
type rowPart struct {
	from, width int
	fill        float32 // what a row that is not there reads as
	weights     bool    // it reads as its first weights
}

// LookupSlot reads a slot of the rows of keys: values has the shape of ids and
// the slot's width after it, of ragged or sparse ids (number of ids, width). A
// key that the table does not hold reads as what a new row starts with, and
// exists says so. Rows of an exact optimizer are caught up. A name that the
// optimizer has no slot of is ErrOptions, an id out of range of a static table
// ErrOutOfRange. Reading changes nothing.
func (t *Table) LookupSlot(ctx context.Context, name string, ids tensor.IDs) (values *tensor.Values, exists []bool, err error) {
	if err := t.checkContext(ctx); err != nil {
		return nil, nil, err
	}
	if values, exists, err = t.lookupSlot(ctx, name, ids); err != nil {
		return nil, nil, fmt.Errorf("table %q: slot %q: %w", t.opt.Name, name, err)
	}
	return values, exists, nil
}

func (t *Table) lookupSlot(ctx context.Context, name string, ids tensor.IDs) (*tensor.Values, []bool, error) {
	var k keyBatch
	err := checkIDs(ids)
	if err == nil {
		err = k.set(ids, t.opt.KeyType, t.opt.Rows > 0)
	}
	if err == nil {
		err = t.inRange(&k, ids.KeyType())
	}
	if err != nil {
		return nil, nil, err
	}
	if t.parts != nil {
		return t.lookupSlotParts(ctx, name, ids, &k)
	}
	k.hashes = make([]uint64, k.len())
	r := slotReader{t: t, name: name, copies: copier{state: true}}
	for from := 0; from == 0 || from < k.len(); from += exportRows {
		part := k.slice(from, min(from+exportRows, k.len()))
		if err := ended(ctx); err != nil {
			return nil, nil, err
		}
		if err := r.read(&part); err != nil {
			return nil, nil, err
		}
	}
	shape := []int{k.len()}
	if isDense(ids) {
		shape = slices.Clone(ids.Shape())
	}
	values, err := tensor.NewValues(r.values, append(shape, r.at.width)...)
	return values, r.exists, err
}

// slotReader reads a slot, a part of the keys at a time.
type slotReader struct {
	t      *Table
	name   string
	at     rowPart
	rows   []uint32
	copies copier
	values []float32
	exists []bool
}

// read appends the slot of keys.
func (r *slotReader) read(keys *keyBatch) (err error) {
	t := r.t
	mask := t.hash(keys)
	t.rlock(mask)
	defer t.runlock(mask)
	if t.core == nil {
		return ErrClosed
	}
	if r.at, err = t.core.slotAt(r.name); err != nil {
		return err
	}
	r.rows = slices.Grow(r.rows[:0], keys.len())[:keys.len()]
	t.core.index.find(keys, r.rows)
	held := slices.DeleteFunc(slices.Clone(r.rows), func(row uint32) bool { return row == rowAbsent })
	stride := r.copies.rows(t, t.core, held)
	next := r.copies.copies
	for i, row := range r.rows {
		r.exists = append(r.exists, row != rowAbsent)
		if row == rowAbsent {
			r.values = append(r.values, slices.Repeat([]float32{r.at.fill}, r.at.width)...)
			if r.at.weights {
				t.initial(r.values[len(r.values)-r.at.width:], t.stream(keys, i))
			}
			continue
		}
		r.values = append(r.values, next[r.at.from:r.at.from+r.at.width]...)
		next = next[stride:]
	}
	return nil
}

// ExportSlot yields a slot of every row in ascending order of the keys, some
// thousands at a time, as [Table.Export] does the weights: Rows.Values are of
// the slot's width. Errors are those of LookupSlot.
func (t *Table) ExportSlot(ctx context.Context, name string) iter.Seq2[*Rows, error] {
	return t.export(ctx, exporter{t: t, slot: name, copies: copier{state: true}})
}
