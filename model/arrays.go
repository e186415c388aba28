package model

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Arrays is a source of data in memory. The arrays must not change while it is used.
type Arrays struct {
	// Inputs belong to the model's inputs, in their order; their first
	// dimension is the examples.
	Inputs []layer.Value
	// Named are inputs by name, used where Inputs is empty.
	Named map[string]layer.Value
	// Labels belong to the outputs that have a loss. Not needed to predict.
	Labels []*tensor.Values
	// Weights are one an example. Default: all 1.
	Weights []float32
	// BatchSize is the number of examples of a batch; the last of an epoch may
	// have fewer. Default: 32, as Keras.
	BatchSize int
	// Shuffle puts the examples of each epoch into another order, a function of
	// Seed and the number of the epoch. Default: as they are.
	Shuffle bool
	Seed    uint64
}

// Steps implements [Source].
func (a *Arrays) Steps() int {
	n, err := a.check()
	if err != nil {
		return -1
	}
	return (n + a.batchSize() - 1) / a.batchSize()
}

func (a *Arrays) batchSize() int {
	if a.BatchSize == 0 {
		return 32
	}
	return a.BatchSize
}

// check returns the number of examples, if the arrays agree on it.
func (a *Arrays) check() (int, error) {
	if a == nil {
		return 0, errNoSource
	}
	if a.BatchSize < 0 {
		return 0, fmt.Errorf("%w: BatchSize must be more than 0, got %d", ErrArgument, a.BatchSize)
	}
	n := -1
	agree := func(what string, got int) error {
		if n < 0 {
			n = got
		}
		if got != n {
			return fmt.Errorf("%w: %s holds %d examples, the first array %d", ErrData, what, got, n)
		}
		return nil
	}
	value := func(what string, v layer.Value) error {
		got, err := examples(v)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrData, what, err)
		}
		return agree(what, got)
	}
	for i, v := range a.Inputs {
		if err := value(fmt.Sprintf("input %d", i), v); err != nil {
			return 0, err
		}
	}
	for _, name := range names(a.Named) {
		if err := value(fmt.Sprintf("input %q", name), a.Named[name]); err != nil {
			return 0, err
		}
	}
	for i, l := range a.Labels {
		if err := value(fmt.Sprintf("labels %d", i), layer.Value{Floats: l}); err != nil {
			return 0, err
		}
	}
	if a.Weights != nil {
		if err := agree("the sample weights", len(a.Weights)); err != nil {
			return 0, err
		}
	}
	if n <= 0 {
		return 0, fmt.Errorf("%w: there are no examples", ErrData)
	}
	return n, nil
}

// Batches implements [Source].
func (a *Arrays) Batches(ctx context.Context, from dataset.Cursor) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		n, err := a.check()
		if err == nil && (from.Epoch < 0 || from.Position < 0 || from.Position >= int64(n)) {
			err = fmt.Errorf("%w: the cursor %+v is outside epochs of %d examples", ErrData, from, n)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		order := a.order(n, from.Epoch)
		for at := int(from.Position); at < n; at += a.batchSize() {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			to := min(at+a.batchSize(), n)
			b, err := a.batch(order[at:to])
			if err == nil {
				b.End = dataset.Cursor{Epoch: from.Epoch, Position: int64(to)}
				if to == n {
					b.End = dataset.Cursor{Epoch: from.Epoch + 1}
				}
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// order returns the order of an epoch: Fisher and Yates' shuffle with numbers
// of SplitMix64. The remainder's bias is below 2^-32 for any array that fits
// memory.
func (a *Arrays) order(n int, epoch int64) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if !a.Shuffle {
		return order
	}
	state := mix(a.Seed) ^ mix(uint64(epoch)+1)
	for i := n - 1; i > 0; i-- {
		state += 0x9e3779b97f4a7c15
		j := int(mix(state) % uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// mix is the finisher of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// batch gathers some examples.
func (a *Arrays) batch(rows []int) (*Batch, error) {
	b := &Batch{N: len(rows)}
	for _, v := range a.Inputs {
		part, err := pick(v, rows)
		if err != nil {
			return nil, err
		}
		b.Inputs = append(b.Inputs, part)
	}
	if len(a.Named) > 0 {
		b.Named = make(map[string]layer.Value, len(a.Named))
	}
	for name, v := range a.Named {
		part, err := pick(v, rows)
		if err != nil {
			return nil, err
		}
		b.Named[name] = part
	}
	for _, l := range a.Labels {
		part, err := pickFloats(l, rows)
		if err != nil {
			return nil, err
		}
		b.Labels = append(b.Labels, part)
	}
	if a.Weights != nil {
		b.Weights = gather(a.Weights, rows, 1)
	}
	return b, nil
}

// pick returns some examples of a value. Their number is known to fit.
func pick(v layer.Value, rows []int) (part layer.Value, err error) {
	if v.IDs != nil {
		part.IDs, err = pickIDs(v.IDs, rows)
		return part, err
	}
	part.Floats, err = pickFloats(v.Floats, rows)
	if err == nil && v.Mask != nil {
		part.Mask = gather(v.Mask, rows, len(v.Mask)/v.Floats.Shape()[0])
	}
	return part, err
}

func pickFloats(v *tensor.Values, rows []int) (*tensor.Values, error) {
	shape := slices.Clone(v.Shape())
	each := len(v.Data()) / shape[0]
	shape[0] = len(rows)
	return tensor.NewValues(gather(v.Data(), rows, each), shape...)
}

// gather returns blocks of width numbers.
func gather[T any](from []T, rows []int, width int) []T {
	out := make([]T, 0, len(rows)*width)
	for _, r := range rows {
		out = append(out, from[r*width:(r+1)*width]...)
	}
	return out
}
