package kernel

import "math"

// greater returns a if it is greater than b, else b.
func greater[F Float](a, b F) F {
	if a > b {
		return a
	}
	return b
}

// lesser returns a if it is less than b, else b.
func lesser[F Float](a, b F) F {
	if a < b {
		return a
	}
	return b
}

func abs[F Float](x F) F { return F(math.Abs(float64(x))) }

// Least returns the smallest number of its type that has all its digits: 2^-126
// of float32, 2^-1022 of float64.
func Least[F Float]() F {
	if narrow[F]() {
		return 0x1p-126
	}
	return 0x1p-1022
}

// narrow tells whether F is float32, to which 2^-1022 is zero.
func narrow[F Float]() bool { return F(0x1p-1022) == 0 }

// vanish returns x, or 0 if it is smaller than [Least].
func vanish[F Float](x F) F {
	if abs(x) < Least[F]() {
		return 0
	}
	return x
}

// slots cuts a slab row of n slots into weights and state.
func slots[F Float](slab []F, stride, width int, row uint32, n int) (w, state []F) {
	all := slab[int(row)*stride:][:(1+n)*width]
	return all[:width], all[width:]
}

func momentumRowsGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, lr, momentum F) {
	for i, r := range rows {
		w, m := slots(slab, stride, width, r, 1)
		for j, g := range grads[i*width:][:width] {
			m[j] = F(m[j]*momentum) - F(lr*g)
			w[j] += m[j]
		}
	}
}

func nesterovGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, lr, momentum F) {
	for i, r := range rows {
		w, m := slots(slab, stride, width, r, 1)
		for j, g := range grads[i*width:][:width] {
			move := F(lr * g)
			m[j] = F(m[j]*momentum) - move
			w[j] += F(m[j]*momentum) - move
		}
	}
}

func rmspropGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, s RMSpropStepOf[F]) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, s.slots())
		v, m, a := state[:width], []F(nil), []F(nil)
		if s.Momentum != 0 {
			m = state[width:][:width]
		}
		if s.Centered {
			a = state[len(state)-width:]
		}
		for j, g := range grads[i*width:][:width] {
			v[j] = F(s.Rho*v[j]) + F(s.Fresh*F(g*g))
			square := v[j]
			if a != nil {
				a[j] = F(s.Rho*a[j]) + F(s.Fresh*g)
				square = greater(0, square-F(a[j]*a[j]))
			}
			x := F(s.LR*g) / sqrt(square+s.Eps)
			if m != nil {
				m[j] = F(s.Momentum*m[j]) + x
				x = m[j]
			}
			w[j] -= x
		}
	}
}

func adadeltaGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, lr, rho, fresh, eps F) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 2)
		v, u := state[:width], state[width:]
		for j, g := range grads[i*width:][:width] {
			v[j] = F(rho*v[j]) + F(fresh*F(g*g))
			d := F(sqrt(u[j]+eps)*g) / sqrt(v[j]+eps)
			u[j] = F(rho*u[j]) + F(fresh*F(d*d))
			w[j] -= F(lr * d)
		}
	}
}

func amsgradGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, s AdamStepOf[F]) {
	keep1, keep2 := F(1-s.Beta1), F(1-s.Beta2)
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 3)
		m, v, top := state[:width], state[width:2*width], state[2*width:]
		for j, g := range grads[i*width:][:width] {
			m[j] += F((g - m[j]) * keep1)
			v[j] += F((F(g*g) - v[j]) * keep2)
			top[j] = greater(top[j], v[j])
			w[j] -= F(m[j]*s.Alpha) / (sqrt(top[j]) + s.Eps)
		}
	}
}

func adamaxGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, s AdamaxStepOf[F]) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 2)
		m, top := state[:width], state[width:]
		for j, g := range grads[i*width:][:width] {
			m[j] += F((g - m[j]) * s.Part)
			top[j] = greater(F(s.Keep*top[j]), abs(g))
			w[j] -= F(s.LR*m[j]) / F(s.Under*(top[j]+s.Eps))
		}
	}
}

func nadamGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, s NadamStepOf[F]) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 2)
		m, v := state[:width], state[width:]
		for j, g := range grads[i*width:][:width] {
			m[j] += F((g - m[j]) * s.Part1)
			v[j] += F((F(g*g) - v[j]) * s.Part2)
			h := F(s.Next*m[j])/s.UnderNext + F(s.Fresh*g)/s.Under
			w[j] -= F(h*s.LR) / (sqrt(v[j]/s.Over) + s.Eps)
		}
	}
}

func lionGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, s LionStepOf[F]) {
	up := 1 / Least[F]() // makes of the smallest numbers that do not vanish 1
	for i, r := range rows {
		w, m := slots(slab, stride, width, r, 1)
		for j, g := range grads[i*width:][:width] {
			d := vanish(vanish(s.Beta1*m[j]) + F(s.Fresh1*g))
			sign := lesser(1, greater(-1, d*up))
			w[j] -= F(s.LR * sign)
			m[j] = vanish(F(s.Beta2*m[j]) + F(s.Fresh2*g))
		}
	}
}

func ftrlGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, s FTRLStepOf[F]) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 2)
		acc, z := state[:width], state[width:]
		for j, g := range grads[i*width:][:width] {
			before := sqrt(acc[j])
			acc[j] += F(g * g)
			root := sqrt(acc[j])
			sigma := (root - before) / s.LR
			z[j] = z[j] + (g + F(s.Shrink*w[j])) - F(sigma*w[j])
			clipped := lesser(s.L1, greater(-s.L1, z[j]))
			w[j] = (clipped - z[j]) / greater(Least[F](), root/s.LR+s.Penalty)
		}
	}
}

func proximalSGDGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, lr, pull, divisor F) {
	for i, r := range rows {
		w, _ := slots(slab, stride, width, r, 0)
		for j, g := range grads[i*width:][:width] {
			x := w[j] - F(lr*g)
			w[j] = signed(greater(0, abs(x)-pull), x) / divisor
		}
	}
}

func proximalAdagradGo[F Float](slab []F, stride, width int, rows []uint32, grads []F, lr, l1, l2 F) {
	for i, r := range rows {
		w, acc := slots(slab, stride, width, r, 1)
		for j, g := range grads[i*width:][:width] {
			acc[j] += F(g * g)
			rate := lr / sqrt(acc[j])
			x := w[j] - F(rate*g)
			w[j] = signed(greater(0, abs(x)-F(rate*l1)), x) / (1 + F(rate*l2))
		}
	}
}

// signed returns size, which is not negative, with the sign of x.
func signed[F Float](size, x F) F {
	if narrow[F]() { // the way through float64 takes half as long again
		sign := math.Float32bits(float32(x)) & (1 << 31)
		return F(math.Float32frombits(math.Float32bits(float32(size)) | sign))
	}
	return F(math.Copysign(float64(size), float64(x)))
}
