package format

import "slices"

// halves is a block's rows as a file with weights of 16 bits has them: all
// weights, and then all slots.
type halves struct {
	weights []uint16
	slots   []float32
}

// split takes rows apart. A weight that the header's Type does not hold is ErrInvalid.
func (x *halves) split(h *Header, rows []float32) error {
	x.weights, x.slots = x.weights[:0], x.slots[:0]
	half := h.Type.half()
	for stride := h.Stride(); len(rows) > 0; rows = rows[stride:] {
		for _, w := range rows[:h.Width] {
			if !half.Holds(w) {
				return invalid("weight %v: %v does not hold it", w, h.Type)
			}
			x.weights = append(x.weights, half.Nearest(w))
		}
		x.slots = append(x.slots, rows[h.Width:stride]...)
	}
	return nil
}

// join is the inverse of split.
func (x *halves) join(h *Header, rows []float32) []float32 {
	rows = slices.Grow(rows[:0], len(x.weights)+len(x.slots))
	half, slots, extra := h.Type.half(), x.slots, h.Stride()-h.Width
	for i, w := range x.weights {
		rows = append(rows, half.Widen(w))
		if (i+1)%h.Width == 0 {
			rows, slots = append(rows, slots[:extra]...), slots[extra:]
		}
	}
	return rows
}

// readHalves reads n rows whose weights have 16 bits.
func (t *TableReader) readHalves(n int) (err error) {
	x := &t.halves
	if x.weights, err = readNumbers(&t.in, x.weights, n*t.h.Width, "weights"); err != nil {
		return err
	}
	if x.slots, err = readNumbers(&t.in, x.slots, n*(t.h.Stride()-t.h.Width), "slots"); err != nil {
		return err
	}
	t.block.Rows = x.join(&t.h, t.block.Rows)
	return nil
}
