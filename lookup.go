package rowan

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/tensor"
)

// LookupOptions says how a batch is looked up. The zero value reads every
// id's row, for inference.
type LookupOptions struct {
	// Combiner pools the rows of a bag. Default: None.
	Combiner Combiner
	// Training keeps what the backward pass needs, and reads a key that the
	// table does not hold as the values it will be stored with.
	Training bool
	// Feature names the input in errors. Default: the table's name alone.
	Feature string
	// DefaultID is the id that an empty bag is pooled as if it held, alone and of
	// weight 1: one without ids, or whose ids are all left out. It trains that
	// id's row. DefaultString is the same for string keys. They need a Combiner.
	// Default: none, an empty bag is zeros and trains nothing.
	DefaultID     *int64
	DefaultString *string
	// Prune leaves out, as if they were not in their bags, negative ids of a
	// static table (a dynamic one takes any id), and with every combiner but Sum
	// ids whose weight is not positive. It needs a Combiner. Default: they are
	// looked up as others are.
	Prune bool
}

// Lookup is the result of looking a batch up: its values, and for training
// where each id's row is. It refers to the ids that were passed, which must
// not change until its gradients have been applied. A Lookup may be used again
// for another batch with [Table.LookupInto], by one goroutine at a time.
type Lookup struct {
	table *Table
	opt   LookupOptions
	ids   tensor.IDs
	keys  keyBatch
	bags  tensor.Bags
	rows  []uint32  // of each id: a slab row, or one of rowAbsent, rowZero, rowSkip
	div   []float32 // of each bag: the combiner's divisor; Mean and SqrtN only
	// reduction is of the combiners that are given all rows of a bag together.
	reduction reduction
	fallback  fallback
	// cells is what is read where rows are cells, in the place of values; nil if
	// they are not. cellsOnly says that values are not wanted.
	cells     cellValues
	cellsOnly bool
	values    tensor.Values
	shape     []int
	// uses counts the batches that l has been used for, so that gradients
	// which were added for an earlier one are told.
	uses uint64
	// freed is the table's count of freed rows from before the rows were
	// found: while it stands, every row number still means the same key.
	freed uint64

	ctx    context.Context
	crew   crew
	blocks []block
	next   atomic.Int64
	errors firstError
	tools  []*poolTools // a worker's scratch
}

// block is a run of bags that one worker pools under one set of locks; without
// a combiner, a run of ids. It has at most blockIDs ids unless it is one bag.
type block struct{ from, to int }

// blockIDs bounds the ids of a block: what one kernel call may take, and how
// long the locks of a block are held.
const blockIDs = kernel.MaxRows

// blocksPerWorker is the least number of blocks for each worker where there are
// several, so that none waits long for the last one. More would only lock more
// often.
const blocksPerWorker = 2

// Values returns what was looked up: shape(ids) and the width after it, or
// with a combiner the shape without its last dimension and the width after it;
// of ragged or sparse ids without a combiner (number of ids, width), bags as in
// the ids.
// It is valid until l is used again.
func (l *Lookup) Values() *tensor.Values { return &l.values }

// IDs returns the ids that were looked up.
func (l *Lookup) IDs() tensor.IDs { return l.ids }

// Exists reports for each id whether the table held a row for it.
func (l *Lookup) Exists() []bool {
	exists := make([]bool, len(l.rows))
	for i, r := range l.rows {
		exists[i] = r < firstSpecial
	}
	return exists
}

// Lookup looks a batch of ids up. It is safe for concurrent use with every
// other method.
//
// With its options it stands for the lookup functions of TensorFlow Recommenders
// Addons:
//
//	embedding_lookup              no Combiner; return_trainable is Training
//	embedding_lookup_unique       the same, whose result is the same: a row that
//	                              repeats is read from the cache, and updated once
//	embedding_lookup_sparse       a [tensor.Sparse] with or without weights and a
//	                              Combiner, which there is Mean unless said; of more
//	                              than two dimensions by way of its ByRow
//	safe_embedding_lookup_sparse  the same with Prune, and DefaultID if wanted, over
//	                              the last of any number of dimensions
//	their ragged twins            a [tensor.Ragged]
//
// max_norm is TableOptions.MaxNorm. Rows at the end of a batch that have no ids
// are in the result, weights that add up to nothing give zeros and not NaN, and
// no id is read, or trained, that nobody named.
func (t *Table) Lookup(ctx context.Context, ids tensor.IDs, o LookupOptions) (*Lookup, error) {
	l := new(Lookup)
	if err := t.LookupInto(ctx, l, ids, o); err != nil {
		return nil, err
	}
	return l, nil
}

// LookupInto is Lookup with the memory of an earlier one: a steady stream of
// batches allocates nothing. After an error l holds nothing.
func (t *Table) LookupInto(ctx context.Context, l *Lookup, ids tensor.IDs, o LookupOptions) error {
	if err := t.given(); err != nil {
		return err
	}
	if l == nil {
		return fmt.Errorf("%w: table %q: the lookup to fill is nil", ErrStale, t.opt.Name)
	}
	err := t.floats()
	if l.cellsOnly = false; err == nil {
		err = t.look(ctx, l, ids, o)
	}
	if err != nil {
		l.forget()
		return t.lookupError(o, err)
	}
	return nil
}

