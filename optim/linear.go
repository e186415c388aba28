package optim

import (
	"cmp"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/portable"
)

// linear is a linear map of two numbers, in float64: a weight and its average,
// or the size of a weight and 1.
//
//	x' = xx·x + xy·y
//	y' = yx·x + yy·y
type linear struct{ xx, xy, yx, yy float64 }

var identity = linear{xx: 1, yy: 1}

// after is what m does after n.
func (m linear) after(n linear) linear {
	return linear{
		xx: float64(m.xx*n.xx) + float64(m.xy*n.yx), xy: float64(m.xx*n.xy) + float64(m.xy*n.yy),
		yx: float64(m.yx*n.xx) + float64(m.yy*n.yx), yy: float64(m.yx*n.xy) + float64(m.yy*n.yy),
	}
}

// power is m taken n times.
func (m linear) power(n int64) linear {
	p := identity
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			p = m.after(p)
		}
		m = m.after(m)
	}
	return p
}

// apply maps each pair of numbers.
func (m linear) apply(x, y []float32) {
	for j := range x {
		a, b := float64(x[j]), float64(y[j])
		x[j] = float32(float64(m.xx*a) + float64(m.xy*b))
		y[j] = float32(float64(m.yx*a) + float64(m.yy*b))
	}
}

// gaps goes through the missed steps of rows whose maps differ from step to step.
type gaps struct {
	order []int // entries of a block, the latest rows first
}

var gapsPool = sync.Pool{New: func() any { return new(gaps) }}

// each calls f for each row i that was last at a step before now, with the
// product of the maps one of its missed steps. It goes back in time, and meets
// the latest rows first: so it takes as many products as the oldest row missed
// steps, however many rows there are.
func (g *gaps) each(last []int64, now int64, one func(t int64) linear, f func(i int, m linear)) {
	g.order = g.order[:0]
	for i, l := range last {
		if l < now {
			g.order = append(g.order, i)
		}
	}
	slices.SortFunc(g.order, func(i, j int) int { return cmp.Compare(last[j], last[i]) })
	m, t := identity, now
	for _, i := range g.order {
		for ; t > last[i]; t-- {
			m = m.after(one(t))
		}
		f(i, m)
	}
}

// geometric returns factor + factor² + … + factor^n and factor^n.
func geometric(factor float64, n int64) (sum, last float64) {
	last = portable.Pow(factor, float64(n))
	if factor < 1 {
		return factor * (1 - last) / (1 - factor), last
	}
	return float64(n), last
}
