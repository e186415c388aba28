package tensor

import "fmt"

// Bags is where the bags of a batch begin and end. Pooling reduces each bag of
// ids to one row.
//
//	ids     7 3 7        bag 0 is {7, 3}, bag 1 is empty, bag 2 is {7}
//	Splits  0 2 2 3
type Bags struct {
	// Splits has one more entry than there are bags: bag i is ids
	// Splits[i] to Splits[i+1].
	Splits []int64
	// Outer is the shape of the batch without its last dimension: the pooled
	// result has this shape, and the row's width after it.
	Outer []int
}

// Of sets b to the bags of a batch over its last dimension. The buffers of b
// are reused, so that a steady stream of batches allocates nothing.
//
// A Dense batch needs at least two dimensions: with one it is ambiguous which
// ids belong together, and the error is ErrShape. A Sparse batch of rank n has
// bags over its first n-1 dimensions; absent cells are not ids.
func (b *Bags) Of(ids IDs) error {
	shape := ids.Shape()
	if len(shape) < 2 {
		return fmt.Errorf("%w: pooling needs ids of at least two dimensions (a batch of bags), got shape %v", ErrShape, shape)
	}
	b.Outer = append(b.Outer[:0], shape[:len(shape)-1]...)
	n, err := elements(b.Outer)
	if err != nil {
		return err
	}
	b.Splits = ids.appendSplits(b.Splits[:0], n)
	return nil
}

func (d *Dense[K]) appendSplits(buf []int64, bags int) []int64 {
	every := int64(d.shape[len(d.shape)-1])
	for i := range int64(bags + 1) {
		buf = append(buf, i*every)
	}
	return buf
}

func (r *Ragged[K]) appendSplits(buf []int64, _ int) []int64 { return append(buf, r.splits...) }

func (s *Sparse[K]) appendSplits(buf []int64, bags int) []int64 {
	rank := len(s.shape)
	buf = append(buf, 0)
	for i := range s.values {
		bag := int64(0)
		for d, x := range s.indices[i*rank : i*rank+rank-1] {
			bag = bag*int64(s.shape[d]) + x
		}
		for int64(len(buf)) <= bag {
			buf = append(buf, int64(i))
		}
	}
	for len(buf) <= bags {
		buf = append(buf, int64(len(s.values)))
	}
	return buf
}
