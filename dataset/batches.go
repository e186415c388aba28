package dataset

import (
	"context"
	"fmt"
	"iter"
)

// rowSource gives some rows of a frame, epoch after epoch.
type rowSource struct {
	frame   *Frame
	rows    []uint32
	options Options
	inverse map[string][]float32 // by column, 1/count of each id of its vector
}

// Source returns batches of the rows, which it keeps and which must not change.
// Nil rows are all of them. In each epoch every row comes once.
func (f *Frame) Source(rows []uint32, o Options) (Source, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if rows == nil {
		rows = f.All()
	}
	if err := f.check(rows); err != nil {
		return nil, err
	}
	s := &rowSource{frame: f, rows: rows, options: o, inverse: map[string][]float32{}}
	for _, name := range o.InverseCounts {
		c, err := f.named(name, ID, IDs)
		if err != nil {
			return nil, fmt.Errorf("inverse counts: %w", err)
		}
		s.inverse[name] = c.inverseCounts(rows)
	}
	return s, nil
}

// Steps implements [Source].
func (s *rowSource) Steps() int {
	return (len(s.rows) + s.options.BatchSize - 1) / s.options.BatchSize
}

// Batches implements [Source].
func (s *rowSource) Batches(ctx context.Context, from Cursor) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if err := from.check(len(s.rows)); err != nil {
			yield(nil, err)
			return
		}
		g, err := newGatherer(s.frame, s.inverse, s.options.Histories)
		if err != nil {
			yield(nil, err)
			return
		}
		order := s.order(from.Epoch)
		var rows []uint32
		for at := int(from.Position); at < len(s.rows); at += len(rows) {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			rows = rows[:0]
			for i := at; i < min(at+s.options.BatchSize, len(s.rows)); i++ {
				rows = append(rows, s.rows[order(i)])
			}
			b, err := g.gather(rows)
			if err == nil {
				b.End = from.after(at+len(rows), len(s.rows))
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// order returns the order of an epoch.
func (s *rowSource) order(epoch int64) func(int) uint32 {
	if !s.options.Shuffle {
		return func(i int) uint32 { return uint32(i) }
	}
	return newPermutation(len(s.rows), s.options.Seed, uint64(epoch)).at
}

// check says whether c is a place in epochs of n examples.
func (c Cursor) check(n int) error {
	if c.Epoch < 0 || c.Position < 0 || c.Position > 0 && c.Position >= int64(n) {
		return fmt.Errorf("%w: %+v is outside epochs of %d examples; was it saved with other data?", ErrCursor, c, n)
	}
	return nil
}

// after returns the cursor behind the first at of n examples of c's epoch.
func (c Cursor) after(at, n int) Cursor {
	if at == n {
		return Cursor{Epoch: c.Epoch + 1}
	}
	return Cursor{Epoch: c.Epoch, Position: int64(at)}
}
