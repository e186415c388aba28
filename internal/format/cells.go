package format

// Cell is the types whose numbers a block has in [Block.Cells].
type Cell interface {
	float64 | int8 | int32 | int64 | bool
}

// AppendCells appends to dst the bytes of x as [Block.Cells] has them.
func AppendCells[T Cell](dst []byte, x []T) []byte { return appendNumbers(dst, x, false) }

// ReadCells fills dst with the numbers whose bytes are src, which must be as many
// as AppendCells makes of dst. A bool is false where its byte is 0.
func ReadCells[T Cell](dst []T, src []byte) { readCells(dst, src, false) }

// readCells is ReadCells; portable asks for the code of big-endian hosts.
func readCells[T Cell](dst []T, src []byte, portable bool) {
	if flags, ok := any(dst).([]bool); ok {
		// Not a copy: what memory has for a bool that is neither 0 nor 1 is none.
		for i, b := range src {
			flags[i] = b != 0
		}
		return
	}
	copy(view(dst), src)
	fromFile(dst, portable)
}

// checkCells reports a byte that is no bool.
func (h *Header) checkCells(cells []byte) error {
	if h.Type != Bool {
		return nil
	}
	for i, b := range cells {
		if b > 1 {
			return invalid("bool %d of a block is %d: it must be 0 or 1", i, b)
		}
	}
	return nil
}
