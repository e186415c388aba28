package rowan

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/tensor"
)

// RestrictPolicy says which rows a table gives up first, by a score that each
// row carries: those with the lowest scores go first, of equal scores those with
// the lowest keys. [TimestampPolicy] and [FrequencyPolicy] are two; a type of
// one's own is another:
//
//	a step updates rows 3, 7 ──> Use({score of 3, score of 7}, now) ──> new scores
//
// What is evicted is the same whatever the threads, stripes and row numbers,
// and after a training was stopped and taken up again.
type RestrictPolicy interface {
	// Name names the policy in files, which refuse to be loaded under another,
	// and in errors: not empty, at most 1,024 bytes of UTF-8.
	Name() string
	// Use gives rows that have just been used their new scores, in place, each
	// as a function of its old score and now. A row that was never used has
	// score 0. now counts the table's writes: each Apply, Upsert, Accumulate and
	// Touch is one, and it never goes back, not where the steps of a new
	// training begin anew either. A row may come twice in a call, with its old
	// score both times. Use is called by several goroutines at once.
	Use(scores []int64, now int64)
}

// TimestampPolicy gives up the rows first that were written the longest ago, as
// TimestampRestrictPolicy of TensorFlow Recommenders Addons. Time is the count of
// the table's writes and not seconds on a clock, so that a training that runs
// again, faster or slower, evicts the same rows.
type TimestampPolicy struct{}

// Name implements [RestrictPolicy].
func (TimestampPolicy) Name() string { return "timestamp" }

// Use implements [RestrictPolicy].
func (TimestampPolicy) Use(scores []int64, now int64) {
	for i := range scores {
		scores[i] = now
	}
}

// FrequencyPolicy gives up the rows first that were written the least often, as
// FrequencyRestrictPolicy of TensorFlow Recommenders Addons: a step counts once
// for a row, however often its key occurs in it.
type FrequencyPolicy struct{}

// Name implements [RestrictPolicy].
func (FrequencyPolicy) Name() string { return "frequency" }

// Use implements [RestrictPolicy].
func (FrequencyPolicy) Use(scores []int64, _ int64) {
	for i := range scores {
		scores[i]++
	}
}

// Restrict says how a dynamic table gives rows up. The zero value gives up none.
//
// A row is used when it is written: by a step of training, by Upsert, or by
// Accumulate where that changes it. Reading is no use, as everywhere in a table
// reads change nothing; [Table.Touch] says that rows were used where a program
// wants them to count.
type Restrict struct {
	// Policy says which rows go first. Default: none; the table keeps no scores.
	Policy RestrictPolicy
	// Keep is the number of rows that are left when the table gives rows up by
	// itself: at the end of every Apply, Upsert and Accumulate after which it
	// has more than Trigger. Load gives up nothing; the next write does.
	// Default 0: rows go only by Table.Restrict.
	Keep int
	// Trigger is the number of rows that the table may have before it gives any
	// up, at least Keep. An eviction reads the scores of the whole table, so
	// that room between Keep and Trigger, a tenth of Keep say, shares its cost
	// out among many steps. Default: Keep.
	Trigger int
	// Evicted is told of every eviction that took rows, on call and automatic,
	// after they have gone and before the call returns; those of a Collection,
	// which updates its tables at once, by several goroutines. It may use the
	// table; to write in it may evict, and call it, again. Default: none; Stats
	// counts in any case.
	Evicted func(Eviction)
}

// trigger returns the number of rows above which the table gives some up.
func (r *Restrict) trigger() int { return max(r.Keep, r.Trigger) }

// Eviction is rows that a table gave up together.
type Eviction struct {
	// Table is the table's name, Step the last step that it had applied.
	Table string
	Step  int64
	// Keys are the keys of the rows, one-dimensional, of the table's key type,
	// in the order that they were given up in: ascending scores, of equal
	// scores ascending keys.
	Keys tensor.IDs
	// Scores are the scores that the rows had.
	Scores []int64
	// Left is the number of rows that were left.
	Left int
}

