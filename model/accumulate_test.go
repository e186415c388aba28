package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// example is a batch for the model of TestOneStepByHand.
func example(t testing.TB, key []int64, label []float32) *Batch {
	return &Batch{Inputs: []layer.Value{ids(t, key...)}, Labels: []*tensor.Values{floats(t, label, len(label))}}
}

// TestAccumulationEqualsOneLargeBatch: an update of the mean of several batches
// is that of one batch of all their examples, clipped or not.
func TestAccumulationEqualsOneLargeBatch(t *testing.T) {
	for _, o := range []optim.Optimizer{
		{Updater: optim.SGD{}, Rate: optim.Constant(0.1)},
		{Updater: optim.NewAdam(), Rate: optim.Constant(0.1), Exact: true, WeightDecay: 0.1},
		{Updater: optim.SGD{}, Rate: optim.Constant(0.1), Clip: optim.Clip{Norm: 0.5}},
		{Updater: optim.SGD{}, Rate: optim.Constant(0.1), Clip: optim.Clip{Value: 0.3}},
		{Updater: optim.SGD{}, Rate: optim.Constant(0.1), Clip: optim.Clip{GlobalNorm: 0.5}},
	} {
		accumulating := o
		accumulating.AccumulationSteps = 3
		one, several := weighted(t, 1, 1), weighted(t, 1, 1)
		losses := OutputOptions{LossName: "mse"}
		check(t, one.Compile(CompileOptions{Optimizer: &o, OutputOptions: losses}))
		check(t, several.Compile(CompileOptions{Optimizer: &accumulating, OutputOptions: losses}))
		keys, labels := []int64{1, 2, 1, 1, 0, 3}, []float32{0, 1, 2, -1, 5, 3}
		for range 2 {
			must[float64](t)(one.TrainOnBatch(t.Context(), example(t, keys, labels)))
			for i := 0; i < len(keys); i += 2 {
				if w := several.Waiting(); w != i/2 {
					t.Errorf("%d batches wait, want %d", w, i/2)
				}
				memory := append([]int64(nil), keys[i:i+2]...)
				must[float64](t)(several.TrainOnBatch(t.Context(), example(t, memory, labels[i:i+2])))
				memory[0], memory[1] = 3, 3 // as a source that uses its memory again
			}
		}
		wantRow, wantKernel := rows(t, one)
		row, kernel := rows(t, several)
		for i := range row {
			near(t, "row", row[i:i+1], float64(wantRow[i]))
			near(t, "kernel", kernel[i:i+1], float64(wantKernel[i]))
		}
		if several.Step() != 6 || several.Tables()[0].Step() != 2 || several.Waiting() != 0 {
			t.Errorf("step %d, of the table %d, %d waiting; want 6, 2 and 0", several.Step(), several.Tables()[0].Step(), several.Waiting())
		}
	}
}

// TestAccumulationCountsBatchesInTheRate: the second update has the rate of the
// fourth batch, as in Keras.
func TestAccumulationCountsBatchesInTheRate(t *testing.T) {
	rate := optim.PiecewiseConstant{Boundaries: []int64{2}, Values: []float64{0.1, 0}}
	m := weighted(t, 1, 1)
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: rate, AccumulationSteps: 2},
		OutputOptions: OutputOptions{LossName: "mse"}}))
	for range 4 {
		must[float64](t)(m.TrainOnBatch(t.Context(), example(t, []int64{1}, []float32{0})))
	}
	row, kernel := rows(t, m)
	near(t, "row", row, 0.6, 0.6)
	near(t, "kernel", kernel, 0.6, 0.6)
}

// TestAccumulationWithRatesByHand: a rate that is set holds from the next update on.
func TestAccumulationWithRatesByHand(t *testing.T) {
	m := weighted(t, 1, 1)
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1), AccumulationSteps: 3},
		OutputOptions: OutputOptions{LossName: "mse"}}))
	update := func() {
		for range 3 {
			must[float64](t)(m.TrainOnBatch(t.Context(), example(t, []int64{1}, []float32{0})))
		}
	}
	update()
	check(t, m.SetLearningRate(0))
	update()
	row, kernel := rows(t, m)
	near(t, "row", row, 0.6, 0.6)
	near(t, "kernel", kernel, 0.6, 0.6)
	if rate := must[float32](t)(m.LearningRate()); rate != 0 {
		t.Errorf("rate %v, want 0", rate)
	}
}

