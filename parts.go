package rowan

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// parts is what a table over row stores has in place of rows.
//
// Locks, in the order that they are taken: turn, using, the table's stripes, mu.
type parts struct {
	opt *Stores
	// turn holds one token. Who took it reads rows, changes them and writes them
	// back, and nobody else does through this table meanwhile.
	turn chan struct{}
	// using is held for reading by every call to stores, and for writing by
	// those that open, change or close them.
	using  sync.RWMutex
	stores []RowStore // one a part; nil until the table is first used
	closed bool

	mu   sync.Mutex // the last of all locks
	idle []*workset // for calls to come
}

// takeIdle returns a workset with room for n keys, or nil.
func (p *parts) takeIdle(n int) *workset {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if w := p.idle[i]; w.memory.opt.MaxRows >= n {
			p.idle = slices.Delete(p.idle, i, i+1)
			return w
		}
	}
	return nil
}

// keepIdle keeps an empty workset for another call, and reports whether it did:
// as many as run at once, none that is very large. The oldest gives way.
func (p *parts) keepIdle(w *workset) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.memory.opt.MaxRows > maxIdleRows {
		return false
	}
	if len(p.idle) == runtime.GOMAXPROCS(0) {
		p.idle[0].memory.core.discard()
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	p.idle = append(p.idle, w)
	return true
}

// dropIdle frees the worksets that wait. Nobody uses the stores.
func (p *parts) dropIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.idle {
		w.memory.core.discard()
	}
	p.idle = nil
}

