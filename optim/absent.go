package optim

import (
	"math"
	"slices"
	"sync"
)

// resting is a rule of this package whose dense form moves the weights of a row
// for a while after its last gradient only: all that its later steps together
// would move them is less than the rounding of one.
type resting interface {
	CatchUpper
	// moving returns the number of steps after which the weights of a row
	// without gradients rest.
	moving() int64
}

// staying is a rule whose dense form may leave rows without gradients as they
// are, weights and state: it has stays, which tells whether it does.
type staying interface {
	CatchUpper
	stays() bool
}

// walking is a resting rule that takes the steps by itself.
type walking interface {
	CatchUpper
	// walk takes rows through the steps at which they move, with what o does
	// around them, and decays the state of those that rest by the steps after.
	// It sets last to the steps that the weights have been brought to.
	walk(b Block, last []int64, o *Optimizer)
}

// CatchesUp tells whether the dense form of o does anything to rows that have
// no gradient, so that [Optimizer.CatchUp] has something to do.
func (o *Optimizer) CatchesUp() bool {
	_, ok := o.Updater.(CatchUpper)
	return ok || o.surrounds()
}

// surrounds tells whether o does more to a row than its rule.
func (o *Optimizer) surrounds() bool { return o.WeightDecay != 0 || o.EMA != nil }

// CatchUp brings rows to step b.Step as [CatchUpper] does, weight decay and
// averages included. o has its defaults filled in.
//
// Weight decay and averages are taken with the rule's own steps, one by one, as
// long as those move a row: none of them for a rule whose absent rows stay (SGD
// without momentum, Adagrad, RMSprop, Adadelta), about two hundred for Adam and
// its kin. What is left is a linear map of (w, average), whose power is applied
// at once. The cost then does not grow with the gap, but
//
//   - with WeightDecay and a schedule other than [Constant] the maps of the
//     missed steps all differ: they are multiplied one by one, once for all rows
//     of the call;
//   - a rule that moves absent rows for good (Lion, FTRL, the proximal ones, SGD
//     of momentum 1, a CatchUpper of another package) is taken through each
//     missed step when there is WeightDecay or EMA.
func (o *Optimizer) CatchUp(b Block, last []int64) {
	if !o.surrounds() {
		if rule, ok := o.Updater.(CatchUpper); ok {
			rule.CatchUp(b, last, o.schedule())
		}
		return
	}
	if longestGap(b, last) <= 0 {
		return
	}
	a := absences.Get().(*absence)
	defer absences.Put(a)
	a.Optimizer, a.last = o, append(a.last[:0], last[:len(b.Rows)]...)
	switch rule := o.Updater.(type) {
	case walking:
		rule.walk(b, a.last, o)
	case resting:
		a.walk(b, rule.moving())
		rule.CatchUp(b, a.last, o.schedule())
	case CatchUpper:
		a.walk(b, math.MaxInt64)
	}
	a.rest(b)
	a.Optimizer = nil
}

// CatchUp64 is CatchUp of rows of float64: it brings them to step b.Step with
// weight decay and averages, as [Optimizer.Update64] has them. It takes the
// missed steps one after the other, as updates whose gradients are zeros, and so
// gives the bits of as many calls: the cost of a row grows with its gap. Rows
// that the dense form leaves as they are cost nothing.
//
// Who calls it has asked [Optimizer.Supports64].
func (o *Optimizer) CatchUp64(b BlockOf[float64], last []int64) {
	if rule, ok := o.Updater.(staying); !o.CatchesUp() || ok && rule.stays() && !o.surrounds() {
		return
	}
	a := absences.Get().(*absence)
	defer absences.Put(a)
	a.last = append(a.last[:0], last[:len(b.Rows)]...)
	a.zeros64 = slices.Grow(a.zeros64[:0], b.Width)[:b.Width] // nobody writes to it
	walk(b, a.last, math.MaxInt64, a.zeros64, o, o.Update64)
}

// absence is the work of one call of [Optimizer.CatchUp], kept for its slices.
type absence struct {
	*Optimizer
	last    []int64 // the step that each row has been brought to
	zeros   []float32
	zeros64 []float64
	gaps    gaps
}

var absences = sync.Pool{New: func() any { return new(absence) }}

// walk takes the rows through the given number of steps, or all they missed.
func (a *absence) walk(b Block, steps int64) {
	a.zeros = slices.Grow(a.zeros[:0], b.Width)[:b.Width] // nobody writes to it
	walk(b, a.last, steps, a.zeros, a.Optimizer, a.Update)
}

// walk takes the rows of b through the given number of steps after last, or all
// up to b.Step, as updates without gradients. It sets last to where they are.
func walk[F Float](b BlockOf[F], last []int64, steps int64, zeros []F, o *Optimizer, update func(BlockOf[F])) {
	for i := range b.Rows {
		n := min(steps, b.Step-last[i])
		for range n {
			last[i]++
			t := last[i]
			update(BlockOf[F]{Data: b.Data, Stride: b.Stride, Width: b.Width,
				Rows: b.Rows[i : i+1], Grads: zeros, Step: t, LR: F(o.LearningRate(t))})
		}
	}
}

// rest decays and averages the weights of rows that rest.
func (a *absence) rest(b Block) {
	at := b.Width + stateOf(a.Updater, b.Width)
	apply := func(i int, m linear) {
		row := b.Data[int(b.Rows[i])*b.Stride:]
		w := row[:b.Width]
		if a.EMA == nil {
			scaleBy(w, float32(m.xx))
			return
		}
		m.apply(w, row[at:at+b.Width])
	}
	if constant(a.Rate) || a.WeightDecay == 0 {
		for i := range b.Rows {
			if a.last[i] < b.Step {
				apply(i, a.steps(a.last[i]+1, b.Step))
			}
		}
		return
	}
	a.gaps.each(a.last, b.Step, a.one, apply)
}

// one is what step t does to the weights and the average of a row that rests.
func (a *absence) one(t int64) linear {
	m := linear{xx: a.keptBy(t), yy: 1}
	if a.EMA == nil {
		return m
	}
	keep := keeps[float32](a.EMA, t)
	m.yx, m.yy = float64(1-keep)*m.xx, float64(keep)
	if a.EMA.overwrites(t) {
		m.xx, m.xy = m.yx, m.yy
	}
	return m
}

// keptBy is what the weight decay of step t leaves of a weight.
func (a *absence) keptBy(t int64) float64 {
	if a.WeightDecay == 0 {
		return 1
	}
	return 1 - float64(float64(float32(a.WeightDecay))*float64(a.LearningRate(t)))
}

// steps is what the steps from first to last do, where the learning rate is
// constant or does not matter. Step 1 is not like the others, and neither is
// every OverwriteEvery-th.
func (a *absence) steps(first, last int64) linear {
	m, every := identity, int64(0)
	if a.EMA != nil {
		every = a.EMA.OverwriteEvery
	}
	if first == 1 || every == 1 {
		m = a.one(first)
		first++
	}
	if every <= 1 {
		return a.one(2).power(last - first + 1).after(m)
	}
	plain, full := a.one(every+1), a.one(every)
	if end := (first + every - 1) / every * every; end <= last {
		m = full.after(plain.power(end - first)).after(m)
		cycles := (last - end) / every
		m = full.after(plain.power(every - 1)).power(cycles).after(m)
		first = end + cycles*every + 1
	}
	return plain.power(last - first + 1).after(m)
}
