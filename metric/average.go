package metric

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
	return appendSums(b, a.total, a.weight), nil
}

// UnmarshalBinary implements [Metric].
func (a *average) UnmarshalBinary(b []byte) error {
	return readSums("a mean", b, &a.total, &a.weight)
}
