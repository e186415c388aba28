package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// updateArgs are the arguments that all rules have. Decay rates are passed on as
// keep = 1-beta.
const updateArgs = "slab []float32, stride int, width int, rows []uint32, grads []float32, "

func sgd(s isa) {
	function(s, "sgd", updateArgs+"lr float32")
	lr := broadcast(s, "lr")
	width, bytes := bytesOf()
	c := columnsOf(s, bytes, width)
	grad := Load(Param("grads").Base(), GP64())
	r := beginRows("rows", bytes)
	c.each("step", func(a access) {
		g, w := a.load(grad), a.load(r.row)
		VMULPS(g, lr, g)
		VSUBPS(g, w, w)
		a.store(w, r.row)
	})
	ADDQ(bytes, grad)
	r.end()
}

func adagrad(s isa) {
	function(s, "adagrad", updateArgs+"lr float32, eps float32")
	lr, eps := broadcast(s, "lr"), broadcast(s, "eps")
	width, bytes := bytesOf()
	c := columnsOf(s, bytes, width)
	grad, need := Load(Param("grads").Base(), GP64()), GP64()
	MOVQ(bytes, need)
	SHLQ(U8(1), need)
	r := beginRows("rows", need)
	state := GP64()
	LEAQ(Mem{Base: r.row, Index: bytes, Scale: 1}, state)
	c.each("step", func(a access) {
		g, w, acc, t := a.load(grad), a.load(r.row), a.load(state), s.vec()
		VMULPS(g, g, t)
		VADDPS(t, acc, acc)
		a.store(acc, state)
		VADDPS(eps, acc, acc)
		VSQRTPS(acc, acc)
		VMULPS(g, lr, g)
		VDIVPS(acc, g, g)
		VSUBPS(g, w, w)
		a.store(w, r.row)
	})
	ADDQ(bytes, grad)
	r.end()
}

func rowWiseAdagrad(s isa) {
	function(s, "rowWiseAdagrad", updateArgs+"lr float32, eps float32")
	width, bytes := bytesOf()
	c := columnsOf(s, bytes, width)
	d := lanes16Of(s, width)
	grad, need, n := Load(Param("grads").Base(), GP64()), GP64(), XMM()
	LEAQ(Mem{Base: bytes, Disp: 4}, need)
	VXORPS(n, n, n)
	VCVTSI2SSQ(width, n, n)
	r := beginRows("rows", need)
	step := s.vec()
	stepSize(d, grad, Mem{Base: r.row, Index: bytes, Scale: 1}, n, step)
	c.each("step", func(a access) {
		g, w := a.load(grad), a.load(r.row)
		VMULPS(g, step, g)
		VSUBPS(g, w, w)
		a.store(w, r.row)
	})
	ADDQ(bytes, grad)
	r.end()
}

// stepSize adds the mean square of the gradient to the accumulator acc, and
// sets all lanes of step to lr/(sqrt(acc)+eps).
func stepSize(d *lanes16, grad Register, acc Mem, n Register, step VecVirtual) {
	x := d.sum("square", grad, grad).AsX()
	VDIVSS(n, x, x)
	VADDSS(acc, x, x)
	VMOVSS(x, acc)
	VSQRTSS(x, x, x)
	lr := XMM()
	VMOVSS(address(Param("lr")), lr)
	VADDSS(address(Param("eps")), x, x)
	VDIVSS(x, lr, x)
	VBROADCASTSS(x, step)
}

// adamRates are Adam's hyper-parameters in all lanes; the decay rates are given
// as 1-beta.
type adamRates struct{ alpha, keep1, keep2, eps VecVirtual }

func adam(s isa) {
	function(s, "adam", updateArgs+"alpha float32, keep1 float32, keep2 float32, eps float32")
	h := adamRates{broadcast(s, "alpha"), broadcast(s, "keep1"), broadcast(s, "keep2"), broadcast(s, "eps")}
	width, bytes := bytesOf()
	c := columnsOf(s, bytes, width)
	grad, need := Load(Param("grads").Base(), GP64()), GP64()
	LEAQ(Mem{Base: bytes, Index: bytes, Scale: 2}, need)
	r := beginRows("rows", need)
	first, second := GP64(), GP64()
	LEAQ(Mem{Base: r.row, Index: bytes, Scale: 1}, first)
	LEAQ(Mem{Base: r.row, Index: bytes, Scale: 2}, second)
	c.each("step", func(a access) {
		g, w, m, v, t := a.load(grad), a.load(r.row), a.load(first), a.load(second), s.vec()
		VMULPS(g, g, t)
		h.moments(m, v, g, t)
		a.store(m, first)
		a.store(v, second)
		h.descend(w, m, v, g, t)
		a.store(w, r.row)
	})
	ADDQ(bytes, grad)
	r.end()
}