// Validate reports the first field that no table takes, as ErrOptions.
func (r Restrict) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: Restrict.%s", ErrOptions, fmt.Sprintf(format, args...))
	}
	switch {
	case r.Policy == nil && (r.Keep != 0 || r.Trigger != 0 || r.Evicted != nil):
		return bad("Policy must say which rows go first: see TimestampPolicy and FrequencyPolicy")
	case r.Policy == nil:
		return nil
	case nils.Is(r.Policy):
		return bad("Policy is a nil %T: give a value, or leave it out", r.Policy)
	case r.Keep < 0:
		return bad("Keep must not be negative. Received: Keep=%d", r.Keep)
	case r.Trigger != 0 && (r.Trigger < r.Keep || r.Keep == 0):
		return bad("Trigger must be at least Keep, and 0 without it. Received: Trigger=%d, Keep=%d", r.Trigger, r.Keep)
	}
	if name := r.Policy.Name(); name == "" || len(name) > maxPolicyName || !utf8.ValidString(name) {
		return bad("Policy must have a name of 1 to %d bytes of UTF-8. Received: %.40q", maxPolicyName, name)
	}
	return nil
}

// check reports what does not make sense in a table of options o.
func (r *Restrict) check(o *TableOptions, bad func(field, format string, args ...any) error) error {
	switch {
	case r.Policy == nil:
	case o.Rows > 0:
		return bad("Restrict", "needs a dynamic table. Received: Rows=%d", o.Rows)
	case r.Keep > 0 && o.MaxRows > 0 && o.MaxRows <= r.trigger():
		return bad("MaxRows", "must leave room above %d rows for those that a step adds before others are given up, or be 0. Received: MaxRows=%d",
			r.trigger(), o.MaxRows)
	}
	if err := r.Validate(); err != nil {
		return fmt.Errorf("table %q: %w", o.Name, err)
	}
	return nil
}

// maxPolicyName is the longest name that a file has room for.
const maxPolicyName = 1024

