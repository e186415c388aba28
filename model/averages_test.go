package model

import (
	"errors"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// surrounded compiles the model of TestOneStepByHand with an optimizer and
// trains it on one batch, n times.
func surrounded(t *testing.T, o CompileOptions, n int) *Model {
	t.Helper()
	m := weighted(t, 1, 1)
	o.LossName = "mse"
	check(t, m.Compile(o))
	for range n {
		b := &Batch{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{0}, 1)}}
		must[float64](t)(m.TrainOnBatch(t.Context(), b))
	}
	return m
}

// TestWeightDecayOfTheOptimizer: an optimizer's weight decay is for tables and
// dense weights, and may leave some of the latter out. The first step is one of
// TestOneStepByHand: gradients of 4, and a decay of 0.1.
func TestWeightDecayOfTheOptimizer(t *testing.T) {
	o := func() *optim.Optimizer {
		return &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1), WeightDecay: 1}
	}
	row, kernel := rows(t, surrounded(t, CompileOptions{Optimizer: o()}, 1))
	near(t, "row", row, 0.5, 0.5)
	near(t, "kernel", kernel, 0.5, 0.5)
	row, kernel = rows(t, surrounded(t, CompileOptions{Optimizer: o(), DecayExclude: []string{"kernel"}}, 1))
	near(t, "row", row, 0.5, 0.5)
	near(t, "excluded kernel", kernel, 0.6, 0.6)
	_, kernel = rows(t, surrounded(t, CompileOptions{Optimizer: o(), WeightDecay: 2}, 1))
	near(t, "kernel with both decays", kernel, 0.3, 0.3)
}

// TestUseAverages: the averages of tables and dense weights take the place of
// the weights, and training goes on from them with its state.
func TestUseAverages(t *testing.T) {
	average := func() *optim.Optimizer {
		return &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1), EMA: &optim.EMA{Momentum: 0.75}}
	}
	row1, kernel1 := rows(t, surrounded(t, CompileOptions{Optimizer: average()}, 1))
	m := surrounded(t, CompileOptions{Optimizer: average()}, 2)
	row2, kernel2 := rows(t, m)
	kernel2 = slices.Clone(kernel2)
	check(t, m.UseAverages(t.Context()))
	row, kernel := rows(t, m)
	for i := range row {
		near(t, "row", row[i:i+1], 0.75*float64(row1[i])+0.25*float64(row2[i]))
	}
	want := make([]float64, len(kernel))
	for i := range kernel {
		want[i] = 0.75*float64(kernel1[i]) + 0.25*float64(kernel2[i])
	}
	near(t, "kernel", kernel, want...)
	if m.Step() != 2 {
		t.Errorf("step %d, want 2", m.Step())
	}
}

// TestUseAveragesOfAll: where one of the tables cannot, because its rows are in
// stores or because it is closed, no weight is changed.
func TestUseAveragesOfAll(t *testing.T) {
	two := func(devices ...string) (*Model, *layer.DynamicEmbedding, *layer.DynamicEmbedding) {
		id := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "id", IDs: true, Scope: layer.NewScope(1)}))
		first := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(2, layer.DynamicOptions{Options: layer.Options{Name: "first"}}))
		last := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(2, layer.DynamicOptions{Options: layer.Options{Name: "last"}, Devices: devices}))
		m := must[*Model](t)(New([]*layer.Tensor{id}, []*layer.Tensor{apply(t, layer.NewAdd(layer.Options{}), apply(t, first, id), apply(t, last, id))}))
		for _, table := range m.Tables() {
			t.Cleanup(func() { table.Close() })
		}
		check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1), EMA: &optim.EMA{Momentum: 0.75}}, OutputOptions: OutputOptions{LossName: "mse"}}))
		for range 2 {
			must[float64](t)(m.TrainOnBatch(t.Context(), &Batch{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{5, 5}, 1, 2)}}))
		}
		return m, first, last
	}
	row := func(l *layer.DynamicEmbedding) []float32 {
		return slices.Clone(must[*rowan.Lookup](t)(l.Table().Lookup(t.Context(), must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{1})), rowan.LookupOptions{})).Values().Data())
	}
	inStores, first, _ := two("memory:", "memory:")
	before := row(first)
	if err := inStores.UseAverages(t.Context()); !errors.Is(err, rowan.ErrOptions) || !slices.Equal(row(first), before) {
		t.Errorf("a table in stores: error %v, and a row of the other is %v, want %v", err, row(first), before)
	}
	closed, first, last := two()
	before = row(first)
	check(t, last.Table().Close())
	if err := closed.UseAverages(t.Context()); !errors.Is(err, rowan.ErrClosed) || !slices.Equal(row(first), before) {
		t.Errorf("a closed table: error %v, and a row of the other is %v, want %v", err, row(first), before)
	}
}

// TestAveragesStartAtTheWeights: before the first step the averages are the
// weights, under an optimizer that comes later too.
func TestAveragesStartAtTheWeights(t *testing.T) {
	m := surrounded(t, CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1)}}, 1)
	row, kernel := rows(t, m)
	kernel = slices.Clone(kernel)
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{EMA: optim.NewEMA()}, OutputOptions: OutputOptions{LossName: "mse"}}))
	check(t, m.UseAverages(t.Context()))
	gotRow, gotKernel := rows(t, m)
	near(t, "row", gotRow, float64(row[0]), float64(row[1]))
	near(t, "kernel", gotKernel, float64(kernel[0]), float64(kernel[1]))
}

func TestUseAveragesErrors(t *testing.T) {
	m := surrounded(t, CompileOptions{Optimizer: &optim.Optimizer{}}, 0)
	err := m.UseAverages(t.Context())
	wants(t, err, "EMA")
	if !errors.Is(err, ErrNotCompiled) {
		t.Errorf("error %v, want ErrNotCompiled", err)
	}
	if err := weighted(t, 1, 1).UseAverages(t.Context()); !errors.Is(err, ErrNotCompiled) {
		t.Errorf("not compiled: %v", err)
	}
}

// TestEveryOptimizerTrains: each rule that has a name moves tables and dense
// weights, by the same step where both have the same weights and gradients.
func TestEveryOptimizerTrains(t *testing.T) {
	for _, name := range optim.Names() {
		o := must[*optim.Optimizer](t)(optim.ByName(name))
		o.Rate, o.WeightDecay, o.Exact, o.EMA = optim.Constant(0.1), 0.1, true, optim.NewEMA()
		row, kernel := rows(t, surrounded(t, CompileOptions{Optimizer: o}, 3))
		for i := range row {
			if !isFinite(row[i]) || row[i] == 1 {
				t.Errorf("%s: row %v after 3 steps from ones", name, row)
			}
			near(t, name, kernel[i:i+1], float64(row[i]))
		}
	}
}
