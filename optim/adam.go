package optim

import (
	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/internal/portable"
)

// Adam follows a moving mean of the gradients, each weight at its own pace
// (Kingma and Ba, 2015), in Keras' form; t is the step:
//
//	m += (g - m)·(1-Beta1)
//	v += (g·g - v)·(1-Beta2)
//	w -= m·alpha / (sqrt(v) + Epsilon)      alpha = lr·sqrt(1-Beta2^t) / (1-Beta1^t)
//
// AMSGrad (Reddi, Kale and Kumar, 2018) divides by the largest v there has been
// instead: v̂ = max(v̂, v) takes the place of v in the last line. AdamW
// (Loshchilov and Hutter, 2019) is Adam with [Optimizer.WeightDecay]. PyTorch
// adds Epsilon to another place: its results differ a little.
type Adam struct {
	// Beta1 is how much of the mean gradient is kept in a step, in [0, 1).
	// Keras' default, which [NewAdam] fills in: 0.9.
	Beta1 float64 `json:"beta_1"`
	// Beta2 is how much of the mean squared gradient is kept in a step, in
	// [0, 1). Keras' default, which [NewAdam] fills in: 0.999.
	Beta2 float64 `json:"beta_2"`
	// Epsilon keeps the divisor from zero. Keras' default, which [NewAdam]
	// fills in: 1e-7.
	Epsilon float64 `json:"epsilon"`
	// AMSGrad divides by the largest second moment so far. Default: false.
	AMSGrad bool `json:"amsgrad"`
}

// NewAdam returns Adam with Keras' hyper-parameters.
func NewAdam() Adam { return Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7} }

// Name returns "Adam".
func (Adam) Name() string { return "Adam" }

// Slots returns "momentum" (m) and "velocity" (v), as Keras calls them, and
// with AMSGrad "velocity_hat" (v̂).
func (a Adam) Slots() []Slot {
	slots := []Slot{{Name: "momentum"}, {Name: "velocity"}}
	if a.AMSGrad {
		slots = append(slots, Slot{Name: "velocity_hat"})
	}
	return slots
}

// numbers is what Slots comes to.
func (a Adam) numbers(width int) int {
	if a.AMSGrad {
		return 3 * width
	}
	return 2 * width
}

// Validate refuses hyper-parameters out of range.
func (a Adam) Validate() error {
	if a == (Adam{}) {
		return configError("epsilon must be a positive number. Received: epsilon=0. NewAdam fills in Keras' values")
	}
	return firstError(
		decayRate("beta_1", a.Beta1),
		decayRate("beta_2", a.Beta2),
		positive("epsilon", a.Epsilon),
	)
}

// Update takes one step on each row of b.
func (a Adam) Update(b Block) {
	update := kernel.Adam
	if a.AMSGrad {
		update = kernel.AMSGrad
	}
	take(b, update, adamStep(a, correctionAt[float32](a, b.Step).alpha(b.LR)))
}

// Update64 takes one step on each row of b.
func (a Adam) Update64(b BlockOf[float64]) {
	update := kernel.Adam64
	if a.AMSGrad {
		update = kernel.AMSGrad64
	}
	take(b, update, adamStep(a, correctionAt[float64](a, b.Step).alpha(b.LR)))
}

func adamStep[F Float](a Adam, alpha F) kernel.AdamStepOf[F] {
	return kernel.AdamStepOf[F]{Alpha: alpha, Beta1: a.Beta1, Beta2: a.Beta2, Eps: F(a.Epsilon)}
}

// correction is what makes up for moments that start at zero: sqrt(1-Beta2^t)
// over 1-Beta1^t.
type correction[F Float] struct{ over, under F }

// correctionAt returns the correction of a step. It is computed as Keras does,
// of float32 in float32 from powers of float32 betas: the first steps show the
// rounding, at 1e-5 of a step, and recorded runs show that it is the same.
func correctionAt[F Float](a Adam, step int64) correction[F] {
	return correction[F]{
		over:  sqrt(1 - power[F](a.Beta2, step)),
		under: 1 - power[F](a.Beta1, step),
	}
}

// alpha is the learning rate with the correction, in Keras' order of operations.
func (c correction[F]) alpha(lr F) F { return F(lr*c.over) / c.under }

// power is base^n rounded to F, where base is first rounded itself.
func power[F Float](base float64, n int64) F {
	return F(portable.Pow(float64(F(base)), float64(n)))
}
