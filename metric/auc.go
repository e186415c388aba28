package metric

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// AUC is the area under the ROC curve: the probability that an example of
// label 1 is scored above one of label 0, where a tie counts half. With Curve
// "PR" it is the area under the curve of precision over recall, interpolated
// between its points as Davis and Goadrich (2006) do, and as Keras does.
//
// It is exact: it keeps every score and sorts. (Keras' AUC counts at 200
// thresholds between 0 and 1, which is an approximation, and a wrong one for
// scores outside [0, 1].) Scores may be any numbers, infinities too; only their
// order counts. Result is NaN unless both labels have weight.
type AUC struct {
	// Curve is "ROC" or "PR". Default: "ROC".
	Curve string
	// Bits bounds the memory: scores that agree in this many leading bits of
	// their float32 count as tied, and 16·2^Bits bytes are held however many
	// examples come. With 16, scores that tie differ by less than 1 %; [AUC.Error]
	// says what that can cost. From 8 to 24; it must not change between
	// examples. Default: 0, exact, 12 bytes an example.
	Bits int

	scores  []score
	buckets [][2]float64 // weight of label 0 and 1 by the leading bits of order
	sorted  bool
}

// score is an example. order is its prediction as an integer in the same order.
type score struct {
	order  uint32
	label  uint8
	weight float32
}

// Name implements [Metric]: "auc".
func (*AUC) Name() string { return "auc" }

// Update implements [Metric]. A label other than 0 and 1 is ErrValue.
func (m *AUC) Update(pred, label, weight []float32) error {
	if m.Curve != "" && m.Curve != "ROC" && m.Curve != "PR" {
		return fmt.Errorf(`%w: auc: Curve must be "ROC" or "PR", got %q`, ErrValue, m.Curve)
	}
	if m.Bits != 0 && (m.Bits < 8 || m.Bits > 24) {
		return fmt.Errorf("%w: auc: Bits must be 0 or from 8 to 24, got %d", ErrValue, m.Bits)
	}
	if err := check(m.Name(), pred, label, weight); err != nil {
		return err
	}
	if err := checkBinary(m.Name(), label); err != nil {
		return err
	}
	if err := m.sameBits(); err != nil {
		return err
	}
	for i, p := range pred {
		m.add(score{order: orderOf(p), label: uint8(label[i]), weight: float32(weightOf(weight, i, len(pred)))})
	}
	return nil
}

// sameBits says whether the examples so far, if there are any, are kept as Bits
// says.
func (m *AUC) sameBits() error {
	buckets := 0
	if m.Bits != 0 {
		buckets = 1 << m.Bits
	}
	if len(m.buckets) == buckets || m.buckets == nil && len(m.scores) == 0 {
		return nil
	}
	if len(m.scores) > 0 || slices.ContainsFunc(m.buckets, func(w [2]float64) bool { return w != [2]float64{} }) {
		return fmt.Errorf("%w: auc: Bits is %d now, and was another number for the examples so far: Reset first", ErrValue, m.Bits)
	}
	m.buckets = nil // of before Reset
	return nil
}

func (m *AUC) add(s score) {
	if m.Bits == 0 {
		m.scores = append(m.scores, s)
		m.sorted = false
		return
	}
	if m.buckets == nil {
		m.buckets = make([][2]float64, 1<<m.Bits)
	}
	m.buckets[s.order>>(32-m.Bits)][s.label] += float64(s.weight)
}

// orderOf returns an integer that is smaller exactly where p is, the same for
// both zeros.
func orderOf(p float32) uint32 {
	if p == 0 {
		p = 0 // not -0
	}
	bits := math.Float32bits(p)
	if bits>>31 == 1 {
		return ^bits
	}
	return bits | 1<<31
}

// Result implements [Metric].
func (m *AUC) Result() float64 {
	a := m.area()
	if m.Curve != "PR" {
		return a.value()
	}
	return m.precisionRecall(a.below, a.positive)
}

// Error returns the most by which Result may be off because Bits made ties: 0
// where Bits is 0, NaN where Result is. No bound is known for the curve "PR"
// with Bits, so that it is NaN too.
func (m *AUC) Error() float64 {
	a := m.area()
	if m.Curve == "PR" && m.Bits != 0 {
		return math.NaN()
	}
	if m.Bits == 0 {
		a.tied = 0
	}
	return a.tied / 2 / (a.below * a.positive)
}

// area sums pairs of a label 0 and a label 1, over groups of tied scores in
// ascending order.
type area struct {
	below    float64 // weight of label 0 so far
	positive float64 // weight of label 1 so far
	won      float64 // pairs in which label 1 has the higher score
	tied     float64 // pairs with equal scores
}

func (a *area) group(negative, positive float64) {
	a.won += float64(positive * a.below)
	a.tied += float64(positive * negative)
	a.below += negative
	a.positive += positive
}

func (a *area) value() float64 { return (a.won + float64(a.tied/2)) / (a.below * a.positive) }

