package regularizer

import (
	"fmt"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/nils"
)

// maxWhole bounds the numbers of a table that enters the graph as a whole, at
// each step, for a regularizer that needs it: 4 MiB.
const maxWhole = 1 << 20

// OfTable returns what a table itself does about a regularizer, and whether the
// whole table must be in the graph for it. A dynamic table has 0 rows here. A
// regularizer that is not for such a table, or has parameters out of range, is
// an error that wraps [ErrConfig].
func OfTable(r Regularizer, rows, width int) (own rowan.Regularizer, whole bool, err error) {
	switch v := r.(type) {
	case nil:
		return own, false, nil
	case L1L2:
		return rowan.Regularizer{L1: v.L1, L2: v.L2}, false, v.check(nil)
	case Row:
		return rowan.Regularizer{Row: rowan.RowPenalty(v)}, false, nil
	}
	if nils.Is(r) {
		return own, false, Check(r, nil)
	}
	if rows == 0 {
		return own, false, fmt.Errorf("%w: %s needs the whole matrix, which a dynamic table has not: use L1L2 or regularizer.Row", ErrConfig, r.Class())
	}
	if rows > maxWhole/max(1, width) {
		return own, false, fmt.Errorf("%w: %s needs the whole table in each step, which is for small ones, of at most %d numbers: use L1L2 or regularizer.Row. Received: %d rows of %d",
			ErrConfig, r.Class(), maxWhole, rows, width)
	}
	return own, true, Check(r, []int{rows, width})
}
