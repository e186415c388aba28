package model

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

var (
	errNoBatches = fmt.Errorf("%w: the source gave no batches", ErrData)
	errNoSource  = fmt.Errorf("%w: the source is nil", ErrArgument)
)

// Prediction is what a model computes from one batch.
type Prediction struct {
	// Batch is what it was computed from, valid until the next prediction.
	Batch *Batch
	// Outputs are the model's outputs, the first dimension of each the batch.
	Outputs []*tensor.Values
}

// PredictOnBatch computes the model's outputs for a batch; labels are not
// needed. It is safe for concurrent use, while the model is trained too.
func (m *Model) PredictOnBatch(ctx context.Context, b *Batch) ([]*tensor.Values, error) {
	if err := m.built(); err != nil {
		return nil, err
	}
	in, err := m.inputs(b)
	if err != nil {
		return nil, err
	}
	var p *layer.Program
	r, err := m.forward(ctx, func() (*dense.Results, error) {
		if err := m.fresh(); err != nil {
			return nil, err
		}
		p = m.tower.program
		return m.tower.run(ctx, p, in, nil)
	})
	if err != nil {
		return nil, err
	}
	return outputs(p, r)
}

// Predictions computes one epoch of a source, from its beginning, batch after
// batch. After an error there are no more.
func (m *Model) Predictions(ctx context.Context, s Source) iter.Seq2[*Prediction, error] {
	return func(yield func(*Prediction, error) bool) {
		if s == nil {
			yield(nil, errNoSource)
			return
		}
		for b, err := range s.Batches(ctx, dataset.Cursor{}) {
			var out []*tensor.Values
			if err == nil {
				out, err = m.PredictOnBatch(ctx, b)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&Prediction{b, out}, nil) {
				return
			}
		}
	}
}

// Predict computes the outputs for one epoch of a source, and returns each as
// one array over all examples. Batches must agree in all dimensions but the first.
func (m *Model) Predict(ctx context.Context, s Source) ([]*tensor.Values, error) {
	var shapes [][]int
	var data [][]float32
	for p, err := range m.Predictions(ctx, s) {
		if err != nil {
			return nil, err
		}
		for i, o := range p.Outputs {
			switch {
			case len(o.Shape()) == 0:
				return nil, fmt.Errorf("%w: output %d is one number for the whole batch: use Predictions", ErrData, i)
			case len(shapes) < len(p.Outputs):
				shapes, data = append(shapes, slices.Clone(o.Shape())), append(data, o.Data())
				continue
			case !slices.Equal(shapes[i][1:], o.Shape()[1:]):
				return nil, fmt.Errorf("%w: output %d has shape %v in one batch and %v in another: use Predictions", ErrData, i, shapes[i], o.Shape())
			}
			shapes[i][0] += o.Shape()[0]
			data[i] = append(data[i], o.Data()...)
		}
	}
	if len(shapes) == 0 {
		return nil, errNoBatches
	}
	all := make([]*tensor.Values, len(shapes))
	for i := range all {
		var err error
		if all[i], err = tensor.NewValues(data[i], shapes[i]...); err != nil {
			return nil, err
		}
	}
	return all, nil
}
