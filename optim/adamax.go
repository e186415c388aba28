package optim

import (
	"sync"

	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// Adamax is Adam with the largest gradient, which decays, in the place of the
// second moment (Kingma and Ba, 2015), in Keras' form; t is the step:
//
//	m += (g - m)·(1-Beta1)
//	u  = max(Beta2·u, |g|)
//	w -= lr·m / ((1-Beta1^t)·(u + Epsilon))
type Adamax struct {
	// Beta1 is how much of the mean gradient is kept in a step, in [0, 1).
	// Keras' default, which [NewAdamax] fills in: 0.9.
	Beta1 float64 `json:"beta_1"`
	// Beta2 is how much of the largest gradient is kept in a step, in [0, 1).
	// Keras' default, which [NewAdamax] fills in: 0.999.
	Beta2 float64 `json:"beta_2"`
	// Epsilon keeps the divisor from zero. Keras' default, which [NewAdamax]
	// fills in: 1e-7.
	Epsilon float64 `json:"epsilon"`
}

// NewAdamax returns Adamax with Keras' hyper-parameters.
func NewAdamax() Adamax { return Adamax{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7} }

// Name returns "Adamax".
func (Adamax) Name() string { return "Adamax" }

// Slots returns "momentum" (m) and "norm" (u), as Keras calls them.
func (Adamax) Slots() []Slot { return []Slot{{Name: "momentum"}, {Name: "norm"}} }

// numbers is what Slots comes to.
func (Adamax) numbers(width int) int { return 2 * width }

// Validate refuses hyper-parameters out of range.
func (a Adamax) Validate() error {
	return firstError(
		decayRate("beta_1", a.Beta1),
		decayRate("beta_2", a.Beta2),
		positive("epsilon", a.Epsilon),
	)
}

// scalars returns what step t at a learning rate needs to know.
func (a Adamax) scalars(t int64, lr float32) kernel.AdamaxStep { return adamaxStep(a, t, lr) }

func adamaxStep[F Float](a Adamax, t int64, lr F) kernel.AdamaxStepOf[F] {
	return kernel.AdamaxStepOf[F]{
		LR: lr, Under: 1 - power[F](a.Beta1, t),
		Part: F(1 - a.Beta1), Keep: F(a.Beta2), Eps: F(a.Epsilon),
	}
}

// Update takes one step on each row of b.
func (a Adamax) Update(b Block) { take(b, kernel.Adamax, a.scalars(b.Step, b.LR)) }

// Update64 takes one step on each row of b.
func (a Adamax) Update64(b BlockOf[float64]) {
	take(b, kernel.Adamax64, adamaxStep(a, b.Step, b.LR))
}

// CatchUp brings rows to step b.Step, as [Adam.CatchUp] does. The steps fade by
// Beta1/Beta2, or faster, a step.
func (a Adamax) CatchUp(b Block, last []int64, rate Schedule) {
	f := adamaxFaders.Get().(*fader[kernel.AdamaxStep, adamaxFade])
	f.catchUp(adamaxFade{a}, b, last, rate, 2*b.Width)
	adamaxFaders.Put(f)
}

// walk takes the steps at which rows move; see [walking].
func (a Adamax) walk(b Block, last []int64, o *Optimizer) {
	f := adamaxFaders.Get().(*fader[kernel.AdamaxStep, adamaxFade])
	f.walk(adamaxFade{a}, b, last, o, 2*b.Width)
	adamaxFaders.Put(f)
}

var adamaxFaders = sync.Pool{New: func() any { return new(fader[kernel.AdamaxStep, adamaxFade]) }}

// adamaxFade is Adamax without gradients.
type adamaxFade struct{ Adamax }

func (a adamaxFade) fade(row, zeros []float32, steps []kernel.AdamaxStep) {
	for _, s := range steps {
		kernel.Adamax(row, len(row), len(zeros), only, zeros, s)
	}
}

func (a adamaxFade) beta() (beta, shrink float64) { return a.Beta1, a.Beta1 / a.Beta2 }

// moves knows that the corrections to come are at most 1/(1-Beta1^next).
func (a adamaxFade) moves(row []float32, width int, next int64, peak float64) bool {
	w, m, u := row[:width], row[width:2*width], row[2*width:]
	bound := float32(peak*0x1p26) / a.scalars(next, 0).Under
	eps := float32(a.Epsilon)
	for j := range w {
		if abs(m[j])*bound > abs(w[j])*(u[j]+eps) {
			return true
		}
	}
	return false
}

func (a adamaxFade) rest(row []float32, width int, n int64) {
	scaleBy(row[width:2*width], keptAfter(a.Beta1, n))
	scaleBy(row[2*width:], power[float32](a.Beta2, n))
}
