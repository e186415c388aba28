package optim

import (
	"math"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/internal/portable"
)

// CatchUp brings rows to step b.Step, as a dense update with zero gradients at
// each missed step would. It takes the missed steps one by one, with the bits
// of as many dense updates, until none of them can matter any more, and closes
// with powers:
//
//	last[i]      +32     +64         +n                        b.Step
//	   ├───────────┼───────┼─────…─────┤ - - - - - - - - - - - - ┤
//	   │ AdamDecay, 32 steps a call    │ m·(Beta1^rest), v·(Beta2^rest), w
//
// The steps shrink: step k of a row moves a weight by at most
//
//	d(k) = A·|m|·Beta1^k / (sqrt(v)·Beta2^(k/2) + Epsilon)
//
// where A bounds the learning rates and corrections to come. If Beta1 <
// sqrt(Beta2), d falls by r = Beta1/sqrt(Beta2) or faster a step. Then stepping
// ends, whichever comes first,
//
//   - at a multiple of 32 steps where d < |w|/2^26 for every weight of the row:
//     half of the last place of w is at least |w|/2^25, so that the rounded
//     subtractions left out would all have given back w. Nothing is lost;
//   - after n steps with r^n/(1-r) ≤ 2^-26 (194 for Keras' betas): all that is
//     left out is less than 2^-26 of one full step, which is less than the
//     rounding of that one step's quotient. It is rows that hover around zero
//     that come this far.
//
// If Beta1 ≥ sqrt(Beta2), or if the schedule has no known bound (one of another
// package, or an ExponentialDecay that grows), stepping ends when a float32 m
// of any size has vanished, Beta1^n < 2^-277 (1,823 steps for 0.9).
//
// So the cost is bounded for any gap. There is one exception: WeightDecay with
// a schedule other than [Constant] multiplies the decays of a long gap's steps
// one by one, once for all rows of the call.
func (a Adam) CatchUp(b Block, last []int64, rate Schedule) {
	longest := int64(0)
	for _, l := range last[:len(b.Rows)] {
		longest = max(longest, b.Step-l)
	}
	if longest <= 0 {
		return
	}
	c := catchUps.Get().(*adamCatchUp)
	defer catchUps.Put(c)
	c.begin(a, b.Step, rate, longest)
	for i, r := range b.Rows {
		if gap := b.Step - last[i]; gap > 0 {
			c.row(b.Data[int(r)*b.Stride:][:3*b.Width], b.Width, gap)
		}
	}
}

// adamCatchUp is the work of one call of [Adam.CatchUp], kept for its slices.
type adamCatchUp struct {
	Adam
	step int64 // the step to reach
	rate Schedule
	peak float64 // bounds rate, +Inf if nothing does

	// limit is the most steps that a row is taken through one by one.
	limit int64
	// early allows to stop before limit; see settled.
	early bool
	// corrections are those of the first steps, from step 0.
	corrections []correction

	recent []float32           // the alphas of the last steps up to step
	older  [decayChunk]float32 // those of one chunk further back
	decays []float64           // the products of weight decays; see decay
}

// decayChunk is the number of steps between looks at whether a row is settled:
// a look costs about as much as five steps.
const decayChunk = 32

var catchUps = sync.Pool{New: func() any { return new(adamCatchUp) }}

// begin readies c for rows of which the oldest lies longest steps back.
func (c *adamCatchUp) begin(a Adam, step int64, rate Schedule, longest int64) {
	c.Adam, c.step, c.rate, c.peak = a, step, rate, peakOf(rate)
	c.corrections = a.firstCorrections()
	shrink := a.Beta1 / math.Sqrt(a.Beta2)
	bounded := shrink < 1 && !math.IsInf(c.peak, 1)
	c.early = bounded && a.WeightDecay == 0
	c.limit = stepsUntil(a.Beta1, 0x1p-277)
	if bounded {
		c.limit = min(c.limit, stepsUntil(shrink, 0x1p-26*(1-shrink)))
	}
	n := min(longest, c.limit)
	c.recent = slices.Grow(c.recent[:0], int(n))[:n]
	c.fill(c.recent, step-n+1)
	c.multiplyDecays(longest - c.limit)
}

// stepsUntil returns the least n ≥ 1 with factor^n ≤ bound.
func stepsUntil(factor, bound float64) int64 {
	return max(1, int64(math.Ceil(portable.Log(bound)/portable.Log(factor))))
}

// fill computes the alphas of len(dst) steps from first on.
func (c *adamCatchUp) fill(dst []float32, first int64) {
	for i := range dst {
		t := first + int64(i)
		dst[i] = c.correctionOf(t).alpha(c.rate.At(t))
	}
}

func (c *adamCatchUp) correctionOf(step int64) correction {
	if step < int64(len(c.corrections)) {
		return c.corrections[step]
	}
	if last := c.corrections[len(c.corrections)-1]; last == none {
		return none
	}
	return c.correction(step)
}

