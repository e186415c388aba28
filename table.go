package rowan

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/keymap"
	"github.com/rowan-embeddings/rowan/internal/slab"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// stripes is the number of locks of a table: more than there are cores on the
// machines we know, so that writers seldom meet; as many as a word has bits, so
// that a block's locks are one mask.
const (
	stripes    = 64
	stripeBits = 6
)

// Table is rows of one width, addressed by an id. All its methods are safe for
// concurrent use.
type Table struct {
	opt   TableOptions // but for Optimizer, which core has
	shift uint         // static: row >> shift is the row's stripe
	// byRow and whole tell what opt.Constraint looks at: neither if there is none.
	byRow, whole bool
	packed       Quantization // of a quantized copy; else 0
	first        []byte       // what rows of integers and truth values start with
	rowShape     [2]int       // of a row by itself
	// streams turns keys into what their first values are a function of.
	streams initializer.Streams

	// parts is where the rows are instead of in core, which then has none. Nil:
	// they are in core.
	parts *parts

	// step is the last step that was applied.
	step atomic.Int64
	// freed counts the times that rows were freed. It rises under the lock of
	// the stripe whose rows are freed.
	freed atomic.Uint64
	// clock counts the writes of a table that has a policy: it is the time that
	// the policy goes by.
	clock atomic.Int64
	// evictions counts the times that rows were given up, evicted those rows.
	evictions, evicted atomic.Int64

	// stripes[s] guards the keys of stripe s in core.index and their rows.
	// Who holds several took them in ascending order.
	stripes [stripes]stripe
	// core is read under any one stripe's lock and changed under all of them.
	// It is nil once the table is closed.
	core *core
}

// stripe is one lock on cache lines of its own.
type stripe struct {
	sync.RWMutex
	// penalty is the regularizer's over the stripe's rows if summed is set: see
	// Penalty. The lock guards both.
	penalty fixed
	summed  bool
	_       [128 - 48]byte
}

// NewTable makes a table. A static one has all its rows at once.
func NewTable(o TableOptions) (*Table, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	t := &Table{opt: o.withDefaults(), streams: initializer.TableStream(o.Seed, o.Name)}
	if c := o.Constraint; c != nil {
		t.byRow, t.whole = constraint.ByRow(c), !constraint.ByRow(c)
	}
	t.rowShape = [2]int{1, o.Width}
	optimizer := t.opt.Optimizer
	t.opt.Optimizer = nil
	if !o.DType.isFloat() {
		var err error
		if t.first, err = o.firstCells(); err != nil {
			return nil, fmt.Errorf("table %q: Initializer %w", o.Name, err)
		}
	}
	if o.Rows > 0 {
		t.shift = stripeShift(o.Rows)
	}
	if o.Stores != nil {
		return t.overParts(optimizer)
	}
	core, err := t.newCore(optimizer)
	if err != nil {
		return nil, fmt.Errorf("table %q: %w", o.Name, err)
	}
	if err := t.fillStatic(core); err != nil {
		core.discard()
		return nil, fmt.Errorf("table %q: %w", o.Name, err)
	}
	t.core = core
	return t, nil
}

// stripeShift returns the shift that makes stripes of the rows of a static table.
func stripeShift(rows int) uint { return uint(max(0, bits.Len(uint(rows-1))-stripeBits)) }

func isExact(o *optim.Optimizer) bool {
	return o != nil && o.Exact && o.CatchesUp()
}

// newCore returns an empty core for rows that o trains.
func (t *Table) newCore(o *optim.Optimizer) (*core, error) {
	c := &core{dtype: t.opt.DType, optimizer: o, exact: isExact(o), layout: t.opt.layout(o)}
	rows := t.opt.MaxRows
	if t.opt.Rows > 0 {
		rows = t.opt.Rows
	}
	c.narrow = narrowOf(t.opt.DType, &c.layout)
	if t.opt.DType.isCells() {
		c.layCells(t.opt.DType)
	}
	if t.opt.DType == String {
		rows = min(max(rows, maxRows), maxRows/t.opt.Width) // cells are numbered in 32 bits
	}
	var err error
	if c.slab, err = slab.New(slab.Options{Stride: c.stride(), MaxRows: rows}); err != nil {
		return nil, err
	}
	if t.opt.Restrict.Policy != nil {
		if c.scores, err = newScores(rows); err != nil {
			return nil, errors.Join(err, c.slab.Close())
		}
	}
	if t.opt.DType == String {
		if err = c.openTexts(); err != nil {
			return nil, errors.Join(err, c.closeRows())
		}
	}
	if c.index, err = t.newIndex(); err != nil {
		return nil, errors.Join(err, c.closeRows())
	}
	return c, nil
}

