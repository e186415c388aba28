package rowan

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Gradients collects what one step has to say about one table: any number of
// lookups with the gradients of their values, merged before they are applied.
// It is used by one goroutine at a time, and again for the next step after Reset.
type Gradients struct {
	table *Table
	terms []term

	// Occurrences: the ids of all terms, one after the other, less those that
	// train nothing. Sorted by stripe.
	packed  []uint64 // row number << posBits | position
	scratch []uint64
	begin   [stripes + 1]int // where each stripe's occurrences begin
	source  []uint32         // of each position: the row of the gradients that it takes
	scale   []float32        // of each position: what that is multiplied by; empty if always 1
	grads   joined[float32]  // gradients of all terms
	wide    joined[float64]  // the same of rows of float64
	parts   []float64        // in the place of scale, of rows of float64
	back    backward         // gradients that combiners make of those of their bags
	norms   []float64        // squared norm of the row that first occurs at a position

	ctx    context.Context
	step   Step
	now    int64 // the time of the step, for the table's policy
	crew   crew
	next   atomic.Int64
	errors firstError
	tools  []gradientTools
	// measure makes a run add up squared norms and update nothing.
	measure bool
}

// term is one lookup and the gradient of its values.
type term struct {
	lookup *Lookup
	use    uint64 // which use of lookup it is
	grad   []float32
	wide   []float64 // in the place of grad, of rows of float64
	first  int       // position of its first id among all terms'
	row    int       // its first row among all terms' gradients
	rows   int       // how many it has
}

// joined is arrays one after the other.
type joined[F optim.Float] struct {
	all    []F
	buffer []F
}

// of joins the arrays of n terms. A single one is taken as it is: the buffer is
// never somebody else's memory.
func (j *joined[F]) of(n int, array func(i int) []F) {
	if n == 1 {
		j.all = array(0)
		return
	}
	j.buffer = j.buffer[:0]
	for i := range n {
		j.buffer = append(j.buffer, array(i)...)
	}
	j.all = j.buffer
}

// posBits is the room for a position in a packed occurrence: 32 bits are the row's.
const posBits = 30

// NewGradients returns an empty collection for the table.
func (t *Table) NewGradients() *Gradients {
	g := &Gradients{table: t}
	g.crew.work = g.work
	return g
}

// Reset empties g for the next step.
func (g *Gradients) Reset() {
	for i := range g.terms {
		g.terms[i] = term{}
	}
	g.terms = g.terms[:0]
	g.back.reset()
}

// Add adds the gradient of a loss with respect to l.Values(), of the same
// shape. Lookup and gradient must not change until g has been applied or reset.
// A gradient that is not finite is ErrNotFinite, and is not added.
func (g *Gradients) Add(l *Lookup, grad *tensor.Values) error {
	if g == nil || g.table == nil {
		return errNoTable
	}
	if grad == nil {
		return fmt.Errorf("%w: table %q: the gradient is nil", ErrShape, g.table.opt.Name)
	}
	if err := g.fits(l, grad.Shape()); err != nil {
		return err
	}
	if err := checkFinite("gradient", grad.Data()); err != nil {
		return g.table.lookupError(l.opt, err)
	}
	if l.cells != nil {
		return g.add64(l, widened(grad.Data()))
	}
	before := len(g.terms)
	err := g.push(l, grad.Data())
	if err == nil && len(l.fallback.empty) > 0 {
		err = g.push(l.fallback.lookup, g.back.ofEmpty(l, grad.Data()))
	}
	if err != nil {
		g.terms = g.terms[:before]
	}
	return err
}

// fits reports a lookup that is none of the table's to be trained on, and a gradient
// of another shape than its values.
func (g *Gradients) fits(l *Lookup, shape []int) error {
	if l == nil || l.table != g.table || !l.opt.Training {
		return fmt.Errorf("%w: table %q: gradients need a lookup of this table made with Training: true, in use only once at a time",
			ErrStale, g.table.opt.Name)
	}
	if !slices.Equal(shape, l.shape) {
		return fmt.Errorf("%w: table %q: the gradient must have the shape of the looked up values, %v, got %v",
			ErrShape, g.table.opt.Name, l.shape, shape)
	}
	return nil
}

// push appends a term: grad is the gradient of the lookup's values.
func (g *Gradients) push(l *Lookup, grad []float32) error {
	if l.reduction.reducer != nil {
		var err error
		if grad, err = g.back.propagate(l, grad); err != nil {
			return g.table.lookupError(l.opt, err)
		}
	}
	return g.pushTerm(term{lookup: l, use: l.uses, grad: grad}, len(grad)/g.table.opt.Width)
}