// alphas returns those of at most [decayChunk] steps from first on.
func (c *adamCatchUp) alphas(first, n int64) []float32 {
	if back := c.step - first + 1; back <= int64(len(c.recent)) {
		return c.recent[int64(len(c.recent))-back:][:n]
	}
	c.fill(c.older[:n], first)
	return c.older[:n]
}

// row brings one row, its weights and both moments, forward by gap steps.
func (c *adamCatchUp) row(row []float32, width int, gap int64) {
	first, steps := c.step-gap+1, min(gap, c.limit)
	done := int64(0)
	for done < steps {
		n := min(decayChunk, steps-done)
		c.take(row, width, first+done, n)
		done += n
		if c.settled(row, width, first+done) {
			break
		}
	}
	if rest := gap - done; rest > 0 {
		c.close(row, width, rest)
	}
}

// take takes n steps from first on, at most [decayChunk], as Update would.
func (c *adamCatchUp) take(row []float32, width int, first, n int64) {
	alphas, eps := c.alphas(first, n), float32(c.Epsilon)
	if c.WeightDecay == 0 {
		kernel.AdamDecay(row, width, alphas, c.Beta1, c.Beta2, eps)
		return
	}
	for i := range alphas {
		c.decayWeights(row[:width], c.rate.At(first+int64(i)))
		kernel.AdamDecay(row, width, alphas[i:i+1], c.Beta1, c.Beta2, eps)
	}
}

// settled tells whether no step from next on can change a weight of the row.
// The corrections to come are at most 1/(1-Beta1^next).
func (c *adamCatchUp) settled(row []float32, width int, next int64) bool {
	if !c.early {
		return false
	}
	w, m, v := row[:width], row[width:2*width], row[2*width:]
	bound := float32(c.peak*0x1p26) / c.correctionOf(next).under
	eps := float32(c.Epsilon)
	for j := range w {
		if abs(m[j])*bound > abs(w[j])*(sqrt(v[j])+eps) {
			return false
		}
	}
	return true
}

// close takes the last rest steps at once: they decay the moments, and by
// WeightDecay the weights.
func (c *adamCatchUp) close(row []float32, width int, rest int64) {
	scaleBy(row[width:2*width], keptAfter(c.Beta1, rest))
	scaleBy(row[2*width:], keptAfter(c.Beta2, rest))
	if c.WeightDecay != 0 {
		scaleBy(row[:width], c.decay(rest))
	}
}

// keptAfter is what n steps leave of a moment: each takes away float32(1-beta) of it.
func keptAfter(beta float64, n int64) float32 {
	return float32(portable.Pow(1-float64(float32(1-beta)), float64(n)))
}

// decay is what the last n steps' weight decay leaves of a weight.
func (c *adamCatchUp) decay(n int64) float32 {
	if keep, ok := c.constantDecay(); ok {
		return float32(portable.Pow(keep, float64(n)))
	}
	return float32(c.decays[n-1])
}

// constantDecay is what one step leaves of a weight, if that is the same for all.
func (c *adamCatchUp) constantDecay() (keep float64, ok bool) {
	rate, ok := c.rate.(Constant)
	keep = 1 - float64(c.WeightDecay*float64(rate))
	return keep, ok && keep > 0
}

// multiplyDecays sets decays[i] to what the last i+1 steps' weight decays leave
// of a weight, for i < n, if decay needs them.
func (c *adamCatchUp) multiplyDecays(n int64) {
	c.decays = c.decays[:0]
	if _, constant := c.constantDecay(); c.WeightDecay == 0 || constant {
		return
	}
	product := 1.0
	for i := range n {
		product *= 1 - float64(c.WeightDecay*float64(c.rate.At(c.step-i)))
		c.decays = append(c.decays, product)
	}
}

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }

// none is the correction of late steps: both powers are lost beside 1.
var none = correction{1, 1}

// tabledSteps is how many corrections are kept at most for a pair of betas, 256
// KiB. Keras' betas need 17,300: all later ones are none. To fill the table
// takes about a millisecond, once; to compute a correction anew takes as long
// as a step of a row of 64 weights.
const tabledSteps = 1 << 15

// tables holds []correction by [2]float64, the betas.
var tables sync.Map

// firstCorrections returns the corrections of the steps from 0 up to the first
// that is none, or up to [tabledSteps].
func (a Adam) firstCorrections() []correction {
	betas := [2]float64{a.Beta1, a.Beta2}
	if t, ok := tables.Load(betas); ok {
		return t.([]correction)
	}
	var table []correction
	for len(table) < tabledSteps {
		c := a.correction(int64(len(table)))
		table = append(table, c)
		if c == none {
			break
		}
	}
	t, _ := tables.LoadOrStore(betas, slices.Clip(table))
	return t.([]correction)
}
