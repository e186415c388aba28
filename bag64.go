package rowan

import (
	"fmt"
	"math"
	"slices"
)

// bag64 is a bag of rows of float64, which are pooled in float64. It is used for one
// bag after the other.
type bag64 struct {
	combiner Combiner
	column   *column   // nil: a weighted sum, divided by divisor
	at       []int     // which rows are in the bag
	w        []float64 // their weights
	x, dx    []float64 // one dimension of them, and its gradient
}

// prepare readies b for bags of a combiner whose ids have weights, or none. Functions
// of RegisterCombiner, which compute in float32, are ErrOptions.
func (b *bag64) prepare(c Combiner, weights []float32, prune bool) error {
	r, err := c.reducer()
	if err != nil {
		return err
	}
	b.combiner, b.column = c, nil
	switch f := r.(type) {
	case nil:
		return nil
	case *column:
		b.column = f
		return f.accepts(weights, prune)
	}
	return fmt.Errorf("%w: combiner %v was registered, and computes in float32, the rows are float64: use a combiner of the library, or rows of float32", ErrOptions, c)
}

// reset empties the bag.
func (b *bag64) reset() { b.at, b.w = b.at[:0], b.w[:0] }

// add puts a row into the bag, with weight i of those given, if any.
func (b *bag64) add(row int, weights []float32, i int) {
	w := 1.0
	if weights != nil {
		w = float64(weights[i])
	}
	b.at, b.w = append(b.at, row), append(b.w, w)
}

// counts reports whether the bag comes to anything but zeros: it has a weight,
// and its sum something to be divided by.
func (b *bag64) counts() bool {
	return slices.ContainsFunc(b.w, func(w float64) bool { return w != 0 }) && b.divisor() != 0
}

// divisor is what the sum of a bag is divided by.
func (b *bag64) divisor() float64 {
	switch b.combiner {
	case Mean:
		return sumOf(b.w)
	case SqrtN:
		return math.Sqrt(weightedSum(b.w, b.w))
	}
	return 1
}

// forward writes what the bag comes to into out, which is zeros. data has the rows,
// each as long as out.
func (b *bag64) forward(out, data []float64) {
	switch {
	case !b.counts():
	case b.column == nil:
		b.sum(out, data)
	default:
		for i := range out {
			b.read(data, len(out), i)
			out[i] = b.column.forward(b.x, b.w)
		}
	}
}

// sum adds the rows up, one after the other, and divides.
func (b *bag64) sum(out, data []float64) {
	for j, row := range b.at {
		w, x := b.w[j], data[row*len(out):][:len(out)]
		for i, v := range x {
			out[i] += float64(v * w)
		}
	}
	if d := b.divisor(); d != 1 {
		for i := range out {
			out[i] /= d
		}
	}
}

// parts appends, for each row of the bag, what part of it a weighted sum is: the
// gradient of a row is that part of the sum's.
func (b *bag64) parts(to []float64) []float64 {
	counts, d := b.counts(), b.divisor()
	for _, w := range b.w {
		if !counts {
			w, d = 0, 1
		}
		to = append(to, w/d)
	}
	return to
}

// backward writes the gradient of each row of a bag that a column reduced under its
// number into grads, which are zeros, for the gradient dout of what forward wrote.
func (b *bag64) backward(grads, dout, data []float64) {
	if !b.counts() {
		return
	}
	width := len(dout)
	b.dx = slices.Grow(b.dx[:0], len(b.at))[:len(b.at)]
	for i, dy := range dout {
		b.read(data, width, i)
		b.column.backward(b.dx, b.x, b.w, dy)
		for j, row := range b.at {
			grads[row*width+i] = b.dx[j]
		}
	}
}

// read collects dimension i of the bag's rows.
func (b *bag64) read(data []float64, width, i int) {
	b.x = b.x[:0]
	for _, row := range b.at {
		b.x = append(b.x, data[row*width+i])
	}
}

func sumOf(x []float64) (sum float64) {
	for _, v := range x {
		sum += v
	}
	return sum
}

func weightedSum(x, w []float64) (sum float64) {
	for i, v := range x {
		sum += float64(v * w[i])
	}
	return sum
}