// Restrict gives rows up, with their optimizer's state and their scores, until
// keep are left, if there are more than trigger. It is TFRA's restrict: trigger
// below keep, 0 too, is as good as keep. It returns what went, of which
// Restrict.Evicted is told as well. The table needs a policy, else ErrOptions.
// Other calls wait meanwhile. Keys that are evicted read as their first values
// again.
func (t *Table) Restrict(ctx context.Context, keep, trigger int) (Eviction, error) {
	if err := t.checkContext(ctx); err != nil {
		return Eviction{}, err
	}
	switch {
	case t.opt.Rows > 0:
		return Eviction{}, fmt.Errorf("table %q: %w: its rows cannot be given up", t.opt.Name, ErrStatic)
	case t.opt.Restrict.Policy == nil:
		return Eviction{}, errNoPolicy(t)
	case keep < 0 || trigger < 0:
		return Eviction{}, fmt.Errorf("%w: table %q: the rows to keep and the trigger must not be negative. Received: keep=%d, trigger=%d",
			ErrOptions, t.opt.Name, keep, trigger)
	}
	e, err := t.restrict(keep, max(keep, trigger))
	if err != nil {
		return Eviction{}, fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	return e, nil
}

func errNoPolicy(t *Table) error {
	return fmt.Errorf("%w: table %q: it has no policy, and its rows no scores; set TableOptions.Restrict.Policy", ErrOptions, t.opt.Name)
}

// settle gives rows up after a write, if the table does so by itself. It takes
// no context: the write is done, and what it evicts is part of it.
func (t *Table) settle() error {
	r := &t.opt.Restrict
	if r.Keep == 0 || t.Len() <= r.trigger() {
		return nil
	}
	if _, err := t.restrict(r.Keep, r.trigger()); err != nil {
		return fmt.Errorf("table %q: evict: %w", t.opt.Name, err)
	}
	return nil
}

// restrict evicts, counts and tells.
func (t *Table) restrict(keep, trigger int) (Eviction, error) {
	e, err := t.evict(keep, trigger)
	if err != nil || len(e.Scores) == 0 {
		return e, err
	}
	t.evictions.Add(1)
	t.evicted.Add(int64(len(e.Scores)))
	if tell := t.opt.Restrict.Evicted; tell != nil {
		tell(e)
	}
	return e, nil
}

// evict takes the rows out.
func (t *Table) evict(keep, trigger int) (Eviction, error) {
	t.lock()
	defer t.unlock()
	c := t.core
	if c == nil {
		return Eviction{}, ErrClosed
	}
	e := Eviction{Table: t.opt.Name, Step: t.step.Load(), Left: c.index.len()}
	var gone []scored
	if e.Left > trigger {
		gone = t.lowest(c, e.Left-keep)
	}
	k := t.noKeys(len(gone))
	rows := make([]uint32, len(gone))
	for i, g := range gone {
		if k.strs != nil {
			k.strs = append(k.strs, g.text)
		} else {
			k.ints = append(k.ints, g.number^t.signBit())
		}
		rows[i], e.Scores = g.row, append(e.Scores, g.score)
	}
	t.hash(&k)
	for i, g := range gone {
		t.uncount(c, &k, i, g.row)
		c.index.remove(&k, i)
		c.forget(t.stripeOf(&k, i, g.row), g.row)
	}
	e.Left -= len(gone)
	t.freed.Add(uint64(len(gone)))
	ids, err := k.ids(t.opt.KeyType)
	e.Keys = ids
	return e, errors.Join(err, c.slab.Free(rows...))
}

// noKeys returns an empty batch of the table's kind, with room for n hashes.
func (t *Table) noKeys(n int) keyBatch {
	k := keyBatch{hashes: make([]uint64, n)}
	if t.opt.KeyType == tensor.String {
		k.strs = make([]string, 0, n)
	}
	return k
}

// signBit is what makes the order of keys, taken as unsigned, that of their type.
func (t *Table) signBit() uint64 {
	if t.opt.KeyType == tensor.Uint64 {
		return 0
	}
	return 1 << 63
}

// scored is a row with what decides when it goes.
type scored struct {
	score  int64
	number uint64 // an integer key, its sign turned so that order is that of the key type
	text   string // a string key
	row    uint32
}

// before reports by a number below 0 that a goes before b.
func (a scored) before(b scored) int {
	switch {
	case a.score != b.score:
		return cmp.Compare(a.score, b.score)
	case a.number != b.number:
		return cmp.Compare(a.number, b.number)
	}
	return cmp.Compare(a.text, b.text)
}

// lowest returns the n rows that go first, the first of them first. It reads the
// index once and keeps n rows at a time, the last to go on top of a heap: since
// the index is in the order of hashes, few of its rows but the first n come to
// be in the heap at all.
func (t *Table) lowest(c *core, n int) []scored {
	all, sign := c.scores.view(), t.signBit()
	h := make(lastOnTop, 0, n)
	var some keyRows
	for s := range stripes {
		some.reset()
		c.index.stripe(s, &some)
		for i, r := range some.rows {
			next := scored{score: all[r], row: r}
			if len(some.keys.strs) > 0 {
				next.text = some.keys.strs[i]
			} else {
				next.number = some.keys.ints[i] ^ sign
			}
			h.offer(next)
		}
	}
	slices.SortFunc(h, scored.before)
	return h
}

// lastOnTop is a heap of at most its capacity of rows, the last to go on top.
type lastOnTop []scored

// offer takes a row in if there is room, or in the place of one that goes later.
func (h *lastOnTop) offer(next scored) {
	switch {
	case len(*h) < cap(*h):
		*h = append(*h, next)
		if len(*h) == cap(*h) {
			heap.Init(h)
		}
	case next.before((*h)[0]) < 0:
		(*h)[0] = next
		heap.Fix(h, 0)
	}
}

// The five methods of heap.Interface. The last two are never called: the heap
// is filled at once and changes only at its top.

func (h lastOnTop) Len() int           { return len(h) }
func (h lastOnTop) Less(i, j int) bool { return h[i].before(h[j]) > 0 }
func (h lastOnTop) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lastOnTop) Push(any)          {}
func (h *lastOnTop) Pop() any          { return nil }
