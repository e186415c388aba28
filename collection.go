package rowan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/rowan-embeddings/rowan/internal/suggest"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Feature is one input of a [Collection]: ids, and the table that has their rows.
type Feature struct {
	// Name names the feature in batches, results and errors.
	Name string
	// Table is the name of the feature's table, which it may share with others.
	// Default: Name.
	Table string
	// LookupOptions say how the feature is looked up: each has its own Combiner.
	// Training and Feature are filled in by the collection.
	LookupOptions
}

// Collection looks up many features of many tables in one call:
//
//	features  user ─┐                    user (batch, 8) ─┐
//	          seen ─┼─> tables  ──>      seen (batch, 16) ┼─> (batch, 40)
//	          film ─┘   user, film       film (batch, 16) ┘
//
// Tables may have any widths and types of keys. The way back merges the
// gradients of all features of a table, and updates all tables together. A
// collection does not change and is safe for concurrent use; its tables are
// their owner's, who closes them.
//
// It is what TorchRec's EmbeddingBagCollection and NVIDIA's DistributedEmbedding,
// with input_table_map, are on one machine.
type Collection struct {
	tables   []*Table
	features []Feature
	of       []int // the table of each feature
	names    []string
}

// NewCollection returns a collection of features of some tables, in that order.
// No two tables and no two features may have one name, and each feature's table
// must be there; a table may be there for no feature.
func NewCollection(tables []*Table, features ...Feature) (*Collection, error) {
	if err := checkTables(tables); err != nil {
		return nil, err
	}
	c := &Collection{tables: slices.Clone(tables), features: slices.Clone(features)}
	var known []string
	for _, t := range tables {
		if slices.Contains(known, t.Name()) {
			return nil, fmt.Errorf("%w: collection: two tables are named %q", ErrOptions, t.Name())
		}
		known = append(known, t.Name())
	}
	if len(features) == 0 {
		return nil, fmt.Errorf("%w: collection: it has no features", ErrOptions)
	}
	for i := range c.features {
		f := &c.features[i]
		if f.Table == "" {
			f.Table = f.Name
		}
		if f.Name == "" || slices.Contains(c.names, f.Name) {
			return nil, fmt.Errorf("%w: collection: feature %d is named %q: each needs a name of its own", ErrOptions, i, f.Name)
		}
		at := slices.Index(known, f.Table)
		if at < 0 {
			return nil, fmt.Errorf("%w: collection: feature %q is of table %q, which is not there%s (tables: %s)",
				ErrOptions, f.Name, f.Table, suggest.Hint(f.Table, known), strings.Join(known, ", "))
		}
		f.Feature, c.of, c.names = f.Name, append(c.of, at), append(c.names, f.Name)
	}
	return c, nil
}

// Tables returns the tables in their order, to be saved and closed.
func (c *Collection) Tables() []*Table { return slices.Clone(c.tables) }

// Features returns the features in their order, defaults filled in.
func (c *Collection) Features() []Feature { return slices.Clone(c.features) }

// index returns which feature has a name.
func (c *Collection) index(name string) (int, error) {
	if i := slices.Index(c.names, name); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%w: no feature is named %q%s (features: %s)", ErrOptions, name, suggest.Hint(name, c.names), strings.Join(c.names, ", "))
}

// CollectionLookup is the result of looking the features of a batch up. As a
// [Lookup] it refers to the ids, may be used again for another batch, and is for
// one goroutine at a time. The zero value is ready for use.
type CollectionLookup struct {
	c        *Collection
	lookups  []Lookup // of each feature
	ids      []tensor.IDs
	joined   tensor.Values
	shape    []int // of joined
	training bool

	ctx    context.Context
	crew   crew
	next   atomic.Int64
	errors firstError
}

// Lookup looks up a batch: the ids of each feature by its name, no more and no
// fewer. In training the gradients of the result can be added to those that
// NewGradients returns. It is safe for concurrent use.
func (c *Collection) Lookup(ctx context.Context, batch map[string]tensor.IDs, training bool) (*CollectionLookup, error) {
	l := new(CollectionLookup)
	if err := c.LookupInto(ctx, l, batch, training); err != nil {
		return nil, err
	}
	return l, nil
}

