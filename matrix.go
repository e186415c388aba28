package rowan

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/internal/slab"
	"github.com/rowan-embeddings/rowan/tensor"
)

// MatrixLookup is what [EmbeddingLookup] has read. It refers to the matrix and
// the ids, which must not change until its gradient has been taken.
type MatrixLookup struct {
	lookup Lookup
	table  *Table // over the matrix
}

// Values returns what was looked up: without a combiner the shape of the ids and
// the width of the matrix after it, with one (number of rows of ids, width). Of
// ragged or sparse ids without a combiner it is (number of ids, width), bags as
// in the ids.
func (m *MatrixLookup) Values() *tensor.Values { return m.lookup.Values() }

// EmbeddingLookup reads the rows of a matrix that two-dimensional ids name, and
// pools each row of ids by the combiner: the operation of that name in NVIDIA's
// distributed embeddings, over any array instead of a [Table]. Ids are integers,
// dense, ragged or sparse, weighted or not. A ragged batch is a matrix of ids
// in CSR form: [tensor.NewRagged] takes its two arrays as they are.
//
// Where that system is undefined or wrong, this is not: a row without ids is
// zeros with every combiner, in every layout; a batch of as many rows as ids is
// nothing special; an id that is no row of the matrix is ErrOutOfRange, naming
// position and id. A matrix that is nil, empty or not two-dimensional, and ids
// of another number of dimensions, are ErrShape; strings are ErrKeyType. It is
// safe for concurrent use while nobody changes the matrix, which is not copied.
func EmbeddingLookup(param *tensor.Values, ids tensor.IDs, c Combiner) (*MatrixLookup, error) {
	t, err := matrixTable(param)
	if err == nil {
		err = checkIDs(ids)
	}
	if err == nil && len(ids.Shape()) != 2 {
		err = fmt.Errorf("%w: ids must have two dimensions, (rows, ids of a row), got shape %v: reshape them, or use a Table, which takes any", ErrShape, ids.Shape())
	}
	if err != nil {
		return nil, fmt.Errorf("embedding lookup: %w", err)
	}
	m := &MatrixLookup{table: t}
	o := LookupOptions{Combiner: c, Training: true}
	if f := c.function(); f != nil && f.Backward == nil {
		o.Training = false // Gradient will say why
	}
	if err := t.look(context.Background(), &m.lookup, ids, o); err != nil {
		return nil, fmt.Errorf("embedding lookup: %w", err)
	}
	return m, nil
}

// matrixTable returns a static table over a matrix, whose rows it reads where
// they lie. It needs no closing.
func matrixTable(param *tensor.Values) (*Table, error) {
	if param == nil || len(param.Shape()) != 2 || param.Len() == 0 {
		var shape any = "nil"
		if param != nil {
			shape = param.Shape()
		}
		return nil, fmt.Errorf("%w: param must be a matrix of at least one row and one column, got shape %v", ErrShape, shape)
	}
	rows, width := param.Shape()[0], param.Shape()[1]
	o := TableOptions{Name: "param", Rows: rows, Width: width}
	if err := o.check(); err != nil {
		return nil, err
	}
	s, err := slab.Wrap(param.Data(), width)
	if err != nil {
		return nil, err
	}
	t := &Table{opt: o, shift: stripeShift(rows)}
	t.core = &core{
		index: staticIndex{rows: uint64(rows), shift: t.shift}, slab: s,
		layout: layout{width: width, state: width, last: -1, stride: width},
	}
	return t, nil
}

// Gradient returns the gradient of a loss with respect to the matrix, for its
// gradient with respect to Values, of the same shape: the distinct ids that were
// read, ascending, and for each the sum of its gradients. Rows that are not named
// have none. Ids of rows without ids do not exist, and train nothing.
func (m *MatrixLookup) Gradient(grad *tensor.Values) (*Rows, error) {
	if m == nil || m.table == nil {
		return nil, fmt.Errorf("%w: nothing has been looked up; see EmbeddingLookup", ErrStale)
	}
	if r := m.lookup.reduction.reducer; r != nil {
		if err := r.differentiable(); err != nil {
			return nil, err
		}
	}
	g := m.table.NewGradients()
	if err := g.Add(&m.lookup, grad); err != nil {
		return nil, err
	}
	ids, sums := g.sums()
	keys, err := tensor.NewDense(ids)
	if err != nil {
		return nil, err
	}
	values, err := tensor.NewValues(sums, len(ids), m.table.opt.Width)
	if err != nil {
		return nil, err
	}
	return &Rows{Keys: keys, Values: values}, nil
}

// sums returns the rows of a static table that have a gradient, ascending, and
// their summed gradients. Stripes are ranges of rows, in order.
func (g *Gradients) sums() (ids []int64, grads []float32) {
	g.arrange()
	var tools applyTools[float32]
	rowBits := bits.Len(uint(g.table.opt.Rows))
	for s := range stripes {
		occurrences := g.packed[g.begin[s]:g.begin[s+1]]
		kernel.RadixSort(occurrences, g.scratch[g.begin[s]:g.begin[s+1]], posBits, posBits+rowBits)
		for len(occurrences) > 0 {
			occurrences = fill(g, &tools, occurrences)
			for _, r := range tools.rows {
				ids = append(ids, int64(r))
			}
			grads = append(grads, tools.grads...)
		}
	}
	return ids, grads
}
