package rowan

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan/tensor"
)

// fallback is what the empty bags of a lookup are pooled as: one more lookup, of
// a bag that holds the default id alone. The way back merges the gradients of
// both, as it does those of any two lookups.
type fallback struct {
	lookup *Lookup
	empty  []int // the empty bags, ascending
}

func (o *LookupOptions) hasDefault() bool { return o.DefaultID != nil || o.DefaultString != nil }

// check reports options that do not go together.
func (o *LookupOptions) check(t *Table) error {
	isText := t.opt.KeyType == tensor.String
	switch {
	case o.Combiner == None && (o.Prune || o.hasDefault()):
		return fmt.Errorf("%w: DefaultID, DefaultString and Prune say what is in a bag: they need a Combiner", ErrOptions)
	case o.DefaultID != nil && isText, o.DefaultString != nil && !isText:
		return fmt.Errorf("%w: the default id must be of the keys' type, %v: DefaultString for strings, DefaultID for integers", ErrOptions, t.opt.KeyType)
	}
	return nil
}

// fillEmpty writes the row of the default id to the bags that have no id that
// counts.
func (l *Lookup) fillEmpty(ctx context.Context) error {
	f := &l.fallback
	for bag := range l.count() {
		if l.kept(bag) == 0 {
			f.empty = append(f.empty, bag)
		}
	}
	if len(f.empty) == 0 {
		return nil
	}
	ids, err := l.defaultBag()
	if err != nil {
		return err
	}
	if f.lookup == nil {
		f.lookup = new(Lookup)
	}
	f.lookup.cellsOnly = l.cellsOnly
	o := LookupOptions{Combiner: l.opt.Combiner, Training: l.opt.Training}
	if err := l.table.look(ctx, f.lookup, ids, o); err != nil {
		return fmt.Errorf("default id of empty bags: %w", err)
	}
	for _, bag := range f.empty {
		if l.cells != nil {
			l.cells.fill(bag, f.lookup.cells)
		}
		if !l.cellsOnly {
			copy(l.values.Row(bag), f.lookup.values.Data())
		}
	}
	return nil
}

// defaultBag returns a batch of one bag, of the default id.
func (l *Lookup) defaultBag() (tensor.IDs, error) {
	if l.opt.DefaultString != nil {
		return tensor.NewDense([]string{*l.opt.DefaultString}, 1, 1)
	}
	id := *l.opt.DefaultID
	switch l.table.opt.KeyType {
	case tensor.Int32:
		if int64(int32(id)) != id {
			return nil, fmt.Errorf("%w: default id %d is not an int32, as the table's keys are", ErrKeyType, id)
		}
		return tensor.NewDense([]int32{int32(id)}, 1, 1)
	case tensor.Uint64:
		return tensor.NewDense([]uint64{uint64(id)}, 1, 1)
	}
	return tensor.NewDense([]int64{id}, 1, 1)
}

// ofEmpty returns the gradient of the default id's row: those of all bags that
// it stands in, added up in their order.
func (b *backward) ofEmpty(l *Lookup, dout []float32) []float32 {
	width := l.table.opt.Width
	sum := b.buffer(width)
	for _, bag := range l.fallback.empty {
		for d, g := range dout[bag*width : (bag+1)*width] {
			sum[d] += g
		}
	}
	return sum
}

// prune leaves ids out that LookupOptions.Prune says are no ids. keys and rows
// are those of the batch from id from on.
func (l *Lookup) prune(keys *keyBatch, rows []uint32, from int) {
	if l.table.opt.Rows > 0 && l.ids.KeyType() != tensor.Uint64 {
		for i, id := range keys.ints {
			if int64(id) < 0 {
				rows[i] = rowSkip
			}
		}
	}
	weights := l.ids.Weights()
	if weights == nil || l.opt.Combiner == Sum {
		return
	}
	for i := range rows {
		if !(weights[from+i] > 0) {
			rows[i] = rowSkip
		}
	}
}
