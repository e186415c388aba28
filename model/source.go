package model

import (
	"context"
	"fmt"
	"iter"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Source gives the batches that a model trains on. Its methods are safe for
// concurrent use.
type Source interface {
	// Batches yields the batches from a cursor to the end of its epoch. An
	// iteration from the End of any batch gives exactly the batches that would
	// have followed it. After an error there are no more batches.
	Batches(ctx context.Context, from dataset.Cursor) iter.Seq2[*Batch, error]
	// Steps returns the number of batches in an epoch, or -1 if it is not known.
	Steps() int
}

// FromDataset makes the batches of a dataset those of a model: the features go
// to the inputs of their names, ids of shape (N) and (N, None), numbers of
// shape (N, 1). Nil is no source.
func FromDataset(s dataset.Source) Source {
	if s == nil {
		return nil
	}
	return datasetSource{s}
}

type datasetSource struct{ dataset.Source }

// Batches implements [Source].
func (s datasetSource) Batches(ctx context.Context, from dataset.Cursor) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		for d, err := range s.Source.Batches(ctx, from) {
			if err != nil {
				yield(nil, err)
				return
			}
			if b, err := FromBatch(d); !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// FromBatch makes a batch of a dataset one of a model. It shares the memory of d.
func FromBatch(d *dataset.Batch) (*Batch, error) {
	if d == nil {
		return nil, fmt.Errorf("%w: the batch is nil", ErrData)
	}
	b := &Batch{N: d.N, Named: make(map[string]layer.Value, len(d.IDs)+len(d.Numbers)), Weights: d.Weight, End: d.End, Data: d}
	for name, ids := range d.IDs {
		b.Named[name] = layer.Value{IDs: ids}
	}
	for name, numbers := range d.Numbers {
		b.Named[name] = layer.Value{Floats: numbers}
	}
	if d.Label != nil {
		v, err := tensor.NewValues(d.Label, len(d.Label))
		if err != nil {
			return nil, err
		}
		b.Labels = []*tensor.Values{v}
	}
	return b, nil
}
