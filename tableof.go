package rowan

import (
	"context"
	"fmt"
	"iter"

	"github.com/rowan-embeddings/rowan/tensor"
)

// TableOf is a table whose rows hold float64, integers, truth values or strings. It
// is a [Table] with everything that one has, and the methods that read and write
// values are of T:
//
//	             float32 and 16 bits   float64                      integers, bool, string
//	look up      Table                 TableOf; Table, rounded      TableOf, without a Combiner
//	train        Table                 Gradients.AddFloat64; Add    no
//	upsert       Table                 TableOf; Table               TableOf
//	accumulate   Table                 TableOf; Table               TableOf, integers alone
//	export       Table                 TableOf; Table, rounded      TableOf
//
// It is as safe for concurrent use as the table.
type TableOf[T Cell] struct{ *Table }

// NewTableOf makes a table of rows of T. DType may be left out; another is ErrDType.
func NewTableOf[T Cell](o TableOptions) (*TableOf[T], error) {
	if o.DType == Float32 {
		o.DType = dtypeOf[T]()
	}
	if err := sameDType[T](o.Name, o.DType); err != nil {
		return nil, err
	}
	t, err := NewTable(o)
	if err != nil {
		return nil, err
	}
	return &TableOf[T]{t}, nil
}

// AsTableOf returns a table as one of rows of T, which they must be, else ErrDType.
func AsTableOf[T Cell](t *Table) (*TableOf[T], error) {
	if err := checkTables([]*Table{t}); err != nil {
		return nil, err
	}
	if err := sameDType[T](t.opt.Name, t.opt.DType); err != nil {
		return nil, err
	}
	return &TableOf[T]{t}, nil
}

func sameDType[T Cell](name string, d DType) error {
	if want := dtypeOf[T](); d != want {
		return fmt.Errorf("table %q: %w: its rows are %v, not %v", name, ErrDType, d, want)
	}
	return nil
}

// check reports a table that NewTableOf and AsTableOf did not make.
func (t *TableOf[T]) check() error {
	if t == nil || t.Table == nil {
		return fmt.Errorf("%w: the table is nil: make one with NewTableOf", ErrOptions)
	}
	return nil
}

// LookupOf is the result of looking a batch up in a [TableOf], as [Lookup] is of a
// Table.
type LookupOf[T Cell] struct{ Lookup }

// Values returns what was looked up, in the shape of [Lookup.Values]. It is valid
// until l is used again.
func (l *LookupOf[T]) Values() Array[T] {
	switch x := l.cells.(type) {
	case *plainCells[T]:
		return Array[T]{x.out, l.shape}
	case *wideCells:
		return Array[T]{*any(&x.out).(*[]T), l.shape}
	}
	return Array[T]{}
}

// Lookup is [Table.Lookup]. A key that has no row reads as its first values, or as
// TableOptions.Missing says, where zero is T's zero value.
func (t *TableOf[T]) Lookup(ctx context.Context, ids tensor.IDs, o LookupOptions) (*LookupOf[T], error) {
	l := new(LookupOf[T])
	if err := t.LookupInto(ctx, l, ids, o); err != nil {
		return nil, err
	}
	return l, nil
}

// LookupInto is Lookup with the memory of an earlier one. After an error l holds
// nothing.
func (t *TableOf[T]) LookupInto(ctx context.Context, l *LookupOf[T], ids tensor.IDs, o LookupOptions) error {
	if err := t.check(); err != nil {
		return err
	}
	if l == nil {
		return fmt.Errorf("%w: table %q: the lookup to fill is nil", ErrStale, t.opt.Name)
	}
	l.cellsOnly = true
	if err := t.look(ctx, &l.Lookup, ids, o); err != nil {
		l.forget()
		return t.lookupError(o, err)
	}
	return nil
}

// Upsert is [Table.Upsert]. Strings of more than 65,522 bytes are ErrShape, before
// anything is written.
func (t *TableOf[T]) Upsert(ctx context.Context, ids tensor.IDs, values Array[T]) error {
	if err := t.checkValues(ids, values); err != nil {
		return err
	}
	return upsertCells(ctx, t.Table, ids, values.Data)
}

// Accumulate is [Table.Accumulate], of numbers. A sum that T has no room for is
// ErrOutOfRange, which may come after some rows are written.
func (t *TableOf[T]) Accumulate(ctx context.Context, ids tensor.IDs, values Array[T], exists []bool) error {
	if err := t.checkValues(ids, values); err != nil {
		return err
	}
	if d := t.opt.DType; d == Bool || d == String {
		return fmt.Errorf("table %q: %w: rows of %v do not add up: use Upsert", t.opt.Name, ErrDType, d)
	}
	if err := t.checkExists(ids, exists); err != nil {
		return err
	}
	return accumulateCells(ctx, t.Table, ids, values.Data, exists)
}

// checkValues reports what cannot be written.
func (t *TableOf[T]) checkValues(ids tensor.IDs, values Array[T]) error {
	if err := t.check(); err != nil {
		return err
	}
	if err := t.checkBatch(ids, len(values.Data), values.Shape); err != nil {
		return err
	}
	if err := checkCells(values.Data); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return nil
}

// RowsOf is some rows of a [TableOf] with their keys. It is valid until the next.
type RowsOf[T Cell] struct {
	// Keys are the keys, one-dimensional, of the table's key type.
	Keys tensor.IDs
	// Values are the rows, (number of keys, width).
	Values Array[T]
}

// Export is [Table.Export].
func (t *TableOf[T]) Export(ctx context.Context) iter.Seq2[*RowsOf[T], error] {
	return func(yield func(*RowsOf[T], error) bool) {
		if err := t.check(); err != nil {
			yield(nil, err)
			return
		}
		e := exporterOf[T]{t: t.Table}
		err := t.eachPart(ctx, func(keys *keyBatch) (bool, error) {
			if err := e.read(keys); err != nil {
				return false, err
			}
			return e.out.Keys.Len() == 0 || yield(&e.out, nil), nil
		})
		if err != nil {
			yield(nil, fmt.Errorf("table %q: %w", t.opt.Name, err))
		}
	}
}

// exporterOf copies rows out, a part at a time.
type exporterOf[T Cell] struct {
	t     *Table
	out   RowsOf[T]
	found foundRows
	tools cellTools
}

// read copies the rows of keys that the table holds to e.out.
func (e *exporterOf[T]) read(keys *keyBatch) error {
	t, width := e.t, e.t.opt.Width
	mask := t.hash(keys)
	t.rlock(mask)
	defer t.runlock(mask)
	if t.core == nil {
		return ErrClosed
	}
	e.found.of(t.core, keys)
	n := len(e.found.rows)
	e.out.Values = Array[T]{make([]T, n*width), []int{n, width}}
	for i, r := range e.found.rows {
		readCurrent(t, &e.tools, e.out.Values.Data[i*width:(i+1)*width], r)
	}
	ids, err := e.found.keys.ids(t.opt.KeyType)
	e.out.Keys = ids
	return err
}

// readCurrent copies the cells of row r as of now to dst. Its stripe is locked.
func readCurrent[T Cell](t *Table, w *cellTools, dst []T, r uint32) {
	if row, ok := any(&dst).(*[]float64); ok {
		copy(*row, w.caughtUp(t, r))
		return
	}
	readCells(t.core, dst, r)
}
