package model

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// LearningRateScheduler is a callback that sets the learning rate before each
// epoch: Keras'. The epochs' logs then have the rate as "learning_rate".
type LearningRateScheduler struct {
	Hooks
	// Schedule returns the rate of an epoch, from 0, given the rate before it.
	Schedule func(epoch int, rate float32) float32

	state schedulerState
}

// schedulerState is what LearningRateScheduler remembers, so that a training
// that stopped between setting the rate and the first batch does not set it twice.
type schedulerState struct {
	Epochs int `json:"epochs"` // those whose rate was set
}

// OnEpochBegin implements [EpochBeginner].
func (s *LearningRateScheduler) OnEpochBegin(_ context.Context, e *Event) error {
	if s.Schedule == nil {
		return fmt.Errorf("%w: LearningRateScheduler: Schedule is nil", ErrArgument)
	}
	if e.Epoch < s.state.Epochs {
		return nil
	}
	now, err := e.Model.LearningRate()
	if err != nil {
		return err
	}
	if err := e.Model.SetLearningRate(s.Schedule(e.Epoch, now)); err != nil {
		return err
	}
	s.state.Epochs = e.Epoch + 1
	return nil
}

func (s *LearningRateScheduler) changesRate() {}

// StateName implements [Stateful].
func (s *LearningRateScheduler) StateName() string { return "learning-rate-scheduler" }

// ResetState implements [Stateful].
func (s *LearningRateScheduler) ResetState() { s.state = schedulerState{} }

// SaveState implements [Stateful]: JSON.
func (s *LearningRateScheduler) SaveState(w io.Writer) error {
	return json.NewEncoder(w).Encode(s.state)
}

// LoadState implements [Stateful].
func (s *LearningRateScheduler) LoadState(r io.Reader) error {
	var state schedulerState
	if err := json.NewDecoder(r).Decode(&state); err != nil {
		return fmt.Errorf("%w: LearningRateScheduler: %w", ErrData, err)
	}
	s.state = state
	return nil
}

// ReduceLROnPlateau is a callback that lowers the learning rate when a number
// has stopped getting better: Keras'. A number that is NaN is no better than any.
// The epochs' logs then have the rate as "learning_rate".
type ReduceLROnPlateau struct {
	Hooks
	// Monitor is the number to watch. Default: "val_loss".
	Monitor string
	// Factor is what the rate is multiplied by, above 0 and below 1. Default: 0.1.
	Factor float64
	// Patience is the number of epochs without a better number after which the
	// rate is lowered. Default: 10.
	Patience int
	// Mode is as in [EarlyStopping].
	Mode string
	// MinDelta is by how much a number must be better to count. Default: 0.0001.
	MinDelta *float64
	// Cooldown is the number of epochs after a reduction in which nothing is
	// counted. Default 0.
	Cooldown int
	// MinRate is what the rate is not lowered below: Keras' min_lr. Default 0.
	MinRate float32

	state plateauState
}

// plateauState is what ReduceLROnPlateau remembers.
type plateauState struct {
	Seen     bool    `json:"seen"`
	Best     float64 `json:"best"`
	Wait     int     `json:"wait"`     // epochs since
	Cooldown int     `json:"cooldown"` // epochs to go
}

// options returns the options with their defaults.
func (s *ReduceLROnPlateau) options() (factor float64, patience int, watch monitor, err error) {
	factor, patience = s.Factor, s.Patience
	watch = monitor{callback: "ReduceLROnPlateau", name: s.Monitor, mode: s.Mode, delta: 1e-4}
	if factor == 0 {
		factor = 0.1
	}
	if patience == 0 {
		patience = 10
	}
	if s.MinDelta != nil {
		watch.delta = *s.MinDelta
	}
	if !(factor > 0 && factor < 1) || patience < 0 || s.Cooldown < 0 || !(s.MinRate >= 0) {
		err = fmt.Errorf("%w: ReduceLROnPlateau needs a Factor above 0 and below 1, and Patience, Cooldown and MinRate of 0 or more, got %v, %d, %d and %v",
			ErrArgument, factor, patience, s.Cooldown, s.MinRate)
	}
	return factor, patience, watch, err
}

// OnEpochEnd implements [Callback].
func (s *ReduceLROnPlateau) OnEpochEnd(_ context.Context, e *Event) error {
	factor, patience, watch, err := s.options()
	if err != nil {
		return err
	}
	value, err := watch.value(e)
	if err != nil {
		return err
	}
	if s.state.Cooldown > 0 {
		s.state.Cooldown--
		s.state.Wait = 0
	}
	if !math.IsNaN(value) && (!s.state.Seen || watch.better(value, s.state.Best)) {
		s.state.Seen, s.state.Best, s.state.Wait = true, value, 0
		return nil
	}
	if s.state.Cooldown > 0 {
		return nil
	}
	if s.state.Wait++; s.state.Wait < patience {
		return nil
	}
	return s.reduce(e.Model, factor)
}

// reduce lowers the rate, if it is not as low as it may be.
func (s *ReduceLROnPlateau) reduce(m *Model, factor float64) error {
	now, err := m.LearningRate()
	if err != nil || now <= s.MinRate {
		return err
	}
	s.state.Wait, s.state.Cooldown = 0, s.Cooldown
	return m.SetLearningRate(max(float32(float64(now)*factor), s.MinRate))
}

func (s *ReduceLROnPlateau) changesRate() {}

// StateName implements [Stateful].
func (s *ReduceLROnPlateau) StateName() string { return "reduce-lr-on-plateau" }

// ResetState implements [Stateful].
func (s *ReduceLROnPlateau) ResetState() { s.state = plateauState{} }

// SaveState implements [Stateful]: JSON.
func (s *ReduceLROnPlateau) SaveState(w io.Writer) error {
	state := s.state
	state.Best = finite(state.Best)
	return json.NewEncoder(w).Encode(state)
}

// LoadState implements [Stateful].
func (s *ReduceLROnPlateau) LoadState(r io.Reader) error {
	var state plateauState
	if err := json.NewDecoder(r).Decode(&state); err != nil {
		return fmt.Errorf("%w: ReduceLROnPlateau: %w", ErrData, err)
	}
	s.state = state
	return nil
}

// tellsRate reports whether a callback changes the learning rate: it is in the
// logs then.
func (f *fit) tellsRate() bool {
	for _, c := range f.callbacks {
		if _, ok := c.(interface{ changesRate() }); ok {
			return true
		}
	}
	return false
}

// lastRate is the rate of the last step.
func (m *Model) lastRate() float32 {
	m.training.Lock()
	defer m.training.Unlock()
	c := m.compiled
	return c.optimizer.LearningRate(max(1, c.step))
}