// look does LookupInto, with errors that do not name the table.
func (t *Table) look(ctx context.Context, l *Lookup, ids tensor.IDs, o LookupOptions) error {
	if err := l.prepare(t, ids, o); err != nil {
		return err
	}
	if t.parts != nil {
		return t.lookParts(ctx, l, ids, o)
	}
	l.ctx = ctx
	workers := t.workers(len(l.rows))
	l.cut(min(blockSize(len(l.rows), workers), l.mostIDs()))
	l.next.Store(0)
	l.errors.reset()
	if len(l.blocks) == 0 {
		// Nothing to pool, but a closed table says so.
		l.blocks = append(l.blocks, block{})
	}
	workers = min(workers, len(l.blocks))
	for len(l.tools) < workers {
		l.tools = append(l.tools, new(poolTools))
	}
	l.crew.do(workers)
	l.ctx = nil
	if err := l.errors.err; err != nil || !o.hasDefault() {
		return err
	}
	return l.fillEmpty(ctx)
}

// forget leaves l without a batch, and with its memory for another.
func (l *Lookup) forget() {
	l.table, l.ids, l.rows = nil, nil, l.rows[:0]
	l.keys.ints, l.keys.strs = nil, nil
	_ = l.values.Reset(0) // as large as any array is
}

func (t *Table) lookupError(o LookupOptions, err error) error {
	if o.Feature != "" {
		return fmt.Errorf("table %q, feature %q: %w", t.opt.Name, o.Feature, err)
	}
	return fmt.Errorf("table %q: %w", t.opt.Name, err)
}

// prepare checks the batch and makes room for its result.
func (l *Lookup) prepare(t *Table, ids tensor.IDs, o LookupOptions) error {
	l.uses++
	if err := checkIDs(ids); err != nil {
		return err
	}
	var err error
	if l.reduction.reducer, err = o.Combiner.reducer(); err != nil {
		return err
	}
	if err := l.prepareCells(t, ids, o); err != nil {
		return err
	}
	if err := o.check(t); err != nil {
		return err
	}
	if err := l.keys.set(ids, t.opt.KeyType, t.opt.Rows > 0); err != nil {
		return err
	}
	if err := l.reshape(t, ids, o); err != nil {
		return err
	}
	if err := checkFinite("weight", ids.Weights()); err != nil {
		return err
	}
	n := l.keys.len()
	if err := l.reduction.prepare(o, ids.Weights(), n*t.opt.Width); err != nil {
		return err
	}
	l.fallback.empty = l.fallback.empty[:0]
	l.rows = slices.Grow(l.rows[:0], n)[:n]
	l.keys.hashes = slices.Grow(l.keys.hashes[:0], n)[:n]
	l.div = l.div[:0]
	if l.cells == nil && (o.Combiner == Mean || o.Combiner == SqrtN) {
		l.div = slices.Grow(l.div, l.count())[:l.count()]
	}
	if l.crew.work == nil {
		l.crew.work = l.work
	}
	l.table, l.opt, l.ids, l.freed = t, o, ids, t.freed.Load()
	if l.cells != nil {
		l.cells.reset(l)
	}
	return nil
}

// reshape gives the values their shape.
func (l *Lookup) reshape(t *Table, ids tensor.IDs, o LookupOptions) error {
	l.bags.Splits = l.bags.Splits[:0]
	if o.Combiner == None {
		l.shape = l.shape[:0]
		if isDense(ids) {
			if len(ids.Shape()) == 0 {
				return fmt.Errorf("%w: ids have no shape; make them with tensor.NewDense", ErrShape)
			}
			l.shape = append(l.shape, ids.Shape()...)
		} else {
			l.shape = append(l.shape, ids.Len())
		}
	} else {
		if err := l.bags.Of(ids); err != nil {
			return err
		}
		l.shape = append(l.shape[:0], l.bags.Outer...)
	}
	l.shape = append(l.shape, t.opt.Width)
	if l.cellsOnly {
		return l.values.Reset(0)
	}
	return l.values.Reset(l.shape...)
}

func isDense(ids tensor.IDs) bool {
	switch ids.(type) {
	case *tensor.Dense[int64], *tensor.Dense[int32], *tensor.Dense[uint64], *tensor.Dense[string]:
		return true
	}
	return false
}

// pooled reports whether bags are pooled; else every id gives a row.
func (l *Lookup) pooled() bool { return l.opt.Combiner != None }

// count returns the number of rows of the result: bags, or ids.
func (l *Lookup) count() int {
	if len(l.bags.Splits) > 0 {
		return len(l.bags.Splits) - 1
	}
	return l.keys.len()
}

// bounds returns which ids block b holds.
func (l *Lookup) bounds(b block) (lo, hi int) {
	if l.pooled() {
		return int(l.bags.Splits[b.from]), int(l.bags.Splits[b.to])
	}
	return b.from, b.to
}

// blockSize returns the number of ids of a block when n are shared out.
func blockSize(n, workers int) int {
	if workers == 1 {
		return blockIDs
	}
	return min(blockIDs, n/(workers*blocksPerWorker)+1)
}

// cut divides the batch into blocks of at most size ids.
func (l *Lookup) cut(size int) {
	l.blocks = l.blocks[:0]
	n := l.count()
	if !l.pooled() {
		for from := 0; from < n; from += size {
			l.blocks = append(l.blocks, block{from, min(from+size, n)})
		}
		return
	}
	for from := 0; from < n; {
		to := from + 1
		for to < n && l.bags.Splits[to+1]-l.bags.Splits[from] <= int64(size) {
			to++
		}
		l.blocks = append(l.blocks, block{from, to})
		from = to
	}
}

// work takes blocks until there are none left.
func (l *Lookup) work(worker int) {
	tools := l.tools[worker]
	for {
		i := int(l.next.Add(1) - 1)
		if i >= len(l.blocks) {
			return
		}
		err := ended(l.ctx)
		if err == nil {
			err = l.poolBlock(tools, l.blocks[i])
		}
		if err != nil {
			l.errors.set(err, i)
			return
		}
	}
}
