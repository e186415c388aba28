package model

import (
	"context"
	"errors"
)

// Checkpoint is a callback that saves the model, behind all other callbacks.
// It saves at the end of training too, also when that ends because its context
// did: what a later Fit with Resume goes on from.
type Checkpoint struct {
	Hooks
	// To is where to.
	To *Checkpoints
	// Config is passed to Model.Save. Default: none.
	Config any
	// EverySteps saves when the number of the step is a multiple of it, or with
	// the next update, where gradients are accumulated. Default 0: never within
	// an epoch.
	EverySteps int64
	// EveryEpochs saves after that many epochs. Default 0: every epoch, unless EverySteps is set.
	EveryEpochs int
	// Keep is the number of checkpoints to keep; older ones are deleted. Default 0: all.
	Keep int

	saved place
	due   bool // since a step that was no update
}

// place is where training stands. A model that has not moved on is not saved
// twice.
type place struct {
	model   *Model
	step    int64
	epoch   int
	batches int
	stopped bool
}

func (m *Model) place() place {
	m.training.Lock()
	defer m.training.Unlock()
	return place{m, m.step, m.at.Epoch, m.at.Running.Batches, m.at.Stopped}
}

// OnBatchEnd implements [Callback].
func (c *Checkpoint) OnBatchEnd(ctx context.Context, e *Event) error {
	if c.EverySteps <= 0 || e.Step%c.EverySteps != 0 && !c.due {
		return nil
	}
	if c.due = e.Model.Waiting() > 0; c.due {
		return nil
	}
	return c.save(ctx, e)
}

// OnEpochEnd implements [Callback].
func (c *Checkpoint) OnEpochEnd(ctx context.Context, e *Event) error {
	every := c.EveryEpochs
	if every <= 0 && c.EverySteps <= 0 {
		every = 1
	}
	if every <= 0 || (e.Epoch+1)%every != 0 {
		return nil
	}
	return c.save(ctx, e)
}

// OnTrainEnd implements [Callback]. After an error that is not the end of a
// context nothing is saved.
func (c *Checkpoint) OnTrainEnd(ctx context.Context, e *Event) error {
	if e.Err != nil && !errors.Is(e.Err, context.Canceled) && !errors.Is(e.Err, context.DeadlineExceeded) {
		return nil
	}
	err := c.save(ctx, e)
	c.saved, c.due = place{}, false // the next training saves anew
	return err
}

// save saves whether ctx has ended or not: what it interrupts is training.
func (c *Checkpoint) save(ctx context.Context, e *Event) error {
	here := e.Model.place()
	if here == c.saved {
		return nil
	}
	if err := e.Model.Save(context.WithoutCancel(ctx), c.To, c.Config); err != nil {
		return err
	}
	c.saved = here
	if c.Keep <= 0 {
		return nil
	}
	return c.To.Prune(c.Keep)
}