// LookupInto is Lookup with the memory of an earlier one: a steady stream of
// batches allocates nothing, but for default ids of empty bags. After an error l
// holds nothing. Features are shared out among goroutines, and results do not
// depend on them.
func (c *Collection) LookupInto(ctx context.Context, l *CollectionLookup, batch map[string]tensor.IDs, training bool) error {
	if l == nil {
		return fmt.Errorf("%w: collection: the lookup to fill is nil", ErrStale)
	}
	if err := l.begin(c, batch); err != nil {
		l.forget()
		return err
	}
	l.ctx, l.training = ctx, training
	n := 0
	for _, ids := range l.ids {
		n += ids.Len()
	}
	l.next.Store(0)
	l.errors.reset()
	l.crew.do(min(len(c.features), c.workers(n)))
	l.ctx = nil
	if l.errors.err != nil {
		l.forget()
		return l.errors.err
	}
	return nil
}

// begin takes a batch apart.
func (l *CollectionLookup) begin(c *Collection, batch map[string]tensor.IDs) error {
	if c == nil || len(c.features) == 0 {
		return fmt.Errorf("%w: a collection is made with NewCollection", ErrOptions)
	}
	if l.c != c {
		l.lookups = make([]Lookup, len(c.features))
	}
	if l.crew.work == nil {
		l.crew.work = l.work
	}
	l.c, l.ids = c, l.ids[:0]
	_ = l.joined.Reset(0) // as large as any array is
	for _, name := range c.names {
		ids, ok := batch[name]
		if !ok {
			return fmt.Errorf("%w: the batch has no feature %q (features: %s)", ErrShape, name, strings.Join(c.names, ", "))
		}
		if err := checkIDs(ids); err != nil {
			return fmt.Errorf("feature %q: %w", name, err)
		}
		l.ids = append(l.ids, ids)
	}
	if len(batch) == len(c.names) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(batch)) {
		if _, err := c.index(name); err != nil {
			return err
		}
	}
	return nil
}

// forget leaves l without a batch, and with its memory for another.
func (l *CollectionLookup) forget() {
	l.ids = l.ids[:0]
	for i := range l.lookups {
		l.lookups[i].forget()
	}
	_ = l.joined.Reset(0)
}

// workers returns how many goroutines to share features of n ids out to: as many
// as the table that may take most would.
func (c *Collection) workers(n int) int {
	limit := 1
	for _, t := range c.tables {
		if t.opt.Threads == 0 {
			limit = max(limit, runtime.GOMAXPROCS(0))
		}
		limit = max(limit, t.opt.Threads)
	}
	return max(1, min(limit, n/minIDsPerWorker))
}

// work looks features up until there are none left.
func (l *CollectionLookup) work(int) {
	for {
		i := int(l.next.Add(1) - 1)
		if i >= len(l.c.features) {
			return
		}
		o := l.c.features[i].LookupOptions
		o.Training = l.training
		if err := l.c.tables[l.c.of[i]].LookupInto(l.ctx, &l.lookups[i], l.ids[i], o); err != nil {
			l.errors.set(err, i)
		}
	}
}

// Values returns what was looked up for a feature: see [Lookup.Values]. It is
// valid until l is used again. An unknown name is an error that names the
// nearest one.
func (l *CollectionLookup) Values(feature string) (*tensor.Values, error) {
	if err := l.filled(); err != nil {
		return nil, err
	}
	i, err := l.c.index(feature)
	if err != nil {
		return nil, err
	}
	return l.lookups[i].Values(), nil
}

func (l *CollectionLookup) filled() error {
	if l == nil || l.c == nil || len(l.ids) == 0 {
		return fmt.Errorf("%w: collection: the lookup holds no batch", ErrStale)
	}
	return nil
}

