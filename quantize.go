package rowan

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/slab"
)

// Quantization says in how many bits a number of a row is kept.
type Quantization uint8

// The quantizations.
const (
	// QuantizeInt8 keeps a number in 8 bits: a row takes width + 8 bytes.
	QuantizeInt8 Quantization = 8
	// QuantizeInt4 keeps a number in 4 bits: a row takes width/2 + 8 bytes.
	QuantizeInt4 Quantization = 4
)

// ParseQuantization returns the quantization that Keras names "int8" or "int4".
func ParseQuantization(name string) (Quantization, error) {
	switch name {
	case "int8":
		return QuantizeInt8, nil
	case "int4":
		return QuantizeInt4, nil
	}
	return 0, fmt.Errorf("%w: unknown quantization: it is int8 or int4. Received: %q", ErrOptions, name)
}

// String returns "int8" or "int4"; "none" of 0.
func (q Quantization) String() string {
	if q == 0 {
		return "none"
	}
	return fmt.Sprintf("int%d", uint8(q))
}

// levels is the number of steps between a row's least and greatest number.
func (q Quantization) levels() float32 { return float32(uint32(1)<<q - 1) }

// words returns the floats of memory that a row of width numbers takes: its
// least number, the step, and the numbers packed from the lowest bits up.
//
//	least | step | 3210 | 7654 | …     QuantizeInt8, four numbers a word
func (q Quantization) words(width int) int {
	perWord := 32 / int(q)
	return 2 + (width+perWord-1)/perWord
}

// pack writes a row's numbers as least + step·n for whole n: the nearest of
// levels even steps from the least number to the greatest. So no number is off
// by more than half a step, (greatest - least)/510 of QuantizeInt8 and /30 of QuantizeInt4, and
// what float32 rounds off. That is less than Keras' symmetric form allows,
// max|w|/254 and /14, whose range is twice the greatest absolute value.
func (q Quantization) pack(dst, row []float32) {
	least, greatest := slices.Min(row), slices.Max(row)
	step := float32((float64(greatest) - float64(least)) / float64(q.levels()))
	dst[0], dst[1] = least, step
	perWord := 32 / int(q)
	for w := range dst[2:q.words(len(row))] {
		bits := uint32(0)
		for i, x := range row[w*perWord : min((w+1)*perWord, len(row))] {
			n := uint32(0)
			if step > 0 {
				n = uint32(max(0, min(float64(q.levels()), math.RoundToEven((float64(x)-float64(least))/float64(step)))))
			}
			bits |= n << (i * int(q))
		}
		dst[2+w] = math.Float32frombits(bits)
	}
}

// unpack writes the numbers that a packed row stands for.
func (q Quantization) unpack(dst, packed []float32) {
	least, step := packed[0], packed[1]
	mask, perWord := uint32(1)<<q-1, 32/int(q)
	for w := 0; w*perWord < len(dst); w++ {
		bits := math.Float32bits(packed[2+w])
		part := dst[w*perWord : min((w+1)*perWord, len(dst))]
		for i := range part {
			part[i] = least + float32(step*float32(bits&mask))
			bits >>= q
		}
	}
}

// Quantize returns a copy of the table for serving, with each number in a few
// bits and a scale and an offset a row: Keras' quantize of an embedding. It is
// filled from the table some thousands of rows at a time, and reads a row by
// unpacking it: what is looked up costs what it costs, and neither table is
// ever widened as a whole. See [Quantization] for its size; Stats has it.
//
// The copy answers lookups and exports as the table does, keys that it does not
// hold among them; what packing rounds may carry a row over MaxNorm. Keys can be removed; writing, training, saving and loading are
// ErrReadOnly: keep the table itself to go on with. Close it as any table.
func (t *Table) Quantize(ctx context.Context, q Quantization) (*Table, error) {
	if err := t.checkContext(ctx); err != nil {
		return nil, err
	}
	if q != QuantizeInt8 && q != QuantizeInt4 {
		return nil, fmt.Errorf("%w: table %q: a quantization is QuantizeInt8 or QuantizeInt4. Received: %d", ErrOptions, t.opt.Name, q)
	}
	if err := t.floats(); err != nil {
		return nil, fmt.Errorf("quantize table %q: %w", t.opt.Name, err)
	}
	n := &Table{opt: t.opt, shift: t.shift, streams: t.streams, rowShape: t.rowShape, packed: q}
	n.opt.Regularizer, n.opt.Constraint, n.opt.Restrict = Regularizer{}, nil, Restrict{}
	n.opt.Stores = nil
	if t.opt.DType == Float64 {
		n.opt.DType = Float32
	}
	n.step.Store(t.step.Load())
	c, err := n.newPackedCore()
	if err == nil {
		n.core = c
		if err = n.packAll(ctx, t); err != nil {
			c.discard()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("quantize table %q: %w", t.opt.Name, err)
	}
	return n, nil
}

func (t *Table) newPackedCore() (*core, error) {
	words := t.packed.words(t.opt.Width)
	// No rounding up of the stride: the form is for size.
	c := &core{packed: t.packed, layout: layout{width: t.opt.Width, state: words, last: -1, stride: words}}
	rows := t.opt.MaxRows
	if t.opt.Rows > 0 {
		rows = t.opt.Rows
	}
	var err error
	if c.slab, err = slab.New(slab.Options{Stride: words, MaxRows: rows}); err != nil {
		return nil, err
	}
	if c.index, err = t.newIndex(); err == nil {
		err = t.allocStatic(c)
	}
	if err != nil {
		_ = c.slab.Close() // nobody has seen it
		return nil, err
	}
	return c, nil
}

// packAll fills the table from another.
func (t *Table) packAll(ctx context.Context, from *Table) error {
	width := t.opt.Width
	for rows, err := range from.Export(ctx) {
		if err != nil {
			return err
		}
		err = t.eachStripe(ctx, rows.Keys, func(p *portion) error {
			if err := t.insert(p); err != nil {
				return err
			}
			for j, r := range p.rows {
				row := rows.Values.Data()[int(p.at[j])*width:][:width]
				if span := slices.Max(row) - slices.Min(row); span-span != 0 {
					return fmt.Errorf("%w: the numbers of a row lie %v apart", ErrNotFinite, span)
				}
				t.packed.pack(p.core.row(r), row)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Quantization returns how the table's rows are packed, 0 if they are not.
func (t *Table) Quantization() Quantization { return t.packed }

// writable reports a table whose rows cannot be written, or that is nil.
func (t *Table) writable() error {
	if err := t.given(); err != nil {
		return err
	}
	if t.packed != 0 {
		return fmt.Errorf("%w: table %q is the quantized copy of a table: change that one, and quantize it again", ErrReadOnly, t.opt.Name)
	}
	return nil
}
