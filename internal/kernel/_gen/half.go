package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// widenBrain moves numbers into the upper half of theirs.
func widenBrain() {
	widen("widenBrain", nil, func(x VecVirtual, _ []VecVirtual) VecVirtual {
		VPSLLD(U8(16), x, x)
		return x
	})
}

// widenFloat16 shifts exponent and fraction into their places, and mends the two
// exponents that mean something else: that of infinity and NaN, which is the
// largest in either form, and 0, whose numbers are those of the exponent above, less
// its leading 1.
func widenFloat16() {
	const (
		sign = iota
		rest
		exponent
		zero
		up
		least
	)
	bits := []uint32{sign: 0x8000, rest: 0x7fff, exponent: 0x7c00 << 13, zero: 0, up: (127 - 15) << 23, least: (127 - 14) << 23}
	widen("widenFloat16", bits, func(x VecVirtual, c []VecVirtual) VecVirtual {
		s, y, e, special, small := YMM(), YMM(), YMM(), YMM(), YMM()
		VPAND(c[sign], x, s)
		VPSLLD(U8(16), s, s)
		VPAND(c[rest], x, y)
		VPSLLD(U8(13), y, y)
		VPAND(c[exponent], y, e)
		VPADDD(c[least], y, small)
		VSUBPS(c[least], small, small)
		VPADDD(c[up], y, y)
		VPCMPEQD(c[exponent], e, special)
		VPAND(c[up], special, special)
		VPADDD(special, y, y)
		VPCMPEQD(c[zero], e, e)
		VPBLENDVB(e, small, y, y)
		VPOR(s, y, y)
		return y
	})
}

// widen writes 8 numbers of 16 bits at a time as float32, and leaves what is over. It
// needs no AVX-512: rows of some dozen numbers are bound by reading them.
func widen(name string, constants []uint32, op func(x VecVirtual, c []VecVirtual) VecVirtual) {
	s := avx2{}
	TEXT(name+"AVX2", NOSPLIT, "func(dst, words []float32)")
	Doc(name + "AVX2 widens whole groups of 8 numbers.")
	Pragma("noescape")
	to, from := Load(Param("dst").Base(), GP64()), Load(Param("words").Base(), GP64())
	n := Load(Param("dst").Len(), GP64())
	c := make([]VecVirtual, len(constants))
	for i, bits := range constants {
		word, x := GP32(), XMM()
		c[i] = YMM()
		MOVL(U32(bits), word)
		VMOVD(word, x)
		VPBROADCASTD(x, c[i])
	}
	Label("group")
	SUBQ(U8(s.lanes()), n)
	JB(LabelRef("done"))
	x := YMM()
	VPMOVZXWD(Mem{Base: from}, x)
	VMOVDQU(op(x, c), Mem{Base: to})
	ADDQ(U8(2*s.lanes()), from)
	ADDQ(U8(vb(s)), to)
	JMP(LabelRef("group"))
	Label("done")
	VZEROUPPER()
	RET()
}