// Joined returns the values of all features side by side, in the features'
// order: (batch, the sum of their widths), if each is (batch, width); of more
// dimensions, they must agree in all but the last. It is valid until l is used
// again.
func (l *CollectionLookup) Joined() (*tensor.Values, error) {
	if err := l.filled(); err != nil {
		return nil, err
	}
	if l.joined.Len() > 0 {
		return &l.joined, nil
	}
	rows, width, err := l.joinedShape()
	if err != nil {
		return nil, err
	}
	if err := l.joined.Reset(l.shape...); err != nil {
		return nil, err
	}
	to := l.joined.Data()
	for i := range l.lookups {
		from, w := l.lookups[i].Values().Data(), l.c.tables[l.c.of[i]].Width()
		for r := range rows {
			copy(to[r*width:], from[r*w:(r+1)*w])
		}
		to = to[min(w, len(to)):]
	}
	return &l.joined, nil
}

// joinedShape sets l.shape and returns the number of rows and their width.
func (l *CollectionLookup) joinedShape() (rows, width int, err error) {
	first := l.lookups[0].Values().Shape()
	outer := first[:len(first)-1]
	for i := range l.lookups {
		shape := l.lookups[i].Values().Shape()
		w := shape[len(shape)-1]
		if !slices.Equal(outer, shape[:len(shape)-1]) {
			return 0, 0, fmt.Errorf("%w: features cannot stand side by side: %q has shape %v, %q has %v: pool them, or take each by its name",
				ErrShape, l.c.names[0], slices.Clone(first), l.c.names[i], slices.Clone(shape))
		}
		rows, width = l.lookups[i].Values().Len()/w, width+w
	}
	l.shape = append(append(l.shape[:0], outer...), width)
	return rows, width, nil
}

// CollectionGradients collects what one step has to say about the tables of a
// collection: gradients of any number of lookups, merged by table. It is used by
// one goroutine at a time, and again for the next step after Reset.
type CollectionGradients struct {
	c      *Collection
	tables []*Gradients
	parts  []*tensor.Values // of joined gradients, a feature each
	used   int              // how many of parts are

	ctx  context.Context
	step Step
	crew crew
	next atomic.Int64
	errs []error
}

// NewGradients returns an empty collection of gradients.
func (c *Collection) NewGradients() *CollectionGradients {
	g := &CollectionGradients{c: c, errs: make([]error, len(c.tables))}
	for _, t := range c.tables {
		g.tables = append(g.tables, t.NewGradients())
	}
	g.crew.work = g.work
	return g
}

// Reset empties g for the next step.
func (g *CollectionGradients) Reset() {
	for _, t := range g.tables {
		t.Reset()
	}
	g.used = 0
}

// part returns room for a part of a joined gradient, until Reset.
func (g *CollectionGradients) part(shape []int) (*tensor.Values, error) {
	if g.used == len(g.parts) {
		g.parts = append(g.parts, new(tensor.Values))
	}
	g.used++
	return g.parts[g.used-1], g.parts[g.used-1].Reset(shape...)
}

// Add adds the gradients of a loss with respect to the values of some features,
// by name. Lookup and gradients must not change until g has been applied or
// reset. After an error nothing has been added.
func (g *CollectionGradients) Add(l *CollectionLookup, grads map[string]*tensor.Values) error {
	if err := g.takes(l); err != nil {
		return err
	}
	if err := g.checkNames(grads); err != nil {
		return err
	}
	return g.all(func() error {
		for i, name := range g.c.names {
			if grad, ok := grads[name]; ok {
				if err := g.tables[g.c.of[i]].Add(&l.lookups[i], grad); err != nil {
					return fmt.Errorf("feature %q: %w", name, err)
				}
			}
		}
		return nil
	})
}

func (g *CollectionGradients) checkNames(grads map[string]*tensor.Values) error {
	known := 0
	for _, name := range g.c.names {
		if _, ok := grads[name]; ok {
			known++
		}
	}
	if known == len(grads) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(grads)) {
		if _, err := g.c.index(name); err != nil {
			return err
		}
	}
	return nil
}

