package model

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
)

// trained is what one step, or one batch of an evaluation, computed.
type trained struct {
	program *layer.Program
	results *dense.Results
	n       int
}

// TrainOnBatch makes one step and returns the loss of the batch: an update of
// the weights, or with an optimizer that accumulates gradients every
// AccumulationSteps-th time (see Waiting). It does not touch metrics, history or
// the place in the data. A loss or gradient that is
// not finite is rowan.ErrNotFinite, and changes nothing. The step is finished
// even if ctx ends meanwhile.
func (m *Model) TrainOnBatch(ctx context.Context, b *Batch) (float64, error) {
	if err := m.built(); err != nil {
		return 0, err
	}
	m.training.Lock()
	defer m.training.Unlock()
	t, err := m.train(ctx, b, false)
	if err != nil {
		return 0, err
	}
	return float64(t.results.Loss), nil
}

// train makes one step, and with measure adds the batch to the metrics. The
// training lock is held.
func (m *Model) train(ctx context.Context, b *Batch, measure bool) (*trained, error) {
	c, err := m.ready()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, err := m.try(context.WithoutCancel(ctx), c, b, measure)
	if err != nil {
		return nil, fmt.Errorf("model: step %d: %w", m.step+1, err)
	}
	return t, nil
}

func (m *Model) try(ctx context.Context, c *compiled, b *Batch, measure bool) (*trained, error) {
	if err := m.checkTrainable(c); err != nil {
		return nil, err
	}
	t, labels, err := m.compute(ctx, c, b)
	if err != nil {
		return nil, err
	}
	if err := c.finite(t.results); err != nil {
		return nil, err
	}
	stage := c.stages[c.waiting.batches]
	u, err := c.collect(ctx, t.results)
	if err != nil {
		return nil, err
	}
	if measure {
		if err := c.measure(t, labels, b.Weights); err != nil {
			c.forget()
			return nil, err
		}
	}
	m.weights.Lock()
	defer m.weights.Unlock()
	if err := stage.Learn(); err != nil {
		c.forget()
		return nil, err
	}
	c.assign(t.results)
	if u != nil {
		defer c.forget()
		if err := c.apply(ctx, u); err != nil {
			return nil, err
		}
	}
	m.step++
	return t, nil
}

// checkTrainable says which weight or layer was frozen or freed since Compile.
func (m *Model) checkTrainable(c *compiled) error {
	for i, v := range m.plan.Variables() {
		if v.Trainable() != c.trainable[i] {
			return fmt.Errorf("%w: weight %q was made trainable=%v since Compile: compile again", ErrNotCompiled, v.Name(), v.Trainable())
		}
	}
	for i, b := range c.layers { // one without trained weights may still make updates
		if b.Trainable() != c.free[i] {
			return fmt.Errorf("%w: layer %q was made trainable=%v since Compile: compile again", ErrNotCompiled, b.Name(), b.Trainable())
		}
	}
	return nil
}

