package model

import (
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
)

// denseRow is a dense weight as its optimizer sees it: one row.
//
//	row   weights | slot 0 | slot 1 | …
//
// The layer's array is the truth between steps, so that weights may be set at
// any time: an update copies it in and out.
type denseRow struct {
	v     *layer.Variable
	row   []float32
	slots []optim.Slot
	decay float32 // CompileOptions.WeightDecay, 0 if v is excluded
}

// makeRows returns a row for each trained weight, with the state of old.
func (c *compiled) makeRows(o CompileOptions, old *compiled) []*denseRow {
	before := make(map[*layer.Variable]*denseRow)
	if old != nil {
		for _, d := range old.rows {
			if d != nil {
				before[d.v] = d
			}
		}
	}
	rows := make([]*denseRow, len(c.vars))
	for i, v := range c.vars {
		if !v.Trainable() {
			continue
		}
		d := newDenseRow(v, c.optimizer.Updater)
		if b := before[v]; b != nil {
			d.row = b.row
		}
		if !excluded(v.Name(), o.DecayExclude) {
			d.decay = o.WeightDecay
		}
		rows[i] = d
	}
	return rows
}

func newDenseRow(v *layer.Variable, rule optim.Updater) *denseRow {
	d := &denseRow{v: v, row: make([]float32, len(v.Value())), slots: rule.Slots()}
	for _, s := range d.slots {
		for range d.width(s) {
			d.row = append(d.row, s.Init)
		}
	}
	return d
}

func (d *denseRow) width(s optim.Slot) int {
	if s.Width == 0 {
		return len(d.v.Value())
	}
	return s.Width
}

// state yields the slots with their numbers.
func (d *denseRow) state(yield func(optim.Slot, []float32) bool) {
	at := len(d.v.Value())
	for _, s := range d.slots {
		n := d.width(s)
		if !yield(s, d.row[at:at+n]) {
			return
		}
		at += n
	}
}

// update makes one step. The gradient has been clipped.
func (d *denseRow) update(o *optim.Optimizer, grad []float32, step int64) {
	weights := d.v.Value()
	lr := o.Rate.At(step)
	copy(d.row, weights)
	if d.decay > 0 {
		factor := float32(lr * d.decay)
		for i, w := range d.row[:len(weights)] {
			d.row[i] = w - float32(w*factor)
		}
	}
	o.Updater.Update(optim.Block{Data: d.row, Stride: len(d.row), Width: len(weights),
		Rows: []uint32{0}, Grads: grad, Step: step, LR: lr})
	copy(weights, d.row)
	d.v.Constrain()
}