// TestAccumulationBetweenUpdates: batches that wait change no weight, are no
// part of a checkpoint, and are dropped by an error.
func TestAccumulationBetweenUpdates(t *testing.T) {
	m := weighted(t, 1, 1)
	o := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1), AccumulationSteps: 2}
	check(t, m.Compile(CompileOptions{Optimizer: o, OutputOptions: OutputOptions{LossName: "mse"}}))
	must[float64](t)(m.TrainOnBatch(t.Context(), example(t, []int64{1}, []float32{7})))
	row, kernel := rows(t, m)
	near(t, "row", row, 1, 1)
	near(t, "kernel", kernel, 1, 1)
	_, c := memory(t)
	err := m.Save(t.Context(), c, nil)
	wants(t, err, "1 of 2 batches wait for their update")
	if !errors.Is(err, ErrBusy) {
		t.Errorf("error %v, want ErrBusy", err)
	}
	if _, err := m.TrainOnBatch(t.Context(), example(t, []int64{1}, []float32{float32(math.Inf(1))})); !errors.Is(err, rowan.ErrNotFinite) {
		t.Fatalf("error %v, want ErrNotFinite", err)
	}
	if m.Waiting() != 1 {
		t.Errorf("%d batches wait after a batch without a loss, want 1", m.Waiting())
	}
	check(t, m.finishUpdate(t.Context())) // of one batch: a gradient of 2·(2-7) = -10
	row, kernel = rows(t, m)
	near(t, "row", row, 2, 2)
	near(t, "kernel", kernel, 2, 2)
	check(t, m.Save(t.Context(), c, nil))
	must[float64](t)(m.TrainOnBatch(t.Context(), example(t, []int64{1}, []float32{0})))
	check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
	if m.Waiting() != 0 {
		t.Errorf("%d batches wait after loading", m.Waiting())
	}
}

// TestAccumulationResumes: a training that is stopped at any batch ends with the
// bytes of one that was not, though 10 batches an epoch are no multiple of 3;
// checkpoints within an epoch wait for the update.
func TestAccumulationResumes(t *testing.T) {
	compile := func() *Model {
		m := hybrid(t, 5)
		o := exactAdam()
		o.AccumulationSteps = 3
		check(t, m.Compile(CompileOptions{Optimizer: o, OutputOptions: OutputOptions{
			LossName: "binary_crossentropy", MetricNames: []string{"auc", "accuracy"}}}))
		return m
	}
	want, h := wholeOf(t, compile())
	if len(h) < 2 {
		t.Fatalf("%d epochs: the test shows nothing", len(h))
	}
	for _, stop := range []int64{1, 3, 5, 9, 10, 11, 19} {
		t.Run(fmt.Sprint("step=", stop), func(t *testing.T) { same(t, interruptedOf(t, compile, stop), want) })
	}
	m := compile()
	_, c := memory(t)
	saver := &Checkpoint{To: c, EverySteps: 4}
	must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), FitOptions{Callbacks: []Callback{saver}}))
	var steps []int64
	for _, s := range must[[]*Saved](t)(c.List()) {
		steps = append(steps, s.Step())
	}
	if got := fmt.Sprint(steps); got != "[6 9 10]" {
		t.Errorf("saved at steps %v, want 6 (for 4), 9 (for 8) and 10 (the end)", got)
	}
}

// TestAccumulationOfTables: tables with optimizers of their own go along.
func TestAccumulationOfTables(t *testing.T) {
	m := weighted(t, 1, 1)
	err := m.Compile(CompileOptions{
		Optimizer:       &optim.Optimizer{Updater: optim.SGD{}, AccumulationSteps: 2},
		TableOptimizers: map[string]*optim.Optimizer{"row": {Updater: optim.SGD{}}},
		OutputOptions:   OutputOptions{LossName: "mse"},
	})
	wants(t, err, `table "row"`, "update of 1 batches, the model's of 2", "AccumulationSteps")
	if !errors.Is(err, ErrArgument) {
		t.Errorf("error %v, want ErrArgument", err)
	}
}

// TestAccumulationTeaches: a batch that waits has taught the vocabularies, whose
// numbers the next one reads.
func TestAccumulationTeaches(t *testing.T) {
	m := vocabularies(t)
	o := exactAdam()
	o.AccumulationSteps = 2
	check(t, m.Compile(CompileOptions{Optimizer: o, OutputOptions: OutputOptions{LossName: "binary_crossentropy"}}))
	var known1 int
	first := hook{batch: func(e *Event) error {
		if e.Step == 1 {
			keys, _ := known(m)
			known1 = len(keys)
			if m.Waiting() != 1 {
				t.Errorf("%d batches wait, want 1", m.Waiting())
			}
		}
		return nil
	}}
	must[History](t)(m.Fit(t.Context(), likes(t, 40, 1), FitOptions{Callbacks: []Callback{first}}))
	if known1 <= 1 {
		t.Errorf("%d keys are known after the first batch", known1)
	}
	other := vocabularies(t)
	must[History](t)(other.Fit(t.Context(), likes(t, 40, 1), FitOptions{}))
	keys, words := known(m)
	if k, w := known(other); !slices.Equal(k, keys) || !slices.Equal(w, words) {
		t.Errorf("vocabularies %v and %v, without accumulation %v and %v", keys, words, k, w)
	}
}
