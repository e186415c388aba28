package rowan

import (
	"fmt"
	"math"
)

// Combiner is how the rows of a bag become one row.
type Combiner uint8

// The combiners. With weights w and rows v of a bag: Sum is Σwv, Mean is
// Σwv / Σw, SqrtN is Σwv / √Σw²; a weight that is not given is 1. An empty bag,
// or one whose divisor is 0, is a row of zeros and trains nothing.
const (
	// None pools nothing: every id gives its row.
	None Combiner = iota
	Sum
	Mean
	SqrtN
)

var combinerNames = [...]string{None: "none", Sum: "sum", Mean: "mean", SqrtN: "sqrtn"}

// String returns the name used in configs: "none", "sum", "mean" or "sqrtn".
func (c Combiner) String() string {
	if int(c) < len(combinerNames) {
		return combinerNames[c]
	}
	return fmt.Sprintf("Combiner(%d)", uint8(c))
}

// ParseCombiner is the inverse of [Combiner.String]; the empty string is None.
func ParseCombiner(name string) (Combiner, error) {
	if name == "" {
		return None, nil
	}
	for c, n := range combinerNames {
		if n == name {
			return Combiner(c), nil
		}
	}
	return None, fmt.Errorf("%w: combiner must be none, sum, mean or sqrtn. Received: combiner=%q", ErrOptions, name)
}

// divisor returns what the sum of a bag is divided by: rows and weights are
// those of the bag, weights may be nil. It is infinite where there is nothing to
// divide by, or too much for a float32, so that the factors of the ids are 0.
func (c Combiner) divisor(rows []uint32, weights []float32) float32 {
	var sum float64
	for i, r := range rows {
		if r == rowSkip {
			continue
		}
		w := 1.0
		if weights != nil {
			w = float64(weights[i])
		}
		if c == SqrtN {
			w = float64(w * w)
		}
		sum += w
	}
	if c == SqrtN {
		sum = math.Sqrt(sum)
	}
	if sum == 0 {
		return float32(math.Inf(1))
	}
	return float32(sum)
}
