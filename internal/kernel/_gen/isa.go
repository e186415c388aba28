package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set: what a vector is, and how its last lanes are
// masked. All else has the same mnemonics in both.
type isa interface {
	suffix() string
	lanes() int
	// vec allocates a vector register.
	vec() VecVirtual
	// tailMask makes a mask of the lanes [from, from+lanes) that are below n,
	// where 0 <= n <= 16.
	tailMask(n Register, from int) Register
	// loadTail loads the masked lanes and zeroes the others.
	loadTail(m Mem, mask Register, v Register)
	// storeTail stores the masked lanes.
	storeTail(v, mask Register, m Mem)
	// zeroWhereLess makes the lanes of x zero where a < b. It spoils a.
	zeroWhereLess(a, b, x VecVirtual)
}

// vb is the number of bytes in a vector of s.
func vb(s isa) int { return 4 * s.lanes() }

type avx2 struct{}

func (avx2) suffix() string  { return "AVX2" }
func (avx2) lanes() int      { return 8 }
func (avx2) vec() VecVirtual { return YMM() }

// masks is 16 words of ones and 16 of zeroes: a window into it is a mask.
var masks Mem

func maskTable() {
	masks = GLOBL("masks", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(0xffffffff))
	}
	for i := range 16 {
		DATA(4*(i+16), U32(0))
	}
}

func (avx2) tailMask(n Register, from int) Register {
	at, table, mask := GP64(), GP64(), YMM()
	MOVQ(U32(16), at)
	SUBQ(n, at)
	LEAQ(masks, table)
	VMOVUPS(Mem{Base: table, Index: at, Scale: 4, Disp: 4 * from}, mask)
	return mask
}

func (avx2) loadTail(m Mem, mask, v Register)  { VMASKMOVPS(m, mask, v) }
func (avx2) storeTail(v, mask Register, m Mem) { VMASKMOVPS(v, mask, m) }

func (avx2) zeroWhereLess(a, b, x VecVirtual) {
	VCMPPS(notLess, b, a, a)
	VANDPS(a, x, x)
}

// notLess compares lanes: true where the first is not less than the second, or
// either is NaN.
const notLess = U8(5)

type avx512 struct{}

func (avx512) suffix() string  { return "AVX512" }
func (avx512) lanes() int      { return 16 }
func (avx512) vec() VecVirtual { return ZMM() }

func (avx512) tailMask(n Register, _ int) Register {
	MOVQ(n, RCX)
	bits, mask := GP32(), K()
	MOVL(U32(1), bits)
	SHLL(CL, bits)
	DECL(bits)
	KMOVW(bits, mask)
	return mask
}

func (avx512) loadTail(m Mem, mask, v Register)  { VMOVUPS_Z(m, mask, v) }
func (avx512) storeTail(v, mask Register, m Mem) { VMOVUPS(v, mask, m) }

func (avx512) zeroWhereLess(a, b, x VecVirtual) {
	mask := K()
	VCMPPS(notLess, b, a, mask)
	VMOVUPS_Z(x, mask, x)
}
