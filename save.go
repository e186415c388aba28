package rowan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/format"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Save writes the table as a table file (docs/format.md): every row's weights,
// optimiser state and score, in ascending order of the keys, so that equal tables
// give equal bytes. Updates wait until it is written, and so do lookups that
// meet an update which waits. An update that is under way in another goroutine
// may be saved in part: to save one step and no other, save between steps. Of a
// table over [Stores] all parts go into one file, the same as if the rows had
// been in memory; rows that come or go meanwhile, because other tables use the
// stores, are ErrStale.
func (t *Table) Save(ctx context.Context, w io.Writer) error {
	if err := t.writable(); err != nil {
		return err
	}
	if nils.Is(w) {
		return fmt.Errorf("%w: table %q: the writer to save to is nil", ErrOptions, t.opt.Name)
	}
	if t.parts != nil {
		return t.saveParts(ctx, w)
	}
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
		Name: t.opt.Name, KeyType: t.opt.KeyType, Type: format.Type(c.dtype), Width: t.opt.Width, Seed: t.opt.Seed,
		Step: t.step.Load(), HasLast: c.layout.last >= 0, Rows: int64(c.index.len()),
	}
	if c.scores != nil {
		h.Policy, h.Clock = t.opt.Restrict.Policy.Name(), t.clock.Load()
	}
	for _, s := range c.layout.slots {
		h.Slots = append(h.Slots, format.Slot{Name: s.Name, Width: slotWidth(s, t.opt.Width)})
	}
	return h
}

// fill copies rows as they lie, not caught up, into a block of a file.
func (c *core) fill(b *format.Block, keys *keyBatch, rows []uint32) {
	b.Keys, b.Strings = keys.ints, keys.strs
	b.Rows, b.Last, b.Scores = b.Rows[:0], b.Last[:0], b.Scores[:0]
	if c.dtype.isCells() {
		b.Cells, b.Texts = b.Cells[:0], b.Texts[:0]
		cellForms[c.dtype].save(b, c, rows)
	} else {
		for _, r := range rows {
			o := c.open(r)
			b.Rows = append(b.Rows, o.row[:c.layout.state]...)
			o.leave()
		}
	}
	for _, r := range rows {
		if c.layout.last >= 0 {
			b.Last = append(b.Last, c.lastStep(r))
		}
	}
	if c.scores != nil {
		all := c.scores.view()
		for _, r := range rows {
			b.Scores = append(b.Scores, all[r])
		}
	}
}

// Load replaces everything that the table holds by what a table file holds. The
// file must be of a table of the same key type, width, type of weights, seed,
// optimiser state and policy, else ErrMismatch; but where the table has a policy
// and the file no scores, as before the table had one, each row counts as used
// once, at the file's step. See [Store.WarmStart] for rows of other tables. After an error,
// of a damaged file too, the table is as it was. A table over [Stores] takes a
// file of any number of parts, or of a table in memory; it is read to its end,
// into memory, before a row is written, and only an error of a store leaves some
// of its rows behind.
func (t *Table) Load(ctx context.Context, r io.Reader) error {
	if nils.Is(r) {
		return fmt.Errorf("%w: the reader to load a table from is nil", ErrOptions)
	}
	open := func(*Table) (io.ReadCloser, error) { return io.NopCloser(r), nil }
	return LoadTables(ctx, open, t)
}

// loading is a core read from a file and not yet put in its table's place.
type loading struct {
	table *Table
	take  taking
	core  *core // nil once installed or abandoned
	step  int64
	clock int64
	fresh int64 // the score of rows that come without one
	// until is the step that rows are caught up to before their state is left
	// behind; 0 where they are not.
	until int64
}

// taking says what of a file is taken.
type taking struct {
	// warm takes rows of another table: their first values were others.
	warm bool
	// weights takes weights alone: no state, scores or step.
	weights bool
}

// read reads a file to its end.
func (t *Table) read(ctx context.Context, r io.Reader, take taking) (*loading, error) {
	if err := t.writable(); err != nil {
		return nil, err
	}
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
	l := &loading{table: t, take: take, core: c}
	l.times(file.Header())
	if err := l.readRows(ctx, file); err != nil {
		c.discard()
		return nil, err
	}
	return l, nil
}

