package optim

import (
	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/internal/portable"
)

// RMSprop divides each weight's step by the root of a moving mean of its
// squared gradients (Hinton, 2012), in Keras' form:
//
//	v  = Rho·v + (1-Rho)·g·g
//	a  = Rho·a + (1-Rho)·g                  Centered
//	s  = lr·g / sqrt(v + Epsilon)
//	s  = lr·g / sqrt(v - a·a + Epsilon)     Centered
//	w -= s
//
//	m  = Momentum·m + s                     Momentum
//	w -= m
//
// A mean of squares is never less than the square of the mean: where rounding
// says so, v - a·a counts as 0. (Keras takes the root of a negative number
// there, and the weight is lost.)
type RMSprop struct {
	// Rho is how much of the mean is kept in a step, in [0, 1). Keras' default,
	// which [NewRMSprop] fills in: 0.9.
	Rho float64 `json:"rho"`
	// Momentum is how much of the last step is kept, in [0, 1]. Default: 0.
	Momentum float64 `json:"momentum"`
	// Epsilon keeps the divisor from zero. Keras' default, which [NewRMSprop]
	// fills in: 1e-7.
	Epsilon float64 `json:"epsilon"`
	// Centered divides by the root of the variance of the gradients instead of
	// that of their mean square. Default: false.
	Centered bool `json:"centered"`
}

// NewRMSprop returns RMSprop with Keras' hyper-parameters.
func NewRMSprop() RMSprop { return RMSprop{Rho: 0.9, Epsilon: 1e-7} }

// Name returns "RMSprop".
func (RMSprop) Name() string { return "RMSprop" }

// Slots returns "velocity" (v), as Keras calls the mean, then "momentum" (m) if
// there is one, then "average_gradient" (a) if it is Centered.
func (r RMSprop) Slots() []Slot {
	slots := []Slot{{Name: "velocity"}}
	if r.Momentum != 0 {
		slots = append(slots, Slot{Name: "momentum"})
	}
	if r.Centered {
		slots = append(slots, Slot{Name: "average_gradient"})
	}
	return slots
}

// Validate refuses hyper-parameters out of range.
func (r RMSprop) Validate() error {
	return firstError(decayRate("rho", r.Rho), momentumRate(r.Momentum), positive("epsilon", r.Epsilon))
}

// state cuts a row's state into v, m and a; what the rule does not keep is nil.
func (r RMSprop) state(slots []float32, width int) (v, m, a []float32) {
	v, slots = slots[:width], slots[width:]
	if r.Momentum != 0 {
		m, slots = slots[:width], slots[width:]
	}
	if r.Centered {
		a = slots[:width]
	}
	return v, m, a
}

// numbers is what Slots comes to.
func (r RMSprop) numbers(width int) int {
	n := width
	if r.Momentum != 0 {
		n += width
	}
	if r.Centered {
		n += width
	}
	return n
}

// Update takes one step on each row of b.
func (r RMSprop) Update(b Block) { take(b, kernel.RMSprop, rmspropStep(r, b.LR)) }

// Update64 takes one step on each row of b.
func (r RMSprop) Update64(b BlockOf[float64]) { take(b, kernel.RMSprop64, rmspropStep(r, b.LR)) }

func rmspropStep[F Float](r RMSprop, lr F) kernel.RMSpropStepOf[F] {
	return kernel.RMSpropStepOf[F]{
		LR: lr, Rho: F(r.Rho), Fresh: F(1 - r.Rho), Eps: F(r.Epsilon),
		Momentum: F(r.Momentum), Centered: r.Centered,
	}
}

// CatchUp brings rows to step b.Step: the means are multiplied by Rho for each
// missed step, all at once. The weights stay, unless there is a momentum: that
// is a geometric series, summed as in [SGD.CatchUp].
func (r RMSprop) CatchUp(b Block, last []int64, _ Schedule) {
	rho := float64(float32(r.Rho)) // as Update has it
	for i := range b.Rows {
		gap := b.Step - last[i]
		if gap <= 0 {
			continue
		}
		w, slots := b.row(i, r.numbers(b.Width))
		v, m, a := r.state(slots, b.Width)
		kept := float32(portable.Pow(rho, float64(gap)))
		scaleBy(v, kept)
		scaleBy(a, kept)
		if m != nil {
			r.coast(w, m, gap)
		}
	}
}

func (r RMSprop) coast(w, m []float32, gap int64) {
	sum, left := geometric(float64(float32(r.Momentum)), gap)
	keep, move := float32(left), float32(sum)
	for j, v := range m {
		w[j] -= float32(v * move)
		m[j] = v * keep
	}
}

// moving returns how many steps after its last gradient a row still moves.
func (r RMSprop) moving() int64 { return coastingSteps(r.Momentum) }

func scaleBy[F Float](x []F, factor F) {
	for j := range x {
		x[j] *= factor
	}
}

// momentumRate returns an error unless x is in [0, 1].
func momentumRate(x float64) error {
	if !(x >= 0 && x <= 1) {
		return configError("momentum must be in the range [0, 1]. Received: momentum=%v", x)
	}
	return nil
}