// layout returns the layout of the rows that an optimizer trains.
func (o *TableOptions) layout(trainer *optim.Optimizer) layout {
	return layoutOf(o.Width, trainer, isExact(trainer) || !o.Regularizer.none())
}

// allocStatic hands out the rows of a static table: row numbers are the keys.
func (t *Table) allocStatic(c *core) error {
	n := t.opt.Rows
	rows := make([]uint32, min(n, 1<<16))
	for from := 0; from < n; from += len(rows) {
		rows = rows[:min(len(rows), n-from)]
		if err := c.slab.AllocN(rows); err != nil {
			return err
		}
	}
	return nil
}

// fillStatic gives a static table its rows, with their first values, as of the
// step that the table is at.
func (t *Table) fillStatic(c *core) error {
	if err := t.allocStatic(c); err != nil {
		return err
	}
	n, now := t.opt.Rows, t.step.Load()
	if n == 0 {
		return nil
	}
	start, err := t.starter(c, now)
	if err != nil {
		return err
	}
	var next atomic.Int64
	filler := crew{work: func(int) {
		for {
			from := int(next.Add(blockIDs)) - blockIDs
			if from >= n {
				return
			}
			for r := from; r < min(from+blockIDs, n); r++ {
				start(r)
			}
		}
	}}
	filler.do(t.workers(n))
	return nil
}

// starter returns what gives row r of a static table its first values and state.
func (t *Table) starter(c *core, now int64) (func(r int), error) {
	shape, width := []int{t.opt.Rows, t.opt.Width}, t.opt.Width
	switch {
	case t.opt.DType == Float64:
		initial, err := initializer.Array64(t.opt.Initializer, shape, t.streams, t.opt.Fan)
		return func(r int) {
			row := rowOf[float64](c, uint32(r))
			initial(row[:width], r)
			clipNorm(t, row[:width])
			begin(&c.layout, row, now)
		}, err
	case t.opt.DType.isCells():
		return func(r int) { t.startCells(c, uint32(r), 0, now) }, nil
	}
	initial, err := initializer.Array(t.opt.Initializer, shape, t.streams, t.opt.Fan)
	return func(r int) {
		o := c.open(uint32(r))
		initial(o.row[:width], r)
		clipNorm(t, o.row[:width])
		t.opt.DType.round(o.row[:width])
		begin(&c.layout, o.row, now)
		o.shut(rounding{})
	}, err
}

// Options returns the options of the table, defaults filled in.
func (t *Table) Options() TableOptions {
	o := t.opt
	o.Optimizer = t.optimizer()
	if o.Stores != nil {
		o.Stores = o.Stores.clone()
	}
	return o
}

// optimizer returns the table's optimizer; nil if there is none, or it is closed.
func (t *Table) optimizer() *optim.Optimizer {
	o, _ := t.trainer()
	return o
}

// trainer does optimizer, and reports a closed table.
func (t *Table) trainer() (*optim.Optimizer, error) {
	t.rlock(0)
	defer t.runlock(0)
	if t.core == nil {
		return nil, ErrClosed
	}
	return t.core.optimizer, nil
}

// Name returns the table's name.
func (t *Table) Name() string { return t.opt.Name }

// Width returns the number of weights a row.
func (t *Table) Width() int { return t.opt.Width }

// KeyType returns the type of the table's keys.
func (t *Table) KeyType() tensor.KeyType { return t.opt.KeyType }

// Dynamic reports whether the table grows as keys come.
func (t *Table) Dynamic() bool { return t.opt.Rows == 0 }

// Step returns the number of the last step that was applied.
func (t *Table) Step() int64 { return t.step.Load() }

// SetStep says which step was the last one, for a table that is filled from
// elsewhere in the middle of training. Steps end at 2^32-1 and begin after 0:
// what lies beyond is taken for the end that it passed.
func (t *Table) SetStep(step int64) { t.step.Store(min(max(step, 0), maxStep)) }

// Len returns the number of rows; 0 once the table is closed. Of a table over
// [Stores] it is -1 if they do not answer: see [Table.Count].
func (t *Table) Len() int {
	n, err := t.Count(context.Background())
	if err != nil && t.parts != nil && !errors.Is(err, ErrClosed) {
		return -1
	}
	return n
}

// Count returns the number of rows. Of a table over [Stores] it is what they
// answer.
func (t *Table) Count(ctx context.Context) (int, error) {
	if err := t.checkContext(ctx); err != nil {
		return 0, err
	}
	if t.parts != nil {
		return t.countParts(ctx)
	}
	return t.length()
}

func (t *Table) length() (int, error) {
	t.rlock(allStripes)
	defer t.runlock(allStripes)
	if t.core == nil {
		return 0, fmt.Errorf("table %q: %w", t.opt.Name, ErrClosed)
	}
	return t.core.index.len(), nil
}

