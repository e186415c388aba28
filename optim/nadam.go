package optim

import (
	"math"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/internal/portable"
)

// Nadam is Adam with Nesterov's look ahead (Dozat, 2016), in Keras' form; t is
// the step, β(t) = Beta1·(1 - 0.96^t/2), and Π(t) the product of β(1) to β(t):
//
//	m += (g - m)·(1-Beta1)
//	v += (g·g - v)·(1-Beta2)
//	h  = β(t+1)·m / (1-Π(t+1)) + (1-β(t))·g / (1-Π(t))
//	w -= h·lr / (sqrt(v / (1-Beta2^t)) + Epsilon)
//
// Keras keeps Π in a variable of the optimizer. Here it is a function of the step.
type Nadam struct {
	// Beta1 is how much of the mean gradient is kept in a step, in [0, 1).
	// Keras' default, which [NewNadam] fills in: 0.9.
	Beta1 float64 `json:"beta_1"`
	// Beta2 is how much of the mean squared gradient is kept in a step, in
	// [0, 1). Keras' default, which [NewNadam] fills in: 0.999.
	Beta2 float64 `json:"beta_2"`
	// Epsilon keeps the divisor from zero. Keras' default, which [NewNadam]
	// fills in: 1e-7.
	Epsilon float64 `json:"epsilon"`
}

// NewNadam returns Nadam with Keras' hyper-parameters.
func NewNadam() Nadam { return Nadam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7} }

// Name returns "Nadam".
func (Nadam) Name() string { return "Nadam" }

// Slots returns "momentum" (m) and "velocity" (v), as Keras calls them.
func (Nadam) Slots() []Slot { return []Slot{{Name: "momentum"}, {Name: "velocity"}} }

// numbers is what Slots comes to.
func (Nadam) numbers(width int) int { return 2 * width }

// Validate refuses hyper-parameters out of range.
func (n Nadam) Validate() error {
	return firstError(
		decayRate("beta_1", n.Beta1),
		decayRate("beta_2", n.Beta2),
		positive("epsilon", n.Epsilon),
	)
}

// scalars returns what step t at a learning rate needs to know.
func (n Nadam) scalars(t int64, lr float32) kernel.NadamStep { return nadamStep(n, t, lr) }

func nadamStep[F Float](n Nadam, t int64, lr F) kernel.NadamStepOf[F] {
	next, product := warmed[F](n, t+1), warmedProduct[F](n, t)
	part1, part2 := nadamParts[F](n)
	return kernel.NadamStepOf[F]{
		LR: lr, Eps: F(n.Epsilon),
		Next: next, UnderNext: 1 - F(product*next),
		Fresh: 1 - warmed[F](n, t), Under: 1 - product,
		Over:  1 - power[F](n.Beta2, t),
		Part1: part1, Part2: part2,
	}
}

// warmed is β(t).
func warmed[F Float](n Nadam, t int64) F {
	return F(F(n.Beta1) * (1 - F(0.5*power[F](0.96, t))))
}

// warmedProduct is Π(t), Beta1^t times a factor that depends on t alone.
func warmedProduct[F Float](n Nadam, t int64) F {
	warm := warmUps()
	return F(portable.Pow(float64(F(n.Beta1)), float64(t)) * warm[min(t, int64(len(warm)-1))])
}

// warmUps returns the products of 1 - 0.96^i/2 for i from 1 to t: from the last
// on, where 0.96^t/2 is below 2^-32, no float32 shows that they change. They are
// below 2^-20 there, so that in float64 1-Π(t) is off by less than 2^-49.
var warmUps = sync.OnceValue(func() *[560]float64 {
	var products [560]float64
	products[0] = 1
	for t := 1; t < len(products); t++ {
		products[t] = products[t-1] * (1 - float64(0.5*portable.Pow(0.96, float64(t))))
	}
	return &products
})

// Update takes one step on each row of b.
func (n Nadam) Update(b Block) { take(b, kernel.Nadam, n.scalars(b.Step, b.LR)) }

// Update64 takes one step on each row of b.
func (n Nadam) Update64(b BlockOf[float64]) { take(b, kernel.Nadam64, nadamStep(n, b.Step, b.LR)) }

// nadamParts is what a step takes away of m and v: Keras rounds the betas first here.
func nadamParts[F Float](n Nadam) (first, second F) { return 1 - F(n.Beta1), 1 - F(n.Beta2) }

// CatchUp brings rows to step b.Step, as [Adam.CatchUp] does. The steps fade by
// Beta1/sqrt(Beta2), or faster, a step, but for the corrections.
func (n Nadam) CatchUp(b Block, last []int64, rate Schedule) {
	f := nadamFaders.Get().(*fader[kernel.NadamStep, nadamFade])
	f.catchUp(nadamFade{n}, b, last, rate, 2*b.Width)
	nadamFaders.Put(f)
}

// walk takes the steps at which rows move; see [walking].
func (n Nadam) walk(b Block, last []int64, o *Optimizer) {
	f := nadamFaders.Get().(*fader[kernel.NadamStep, nadamFade])
	f.walk(nadamFade{n}, b, last, o, 2*b.Width)
	nadamFaders.Put(f)
}

var nadamFaders = sync.Pool{New: func() any { return new(fader[kernel.NadamStep, nadamFade]) }}

// nadamFade is Nadam without gradients.
type nadamFade struct{ Nadam }

func (n nadamFade) fade(row, zeros []float32, steps []kernel.NadamStep) {
	for _, s := range steps {
		kernel.Nadam(row, len(row), len(zeros), only, zeros, s)
	}
}

func (n nadamFade) beta() (beta, shrink float64) { return n.Beta1, n.Beta1 / math.Sqrt(n.Beta2) }

// moves multiplies the divisor by r = sqrt(1-Beta2^t), which grows from next on
// to 1: a step is r·β·m / (1-Π) over sqrt(v) + r·Epsilon. So r is at most 1 above
// and at least what it is at next below, β is at most Beta1, and Π falls.
func (n nadamFade) moves(row []float32, width int, next int64, peak float64) bool {
	w, m, v := row[:width], row[width:2*width], row[2*width:]
	s := n.scalars(next, 0)
	bound := float32(peak*0x1p26*n.Beta1) / s.UnderNext
	eps := float32(sqrt(s.Over) * float32(n.Epsilon))
	for j := range w {
		if abs(m[j])*bound > abs(w[j])*(sqrt(v[j])+eps) {
			return true
		}
	}
	return false
}

func (n nadamFade) rest(row []float32, width int, steps int64) {
	first, second := nadamParts[float32](n.Nadam)
	scaleBy(row[width:2*width], keptOf(first, steps))
	scaleBy(row[2*width:], keptOf(second, steps))
}
