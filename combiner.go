package rowan

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Combiner is how the rows of a bag become one row. Besides those below there
// are the program's own, which [RegisterCombiner] returns.
type Combiner uint8

// The combiners, for a bag of rows v with weights w; a weight that is not given
// is 1. Each dimension is combined on its own.
//
//	Sum            Σwv
//	Mean           Σwv / Σw
//	SqrtN          Σwv / √Σw²
//	Max, Min       the largest, the smallest v
//	Prod           Πv
//	Variance       Σw(v-m)² / Σw, m being the mean: of the population, as TensorFlow's
//	Std            √Variance
//	EuclideanNorm  √Σwv²
//	LogSumExp      log Σw·eᵛ
//
// Weights are factors of the rows in Sum and SqrtN. In the last four a weight
// says how often the row counts, as in Mean; it may be a fraction, and must not
// be negative. Max, Min and Prod take no weights: how often a row counts says
// nothing about the largest, and a product has no row of part of a time.
//
// An empty bag, or one whose weights come to nothing, is a row of zeros and
// trains nothing, whatever the combiner.
//
// Gradients are exact. Where the function has a corner: rows that tie for the
// largest or smallest number share its gradient equally, as in TensorFlow; the
// gradient of Std is 0 where all rows are equal, and that of EuclideanNorm where
// all are 0 (TensorFlow gives NaN for both).
const (
	// None pools nothing: every id gives its row.
	None Combiner = iota
	Sum
	Mean
	SqrtN
	Max
	Min
	Prod
	Std
	Variance
	EuclideanNorm
	LogSumExp
)

var combinerNames = [...]string{
	None: "none", Sum: "sum", Mean: "mean", SqrtN: "sqrtn", Max: "max", Min: "min", Prod: "prod",
	Std: "std", Variance: "variance", EuclideanNorm: "euclidean_norm", LogSumExp: "logsumexp",
}

// String returns the name used in configs: "none", "sum", "mean", "sqrtn",
// "max", "min", "prod", "std", "variance", "euclidean_norm" or "logsumexp"; of a
// registered combiner its own.
func (c Combiner) String() string {
	if int(c) < len(combinerNames) {
		return combinerNames[c]
	}
	if f := c.function(); f != nil {
		return f.Name
	}
	return fmt.Sprintf("Combiner(%d)", uint8(c))
}

// ParseCombiner is the inverse of [Combiner.String]; the empty string is None.
// TensorFlow's names of the same reductions are read too: "reduce_max" is Max,
// and so for each function tf.math.reduce_… of numbers; "sqrt_n" is SqrtN.
func ParseCombiner(name string) (Combiner, error) {
	switch name {
	case "":
		return None, nil
	case "sqrt_n":
		return SqrtN, nil
	}
	if i := slices.Index(combinerNames[:], name); i >= 0 {
		return Combiner(i), nil
	}
	if c, ok := registeredCombiner(name); ok {
		return c, nil
	}
	if short, ok := strings.CutPrefix(name, "reduce_"); ok && short != "none" && short != "sqrtn" {
		if i := slices.Index(combinerNames[:], short); i >= 0 {
			return Combiner(i), nil
		}
	}
	return None, fmt.Errorf("%w: combiner must be one of %s, or a name given to RegisterCombiner. Received: combiner=%q",
		ErrOptions, strings.Join(combinerNames[:], ", "), name)
}

// reducer returns how c reduces a bag whose rows are given to it; nil for the
// combiners that the kernels add up row by row, None among them.
func (c Combiner) reducer() (reducer, error) {
	if int(c) < len(columns) {
		if columns[c] == nil {
			return nil, nil
		}
		return columns[c], nil
	}
	if f := c.function(); f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("%w: unknown combiner %v", ErrOptions, c)
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
