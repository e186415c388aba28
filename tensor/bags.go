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
// bags over its first n-1 dimensions; absent cells are not ids. More than 2^31
// bags are ErrShape. After an error b is not to be used.
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
	if err := checkBags(n); err != nil {
		return err
	}
	b.Splits = ids.appendSplits(b.Splits[:0], n)
	return nil
}

// checkBags bounds what a shape may cost: a sparse batch of a few ids can claim
// any number of empty bags, each of which takes memory in the splits and in the
// pooled result.
func checkBags(n int) error {
	if int64(n) > maxCells {
		return fmt.Errorf("%w: %d bags are more than the %d that a batch may have", ErrShape, n, int64(maxCells))
	}
	return nil
}

// maxCells is the most bags, or cells of a filled-up rectangle, that are made
// out of nothing: beyond any batch, and what it takes still fits a machine.
const maxCells = 1 << 31