// pushTerm appends a term, whose gradient has so many rows.
func (g *Gradients) pushTerm(next term, rows int) error {
	l := next.lookup
	if n := len(g.terms); n > 0 {
		before := g.terms[n-1]
		next.first = before.first + len(before.lookup.rows)
		next.row = before.row + before.rows
	}
	next.rows = rows
	if next.first+len(l.rows) >= 1<<posBits {
		return fmt.Errorf("%w: table %q: a step takes at most %d ids, got %d; split the batch",
			ErrShape, g.table.opt.Name, 1<<posBits-1, next.first+len(l.rows))
	}
	if bags := uint64(next.row) + uint64(rows); bags > math.MaxUint32 {
		return fmt.Errorf("%w: table %q: a step takes at most %d bags, got %d; split the batch",
			ErrShape, g.table.opt.Name, uint32(math.MaxUint32), bags)
	}
	g.terms = append(g.terms, next)
	return nil
}

// checkFinite reports the first number of x that is NaN or infinite. The fast
// way looks at the sum of squares, which is finite only if every number is.
func checkFinite[F optim.Float](what string, x []F) error {
	if s := squares(x); s-s == 0 {
		return nil
	}
	for i, v := range x {
		if v-v != 0 {
			return fmt.Errorf("%w: %s %d of %d is %v", ErrNotFinite, what, i, len(x), v)
		}
	}
	return nil
}

var errNoTable = fmt.Errorf("%w: the gradients are of no table; make them with Table.NewGradients", ErrStale)

var errNoOptimizer = fmt.Errorf("%w: it has no optimizer; give one in TableOptions or by SetOptimizer", ErrNotTrainable)

// Step says which step of training an update is.
type Step struct {
	// Number is the step's number, from 1. Default 0: one more than the table's last.
	Number int64
	// Scale is what every gradient is multiplied by, a finite number, which is how a model
	// clips by the norm of all its gradients together. Default 0: the clipping
	// by global norm of the table's own optimizer, over this table alone.
	Scale float32
	// Batches is the number of batches whose gradients were collected, if their
	// mean is to be taken: the gradient of a row is divided by it, before
	// clipping. Default 0: 1.
	Batches int
}

// Apply updates the rows that the collected lookups name, once a distinct row,
// with the sum of its gradients. Rows that the table does not hold yet are
// inserted with the values that the lookup read. It is safe for concurrent use
// with lookups, and with other updates; steps of one optimizer are meant to
// come one after the other. An error about the gradients leaves the table as it
// was, but that clipping by global norm inserts new keys before it measures; an
// error about room (too many rows) or a cancelled ctx may come after some
// stripes are done. A table over [Stores] is updated in memory first and then
// written, so that only an error of a store comes after some parts are written.
func (t *Table) Apply(ctx context.Context, g *Gradients, s Step) error {
	if err := t.owns(g); err != nil {
		return err
	}
	if t.parts != nil {
		return t.applyParts(ctx, g, s)
	}
	o, err := g.ready(&s)
	if err == nil && o == nil {
		err = errNoOptimizer
	}
	if err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	g.arrange()
	if s.Scale == 0 {
		s.Scale = 1
		if o.Clip.GlobalNorm > 0 {
			sum, err := g.run(ctx, s, true)
			if err != nil {
				return fmt.Errorf("table %q: %w", t.opt.Name, err)
			}
			s.Scale = o.Clip.GlobalScale(sum)
			if math.IsNaN(float64(s.Scale)) {
				return fmt.Errorf("%w: table %q: the norm of all gradients together is %v", ErrNotFinite, t.opt.Name, math.Sqrt(sum))
			}
		}
	}
	g.now = t.tick()
	if _, err := g.run(ctx, s, false); err != nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, err)
	}
	if t.whole {
		if err := t.constrainAll(s.Number); err != nil {
			return fmt.Errorf("table %q: %w", t.opt.Name, err)
		}
	}
	t.step.Store(s.Number)
	return t.settle()
}

// owns reports gradients that are not of table t.
func (t *Table) owns(g *Gradients) error {
	switch {
	case t == nil:
		return t.given()
	case g == nil || g.table == nil:
		return fmt.Errorf("table %q: %w", t.opt.Name, errNoTable)
	case g.table != t:
		return fmt.Errorf("%w: table %q: the gradients are of table %q", ErrStale, t.opt.Name, g.table.opt.Name)
	}
	return nil
}

