package optim

import (
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/portable"
)

// fading is a rule of Adam's kind, whose steps fade when gradients stay away:
// step k after the last gradient moves a weight by at most
//
//	d(k) = A·|m|·Beta1^k / (D·c^k + Epsilon)
//
// where m is the momentum, D a divisor that decays too, by c a step, and A
// bounds the learning rates and corrections to come. S is what a step needs to
// know beside the row.
type fading[S any] interface {
	// scalars returns what step t at a learning rate needs to know.
	scalars(t int64, lr float32) S
	// fade takes len(s) steps on a row whose gradients are zeros, as many as it
	// has weights, with the bits of as many calls of Update.
	fade(row, zeros []float32, s []S)
	// beta is what a step keeps of the momentum; shrink is Beta1/c.
	beta() (beta, shrink float64)
	// moves tells whether some step from next on can change a weight, at
	// learning rates of at most peak: whether d(0) is 2^-26 of it or more.
	moves(row []float32, width int, next int64, peak float64) bool
	// rest decays the state by n steps at once.
	rest(row []float32, width int, n int64)
}

// fader brings rows of a fading rule R forward. It takes the missed steps one by
// one, with the bits of as many dense updates, until none of them can matter
// any more, and closes with powers:
//
//	last[i]      +32     +64         +n                        b.Step
//	   ├───────────┼───────┼─────…─────┤ - - - - - - - - - - - - ┤
//	   │ fade, 32 steps a call         │ rest
//
// The steps shrink: if shrink is below 1, d falls by it, or faster, a step.
// Then stepping ends, whichever comes first,
//
//   - at a multiple of 32 steps where d < |w|/2^26 for every weight of the row:
//     half of the last place of w is at least |w|/2^25, so that the rounded
//     subtractions left out would all have given back w. Nothing is lost;
//   - after n steps with shrink^n/(1-shrink) ≤ 2^-26 (194 for Adam with Keras'
//     betas): all that is left out is less than 2^-26 of one full step, which is
//     less than the rounding of that one step's quotient. It is rows that hover
//     around zero that come this far.
//
// If shrink is not below 1, or if the schedule has no known bound (one of
// another package, or an ExponentialDecay that grows), stepping ends when a
// float32 m of any size has vanished, Beta1^n < 2^-277 (1,823 steps for 0.9).
type fader[S any, R fading[S]] struct {
	rule R
	step int64 // the step to reach
	rate Schedule
	peak float64 // bounds rate, +Inf if nothing does

	// limit is the most steps that a row is taken through one by one.
	limit int64
	// early allows to stop before limit, where no weight moves any more.
	early bool

	zeros  []float32
	recent []S          // the scalars of the last steps up to step
	older  [fadeChunk]S // those of one chunk further back
}

// only names the row of a slab of one row.
var only = []uint32{0}

// fadeChunk is the number of steps between looks at whether a row is settled:
// a look costs about as much as five steps of Adam.
const fadeChunk = 32

// catchUp brings the rows of b forward; see [CatchUpper].
func (f *fader[S, R]) catchUp(rule R, b Block, last []int64, rate Schedule, state int) {
	longest := longestGap(b, last)
	if longest <= 0 {
		return
	}
	f.begin(rule, b, rate, longest)
	for i, r := range b.Rows {
		if gap := b.Step - last[i]; gap > 0 {
			f.row(b.Data[int(r)*b.Stride:][:b.Width+state], b.Width, gap)
		}
	}
}

// longestGap returns how many steps the oldest row of b lies back.
func longestGap(b Block, last []int64) int64 {
	longest := int64(0)
	for _, l := range last[:len(b.Rows)] {
		longest = max(longest, b.Step-l)
	}
	return longest
}

// begin readies f for rows of which the oldest lies longest steps back.
func (f *fader[S, R]) begin(rule R, b Block, rate Schedule, longest int64) {
	f.rule, f.step, f.rate, f.peak = rule, b.Step, rate, peakOf(rate)
	f.zeros = slices.Grow(f.zeros[:0], b.Width)[:b.Width] // nobody writes to it
	beta, shrink := rule.beta()
	f.limit, f.early = fadingSteps(beta, shrink, f.peak)
	n := min(longest, f.limit)
	f.recent = slices.Grow(f.recent[:0], int(n))[:n]
	f.fill(f.recent, b.Step-n+1)
}

