package rowan

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/rowan-embeddings/rowan/internal/slab"
	"github.com/rowan-embeddings/rowan/internal/text"
	"github.com/rowan-embeddings/rowan/optim"
)

// Row numbers with a meaning of their own. Every other number names a slab row.
const (
	// rowAbsent: the key has no row; it reads as its first values.
	rowAbsent = math.MaxUint32 - iota
	// rowZero: the id reads as zeros, counts in means and is not trained.
	rowZero
	// rowSkip: the id is left out, of means too, and is not trained.
	rowSkip
	// firstSpecial is the lowest of them.
	firstSpecial = rowSkip
)

// core is what a table's locks guard: its rows and the index of their keys.
// Loading a file or changing the optimizer builds a new core and swaps it in.
//
//	one row   weights (width) | slot 0 | slot 1 | … | last step, if kept | padding
//	          └──────────────────── stride float32s ─────────────────────────────┘
type core struct {
	index     index
	slab      *slab.Slab
	dtype     DType
	layout    layout
	scores    *scores          // nil: the table has no policy that gives rows up
	narrow    narrow           // how rows lie in the slab, if not as in layout
	texts     *text.Store      // what rows of strings hold; nil: they hold numbers
	opened    []float32        // rows of a block that are opened, in place of a slab
	optimizer *optim.Optimizer // nil: the rows carry no state and cannot be trained
	packed    Quantization     // rows are packed: see Quantize; else 0
	exact     bool             // missed steps are made up for: the optimizer says so and its rule can
}

// layout is where things lie in a slab row.
type layout struct {
	width  int
	slots  []optim.Slot
	state  int // weights and slots together
	last   int // where the last step lies; -1 if it is not kept
	stride int
}

func layoutOf(width int, o *optim.Optimizer, keepLast bool) layout {
	l := layout{width: width, state: width, last: -1}
	if o != nil {
		l.slots = o.Slots()
	}
	for _, s := range l.slots {
		l.state += slotWidth(s, width)
	}
	l.stride = l.state
	if keepLast {
		l.last = l.state
		l.stride++
	}
	l.stride = strideFor(l.stride)
	return l
}

func slotWidth(s optim.Slot, width int) int {
	if s.Width == 0 {
		return width
	}
	return s.Width
}

// strideFor rounds the floats of a row up: whole cache lines where a row fills
// one, else a power of two, so that no row crosses a line more often than it must.
func strideFor(n int) int {
	if n >= 16 {
		return (n + 15) &^ 15
	}
	return 1 << bits.Len(uint(n-1))
}

// maxStep is the last step that a row can remember.
const maxStep = math.MaxUint32

// lastStep reads the step that a row was last brought to.
func lastStep[F optim.Float](l *layout, row []F) int64 { return int64(*stepBits(l, row)) }

// setLastStep notes the step that a row has been brought to. Steps are kept in
// 32 bits: 4 thousand million of them.
func setLastStep[F optim.Float](l *layout, row []F, step int64) { *stepBits(l, row) = uint32(step) }

// stepBits is where the step lies: in the bits of a number that is none.
func stepBits[F optim.Float](l *layout, row []F) *uint32 {
	return (*uint32)(unsafe.Pointer(&row[l.last]))
}

// row returns row r of float32, which lies in the slab as in the layout. Rows that
// may be narrower are read by read and changed by open.
func (c *core) row(r uint32) []float32 {
	at := int(r) * c.layout.stride
	return c.data()[at : at+c.layout.stride : at+c.layout.stride]
}

// data is the memory that rows lie in.
func (c *core) data() []float32 {
	if c.opened != nil {
		return c.opened
	}
	return c.slab.Data()
}

// numbersOf is the memory that rows lie in, as the numbers that they are computed
// in: layout.stride of them a row.
func numbersOf[F optim.Float](c *core) []F {
	data := c.data()
	return unsafe.Slice((*F)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*4/int(unsafe.Sizeof(F(0))))
}

// rowOf returns row r as the numbers that it is computed in.
func rowOf[F optim.Float](c *core, r uint32) []F {
	at := int(r) * c.layout.stride
	return numbersOf[F](c)[at : at+c.layout.stride : at+c.layout.stride]
}

// startRow does start for row r of a core.
func (t *Table) startRow(c *core, r uint32, stream uint64, step int64) {
	if t.opt.DType.isCells() {
		t.startCells(c, r, stream, step)
		return
	}
	o := c.open(r)
	t.start(&c.layout, o.row, stream, step)
	o.shut(rounding{})
}

// begin gives row r the first state of a new row.
func (c *core) begin(r uint32, step int64) {
	switch {
	case len(c.layout.slots) == 0 && c.layout.last < 0:
	case c.dtype == Float64:
		begin(&c.layout, rowOf[float64](c, r), step)
	default:
		o := c.open(r)
		begin(&c.layout, o.row, step)
		o.shut(rounding{})
	}
}

// start writes the first values of a new row: weights, slots and last step.
func (t *Table) start(l *layout, row []float32, stream uint64, step int64) {
	t.initial(row[:l.width], stream)
	begin(l, row, step)
}

// begin writes the first state of a new row, whose weights are there.
func begin[F optim.Float](l *layout, row []F, step int64) {
	at := l.width
	for _, s := range l.slots {
		end := at + slotWidth(s, l.width)
		for i := at; i < end; i++ {
			row[i] = F(s.Init)
		}
		at = end
	}
	follow(l, row)
	if l.last >= 0 {
		setLastStep(l, row, step)
	}
}

// initial writes the values that a key which has no row reads as.
func (t *Table) initial(dst []float32, stream uint64) {
	t.opt.Initializer.Row(dst, stream, t.opt.Fan)
	clipNorm(t, dst)
	t.opt.DType.round(dst)
}

// stream stands for key i of a batch in the table's first values.
func (t *Table) stream(k *keyBatch, i int) uint64 {
	if k.strs != nil {
		return t.streams.KeyString(k.strs[i])
	}
	return t.streamOf(k.ints[i])
}

func (t *Table) streamOf(key uint64) uint64 {
	return t.streams.Key(key)
}

// rowBits returns the number of bits that the core's row numbers have.
func (c *core) rowBits() int { return bits.Len(uint(len(c.slab.Data()) / c.stride())) }
