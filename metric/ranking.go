package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// ranked is what the metrics of ranked lists share: an example is a list of
// Width candidates, each with a score and a label. Of equal scores those with
// the smaller label are ranked first, so that a constant score gains nothing by
// the order in which the candidates happen to come.
//
// A list in which nothing is relevant says nothing about a ranking: it does not count.
type ranked struct {
	average
	order []int
}

// rank returns the places of a list's candidates, best first.
func (r *ranked) rank(score, label []float32) []int {
	r.order = r.order[:0]
	for i := range score {
		r.order = append(r.order, i)
	}
	slices.SortStableFunc(r.order, func(a, b int) int {
		return cmp.Or(cmp.Compare(score[b], score[a]), cmp.Compare(label[a], label[b]))
	})
	return r.order
}

// addLists adds measure of each list in which something is relevant.
func (r *ranked) addLists(l lists, pred, label, weight []float32, measure func(score, label []float32) float64) error {
	n, err := l.check(pred, label, weight)
	if err != nil {
		return err
	}
	for _, y := range label {
		if y < 0 || math.IsInf(float64(y), 1) {
			return fmt.Errorf("%w: %s: labels of ranked lists are finite and at least 0, got %v", ErrValue, l.name, y)
		}
	}
	for i := range n {
		if y := l.at(label, i); slices.Max(y) > 0 {
			r.add(measure(l.at(pred, i), y), weightOf(weight, i, n))
		}
	}
	return nil
}

// NDCG is the normalized discounted cumulative gain: the gain 2^label-1 of each
// candidate divided by log2(1 + its rank), summed, over the same sum for the
// best order (Järvelin and Kekäläinen 2002, Burges et al. 2005).
type NDCG struct {
	// Width is the number of candidates of a list, at least 1.
	Width int
	// K cuts lists: only the first K places count. Default 0: all.
	K int
	ranked
}

// Name implements [Metric]: "ndcg".
func (*NDCG) Name() string { return "ndcg" }

// Update implements [Metric]. pred and label have Width numbers a list, weight
// one. A label below 0 is ErrValue.
func (m *NDCG) Update(pred, label, weight []float32) error {
	k, err := positiveOr(m.Name(), "K", m.K, m.Width)
	if err != nil {
		return err
	}
	return m.addLists(lists{m.Name(), m.Width}, pred, label, weight, func(score, label []float32) float64 {
		gain := discounted(m.rank(score, label), label, k)
		return gain / discounted(m.rank(label, label), label, k)
	})
}

func discounted(order []int, label []float32, k int) float64 {
	sum := 0.0
	for place, i := range order[:min(k, len(order))] {
		sum += (math.Exp2(float64(label[i])) - 1) / math.Log2(float64(place)+2)
	}
	return sum
}

// MRR is the mean reciprocal rank: 1 over the rank of the first candidate whose
// label is above 0.
type MRR struct {
	// Width is the number of candidates of a list, at least 1.
	Width int
	// K cuts lists: a first relevant candidate behind place K counts 0.
	// Default 0: all places.
	K int
	ranked
}

// Name implements [Metric]: "mrr".
func (*MRR) Name() string { return "mrr" }

// Update implements [Metric]. pred and label have Width numbers a list, weight
// one. A label below 0 is ErrValue.
func (m *MRR) Update(pred, label, weight []float32) error {
	k, err := positiveOr(m.Name(), "K", m.K, m.Width)
	if err != nil {
		return err
	}
	return m.addLists(lists{m.Name(), m.Width}, pred, label, weight, func(score, label []float32) float64 {
		for place, i := range m.rank(score, label)[:min(k, len(score))] {
			if label[i] > 0 {
				return 1 / float64(place+1)
			}
		}
		return 0
	})
}