// SumSquares returns the squared L2 norm of the collected gradients after
// those of duplicate ids are summed: what a model adds up over its tables and
// dense weights to clip by global norm, before it applies step s. Keys that the
// table does not hold yet are inserted, but for those of a table over Stores,
// which are not asked.
func (g *Gradients) SumSquares(ctx context.Context, s Step) (float64, error) {
	if g == nil || g.table == nil {
		return 0, errNoTable
	}
	if g.table.parts != nil {
		return g.table.measureParts(ctx, g, s)
	}
	_, err := g.ready(&s)
	var sum float64
	if err == nil {
		g.arrange()
		sum, err = g.run(ctx, s, true)
	}
	if err != nil {
		return 0, fmt.Errorf("table %q: %w", g.table.opt.Name, err)
	}
	return sum, nil
}

// ready checks that step s may be taken, fills its number in, and returns the
// optimizer it would be taken with.
func (g *Gradients) ready(s *Step) (*optim.Optimizer, error) {
	if err := g.table.writable(); err != nil {
		return nil, err
	}
	if s.Number == 0 {
		s.Number = g.table.step.Load() + 1
	}
	if s.Number < 1 || s.Number > maxStep {
		return nil, fmt.Errorf("%w: steps count from 1 to %d, got %d", ErrOptions, int64(maxStep), s.Number)
	}
	if s.Batches < 0 {
		return nil, fmt.Errorf("%w: Batches of a step must not be negative. Received: Batches=%d", ErrOptions, s.Batches)
	}
	if s.Scale-s.Scale != 0 {
		return nil, fmt.Errorf("%w: the scale of step %d is %v", ErrNotFinite, s.Number, s.Scale)
	}
	for i := range g.terms {
		if g.terms[i].lookup.uses != g.terms[i].use {
			return nil, fmt.Errorf("%w: lookup %d of %d has been used for another batch since its gradient was added; apply first",
				ErrStale, i, len(g.terms))
		}
	}
	return g.table.trainer()
}

// run updates every stripe, or with measure only adds up squared norms.
func (g *Gradients) run(ctx context.Context, s Step, measure bool) (float64, error) {
	g.ctx, g.step, g.measure = ctx, s, measure
	defer func() { g.ctx = nil }()
	n := g.begin[stripes]
	if measure {
		g.norms = slices.Grow(g.norms[:0], g.positions())[:g.positions()]
		clear(g.norms)
	}
	g.next.Store(0)
	g.errors.reset()
	workers := g.table.workers(n)
	for len(g.tools) < workers {
		g.tools = append(g.tools, gradientTools{new(applyTools[float32]), new(applyTools[float64])})
	}
	g.crew.do(workers)
	if g.errors.err != nil {
		return 0, g.errors.err
	}
	var sum float64
	if measure {
		// In the order of the batch, whatever rows and stripes the keys have.
		for _, x := range g.norms {
			sum += x
		}
	}
	return sum, nil
}

func (g *Gradients) positions() int {
	if len(g.terms) == 0 {
		return 0
	}
	last := g.terms[len(g.terms)-1]
	return last.first + len(last.lookup.rows)
}

// work takes stripes until there are none left.
func (g *Gradients) work(worker int) {
	tools := g.tools[worker]
	for {
		s := int(g.next.Add(1) - 1)
		if s >= stripes {
			return
		}
		if err := g.workOn(tools, s); err != nil {
			g.errors.set(err, s)
			return
		}
	}
}

// gradientTools is one worker's memory, for rows of either type.
type gradientTools struct {
	f32 *applyTools[float32]
	f64 *applyTools[float64]
}

func (g *Gradients) workOn(tools gradientTools, stripe int) error {
	occurrences := g.packed[g.begin[stripe]:g.begin[stripe+1]]
	if len(occurrences) == 0 {
		return nil
	}
	if err := ended(g.ctx); err != nil {
		return err
	}
	t := g.table
	t.stripes[stripe].Lock()
	defer t.stripes[stripe].Unlock()
	switch {
	case t.core == nil:
		return ErrClosed
	case t.core.optimizer == nil && !g.measure:
		return errNoOptimizer
	}
	if err := g.resolve(t.core, occurrences); err != nil {
		return err
	}
	scratch := g.scratch[g.begin[stripe]:g.begin[stripe+1]]
	kernel.RadixSort(occurrences, scratch, posBits, posBits+t.core.rowBits())
	if t.opt.DType == Float64 {
		applyAll(g, tools.f64, stripe, occurrences)
	} else {
		applyAll(g, tools.f32, stripe, occurrences)
	}
	return nil
}

// applyAll updates the rows of a stripe, a block after the other.
func applyAll[F optim.Float](g *Gradients, w *applyTools[F], stripe int, occurrences []uint64) {
	w.stripe = &g.table.stripes[stripe]
	for len(occurrences) > 0 {
		occurrences = fill(g, w, occurrences)
		apply(g, w, g.table.core)
	}
}
