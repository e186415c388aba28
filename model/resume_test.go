package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// training is one way to train: everything that a resumed run has to get right.
// Stopping when the loss no longer grows makes the second epoch the best and
// the fifth the last.
func training(t testing.TB, more ...Callback) FitOptions {
	return FitOptions{Epochs: 8, Validation: likes(t, 50, 2), Callbacks: append([]Callback{
		&EarlyStopping{Mode: "max", Patience: 3, RestoreBest: true}}, more...)}
}

const trainExamples = 150 // 10 batches, the last of 6

// whole trains without a stop and returns the final checkpoint.
func whole(t testing.TB) map[string]string {
	t.Helper()
	m := compileHybrid(t, 5)
	all, h := wholeOf(t, m)
	if len(h) != 5 || m.Step() != 20 {
		t.Fatalf("trained %d epochs and kept step %d, want 5 and 20: %v", len(h), m.Step(), h)
	}
	return all
}

func wholeOf(t testing.TB, m *Model) (map[string]string, History) {
	t.Helper()
	h := must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), training(t)))
	fsys, c := memory(t)
	check(t, m.Save(t.Context(), c, map[string]int{"width": 8}))
	return files(t, fsys, c), h
}

// interrupted trains, stops after some steps, and goes on in a new model each time.
func interrupted(t testing.TB, stops ...int64) map[string]string {
	t.Helper()
	return interruptedOf(t, func() *Model { return compileHybrid(t, 5) }, stops...)
}

func interruptedOf(t testing.TB, compile func() *Model, stops ...int64) map[string]string {
	t.Helper()
	fsys, c := memory(t)
	for i := 0; ; i++ {
		m := compile()
		if i > 0 {
			check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
		}
		ctx, cancel := context.WithCancel(t.Context())
		stop := hook{batch: func(e *Event) error {
			if i < len(stops) && e.Step == stops[i] {
				cancel()
			}
			return nil
		}}
		o := training(t, stop)
		o.Resume = true
		_, err := m.Fit(ctx, likes(t, trainExamples, 1), o)
		cancel()
		check(t, m.Save(t.Context(), c, map[string]int{"width": 8}))
		if err == nil {
			return files(t, fsys, c)
		}
		if !errors.Is(err, context.Canceled) || i == len(stops) {
			t.Fatal(err)
		}
	}
}

func TestResumeGivesTheSameBytes(t *testing.T) {
	want := whole(t)
	same(t, whole(t), want)
	random := rand.New(rand.NewPCG(3, 4))
	var stops []int64
	for range 18 {
		stops = append(stops, 1+random.Int64N(49))
	}
	stops = append(stops, 10, 20) // ends of epochs
	for _, s := range stops {
		t.Run(fmt.Sprint("step=", s), func(t *testing.T) { same(t, interrupted(t, s), want) })
	}
	t.Run("three times", func(t *testing.T) { same(t, interrupted(t, 4, 17, 30), want) })
}

func TestThreadsGiveTheSameBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := whole(t)
	runtime.GOMAXPROCS(5)
	same(t, whole(t), one)
}

// A checkpoint of the end of an epoch knows what the other callbacks heard of
// it, wherever it stands among them.
func TestCheckpointsComeLast(t *testing.T) {
	fsys, c := memory(t)
	config := map[string]int{"width": 8}
	m := compileHybrid(t, 5)
	o := training(t)
	o.Epochs = 4
	o.Callbacks = append([]Callback{&Checkpoint{To: c, Config: config}}, o.Callbacks...)
	crash := errors.New("crash")
	o.Callbacks = append(o.Callbacks, hook{batch: func(e *Event) error {
		if e.Step == 32 {
			return crash
		}
		return nil
	}})
	if _, err := m.Fit(t.Context(), likes(t, trainExamples, 1), o); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	m = compileHybrid(t, 5)
	check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
	o = training(t)
	o.Resume = true
	must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), o))
	check(t, m.Save(t.Context(), c, config))
	same(t, files(t, fsys, c), whole(t))
}

func TestEarlyStoppingForgetsTheTrainingBefore(t *testing.T) {
	s := &EarlyStopping{Mode: "max", Patience: 3}
	for range 2 {
		m := compileHybrid(t, 5)
		h := must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), FitOptions{Epochs: 8, Validation: likes(t, 50, 2), Callbacks: []Callback{s}}))
		if len(h) != 5 {
			t.Errorf("stopped after %d epochs, want 5", len(h))
		}
	}
}

func TestCheckpointCallbackResumes(t *testing.T) {
	fsys, c := memory(t)
	config := map[string]int{"width": 8}
	m := compileHybrid(t, 5)
	crash := errors.New("crash")
	o := training(t, &Checkpoint{To: c, Config: config, EverySteps: 7, Keep: 2}, hook{batch: func(e *Event) error {
		if e.Step == 25 {
			return crash
		}
		return nil
	}})
	if _, err := m.Fit(t.Context(), likes(t, trainExamples, 1), o); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	kept := must[[]*Saved](t)(c.List())
	if len(kept) != 2 || kept[1].Step() != 21 || kept[1].Epoch() != 2 || kept[1].Examples() != 16 {
		t.Fatalf("kept %d checkpoints, the last of step %d, epoch %d", len(kept), kept[1].Step(), kept[1].Epoch())
	}
	m = compileHybrid(t, 5)
	check(t, m.Load(t.Context(), kept[1]))
	o = training(t, &Checkpoint{To: c, Config: config})
	o.Resume = true
	must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), o))
	same(t, files(t, fsys, c), whole(t))
	var width map[string]int
	check(t, must[*Saved](t)(c.Latest()).Config(&width))
	if width["width"] != 8 {
		t.Errorf("config %v", width)
	}
}
