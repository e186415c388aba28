package metric

import (
	"encoding/binary"
	"fmt"
	"math"
)

// average is a weighted mean in progress. The numbers are added one after the
// other, whatever batch they come in.
type average struct{ total, weight float64 }

func (a *average) add(x, weight float64) {
	if weight == 0 {
		return // 0 × Inf would be NaN, and the example does not count
	}
	a.total += float64(x * weight)
	a.weight += weight
}

// Result implements [Metric].
func (a *average) Result() float64 { return a.total / a.weight }

// Reset implements [Metric].
func (a *average) Reset() { *a = average{} }

// AppendBinary implements [Metric]: the total and the weight.
func (a *average) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(a.total))
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(a.weight)), nil
}

// UnmarshalBinary implements [Metric].
func (a *average) UnmarshalBinary(b []byte) error {
	if len(b) != 16 {
		return fmt.Errorf("%w: a mean takes 16 bytes, got %d", ErrState, len(b))
	}
	a.total = math.Float64frombits(binary.LittleEndian.Uint64(b))
	a.weight = math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	return nil
}
