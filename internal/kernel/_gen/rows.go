package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func scaleRows(s isa) {
	function(s, "scaleRows", "x []float32, width int, scale []float32")
	eachDenseRow(s, "scale", func(x, by VecVirtual) { VMULPS(by, x, x) })
}

func divRows(s isa) {
	function(s, "divRows", "x []float32, width int, div []float32")
	eachDenseRow(s, "div", func(x, by VecVirtual) { VDIVPS(by, x, x) })
}

// eachDenseRow applies op to each vector of x and the number of its row.
func eachDenseRow(s isa, param string, op func(x, by VecVirtual)) {
	width, bytes := bytesOf()
	c := columnsOf(s, bytes, width)
	row, by := Load(Param("x").Base(), GP64()), Load(Param(param).Base(), GP64())
	n := Load(Param(param).Len(), GP64())
	TESTQ(n, n)
	JZ(LabelRef("done"))
	Label("row")
	v := s.vec()
	VBROADCASTSS(Mem{Base: by}, v)
	c.each("op", func(a access) {
		x := a.load(row)
		op(x, v)
		a.store(x, row)
	})
	ADDQ(bytes, row)
	ADDQ(U8(4), by)
	DECQ(n)
	JNZ(LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}

// lanes16 sums products into the fixed 16 lanes: two vectors of AVX2, one of
// AVX-512.
type lanes16 struct {
	isa
	full Register // bytes in whole groups of 16 numbers
	rest Register // numbers after them
	mask []Register
}

func lanes16Of(s isa, width Register) *lanes16 {
	d := &lanes16{isa: s, full: GP64(), rest: GP64()}
	MOVQ(width, d.rest)
	ANDQ(U8(15), d.rest)
	MOVQ(width, d.full)
	SUBQ(d.rest, d.full)
	SHLQ(U8(2), d.full)
	for from := 0; from < 16; from += s.lanes() {
		d.mask = append(d.mask, s.tailMask(d.rest, from))
	}
	return d
}

// sum returns the sum of products of the numbers at a and b in lane 0.
func (d *lanes16) sum(name string, a, b Register) VecVirtual {
	l := label{name + "_"}
	acc := make([]VecVirtual, len(d.mask))
	for i := range acc {
		acc[i] = d.vec()
		VXORPS(acc[i], acc[i], acc[i])
	}
	offset := GP64()
	XORQ(offset, offset)
	TESTQ(d.full, d.full)
	JZ(l.of("rest"))
	l.place("group")
	d.add(acc, a, b, offset, false)
	ADDQ(U8(64), offset)
	CMPQ(offset, d.full)
	JNE(l.of("group"))
	l.place("rest")
	TESTQ(d.rest, d.rest)
	JZ(l.of("tree"))
	d.add(acc, a, b, offset, true)
	l.place("tree")
	return d.tree(acc)
}

func (d *lanes16) add(acc []VecVirtual, a, b, offset Register, masked bool) {
	for i, sum := range acc {
		at := func(base Register) Mem { return Mem{Base: base, Index: offset, Scale: 1, Disp: i * vb(d.isa)} }
		x, y := d.vec(), d.vec()
		if masked {
			d.loadTail(at(a), d.mask[i], x)
			d.loadTail(at(b), d.mask[i], y)
		} else {
			VMOVUPS(at(a), x)
			VMOVUPS(at(b), y)
		}
		VMULPS(y, x, x)
		VADDPS(x, sum, sum)
	}
}

// tree adds 8 lanes to 8, 4 to 4, 2 to 2 and 1 to 1.
func (d *lanes16) tree(acc []VecVirtual) VecVirtual {
	y, x := acc[0].AsY(), acc[0].AsX()
	high := YMM()
	h := high.AsX()
	if d.lanes() == 16 {
		VEXTRACTF32X8(U8(1), acc[0], high)
		VADDPS(high, y, y)
	} else {
		VADDPS(acc[1], y, y)
	}
	VEXTRACTF128(U8(1), y, h)
	VADDPS(h, x, x)
	VMOVHLPS(x, x, h)
	VADDPS(h, x, x)
	VMOVSHDUP(x, h)
	VADDSS(h, x, x)
	return acc[0]
}

func dot(s isa) {
	twin(s, "dot", "dot", "func(a, b []float32) float32")
	d := lanes16Of(s, Load(Param("a").Len(), GP64()))
	sum := d.sum("dot", Load(Param("a").Base(), GP64()), Load(Param("b").Base(), GP64()))
	VMOVSS(sum.AsX(), address(ReturnIndex(0)))
	VZEROUPPER()
	RET()
}

func sumSquares(s isa) {
	function(s, "sumSquares", "dst []float32, x []float32, width int")
	width, bytes := bytesOf()
	d := lanes16Of(s, width)
	row, dst := Load(Param("x").Base(), GP64()), Load(Param("dst").Base(), GP64())
	n := Load(Param("dst").Len(), GP64())
	TESTQ(n, n)
	JZ(LabelRef("done"))
	Label("row")
	sum := d.sum("square", row, row)
	VMOVSS(sum.AsX(), Mem{Base: dst})
	ADDQ(bytes, row)
	ADDQ(U8(4), dst)
	DECQ(n)
	JNZ(LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}