// moments moves m towards g and v towards gg, and spoils those two.
func (h adamRates) moments(m, v, g, gg VecVirtual) {
	VSUBPS(m, g, g)
	VMULPS(h.keep1, g, g)
	VADDPS(g, m, m)
	VSUBPS(v, gg, gg)
	VMULPS(h.keep2, gg, gg)
	VADDPS(gg, v, v)
}

// descend takes the step from w, and spoils t and u.
func (h adamRates) descend(w, m, v, t, u VecVirtual) {
	VSQRTPS(v, t)
	VADDPS(h.eps, t, t)
	VMULPS(h.alpha, m, u)
	VDIVPS(t, u, u)
	VSUBPS(u, w, w)
}

// adamDecay keeps two vectors of weights and moments in registers over all
// steps: one alone would wait for its own sums.
func adamDecay(s isa) {
	function(s, "adamDecay", "row []float32, width int, alphas []float32, keep1 float32, keep2 float32, eps float32")
	h := adamRates{keep1: broadcast(s, "keep1"), keep2: broadcast(s, "keep2"), eps: broadcast(s, "eps")}
	width, bytes := bytesOf()
	d := &decay{adamRates: h, bytes: bytes, c: columnsOf(s, bytes, width)}
	d.w = Load(Param("row").Base(), GP64())
	d.m, d.v, d.offset = GP64(), GP64(), GP64()
	LEAQ(Mem{Base: d.w, Index: bytes, Scale: 1}, d.m)
	LEAQ(Mem{Base: d.w, Index: bytes, Scale: 2}, d.v)
	d.alphas = Load(Param("alphas").Base(), GP64())
	n := Load(Param("alphas").Len(), GP64())
	TESTQ(n, n)
	JZ(LabelRef("done"))
	d.end = GP64()
	LEAQ(Mem{Base: d.alphas, Index: n, Scale: 4}, d.end)
	XORQ(d.offset, d.offset)

	Label("pair")
	after := GP64()
	LEAQ(Mem{Base: d.offset, Disp: 2 * vb(s)}, after)
	CMPQ(after, d.c.full)
	JA(LabelRef("single"))
	d.steps("pairs", 2, false)
	JMP(LabelRef("pair"))
	Label("single")
	CMPQ(d.offset, d.c.full)
	JAE(LabelRef("rest"))
	d.steps("singles", 1, false)
	Label("rest")
	TESTQ(d.c.rest, d.c.rest)
	JZ(LabelRef("done"))
	d.steps("rests", 1, true)
	Label("done")
	VZEROUPPER()
	RET()
}

// decay holds the registers of adamDecay.
type decay struct {
	adamRates
	c               *columns
	bytes           Register
	w, m, v, offset Register
	alphas, end     Register
}

// steps takes all steps for n vectors at offset, and moves it behind them.
func (d *decay) steps(name string, n int, masked bool) {
	var at []access
	var w, m, v []VecVirtual
	for range n {
		a := access{d.c, masked, GP64()}
		MOVQ(d.offset, a.offset)
		ADDQ(U8(vb(d.c.isa)), d.offset)
		at, w, m, v = append(at, a), append(w, a.load(d.w)), append(m, a.load(d.m)), append(v, a.load(d.v))
	}
	next := GP64()
	MOVQ(d.alphas, next)
	l := label{name + "_"}
	l.place("step")
	h := d.adamRates
	h.alpha = d.c.vec()
	VBROADCASTSS(Mem{Base: next}, h.alpha)
	for i := range n {
		t, u := d.c.vec(), d.c.vec()
		VXORPS(t, t, t)
		VXORPS(u, u, u)
		h.moments(m[i], v[i], t, u)
		h.descend(w[i], m[i], v[i], t, u)
	}
	ADDQ(U8(4), next)
	CMPQ(next, d.end)
	JB(l.of("step"))
	for i, a := range at {
		a.store(w[i], d.w)
		a.store(m[i], d.m)
		a.store(v[i], d.v)
	}
}
