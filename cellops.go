package rowan

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan/tensor"
)

// floats reports a table whose rows are not numbers with a fraction.
func (t *Table) floats() error {
	if d := t.opt.DType; !d.isFloat() {
		return fmt.Errorf("%w: its rows are %v, not float32: see TableOf", ErrDType, d)
	}
	return nil
}

// upsertCells does Upsert. The values have been checked.
func upsertCells[T Cell](ctx context.Context, t *Table, ids tensor.IDs, values []T) error {
	width, now := t.opt.Width, t.tick()
	err := t.eachStripe(ctx, ids, func(p *portion) error {
		if err := t.insert(p); err != nil {
			return err
		}
		for j, r := range p.rows {
			row := values[int(p.at[j])*width:][:width]
			if err := setCells(t, p, j, r, row); err != nil {
				return err
			}
		}
		t.used(p, now)
		return nil
	})
	if err != nil {
		return err
	}
	return t.settle()
}

// setCells gives row r, of key j of a portion, cells.
func setCells[T Cell](t *Table, p *portion, j int, r uint32, cells []T) error {
	if weights, ok := any(&cells).(*[]float64); ok {
		t.set64(p.core, r, *weights)
		return nil
	}
	return writeCells(p.core, t.stripeOf(&p.keys, j, r), r, cells)
}

// set64 gives a row of float64 weights.
func (t *Table) set64(c *core, r uint32, weights []float64) {
	row := rowOf[float64](c, r)
	bringOne(t, c, row, t.step.Load())
	copy(row, weights)
	clipNorm(t, row[:len(weights)])
	follow(&c.layout, row)
}

// accumulateCells does Accumulate. The values have been checked.
func accumulateCells[T Cell](ctx context.Context, t *Table, ids tensor.IDs, values []T, exists []bool) error {
	width, now := t.opt.Width, t.tick()
	sum := make([]T, width)
	err := t.eachStripe(ctx, ids, func(p *portion) (err error) {
		for j, i := range p.at {
			if p.rows[j], err = accumulateRow(t, p, j, values[int(i)*width:][:width], sum, exists[i]); err != nil {
				return err
			}
		}
		t.used(p, now)
		return nil
	})
	if err != nil {
		return err
	}
	return t.settle()
}

// accumulateRow returns the row that it wrote, or rowAbsent if it wrote none. sum
// is room for a row.
func accumulateRow[T Cell](t *Table, p *portion, j int, value, sum []T, existed bool) (uint32, error) {
	c := p.core
	r := c.index.get(&p.keys, j)
	if (r != rowAbsent) != existed {
		return rowAbsent, nil
	}
	if !existed {
		var err error
		if r, err = t.rowFor(c, &p.keys, j, t.step.Load()); err != nil {
			return rowAbsent, err
		}
		return r, setCells(t, p, j, r, value)
	}
	if weights, ok := any(&value).(*[]float64); ok {
		t.add64(c, r, *weights)
		return r, nil
	}
	readCells(c, sum, r)
	if !addCells(sum, value) {
		return r, fmt.Errorf("%w: key %s: %v and what its row holds add up to more than a %v has room for",
			ErrOutOfRange, p.keys.format(j, t.opt.KeyType), value, t.opt.DType)
	}
	return r, setCells(t, p, j, r, sum)
}

// add64 adds to the weights of a row of float64. Averages of them stay, as in
// accumulate.
func (t *Table) add64(c *core, r uint32, weights []float64) {
	row := rowOf[float64](c, r)
	bringOne(t, c, row, t.step.Load())
	for i, d := range weights {
		row[i] += d
	}
	clipNorm(t, row[:len(weights)])
}

// addCells adds integers to others, and reports whether they had room.
func addCells[T Cell](sum, value []T) bool {
	switch sum := any(&sum).(type) {
	case *[]int8:
		return addIntegers(*sum, *any(&value).(*[]int8))
	case *[]int32:
		return addIntegers(*sum, *any(&value).(*[]int32))
	case *[]int64:
		return addIntegers(*sum, *any(&value).(*[]int64))
	}
	return false
}

func addIntegers[T int8 | int32 | int64](sum, value []T) bool {
	for i, d := range value {
		before := sum[i]
		if sum[i] += d; (sum[i] < before) != (d < 0) {
			return false
		}
	}
	return true
}
