package kernel

// The rules below treat each weight on its own. A slab row is the weights and
// then as many numbers for each slot, in the order in which they are named.
// max(a, b) is b unless a is greater, also where one is NaN; min is its twin.

// Momentum takes one step of gradient descent with momentum on each of the
// given rows. A slab row is w, m:
//
//	m = m*momentum - lr*g
//	w += m
func Momentum(slab []float32, stride, width int, rows []uint32, grads []float32, lr, momentum float32) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	momentumRows(slab, stride, width, rows, grads, lr, momentum)
}

// Nesterov is [Momentum] with w += m*momentum - lr*g.
func Nesterov(slab []float32, stride, width int, rows []uint32, grads []float32, lr, momentum float32) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	nesterov(slab, stride, width, rows, grads, lr, momentum)
}

// RMSpropStepOf is what one step of RMSprop needs to know.
type RMSpropStepOf[F Float] struct {
	// LR is the learning rate, Rho what is kept of the means, Fresh what is
	// taken of the new, and Eps keeps the divisor from zero.
	LR, Rho, Fresh, Eps F
	// Momentum is what is kept of the last step; 0 is no momentum and no slot.
	Momentum F
	// Centered subtracts the square of the mean gradient.
	Centered bool
}

// RMSpropStep is that of rows of float32.
type RMSpropStep = RMSpropStepOf[float32]

// slots is the number of slots of a row.
func (s *RMSpropStepOf[F]) slots() int {
	n := 1
	if s.Momentum != 0 {
		n++
	}
	if s.Centered {
		n++
	}
	return n
}

// RMSprop takes one step of RMSprop on each of the given rows. A slab row is w,
// v, with a momentum m, and centered a:
//
//	v = Rho*v + Fresh*(g*g)
//	a = Rho*a + Fresh*g                      centered
//	x = LR*g / sqrt(v+Eps)
//	x = LR*g / sqrt(max(0, v-a*a)+Eps)       centered
//	m = Momentum*m + x;  x = m               with a momentum
//	w -= x
func RMSprop(slab []float32, stride, width int, rows []uint32, grads []float32, s RMSpropStep) {
	updateFits(slab, stride, width, (1+s.slots())*width, rows, grads)
	rmsprop(slab, stride, width, rows, grads, s)
}

// Adadelta takes one step of Adadelta on each of the given rows. A slab row is
// w, v, u:
//
//	v = rho*v + fresh*(g*g)
//	d = sqrt(u+eps)*g / sqrt(v+eps)
//	u = rho*u + fresh*(d*d)
//	w -= lr*d
func Adadelta(slab []float32, stride, width int, rows []uint32, grads []float32, lr, rho, fresh, eps float32) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	adadelta(slab, stride, width, rows, grads, lr, rho, fresh, eps)
}

// AMSGrad is [Adam] with the largest second moment. A slab row is w, m, v, top:
//
//	top = max(top, v)
//	w  -= m*Alpha / (sqrt(top)+Eps)
func AMSGrad(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamStep) {
	updateFits(slab, stride, width, 4*width, rows, grads)
	amsgrad(slab, stride, width, rows, grads, s)
}

// AdamaxStepOf is what one step of Adamax needs to know.
type AdamaxStepOf[F Float] struct {
	// LR is the learning rate, Under is 1-Beta1^t, Part is 1-Beta1, Keep is
	// Beta2, and Eps keeps the divisor from zero.
	LR, Under, Part, Keep, Eps F
}

// AdamaxStep is that of rows of float32.
type AdamaxStep = AdamaxStepOf[float32]

// Adamax takes one step of Adamax on each of the given rows. A slab row is w,
// m, top:
//
//	m  += (g-m) * Part
//	top = max(Keep*top, |g|)
//	w  -= LR*m / (Under*(top+Eps))
func Adamax(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamaxStep) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	adamax(slab, stride, width, rows, grads, s)
}

