package optim

import (
	"math"

	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// SGD is gradient descent, with momentum or without, in Keras' form:
//
//	w -= g·lr                               Momentum 0
//
//	m = m·Momentum - g·lr
//	w += m                                  Momentum
//	w += m·Momentum - g·lr                  Momentum and Nesterov
//
// PyTorch's momentum is another: it leaves the learning rate out of m. The zero
// value is plain SGD, Keras' default.
type SGD struct {
	// Momentum is how much of the last step is kept, in [0, 1]. Default: 0.
	Momentum float64 `json:"momentum"`
	// Nesterov looks one step ahead. It needs Momentum. Default: false.
	Nesterov bool `json:"nesterov"`
}

// Name returns "SGD".
func (SGD) Name() string { return "SGD" }

// Slots returns "momentum", or nothing for Momentum 0.
func (s SGD) Slots() []Slot {
	if s.Momentum == 0 {
		return nil
	}
	return []Slot{{Name: "momentum"}}
}

// numbers is what Slots comes to.
func (s SGD) numbers(width int) int {
	if s.Momentum == 0 {
		return 0
	}
	return width
}

// Validate refuses a Momentum outside [0, 1].
func (s SGD) Validate() error { return momentumRate(s.Momentum) }

// Update takes one step on each row of b.
func (s SGD) Update(b Block) {
	if s.Momentum == 0 {
		take(b, kernel.SGD, b.LR)
		return
	}
	step := kernel.Momentum
	if s.Nesterov {
		step = kernel.Nesterov
	}
	for p := range b.pieces() {
		step(p.Data, p.Stride, p.Width, p.Rows, p.Grads, p.LR, float32(s.Momentum))
	}
}

// Update64 takes one step on each row of b.
func (s SGD) Update64(b BlockOf[float64]) {
	if s.Momentum == 0 {
		take(b, kernel.SGD64, b.LR)
		return
	}
	step := kernel.Momentum64
	if s.Nesterov {
		step = kernel.Nesterov64
	}
	for p := range b.pieces() {
		step(p.Data, p.Stride, p.Width, p.Rows, p.Grads, p.LR, s.Momentum)
	}
}

// CatchUp brings rows to step b.Step. Without gradients the momentum is a
// geometric series: n missed steps move a weight by m·(μ + μ² + … + μⁿ), times
// μ once more for Nesterov, and leave m·μⁿ, whatever the learning rate. The
// sum is taken in float64 and applied at once: it is nearer to the exact
// result than n rounded steps are, and costs the same for every gap.
func (s SGD) CatchUp(b Block, last []int64, _ Schedule) {
	if s.stays() {
		return
	}
	for i := range b.Rows {
		if gap := b.Step - last[i]; gap > 0 {
			w, m := b.row(i, b.Width)
			s.coast(w, m, gap)
		}
	}
}

func (s SGD) coast(w, m []float32, gap int64) {
	momentum := float64(float32(s.Momentum)) // as Update has it
	sum, left := geometric(momentum, gap)
	if s.Nesterov {
		sum *= momentum
	}
	keep, move := float32(left), float32(sum)
	for j, v := range m {
		w[j] += float32(v * move)
		m[j] = v * keep
	}
}

// stays tells whether a row without gradients stays as it is.
func (s SGD) stays() bool { return s.Momentum == 0 }

// moving returns how many steps after its last gradient a row still moves.
func (s SGD) moving() int64 { return coastingSteps(s.Momentum) }

// coastingSteps returns the steps n after which all that is left of the series
// of a momentum is less than 2^-26 of its first term.
func coastingSteps(momentum float64) int64 {
	switch {
	case momentum == 0:
		return 0
	case float32(momentum) == 1:
		return math.MaxInt64
	}
	return stepsUntil(momentum, 0x1p-26*(1-momentum))
}
