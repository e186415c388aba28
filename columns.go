package rowan

import (
	"fmt"
	"math"

	"github.com/rowan-embeddings/rowan/internal/portable"
)

// column is a combiner that reduces each dimension of a bag on its own. It is
// computed in float64 and rounded once, by mathematics that has the same bits
// everywhere.
type column struct {
	name string
	// weighted: a weight says how often a row counts. Else there are none.
	weighted bool
	// forward reduces one dimension: x has the numbers of the rows, at least
	// one, and w their weights, 1 where none are given.
	forward func(x, w []float64) float64
	// backward writes the gradient of each of x to dx, for a gradient dy of
	// what forward returns.
	backward func(dx, x, w []float64, dy float64)
}

// columns are the combiners of this kind.
var columns = [len(combinerNames)]*column{
	Max:           {"max", false, largest, shareLargest},
	Min:           {"min", false, smallest, shareSmallest},
	Prod:          {"prod", false, product, productOfOthers},
	Variance:      {"variance", true, variance, varianceBack},
	Std:           {"std", true, deviation, deviationBack},
	EuclideanNorm: {"euclidean_norm", true, norm, normBack},
	LogSumExp:     {"logsumexp", true, logSumExp, softmax},
}

// accepts implements [reducer].
func (c *column) accepts(weights []float32, prune bool) error {
	if len(weights) > 0 && !c.weighted {
		return fmt.Errorf("%w: combiner %s takes no weights, there is no one meaning for them: leave them out, or register a combiner that says what they mean (RegisterCombiner)", ErrOptions, c.name)
	}
	for i, w := range weights {
		if w < 0 && !prune {
			return fmt.Errorf("%w: combiner %s: a weight says how often a row counts and must not be negative. Received: weight %d of %d is %v; LookupOptions.Prune leaves such ids out", ErrOptions, c.name, i, len(weights), w)
		}
	}
	return nil
}

// differentiable implements [reducer].
func (c *column) differentiable() error { return nil }

// reduce implements [reducer].
func (c *column) reduce(s *columnTools, out []float32, b Bag) error {
	if !s.begin(b) {
		return nil
	}
	for d := range out {
		s.read(b, d)
		out[d] = float32(c.forward(s.x, s.w))
	}
	return nil
}

// back implements [reducer].
func (c *column) back(s *columnTools, grad, out []float32, b Bag) error {
	if !s.begin(b) {
		return nil
	}
	for d, dy := range out {
		s.read(b, d)
		c.backward(s.dx, s.x, s.w, float64(dy))
		for i, g := range s.dx {
			grad[i*b.Width+d] = float32(g)
		}
	}
	return nil
}

// columnTools is the scratch memory of one worker.
type columnTools struct{ x, w, dx []float64 }

// begin makes room for a bag and reads its weights; false if they come to
// nothing.
func (s *columnTools) begin(b Bag) bool {
	n := b.Len()
	if cap(s.x) < n {
		s.x, s.w, s.dx = make([]float64, 2*n), make([]float64, 2*n), make([]float64, 2*n)
	}
	s.x, s.w, s.dx = s.x[:n], s.w[:n], s.dx[:n]
	if b.Weights == nil {
		for i := range s.w {
			s.w[i] = 1
		}
		return true
	}
	some := false
	for i, w := range b.Weights {
		s.w[i] = float64(w)
		some = some || w != 0
	}
	return some
}

// read collects dimension d of a bag.
func (s *columnTools) read(b Bag, d int) {
	for i := range s.x {
		s.x[i] = float64(b.Rows[i*b.Width+d])
	}
}

func largest(x, _ []float64) float64 {
	y := x[0]
	for _, v := range x[1:] {
		if v > y {
			y = v
		}
	}
	return y
}

func smallest(x, _ []float64) float64 {
	y := x[0]
	for _, v := range x[1:] {
		if v < y {
			y = v
		}
	}
	return y
}

func shareLargest(dx, x, w []float64, dy float64)  { share(dx, x, largest(x, w), dy) }
func shareSmallest(dx, x, w []float64, dy float64) { share(dx, x, smallest(x, w), dy) }

// share gives each of the numbers that equal y an equal part of dy.
func share(dx, x []float64, y, dy float64) {
	ties := 0.0
	for _, v := range x {
		if v == y {
			ties++
		}
	}
	for i, v := range x {
		dx[i] = 0
		if v == y {
			dx[i] = dy / ties
		}
	}
}

func product(x, _ []float64) float64 {
	y := 1.0
	for _, v := range x {
		y *= v
	}
	return y
}

// productOfOthers multiplies the others of each number, those before it and
// those after it: no division, so that zeros are exact too.
func productOfOthers(dx, x, _ []float64, dy float64) {
	before := dy
	for i, v := range x {
		dx[i] = before
		before *= v
	}
	after := 1.0
	for i := len(x) - 1; i >= 0; i-- {
		dx[i] *= after
		after *= x[i]
	}
}

// moments returns the mean of x less its first number, the variance, and the
// sum of the weights. All is measured from the first number, so that equal
// numbers have a variance of exactly 0 whatever their weights.
func moments(x, w []float64) (mean, variance, total float64) {
	for i, v := range x {
		mean += float64(w[i] * (v - x[0]))
		total += w[i]
	}
	mean /= total
	for i, v := range x {
		d := (v - x[0]) - mean
		variance += float64(w[i] * float64(d*d))
	}
	return mean, variance / total, total
}

func variance(x, w []float64) float64 {
	_, v, _ := moments(x, w)
	return v
}

func varianceBack(dx, x, w []float64, dy float64) {
	mean, _, total := moments(x, w)
	for i, v := range x {
		dx[i] = dy * (2 * w[i] * ((v - x[0]) - mean) / total)
	}
}

func deviation(x, w []float64) float64 { return math.Sqrt(variance(x, w)) }

func deviationBack(dx, x, w []float64, dy float64) {
	mean, v, total := moments(x, w)
	if v == 0 {
		clear(dx)
		return
	}
	for i, v0 := range x {
		dx[i] = dy * (w[i] * ((v0 - x[0]) - mean) / float64(total*math.Sqrt(v)))
	}
}

func norm(x, w []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += float64(w[i] * float64(v*v))
	}
	return math.Sqrt(sum)
}

func normBack(dx, x, w []float64, dy float64) {
	y := norm(x, w)
	if y == 0 {
		clear(dx)
		return
	}
	for i, v := range x {
		dx[i] = dy * (float64(w[i]*v) / y)
	}
}

func logSumExp(x, w []float64) float64 {
	top, sum := scaledExp(nil, x, w)
	return top + portable.Log(sum)
}

// softmax is the gradient of logSumExp: each number's part of the sum.
func softmax(dx, x, w []float64, dy float64) {
	_, sum := scaledExp(dx, x, w)
	for i := range dx {
		dx[i] = dy * (dx[i] / sum)
	}
}

// scaledExp returns the largest number that has a weight, and the sum of all
// weighted exponentials over the largest's; each of them goes to dst, if any.
func scaledExp(dst, x, w []float64) (top, sum float64) {
	top = math.Inf(-1)
	for i, v := range x {
		if w[i] != 0 && v > top {
			top = v
		}
	}
	for i, v := range x {
		e := 0.0
		if w[i] != 0 {
			e = float64(w[i] * portable.Exp(v-top))
		}
		if dst != nil {
			dst[i] = e
		}
		sum += e
	}
	return top, sum
}
