package optim

import (
	"math"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/internal/portable"
)

// FTRL follows the regularized leader: it keeps the sum of what gradients have
// said, and each weight is the minimum of that sum and its penalties (McMahan
// and others, 2013), in Keras' form; p is -LearningRatePower:
//
//	s    = (acc+g·g)^p - acc^p
//	z   += g + 2·L2Shrinkage·w - s/lr·w
//	acc += g·g
//	w    = (clip(z, -L1, L1) - z) / (acc^p/lr + 2·L2 + Beta/lr)
//
// So a step forgets most of the weight that it finds: L1 makes weights exactly
// zero, and a row's first values are gone after its first gradient. Keras has
// zeros in the place of rows that no gradient has touched; here such a row keeps
// its first values, as long as all its gradients are zero.
type FTRL struct {
	// LearningRatePower is how the rate falls as acc grows, 0 or less. Keras'
	// default, which [NewFTRL] fills in: -0.5. 0 is a fixed rate.
	LearningRatePower float64 `json:"learning_rate_power"`
	// InitialAccumulator is what acc starts at, 0 or more. Keras' default, which
	// [NewFTRL] fills in: 0.1.
	InitialAccumulator float64 `json:"initial_accumulator_value"`
	// L1 is the penalty on the size of a weight. Default: 0.
	L1 float64 `json:"l1_regularization_strength"`
	// L2 is the penalty on the square of a weight. Default: 0.
	L2 float64 `json:"l2_regularization_strength"`
	// L2Shrinkage is a penalty on the square of a weight that counts as a
	// gradient, for z alone. Default: 0.
	L2Shrinkage float64 `json:"l2_shrinkage_regularization_strength"`
	// Beta is added to acc^p. Default: 0.
	Beta float64 `json:"beta"`
}

// NewFTRL returns FTRL with Keras' hyper-parameters.
func NewFTRL() FTRL { return FTRL{LearningRatePower: -0.5, InitialAccumulator: 0.1} }

// Name returns "Ftrl", as Keras spells it.
func (FTRL) Name() string { return "Ftrl" }

// Slots returns "accumulator" (acc) and "linear" (z), as Keras calls them.
func (f FTRL) Slots() []Slot {
	return []Slot{{Name: "accumulator", Init: f.InitialAccumulator}, {Name: "linear"}}
}

// numbers is what Slots comes to.
func (FTRL) numbers(width int) int { return 2 * width }

// Validate refuses hyper-parameters out of range.
func (f FTRL) Validate() error {
	if !(f.LearningRatePower <= 0) || math.IsInf(f.LearningRatePower, 0) {
		return configError("learning_rate_power must be a number of 0 or less. Received: learning_rate_power=%v", f.LearningRatePower)
	}
	return firstError(
		notNegative("initial_accumulator_value", f.InitialAccumulator),
		notNegative("l1_regularization_strength", f.L1),
		notNegative("l2_regularization_strength", f.L2),
		notNegative("l2_shrinkage_regularization_strength", f.L2Shrinkage),
		notNegative("beta", f.Beta),
	)
}

// ftrlStep is what a step needs to know beside the row.
type ftrlStep[F Float] struct {
	lr, l1  F
	penalty F // 2·L2 + Beta/lr
	shrink  F // 2·L2Shrinkage
	power   float64
}

func ftrlStepAt[F Float](f FTRL, lr F) ftrlStep[F] {
	l2 := F(f.L2) + F(f.Beta)/F(2*lr)
	if f.Beta == 0 {
		l2 = F(f.L2) // a rate of 0 is no reason for a NaN
	}
	return ftrlStep[F]{
		lr: lr, l1: F(f.L1), penalty: F(2 * l2),
		shrink: F(2 * f.L2Shrinkage), power: -f.LearningRatePower,
	}
}

// pow is acc to the power of the step.
func (s *ftrlStep[F]) pow(acc F) F {
	switch s.power {
	case 0.5:
		return sqrt(acc)
	case 0:
		return 1
	}
	return F(portable.Pow(float64(acc), s.power))
}

// weight is w for given sums, as [kernel.FTRL] has it. The divisor is never 0:
// a weight that no gradient has touched, with an accumulator of 0, is 0, where
// Keras divides 0 by 0.
func (s *ftrlStep[F]) weight(acc, z F) F { return s.weightOf(s.pow(acc), z) }

// weightOf is weight for acc to the power of the step.
func (s *ftrlStep[F]) weightOf(power, z F) F {
	clipped := min(max(z, -s.l1), s.l1)
	return (clipped - z) / max(power/s.lr+s.penalty, kernel.Least[F]())
}

// Update takes one step on each row of b. A learning rate of 0 leaves the rows
// as they are.
func (f FTRL) Update(b Block) { updateFTRL(f, b, kernel.FTRL) }

// Update64 takes one step on each row of b, as Update does.
func (f FTRL) Update64(b BlockOf[float64]) { updateFTRL(f, b, kernel.FTRL64) }

// updateFTRL takes one step, by the kernel where it has the power 0.5 and all of
// its rows have gradients.
func updateFTRL[F Float](f FTRL, b BlockOf[F], rows func(slab []F, stride, width int, rows []uint32, grads []F, s kernel.FTRLStepOf[F])) {
	if b.LR == 0 {
		return
	}
	s := ftrlStepAt(f, b.LR)
	for p := range b.pieces() {
		if s.power != 0.5 || anyUntouched(f, p) {
			s.rows(f, p)
			continue
		}
		rows(p.Data, p.Stride, p.Width, p.Rows, p.Grads,
			kernel.FTRLStepOf[F]{LR: s.lr, L1: s.l1, Penalty: s.penalty, Shrink: s.shrink})
	}
}

