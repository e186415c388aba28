package optim

import "github.com/rowan-embeddings/rowan/internal/portable"

// RMSprop divides each weight's step by the root of a moving mean of its
// squared gradients (Hinton, 2012), in Keras' form without momentum and centring:
//
//	v  = Rho·v + (1-Rho)·g·g
//	w -= lr·g / sqrt(v + Epsilon)
type RMSprop struct {
	// Rho is how much of the mean is kept in a step, in [0, 1). Keras' default,
	// which [NewRMSprop] fills in: 0.9.
	Rho float64 `json:"rho"`
	// Epsilon keeps the divisor from zero. Keras' default, which [NewRMSprop]
	// fills in: 1e-7.
	Epsilon float64 `json:"epsilon"`
}

// NewRMSprop returns RMSprop with Keras' hyper-parameters.
func NewRMSprop() RMSprop { return RMSprop{Rho: 0.9, Epsilon: 1e-7} }

// Name returns "RMSprop".
func (RMSprop) Name() string { return "RMSprop" }

// Slots returns "velocity", as Keras calls the mean.
func (RMSprop) Slots() []Slot { return []Slot{{Name: "velocity"}} }

// numbers is what Slots comes to.
func (RMSprop) numbers(width int) int { return width }

// Validate refuses hyper-parameters out of range.
func (r RMSprop) Validate() error {
	return firstError(decayRate("rho", r.Rho), positive("epsilon", r.Epsilon))
}

// Update takes one step on each row of b.
func (r RMSprop) Update(b Block) {
	rho, fresh, eps := float32(r.Rho), float32(1-r.Rho), float32(r.Epsilon)
	for i := range b.Rows {
		w, v := b.row(i, b.Width)
		for j, g := range b.grad(i) {
			v[j] = float32(rho*v[j]) + float32(fresh*float32(g*g))
			w[j] -= float32(b.LR*g) / sqrt(v[j]+eps)
		}
	}
}

// CatchUp brings rows to step b.Step: the mean is multiplied by Rho for each
// missed step, all at once, and the weights stay.
func (r RMSprop) CatchUp(b Block, last []int64, _ Schedule) {
	rho := float64(float32(r.Rho)) // as Update has it
	for i := range b.Rows {
		if gap := b.Step - last[i]; gap > 0 {
			_, v := b.row(i, b.Width)
			scaleBy(v, float32(portable.Pow(rho, float64(gap))))
		}
	}
}

// moving returns 0: a row without gradients rests.
func (RMSprop) moving(Schedule) int64 { return 0 }

func scaleBy(x []float32, factor float32) {
	for j := range x {
		x[j] *= factor
	}
}
