package dataset

// InverseCounts returns, for each id that the rows have in a column of kind id
// or ids, 1/count of it: row after row, and within a row in the order of its
// list. The count is the number of times that the id occurs in the rows, so the
// numbers of one id add up to 1: a penalty on each row of a table, spread over
// the examples that use it.
func (f *Frame) InverseCounts(name string, rows []uint32) ([]float32, error) {
	c, err := f.named(name, ID, IDs)
	if err != nil {
		return nil, err
	}
	if err := f.check(rows); err != nil {
		return nil, err
	}
	s := inverseSlot{column: c, of: c.inverseCounts(rows)}
	b := Batch{InverseCounts: map[string][]float32{}}
	err = s.gather(rows, &b)
	return b.InverseCounts[name], err
}

// inverseCounts returns 1/count of each id of the vector, 0 for one that does
// not occur in the rows.
func (c *column) inverseCounts(rows []uint32) []float32 {
	codes, n := c.dense()
	counts := make([]uint32, n)
	for _, row := range rows {
		lo, hi := c.bounds(c.at(row))
		for _, code := range codes[lo:hi] {
			counts[code]++
		}
	}
	inverse := make([]float32, len(codes))
	for i, code := range codes {
		if counts[code] > 0 {
			inverse[i] = 1 / float32(counts[code])
		}
	}
	return inverse
}
