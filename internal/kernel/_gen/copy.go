package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func gather(s isa) {
	function(s, "gather", "out []float32, width int, slab []float32, stride int, idx []uint32")
	copyRows(s, "out", true)
}

func scatter(s isa) {
	function(s, "scatter", "slab []float32, stride int, width int, idx []uint32, in []float32")
	copyRows(s, "in", false)
}

// copyRows copies between slab rows and the dense rows of the parameter.
func copyRows(s isa, dense string, toDense bool) {
	width, bytes := bytesOf()
	c := columnsOf(s, bytes, width)
	other := Load(Param(dense).Base(), GP64())
	r := beginRows("idx", bytes)
	c.each("copy", func(a access) {
		if toDense {
			a.store(a.load(r.row), other)
		} else {
			a.store(a.load(other), r.row)
		}
	})
	ADDQ(bytes, other)
	r.end()
}

// maxIndex needs no AVX-512: it is bound by reading the indices.
func maxIndex() {
	s := avx2{}
	TEXT("maxIndexAVX2", NOSPLIT, "func(idx []uint32) uint32")
	Doc("maxIndexAVX2 is maxIndexGo for 8 indices or more.")
	Pragma("noescape")
	at := Load(Param("idx").Base(), GP64())
	end := Load(Param("idx").Len(), GP64())
	LEAQ(Mem{Base: at, Index: end, Scale: 4, Disp: -vb(s)}, end)
	top := YMM()
	VMOVDQU(Mem{Base: end}, top)
	Label("loop")
	CMPQ(at, end)
	JAE(LabelRef("reduce"))
	VPMAXUD(Mem{Base: at}, top, top)
	ADDQ(U8(vb(s)), at)
	JMP(LabelRef("loop"))
	Label("reduce")
	half, x := XMM(), top.AsX()
	VEXTRACTI128(U8(1), top, half)
	VPMAXUD(half, x, x)
	VPSHUFD(U8(0b01_00_11_10), x, half)
	VPMAXUD(half, x, x)
	VPSHUFD(U8(0b10_11_00_01), x, half)
	VPMAXUD(half, x, x)
	result := GP32()
	VMOVD(x, result)
	VZEROUPPER()
	Store(result, ReturnIndex(0))
	RET()
}
