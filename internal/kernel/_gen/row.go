package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// ahead is how many rows ahead of the one in use a row is prefetched.
//
// Four million cold rows of 256 bytes on huge pages, one core. Granite Rapids:
// 18 to 20 M rows/s with prefetcht0 16 ahead, 22 to 25 with prefetcht1 or t2 32
// ahead. Zen 3, a sweep of {t0, t1, t2, nta} × {8, 16, 32, 48}: 30 to 38 M rows/s
// wherever in it, on a machine too busy to tell them apart; t2 and t0 48 ahead
// were the worst. So the choice is Granite Rapids': 32 rows of 512 bytes are
// 16 KiB, which is much of a first cache and little of a second.
const ahead = 32

func prefetch(m Mem) { PREFETCHT1(m) }

// prefetchRow prefetches the lines from address at to that of the last byte
// end. It spoils at.
func prefetchRow(name string, at, end Register) {
	l := label{name + "_"}
	l.place("line")
	prefetch(Mem{Base: at})
	ADDQ(U8(64), at)
	CMPQ(at, end)
	JB(l.of("line"))
	prefetch(Mem{Base: end})
}

// lastMask makes the mask of a row's last, partial vector.
func lastMask(s isa, width Register) Register {
	n := GP64()
	MOVQ(width, n)
	ANDQ(U8(s.lanes()-1), n)
	return s.tailMask(n, 0)
}

// rowLoop runs over rows of a slab that are named by their numbers, and
// prefetches those ahead. Row holds the address of the current one.
type rowLoop struct {
	row    Register
	idx    Register
	last   Register
	slab   Register
	stride Register
	lines  Register // bytes of a row to prefetch, less 1
}

// beginRows opens the loop over the rows that the parameter names, of need
// bytes each.
func beginRows(param string, need Register) *rowLoop {
	r := &rowLoop{row: GP64(), last: Load(Param(param).Len(), GP64()), lines: GP64()}
	TESTQ(r.last, r.last)
	JZ(LabelRef("done"))
	r.idx = Load(Param(param).Base(), GP64())
	LEAQ(Mem{Base: r.idx, Index: r.last, Scale: 4, Disp: -4}, r.last)
	r.slab = Load(Param("slab").Base(), GP64())
	r.stride = Load(Param("stride"), GP64())
	SHLQ(U8(2), r.stride)
	LEAQ(Mem{Base: need, Disp: -1}, r.lines)
	r.warm()

	Label("row")
	at, end := GP64(), GP64()
	LEAQ(Mem{Base: r.idx, Disp: 4 * ahead}, at)
	CMPQ(at, r.last)
	CMOVQHI(r.last, at)
	r.address(at, at)
	LEAQ(Mem{Base: at, Index: r.lines, Scale: 1}, end)
	prefetchRow("ahead", at, end)
	r.address(r.idx, r.row)
	return r
}

// address sets row to the address of the row whose number is at idx.
func (r *rowLoop) address(idx, row Register) {
	MOVL(Mem{Base: idx}, row.(GPVirtual).As32())
	IMULQ(r.stride, row)
	ADDQ(r.slab, row)
}

// warm prefetches the first rows, which are too near for the loop to.
func (r *rowLoop) warm() {
	idx, n, at, end := GP64(), GP64(), GP64(), GP64()
	MOVQ(r.idx, idx)
	LEAQ(Mem{Base: idx, Disp: 4 * ahead}, n)
	CMPQ(n, r.last)
	CMOVQHI(r.last, n)
	Label("warm")
	r.address(idx, at)
	LEAQ(Mem{Base: at, Index: r.lines, Scale: 1}, end)
	prefetchRow("warm", at, end)
	ADDQ(U8(4), idx)
	CMPQ(idx, n)
	JB(LabelRef("warm"))
}

// end closes the loop.
func (r *rowLoop) end() {
	ADDQ(U8(4), r.idx)
	CMPQ(r.idx, r.last)
	JBE(LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}

// columns runs body over a row's vectors: at the byte offsets that are whole
// vectors below bytes, and once more, masked, if any columns are left.
type columns struct {
	isa
	full Register // bytes in whole vectors
	rest Register // bytes after them
	mask Register
}

// columnsOf prepares for rows of as many bytes.
func columnsOf(s isa, bytes, width Register) *columns {
	c := &columns{isa: s, full: GP64(), rest: GP64()}
	MOVQ(bytes, c.full)
	ANDQ(I32(-vb(s)), c.full)
	MOVQ(bytes, c.rest)
	SUBQ(c.full, c.rest)
	c.mask = lastMask(s, width)
	return c
}

// access loads and stores one vector of a row, whole or masked.
type access struct {
	c      *columns
	masked bool
	offset Register
}

func (a access) at(base Register) Mem { return Mem{Base: base, Index: a.offset, Scale: 1} }

func (a access) load(base Register) VecVirtual {
	v := a.c.vec()
	if a.masked {
		a.c.loadTail(a.at(base), a.c.mask, v)
	} else {
		VMOVUPS(a.at(base), v)
	}
	return v
}

func (a access) store(v, base Register) {
	if a.masked {
		a.c.storeTail(v, a.c.mask, a.at(base))
	} else {
		VMOVUPS(v, a.at(base))
	}
}

func (c *columns) each(name string, body func(access)) {
	l := label{name + "_"}
	offset := GP64()
	XORQ(offset, offset)
	TESTQ(c.full, c.full)
	JZ(l.of("rest"))
	l.place("vector")
	body(access{c, false, offset})
	ADDQ(U8(vb(c.isa)), offset)
	CMPQ(offset, c.full)
	JNE(l.of("vector"))
	l.place("rest")
	TESTQ(c.rest, c.rest)
	JZ(l.of("end"))
	body(access{c, true, offset})
	l.place("end")
}

// bytesOf loads the width and its bytes.
func bytesOf() (width, bytes Register) {
	width, b := Load(Param("width"), GP64()), GP64()
	MOVQ(width, b)
	SHLQ(U8(2), b)
	return width, b
}

// broadcast loads a float32 parameter into all lanes.
func broadcast(s isa, param string) VecVirtual {
	v := s.vec()
	VBROADCASTSS(address(Param(param)), v)
	return v
}

// address is the memory of a parameter or result. Floats are moved from and to
// it by hand: avo's Load and Store use MOVSS, which is not an AVX instruction
// and makes the CPU keep the upper lanes apart, at 100 ns a row in a loop.
func address(c gotypes.Component) Op {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}
