package dataset

import (
	"github.com/rowan-embeddings/rowan/tensor"
)

// gatherer copies rows of a frame into one batch, whose buffers it reuses.
type gatherer struct {
	frame *Frame
	batch Batch
	slots []slot
}

// slot copies one column.
type slot interface {
	gather(rows []uint32, b *Batch) error
}

func newGatherer(f *Frame, inverse map[string][]float32, histories []*History) (*gatherer, error) {
	g := &gatherer{frame: f, batch: Batch{IDs: map[string]tensor.IDs{}, Numbers: map[string]*tensor.Values{}}}
	for _, c := range f.columns {
		if s := newSlot(c); s != nil {
			g.slots = append(g.slots, s)
		}
		if of := inverse[c.spec.Name]; of != nil {
			g.slots = append(g.slots, &inverseSlot{column: c, of: of})
		}
	}
	if len(inverse) > 0 {
		g.batch.InverseCounts = map[string][]float32{}
	}
	for _, h := range histories {
		s, err := h.slot(f)
		if err != nil {
			return nil, err
		}
		g.slots = append(g.slots, s)
	}
	return g, nil
}

func (g *gatherer) gather(rows []uint32) (*Batch, error) {
	g.batch.N, g.batch.Rows = len(rows), rows
	for _, s := range g.slots {
		if err := s.gather(rows, &g.batch); err != nil {
			return nil, err
		}
	}
	return &g.batch, nil
}

// newSlot returns nil for a column that is in no batch.
func newSlot(c *column) slot {
	switch c.spec.Kind {
	case Timestamp:
		return nil
	case Number, Label, Weight:
		return &floatSlot{column: c}
	}
	return newIDSlot(c.vector, c.at)
}

// newIDSlot returns the slot of a vector of ids; entry gives the entry of a row.
func newIDSlot(v *vector, entry func(row uint32) int) slot {
	switch v.key {
	case tensor.Int32:
		return &idSlot[int32]{vector: v, entry: entry, append: appendInts[int32]}
	case tensor.Uint64:
		return &idSlot[uint64]{vector: v, entry: entry, append: appendInts[uint64]}
	case tensor.String:
		return &idSlot[string]{vector: v, entry: entry, append: appendStrings}
	}
	return &idSlot[int64]{vector: v, entry: entry, append: appendInts[int64]}
}

// idSlot copies ids of one type.
type idSlot[K tensor.Key] struct {
	*vector
	entry  func(row uint32) int
	append func(dst []K, v *vector, lo, hi int64) []K
	values []K
	splits []int64
	dense  *tensor.Dense[K] // of the batch before, which serves again if the next is as long
}

func appendInts[K int32 | int64 | uint64](dst []K, v *vector, lo, hi int64) []K {
	for _, x := range v.ints[lo:hi] {
		dst = append(dst, K(x))
	}
	return dst
}

func appendStrings(dst []string, v *vector, lo, hi int64) []string {
	for _, c := range v.codes[lo:hi] {
		dst = append(dst, v.names[c])
	}
	return dst
}

func (s *idSlot[K]) gather(rows []uint32, b *Batch) (err error) {
	full := cap(s.values)
	s.values, s.splits = s.values[:0], append(s.splits[:0], 0)
	for _, row := range rows {
		lo, hi := s.bounds(s.entry(row))
		s.values = s.append(s.values, s.vector, lo, hi)
		s.splits = append(s.splits, int64(len(s.values)))
	}
	if s.spec.Kind == IDs {
		b.IDs[s.spec.Name], err = ragged(s.values, s.splits)
		return err
	}
	if s.dense == nil || s.dense.Len() != len(rows) || cap(s.values) != full {
		if s.dense, err = tensor.NewDense(s.values); err != nil {
			return err
		}
	}
	b.IDs[s.spec.Name] = s.dense
	return nil
}

// ragged is NewRagged as an interface that is nil when there is an error.
func ragged[K tensor.Key](values []K, splits []int64) (tensor.IDs, error) {
	r, err := tensor.NewRagged(values, splits)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// floatSlot copies a number, label or weight.
type floatSlot struct {
	*column
	values tensor.Values
}

func (s *floatSlot) gather(rows []uint32, b *Batch) error {
	if err := s.values.Reset(len(rows), 1); err != nil {
		return err
	}
	dst := s.values.Data()
	for i, row := range rows {
		dst[i] = s.floats[s.at(row)]
	}
	switch s.spec.Kind {
	case Label:
		b.Label = dst
	case Weight:
		b.Weight = dst
	default:
		b.Numbers[s.spec.Name] = &s.values
	}
	return nil
}

// inverseSlot copies the inverse count of each id, of which there is one for
// each id of the vector.
type inverseSlot struct {
	*column
	of  []float32
	buf []float32
}

func (s *inverseSlot) gather(rows []uint32, b *Batch) error {
	s.buf = s.buf[:0]
	for _, row := range rows {
		lo, hi := s.bounds(s.at(row))
		s.buf = append(s.buf, s.of[lo:hi]...)
	}
	b.InverseCounts[s.spec.Name] = s.buf
	return nil
}
