package kernel

import "math"

// greater returns a if it is greater than b, else b.
func greater(a, b float32) float32 {
	if a > b {
		return a
	}
	return b
}

// lesser returns a if it is less than b, else b.
func lesser(a, b float32) float32 {
	if a < b {
		return a
	}
	return b
}

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }

// least is the smallest float32 that has all its digits.
const least = 0x1p-126

// vanish returns x, or 0 if it is smaller than least.
func vanish(x float32) float32 {
	if abs(x) < least {
		return 0
	}
	return x
}

// slots cuts a slab row of n slots into weights and state.
func slots(slab []float32, stride, width int, row uint32, n int) (w, state []float32) {
	all := slab[int(row)*stride:][:(1+n)*width]
	return all[:width], all[width:]
}

func momentumRowsGo(slab []float32, stride, width int, rows []uint32, grads []float32, lr, momentum float32) {
	for i, r := range rows {
		w, m := slots(slab, stride, width, r, 1)
		for j, g := range grads[i*width:][:width] {
			m[j] = float32(m[j]*momentum) - float32(lr*g)
			w[j] += m[j]
		}
	}
}

func nesterovGo(slab []float32, stride, width int, rows []uint32, grads []float32, lr, momentum float32) {
	for i, r := range rows {
		w, m := slots(slab, stride, width, r, 1)
		for j, g := range grads[i*width:][:width] {
			move := float32(lr * g)
			m[j] = float32(m[j]*momentum) - move
			w[j] += float32(m[j]*momentum) - move
		}
	}
}

func rmspropGo(slab []float32, stride, width int, rows []uint32, grads []float32, s RMSpropStep) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, s.slots())
		v, m, a := state[:width], []float32(nil), []float32(nil)
		if s.Momentum != 0 {
			m = state[width:][:width]
		}
		if s.Centered {
			a = state[len(state)-width:]
		}
		for j, g := range grads[i*width:][:width] {
			v[j] = float32(s.Rho*v[j]) + float32(s.Fresh*float32(g*g))
			square := v[j]
			if a != nil {
				a[j] = float32(s.Rho*a[j]) + float32(s.Fresh*g)
				square = greater(0, square-float32(a[j]*a[j]))
			}
			x := float32(s.LR*g) / sqrt(square+s.Eps)
			if m != nil {
				m[j] = float32(s.Momentum*m[j]) + x
				x = m[j]
			}
			w[j] -= x
		}
	}
}

func adadeltaGo(slab []float32, stride, width int, rows []uint32, grads []float32, lr, rho, fresh, eps float32) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 2)
		v, u := state[:width], state[width:]
		for j, g := range grads[i*width:][:width] {
			v[j] = float32(rho*v[j]) + float32(fresh*float32(g*g))
			d := float32(sqrt(u[j]+eps)*g) / sqrt(v[j]+eps)
			u[j] = float32(rho*u[j]) + float32(fresh*float32(d*d))
			w[j] -= float32(lr * d)
		}
	}
}

func amsgradGo(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamStep) {
	keep1, keep2 := float32(1-s.Beta1), float32(1-s.Beta2)
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 3)
		m, v, top := state[:width], state[width:2*width], state[2*width:]
		for j, g := range grads[i*width:][:width] {
			m[j] += float32((g - m[j]) * keep1)
			v[j] += float32((float32(g*g) - v[j]) * keep2)
			top[j] = greater(top[j], v[j])
			w[j] -= float32(m[j]*s.Alpha) / (sqrt(top[j]) + s.Eps)
		}
	}
}

func adamaxGo(slab []float32, stride, width int, rows []uint32, grads []float32, s AdamaxStep) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 2)
		m, top := state[:width], state[width:]
		for j, g := range grads[i*width:][:width] {
			m[j] += float32((g - m[j]) * s.Part)
			top[j] = greater(float32(s.Keep*top[j]), abs(g))
			w[j] -= float32(s.LR*m[j]) / float32(s.Under*(top[j]+s.Eps))
		}
	}
}

func nadamGo(slab []float32, stride, width int, rows []uint32, grads []float32, s NadamStep) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 2)
		m, v := state[:width], state[width:]
		for j, g := range grads[i*width:][:width] {
			m[j] += float32((g - m[j]) * s.Part1)
			v[j] += float32((float32(g*g) - v[j]) * s.Part2)
			h := float32(s.Next*m[j])/s.UnderNext + float32(s.Fresh*g)/s.Under
			w[j] -= float32(h*s.LR) / (sqrt(v[j]/s.Over) + s.Eps)
		}
	}
}

func lionGo(slab []float32, stride, width int, rows []uint32, grads []float32, s LionStep) {
	for i, r := range rows {
		w, m := slots(slab, stride, width, r, 1)
		for j, g := range grads[i*width:][:width] {
			d := vanish(vanish(s.Beta1*m[j]) + float32(s.Fresh1*g))
			sign := lesser(1, greater(-1, d*0x1p126))
			w[j] -= float32(s.LR * sign)
			m[j] = vanish(float32(s.Beta2*m[j]) + float32(s.Fresh2*g))
		}
	}
}

func ftrlGo(slab []float32, stride, width int, rows []uint32, grads []float32, s FTRLStep) {
	for i, r := range rows {
		w, state := slots(slab, stride, width, r, 2)
		acc, z := state[:width], state[width:]
		for j, g := range grads[i*width:][:width] {
			before := sqrt(acc[j])
			acc[j] += float32(g * g)
			root := sqrt(acc[j])
			sigma := (root - before) / s.LR
			z[j] = z[j] + (g + float32(s.Shrink*w[j])) - float32(sigma*w[j])
			clipped := lesser(s.L1, greater(-s.L1, z[j]))
			w[j] = (clipped - z[j]) / greater(least, root/s.LR+s.Penalty)
		}
	}
}

func proximalSGDGo(slab []float32, stride, width int, rows []uint32, grads []float32, lr, pull, divisor float32) {
	for i, r := range rows {
		w, _ := slots(slab, stride, width, r, 0)
		for j, g := range grads[i*width:][:width] {
			w[j] = pulled(w[j]-float32(lr*g), pull, divisor)
		}
	}
}

func proximalAdagradGo(slab []float32, stride, width int, rows []uint32, grads []float32, lr, l1, l2 float32) {
	for i, r := range rows {
		w, acc := slots(slab, stride, width, r, 1)
		for j, g := range grads[i*width:][:width] {
			acc[j] += float32(g * g)
			rate := lr / sqrt(acc[j])
			w[j] = pulled(w[j]-float32(rate*g), float32(rate*l1), 1+float32(rate*l2))
		}
	}
}

// pulled takes x towards zero by pull, and divides it by divisor.
func pulled(x, pull, divisor float32) float32 {
	size := greater(0, abs(x)-pull)
	sign := math.Float32bits(x) & (1 << 31)
	return math.Float32frombits(math.Float32bits(size)|sign) / divisor
}