// overParts makes t, which has its options, a table over row stores. Its core
// says how rows are laid out and who trains them, and holds none.
func (t *Table) overParts(o *optim.Optimizer) (*Table, error) {
	l := t.opt.layout(o)
	err := t.opt.Stores.checkRow(&l)
	for i, s := range t.opt.Stores.Parts {
		// Without an optimizer the width is known when the table is first used.
		if width := l.stored(); err == nil && (o != nil || s.KeyType() != t.opt.KeyType) {
			if err = fitsTable(s, t.opt.KeyType, width); err != nil {
				err = fmt.Errorf("%s: %w", t.opt.Stores.name(i), err)
			}
		}
	}
	if err == nil {
		t.core, err = t.emptyCore(o)
	}
	if err != nil {
		return nil, fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	t.parts = &parts{opt: t.opt.Stores, turn: make(chan struct{}, 1)}
	t.parts.turn <- struct{}{}
	return t, nil
}

// emptyCore returns a core for a table over parts.
func (t *Table) emptyCore(o *optim.Optimizer) (*core, error) {
	m := Table{opt: t.opt}
	m.opt.MaxRows, m.opt.InitialCapacity = 1, 0
	return m.newCore(o)
}

// enter readies the stores for a call, which ends with leave.
func (p *parts) enter(ctx context.Context, t *Table) error {
	for {
		if err := ended(ctx); err != nil {
			return err
		}
		p.using.RLock()
		switch {
		case p.closed:
			p.using.RUnlock()
			return ErrClosed
		case p.stores != nil:
			return nil
		}
		p.using.RUnlock()
		if err := p.start(ctx, t); err != nil {
			return err
		}
	}
}

func (p *parts) leave() { p.using.RUnlock() }

// enterAlone does enter for a call that reads rows and writes them back; it
// ends with leaveAlone.
func (p *parts) enterAlone(ctx context.Context, t *Table) error {
	if err := ended(ctx); err != nil {
		return err
	}
	select {
	case <-p.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := p.enter(ctx, t)
	if err != nil {
		p.turn <- struct{}{}
	}
	return err
}

func (p *parts) leaveAlone() {
	p.leave()
	p.turn <- struct{}{}
}

// start opens the stores, or checks those that are open, if nobody has yet.
func (p *parts) start(ctx context.Context, t *Table) error {
	p.using.Lock()
	defer p.using.Unlock()
	if p.closed || p.stores != nil {
		return nil // enter looks again
	}
	width := t.core.layout.stored()
	if p.opt.Open != nil {
		stores, err := p.open(ctx, t, width)
		p.stores = stores
		return err
	}
	for i, s := range p.opt.Parts {
		if err := fitsTable(s, t.opt.KeyType, width); err != nil {
			return fmt.Errorf("%s: %w", p.opt.name(i), err)
		}
	}
	p.stores = p.opt.Parts
	return nil
}

// open opens a store for each part: all, or after an error none.
func (p *parts) open(ctx context.Context, t *Table, width int) ([]RowStore, error) {
	var stores []RowStore
	for i, url := range p.opt.URLs {
		s, err := p.opt.Open(ctx, StoreOptions{
			Table: t.opt.Name, Part: i, Parts: len(p.opt.URLs), URL: url,
			KeyType: t.opt.KeyType, Width: width, Capacity: t.opt.InitialCapacity / len(p.opt.URLs),
		})
		if err == nil {
			if err = fitsTable(s, t.opt.KeyType, width); !nils.Is(s) {
				stores = append(stores, s)
			}
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", p.opt.name(i), err), p.close(stores))
		}
	}
	return stores, nil
}

// close closes stores that open opened.
func (p *parts) close(stores []RowStore) error {
	var errs []error
	for i, s := range stores {
		if err := s.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", p.opt.name(i), err))
		}
	}
	return errors.Join(errs...)
}

// route is a batch of keys divided by part; the keys of a part keep their order.
type route struct {
	order []uint32     // which of the batch each key is, those of a part together
	begin []int        // where those of each part begin in order, and the end
	ids   []tensor.IDs // of each part
	parts []int        // those that have keys
}

// bounds returns which of the order are a part's.
func (r *route) bounds(part int) (from, to int) { return r.begin[part], r.begin[part+1] }

// at returns which of the batch the keys of a part are.
func (r *route) at(part int) []uint32 { return r.order[r.begin[part]:r.begin[part+1]] }

// divide asks the partitioner where keys belong.
func (p *parts) divide(k *keyBatch, key tensor.KeyType) (*route, error) {
	n, of := p.opt.len(), make([]int32, k.len())
	if p.opt.Partitioner == nil {
		partition(k, n, of)
	} else if err := p.ask(k, key, of); err != nil {
		return nil, err
	}
	r := &route{order: make([]uint32, k.len()), begin: make([]int, n+1), ids: make([]tensor.IDs, n)}
	for _, part := range of {
		r.begin[part+1]++
	}
	for part := range n {
		r.begin[part+1] += r.begin[part]
	}
	next := slices.Clone(r.begin)
	for i, part := range of {
		r.order[next[part]] = uint32(i)
		next[part]++
	}
	for part := range n {
		at := r.at(part)
		if len(at) == 0 {
			continue
		}
		r.parts = append(r.parts, part)
		some := k.pick(at)
		var err error
		if r.ids[part], err = some.ids(key); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// ask asks the table's own partitioner, and checks what it says.
func (p *parts) ask(k *keyBatch, key tensor.KeyType, of []int32) error {
	ids, err := k.ids(key)
	if err != nil {
		return err
	}
	for i := range of {
		of[i] = -1
	}
	n := p.opt.len()
	if err := p.opt.Partitioner(ids, n, of); err != nil {
		return fmt.Errorf("partitioner: %w", err)
	}
	for i, part := range of {
		if part < 0 || int(part) >= n {
			return fmt.Errorf("%w: the partitioner sends key %s to part %d of 0 to %d", ErrOptions, k.format(i, key), part, n-1)
		}
	}
	return nil
}

// pick returns some keys of a batch.
func (k *keyBatch) pick(at []uint32) keyBatch {
	var some keyBatch
	if k.strs != nil {
		some.strs = make([]string, len(at))
		for j, i := range at {
			some.strs[j] = k.strs[i]
		}
		return some
	}
	some.ints = make([]uint64, len(at))
	for j, i := range at {
		some.ints[j] = k.ints[i]
	}
	return some
}

// each calls f for every part that has keys, at once, and returns the error of
// the first part that failed by itself, and not because another had.
func (p *parts) each(ctx context.Context, which []int, f func(ctx context.Context, part int, s RowStore) error) error {
	return p.eachOf(ctx, p.stores, which, f)
}

// eachOf does each for other stores of the parts.
func (p *parts) eachOf(ctx context.Context, stores []RowStore, which []int, f func(ctx context.Context, part int, s RowStore) error) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(which))
	do := func(i int) {
		if errs[i] = f(within, which[i], stores[which[i]]); errs[i] != nil {
			cancel()
		}
	}
	var others sync.WaitGroup
	for i := 1; i < len(which); i++ {
		others.Go(func() { do(i) })
	}
	if len(which) > 0 {
		do(0)
	}
	others.Wait()
	first := -1
	for i, err := range errs {
		if err == nil {
			continue
		}
		if first < 0 {
			first = i
		}
		if ctx.Err() != nil || !errors.Is(err, context.Canceled) {
			first = i
			break
		}
	}
	if first < 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", p.opt.name(which[first]), errs[first])
}

// all returns the numbers of all parts.
func (p *parts) all() []int {
	all := make([]int, p.opt.len())
	for i := range all {
		all[i] = i
	}
	return all
}
