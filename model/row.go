package model

import (
	"slices"

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
	v         *layer.Variable
	row       []float32
	slots     []optim.Slot
	optimizer *optim.Optimizer // the model's, with the weight decay of this weight
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
		d := newDenseRow(v, c.optimizer, o)
		if b := before[v]; b != nil {
			d.row = b.row
		}
		rows[i] = d
	}
	return rows
}

func newDenseRow(v *layer.Variable, o *optim.Optimizer, c CompileOptions) *denseRow {
	own := *o
	own.WeightDecay += float64(c.WeightDecay)
	if excluded(v.Name(), c.DecayExclude) {
		own.WeightDecay = 0
	}
	d := &denseRow{v: v, row: slices.Clone(v.Value()), slots: o.Slots(), optimizer: &own}
	for _, s := range d.slots {
		if s.Weights {
			d.row = append(d.row, v.Value()...)
			continue
		}
		for range d.width(s) {
			d.row = append(d.row, float32(s.Init))
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

// update makes one step at a learning rate. The gradient has been clipped.
func (d *denseRow) update(lr float32, grad []float32, step int64) {
	weights := d.v.Value()
	copy(d.row, weights)
	d.optimizer.Update(optim.Block{Data: d.row, Stride: len(d.row), Width: len(weights),
		Rows: []uint32{0}, Grads: grad, Step: step, LR: lr})
	copy(weights, d.row)
	d.v.Constrain()
}

// useAverage puts the average of the weights in their place.
func (d *denseRow) useAverage() {
	for s, numbers := range d.state {
		if s.Name == optim.AverageSlot {
			copy(d.v.Value(), numbers)
			d.v.Constrain()
		}
	}
}
