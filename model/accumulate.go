package model

import (
	"context"
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// One update takes the gradients of AccumulationSteps batches of the model's
// optimizer, mostly of one:
//
//	batch ──> stages[0] ──┐  tables: lookups and gradients, kept in rowan.Gradients
//	batch ──> stages[1] ──┼─────────> their mean ──> clip ──> update
//	batch ──> stages[2] ──┘  dense weights: sums
//
// Batches that wait for the others of their update are no state of a model: a
// model is saved between updates, and the last update of an epoch takes what
// there is.

// window is what the batches that wait for an update have said.
type window struct {
	batches int
	sums    [][]float32 // of the gradients of each of compiled.vars
}

// update is the mean gradient of some batches, clipped.
type update struct {
	batches   int
	gradients [][]float32 // of each of compiled.vars; nil for those without
	scale     float32     // what all gradients are still to be multiplied by
}

// Waiting returns how many batches wait for an update: 0, unless the optimizer
// accumulates gradients.
func (m *Model) Waiting() int {
	m.training.Lock()
	defer m.training.Unlock()
	return m.waiting()
}

// accumulates tells whether an update takes several batches.
func (m *Model) accumulates() bool {
	m.training.Lock()
	defer m.training.Unlock()
	return m.compiled != nil && len(m.compiled.stages) > 1
}

func (m *Model) waiting() int {
	if m.compiled == nil {
		return 0
	}
	return m.compiled.waiting.batches
}

// lookup looks a batch's ids up, where they stay until the update. Batches that
// wait are copied: their source may use the memory again.
func (c *compiled) lookup(ctx context.Context, in []layer.Value) ([]dense.Array, error) {
	if len(c.stages) > 1 {
		in = slices.Clone(in)
		for i, v := range in {
			if v.IDs != nil {
				in[i].IDs = tensor.Clone(v.IDs)
			}
		}
	}
	return c.stages[c.waiting.batches].Lookup(ctx, true, in...)
}

// collect takes the gradients of a batch, and returns the update that it
// completes, nil if others are missing. After an error no batch waits.
func (c *compiled) collect(ctx context.Context, r *dense.Results) (*update, error) {
	stage := c.stages[c.waiting.batches]
	err := stage.Backward(r, c.gradients)
	if err == nil {
		err = c.penalise(ctx, stage, r)
	}
	if err != nil {
		c.forget()
		return nil, err
	}
	if len(c.stages) == 1 {
		return c.clipped(ctx, &update{batches: 1, gradients: r.Gradients})
	}
	c.waiting.add(r.Gradients)
	if c.waiting.batches < len(c.stages) {
		return nil, nil
	}
	return c.mean(ctx)
}

// mean returns the update of the batches that wait.
func (c *compiled) mean(ctx context.Context) (*update, error) {
	n := c.waiting.batches
	for _, sum := range c.waiting.sums {
		for i := range sum {
			sum[i] /= float32(n)
		}
	}
	return c.clipped(ctx, &update{batches: n, gradients: c.waiting.sums})
}

// clipped clips an update.
func (c *compiled) clipped(ctx context.Context, u *update) (*update, error) {
	var err error
	if u.scale, err = c.clip(ctx, u); err != nil {
		c.forget()
		return nil, err
	}
	return u, nil
}

// add adds the gradients of one more batch.
func (w *window) add(gradients [][]float32) {
	if w.sums == nil {
		w.sums = make([][]float32, len(gradients))
	}
	for i, g := range gradients {
		switch sum := w.sums[i]; {
		case g == nil:
		case sum == nil:
			w.sums[i] = slices.Clone(g)
		default:
			for j, x := range g {
				sum[j] += x
			}
		}
	}
	w.batches++
}

// forget drops the gradients of all batches.
func (c *compiled) forget() {
	for _, t := range c.tables {
		t.gradients.Reset()
	}
	c.waiting = window{}
}

// finishUpdate makes an update of the batches that wait, if there are any.
func (m *Model) finishUpdate(ctx context.Context) error {
	m.training.Lock()
	defer m.training.Unlock()
	c := m.compiled
	if c == nil || c.waiting.batches == 0 {
		return nil
	}
	u, err := c.mean(ctx)
	if err == nil {
		m.weights.Lock()
		defer m.weights.Unlock()
		defer c.forget()
		err = c.apply(ctx, u)
	}
	if err != nil {
		return fmt.Errorf("model: step %d: %w", m.step, err)
	}
	return nil
}

// settled reports batches that wait, which a checkpoint cannot hold.
func (m *Model) settled() error {
	if n := m.waiting(); n > 0 {
		return fmt.Errorf("%w: %d of %d batches wait for their update: save after it", ErrBusy, n, len(m.compiled.stages))
	}
	return nil
}
