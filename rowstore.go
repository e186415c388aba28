package rowan

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// RowStore keeps rows under a table: a row is the weights of a key and the
// optimiser's state behind them, one array of finite numbers to the store (see
// [TableOptions.StoreWidth]). [Stores] puts a table over some. Keys of one call may
// repeat; where that makes a difference, it is said what happens. All methods
// are safe for concurrent use, work on whole batches, and give up when ctx
// ends. A store that cannot answer returns an error: it never takes a row for
// absent that it failed to read.
//
// Every implementation passes internal/tabletest.
type RowStore interface {
	// KeyType returns the type of the keys; other keys are ErrKeyType.
	KeyType() tensor.KeyType
	// Width returns the numbers of a row.
	Width() int
	// Find copies the row of keys[i] to rows[i*Width:] and sets exists[i]; the
	// part of rows that belongs to an absent key is left as it is.
	Find(ctx context.Context, keys tensor.IDs, rows []float32, exists []bool) error
	// Upsert writes rows, inserting the keys that are absent. Of a key that
	// occurs more than once the last row counts.
	Upsert(ctx context.Context, keys tensor.IDs, rows []float32) error
	// Accumulate adds rows[i] to the row of keys[i] if exists[i] and there is
	// one, inserts it if !exists[i] and there is none, and else does nothing.
	// See Table.Accumulate. Occurrences of one key are taken in order.
	Accumulate(ctx context.Context, keys tensor.IDs, rows []float32, exists []bool) error
	// Remove takes keys out. Absent ones are ignored.
	Remove(ctx context.Context, keys tensor.IDs) error
	// Clear takes all keys out.
	Clear(ctx context.Context) error
	// Len returns the number of keys.
	Len(ctx context.Context) (int, error)
	// Export yields all rows, in ascending order of the keys, as Table.Export does.
	Export(ctx context.Context) iter.Seq2[*Rows, error]
	// Close frees what the store holds in this process; later calls return ErrClosed.
	Close() error
}

// memoryStore is the row store in this process's memory: a table without an
// optimizer whose rows are as wide as weights and state together.
type memoryStore struct {
	table   *Table
	lookups *sync.Pool // of *Lookup: their memory is as large as what was found
}

// NewMemoryStore returns a row store in memory, for rows of width numbers.
func NewMemoryStore(key tensor.KeyType, width int) (RowStore, error) {
	return newMemoryStore(key, width, 0)
}

// newMemoryStore does NewMemoryStore, with room for some keys.
func newMemoryStore(key tensor.KeyType, width, capacity int) (RowStore, error) {
	t, err := NewTable(TableOptions{
		Name: "memory", KeyType: key, Width: width, InitialCapacity: capacity,
		Initializer: initializer.Zeros{}, Missing: MissingZeros,
	})
	if err != nil {
		return nil, err
	}
	return memoryStore{t, &sync.Pool{New: func() any { return new(Lookup) }}}, nil
}

func (m memoryStore) KeyType() tensor.KeyType { return m.table.KeyType() }

func (m memoryStore) Width() int { return m.table.Width() }

func (m memoryStore) Find(ctx context.Context, keys tensor.IDs, rows []float32, exists []bool) error {
	l := m.lookups.Get().(*Lookup)
	defer m.lookups.Put(l)
	if err := m.table.LookupInto(ctx, l, keys, LookupOptions{}); err != nil {
		return err
	}
	defer l.forget()
	width := m.Width()
	if len(exists) != keys.Len() || len(rows) != keys.Len()*width {
		return fmt.Errorf("%w: %d keys need %d numbers and as many flags as keys, got %d and %d",
			ErrShape, keys.Len(), keys.Len()*width, len(rows), len(exists))
	}
	for i, r := range l.rows {
		if exists[i] = r < firstSpecial; exists[i] {
			copy(rows[i*width:(i+1)*width], l.Values().Data()[i*width:])
		}
	}
	return nil
}

func (m memoryStore) Upsert(ctx context.Context, keys tensor.IDs, rows []float32) error {
	v, err := m.values(keys, rows)
	if err != nil {
		return err
	}
	return m.table.Upsert(ctx, keys, v)
}

func (m memoryStore) Accumulate(ctx context.Context, keys tensor.IDs, rows []float32, exists []bool) error {
	v, err := m.values(keys, rows)
	if err != nil {
		return err
	}
	return m.table.Accumulate(ctx, keys, v, exists)
}

// values gives rows the shape that the table checks.
func (m memoryStore) values(keys tensor.IDs, rows []float32) (*tensor.Values, error) {
	if err := checkIDs(keys); err != nil {
		return nil, err
	}
	v, err := tensor.NewValues(rows, keys.Len(), m.Width())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrShape, err)
	}
	return v, nil
}

func (m memoryStore) Remove(ctx context.Context, keys tensor.IDs) error {
	return m.table.Remove(ctx, keys)
}

func (m memoryStore) Clear(ctx context.Context) error { return m.table.Clear(ctx) }

func (m memoryStore) Len(ctx context.Context) (int, error) {
	if err := ended(ctx); err != nil {
		return 0, err
	}
	return m.table.length()
}

func (m memoryStore) Export(ctx context.Context) iter.Seq2[*Rows, error] {
	return m.table.Export(ctx)
}

func (m memoryStore) Close() error { return m.table.Close() }
