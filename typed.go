package rowan

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan/tensor"
)

// Typed is a view of a table through Go slices of its key type, for programs
// that handle some rows at a time. It is as safe for concurrent use as the table.
type Typed[K tensor.Key] struct{ table *Table }

// As returns the typed view of a table. K must be the table's key type, else ErrKeyType.
func As[K tensor.Key](t *Table) (Typed[K], error) {
	if err := checkTables([]*Table{t}); err != nil {
		return Typed[K]{}, err
	}
	if got := tensor.KeyTypeOf[K](); got != t.opt.KeyType {
		return Typed[K]{}, fmt.Errorf("table %q: %w: its keys are %v, not %v", t.opt.Name, ErrKeyType, t.opt.KeyType, got)
	}
	return Typed[K]{t}, nil
}

// Table returns the table.
func (t Typed[K]) Table() *Table { return t.table }

// Get returns a copy of the row of each key and whether the table held it; a
// key that it does not hold reads as TableOptions.Missing says.
func (t Typed[K]) Get(ctx context.Context, keys ...K) (rows [][]float32, exists []bool, err error) {
	ids, err := tensor.NewDense(keys)
	if err != nil {
		return nil, nil, err
	}
	l, err := t.table.Lookup(ctx, ids, LookupOptions{})
	if err != nil {
		return nil, nil, err
	}
	rows = make([][]float32, len(keys))
	width := t.table.Width()
	for i := range rows {
		rows[i] = l.Values().Data()[i*width : (i+1)*width : (i+1)*width]
	}
	return rows, l.Exists(), nil
}

// Set writes the row of one key.
func (t Typed[K]) Set(ctx context.Context, key K, row ...float32) error {
	ids, err := tensor.NewDense([]K{key})
	if err != nil {
		return err
	}
	if len(row) != t.table.Width() {
		return fmt.Errorf("table %q: %w: a row has %d numbers, got %d", t.table.Name(), ErrShape, t.table.Width(), len(row))
	}
	values, err := tensor.NewValues(row, 1, len(row))
	if err != nil {
		return err
	}
	return t.table.Upsert(ctx, ids, values)
}

// Delete removes keys. Those that the table does not hold are ignored.
func (t Typed[K]) Delete(ctx context.Context, keys ...K) error {
	ids, err := tensor.NewDense(keys)
	if err != nil {
		return err
	}
	return t.table.Remove(ctx, ids)
}

// Each calls f for every key in ascending order with its row, which is valid
// until f returns. It ends with the first error, of f too; see [Table.Export].
func (t Typed[K]) Each(ctx context.Context, f func(key K, row []float32) error) error {
	width := t.table.Width()
	for part, err := range t.table.Export(ctx) {
		if err != nil {
			return err
		}
		for i, key := range part.Keys.(*tensor.Dense[K]).Values() {
			if err := f(key, part.Values.Data()[i*width:(i+1)*width]); err != nil {
				return err
			}
		}
	}
	return nil
}
