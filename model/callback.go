package model

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
)

// Callback takes part in a training. Its methods are called between steps, one
// at a time, in the order of FitOptions.Callbacks; an error ends the training.
// They may use the model: predict, evaluate, save. Embed [Hooks] to write only
// some of them.
type Callback interface {
	// OnBatchEnd is called after each step. Event.Logs has running means of losses.
	OnBatchEnd(ctx context.Context, e *Event) error
	// OnEpochEnd is called after each epoch and its validation.
	OnEpochEnd(ctx context.Context, e *Event) error
	// OnTrainEnd is called once however training ends; Event.Err says why if
	// it was not at the end. ctx may be done.
	OnTrainEnd(ctx context.Context, e *Event) error
}

// EpochBeginner is a callback that has something to do before an epoch.
type EpochBeginner interface {
	Callback
	// OnEpochBegin is called before the first batch of an epoch. A training that
	// goes on where one stopped, just before that batch, calls it again: what must
	// not be done twice is for a [Stateful] callback to remember. Event.Stop ends
	// the training before the epoch.
	OnEpochBegin(ctx context.Context, e *Event) error
}

// Stateful is a callback that remembers something from one epoch to the next,
// which a training that goes on has to know.
type Stateful interface {
	Callback
	// StateName names the state in a checkpoint: letters, digits, '-' and '_'.
	StateName() string
	// SaveState writes the state, and LoadState reads it back. Equal states
	// must give equal bytes.
	SaveState(w io.Writer) error
	LoadState(r io.Reader) error
	// ResetState forgets everything: a training begins from the beginning.
	ResetState()
}

// Event is a moment of a training.
type Event struct {
	Model *Model
	// Epoch counts from 0; Epochs is where training is to end.
	Epoch, Epochs int
	// Batch is the number of batches of the epoch that are done; Batches is how
	// many it has, -1 if that is not known.
	Batch, Batches int
	// Examples is the number of examples of the epoch that are done.
	Examples int64
	// Step is the number of the last step.
	Step int64
	Logs Logs
	// Err is why training ended early; only in OnTrainEnd.
	Err error

	stop bool
}

// Stop ends the training. In OnBatchEnd, the epoch ends with this batch.
func (e *Event) Stop() { e.stop = true }

// Hooks is a callback that does nothing, to be embedded.
type Hooks struct{}

// OnBatchEnd implements [Callback].
func (Hooks) OnBatchEnd(context.Context, *Event) error { return nil }

// OnEpochEnd implements [Callback].
func (Hooks) OnEpochEnd(context.Context, *Event) error { return nil }

// OnTrainEnd implements [Callback].
func (Hooks) OnTrainEnd(context.Context, *Event) error { return nil }

// callbackStates holds what callbacks remember: the callbacks of the last Fit,
// and states read from a checkpoint that no callback has taken up.
type callbackStates struct {
	live []Stateful
	kept map[string][]byte
}

// attach makes callbacks the live ones; with resume they take up kept states.
func (s *callbackStates) attach(all []Callback, resume bool) error {
	live, seen := []Stateful(nil), make(map[string]bool)
	for _, c := range all {
		f, ok := c.(Stateful)
		if !ok {
			continue
		}
		if name := f.StateName(); seen[name] {
			return fmt.Errorf("%w: two callbacks keep state under the name %q", ErrArgument, name)
		}
		seen[f.StateName()] = true
		live = append(live, f)
	}
	for _, f := range live {
		if !resume {
			f.ResetState()
		} else if err := s.hand(f); err != nil {
			return err
		}
	}
	s.live, s.kept = live, nil
	return nil
}

// hand gives a callback the state that is kept for it.
func (s *callbackStates) hand(f Stateful) error {
	state, ok := s.kept[f.StateName()]
	if !ok {
		return nil
	}
	if err := f.LoadState(bytes.NewReader(state)); err != nil {
		return fmt.Errorf("state of callback %q: %w", f.StateName(), err)
	}
	return nil
}

// savesLast puts callbacks that save the model behind all others, so that what
// they save is what the others have heard.
func savesLast(all []Callback) []Callback {
	ordered := slices.Clone(all)
	slices.SortStableFunc(ordered, func(a, b Callback) int { return rank(a) - rank(b) })
	return ordered
}

func rank(c Callback) int {
	switch c.(type) {
	case *BestCheckpoint:
		return 1
	case *Checkpoint:
		return 2 // knows what the best one remembers
	}
	return 0
}
