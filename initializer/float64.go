package initializer

import "sync"

// Row64 fills dst with what i.Row gives, as float64: the same float32 numbers,
// widened, but for a [Constant], whose value is a float64.
func Row64(i Initializer, dst []float64, stream uint64, fan Fan) {
	if c, ok := i.(Constant); ok {
		for j := range dst {
			dst[j] = c.Value
		}
		return
	}
	widened(dst, func(row []float32) { i.Row(row, stream, fan) })
}

// Array64 is [Array] for rows of float64, which are filled as by [Row64].
func Array64(i Initializer, shape []int, s Streams, fan Fan) (func(dst []float64, r int), error) {
	fill, err := Array(i, shape, s, fan)
	if err != nil {
		return nil, err
	}
	if _, ok := i.(Matrix); ok {
		return func(dst []float64, r int) { widened(dst, func(row []float32) { fill(row, r) }) }, nil
	}
	return func(dst []float64, r int) { Row64(i, dst, s.Key(uint64(r)), fan) }, nil
}

var narrowRows = sync.Pool{New: func() any { return new([]float32) }}

// widened fills dst with the numbers that fill gives a row of float32.
func widened(dst []float64, fill func(row []float32)) {
	row := narrowRows.Get().(*[]float32)
	defer narrowRows.Put(row)
	if cap(*row) < len(dst) {
		*row = make([]float32, len(dst))
	}
	*row = (*row)[:len(dst)]
	fill(*row)
	for j, x := range *row {
		dst[j] = float64(x)
	}
}