// fadingSteps returns after how many steps a row's weights rest, and whether
// its steps are known to shrink until then.
func fadingSteps(beta, shrink, peak float64) (limit int64, shrinks bool) {
	limit = stepsUntil(beta, 0x1p-277)
	if shrink < 1 && !math.IsInf(peak, 1) {
		return min(limit, stepsUntil(shrink, 0x1p-26*(1-shrink))), true
	}
	return limit, false
}

// stepsUntil returns the least n ≥ 1 with factor^n ≤ bound.
func stepsUntil(factor, bound float64) int64 {
	return max(1, int64(math.Ceil(portable.Log(bound)/portable.Log(factor))))
}

// fill computes the scalars of len(dst) steps from first on.
func (f *fader[S, R]) fill(dst []S, first int64) {
	for i := range dst {
		t := first + int64(i)
		dst[i] = f.rule.scalars(t, f.rate.At(t))
	}
}

// scalars returns those of at most [fadeChunk] steps from first on.
func (f *fader[S, R]) scalars(first, n int64) []S {
	if back := f.step - first + 1; back <= int64(len(f.recent)) {
		return f.recent[int64(len(f.recent))-back:][:n]
	}
	f.fill(f.older[:n], first)
	return f.older[:n]
}

// row brings one row, its weights and its state, forward by gap steps.
func (f *fader[S, R]) row(row []float32, width int, gap int64) {
	first, steps := f.step-gap+1, min(gap, f.limit)
	done := int64(0)
	for done < steps {
		n := min(fadeChunk, steps-done)
		f.rule.fade(row, f.zeros, f.scalars(first+done, n))
		done += n
		if f.early && done < steps && !f.rule.moves(row, width, first+done, f.peak) {
			break
		}
	}
	if rest := gap - done; rest > 0 {
		f.rule.rest(row, width, rest)
	}
}

// walk brings the rows of b forward with what o does around the rule's steps; see
// [walking]. Weight decay and averages move weights at every step, so that no
// row is settled early.
func (f *fader[S, R]) walk(rule R, b Block, last []int64, o *Optimizer, state int) {
	f.begin(rule, b, o.schedule(), longestGap(b, last))
	for i, r := range b.Rows {
		gap := b.Step - last[i]
		if gap <= 0 {
			continue
		}
		row := b.Data[int(r)*b.Stride:]
		own, average := row[:b.Width+state], []float32(nil)
		if o.EMA != nil {
			average = row[b.Width+state:][:b.Width]
		}
		last[i] += f.steps(own, average, last[i]+1, min(gap, f.limit), o)
		if rest := b.Step - last[i]; rest > 0 {
			f.rule.rest(own, b.Width, rest)
		}
	}
}

// steps takes n steps from first on, and returns n.
func (f *fader[S, R]) steps(row, average []float32, first, n int64, o *Optimizer) int64 {
	w := row[:len(f.zeros)]
	for done := int64(0); done < n; done += fadeChunk {
		scalars := f.scalars(first+done, min(fadeChunk, n-done))
		for i := range scalars {
			t := first + done + int64(i)
			if o.WeightDecay != 0 {
				decayRow(w, float32(o.WeightDecay), f.rate.At(t))
			}
			f.rule.fade(row, f.zeros, scalars[i:i+1])
			if average != nil {
				takeIn(o.EMA, w, average, t)
			}
		}
	}
	return n
}

// keptAfter is what n steps leave of a moment: each takes away float32(1-beta) of it.
func keptAfter(beta float64, n int64) float32 { return keptOf(float32(1-beta), n) }

// keptOf is what n steps leave of a number when each takes away a part of it.
func keptOf(part float32, n int64) float32 {
	return float32(portable.Pow(1-float64(part), float64(n)))
}

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }
