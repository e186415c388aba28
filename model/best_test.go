package model

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// TestBestCheckpoint trains while the loss falls and rises as it is told.
func TestBestCheckpoint(t *testing.T) {
	for name, c := range map[string]struct {
		o      BestCheckpoint
		values []float64
		saved  []int // after which epochs
	}{
		"the smallest":     {BestCheckpoint{}, []float64{3, 4, 2, 2, 1}, []int{0, 2, 4}},
		"the largest":      {BestCheckpoint{Monitor: "val_auc"}, []float64{0.5, 0.4, 0.6}, []int{0, 2}},
		"from a threshold": {BestCheckpoint{Threshold: new(2.5)}, []float64{3, 2.6, 2, 2.2}, []int{2}},
	} {
		m := compileHybrid(t, 5)
		_, to := memory(t)
		b := c.o
		b.To = to
		var saved []int
		for epoch, v := range c.values {
			m.at.Epoch = epoch + 1
			m.step = int64(epoch + 1)
			monitor := b.Monitor
			if monitor == "" {
				monitor = "val_loss"
			}
			check(t, b.OnEpochEnd(t.Context(), &Event{Model: m, Epoch: epoch, Logs: Logs{{monitor, v}}}))
			if s, err := to.Latest(); err == nil && int(s.Step()) == epoch+1 {
				saved = append(saved, epoch)
			}
		}
		if !slices.Equal(saved, c.saved) {
			t.Errorf("%s: saved after epochs %v, want %v", name, saved, c.saved)
		}
		if all := must[[]*Saved](t)(to.List()); len(all) != 1 {
			t.Errorf("%s: %d checkpoints were kept, want 1", name, len(all))
		}
	}
}

// TestBestCheckpointGoesOn: a training that goes on knows the best number so
// far, and the best checkpoint knows itself.
func TestBestCheckpointGoesOn(t *testing.T) {
	fit := func(epochs int, resume bool, m *Model, best, last *Checkpoints) {
		t.Helper()
		o := FitOptions{Epochs: epochs, Resume: resume, Callbacks: []Callback{
			&Checkpoint{To: last}, &BestCheckpoint{To: best, Monitor: "loss", Mode: "max"}}} // the first epoch's is the largest
		must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), o))
	}
	bestFiles, best := memory(t)
	_, last := memory(t)
	fit(2, false, compileHybrid(t, 5), best, last)
	before := files(t, bestFiles, best)
	if s := must[*Saved](t)(best.Latest()); s.Epoch() != 1 || s.Step() != 10 {
		t.Fatalf("the best is before epoch %d, step %d; want 1 and 10", s.Epoch(), s.Step())
	}
	m := compileHybrid(t, 5)
	check(t, m.Load(t.Context(), must[*Saved](t)(last.Latest())))
	fit(4, true, m, best, last)
	same(t, files(t, bestFiles, best), before)
	check(t, m.Load(t.Context(), must[*Saved](t)(best.Latest())))
	again := &BestCheckpoint{}
	check(t, m.callbacks.attach([]Callback{again}, true))
	if !again.state.Seen {
		t.Error("the best checkpoint does not know its number")
	}
}

func TestBestCheckpointRefuses(t *testing.T) {
	e := &Event{Model: compileHybrid(t, 5), Logs: Logs{{"val_loss", 1}}}
	wants(t, (&BestCheckpoint{Monitor: "x"}).OnEpochEnd(t.Context(), e), "BestCheckpoint", `no "x"`)
	if err := (&BestCheckpoint{}).OnEpochEnd(t.Context(), e); !errors.Is(err, ErrArgument) {
		t.Errorf("no directory: %v", err)
	}
	if err := (&BestCheckpoint{}).LoadState(emptyReader{}); !errors.Is(err, ErrData) {
		t.Errorf("an empty state: %v", err)
	}
}

// TestWhatSavesComesLast: an epoch's checkpoint holds what the others have heard.
func TestWhatSavesComesLast(t *testing.T) {
	_, to := memory(t)
	late := &EarlyStopping{Monitor: "loss"}
	heard := false
	b := &BestCheckpoint{To: to, Monitor: "loss", Mode: "min"}
	o := FitOptions{Callbacks: []Callback{b, late, hook{epoch: func(*Event) error {
		_, err := to.Latest()
		heard = err != nil
		return nil
	}}}}
	must[History](t)(compileHybrid(t, 5).Fit(context.Background(), likes(t, 20, 1), o))
	if !heard {
		t.Error("the best checkpoint was saved before another callback heard of the epoch")
	}
}
