package metric

import (
	"encoding/binary"
	"fmt"
	"math"
)

// appendSums appends float64s, 8 bytes each.
func appendSums(b []byte, sums ...float64) []byte {
	for _, s := range sums {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s))
	}
	return b
}

// readSums reads as many float64s as there are places, or none at all.
func readSums(name string, b []byte, sums ...*float64) error {
	if len(b) != 8*len(sums) {
		return fmt.Errorf("%w: %s takes %d bytes, got %d", ErrState, name, 8*len(sums), len(b))
	}
	for i, s := range sums {
		*s = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return nil
}

// lists are examples of width numbers each.
type lists struct {
	name  string
	width int
}

// check says whether a batch of lists, with as many labels, can be added. It
// returns the number of lists.
func (l lists) check(pred, label, weight []float32) (n int, err error) {
	if l.width < 1 {
		return 0, fmt.Errorf("%w: %s: Width must be at least 1, got %d", ErrValue, l.name, l.width)
	}
	if len(pred) != len(label) || len(pred)%l.width != 0 {
		return 0, fmt.Errorf("%w: %s: examples of %d numbers each; got %d predictions and %d labels", ErrShape, l.name, l.width, len(pred), len(label))
	}
	n = len(pred) / l.width
	if err := checkWeights(l.name, n, weight); err != nil {
		return 0, err
	}
	if err := checkNumbers(l.name, "prediction", pred, l.width); err != nil {
		return 0, err
	}
	return n, checkNumbers(l.name, "label", label, l.width)
}

// at returns list i of v.
func (l lists) at(v []float32, i int) []float32 { return v[i*l.width : (i+1)*l.width] }
