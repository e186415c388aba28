package optim

import (
	"math"

	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// ProximalSGD is gradient descent that pulls each weight towards zero after
// its step and stops there (Duchi and Singer's FOBOS, 2009), TensorFlow 1's
// ProximalGradientDescent:
//
//	x = w - lr·g
//	w = sign(x)·max(|x| - lr·L1, 0) / (1 + lr·L2)
//
// L1 makes weights exactly zero. The zero value has no penalties: it is [SGD].
type ProximalSGD struct {
	// L1 is the pull of a fixed size. Default: 0.
	L1 float64 `json:"l1_regularization_strength"`
	// L2 is the pull in proportion to the weight. Default: 0.
	L2 float64 `json:"l2_regularization_strength"`
}

// Name returns "ProximalGradientDescent", as TensorFlow calls it.
func (ProximalSGD) Name() string { return "ProximalGradientDescent" }

// Slots returns nothing.
func (ProximalSGD) Slots() []Slot { return nil }

// numbers is what Slots comes to.
func (ProximalSGD) numbers(int) int { return 0 }

// Validate refuses negative penalties.
func (p ProximalSGD) Validate() error { return penalties(p.L1, p.L2) }

// penalties returns an error unless both are 0 or more.
func penalties(l1, l2 float64) error {
	return firstError(
		notNegative("l1_regularization_strength", l1),
		notNegative("l2_regularization_strength", l2),
	)
}

// Update takes one step on each row of b.
func (p ProximalSGD) Update(b Block) {
	for q := range b.pieces() {
		kernel.ProximalSGD(q.Data, q.Stride, q.Width, q.Rows, q.Grads, q.LR, float32(p.L1), float32(p.L2))
	}
}

// Update64 takes one step on each row of b.
func (p ProximalSGD) Update64(b BlockOf[float64]) {
	for q := range b.pieces() {
		kernel.ProximalSGD64(q.Data, q.Stride, q.Width, q.Rows, q.Grads, q.LR, p.L1, p.L2)
	}
}

// CatchUp brings rows to step b.Step: the pulls of the missed steps shrink the
// sizes of the weights by a linear map, which is taken to its power at a
// [Constant] rate. Under another schedule the maps of the missed steps are
// multiplied one by one, once for all rows of the call.
func (p ProximalSGD) CatchUp(b Block, last []int64, rate Schedule) {
	if p.stays() || longestGap(b, last) <= 0 {
		return
	}
	g := gapsPool.Get().(*gaps)
	defer gapsPool.Put(g)
	one := func(t int64) linear {
		lr := rate.At(t)
		return pull(float64(float32(lr*float32(p.L1))), float64(float32(lr*float32(p.L2))))
	}
	apply := func(i int, m linear) {
		w, _ := b.row(i, 0)
		for j, x := range w {
			w[j] = pulled(x, m)
		}
	}
	if !constant(rate) {
		g.each(last[:len(b.Rows)], b.Step, one, apply)
		return
	}
	for i := range b.Rows {
		if gap := b.Step - last[i]; gap > 0 {
			apply(i, one(b.Step).power(gap))
		}
	}
}

// stays tells whether a row without gradients stays as it is.
func (p ProximalSGD) stays() bool { return p == (ProximalSGD{}) }

// pull is what a step makes of (size of a weight, 1).
func pull(l1, l2 float64) linear {
	return linear{xx: 1 / (1 + l2), xy: -l1 / (1 + l2), yy: 1}
}

// pulled applies pulls to a weight. A size that would be below zero met zero on
// its way, and stayed there.
func pulled(x float32, m linear) float32 {
	if x == 0 || x != x {
		return x
	}
	size := float64(m.xx*math.Abs(float64(x))) + m.xy
	return float32(math.Copysign(max(size, 0), float64(x)))
}

// ProximalAdagrad is Adagrad that pulls each weight towards zero after its step
// and stops there, TensorFlow 1's:
//
//	acc += g·g
//	r    = lr / sqrt(acc)
//	x    = w - r·g
//	w    = sign(x)·max(|x| - r·L1, 0) / (1 + r·L2)
type ProximalAdagrad struct {
	// InitialAccumulator is what acc starts at, above 0. TensorFlow's default,
	// which [NewProximalAdagrad] fills in: 0.1.
	InitialAccumulator float64 `json:"initial_accumulator_value"`
	// L1 is the pull of a fixed size. Default: 0.
	L1 float64 `json:"l1_regularization_strength"`
	// L2 is the pull in proportion to the weight. Default: 0.
	L2 float64 `json:"l2_regularization_strength"`
}

// NewProximalAdagrad returns proximal Adagrad with TensorFlow's hyper-parameters.
func NewProximalAdagrad() ProximalAdagrad { return ProximalAdagrad{InitialAccumulator: 0.1} }

// Name returns "ProximalAdagrad".
func (ProximalAdagrad) Name() string { return "ProximalAdagrad" }

// Slots returns "accumulator".
func (p ProximalAdagrad) Slots() []Slot {
	return []Slot{{Name: "accumulator", Init: p.InitialAccumulator}}
}

// numbers is what Slots comes to.
func (ProximalAdagrad) numbers(width int) int { return width }

// Validate refuses negative penalties, and an accumulator that starts at zero.
func (p ProximalAdagrad) Validate() error {
	return firstError(positive("initial_accumulator_value", p.InitialAccumulator), penalties(p.L1, p.L2))
}

// Update takes one step on each row of b.
func (p ProximalAdagrad) Update(b Block) {
	for q := range b.pieces() {
		kernel.ProximalAdagrad(q.Data, q.Stride, q.Width, q.Rows, q.Grads, q.LR, float32(p.L1), float32(p.L2))
	}
}

// Update64 takes one step on each row of b.
func (p ProximalAdagrad) Update64(b BlockOf[float64]) {
	for q := range b.pieces() {
		kernel.ProximalAdagrad64(q.Data, q.Stride, q.Width, q.Rows, q.Grads, q.LR, p.L1, p.L2)
	}
}

// CatchUp brings rows to step b.Step, as [ProximalSGD.CatchUp] does, but each
// weight has a map of its own: under a schedule other than [Constant] a row is
// taken through each missed step, until it is all zeros. The cost then grows
// with the gap.
func (p ProximalAdagrad) CatchUp(b Block, last []int64, rate Schedule) {
	if p.stays() {
		return
	}
	for i := range b.Rows {
		gap := b.Step - last[i]
		if gap <= 0 {
			continue
		}
		w, acc := b.row(i, b.Width)
		if !constant(rate) {
			p.walk(w, acc, last[i], b.Step, rate)
			continue
		}
		for j, x := range w {
			r := rate.At(b.Step) / sqrt(acc[j])
			l1, l2 := float32(r*float32(p.L1)), float32(r*float32(p.L2))
			w[j] = pulled(x, pull(float64(l1), float64(l2)).power(gap))
		}
	}
}

// stays tells whether a row without gradients stays as it is.
func (p ProximalAdagrad) stays() bool { return p.L1 == 0 && p.L2 == 0 }

// proximal pulls x towards zero.
func proximal(x, lr, l1, l2 float32) float32 {
	size := max(abs(x)-float32(lr*l1), 0) / (1 + float32(lr*l2))
	return float32(math.Copysign(float64(size), float64(x)))
}

// walk takes a row through the steps after last, up to step.
func (p ProximalAdagrad) walk(w, acc []float32, last, step int64, rate Schedule) {
	l1, l2 := float32(p.L1), float32(p.L2)
	for t := last + 1; t <= step && !allZero(w); t++ {
		lr := rate.At(t)
		for j, x := range w {
			w[j] = proximal(x, lr/sqrt(acc[j]), l1, l2)
		}
	}
}