func (m *AUC) area() *area {
	a := &area{}
	for g := range m.groups {
		a.group(g[0], g[1])
	}
	return a
}

// groups yields the weights of label 0 and 1 of each group of tied scores, in
// ascending order.
func (m *AUC) groups(yield func([2]float64) bool) {
	for _, b := range m.buckets {
		if !yield(b) {
			return
		}
	}
	m.sort()
	for i := 0; i < len(m.scores); {
		var weight [2]float64
		order := m.scores[i].order
		for ; i < len(m.scores) && m.scores[i].order == order; i++ {
			weight[m.scores[i].label] += float64(m.scores[i].weight)
		}
		if !yield(weight) {
			return
		}
	}
}

// precisionRecall is the area under precision over recall. From one threshold
// to the next, true positives grow in proportion to all that is said to be 1:
//
//	tp = slope·p + intercept        p from "said before" to "said after"
//
// and the area of that piece is ∫ tp/p dtp over the weight of all positives. negative and positive
// are the weights that lie above the lowest threshold: all of them.
func (m *AUC) precisionRecall(negative, positive float64) float64 {
	if negative == 0 || positive == 0 {
		return math.NaN()
	}
	tp, said, sum := positive, negative+positive, 0.0
	for g := range m.groups {
		if g[0]+g[1] == 0 {
			continue
		}
		nextTP, nextSaid := max(tp-g[1], 0), max(said-g[0]-g[1], 0)
		slope := (tp - nextTP) / (said - nextSaid)
		intercept, ratio := nextTP-float64(slope*nextSaid), 1.0
		if nextSaid > 0 {
			ratio = said / nextSaid
		}
		sum += float64(slope * (tp - nextTP + float64(intercept*math.Log(ratio))))
		tp, said = nextTP, nextSaid
	}
	return sum / positive
}

// sort orders the scores, and tied ones in a way that does not depend on the
// order of the examples, so that sums of weights have the same bits.
func (m *AUC) sort() {
	if m.sorted {
		return
	}
	slices.SortFunc(m.scores, func(a, b score) int { return compare(a.key(), b.key()) })
	m.sorted = true
}

func (s score) key() uint64 { return uint64(s.order)<<32 | uint64(math.Float32bits(s.weight)) }

func compare(a, b uint64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// Reset implements [Metric]. The memory is kept for the next examples.
func (m *AUC) Reset() {
	m.scores = m.scores[:0]
	clear(m.buckets)
}

// scoreBytes is the size of a saved score: order, weight, label.
const scoreBytes = 9

// AppendBinary implements [Metric]. The state is Bits in one byte, then either
// the scores, 9 bytes each, or the buckets, 16 bytes each.
func (m *AUC) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, byte(m.Bits))
	for _, s := range m.scores {
		b = binary.LittleEndian.AppendUint32(b, s.order)
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(s.weight))
		b = append(b, s.label)
	}
	for _, w := range m.buckets {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(w[0]))
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(w[1]))
	}
	return b, nil
}

// UnmarshalBinary implements [Metric]. The state must have been saved with the same Bits.
func (m *AUC) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || int(b[0]) != m.Bits {
		return fmt.Errorf("%w: auc: need the state of an AUC with Bits %d", ErrState, m.Bits)
	}
	b = b[1:]
	if m.Bits == 0 {
		return m.readScores(b)
	}
	return m.readBuckets(b)
}

func (m *AUC) readScores(b []byte) error {
	if len(b)%scoreBytes != 0 {
		return fmt.Errorf("%w: auc: %d bytes are no whole number of scores of %d bytes", ErrState, len(b), scoreBytes)
	}
	scores := make([]score, 0, len(b)/scoreBytes)
	for ; len(b) > 0; b = b[scoreBytes:] {
		s := score{
			order:  binary.LittleEndian.Uint32(b),
			weight: math.Float32frombits(binary.LittleEndian.Uint32(b[4:])),
			label:  b[8],
		}
		if s.label > 1 || !(s.weight >= 0) {
			return fmt.Errorf("%w: auc: a score with label %d and weight %v", ErrState, s.label, s.weight)
		}
		scores = append(scores, s)
	}
	m.scores, m.sorted = scores, false
	return nil
}

func (m *AUC) readBuckets(b []byte) error {
	if len(b) != 0 && len(b) != 16<<m.Bits {
		return fmt.Errorf("%w: auc: Bits %d need %d bytes, got %d", ErrState, m.Bits, 16<<m.Bits, len(b))
	}
	m.buckets = nil
	if len(b) == 0 {
		return nil
	}
	m.buckets = make([][2]float64, 1<<m.Bits)
	for i := range m.buckets {
		m.buckets[i][0] = math.Float64frombits(binary.LittleEndian.Uint64(b[16*i:]))
		m.buckets[i][1] = math.Float64frombits(binary.LittleEndian.Uint64(b[16*i+8:]))
	}
	return nil
}
