package optim

import (
	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/internal/portable"
)

// Adadelta takes steps as long as those before were, in proportion to the
// gradients (Zeiler, 2012), in Keras' form:
//
//	v  = Rho·v + (1-Rho)·g·g
//	d  = g·sqrt(u + Epsilon) / sqrt(v + Epsilon)
//	u  = Rho·u + (1-Rho)·d·d
//	w -= lr·d
type Adadelta struct {
	// Rho is how much of the means is kept in a step, in [0, 1). Keras' default,
	// which [NewAdadelta] fills in: 0.95.
	Rho float64 `json:"rho"`
	// Epsilon keeps the divisor from zero, and sets the length of the first
	// steps. Keras' default, which [NewAdadelta] fills in: 1e-7.
	Epsilon float64 `json:"epsilon"`
}

// NewAdadelta returns Adadelta with Keras' hyper-parameters.
func NewAdadelta() Adadelta { return Adadelta{Rho: 0.95, Epsilon: 1e-7} }

// Name returns "Adadelta".
func (Adadelta) Name() string { return "Adadelta" }

// Slots returns "accumulated_grad" (v) and "accumulated_delta_var" (u).
func (Adadelta) Slots() []Slot {
	return []Slot{{Name: "accumulated_grad"}, {Name: "accumulated_delta_var"}}
}

// numbers is what Slots comes to.
func (Adadelta) numbers(width int) int { return 2 * width }

// Validate refuses hyper-parameters out of range.
func (a Adadelta) Validate() error {
	return firstError(decayRate("rho", a.Rho), positive("epsilon", a.Epsilon))
}

// Update takes one step on each row of b.
func (a Adadelta) Update(b Block) {
	for p := range b.pieces() {
		kernel.Adadelta(p.Data, p.Stride, p.Width, p.Rows, p.Grads, p.LR, float32(a.Rho), float32(1-a.Rho), float32(a.Epsilon))
	}
}

// Update64 takes one step on each row of b.
func (a Adadelta) Update64(b BlockOf[float64]) {
	for p := range b.pieces() {
		kernel.Adadelta64(p.Data, p.Stride, p.Width, p.Rows, p.Grads, p.LR, a.Rho, 1-a.Rho, a.Epsilon)
	}
}

// CatchUp brings rows to step b.Step: both means are multiplied by Rho for each
// missed step, all at once, and the weights stay.
func (a Adadelta) CatchUp(b Block, last []int64, _ Schedule) {
	rho := float64(float32(a.Rho)) // as Update has it
	for i := range b.Rows {
		if gap := b.Step - last[i]; gap > 0 {
			_, slots := b.row(i, 2*b.Width)
			scaleBy(slots, float32(portable.Pow(rho, float64(gap))))
		}
	}
}

// moving returns 0: a row without gradients rests.
func (Adadelta) moving() int64 { return 0 }