// Stats is what a table takes.
type Stats struct {
	Rows int
	// RowBytes is the memory of rows, their state and their scores, IndexBytes
	// that of the key index.
	RowBytes, IndexBytes int64
	// HugePageBytes is how much of the rows the system backs with huge pages now.
	HugePageBytes int64
	// Stride is the bytes from one row to the next: weights, state and padding.
	// Of a table over Stores it is the bytes of a row there, and the other
	// bytes, which the stores know, are 0.
	Stride int
	// WeightBytes is how many of them are weights: those of a quantized row have
	// its scale and offset among them, those of strings, whose text lies elsewhere,
	// none. Weights of stores count as float32.
	WeightBytes int
	// Slots is the optimiser's state beside each row.
	Slots []optim.Slot
	// Evictions is the number of times that the table gave rows up since it was
	// made, Evicted that of the rows.
	Evictions, Evicted int64
	// Parts is the number of row stores; 0 if the rows are in the table's memory.
	Parts int
}

// Stats reports what the table takes at this moment.
func (t *Table) Stats() Stats {
	if t.parts != nil {
		return t.statsParts()
	}
	t.rlock(allStripes)
	defer t.runlock(allStripes)
	c := t.core
	if c == nil {
		return Stats{}
	}
	s := Stats{
		Rows: c.index.len(), RowBytes: c.slab.Bytes(), IndexBytes: c.index.bytes(),
		HugePageBytes: c.slab.HugePages(), Stride: 4 * c.stride(), WeightBytes: c.weightBytes(t.opt.DType), Slots: slices.Clone(c.layout.slots),
		Evictions: t.evictions.Load(), Evicted: t.evicted.Load(),
	}
	if c.scores != nil {
		s.RowBytes += c.scores.slab.Bytes()
	}
	if c.texts != nil {
		s.RowBytes += c.texts.Bytes()
	}
	return s
}

// SetOptimizer gives the table an optimizer: its rows keep their weights and
// start with fresh state, at the step the table is at. nil takes it away.
//
// Before a table over [Stores] is used for the first time it only says what
// state the rows there carry, which is left as it is. Later the rows are
// written anew, one by one, which needs stores of the new width: those that
// Stores.Open opens, in place of the old, or the same where the width stays.
func (t *Table) SetOptimizer(o *optim.Optimizer) error {
	if err := t.writable(); err != nil {
		return err
	}
	if o == nil && !t.opt.DType.isFloat() {
		_, err := t.length() // there is none to be taken away
		return err
	}
	if o != nil {
		if err := o.Validate(); err != nil {
			return fmt.Errorf("%w: table %q: %v", ErrOptions, t.opt.Name, err)
		}
		if err := t.opt.checkConstraint(o); err != nil {
			return fmt.Errorf("%w: table %q: Constraint %v", ErrOptions, t.opt.Name, err)
		}
		o = o.WithDefaults()
		if err := t.trainableBy(o); err != nil {
			return err
		}
	}
	if t.parts != nil {
		return t.setPartsOptimizer(o)
	}
	t.lock()
	defer t.unlock()
	if t.core == nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, ErrClosed)
	}
	core, err := t.newCore(o)
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	if err := t.moveRows(core, t.core); err != nil {
		core.discard()
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	t.swap(core)
	return nil
}

// moveRows copies the weights and the score of every row of one core to another.
// Rows of a table that is exact are caught up first.
func (t *Table) moveRows(to, from *core) error {
	if err := t.allocStatic(to); err != nil {
		return err
	}
	now := t.step.Load()
	return t.each(from, func(k *keyBatch, i int, r uint32) error {
		n, err := t.place(to, k, i)
		if err != nil {
			return err
		}
		if to.scores != nil {
			to.scores.view()[n] = from.scores.view()[r]
		}
		if t.opt.DType == Float64 {
			old, row := rowOf[float64](from, r), rowOf[float64](to, n)
			bringOne(t, from, old, now)
			copy(row, old[:t.opt.Width])
			begin(&to.layout, row, now)
			return nil
		}
		old := from.open(r)
		bringOne(t, from, old.row, now)
		old.shut(t.byChance(k, i, now))
		o := to.open(n)
		from.read(o.row[:t.opt.Width], r)
		begin(&to.layout, o.row, now)
		o.shut(rounding{})
		return nil
	})
}

// trainableBy reports an optimizer that cannot train the table's rows.
func (t *Table) trainableBy(o *optim.Optimizer) error {
	switch {
	case !t.opt.DType.isFloat():
		return fmt.Errorf("%w: table %q: its rows are %v, which are stored and looked up", ErrNotTrainable, t.opt.Name, t.opt.DType)
	case t.opt.DType == Float64:
		if err := o.Supports64(); err != nil {
			return fmt.Errorf("%w: table %q: %v", ErrOptions, t.opt.Name, err)
		}
	}
	return nil
}

