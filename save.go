package rowan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rowan-embeddings/rowan/internal/format"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Save writes the table as a table file (docs/format.md): every row's weights
// and optimiser state, in ascending order of the keys, so that equal tables
// give equal bytes. Updates wait until it is written, and so do lookups that
// meet an update which waits. An update that is under way in another goroutine
// may be saved in part: to save one step and no other, save between steps.
func (t *Table) Save(ctx context.Context, w io.Writer) error {
	t.rlock(allStripes)
	defer t.runlock(allStripes)
	if t.core == nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, ErrClosed)
	}
	if err := t.save(ctx, t.core, w); err != nil {
		return fmt.Errorf("save table %q: %w", t.opt.Name, err)
	}
	return nil
}

func (t *Table) save(ctx context.Context, c *core, w io.Writer) error {
	keys := t.sortKeys(c)
	file, err := format.NewTableWriter(w, t.header(c))
	if err != nil {
		return err
	}
	var block format.Block
	rows := make([]uint32, exportRows)
	for from := 0; from < keys.len(); from += exportRows {
		if err := ended(ctx); err != nil {
			return err
		}
		part := keys.slice(from, min(from+exportRows, keys.len()))
		t.hash(&part)
		c.index.find(&part, rows[:part.len()])
		c.fill(&block, &part, rows[:part.len()])
		if err := file.WriteBlock(&block); err != nil {
			return err
		}
	}
	return file.Close()
}

func (t *Table) header(c *core) format.Header {
	h := format.Header{
		Name: t.opt.Name, KeyType: t.opt.KeyType, Width: t.opt.Width, Seed: t.opt.Seed,
		Step: t.step.Load(), HasLast: c.layout.last >= 0, Rows: int64(c.index.len()),
	}
	for _, s := range c.layout.slots {
		h.Slots = append(h.Slots, format.Slot{Name: s.Name, Width: slotWidth(s, t.opt.Width)})
	}
	return h
}

// fill copies rows as they lie, not caught up, into a block of a file.
func (c *core) fill(b *format.Block, keys *keyBatch, rows []uint32) {
	b.Keys, b.Strings = keys.ints, keys.strs
	b.Rows, b.Last = b.Rows[:0], b.Last[:0]
	for _, r := range rows {
		row := c.row(r)
		b.Rows = append(b.Rows, row[:c.layout.state]...)
		if c.layout.last >= 0 {
			b.Last = append(b.Last, c.layout.lastStep(row))
		}
	}
}

// Load replaces everything that the table holds by what a table file holds. The
// file must be of a table of the same key type, width, seed and optimiser
// state, else ErrMismatch. After an error, of a damaged file too, the table is
// as it was.
func (t *Table) Load(ctx context.Context, r io.Reader) error {
	open := func(*Table) (io.ReadCloser, error) { return io.NopCloser(r), nil }
	return LoadTables(ctx, open, t)
}

// loading is a core read from a file and not yet put in its table's place.
type loading struct {
	table *Table
	core  *core // nil once installed or abandoned
	step  int64
}

// read reads a file to its end.
func (t *Table) read(ctx context.Context, r io.Reader) (*loading, error) {
	file, err := format.NewTableReader(bufio.NewReaderSize(r, 1<<16))
	if err != nil {
		return nil, err
	}
	o, err := t.trainer()
	if err != nil {
		return nil, err
	}
	c, err := t.newCore(o)
	if err != nil {
		return nil, err
	}
	if err := t.readRows(ctx, c, file); err != nil {
		c.discard()
		return nil, err
	}
	return &loading{table: t, core: c, step: file.Header().Step}, nil
}

func (l *loading) abandon() {
	if l.core != nil {
		l.core.discard()
		l.core = nil
	}
}

// current reports a table that has changed so that the core no longer fits it.
func (l *loading) current() error {
	l.table.rlock(0)
	defer l.table.runlock(0)
	return l.fits()
}

// fits does current under the locks that the caller holds.
func (l *loading) fits() error {
	switch c := l.table.core; {
	case c == nil:
		return ErrClosed
	case c.optimizer != l.core.optimizer:
		return fmt.Errorf("%w: the optimizer was changed meanwhile", ErrStale)
	}
	return nil
}

