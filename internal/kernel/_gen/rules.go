package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// update is the loop of a rule that treats each weight on its own: row by row,
// vector by vector, with the state behind the weights.
type update struct {
	isa
	access
	grad, row Register
	state     []Register
}

// eachWeight generates the loop over rows with a number of slots as wide as
// the weights, and body for each vector.
func eachWeight(s isa, slots int, body func(u *update)) {
	width, bytes := bytesOf()
	c := columnsOf(s, bytes, width)
	grad, need := Load(Param("grads").Base(), GP64()), GP64()
	MOVQ(bytes, need)
	for range slots {
		ADDQ(bytes, need)
	}
	r := beginRows("rows", need)
	u := &update{isa: s, grad: grad, row: r.row}
	before := r.row
	for range slots {
		at := GP64()
		LEAQ(Mem{Base: before, Index: bytes, Scale: 1}, at)
		u.state, before = append(u.state, at), at
	}
	c.each("step", func(a access) {
		u.access = a
		body(u)
	})
	ADDQ(bytes, grad)
	r.end()
}

// loads returns gradient, weight and state of the vector.
func (u *update) loads() (g, w VecVirtual, state []VecVirtual) {
	g, w = u.load(u.grad), u.load(u.row)
	for _, at := range u.state {
		state = append(state, u.load(at))
	}
	return g, w, state
}

// mix makes x = keep*x + fresh*y, and spoils y.
func mix(keep, fresh, x, y VecVirtual) {
	VMULPS(keep, x, x)
	VMULPS(fresh, y, y)
	VADDPS(y, x, x)
}

// approach makes x += (y-x)*part, and spoils y.
func approach(part, x, y VecVirtual) {
	VSUBPS(x, y, y)
	VMULPS(part, y, y)
	VADDPS(y, x, x)
}

// greater makes to = b if b > to, else to: where either is NaN, to.
func greater(b, to VecVirtual) { VMAXPS(to, b, to) }

// lesser makes to = b if b < to, else to.
func lesser(b, to VecVirtual) { VMINPS(to, b, to) }

// constant returns a number in all lanes.
func constant(s isa, x float32) VecVirtual {
	bits, n, v := GP32(), XMM(), s.vec()
	MOVL(U32(math.Float32bits(x)), bits)
	VMOVD(bits, n)
	VBROADCASTSS(n, v)
	return v
}

// size makes x its absolute value, given constant(s, -0).
func size(minusZero, x VecVirtual) { VANDNPS(x, minusZero, x) }

func momentum(s isa, nesterov bool) {
	name := "momentumRows"
	if nesterov {
		name = "nesterov"
	}
	function(s, name, updateArgs+"lr float32, momentum float32")
	lr, mu := broadcast(s, "lr"), broadcast(s, "momentum")
	eachWeight(s, 1, func(u *update) {
		g, w, state := u.loads()
		m := state[0]
		VMULPS(lr, g, g)
		VMULPS(mu, m, m)
		VSUBPS(g, m, m)
		u.store(m, u.state[0])
		if nesterov {
			VMULPS(mu, m, m)
			VSUBPS(g, m, m)
		}
		VADDPS(m, w, w)
		u.store(w, u.row)
	})
}

func rmsprop(s isa, name string, withMomentum, centered bool) {
	twin(s, name, "rmsprop", "func("+updateArgs+"lr float32, rho float32, fresh float32, eps float32, momentum float32)")
	lr, rho, fresh, eps := broadcast(s, "lr"), broadcast(s, "rho"), broadcast(s, "fresh"), broadcast(s, "eps")
	var mu, zero VecVirtual
	slots := 1
	if withMomentum {
		mu = broadcast(s, "momentum")
		slots++
	}
	if centered {
		zero = constant(s, 0)
		slots++
	}
	eachWeight(s, slots, func(u *update) {
		g, w, state := u.loads()
		v, t := state[0], s.vec()
		VMULPS(g, g, t)
		mix(rho, fresh, v, t)
		u.store(v, u.state[0])
		if centered {
			a, x := state[slots-1], s.vec()
			VMOVUPS(g, x)
			mix(rho, fresh, a, x)
			u.store(a, u.state[slots-1])
			VMULPS(a, a, a)
			VSUBPS(a, v, v)
			greater(zero, v)
		}
		VADDPS(eps, v, v)
		VSQRTPS(v, v)
		VMULPS(lr, g, g)
		VDIVPS(v, g, g)
		if withMomentum {
			m := state[1]
			VMULPS(mu, m, m)
			VADDPS(g, m, m)
			u.store(m, u.state[1])
			g = m
		}
		VSUBPS(g, w, w)
		u.store(w, u.row)
	})
}

