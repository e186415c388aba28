// Package baseline predicts labels from no more than means and biases: what a
// model has to beat.
//
//	mean     μ
//	biases   μ + b_user + b_item
//
// The biases are regularised and fitted by alternating least squares (Koren,
// "Factor in the Neighbors", 2010): each item's from what μ and the users leave
// unexplained, then each user's from what μ and the items do, and again.
//
//	b_i = Σ (y - μ - b_u) / (λ_i + n_i)        over the n_i rows of item i
//	b_u = Σ (y - μ - b_i) / (λ_u + n_u)        over the n_u rows of user u
package baseline

import (
	"errors"
	"fmt"
	"math"

	"github.com/rowan-embeddings/rowan/dataset"
)

// ErrConfig reports that the options make no sense, or there is nothing to fit.
var ErrConfig = errors.New("baseline: bad config")

// Config says which columns are the user and the item, and how strongly biases
// are drawn to zero.
type Config struct {
	// User and Item are columns of kind id.
	User string `json:"user" yaml:"user"`
	Item string `json:"item" yaml:"item"`
	// UserL2 is λ_u. Default: 5.
	UserL2 *float64 `json:"user_l2,omitempty" yaml:"user_l2,omitempty"`
	// ItemL2 is λ_i. Default: 3.
	ItemL2 *float64 `json:"item_l2,omitempty" yaml:"item_l2,omitempty"`
	// Epochs bounds the alternations, which end when no bias moves by more than
	// 1e-6. Default: 100.
	Epochs int `json:"epochs,omitempty" yaml:"epochs,omitempty"`
}

// settled is how little a bias may move in the last alternation: far below
// what a float32 label of a few stars resolves.
const settled = 1e-6

// Biases are fitted. They are safe for concurrent use.
type Biases struct {
	frame      *dataset.Frame
	mean       float64
	user, item side
	epochs     int
}

// side is the users, or the items.
type side struct {
	codes  []uint32 // of each row of the frame
	bias   []float64
	counts []float64 // λ + n
	sums   []float64
}

// Fit fits biases to the rows of a frame.
func Fit(f *dataset.Frame, rows []uint32, c Config) (*Biases, error) {
	labels, err := f.Labels(rows)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: there are no rows to fit", ErrConfig)
	}
	b := &Biases{frame: f}
	if b.mean, err = f.LabelMean(rows); err != nil {
		return nil, err
	}
	if b.user, err = newSide(f, rows, c.User, "user_l2", c.UserL2, 5); err != nil {
		return nil, err
	}
	if b.item, err = newSide(f, rows, c.Item, "item_l2", c.ItemL2, 3); err != nil {
		return nil, err
	}
	b.alternate(rows, labels, c.Epochs)
	return b, nil
}

func newSide(f *dataset.Frame, rows []uint32, name, field string, l2 *float64, standard float64) (side, error) {
	codes, n, err := f.Codes(name)
	if err != nil {
		return side{}, err
	}
	if l2 == nil {
		l2 = &standard
	}
	if !(*l2 >= 0) || math.IsInf(*l2, 1) {
		return side{}, fmt.Errorf("%w: %s: it must be a number of at least 0, got %v", ErrConfig, field, *l2)
	}
	s := side{codes: codes, bias: make([]float64, n), counts: make([]float64, n), sums: make([]float64, n)}
	for i := range s.counts {
		s.counts[i] = *l2
	}
	for _, row := range rows {
		s.counts[codes[row]]++
	}
	return s, nil
}

// defaultEpochs is more than MovieLens needs (54 to settle), and little work.
const defaultEpochs = 100

func (b *Biases) alternate(rows []uint32, labels []float32, most int) {
	if most <= 0 {
		most = defaultEpochs
	}
	for moved := math.Inf(1); b.epochs < most && moved > settled; b.epochs++ {
		moved = b.item.fit(rows, labels, b.mean, &b.user)
		moved = max(moved, b.user.fit(rows, labels, b.mean, &b.item))
	}
}

// fit sets the biases of s from what the mean and the other side leave, and
// returns how far the farthest moved.
func (s *side) fit(rows []uint32, labels []float32, mean float64, other *side) (moved float64) {
	clear(s.sums)
	for i, row := range rows {
		s.sums[s.codes[row]] += float64(labels[i]) - mean - other.bias[other.codes[row]]
	}
	for i, sum := range s.sums {
		next := 0.0
		if sum != 0 {
			next = sum / s.counts[i]
		}
		moved = max(moved, math.Abs(next-s.bias[i]))
		s.bias[i] = next
	}
	return moved
}

// Mean returns μ, the mean label of the rows that were fitted.
func (b *Biases) Mean() float64 { return b.mean }

// Epochs returns the number of alternations that were made.
func (b *Biases) Epochs() int { return b.epochs }

// Predict appends the prediction for each row of the frame that b was fitted
// on. A user or item that no fitted row has gets the bias 0.
func (b *Biases) Predict(dst []float32, rows []uint32) ([]float32, error) {
	for _, row := range rows {
		if int(row) >= b.frame.Len() {
			return dst, fmt.Errorf("%w: row %d of a frame of %d rows", ErrConfig, row, b.frame.Len())
		}
		dst = append(dst, float32(b.mean+b.user.bias[b.user.codes[row]]+b.item.bias[b.item.codes[row]]))
	}
	return dst, nil
}

// Constant appends n times x, the prediction of the global mean.
func Constant(dst []float32, x float64, n int) []float32 {
	for range n {
		dst = append(dst, float32(x))
	}
	return dst
}