// install puts the core in the place of the table's.
func (l *loading) install() error {
	t := l.table
	t.lock()
	defer t.unlock()
	if err := l.fits(); err != nil {
		return err
	}
	t.swap(l.core)
	t.SetStep(l.step)
	l.core = nil
	return nil
}

func (t *Table) readRows(ctx context.Context, c *core, file *format.TableReader) error {
	h := file.Header()
	if err := t.fits(c, h); err != nil {
		return err
	}
	if err := t.fillStatic(c); err != nil {
		return err
	}
	n := 0
	seen := make([]bool, t.opt.Rows) // a static index counts all of its rows from the start
	for {
		if err := ended(ctx); err != nil {
			return err
		}
		b, err := file.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := t.addBlock(c, h, b, seen); err != nil {
			return err
		}
		n += b.Len()
	}
	if c.index.len() != n {
		return fmt.Errorf("%w: %d rows in the file, %d distinct keys", ErrMismatch, n, c.index.len())
	}
	return nil
}

// addBlock adds the rows of a block to a core that nobody else sees yet. seen
// notes those of a static table.
func (t *Table) addBlock(c *core, h format.Header, b *format.Block, seen []bool) error {
	keys := keyBatch{ints: b.Keys, strs: b.Strings, hashes: make([]uint64, b.Len())}
	if h.KeyType == tensor.String && keys.strs == nil {
		keys.strs = []string{}
	}
	t.hash(&keys)
	stride := h.Stride()
	for i := range b.Len() {
		r, err := t.place(c, &keys, i)
		if err != nil {
			return err
		}
		if t.opt.Rows > 0 {
			if seen[r] {
				return fmt.Errorf("%w: the file has row %d more than once, so that another is missing", ErrMismatch, r)
			}
			seen[r] = true
		}
		row := c.row(r)
		copy(row, b.Rows[i*stride:(i+1)*stride])
		if c.layout.last >= 0 && h.HasLast {
			c.layout.setLastStep(row, b.Last[i])
		}
	}
	return nil
}

// place returns the row of a key, a new one if the core does not hold it.
func (t *Table) place(c *core, k *keyBatch, i int) (uint32, error) {
	if r := c.index.get(k, i); r != rowAbsent {
		return r, nil
	}
	if t.opt.Rows > 0 {
		return 0, fmt.Errorf("%w: the file has row %s, the table's rows are 0 to %d",
			ErrMismatch, k.format(i, t.opt.KeyType), t.opt.Rows-1)
	}
	r, err := c.slab.Alloc()
	if err != nil {
		return 0, err
	}
	return r, c.index.put(k, i, r)
}

// fits reports how a file is not one of this table.
func (t *Table) fits(c *core, h format.Header) error {
	want := t.header(c)
	switch {
	case h.KeyType != want.KeyType:
		return fmt.Errorf("%w: the file's keys are %v, the table's %v", ErrMismatch, h.KeyType, want.KeyType)
	case h.Width != want.Width:
		return fmt.Errorf("%w: the file's rows are %d wide, the table's %d", ErrMismatch, h.Width, want.Width)
	case h.HasLast != want.HasLast:
		return fmt.Errorf("%w: whether rows remember their last step: the file %v, the table %v "+
			"(an exact optimizer or a regularizer needs it)", ErrMismatch, h.HasLast, want.HasLast)
	case h.Seed != want.Seed:
		return fmt.Errorf("%w: the file's seed is %d, the table's %d", ErrMismatch, h.Seed, want.Seed)
	case t.opt.Rows > 0 && h.Rows != int64(t.opt.Rows):
		return fmt.Errorf("%w: the file has %d rows, the table %d", ErrMismatch, h.Rows, t.opt.Rows)
	case len(h.Slots) != len(want.Slots):
		return fmt.Errorf("%w: the file has optimizer slots %v, the table %v", ErrMismatch, h.Slots, want.Slots)
	}
	for i, s := range h.Slots {
		if s != want.Slots[i] {
			return fmt.Errorf("%w: the file has optimizer slots %v, the table %v", ErrMismatch, h.Slots, want.Slots)
		}
	}
	return nil
}