func adadelta(s isa) {
	function(s, "adadelta", updateArgs+"lr float32, rho float32, fresh float32, eps float32")
	lr, rho, fresh, eps := broadcast(s, "lr"), broadcast(s, "rho"), broadcast(s, "fresh"), broadcast(s, "eps")
	eachWeight(s, 2, func(u *update) {
		g, w, state := u.loads()
		v, moved, t := state[0], state[1], s.vec()
		VMULPS(g, g, t)
		mix(rho, fresh, v, t)
		u.store(v, u.state[0])
		VADDPS(eps, moved, t)
		VSQRTPS(t, t)
		VMULPS(g, t, t)
		VADDPS(eps, v, v)
		VSQRTPS(v, v)
		VDIVPS(v, t, t)
		VMULPS(t, t, g)
		mix(rho, fresh, moved, g)
		u.store(moved, u.state[1])
		VMULPS(lr, t, t)
		VSUBPS(t, w, w)
		u.store(w, u.row)
	})
}

func amsgrad(s isa) {
	function(s, "amsgrad", updateArgs+"alpha float32, keep1 float32, keep2 float32, eps float32")
	h := adamRates{broadcast(s, "alpha"), broadcast(s, "keep1"), broadcast(s, "keep2"), broadcast(s, "eps")}
	eachWeight(s, 3, func(u *update) {
		g, w, state := u.loads()
		m, v, top, t := state[0], state[1], state[2], s.vec()
		VMULPS(g, g, t)
		h.moments(m, v, g, t)
		u.store(m, u.state[0])
		u.store(v, u.state[1])
		greater(top, v)
		u.store(v, u.state[2])
		h.descend(w, m, v, g, t)
		u.store(w, u.row)
	})
}

func adamax(s isa) {
	function(s, "adamax", updateArgs+"lr float32, under float32, part float32, keep float32, eps float32")
	lr, under, part := broadcast(s, "lr"), broadcast(s, "under"), broadcast(s, "part")
	keep, eps, minusZero := broadcast(s, "keep"), broadcast(s, "eps"), constant(s, float32(math.Copysign(0, -1)))
	eachWeight(s, 2, func(u *update) {
		g, w, state := u.loads()
		m, top, t := state[0], state[1], s.vec()
		VMOVUPS(g, t)
		size(minusZero, t)
		approach(part, m, g)
		u.store(m, u.state[0])
		VMULPS(keep, top, top)
		greater(top, t)
		u.store(t, u.state[1])
		VADDPS(eps, t, t)
		VMULPS(under, t, t)
		VMULPS(lr, m, m)
		VDIVPS(t, m, m)
		VSUBPS(m, w, w)
		u.store(w, u.row)
	})
}

// nadam keeps the scalars of the look ahead in memory: AVX2 has no registers
// for all.
func nadam(s isa) {
	function(s, "nadam", updateArgs+"lr float32, next float32, underNext float32, fresh float32, under float32, over float32, part1 float32, part2 float32, eps float32")
	lr, part1, part2 := broadcast(s, "lr"), broadcast(s, "part1"), broadcast(s, "part2")
	over, eps := broadcast(s, "over"), broadcast(s, "eps")
	eachWeight(s, 2, func(u *update) {
		g, w, state := u.loads()
		m, v, t, x := state[0], state[1], s.vec(), s.vec()
		VMOVUPS(g, t)
		approach(part1, m, t)
		u.store(m, u.state[0])
		VMULPS(g, g, t)
		approach(part2, v, t)
		u.store(v, u.state[1])
		scaled := func(y VecVirtual, by, over string) {
			VBROADCASTSS(address(Param(by)), x)
			VMULPS(x, y, y)
			VBROADCASTSS(address(Param(over)), x)
			VDIVPS(x, y, y)
		}
		scaled(m, "next", "underNext")
		scaled(g, "fresh", "under")
		VADDPS(g, m, m)
		VMULPS(lr, m, m)
		VDIVPS(over, v, v)
		VSQRTPS(v, v)
		VADDPS(eps, v, v)
		VDIVPS(v, m, m)
		VSUBPS(m, w, w)
		u.store(w, u.row)
	})
}

