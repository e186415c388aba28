package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// blocks says how many vectors of a row are summed in registers at once. A row
// that is wider is summed a chunk of columns after the other, each over all
// bags. A chunk is whole cache lines, so no line is fetched twice.
type blocks struct {
	full   int // at most, where the width is a multiple of the vector
	masked int // at most, where the last vector is masked
	chunk  int // taken from a row wider than that
}

// The registers: AVX2 has 16, of which a masked load takes two (mask and
// result) and a weight two (weight and product). AVX-512 has 32 and masks of
// their own, and 16 sums are 1 KiB of a row.
func blocksOf(s isa, weighted bool) blocks {
	if s.lanes() == 16 {
		return blocks{full: 16, masked: 16, chunk: 8}
	}
	if weighted {
		return blocks{full: 12, masked: 12, chunk: 8}
	}
	return blocks{full: 16, masked: 12, chunk: 8}
}

// poolLoop holds the registers of a pool function.
type poolLoop struct {
	isa
	weighted  bool
	mask      Register // where the last vector is masked
	slab, out Register // at the block's first column
	left      Register // columns from there on
	last      Register // address of the last index
	stride    Register // of slab, in bytes
	outStride Register
}

func pool(s isa, weighted bool) {
	name, weights := "poolSum", ""
	if weighted {
		name, weights = "poolWeightedSum", ", weights []float32"
	}
	twin(s, name, "poolSum",
		"func(out []float32, width int, slab []float32, stride int, idx []uint32, offsets []int64"+weights+")")
	p := &poolLoop{isa: s, weighted: weighted}
	p.load()
	p.warm()
	b := blocksOf(s, weighted)
	Label("block")
	p.choose(b)
	for v := 1; v <= b.full; v++ {
		p.sum(v, false)
	}
	for v := 1; v <= b.masked; v++ {
		p.sum(v, true)
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// load loads the arguments, and returns at once if there are no indices.
func (p *poolLoop) load() {
	p.last = Load(Param("idx").Len(), GP64())
	TESTQ(p.last, p.last)
	JZ(LabelRef("done"))
	idx := Load(Param("idx").Base(), GP64())
	LEAQ(Mem{Base: idx, Index: p.last, Scale: 4, Disp: -4}, p.last)
	p.slab = Load(Param("slab").Base(), GP64())
	p.out = Load(Param("out").Base(), GP64())
	p.left = Load(Param("width"), GP64())
	p.outStride = GP64()
	MOVQ(p.left, p.outStride)
	SHLQ(U8(2), p.outStride)
	p.stride = Load(Param("stride"), GP64())
	SHLQ(U8(2), p.stride)
}

// warm prefetches the first rows, which are too near for the loop to.
func (p *poolLoop) warm() {
	idx, n, at, end := Load(Param("idx").Base(), GP64()), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: idx, Disp: 4 * ahead}, n)
	CMPQ(n, p.last)
	CMOVQHI(p.last, n)
	Label("warm")
	MOVL(Mem{Base: idx}, at.As32())
	IMULQ(p.stride, at)
	ADDQ(p.slab, at)
	LEAQ(Mem{Base: at, Index: p.left, Scale: 4, Disp: -4}, end)
	prefetchRow("warm", at, end)
	ADDQ(U8(4), idx)
	CMPQ(idx, n)
	JB(LabelRef("warm"))
}

// choose jumps to the code for as many of the columns left as one block takes.
func (p *poolLoop) choose(b blocks) {
	n := p.lanes()
	TESTQ(p.left, p.left)
	JZ(LabelRef("done"))
	TESTQ(U32(n-1), p.left)
	JNZ(LabelRef("masked"))
	for v := 1; v <= b.full; v++ {
		CMPQ(p.left, U32(n*v))
		JEQ(sumLabel(v, false).of("sum"))
	}
	JMP(sumLabel(b.chunk, false).of("sum"))
	Label("masked")
	for v := 1; v <= b.masked; v++ {
		CMPQ(p.left, U32(n*v))
		JB(sumLabel(v, true).of("sum"))
	}
	JMP(sumLabel(b.chunk, false).of("sum"))
}

func sumLabel(v int, masked bool) label {
	if masked {
		return label{fmt.Sprintf("masked%d_", v)}
	}
	return label{fmt.Sprintf("full%d_", v)}
}

