package optim

import (
	"math"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// CatchUp brings rows to step b.Step, as a dense update with zero gradients at
// each missed step would: step by step, until the steps have faded. Those of
// Adam fade by Beta1/sqrt(Beta2), or faster, a step, those of AMSGrad, whose
// divisor stays, by Beta1: rows are taken through 194 steps at most with Keras'
// betas, mostly through far fewer, and have the bits of as many dense updates.
// If Beta1 ≥ sqrt(Beta2), or if the schedule has no known bound (one of another
// package, or an ExponentialDecay that grows), it is as many steps as it takes
// for any m to vanish: 1,823 for a Beta1 of 0.9.
func (a Adam) CatchUp(b Block, last []int64, rate Schedule) {
	rule := adamFade{a, a.firstCorrections()}
	if a.AMSGrad {
		f := amsgradFaders.Get().(*fader[float32, amsgradFade])
		f.catchUp(amsgradFade{rule}, b, last, rate, 3*b.Width)
		amsgradFaders.Put(f)
		return
	}
	f := adamFaders.Get().(*fader[float32, adamFade])
	f.catchUp(rule, b, last, rate, 2*b.Width)
	adamFaders.Put(f)
}

// walk takes the steps at which rows move; see [walking].
func (a Adam) walk(b Block, last []int64, o *Optimizer) {
	rule := adamFade{a, a.firstCorrections()}
	if a.AMSGrad {
		f := amsgradFaders.Get().(*fader[float32, amsgradFade])
		f.walk(amsgradFade{rule}, b, last, o, 3*b.Width)
		amsgradFaders.Put(f)
		return
	}
	f := adamFaders.Get().(*fader[float32, adamFade])
	f.walk(rule, b, last, o, 2*b.Width)
	adamFaders.Put(f)
}

var (
	adamFaders    = sync.Pool{New: func() any { return new(fader[float32, adamFade]) }}
	amsgradFaders = sync.Pool{New: func() any { return new(fader[float32, amsgradFade]) }}
)

// adamFade is Adam without gradients. Its scalar is alpha.
type adamFade struct {
	Adam
	// corrections are those of the first steps, from step 0.
	corrections []correction[float32]
}

func (a adamFade) scalars(t int64, lr float32) float32 { return a.correctionOf(t).alpha(lr) }

func (a adamFade) correctionOf(step int64) correction[float32] {
	if step < int64(len(a.corrections)) {
		return a.corrections[step]
	}
	if n := len(a.corrections); n > 0 && a.corrections[n-1] == none {
		return none
	}
	return correctionAt[float32](a.Adam, step)
}

func (a adamFade) fade(row, zeros, alphas []float32) {
	kernel.AdamDecay(row, len(zeros), alphas, a.Beta1, a.Beta2, float32(a.Epsilon))
}

func (a adamFade) beta() (beta, shrink float64) { return a.Beta1, a.Beta1 / math.Sqrt(a.Beta2) }

func (a adamFade) moves(row []float32, width int, next int64, peak float64) bool {
	return a.movesBy(row[:width], row[width:2*width], row[2*width:3*width], next, peak)
}

// movesBy is moves with the divisor sqrt(v)+Epsilon. The corrections to come are at
// most 1/(1-Beta1^next).
func (a adamFade) movesBy(w, m, v []float32, next int64, peak float64) bool {
	bound := float32(peak*0x1p26) / a.correctionOf(next).under
	eps := float32(a.Epsilon)
	for j := range w {
		if abs(m[j])*bound > abs(w[j])*(sqrt(v[j])+eps) {
			return true
		}
	}
	return false
}

func (a adamFade) rest(row []float32, width int, n int64) {
	scaleBy(row[width:2*width], keptAfter(a.Beta1, n))
	scaleBy(row[2*width:3*width], keptAfter(a.Beta2, n))
}

// amsgradFade is Adam with AMSGrad, whose divisor stays when v decays.
type amsgradFade struct{ adamFade }

func (a amsgradFade) fade(row, zeros, alphas []float32) {
	for _, alpha := range alphas {
		kernel.AMSGrad(row, len(row), len(zeros), only, zeros, adamStep(a.Adam, alpha))
	}
}

func (a amsgradFade) beta() (beta, shrink float64) { return a.Beta1, a.Beta1 }

func (a amsgradFade) moves(row []float32, width int, next int64, peak float64) bool {
	return a.movesBy(row[:width], row[width:2*width], row[3*width:], next, peak)
}

// none is the correction of late steps: both powers are lost beside 1.
var none = correction[float32]{1, 1}

// tabledSteps is how many corrections are kept at most for a pair of betas, 256
// KiB. Keras' betas need 17,300: all later ones are none. To fill the table
// takes about a millisecond, once; to compute a correction anew takes as long
// as a step of a row of 64 weights.
const tabledSteps = 1 << 15

// tables holds []correction[float32] by [2]float64, the betas.
var tables sync.Map

// firstCorrections returns the corrections of the steps from 0 up to the first
// that is none, or up to [tabledSteps].
func (a Adam) firstCorrections() []correction[float32] {
	betas := [2]float64{a.Beta1, a.Beta2}
	if t, ok := tables.Load(betas); ok {
		return t.([]correction[float32])
	}
	var table []correction[float32]
	for len(table) < tabledSteps {
		c := correctionAt[float32](a, int64(len(table)))
		table = append(table, c)
		if c == none {
			break
		}
	}
	t, _ := tables.LoadOrStore(betas, slices.Clip(table))
	return t.([]correction[float32])
}
