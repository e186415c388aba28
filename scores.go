package rowan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/rowan-embeddings/rowan/internal/slab"
	"github.com/rowan-embeddings/rowan/tensor"
)

// scores is the score of every row, for the policy that says which rows a table
// gives up first: 64 bits a row, under the row's number, in a slab of its own.
//
// They do not lie in the row itself. The strides of rows are whole cache lines,
// and the usual ones have no room left (32 weights and Adam's state are six
// lines), so that 8 bytes would cost 64. And an eviction reads every score: of a
// table of 10 M rows of 256 bytes that is 80 MB side by side, and 10 M lines
// far apart otherwise. A step pays with one more line a row that it updates.
type scores struct{ slab *slab.Slab }

// scoreFloats is the float32s of a slab that a score takes.
const scoreFloats = 2

// newScores returns no scores, for a slab of at most the given rows (0: as many
// as the address space holds).
func newScores(rows int) (*scores, error) {
	s, err := slab.New(slab.Options{Stride: scoreFloats, MaxRows: rows})
	return &scores{s}, err
}

// view returns the scores of all rows. Who may touch which is for the locks of
// the rows to say.
func (s *scores) view() []int64 {
	data := s.slab.Data()
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/scoreFloats)
}

// begin gives rows that were just handed out the score of rows never used.
func (s *scores) begin(rows []uint32) error {
	if len(rows) == 0 {
		return nil
	}
	if err := s.slab.Grow(int(slices.Max(rows)) + 1); err != nil {
		return fmt.Errorf("scores of rows: %w", err)
	}
	all := s.view()
	for _, r := range rows {
		all[r] = 0
	}
	return nil
}

// use tells a policy that rows are used now. A row that comes twice is used once:
// both times it gets what its old score becomes. scratch is any memory, and is
// returned for the next call.
func (s *scores) use(p RestrictPolicy, rows []uint32, scratch []int64, now int64) []int64 {
	all := s.view()
	scratch = scratch[:0]
	for _, r := range rows {
		scratch = append(scratch, all[r])
	}
	p.Use(scratch, now)
	for i, r := range rows {
		all[r] = scratch[i]
	}
	return scratch
}

// alloc fills rows with the numbers of rows that nobody has, all zeros and, if
// the table keeps scores, never used.
func (c *core) alloc(rows []uint32) error {
	if err := c.slab.AllocN(rows); err != nil || c.scores == nil {
		return err
	}
	if err := c.scores.begin(rows); err != nil {
		return errors.Join(err, c.slab.Free(rows...))
	}
	return nil
}

// allocOne does alloc for one row.
func (c *core) allocOne() (uint32, error) {
	var one [1]uint32
	err := c.alloc(one[:])
	return one[0], err
}

// tick is the time of a write, for the policy: the count of writes.
func (t *Table) tick() int64 {
	if t.opt.Restrict.Policy == nil {
		return 0
	}
	return t.clock.Add(1)
}

// used tells the policy, if there is one, that the rows of a portion were used,
// but for those that are absent.
func (t *Table) used(p *portion, now int64) {
	if p.core.scores == nil {
		return
	}
	p.free = p.free[:0]
	for _, r := range p.rows {
		if r != rowAbsent {
			p.free = append(p.free, r)
		}
	}
	p.scores = p.core.scores.use(t.opt.Restrict.Policy, p.free, p.scores, now)
}

// Touch tells the table's policy that the rows of keys were used, each once,
// without writing in them: for programs that want what is read to be kept. Keys
// that the table does not hold are ignored. The table needs a policy, else
// ErrOptions.
func (t *Table) Touch(ctx context.Context, ids tensor.IDs) error {
	if err := t.checkContext(ctx); err != nil {
		return err
	}
	if t.opt.Restrict.Policy == nil {
		return errNoPolicy(t)
	}
	now := t.tick()
	return t.eachStripe(ctx, ids, func(p *portion) error {
		p.core.index.find(&p.keys, p.rows)
		t.used(p, now)
		return nil
	})
}

// Scores returns the scores that the table's policy gave the rows of keys, and
// whether the table holds them; of those that it does not the score is 0. The
// table needs a policy, else ErrOptions.
func (t *Table) Scores(ctx context.Context, ids tensor.IDs) (scores []int64, exists []bool, err error) {
	if err := t.checkContext(ctx); err != nil {
		return nil, nil, err
	}
	if t.opt.Restrict.Policy == nil {
		return nil, nil, errNoPolicy(t)
	}
	err = t.eachStripe(ctx, ids, func(p *portion) error {
		if scores == nil {
			scores, exists = make([]int64, ids.Len()), make([]bool, ids.Len())
		}
		all := p.core.scores.view()
		p.core.index.find(&p.keys, p.rows)
		for j, r := range p.rows {
			if r != rowAbsent {
				scores[p.at[j]], exists[p.at[j]] = all[r], true
			}
		}
		return nil
	})
	return scores, exists, err
}
