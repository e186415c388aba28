package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Stream gives the examples of a file in file order without holding it: rows
// in, scores out. Joined files are held. It is safe for concurrent use.
type Stream struct {
	cfg     Config
	joins   []*joined
	options Options
}

var _ Source = (*Stream)(nil)

// NewStream checks cfg and reads the joined files. The file itself is opened by
// each call of Batches; one that can be read only once, such as standard input,
// comes by way of [Config].Open and can be iterated once.
//
// Shuffle and InverseCounts need the whole file, and are ErrConfig.
func NewStream(ctx context.Context, cfg Config, o Options) (*Stream, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Shuffle || len(o.InverseCounts) > 0 {
		return nil, configError("shuffle, inverse_counts", "a stream holds no file, so it can do neither; use Read")
	}
	joins, err := cfg.readJoins(ctx)
	if err != nil {
		return nil, err
	}
	return &Stream{cfg: cfg, joins: joins, options: o}, nil
}

// Steps implements [Source]: a stream does not know.
func (s *Stream) Steps() int { return -1 }

// Batches implements [Source]. To begin at a later position it reads over the
// records before it.
func (s *Stream) Batches(ctx context.Context, from Cursor) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if err := s.run(ctx, from, yield); err != nil {
			yield(nil, err)
		}
	}
}

// run returns the error to yield, nil if the loop has ended otherwise.
func (s *Stream) run(ctx context.Context, from Cursor, yield func(*Batch, error) bool) error {
	if from.Epoch < 0 || from.Position < 0 {
		return fmt.Errorf("%w: %+v is negative", ErrCursor, from)
	}
	w, err := s.open()
	if err != nil {
		return err
	}
	defer w.reader.close() // only read from: closing cannot lose anything
	if err := w.skip(ctx, from); err != nil {
		return err
	}
	for at := from.Position; w.err == nil; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := w.fill(s.options.BatchSize)
		if err != nil {
			return err
		}
		at += int64(b.N)
		b.End = Cursor{Epoch: from.Epoch, Position: at}
		if w.err == io.EOF {
			b.End = Cursor{Epoch: from.Epoch + 1}
		}
		if !yield(b, nil) {
			return nil
		}
	}
	if w.err == io.EOF {
		return nil
	}
	return w.err
}

// window is a frame of the rows of one batch. The records are read one ahead,
// so that the last batch is known to be the last.
type window struct {
	reader *reader
	frame  *Frame
	gather *gatherer
	rows   []uint32
	err    error // why there are no more records, io.EOF at the end

	texts   []byte // the batch's records one after the other
	ends    []int
	records [][]byte
}

func (s *Stream) open() (*window, error) {
	r, err := s.cfg.open(&s.cfg.File)
	if err != nil {
		return nil, err
	}
	f, err := s.cfg.bind(r, s.joins)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	g, err := newGatherer(f, nil, s.options.Histories)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	w := &window{reader: r, frame: f, gather: g}
	w.err = r.records.next()
	return w, nil
}

// skip reads over the records before a cursor.
func (w *window) skip(ctx context.Context, from Cursor) error {
	for n := int64(0); n < from.Position; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if w.err == io.EOF {
			return fmt.Errorf("%w: %+v is behind the end of %s, which has %d records", ErrCursor, from, w.reader.path, n)
		}
		if w.err != nil {
			return w.wrapped()
		}
		w.err = w.reader.records.next()
	}
	return w.wrapped()
}

func (w *window) wrapped() error {
	if w.err == nil || w.err == io.EOF {
		return nil
	}
	return w.reader.wrap("", w.err)
}

// fill makes a batch of the next n records, fewer at the end. A record that
// cannot be split ends the stream with the batch after this one.
func (w *window) fill(n int) (*Batch, error) {
	w.reset()
	for len(w.ends) < n && w.err == nil {
		if err := w.reader.decode(); err != nil {
			return nil, err
		}
		w.texts = append(w.texts, w.reader.records.record...)
		w.ends = append(w.ends, len(w.texts))
		if w.err = w.reader.records.next(); w.err != nil && w.err != io.EOF {
			w.err = w.reader.wrap("", w.err)
		}
	}
	for len(w.rows) < len(w.ends) {
		w.rows = append(w.rows, uint32(len(w.rows)))
	}
	b, err := w.gather.gather(w.rows[:len(w.ends)])
	if err != nil {
		return nil, err
	}
	b.Rows, b.Records = nil, w.cutRecords()
	return b, nil
}

func (w *window) reset() {
	w.texts, w.ends = w.texts[:0], w.ends[:0]
	w.frame.reset()
}

func (w *window) cutRecords() [][]byte {
	w.records = w.records[:0]
	from := 0
	for _, to := range w.ends {
		w.records = append(w.records, w.texts[from:to:to])
		from = to
	}
	return w.records
}

// reset forgets the rows; joined columns keep what was joined.
func (f *Frame) reset() {
	f.rows = 0
	for _, c := range f.columns {
		if c.via == nil {
			c.vector.reset()
		} else {
			*c.via = (*c.via)[:0]
		}
	}
}