// compute runs the forward and backward pass of a training step.
func (m *Model) compute(ctx context.Context, c *compiled, b *Batch) (*trained, []dense.Array, error) {
	in, err := m.inputs(b)
	if err != nil {
		return nil, nil, err
	}
	n := b.size(in)
	labels, err := m.labels(b, n)
	if err != nil {
		return nil, nil, err
	}
	p, err := m.program(variant{training: true, weighted: b.Weights != nil})
	if err != nil {
		return nil, nil, err
	}
	arrays, err := c.lookup(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	r, err := p.Run(dense.Args{Variables: layer.Values(p.Variables), Inputs: join(arrays, labels), Step: m.step + 1})
	if err != nil {
		return nil, nil, err
	}
	return &trained{program: p, results: r, n: n}, labels, nil
}

// finite refuses losses, gradients and updates of dense weights that are not finite.
func (c *compiled) finite(r *dense.Results) error {
	if !isFinite(r.Loss) {
		return fmt.Errorf("%w: the loss is %v%s", rowan.ErrNotFinite, r.Loss, c.culprit(r))
	}
	for i, v := range c.vars {
		for _, x := range r.Gradients[i] {
			if !isFinite(x) {
				return fmt.Errorf("%w: the gradient of %q holds %v", rowan.ErrNotFinite, v.Name(), x)
			}
		}
		for _, x := range r.Updates[i] {
			if !isFinite(x) {
				return fmt.Errorf("%w: the new value of %q holds %v", rowan.ErrNotFinite, v.Name(), x)
			}
		}
	}
	return nil
}

// penalise adds the penalties on tables to the loss, and to their gradients
// those of regularizers that tables do not see to themselves.
func (c *compiled) penalise(ctx context.Context, stage *layer.HostStage, r *dense.Results) error {
	p, err := stage.Penalties(ctx, c.gradients)
	if err != nil {
		return err
	}
	if r.Loss += float32(p); !isFinite(r.Loss) {
		return fmt.Errorf("%w: with the penalties on tables, %v, the loss is %v", rowan.ErrNotFinite, p, r.Loss)
	}
	return nil
}

// culprit names the first output that is not finite, to explain a loss.
func (c *compiled) culprit(r *dense.Results) string {
	for i := range c.outputs {
		for _, x := range r.Outputs[i].Float {
			if !isFinite(x) {
				return fmt.Sprintf(": output %d of the model (layer %q) holds %v", i, c.outputs[i].name, x)
			}
		}
	}
	return ", of finite outputs: look at the labels, the sample weights and the penalties"
}

func isFinite(x float32) bool { return x-x == 0 }

// clip clips the gradients of dense weights, and returns the factor by which
// those of all weights and tables together are to be scaled.
func (c *compiled) clip(ctx context.Context, u *update) (float32, error) {
	o := c.optimizer.Clip
	sum := 0.0
	for i, d := range c.rows {
		if g := u.gradients[i]; d != nil && g != nil {
			o.Weight(g)
			if o.GlobalNorm > 0 {
				sum += optim.SumSquares(g, len(g))
			}
		}
	}
	if o.GlobalNorm <= 0 {
		return 1, nil
	}
	for _, t := range c.tables {
		if !t.joint {
			continue
		}
		s, err := t.gradients.SumSquares(ctx, rowan.Step{Number: t.table.Step() + 1, Batches: u.batches})
		if err != nil {
			return 0, err
		}
		sum += s
	}
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return 0, fmt.Errorf("%w: the norm of all gradients together is %v", rowan.ErrNotFinite, math.Sqrt(sum))
	}
	return o.GlobalScale(sum), nil
}

// apply makes an update of all tables and dense weights.
func (c *compiled) apply(ctx context.Context, u *update) error {
	if err := c.applyTables(ctx, u); err != nil {
		return err
	}
	lr := c.optimizer.LearningRate(c.step + 1)
	for i, d := range c.rows {
		if g := u.gradients[i]; d != nil && g != nil {
			optim.Scale(g, u.scale)
			d.update(lr, g, c.step+1)
		}
	}
	c.step++
	return nil
}

// applyTables updates all tables at once, those without gradients too: it moves
// their steps on. A table that fails, because it is full, does not stop the rest.
func (c *compiled) applyTables(ctx context.Context, u *update) error {
	errs := make([]error, len(c.tables))
	var wait sync.WaitGroup
	for i, t := range c.tables {
		s := rowan.Step{Number: t.table.Step() + 1, Batches: u.batches}
		if t.joint {
			s.Scale = u.scale
		}
		if i == len(c.tables)-1 { // on this goroutine
			errs[i] = t.table.Apply(ctx, t.gradients, s)
			break
		}
		wait.Go(func() { errs[i] = t.table.Apply(ctx, t.gradients, s) })
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("the step is incomplete, go back to a checkpoint: %w", err)
		}
	}
	return nil
}

// assign gives dense weights the values that a batch computed for them.
func (c *compiled) assign(r *dense.Results) {
	for i, v := range c.vars {
		if u := r.Updates[i]; u != nil {
			copy(v.Value(), u)
		}
	}
}
