package optim_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/optim"
)

// recording is a golden file: see interop/record_optimizers.py and, for rows of
// float64, interop/record_optim64.py.
type recording[F optim.Float] struct {
	Versions map[string]string
	Cases    []recordedCase[F]
}

type recordedCase[F optim.Float] struct {
	Name   string
	Absent string // "dense" or "lazy": what happens to rows that a batch leaves out
	Width  int
	Config optim.Config
	// StepError is how far, as a part of a step, weights may be off beyond
	// rounding, where a library's formula is known to differ.
	StepError float64 `json:"step_error"`
	Weights   []F
	Steps     []recordedStep[F]
	State     map[string][]F
}

type recordedStep[F optim.Float] struct {
	IDs     []uint32
	Grads   []F // a row for each id
	Rate    float32
	Weights []F // after the step
}

// readRecording reads a golden file.
func readRecording[F optim.Float](t *testing.T, file string) recording[F] {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r recording[F]
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return r
}

// TestRecordedRuns repeats what Keras 3, tf_keras, TensorFlow, PyTorch and FBGEMM did.
func TestRecordedRuns(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("golden files: %v, %v, want 5", files, err)
	}
	for _, file := range files {
		for _, c := range readRecording[float32](t, file).Cases {
			t.Run(filepath.Base(file)+"/"+c.Name+"/"+c.Absent, func(t *testing.T) { replay(t, c) })
		}
	}
}

// replay trains a table by sparse steps and compares it with c after each.
func replay(t *testing.T, c recordedCase[float32]) {
	o, err := optim.FromConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Steps) < 12 {
		t.Fatalf("%d steps, want at least 12", len(c.Steps))
	}
	o.Exact = c.Absent == "dense"
	table, largest := newTable(of32(o, c.Width), c.Weights), 0.0
	every := max(1, o.AccumulationSteps)
	var ids []uint32
	var grads []float32
	for i, s := range c.Steps {
		step := int64(i + 1)
		if rate := o.Rate.At(step); !near(float64(rate), float64(s.Rate), 1e-6, 0) {
			t.Errorf("step %d: learning rate %v, want %v", step, rate, s.Rate)
		}
		ids, grads = append(ids, s.IDs...), append(grads, s.Grads...)
		update := step / int64(every)
		if (i+1)%every == 0 {
			table.apply(update, ids, grads)
			ids, grads = ids[:0], grads[:0]
		}
		weights, state := table.read(update)
		// A step moves a weight by about the learning rate, and each has an
		// error of rounding in proportion. That is no small part of a weight
		// that came near zero: hence an absolute floor, by the largest rate so far.
		largest = max(largest, float64(s.Rate))
		floor := largest * max(1e-6, c.StepError)
		compare(t, fmt.Sprintf("step %d: weight", step), weights, s.Weights, floor)
		if i == len(c.Steps)-1 {
			for slot, want := range c.State {
				floor := 1e-7
				if slot == "linear" { // FTRL divides the difference of two roots by the rate
					floor = 1e-6
				}
				compare(t, slot, state[slot], want, floor)
			}
		}
	}
}

// near tells whether got is want, but for a relative error and an absolute one.
func near(got, want, relative, absolute float64) bool {
	return math.Abs(got-want) <= relative*math.Abs(want)+absolute
}

func compare(t *testing.T, what string, got, want []float32, floor float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !near(float64(got[i]), float64(want[i]), 1e-6, floor) {
			t.Fatalf("%s %d is %v, want %v: relative error %.2g", what, i, got[i], want[i], math.Abs(float64(got[i]/want[i]-1)))
		}
	}
}

// trainer is an optimizer of rows of F.
type trainer[F optim.Float] struct {
	*optim.Optimizer
	width   int
	init    func(optim.Slot) F
	clip    func(grads []F)
	update  func(optim.BlockOf[F])
	catchUp func(optim.BlockOf[F], []int64)
}

func of32(o *optim.Optimizer, width int) trainer[float32] {
	return trainer[float32]{
		Optimizer: o, width: width,
		init: func(s optim.Slot) float32 { return float32(s.Init) },
		clip: func(grads []float32) {
			o.Clip.Rows(grads, width)
			optim.Scale(grads, o.Clip.GlobalScale(optim.SumSquares(grads, width)))
		},
		update: o.Update, catchUp: o.CatchUp,
	}
}

// table is the least that can train with an optimizer: rows side by side with
// their state, and the last step of each.
type table[F optim.Float] struct {
	trainer[F]
	stride int
	data   []F
	last   []int64
}

func newTable[F optim.Float](o trainer[F], weights []F) *table[F] {
	width := o.width
	t := &table[F]{trainer: o, stride: width}
	for _, s := range o.Slots() {
		t.stride += slotWidth(s, width)
	}
	t.stride += 3 // as a slab rounds up
	for len(weights) > 0 {
		row := slices.Clone(weights[:width])
		for _, s := range o.Slots() {
			if s.Weights {
				row = append(row, weights[:width]...)
				continue
			}
			row = append(row, slices.Repeat([]F{o.init(s)}, slotWidth(s, width))...)
		}
		t.data = append(t.data, append(row, make([]F, t.stride-len(row))...)...)
		t.last = append(t.last, 0)
		weights = weights[width:]
	}
	return t
}

func slotWidth(s optim.Slot, width int) int {
	if s.Width == 0 {
		return width
	}
	return s.Width
}

// apply sums the gradients of equal ids, clips them and takes one step.
func (t *table[F]) apply(step int64, ids []uint32, grads []F) {
	var rows []uint32
	var sums []F
	for i, id := range ids {
		at := slices.Index(rows, id)
		if at < 0 {
			at = len(rows)
			rows, sums = append(rows, id), append(sums, make([]F, t.width)...)
		}
		for j := range t.width {
			sums[at*t.width+j] += grads[i*t.width+j]
		}
	}
	if n := t.AccumulationSteps; n > 1 {
		for i := range sums {
			sums[i] /= F(n)
		}
	}
	t.clip(sums)
	t.bring(t.data, rows, step-1)
	t.update(optim.BlockOf[F]{
		Data: t.data, Stride: t.stride, Width: t.width,
		Rows: rows, Grads: sums, Step: step, LR: F(t.LearningRate(step)),
	})
	for _, r := range rows {
		t.last[r] = step
	}
}

// bring catches the given rows, which lie in data, up to a step.
func (t *table[F]) bring(data []F, rows []uint32, step int64) {
	if !t.Exact {
		return
	}
	var last []int64
	for _, r := range rows {
		last = append(last, t.last[r])
	}
	t.catchUp(optim.BlockOf[F]{Data: data, Stride: t.stride, Width: t.width, Rows: rows, Step: step}, last)
}

// read returns all weights and state as of a step, without a change to the
// table: rows are caught up in a copy.
func (t *table[F]) read(step int64) (weights []F, state map[string][]F) {
	scratch := slices.Clone(t.data)
	var rows []uint32
	for r := range t.last {
		rows = append(rows, uint32(r))
	}
	t.bring(scratch, rows, step)
	state = map[string][]F{}
	for r := range rows {
		row := scratch[r*t.stride:]
		weights = append(weights, row[:t.width]...)
		row = row[t.width:]
		for _, s := range t.Slots() {
			n := slotWidth(s, t.width)
			state[s.Name] = append(state[s.Name], row[:n]...)
			row = row[n:]
		}
	}
	return weights, state
}