// NadamStepOf is what one step of Nadam needs to know.
type NadamStepOf[F Float] struct {
	// LR is the learning rate, and Eps keeps the divisor from zero.
	LR, Eps F
	// Next/UnderNext is the part of the momentum and Fresh/Under that of the
	// gradient in the look ahead. Over is 1-Beta2^t.
	Next, UnderNext, Fresh, Under, Over F
	// Part1 and Part2 are 1-Beta1 and 1-Beta2.
	Part1, Part2 F
}

// NadamStep is that of rows of float32.
type NadamStep = NadamStepOf[float32]

// Nadam takes one step of Nadam on each of the given rows. A slab row is w, m,
// v:
//
//	m += (g-m) * Part1
//	v += (g*g-v) * Part2
//	h  = m*Next/UnderNext + g*Fresh/Under
//	w -= h*LR / (sqrt(v/Over)+Eps)
func Nadam(slab []float32, stride, width int, rows []uint32, grads []float32, s NadamStep) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	nadam(slab, stride, width, rows, grads, s)
}

// LionStepOf is what one step of Lion needs to know.
type LionStepOf[F Float] struct {
	// LR is the learning rate. Beta1 and Beta2 are kept of the momentum, for the
	// direction and for the next step; Fresh1 and Fresh2 are taken of the gradient.
	LR, Beta1, Fresh1, Beta2, Fresh2 F
}

// LionStep is that of rows of float32.
type LionStep = LionStepOf[float32]

// Lion takes one step of Lion on each of the given rows. A slab row is w, m,
// and vanish(x) is 0 where |x| < 2^-126, else x:
//
//	w -= LR * sign(vanish(vanish(Beta1*m) + Fresh1*g))
//	m  = vanish(Beta2*m + Fresh2*g)
func Lion(slab []float32, stride, width int, rows []uint32, grads []float32, s LionStep) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	lion(slab, stride, width, rows, grads, s)
}

// FTRLStepOf is what one step of FTRL needs to know.
type FTRLStepOf[F Float] struct {
	// LR is the learning rate, L1 bounds what makes no weight, Penalty is added
	// to the divisor, and Shrink is taken of the weight.
	LR, L1, Penalty, Shrink F
}

// FTRLStep is that of rows of float32.
type FTRLStep = FTRLStepOf[float32]

// FTRL takes one step of FTRL, whose rate falls by the root of acc, on each of
// the given rows. A slab row is w, acc, z:
//
//	s    = (sqrt(acc+g*g)-sqrt(acc)) / LR
//	acc += g*g
//	z    = z + (g+Shrink*w) - s*w
//	w    = (min(L1, max(-L1, z)) - z) / max(2^-126, sqrt(acc)/LR+Penalty)
func FTRL(slab []float32, stride, width int, rows []uint32, grads []float32, s FTRLStep) {
	updateFits(slab, stride, width, 3*width, rows, grads)
	ftrl(slab, stride, width, rows, grads, s)
}

// ProximalSGD takes one step of gradient descent on each of the given rows,
// and then pulls each weight towards zero. A slab row is w:
//
//	x = w - lr*g
//	w = copysign(max(0, |x|-lr*l1), x) / (1+lr*l2)
func ProximalSGD(slab []float32, stride, width int, rows []uint32, grads []float32, lr, l1, l2 float32) {
	updateFits(slab, stride, width, width, rows, grads)
	proximalSGD(slab, stride, width, rows, grads, lr, float32(lr*l1), 1+float32(lr*l2))
}

// ProximalAdagrad is [ProximalSGD] with a learning rate for each weight. A slab
// row is w, acc:
//
//	acc += g*g
//	r    = lr / sqrt(acc)      in the place of lr
func ProximalAdagrad(slab []float32, stride, width int, rows []uint32, grads []float32, lr, l1, l2 float32) {
	updateFits(slab, stride, width, 2*width, rows, grads)
	proximalAdagrad(slab, stride, width, rows, grads, lr, l1, l2)
}