func lion(s isa) {
	function(s, "lion", updateArgs+"lr float32, beta1 float32, fresh1 float32, beta2 float32, fresh2 float32")
	lr, beta1, fresh1 := broadcast(s, "lr"), broadcast(s, "beta1"), broadcast(s, "fresh1")
	beta2, fresh2 := broadcast(s, "beta2"), broadcast(s, "fresh2")
	least, whole := constant(s, 0x1p-126), constant(s, 0x1p126)
	one, minusOne, minusZero := constant(s, 1), constant(s, -1), constant(s, float32(math.Copysign(0, -1)))
	vanish := func(x, t VecVirtual) {
		VMOVUPS(x, t)
		size(minusZero, t)
		s.zeroWhereLess(t, least, x)
	}
	eachWeight(s, 1, func(u *update) {
		g, w, state := u.loads()
		m, t, x := state[0], s.vec(), s.vec()
		VMULPS(beta1, m, t)
		vanish(t, x)
		VMULPS(fresh1, g, x)
		VADDPS(x, t, t)
		vanish(t, x)
		VMULPS(whole, t, t)
		greater(minusOne, t)
		lesser(one, t)
		VMULPS(lr, t, t)
		VSUBPS(t, w, w)
		u.store(w, u.row)
		mix(beta2, fresh2, m, g)
		vanish(m, x)
		u.store(m, u.state[0])
	})
}

func ftrl(s isa) {
	function(s, "ftrl", updateArgs+"lr float32, l1 float32, penalty float32, shrink float32")
	lr, l1, penalty, shrink := broadcast(s, "lr"), broadcast(s, "l1"), broadcast(s, "penalty"), broadcast(s, "shrink")
	minusL1, least := s.vec(), constant(s, 0x1p-126)
	VXORPS(minusL1, minusL1, minusL1)
	VSUBPS(l1, minusL1, minusL1)
	eachWeight(s, 2, func(u *update) {
		g, w, state := u.loads()
		acc, z, t := state[0], state[1], s.vec()
		VSQRTPS(acc, t)
		x := s.vec()
		VMULPS(g, g, x)
		VADDPS(x, acc, acc)
		u.store(acc, u.state[0])
		VSQRTPS(acc, acc)
		VSUBPS(t, acc, t)
		VDIVPS(lr, t, t)
		VMULPS(w, t, t)
		VMULPS(shrink, w, w)
		VADDPS(w, g, g)
		VADDPS(g, z, z)
		VSUBPS(t, z, z)
		u.store(z, u.state[1])
		VDIVPS(lr, acc, acc)
		VADDPS(penalty, acc, acc)
		greater(least, acc)
		VMOVUPS(z, w)
		greater(minusL1, w)
		lesser(l1, w)
		VSUBPS(z, w, w)
		VDIVPS(acc, w, w)
		u.store(w, u.row)
	})
}

// pull takes x towards zero by by, and divides it by divisor; it spoils by and t.
func pull(minusZero, zero, x, by, divisor, t VecVirtual) {
	VANDPS(minusZero, x, t)
	size(minusZero, x)
	VSUBPS(by, x, x)
	greater(zero, x)
	VORPS(t, x, x)
	VDIVPS(divisor, x, x)
}

func proximalSGD(s isa) {
	function(s, "proximalSGD", updateArgs+"lr float32, pull float32, divisor float32")
	lr, by, divisor := broadcast(s, "lr"), broadcast(s, "pull"), broadcast(s, "divisor")
	zero, minusZero := constant(s, 0), constant(s, float32(math.Copysign(0, -1)))
	eachWeight(s, 0, func(u *update) {
		g, w, _ := u.loads()
		VMULPS(lr, g, g)
		VSUBPS(g, w, w)
		pull(minusZero, zero, w, by, divisor, g)
		u.store(w, u.row)
	})
}

func proximalAdagrad(s isa) {
	function(s, "proximalAdagrad", updateArgs+"lr float32, l1 float32, l2 float32")
	lr, l1, l2 := broadcast(s, "lr"), broadcast(s, "l1"), broadcast(s, "l2")
	zero, one, minusZero := constant(s, 0), constant(s, 1), constant(s, float32(math.Copysign(0, -1)))
	eachWeight(s, 1, func(u *update) {
		g, w, state := u.loads()
		acc, t, rate := state[0], s.vec(), s.vec()
		VMULPS(g, g, t)
		VADDPS(t, acc, acc)
		u.store(acc, u.state[0])
		VSQRTPS(acc, acc)
		VDIVPS(acc, lr, rate)
		VMULPS(rate, g, g)
		VSUBPS(g, w, w)
		VMULPS(l1, rate, t)
		VMULPS(l2, rate, rate)
		VADDPS(one, rate, rate)
		pull(minusZero, zero, w, t, rate, g)
		u.store(w, u.row)
	})
}
