package model

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// clock ticks a second whenever it is read.
func clock() func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	p := &Progress{Out: &out, Every: 3 * time.Second, now: clock()}
	m := compileHybrid(t, 1)
	must[History](t)(m.Fit(t.Context(), likes(t, 100, 1), FitOptions{Epochs: 2, Callbacks: []Callback{p}}))
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 6 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i, begins := range []string{"epoch 1/2  3/7  loss 0.", "epoch 1/2  6/7  loss 0.", "epoch 1/2  7/7  loss 0.", "epoch 2/2  3/7", "epoch 2/2  6/7", "epoch 2/2  7/7"} {
		if !strings.HasPrefix(lines[i], begins) || !strings.HasSuffix(lines[i], " examples/s") {
			t.Errorf("line %d: %q, want it to begin with %q", i, lines[i], begins)
		}
	}
	if !strings.Contains(lines[2], "  auc 0.") || strings.Contains(lines[1], "auc") {
		t.Errorf("metrics belong to the end of an epoch: %q", lines)
	}
}

func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	p := &Progress{Out: &out, Every: 1, now: clock(), terminal: true}
	e := &Event{Epochs: 2, Batch: 1, Batches: 4, Examples: 10, Logs: Logs{{"loss", 0.5}}}
	p.begun = true // what begin would look up: the buffer is no terminal
	check(t, p.OnBatchEnd(t.Context(), e))
	e.Batch, e.Examples = 4, 40
	check(t, p.OnEpochEnd(t.Context(), e))
	if got := out.String(); !strings.HasPrefix(got, "\r\033[Kepoch 1/2  [=====>              ] 1/4  loss 0.5000") ||
		!strings.Contains(got, "\r\033[Kepoch 1/2  [====================] 4/4") || !strings.HasSuffix(got, "\n") {
		t.Errorf("%q", got)
	}
	check(t, p.OnBatchEnd(t.Context(), e))
	check(t, p.OnTrainEnd(t.Context(), &Event{Err: errors.New("stop")}))
	if !strings.HasSuffix(out.String(), "\n") {
		t.Error("the line is not ended")
	}
	if isTerminal(&out) || isTerminal(must[*os.File](t)(os.CreateTemp(t.TempDir(), ""))) {
		t.Error("a buffer or a file was taken for a terminal")
	}
}
