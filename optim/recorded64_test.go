package optim_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/rowan-embeddings/rowan/optim"
)

func of64(o *optim.Optimizer, width int) trainer[float64] {
	return trainer[float64]{
		Optimizer: o, width: width,
		init:   func(s optim.Slot) float64 { return s.Init },
		clip:   func(grads []float64) { o.Clip.Rows64(grads, width) },
		update: o.Update64, catchUp: o.CatchUp64,
	}
}

// asRecorded is the schedule of a recorded run, from step 1. Keras computes its
// own in float32, and may be a unit in the last place off from what is the same
// schedule here: that would be all that a comparison of float64 shows.
type asRecorded []float32

func (a asRecorded) At(step int64) float32 { return a[step-1] }

// TestRecordedRunsOfFloat64 repeats what Keras 3 did to variables of float64, on
// two of its backends, and what the proximal kernels of TensorFlow did.
func TestRecordedRunsOfFloat64(t *testing.T) {
	for file, cases := range map[string]int{"keras-tensorflow.json": 19, "keras-torch.json": 14, "tensorflow.json": 2} {
		r := readRecording[float64](t, filepath.Join("testdata", "float64", file))
		if len(r.Cases) != cases {
			t.Errorf("%s: %d cases, want %d", file, len(r.Cases), cases)
		}
		for _, c := range r.Cases {
			t.Run(file+"/"+c.Name, func(t *testing.T) { replay64(t, c) })
		}
	}
}

// replay64 trains a table by sparse steps and compares it with c after each.
func replay64(t *testing.T, c recordedCase[float64]) {
	o, err := optim.FromConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Steps) < 10 {
		t.Fatalf("%d steps, want at least 10", len(c.Steps))
	}
	var rates asRecorded
	for i, s := range c.Steps {
		if rate := o.Rate.At(int64(i + 1)); !near(float64(rate), float64(s.Rate), 1e-6, 0) {
			t.Errorf("step %d: learning rate %v, want %v", i+1, rate, s.Rate)
		}
		rates = append(rates, s.Rate)
	}
	o.Exact, o.Rate = true, rates
	table := newTable(of64(o, c.Width), c.Weights)
	for i, s := range c.Steps {
		table.apply(int64(i+1), s.IDs, s.Grads)
		weights, state := table.read(int64(i + 1))
		compare64(t, fmt.Sprintf("step %d: weight", i+1), weights, s.Weights, float64(rates[0]))
		if i == len(c.Steps)-1 {
			for slot, want := range c.State {
				compare64(t, slot, state[slot], want, 1)
			}
		}
	}
}
