package rowan

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/optim"
)

// Keras applies a constraint to the whole matrix after each step. What a table
// does instead depends on what the constraint looks at:
//
//	one row            the rows of the step's ids, after their update. Other rows
//	                   would not change, but for what they started with
//	the whole matrix   all rows of a static table, after the last of them has been
//	                   updated, with every stripe locked: a pass over the table in
//	                   each step. A lookup meanwhile may see rows that have been
//	                   updated and not yet constrained
//
// Steps that an exact optimizer makes up for are constrained together, after the
// last of them, in the row and in the copies that are read; a row that has
// missed none is as it was. With a constraint of the whole matrix every row is
// brought to the step before it is constrained, so that none ever misses one.

// checkConstraint reports a constraint that the table cannot keep with an optimizer.
func (o *TableOptions) checkConstraint(optimizer *optim.Optimizer) error {
	c := o.Constraint
	if c == nil {
		return nil
	}
	rows := o.Rows
	if rows == 0 {
		rows = -1
	}
	if err := constraint.Check(c, []int{rows, o.Width}); err != nil || constraint.ByRow(c) {
		return err
	}
	switch {
	case o.Rows == 0:
		return fmt.Errorf("%s is over all rows, and a dynamic table has no fixed number of them: use one along axis 1, a row", c.Class())
	case o.DType != Float32:
		return fmt.Errorf("%s is over all rows, which must be float32 then. Received: DType=%v; use a constraint along axis 1, a row", c.Class(), o.DType)
	case isExact(optimizer) && !o.Regularizer.none():
		return fmt.Errorf("%s is over all rows, which keeps an exact optimizer's rows from paying the regularizer for the steps that they miss: leave out one of the three, or use a constraint along axis 1", c.Class())
	}
	return nil
}

// constrainRow applies the constraint to the weights of a row.
func constrainRow[F optim.Float](t *Table, row []F) {
	switch row := any(&row).(type) {
	case *[]float32:
		t.opt.Constraint.Apply(constraint.Array{Data: *row, Shape: t.rowShape[:], Stride: len(*row)})
	case *[]float64:
		t.opt.Constraint.(constraint.Constraint64).Apply64(constraint.ArrayOf[float64]{Data: *row, Shape: t.rowShape[:], Stride: len(*row)})
	}
}

// constrainMoved applies the constraint to those rows of data that were caught up.
func constrainMoved[F optim.Float](t *Table, c *core, data []F, rows []uint32, last []int64, now int64) {
	for i, r := range rows {
		if last[i] < now {
			constrainRow(t, data[int(r)*c.layout.stride:][:c.layout.width])
		}
	}
}

// constrainAll applies a constraint to the whole of a static table, whose rows
// lie in the slab in the order of their keys.
func (t *Table) constrainAll(now int64) error {
	t.lock()
	defer t.unlock()
	c := t.core
	if c == nil {
		return ErrClosed
	}
	t.forgetPenalties()
	if c.exact {
		for r := range t.opt.Rows {
			bringOne(t, c, c.row(uint32(r)), now)
		}
	}
	t.constrainWhole(c)
	return nil
}

// constrainWhole applies it to the rows as they are. All stripes are locked.
func (t *Table) constrainWhole(c *core) {
	t.opt.Constraint.Apply(constraint.Array{
		Data: c.slab.Data(), Shape: []int{t.opt.Rows, t.opt.Width}, Stride: c.layout.stride,
	})
}
