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
// Before that, WeightDecay takes its part: w -= w·WeightDecay·lr (Loshchilov
// and Hutter's AdamW, 2019), for dense weights and for the rows that a step
// touches. PyTorch adds Epsilon to another place: its results differ a little.
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
	// WeightDecay is Keras' weight_decay, 0 or more. Default: 0. (The name
	// "adamw" gives Keras' 0.004.)
	WeightDecay float64 `json:"weight_decay"`
}

// NewAdam returns Adam with Keras' hyper-parameters.
func NewAdam() Adam { return Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7} }

// Name returns "Adam".
func (Adam) Name() string { return "Adam" }

// Slots returns "momentum" (m) and "velocity" (v), as Keras calls them.
func (Adam) Slots() []Slot { return []Slot{{Name: "momentum"}, {Name: "velocity"}} }

// Validate refuses hyper-parameters out of range.
func (a Adam) Validate() error {
	if a == (Adam{}) {
		return configError("epsilon must be a positive number. Received: epsilon=0. NewAdam fills in Keras' values")
	}
	return firstError(
		decayRate("beta_1", a.Beta1),
		decayRate("beta_2", a.Beta2),
		positive("epsilon", a.Epsilon),
		notNegative("weight_decay", a.WeightDecay),
	)
}

// Update takes one step on each row of b.
func (a Adam) Update(b Block) {
	if a.WeightDecay != 0 {
		for i := range b.Rows {
			w, _ := b.row(i, 0)
			a.decayWeights(w, b.LR)
		}
	}
	step := kernel.AdamStep{
		Alpha: a.correction(b.Step).alpha(b.LR),
		Beta1: a.Beta1, Beta2: a.Beta2, Eps: float32(a.Epsilon),
	}
	for p := range b.pieces() {
		kernel.Adam(p.Data, p.Stride, p.Width, p.Rows, p.Grads, step)
	}
}

// decayWeights takes one step of weight decay.
func (a Adam) decayWeights(w []float32, lr float32) {
	decay := float32(a.WeightDecay)
	for j, x := range w {
		w[j] = x - float32(float32(x*decay)*lr)
	}
}

// correction is what makes up for moments that start at zero: sqrt(1-Beta2^t)
// over 1-Beta1^t.
type correction struct{ over, under float32 }

// correction returns the correction of a step. It is computed as Keras does,
// in float32 from powers of float32 betas: the first steps show the rounding,
// at 1e-5 of a step, and recorded runs show that it is the same.
func (a Adam) correction(step int64) correction {
	return correction{
		over:  sqrt(1 - power32(a.Beta2, step)),
		under: 1 - power32(a.Beta1, step),
	}
}

// alpha is the learning rate with the correction, in Keras' order of operations.
func (c correction) alpha(lr float32) float32 { return float32(lr*c.over) / c.under }

// power32 is base^n rounded to float32, where base is first rounded itself.
func power32(base float64, n int64) float32 {
	return float32(portable.Pow(float64(float32(base)), float64(n)))
}
