package metric

import (
	"fmt"
	"math"
)

// CosineSimilarity is the mean over examples of the cosine of the angle between
// predictions and labels: 1 where they point the same way. A vector of zeros
// gives 0.
type CosineSimilarity struct {
	// Width is the numbers of an example, at least 1.
	Width int
	average
}

// Name implements [Metric]: "cosine_similarity".
func (*CosineSimilarity) Name() string { return "cosine_similarity" }

// Update implements [Metric]. pred and label have Width numbers an example, weight one.
func (m *CosineSimilarity) Update(pred, label, weight []float32) error {
	l := lists{m.Name(), m.Width}
	n, err := l.check(pred, label, weight)
	if err != nil {
		return err
	}
	for i := range n {
		m.add(cosine(l.at(pred, i), l.at(label, i)), weightOf(weight, i, n))
	}
	return nil
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, x := range a {
		y := float64(b[i])
		ab += float64(float64(x) * y)
		aa += float64(float64(x) * float64(x))
		bb += float64(y * y)
	}
	return ab / max(math.Sqrt(aa)*math.Sqrt(bb), epsilon*epsilon)
}

// KLDivergence is the mean over examples of Σ label·log(label/pred): labels and
// predictions are distributions, kept in [1e-7, 1], as in Keras.
type KLDivergence struct {
	// Width is the numbers of an example, at least 1.
	Width int
	average
}

// Name implements [Metric]: "kl_divergence".
func (*KLDivergence) Name() string { return "kl_divergence" }

// Update implements [Metric]. pred and label have Width numbers an example, weight one.
func (m *KLDivergence) Update(pred, label, weight []float32) error {
	l := lists{m.Name(), m.Width}
	n, err := l.check(pred, label, weight)
	if err != nil {
		return err
	}
	share := func(x float32) float64 { return min(max(float64(x), epsilon), 1) }
	for i := range n {
		sum := 0.0
		for k, p := range l.at(pred, i) {
			y := share(l.at(label, i)[k])
			sum += float64(y * math.Log(y/share(p)))
		}
		m.add(sum, weightOf(weight, i, n))
	}
	return nil
}

// R2Score is the share of the labels' variance that predictions explain: 1 -
// Σ(label-pred)²/Σ(label-mean)². Of examples of several numbers it is the mean
// of the scores of each. It is NaN where labels do not vary and predictions are
// right, and -Inf where they are not.
type R2Score struct {
	// Width is the numbers of an example. Default 0: 1.
	Width int

	sums   []float64 // of each number: label, label², (label-pred)², weighted; none before the first example
	weight float64
}

// Name implements [Metric]: "r2_score".
func (*R2Score) Name() string { return "r2_score" }

// Update implements [Metric]. pred and label have Width numbers an example, weight one.
func (m *R2Score) Update(pred, label, weight []float32) error {
	l := lists{m.Name(), widthOr1(m.Width)}
	n, err := l.check(pred, label, weight)
	if err != nil {
		return err
	}
	if m.sums != nil && len(m.sums) != 3*l.width {
		return fmt.Errorf("%w: %s: Width was %d for the examples so far and is %d now: Reset first", ErrValue, l.name, len(m.sums)/3, l.width)
	}
	if m.sums == nil && n > 0 {
		m.sums = make([]float64, 3*l.width)
	}
	for i := range n {
		w := weightOf(weight, i, n)
		if w == 0 {
			continue
		}
		m.weight += w
		for k, p := range l.at(pred, i) {
			y := float64(l.at(label, i)[k])
			m.sums[3*k] += float64(w * y)
			m.sums[3*k+1] += float64(w * float64(y*y))
			m.sums[3*k+2] += float64(w * square(y-float64(p)))
		}
	}
	return nil
}

// Result implements [Metric].
func (m *R2Score) Result() float64 {
	if m.weight == 0 {
		return math.NaN()
	}
	score, width := 0.0, len(m.sums)/3
	for k := range width {
		label, squares, residual := m.sums[3*k], m.sums[3*k+1], m.sums[3*k+2]
		score += 1 - residual/max(squares-float64(label*label)/m.weight, 0)
	}
	return score / float64(width)
}

// Reset implements [Metric].
func (m *R2Score) Reset() { m.sums, m.weight = nil, 0 }

// AppendBinary implements [Metric]: the weight, then three sums for each number,
// or none before the first example.
func (m *R2Score) AppendBinary(b []byte) ([]byte, error) {
	return appendSums(appendSums(b, m.weight), m.sums...), nil
}

// UnmarshalBinary implements [Metric]. The state must have been saved with the same Width.
func (m *R2Score) UnmarshalBinary(b []byte) error {
	width := widthOr1(m.Width)
	if len(b) != 8 && (len(b)%24 != 8 || len(b)/24 != width) {
		return fmt.Errorf("%w: %s of Width %d takes 8 bytes, and 24 for each number or none, got %d", ErrState, m.Name(), width, len(b))
	}
	sums := make([]float64, len(b)/8)
	places := make([]*float64, len(sums))
	for i := range sums {
		places[i] = &sums[i]
	}
	if err := readSums(m.Name(), b, places...); err != nil {
		return err
	}
	if len(sums) == 1 && sums[0] != 0 {
		return fmt.Errorf("%w: %s: a weight of %v, and no sums that have it", ErrState, m.Name(), sums[0])
	}
	m.weight, m.sums = sums[0], sums[1:]
	if len(m.sums) == 0 {
		m.sums = nil
	}
	return nil
}

// Sum is the weighted sum of the predictions; labels are ignored and may be nil.
type Sum struct {
	average
}

// Name implements [Metric]: "sum".
func (*Sum) Name() string { return "sum" }

// Update implements [Metric].
func (m *Sum) Update(pred, _, weight []float32) error {
	if err := check(m.Name(), pred, pred, weight); err != nil {
		return err
	}
	for i, p := range pred {
		m.add(float64(p), weightOf(weight, i, len(pred)))
	}
	return nil
}

// Result implements [Metric]: NaN before the first example.
func (m *Sum) Result() float64 {
	if m.weight == 0 {
		return math.NaN()
	}
	return m.total
}