// sum sums all bags over v vectors of columns; if masked, the last is.
func (p *poolLoop) sum(v int, masked bool) {
	l := sumLabel(v, masked)
	l.place("sum")
	if masked {
		p.mask = lastMask(p.isa, p.left)
	}
	idx := Load(Param("idx").Base(), GP64())
	offset := Load(Param("offsets").Base(), GP64())
	bags := Load(Param("offsets").Len(), GP64())
	DECQ(bags)
	var weight Register
	if p.weighted {
		weight = Load(Param("weights").Base(), GP64())
	}
	out, end := GP64(), GP64()
	MOVQ(p.out, out)

	l.place("bag")
	MOVQ(Mem{Base: offset, Disp: 8}, end)
	SUBQ(Mem{Base: offset}, end)
	JZ(l.of("next"))
	LEAQ(Mem{Base: idx, Index: end, Scale: 4}, end)
	acc := p.loadSums(v, masked, out)
	l.place("row")
	p.prefetchAhead(v, masked, idx)
	p.addRow(acc, masked, idx, weight)
	CMPQ(idx, end)
	JNE(l.of("row"))
	p.storeSums(acc, masked, out)
	l.place("next")
	ADDQ(p.outStride, out)
	ADDQ(U8(8), offset)
	DECQ(bags)
	JNZ(l.of("bag"))

	if masked {
		JMP(LabelRef("done"))
		return
	}
	ADDQ(U32(v*vb(p.isa)), p.slab)
	ADDQ(U32(v*vb(p.isa)), p.out)
	SUBQ(U32(v*p.lanes()), p.left)
	JMP(LabelRef("block"))
}

func (p *poolLoop) loadSums(v int, masked bool, out Register) []VecVirtual {
	acc := make([]VecVirtual, v)
	for i := range acc {
		acc[i] = p.vec()
		at := Mem{Base: out, Disp: i * vb(p.isa)}
		if masked && i == v-1 {
			p.loadTail(at, p.mask, acc[i])
		} else {
			VMOVUPS(at, acc[i])
		}
	}
	return acc
}

func (p *poolLoop) storeSums(acc []VecVirtual, masked bool, out Register) {
	for i, a := range acc {
		at := Mem{Base: out, Disp: i * vb(p.isa)}
		if masked && i == len(acc)-1 {
			p.storeTail(a, p.mask, at)
		} else {
			VMOVUPS(a, at)
		}
	}
}

// prefetchAhead prefetches this block's lines of the row that is ahead of idx,
// whatever bag it is in.
func (p *poolLoop) prefetchAhead(v int, masked bool, idx Register) {
	row := GP64()
	LEAQ(Mem{Base: idx, Disp: 4 * ahead}, row)
	CMPQ(row, p.last)
	CMOVQHI(p.last, row)
	MOVL(Mem{Base: row}, row.As32())
	IMULQ(p.stride, row)
	for line := 0; line < v*vb(p.isa); line += 64 {
		prefetch(Mem{Base: p.slab, Index: row, Scale: 1, Disp: line})
	}
	if masked {
		ADDQ(p.slab, row)
		prefetch(Mem{Base: row, Index: p.left, Scale: 4, Disp: -4})
	} else if rest := v * vb(p.isa); rest%64 != 0 {
		prefetch(Mem{Base: p.slab, Index: row, Scale: 1, Disp: rest - 4})
	}
}

// addRow adds the row at idx to acc and steps idx and weight on.
func (p *poolLoop) addRow(acc []VecVirtual, masked bool, idx, weight Register) {
	row := GP64()
	MOVL(Mem{Base: idx}, row.As32())
	IMULQ(p.stride, row)
	var scale Register
	if p.weighted {
		scale = p.vec()
		VBROADCASTSS(Mem{Base: weight}, scale)
		ADDQ(U8(4), weight)
	}
	for i, a := range acc {
		var x Op = Mem{Base: p.slab, Index: row, Scale: 1, Disp: i * vb(p.isa)}
		if masked && i == len(acc)-1 {
			t := p.vec()
			p.loadTail(x.(Mem), p.mask, t)
			x = t
		}
		if p.weighted {
			t := p.vec()
			VMULPS(x, scale, t)
			x = t
		}
		VADDPS(x, a, a)
	}
	ADDQ(U8(4), idx)
}