// swap puts another core in the place of the table's. All stripes are locked.
func (t *Table) swap(c *core) {
	t.core.discard()
	t.core = c
	t.freed.Add(1)
	t.forgetPenalties()
}

// Close frees the table's memory, and closes the stores that Stores.Open opened.
// It waits for calls that are under way; later ones return ErrClosed. Closing
// again is harmless.
func (t *Table) Close() error {
	if err := t.given(); err != nil {
		return err
	}
	if t.parts != nil {
		return t.closeParts()
	}
	return t.closeCore()
}

func (t *Table) closeCore() error {
	t.lock()
	defer t.unlock()
	if t.core == nil {
		return nil
	}
	err := t.core.close()
	t.core = nil
	return err
}

func (c *core) close() error {
	return errors.Join(c.index.close(), c.closeRows())
}

func (c *core) closeRows() error {
	err := c.slab.Close()
	if c.scores != nil {
		err = errors.Join(err, c.scores.slab.Close())
	}
	if c.texts != nil {
		err = errors.Join(err, c.texts.Close())
	}
	return err
}

// discard closes a core that nobody needs. That the system takes memory back
// fails only if the mapping is not one, and then there is nothing to be done.
func (c *core) discard() { _ = c.close() }

const allStripes = ^uint64(0)

// rlock read-locks the stripes of a mask in ascending order. An empty mask
// takes the first, so that whoever holds locks may read core.
func (t *Table) rlock(mask uint64) {
	if mask == 0 {
		mask = 1
	}
	for ; mask != 0; mask &= mask - 1 {
		t.stripes[bits.TrailingZeros64(mask)].RLock()
	}
}

func (t *Table) runlock(mask uint64) {
	if mask == 0 {
		mask = 1
	}
	for ; mask != 0; mask &= mask - 1 {
		t.stripes[bits.TrailingZeros64(mask)].RUnlock()
	}
}

// lock takes every stripe for writing.
func (t *Table) lock() {
	for i := range t.stripes {
		t.stripes[i].Lock()
	}
}

func (t *Table) unlock() {
	for i := range t.stripes {
		t.stripes[i].Unlock()
	}
}

// hash fills in the hashes of keys and returns the mask of their stripes.
func (t *Table) hash(k *keyBatch) uint64 {
	var mask uint64
	switch {
	case t.opt.Rows > 0:
		last := uint64(t.opt.Rows - 1)
		for _, id := range k.ints {
			mask |= 1 << (min(id, last) >> t.shift)
		}
	case k.strs != nil:
		for i, s := range k.strs {
			h := keymap.HashString(s)
			k.hashes[i] = h
			mask |= 1 << (h >> (64 - stripeBits))
		}
	default:
		for i, id := range k.ints {
			h := keymap.Hash(id)
			k.hashes[i] = h
			mask |= 1 << (h >> (64 - stripeBits))
		}
	}
	return mask
}

// stripeOf returns the stripe of key i of a batch whose row is r.
func (t *Table) stripeOf(k *keyBatch, i int, r uint32) int {
	if t.opt.Rows > 0 {
		return int(r >> t.shift)
	}
	return int(k.hashes[i] >> (64 - stripeBits))
}

// rowFor returns the row of key i of a batch, inserting the key if it is new
// as of the given step. Its stripe is locked.
func (t *Table) rowFor(c *core, k *keyBatch, i int, step int64) (uint32, error) {
	if r := c.index.get(k, i); r != rowAbsent {
		return r, nil
	}
	r, err := c.allocOne()
	if err != nil {
		return 0, err
	}
	t.startRow(c, r, t.stream(k, i), step)
	if err := c.index.put(k, i, r); err != nil {
		return 0, errors.Join(err, c.slab.Free(r))
	}
	if s := &t.stripes[t.stripeOf(k, i, r)]; s.summed {
		s.penalty = s.penalty.plus(t.penaltyOf(c, []uint32{r}))
	}
	return r, nil
}

// given reports a table that is nil.
func (t *Table) given() error {
	if t == nil {
		return fmt.Errorf("%w: the table is nil: make one with NewTable", ErrOptions)
	}
	return nil
}

// checkContext does ended, and names the table, which must be one.
func (t *Table) checkContext(ctx context.Context) error {
	if err := t.given(); err != nil {
		return err
	}
	if err := ended(ctx); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return nil
}

// ended returns the error of a context that has ended, or is none.
func ended(ctx context.Context) error {
	if ctx == nil {
		return fmt.Errorf("%w: the context is nil; pass context.Background()", ErrOptions)
	}
	return ctx.Err()
}
