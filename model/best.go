package model

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// BestCheckpoint is a callback that saves the model after each epoch in which a
// number is better than it ever was: Keras' ModelCheckpoint with save_best_only.
// It comes behind the callbacks that save nothing, so that what it saves is what
// they have heard. It can stand beside a [Checkpoint] in another directory, which
// is what a training that was stopped goes on from.
type BestCheckpoint struct {
	Hooks
	// To is where to.
	To *Checkpoints
	// Config is passed to Model.Save. Default: none.
	Config any
	// Monitor is the number to watch. Default: "val_loss".
	Monitor string
	// Mode is as in [EarlyStopping].
	Mode string
	// Threshold is a number that the first to be saved must better: Keras'
	// initial_value_threshold. Default: none.
	Threshold *float64
	// Keep is the number of checkpoints to keep; older ones are deleted. Default: 1.
	Keep int

	state bestState
}

// bestState is what BestCheckpoint remembers.
type bestState struct {
	Seen bool    `json:"seen"`
	Best float64 `json:"best"`
}

// OnEpochEnd implements [Callback].
func (c *BestCheckpoint) OnEpochEnd(ctx context.Context, e *Event) error {
	watch := monitor{callback: "BestCheckpoint", name: c.Monitor, mode: c.Mode}
	value, err := watch.value(e)
	if err != nil {
		return err
	}
	best := c.state
	if !best.Seen && c.Threshold != nil {
		best = bestState{true, *c.Threshold}
	}
	if math.IsNaN(value) || best.Seen && !watch.better(value, best.Best) {
		return nil
	}
	c.state = bestState{true, value} // before saving: it is part of what is saved
	if err := e.Model.Save(context.WithoutCancel(ctx), c.To, c.Config); err != nil {
		return err
	}
	return c.To.Prune(max(1, c.Keep))
}

// StateName implements [Stateful].
func (c *BestCheckpoint) StateName() string { return "best-checkpoint" }

// ResetState implements [Stateful].
func (c *BestCheckpoint) ResetState() { c.state = bestState{} }

// SaveState implements [Stateful]: JSON.
func (c *BestCheckpoint) SaveState(w io.Writer) error {
	state := c.state
	state.Best = finite(state.Best)
	return json.NewEncoder(w).Encode(state)
}

// LoadState implements [Stateful].
func (c *BestCheckpoint) LoadState(r io.Reader) error {
	var state bestState
	if err := json.NewDecoder(r).Decode(&state); err != nil {
		return fmt.Errorf("%w: BestCheckpoint: %w", ErrData, err)
	}
	c.state = state
	return nil
}