// rows takes one step on each row of b that some gradient touches or has touched.
func (s *ftrlStep[F]) rows(f FTRL, b BlockOf[F]) {
	for i := range b.Rows {
		if !untouchedBy(f, b, i) {
			w, slots := b.row(i, 2*b.Width)
			s.step(w, slots[:b.Width], slots[b.Width:], b.grad(i))
		}
	}
}

// step takes one step on one row, with any power; see [kernel.FTRL].
func (s *ftrlStep[F]) step(w, acc, z, grad []F) {
	for j, g := range grad {
		before := s.pow(acc[j])
		acc[j] += F(g * g)
		power := s.pow(acc[j])
		sigma := (power - before) / s.lr
		z[j] = z[j] + (g + F(s.shrink*w[j])) - F(sigma*w[j])
		w[j] = s.weightOf(power, z[j])
	}
}

// anyUntouched tells whether b has rows that no gradient touches or has touched.
func anyUntouched[F Float](f FTRL, b BlockOf[F]) bool {
	for i := range b.Rows {
		if untouchedBy(f, b, i) {
			return true
		}
	}
	return false
}

// untouchedBy tells whether row i of b has and gets no gradient but zero: few
// rows do, and most show it by the first number of their gradient.
func untouchedBy[F Float](f FTRL, b BlockOf[F], i int) bool {
	if !allZero(b.grad(i)) {
		return false
	}
	_, slots := b.row(i, 2*b.Width)
	return untouched(f, slots[:b.Width], slots[b.Width:])
}

// untouched tells whether no gradient but zero has touched a row. (z may be
// zero by chance; acc then has grown.)
func untouched[F Float](f FTRL, acc, z []F) bool {
	for j := range z {
		if z[j] != 0 || acc[j] != F(f.InitialAccumulator) {
			return false
		}
	}
	return true
}

func allZero[F Float](x []F) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}

// CatchUp brings rows to step b.Step. Without gradients acc and z stay, so that
// the weight is a function of the latest learning rate alone, however many
// steps were missed. With L2Shrinkage z moves towards L1, in proportion to what
// it is beyond it; that is a power at a [Constant] rate, but under another
// schedule, where it is a product that differs from weight to weight, a row is
// taken through each missed step: the cost grows with the gap.
func (f FTRL) CatchUp(b Block, last []int64, rate Schedule) {
	for i := range b.Rows {
		gap := b.Step - last[i]
		w, slots := b.row(i, 2*b.Width)
		acc, z := slots[:b.Width], slots[b.Width:]
		if gap <= 0 || untouched(f, acc, z) {
			continue
		}
		switch {
		case f.L2Shrinkage == 0:
			f.weigh(w, acc, z, last[i], b.Step, rate)
		case constant(rate):
			s := ftrlStepAt(f, rate.At(b.Step))
			s.shrinkBy(w, acc, z, gap)
		default:
			f.walk(w, acc, z, last[i], b.Step, rate)
		}
	}
}

// weigh computes the weights anew, at the latest rate after step last that is
// not 0.
func (f FTRL) weigh(w, acc, z []float32, last, step int64, rate Schedule) {
	lr := rate.At(step)
	for lr == 0 && step > last+1 {
		step--
		lr = rate.At(step)
	}
	if lr == 0 {
		return
	}
	s := ftrlStepAt(f, lr)
	for j := range w {
		w[j] = s.weight(acc[j], z[j])
	}
}

// walk takes a row through the steps after last, up to step.
func (f FTRL) walk(w, acc, z []float32, last, step int64, rate Schedule) {
	for t := last + 1; t <= step; t++ {
		lr := rate.At(t)
		if lr == 0 {
			continue
		}
		s := ftrlStepAt(f, lr)
		for j := range w {
			s.shrinkOnce(w, acc, z, j)
		}
	}
}

// shrinkOnce takes one step on one weight.
func (s *ftrlStep[F]) shrinkOnce(w, acc, z []F, j int) {
	z[j] += F(s.shrink * w[j])
	w[j] = s.weight(acc[j], z[j])
}

// shrinkBy takes gap steps at one rate. The first uses the weight as it is; from
// then on each leaves 1 - shrink/q of what z is beyond L1, where q is the
// divisor of the weight.
func (s *ftrlStep[F]) shrinkBy(w, acc, z []F, gap int64) {
	if s.lr == 0 {
		return
	}
	for j := range w {
		s.shrinkOnce(w, acc, z, j)
		q := float64(s.pow(acc[j])/s.lr + s.penalty)
		kept := 1 - float64(s.shrink)/q
		if kept < 0 { // it swings: rare, and takes few steps to settle or fly off
			s.swing(w, acc, z, j, gap-1)
			continue
		}
		edge := min(max(z[j], -s.l1), s.l1)
		beyond := float64(float64(z[j]-edge) * portable.Pow(kept, float64(gap-1)))
		z[j] = F(float64(edge) + beyond)
		w[j] = F(-beyond / q)
	}
}

// swing takes n steps on one weight one by one, until nothing changes.
func (s *ftrlStep[F]) swing(w, acc, z []F, j int, n int64) {
	for range n {
		before := z[j]
		s.shrinkOnce(w, acc, z, j)
		if z[j] == before || z[j] != z[j] {
			return
		}
	}
}