// times says when the rows of a file are from: without their state they are new.
func (l *loading) times(h format.Header) {
	t := l.table
	l.step, l.clock = h.Step, h.Clock
	if l.take.weights {
		l.step, l.clock = t.step.Load(), t.clock.Load()
		if l.core.exact && h.HasLast && slices.Equal(h.Slots, t.header(l.core).Slots) {
			l.until = h.Step
		}
	}
	if l.core.scores == nil || h.Policy != "" && !l.take.weights {
		return
	}
	if !l.take.weights {
		l.clock = h.Step
	}
	var one [1]int64
	t.opt.Restrict.Policy.Use(one[:], l.clock)
	l.fresh = one[0]
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
func (l *loading) install(ctx context.Context) error {
	t := l.table
	if t.parts != nil {
		return t.replaceParts(ctx, l)
	}
	t.lock()
	defer t.unlock()
	if err := l.fits(); err != nil {
		return err
	}
	t.swap(l.core)
	t.SetStep(l.step)
	t.clock.Store(l.clock)
	l.core = nil
	return nil
}

func (l *loading) readRows(ctx context.Context, file *format.TableReader) error {
	t, c, h := l.table, l.core, file.Header()
	if err := t.fits(c, h, l.take); err != nil {
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
		if err := l.addBlock(h, b, seen); err != nil {
			return err
		}
		n += b.Len()
	}
	if c.index.len() != n {
		return fmt.Errorf("%w: %d rows in the file, %d distinct keys", ErrMismatch, n, c.index.len())
	}
	return nil
}

// addBlock adds the rows of a block to the core, which nobody else sees yet.
// seen notes those of a static table.
func (l *loading) addBlock(h format.Header, b *format.Block, seen []bool) error {
	t, c := l.table, l.core
	keys := keyBatch{ints: b.Keys, strs: b.Strings, hashes: make([]uint64, b.Len())}
	if h.KeyType == tensor.String && keys.strs == nil {
		keys.strs = []string{}
	}
	t.hash(&keys)
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
		if err := l.fill(h, b, i, r, t.stripeOf(&keys, i, r)); err != nil {
			return fmt.Errorf("the row of key %s: %w", keys.format(i, t.opt.KeyType), err)
		}
	}
	return nil
}

// fill makes row r, which is of a stripe, of row i of a block.
func (l *loading) fill(h format.Header, b *format.Block, i int, r uint32, stripe int) error {
	c := l.core
	if c.dtype.isCells() {
		if err := cellForms[c.dtype].load(l, h, b, i, r, stripe); err != nil {
			return err
		}
	} else {
		numbers, err := numbers32(h, b, i)
		if err == nil {
			err = c.dtype.checkRange("weight", numbers[:h.Width])
		}
		if err != nil {
			return err
		}
		o := c.open(r)
		fillRow(l, o.row, numbers, b, i)
		o.shut(rounding{})
	}
	if c.scores == nil {
		return nil
	}
	score := l.fresh
	if len(b.Scores) > 0 && !l.take.weights {
		score = b.Scores[i]
	}
	c.scores.view()[r] = score
	return nil
}

// fillRow makes an opened row of the numbers of row i of a block.
func fillRow[F optim.Float](l *loading, row, numbers []F, b *format.Block, i int) {
	t, c := l.table, l.core
	if l.until > 0 {
		copy(row, numbers)
		catchUp(t, c, row, only, []int64{b.Last[i]}, l.until)
		numbers = row
	}
	if l.take.weights {
		numbers = numbers[:t.opt.Width]
	}
	copy(row, numbers)
	if l.take.warm {
		clipNorm(t, row[:t.opt.Width])
	}
	switch {
	case l.take.weights:
		begin(&c.layout, row, l.step)
	case c.layout.last >= 0:
		setLastStep(&c.layout, row, b.Last[i])
	}
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
	r, err := c.allocOne()
	if err != nil {
		return 0, err
	}
	return r, c.index.put(k, i, r)
}

// fits reports how a file is not one of this table.
func (t *Table) fits(c *core, h format.Header, take taking) error {
	want := t.header(c)
	switch {
	case h.KeyType != want.KeyType:
		return fmt.Errorf("%w: the file's keys are %v, the table's %v", ErrMismatch, h.KeyType, want.KeyType)
	case h.Width != want.Width:
		return fmt.Errorf("%w: the file's rows are %d wide, the table's %d", ErrMismatch, h.Width, want.Width)
	case h.Type != want.Type && max(h.Type, want.Type) > format.Float64:
		return fmt.Errorf("%w: the file's weights are %v, the table's %v", ErrMismatch, h.Type, want.Type)
	case h.Type != want.Type && !take.warm:
		return fmt.Errorf("%w: the file's weights are %v, the table's %v (Store.WarmStart takes them as the nearest)", ErrMismatch, h.Type, want.Type)
	case t.opt.Rows > 0 && h.Rows != int64(t.opt.Rows):
		return fmt.Errorf("%w: the file has %d rows, the table %d", ErrMismatch, h.Rows, t.opt.Rows)
	case h.Seed != want.Seed && !take.warm:
		return fmt.Errorf("%w: the file's seed is %d, the table's %d", ErrMismatch, h.Seed, want.Seed)
	case take.weights:
		return nil
	case h.Policy != "" && h.Policy != want.Policy:
		return fmt.Errorf("%w: the file's rows have scores of policy %q, the table's policy is %q "+
			"(Store.WarmStart takes rows without their scores)", ErrMismatch, h.Policy, want.Policy)
	case h.HasLast != want.HasLast:
		return fmt.Errorf("%w: whether rows remember their last step: the file %v, the table %v "+
			"(an exact optimizer or a regularizer needs it)", ErrMismatch, h.HasLast, want.HasLast)
	case !slices.Equal(h.Slots, want.Slots):
		return fmt.Errorf("%w: the file has optimizer slots %v, the table %v", ErrMismatch, h.Slots, want.Slots)
	}
	return nil
}
