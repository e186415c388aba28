package recipe

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan/dataset/baseline"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/model"
)

// Score is how well something predicts the held-out examples.
type Score struct {
	// Name is "model", "biases" or "mean".
	Name string `json:"name"`
	// Metrics are the metrics of the config, in its order.
	Metrics model.Logs `json:"metrics"`
}

// get returns a metric of the score of a name.
func get(scores []Score, name, metric string) (float64, bool) {
	for _, s := range scores {
		if s.Name == name {
			return s.Metrics.Get(metric)
		}
	}
	return 0, false
}

// judge measures one way to predict.
type judge struct {
	name    string
	predict func(dst []float32, p *model.Prediction) ([]float32, error)
	metrics []metric.Metric
	buffer  []float32
}

func (j *judge) update(p *model.Prediction) (err error) {
	if j.buffer, err = j.predict(j.buffer[:0], p); err != nil {
		return err
	}
	for _, m := range j.metrics {
		if err := m.Update(j.buffer, p.Batch.Data.Label, p.Batch.Weights); err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
	}
	return nil
}

func (j *judge) score() Score {
	s := Score{Name: j.name}
	for _, m := range j.metrics {
		s.Metrics = append(s.Metrics, model.Log{Name: m.Name(), Value: m.Result()})
	}
	return s
}

// score measures the model, and what it is compared with, on some rows.
func (e *examples) score(ctx context.Context, m *model.Model, rows []uint32) ([]Score, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	judges, err := e.judges()
	if err != nil {
		return nil, err
	}
	source, err := e.inOrder(rows)
	if err != nil {
		return nil, err
	}
	for p, err := range m.Predictions(ctx, source) {
		if err != nil {
			return nil, err
		}
		for _, j := range judges {
			if err := j.update(p); err != nil {
				return nil, err
			}
		}
	}
	var scores []Score
	for _, j := range judges {
		scores = append(scores, j.score())
	}
	return scores, nil
}

func (e *examples) judges() ([]*judge, error) {
	biases, err := e.biases()
	if err != nil {
		return nil, err
	}
	judges := []*judge{{name: "model", predict: ofModel}}
	if biases != nil {
		judges = append(judges, &judge{name: "biases", predict: e.bounded(func(dst []float32, p *model.Prediction) ([]float32, error) {
			return biases.Predict(dst, p.Batch.Data.Rows)
		})})
	}
	judges = append(judges, &judge{name: "mean", predict: func(dst []float32, p *model.Prediction) ([]float32, error) {
		return baseline.Constant(dst, e.mean, p.Batch.N), nil
	}})
	for _, j := range judges {
		if j.metrics, err = e.c.metrics(); err != nil {
			return nil, err
		}
	}
	return judges, nil
}

func ofModel(dst []float32, p *model.Prediction) ([]float32, error) {
	return append(dst, p.Outputs[0].Data()...), nil
}

// bounded keeps what is compared with a probability between 0 and 1.
func (e *examples) bounded(predict func([]float32, *model.Prediction) ([]float32, error)) func([]float32, *model.Prediction) ([]float32, error) {
	if !e.c.classifies() {
		return predict
	}
	return func(dst []float32, p *model.Prediction) ([]float32, error) {
		dst, err := predict(dst, p)
		for i, x := range dst {
			dst[i] = min(max(x, 0), 1)
		}
		return dst, err
	}
}
