package model

import (
	"context"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/internal/dense"
)

// Evaluate computes losses and metrics over one epoch of a source, from its
// beginning, and trains nothing. Half-filled metrics of a training under way
// are left as they are.
func (m *Model) Evaluate(ctx context.Context, s Source) (Logs, error) {
	if s == nil {
		return nil, errNoSource
	}
	if err := m.built(); err != nil {
		return nil, err
	}
	m.training.Lock()
	defer m.training.Unlock()
	c, err := m.ready()
	if err != nil {
		return nil, err
	}
	before, err := c.saveMetrics()
	if err != nil {
		return nil, err
	}
	c.resetMetrics()
	logs, err := m.evaluate(ctx, c, s)
	if restoreErr := c.loadMetrics(before); err == nil {
		err = restoreErr
	}
	return logs, err
}

func (m *Model) evaluate(ctx context.Context, c *compiled, s Source) (Logs, error) {
	var sums running
	for b, err := range s.Batches(ctx, dataset.Cursor{}) {
		if err != nil {
			return nil, err
		}
		t, err := m.test(ctx, c, b)
		if err != nil {
			return nil, err
		}
		sums.add(c.scalarNames(t.program), t.results, t.program.Outputs, t.n)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if sums.Batches == 0 {
		return nil, errNoBatches
	}
	logs := sums.logs()
	for name, metric := range c.metrics {
		logs = append(logs, Log{name, metric.Result()})
	}
	return logs, nil
}

// test computes one batch with its losses, and adds it to the metrics.
func (m *Model) test(ctx context.Context, c *compiled, b *Batch) (*trained, error) {
	in, err := m.inputs(b)
	if err != nil {
		return nil, err
	}
	n := b.size(in)
	labels, err := m.labels(b, n)
	if err != nil {
		return nil, err
	}
	p, err := m.program(variant{weighted: b.Weights != nil})
	if err != nil {
		return nil, err
	}
	r, err := m.forward(ctx, func() (*dense.Results, error) { return m.tower.run(ctx, p, in, labels) })
	if err != nil {
		return nil, err
	}
	t := &trained{program: p, results: r, n: n}
	return t, c.measure(t, labels, b.Weights)
}

// forward runs f while nobody writes weights.
func (m *Model) forward(ctx context.Context, f func() (*dense.Results, error)) (*dense.Results, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.weights.RLock()
	defer m.weights.RUnlock()
	return f()
}