// AddJoined adds the gradient of a loss with respect to l.Joined(), of the same
// shape, as Add does. It is copied.
func (g *CollectionGradients) AddJoined(l *CollectionLookup, grad *tensor.Values) error {
	if err := g.takes(l); err != nil {
		return err
	}
	rows, width, err := l.joinedShape()
	if err != nil {
		return err
	}
	if grad == nil || !slices.Equal(grad.Shape(), l.shape) {
		return fmt.Errorf("%w: collection: the gradient must have the shape of the joined values, %v", ErrShape, slices.Clone(l.shape))
	}
	return g.all(func() error {
		at := 0
		for i := range l.lookups {
			w := g.c.tables[g.c.of[i]].Width()
			part, err := g.part(l.lookups[i].Values().Shape())
			if err != nil {
				return err
			}
			for r := range rows {
				copy(part.Data()[r*w:(r+1)*w], grad.Data()[r*width+at:])
			}
			at += w
			if err := g.tables[g.c.of[i]].Add(&l.lookups[i], part); err != nil {
				return fmt.Errorf("feature %q: %w", g.c.names[i], err)
			}
		}
		return nil
	})
}

// takes checks that l is a lookup that g can be given gradients of.
func (g *CollectionGradients) takes(l *CollectionLookup) error {
	if g == nil || g.c == nil {
		return fmt.Errorf("%w: gradients of a collection are made with Collection.NewGradients", ErrStale)
	}
	if err := l.filled(); err != nil {
		return err
	}
	if l.c != g.c || !l.training {
		return fmt.Errorf("%w: collection: gradients need a lookup of this collection, made for training", ErrStale)
	}
	return nil
}

// all takes what add adds, or after an error nothing.
func (g *CollectionGradients) all(add func() error) error {
	before, used := make([]int, 0, 64), g.used // on the stack for as many tables
	for _, t := range g.tables {
		before = append(before, len(t.terms))
	}
	err := add()
	if err != nil {
		for i, t := range g.tables {
			clear(t.terms[before[i]:])
			t.terms = t.terms[:before[i]]
		}
		g.used = used
	}
	return err
}

// SumSquares returns the squared L2 norm of all gradients, those of duplicate
// ids summed: what Step.Scale clips by. See [Gradients.SumSquares].
func (g *CollectionGradients) SumSquares(ctx context.Context, s Step) (float64, error) {
	if g == nil || g.c == nil {
		return 0, fmt.Errorf("%w: gradients of a collection are made with Collection.NewGradients", ErrStale)
	}
	var sum float64
	for _, t := range g.tables {
		x, err := t.SumSquares(ctx, s)
		if err != nil {
			return 0, err
		}
		sum += x
	}
	return sum, nil
}

// Apply makes one step of every table with the gradients that g has for it, and
// moves the steps of those without any on: see [Table.Apply]. Step.Number 0 is
// for each table one more than its last. What can be found wrong beforehand stops
// all of them; an error of one table afterwards, about room or a cancelled ctx,
// does not stop the others.
func (c *Collection) Apply(ctx context.Context, g *CollectionGradients, s Step) error {
	if c == nil || g == nil || g.c != c {
		return fmt.Errorf("%w: the gradients are not of this collection: make them with its NewGradients", ErrStale)
	}
	n := 0
	for i, t := range g.tables {
		step := s
		o, err := t.ready(&step)
		if err == nil && o == nil {
			err = errNoOptimizer
		}
		if err != nil {
			return fmt.Errorf("table %q: %w", c.tables[i].Name(), err)
		}
		n += t.positions()
	}
	g.ctx, g.step = ctx, s
	g.next.Store(0)
	g.crew.do(min(len(g.tables), c.workers(n)))
	g.ctx = nil
	err := errors.Join(g.errs...)
	clear(g.errs)
	return err
}

// work updates tables until there are none left.
func (g *CollectionGradients) work(int) {
	for {
		i := int(g.next.Add(1) - 1)
		if i >= len(g.tables) {
			return
		}
		g.errs[i] = g.c.tables[i].Apply(g.ctx, g.tables[i], g.step)
	}
}
