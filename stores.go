package rowan

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Stores says that the rows of a table live in row stores and not in memory of
// its own. Each store is a part of the table, and each key belongs to one part:
//
//	keys ──> distinct ──> Partitioner ──> part 0: Find ─┐
//	                                      part 1: Find ─┼─> rows of this call ──> pool, or update
//	                                      part 2: Find ─┘   (in memory)               │
//	                                      each part: one Upsert or Accumulate <───────┘
//
// The numbers are those of a table in memory, bit for bit, whatever the number
// of parts; only Increments rounds differently. A lookup costs one Find of each
// part that has keys of it; an update costs one Find and one write. Parts are
// asked at once. A part that fails, fails the call, with its number in the
// error: an update has then written nothing, or not to that part.
//
// Which part a key belongs to is settled by the order of the parts, their
// number and the partitioner: all tables over the same stores must agree on
// them, and on Name, Seed, Initializer, MaxNorm, Optimizer and Regularizer. The
// step is each table's own: a program that goes on with rows which are there
// says by SetStep, or by loading a checkpoint, at which.
type Stores struct {
	// Parts are the stores, opened by the caller, who closes them when no table
	// uses them any more. Their rows are TableOptions.StoreWidth numbers.
	Parts []RowStore

	// Open opens the store of a part, in place of Parts: one for each of URLs.
	// It is called when the table is first used, so that an optimizer which
	// SetOptimizer gives before that counts in the rows' width. What it returns
	// is the table's, which closes it. ctx is that of the call that is first.
	Open func(ctx context.Context, o StoreOptions) (RowStore, error)
	// URLs say where the parts are that Open opens.
	URLs []string

	// Partitioner says which part each key belongs to. Default: [Partition].
	Partitioner Partitioner

	// Increments makes Apply write differences, which the stores add to what
	// they hold then, in place of rows: updates of several workers that share
	// the stores add up, in any order, and none is lost. Weights and optimiser
	// state are added alike. For weights, and sums of squares as Adagrad's, that
	// is what one worker would have done with all the gradients; of state that
	// decays (momentum, Adam's, RMSprop's) it is so as long as the number of
	// workers that write one row at the same time is small beside 1/(1-decay).
	// The sum of what several workers wrote may go beyond MaxNorm and Constraint,
	// which each kept for itself: MaxNorm is kept again when the row is read,
	// Constraint at the next update.
	// Rows must not need their last step: an exact optimizer or a regularizer is
	// ErrOptions. Default: rows are written whole, and the last worker wins, as
	// it always does with Upsert and Load.
	Increments bool
}

// StoreOptions says which store a part of a table needs.
type StoreOptions struct {
	// Table is the table's name.
	Table string
	// Part is the number of the part, of 0 to Parts-1.
	Part, Parts int
	// URL is the part's entry of Stores.URLs.
	URL string
	// KeyType and Width are what RowStore's methods of these names must return.
	KeyType tensor.KeyType
	Width   int
	// Capacity is the number of keys to make room for; 0 if nobody said.
	Capacity int
}

// OpenMemory opens a store in the memory of this process, for a part whose URL
// is "memory:". It is a value for Stores.Open.
func OpenMemory(_ context.Context, o StoreOptions) (RowStore, error) {
	if o.URL != "memory:" {
		return nil, fmt.Errorf(`%w: a store in memory has the URL "memory:", got %q; open others with a driver for them`, ErrOptions, redacted(o.URL))
	}
	return newMemoryStore(o.KeyType, o.Width, o.Capacity)
}

// redacted returns a URL without its password.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(not a URL)"
	}
	return u.Redacted()
}

// StoreWidth returns how many numbers a row has in the stores of a table of
// these options: the weights, the optimizer's state in the order of its slots,
// and where rows need their last step (an exact optimizer, a regularizer) two
// more, its upper and its lower 16 bits, each a whole number that a float32
// holds. It is 0 for options that make no table.
func (o TableOptions) StoreWidth() int {
	o.Stores = nil
	if o.check() != nil {
		return 0
	}
	o = o.withDefaults()
	l := o.layout(o.Optimizer)
	return l.stored()
}

// check reports the first option of stores that does not make sense.
func (s *Stores) check(o *TableOptions) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: table %q: Stores: %s", ErrOptions, o.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case o.Rows > 0:
		return bad("rows of a static table lie in memory; leave Rows 0 or Stores nil")
	case o.MaxRows > 0:
		return bad("MaxRows bounds rows in memory; bound the stores themselves")
	case o.Restrict.Policy != nil:
		return bad("Restrict gives up rows in memory, whose scores lie there; bound the stores themselves")
	case s.Open == nil && len(s.URLs) > 0:
		return bad("URLs need Open, which opens them")
	case s.Open != nil && len(s.URLs) == 0:
		return bad("Open needs URLs, one for each part")
	case len(s.Parts) > 0 && s.Open != nil:
		return bad("give Parts, which are open, or Open, not both")
	case len(s.Parts) == 0 && s.Open == nil:
		return bad("give Parts, or Open and URLs; leave Stores nil for a table in memory")
	case len(s.Parts) > 0 && o.InitialCapacity > 0:
		return bad("InitialCapacity is for stores that Open opens, Parts are open already")
	}
	for i, store := range s.Parts {
		if nils.Is(store) {
			return bad("part %d of 0 to %d is nil", i, len(s.Parts)-1)
		}
		if first := slices.IndexFunc(s.Parts[:i], func(x RowStore) bool { return same(x, store) }); first >= 0 {
			return bad("parts %d and %d are one store: it would be asked twice, and count twice", first, i)
		}
	}
	return nil
}

// same reports whether two stores are one, as far as Go can compare them.
func same(a, b RowStore) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// checkRow reports a row that the stores cannot keep.
func (s *Stores) checkRow(l *layout) error {
	if s.Increments && l.last >= 0 {
		return fmt.Errorf("%w: Stores: Increments cannot add up the last steps of rows; "+
			"use an optimizer that is not Exact and no Regularizer, or leave Increments out", ErrOptions)
	}
	return nil
}

// fits reports a store that cannot hold rows of a table.
func fitsTable(s RowStore, key tensor.KeyType, width int) error {
	if nils.Is(s) {
		return fmt.Errorf("%w: Open returned no store and no error", ErrOptions)
	}
	if s.KeyType() != key {
		return fmt.Errorf("%w: its keys are %v, the table's %v", ErrKeyType, s.KeyType(), key)
	}
	if s.Width() != width {
		return fmt.Errorf("%w: its rows have %d numbers, the table's have %d (weights, optimizer state, last step): "+
			"see TableOptions.StoreWidth, and give the table the optimizer that the rows were stored with", ErrMismatch, s.Width(), width)
	}
	return nil
}

// clone returns stores that the caller's slices do not change.
func (s *Stores) clone() *Stores {
	c := *s
	c.Parts, c.URLs = slices.Clone(s.Parts), slices.Clone(s.URLs)
	return &c
}

// len returns the number of parts.
func (s *Stores) len() int { return max(len(s.Parts), len(s.URLs)) }

// name names a part in errors.
func (s *Stores) name(part int) string {
	if part < len(s.URLs) {
		return fmt.Sprintf("part %d of 0 to %d (%s)", part, s.len()-1, redacted(s.URLs[part]))
	}
	return fmt.Sprintf("part %d of 0 to %d", part, s.len()-1)
}
