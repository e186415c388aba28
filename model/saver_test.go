package model

import (
	"context"
	"errors"
	"testing"
)

// TestCheckpointSavesOnce: the end of training is not saved a second time when
// the end of its last epoch was, and what was saved before it is kept.
func TestCheckpointSavesOnce(t *testing.T) {
	m := compileHybrid(t, 5)
	_, c := memory(t)
	callback := &Checkpoint{To: c, Keep: 2}
	fit := func(epochs int) {
		_, err := m.Fit(t.Context(), likes(t, trainExamples, 1), FitOptions{Epochs: epochs, InitialEpoch: 0, Resume: m.Step() > 0, Callbacks: []Callback{callback}})
		check(t, err)
	}
	fit(3)
	list := must[[]*Saved](t)(c.List())
	if len(list) != 2 || list[0].Epoch() != 2 || list[1].Epoch() != 3 {
		t.Errorf("kept %d checkpoints: %v", len(list), list)
	}
	fit(4)
	if latest := must[*Saved](t)(c.Latest()); latest.Epoch() != 4 {
		t.Errorf("the latest is of epoch %d", latest.Epoch())
	}
}

// TestEndErrorsAreTold: an error of a callback at the end is told beside the
// reason that training ended for.
func TestEndErrorsAreTold(t *testing.T) {
	m := compileHybrid(t, 5)
	ctx, cancel := context.WithCancel(t.Context())
	full := errors.New("disk full")
	_, err := m.Fit(ctx, likes(t, trainExamples, 1), FitOptions{Epochs: 2, Callbacks: []Callback{
		hook{batch: func(*Event) error { cancel(); return nil }}, failingEnd{err: full},
	}})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, full) {
		t.Errorf("got %v, want both the cancellation and the callback's error", err)
	}
}

type failingEnd struct {
	Hooks
	err error
}

func (f failingEnd) OnTrainEnd(context.Context, *Event) error { return f.err }
