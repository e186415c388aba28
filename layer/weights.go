package layer

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// GetWeights returns copies of the weights, in creation order: dense arrays
// and static tables. A dynamic table has no fixed array; its rows travel with
// the table, and it is left out.
func (b *Base) GetWeights(ctx context.Context) ([][]float32, error) {
	var all [][]float32
	for _, v := range b.fixed() {
		w, err := v.read(ctx)
		if err != nil {
			return nil, fmt.Errorf("weight %q: %w", v.Name(), err)
		}
		all = append(all, w)
	}
	return all, nil
}

// fixed returns the variables that have an array of a fixed shape.
func (b *Base) fixed() []*Variable {
	var all []*Variable
	for _, v := range b.Variables() {
		if v.table == nil || !v.table.Dynamic() {
			all = append(all, v)
		}
	}
	return all
}

// SetWeights sets the weights to copies of arrays, in the order of GetWeights.
// On an error nothing has been set.
func (b *Base) SetWeights(weights [][]float32) error {
	vars := b.fixed()
	if len(weights) != len(vars) {
		return fmt.Errorf("%w: you called set_weights(weights) on layer %q with a weight list of length %d, but the layer was expecting %d weights",
			ErrWeights, b.Name(), len(weights), len(vars))
	}
	for i, v := range vars {
		if err := v.takes(weights[i]); err != nil {
			return fmt.Errorf("layer %q weight %q: %w", b.Name(), v.name, err)
		}
	}
	for i, v := range vars {
		if v.table == nil {
			copy(v.value, weights[i])
		} else if err := writeTable(context.Background(), v, weights[i]); err != nil {
			return fmt.Errorf("weight %q: %w", v.Name(), err)
		}
	}
	return nil
}

// takes reports what writing w to the weight would stumble over: a number of
// numbers, and of a table whatever stops a chunk when others have been written.
func (v *Variable) takes(w []float32) error {
	if len(w) != v.shape.size() {
		return fmt.Errorf("%w: shape %v holds %d numbers, provided weight has %d", ErrWeights, v.shape, v.shape.size(), len(w))
	}
	if v.table == nil {
		return nil
	}
	if rows := v.table.Len(); rows == 0 {
		return fmt.Errorf("table %q: %w", v.table.Name(), rowan.ErrClosed)
	} else if rows < v.shape[0] {
		return fmt.Errorf("%w: shape %v is of more rows than table %q has, %d", ErrWeights, v.shape, v.table.Name(), rows)
	}
	for i, x := range w {
		if x-x != 0 {
			return fmt.Errorf("%w: number %d, of row %d, is %v", rowan.ErrNotFinite, i, i/v.shape[1], x)
		}
	}
	return nil
}

// tableChunk bounds the rows that pass through memory at once.
const tableChunk = 1 << 16

// readTable copies a static table out.
func readTable(ctx context.Context, v *Variable) ([]float32, error) {
	all := make([]float32, 0, v.shape.size())
	var l rowan.Lookup
	for from := 0; from < v.shape[0]; from += tableChunk {
		ids, err := rowIDs(from, min(from+tableChunk, v.shape[0]))
		if err != nil {
			return nil, err
		}
		if err := v.table.LookupInto(ctx, &l, ids, rowan.LookupOptions{}); err != nil {
			return nil, err
		}
		all = append(all, l.Values().Data()...)
	}
	return all, nil
}

// writeTable sets the rows of a static table.
func writeTable(ctx context.Context, v *Variable, w []float32) error {
	width := v.table.Width()
	for from := 0; from < v.shape[0]; from += tableChunk {
		to := min(from+tableChunk, v.shape[0])
		ids, err := rowIDs(from, to)
		if err != nil {
			return err
		}
		rows, err := tensor.NewValues(w[from*width:to*width], to-from, width)
		if err != nil {
			return err
		}
		if err := v.table.Upsert(ctx, ids, rows); err != nil {
			return err
		}
	}
	return nil
}

func rowIDs(from, to int) (tensor.IDs, error) {
	ids := make([]int64, to-from)
	for i := range ids {
		ids[i] = int64(from + i)
	}
	return tensor.NewDense(ids)
}
