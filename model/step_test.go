package model

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

func floats(t testing.TB, data []float32, shape ...int) *tensor.Values {
	t.Helper()
	return must[*tensor.Values](t)(tensor.NewValues(data, shape...))
}

func ids(t testing.TB, data ...int64) layer.Value {
	t.Helper()
	return layer.Value{IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense(data))}
}

// weighted is one static row of two numbers times a dense kernel without bias:
// y = row · kernel, all weights of the row r and of the kernel k.
func weighted(t testing.TB, r, k float64, frozen ...string) *Model {
	t.Helper()
	isFrozen := func(name string) bool { return excluded(name, frozen) }
	scope := layer.NewScope(0)
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "id", IDs: true, Scope: scope}))
	e := must[*layer.Embedding](t)(layer.NewEmbedding(4, 2, layer.EmbeddingOptions{
		Options: layer.Options{Name: "row", Frozen: isFrozen("row")}, Initializer: initializer.Constant{Value: r}}))
	d := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{
		Options: layer.Options{Name: "out", Frozen: isFrozen("out")}, NoBias: true, Kernel: layer.WeightOptions{Initializer: initializer.Constant{Value: k}}}))
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, d, apply(t, e, in))}))
	t.Cleanup(func() { m.Tables()[0].Close() })
	return m
}

func compileSGD(t testing.TB, m *Model, o CompileOptions, clip optim.Clip) {
	t.Helper()
	o.Optimizer = &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.1), Clip: clip}
	o.LossName = "mse"
	check(t, m.Compile(o))
}

// rows returns the table's row of id 1 and the kernel.
func rows(t testing.TB, m *Model) (row, kernel []float32) {
	t.Helper()
	l := must[*rowan.Lookup](t)(m.Tables()[0].Lookup(t.Context(), ids(t, 1).IDs, rowan.LookupOptions{}))
	return l.Values().Data(), layer.DenseVariables(m.Weights())[0].Value()
}

func near(t testing.TB, what string, got []float32, want ...float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i, w := range want {
		if math.Abs(float64(got[i])-w) > 1e-6 {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

// With all weights 1, y = 2. A label of 0 gives a loss of 4 and a gradient of
// 2·2·1 = 4 for each of the four weights that take part; the norm of all is 8.
func TestOneStepByHand(t *testing.T) {
	for _, c := range []struct {
		name        string
		clip        optim.Clip
		o           CompileOptions
		weights     []float32
		row, kernel float64
	}{
		{name: "plain", row: 0.6, kernel: 0.6},
		{name: "value", clip: optim.Clip{Value: 1}, row: 0.9, kernel: 0.9},
		{name: "norm of each", clip: optim.Clip{Norm: math.Sqrt2}, row: 0.9, kernel: 0.9},
		{name: "global norm", clip: optim.Clip{GlobalNorm: 2}, row: 0.9, kernel: 0.9},
		{name: "global norm not reached", clip: optim.Clip{GlobalNorm: 8.1}, row: 0.6, kernel: 0.6},
		{name: "sample weight", weights: []float32{0.25}, row: 0.9, kernel: 0.9},
		{name: "loss weight", o: CompileOptions{OutputOptions: OutputOptions{LossWeight: 0.25}}, row: 0.9, kernel: 0.9},
		{name: "decay", o: CompileOptions{WeightDecay: 1}, row: 0.6, kernel: 0.5},
		{name: "decay excluded", o: CompileOptions{WeightDecay: 1, DecayExclude: []string{"kernel"}}, row: 0.6, kernel: 0.6},
		{name: "own optimizer", clip: optim.Clip{GlobalNorm: 4}, row: 0.2,
			o:      CompileOptions{TableOptimizers: map[string]*optim.Optimizer{"row": {Updater: optim.SGD{}, Rate: optim.Constant(0.2)}}},
			kernel: 1 - 0.1*4*4/math.Sqrt(32)}, // clipped alone
	} {
		t.Run(c.name, func(t *testing.T) {
			m := weighted(t, 1, 1)
			compileSGD(t, m, c.o, c.clip)
			b := &Batch{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{0}, 1)}, Weights: c.weights}
			must[float64](t)(m.TrainOnBatch(t.Context(), b))
			row, kernel := rows(t, m)
			near(t, "row", row, c.row, c.row)
			near(t, "kernel", kernel, c.kernel, c.kernel)
			if m.Step() != 1 || m.Tables()[0].Step() != 1 {
				t.Errorf("step %d, of the table %d, want 1", m.Step(), m.Tables()[0].Step())
			}
		})
	}
}

func TestFrozen(t *testing.T) {
	b := func() *Batch {
		return &Batch{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{0}, 1)}}
	}
	m := weighted(t, 1, 1, "row")
	compileSGD(t, m, CompileOptions{}, optim.Clip{})
	must[float64](t)(m.TrainOnBatch(t.Context(), b()))
	row, kernel := rows(t, m)
	near(t, "frozen row", row, 1, 1)
	near(t, "kernel", kernel, 0.6, 0.6)

	m = weighted(t, 1, 1, "out")
	compileSGD(t, m, CompileOptions{}, optim.Clip{})
	must[float64](t)(m.TrainOnBatch(t.Context(), b()))
	row, kernel = rows(t, m)
	near(t, "row", row, 0.6, 0.6)
	near(t, "frozen kernel", kernel, 1, 1)

	layer.Of(m.Layer("out")).SetTrainable(true)
	_, err := m.TrainOnBatch(t.Context(), b())
	wants(t, err, "out/kernel", "compile again")
	compileSGD(t, m, CompileOptions{}, optim.Clip{})
	must[float64](t)(m.TrainOnBatch(t.Context(), b()))
}

func TestNotFiniteChangesNothing(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name   string
		r, k   float64
		label  float32
		weight []float32
		want   string
	}{
		{name: "label", r: 1, k: 1, label: nan, want: "loss is NaN, of finite outputs"},
		{name: "sample weight", r: 1, k: 1, weight: []float32{nan}, want: "sample weights"},
		{name: "output", r: 1e30, k: 1e30, want: `layer "out"`},
		{name: "gradient of a dense weight", r: 1e21, k: 1e-3, want: `gradient of "out/kernel"`},
		{name: "gradient of rows", r: 1e-3, k: 1e21, want: `layer "row"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := weighted(t, c.r, c.k)
			compileSGD(t, m, CompileOptions{}, optim.Clip{GlobalNorm: 1})
			b := &Batch{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{c.label}, 1)}, Weights: c.weight}
			_, err := m.TrainOnBatch(t.Context(), b)
			wants(t, err, "step 1", c.want)
			if !errors.Is(err, rowan.ErrNotFinite) {
				t.Errorf("error %v is not ErrNotFinite", err)
			}
			row, kernel := rows(t, m)
			if row[0] != float32(c.r) || kernel[0] != float32(c.k) || m.Step() != 0 || m.Tables()[0].Step() != 0 {
				t.Errorf("row %v, kernel %v, step %d after a refused step", row, kernel, m.Step())
			}
		})
	}
}

func TestTablesWithoutGradientsTakeSteps(t *testing.T) {
	m := compileHybrid(t, 1)
	a := likes(t, 16, 1)
	a.Named["tags"] = layer.Value{IDs: tensor.RaggedOf(make([][]string, 16)...)}
	for b, err := range a.Batches(t.Context(), m.at.Cursor) {
		check(t, err)
		must[float64](t)(m.TrainOnBatch(t.Context(), b))
	}
	for _, table := range m.Tables() {
		if table.Step() != 1 {
			t.Errorf("table %q is at step %d, want 1", table.Name(), table.Step())
		}
	}
}

// With a learning rate of 0 only dropout makes one step differ from another.
func TestDropoutDiffersFromStepToStep(t *testing.T) {
	m := hybrid(t, 1)
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0)},
		OutputOptions: OutputOptions{LossName: "mse"}}))
	seen := make(map[float64]bool)
	for b, err := range likes(t, 16, 1).Batches(t.Context(), m.at.Cursor) {
		check(t, err)
		for range 4 {
			seen[must[float64](t)(m.TrainOnBatch(t.Context(), b))] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("four steps gave %d different losses: %v", len(seen), seen)
	}
}

func TestCompileAgain(t *testing.T) {
	m := weighted(t, 1, 1)
	b := &Batch{Inputs: []layer.Value{ids(t, 1)}, Labels: []*tensor.Values{floats(t, []float32{0}, 1)}}
	adam := &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)}
	o := CompileOptions{Optimizer: adam, OutputOptions: OutputOptions{LossName: "mse"}}
	check(t, m.Compile(o))
	for range 3 {
		must[float64](t)(m.TrainOnBatch(t.Context(), b))
	}
	row := m.compiled.rows[0].row
	check(t, m.Compile(o))
	if &m.compiled.rows[0].row[0] != &row[0] || m.compiled.step != 3 || m.Tables()[0].Step() != 3 {
		t.Error("the same optimizer must keep its state")
	}
	o.Optimizer = &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)}
	check(t, m.Compile(o))
	if m.compiled.rows[0].row[2] != 0 || m.compiled.step != 0 || m.Tables()[0].Step() != 0 {
		t.Errorf("another optimizer must begin anew: step %d, of the table %d", m.compiled.step, m.Tables()[0].Step())
	}
	must[float64](t)(m.TrainOnBatch(t.Context(), b))
	if m.Step() != 4 || m.Tables()[0].Step() != 1 {
		t.Errorf("step %d, want 4; of the table %d, want 1", m.Step(), m.Tables()[0].Step())
	}
}

func TestPredictWhileTraining(t *testing.T) {
	m := compileHybrid(t, 1)
	a := likes(t, 64, 1)
	a.Labels = nil
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		wait.Go(func() {
			for ctx.Err() == nil {
				if _, err := m.Predict(t.Context(), a); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	must[History](t)(m.Fit(t.Context(), likes(t, 200, 1), FitOptions{Epochs: 3}))
	cancel()
	wait.Wait()
}

func TestErrors(t *testing.T) {
	m := hybrid(t, 1)
	good := likes(t, 4, 1)
	one := func(change func(*Batch)) error {
		for b, err := range good.Batches(t.Context(), m.at.Cursor) {
			check(t, err)
			change(b)
			_, err = m.TrainOnBatch(t.Context(), b)
			return err
		}
		return nil
	}
	err := one(func(*Batch) {})
	wants(t, err, "call Compile")
	if _, err := m.Evaluate(t.Context(), good); !errors.Is(err, ErrNotCompiled) {
		t.Errorf("Evaluate: %v", err)
	}
	if _, err := m.Fit(t.Context(), good, FitOptions{}); !errors.Is(err, ErrNotCompiled) {
		t.Errorf("Fit: %v", err)
	}
	m = compileHybrid(t, 1)
	for _, c := range []struct {
		name   string
		change func(*Batch)
		want   []string
	}{
		{"missing input", func(b *Batch) { delete(b.Named, "b") }, []string{`needs input "b"`, `["a" "tags"]`}},
		{"number of inputs", func(b *Batch) { b.Inputs = []layer.Value{b.Named["a"]} }, []string{"3 inputs", "1"}},
		{"length of an input", func(b *Batch) { b.Named["b"] = ids(t, 1) }, []string{`"b" has 1 examples`, "4"}},
		{"empty value", func(b *Batch) { b.Named["b"] = layer.Value{} }, []string{`"b"`, "neither"}},
		{"floats for ids", func(b *Batch) { b.Named["b"] = layer.Value{Floats: floats(t, make([]float32, 4), 4)} }, []string{`"b" takes ids`}},
		{"shape of ids", func(b *Batch) {
			b.Named["b"] = layer.Value{IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense(make([]int64, 8), 4, 2))}
		}, []string{`"b" expects shape (None,)`, "(4, 2)"}},
		{"key type", func(b *Batch) {
			b.Named["b"] = layer.Value{IDs: must[*tensor.Dense[string]](t)(tensor.NewDense(make([]string, 4)))}
		}, []string{"string", "int64"}},
		{"no labels", func(b *Batch) { b.Labels = nil }, []string{`needs labels`, "0 outputs"}},
		{"length of labels", func(b *Batch) { b.Labels[0] = floats(t, make([]float32, 3), 3) }, []string{"shape [3]", "4 examples"}},
		{"shape of labels", func(b *Batch) { b.Labels[0] = floats(t, make([]float32, 8), 4, 2) }, []string{"loss of", "(4, 2)", "(4, 1)"}},
		{"too many labels", func(b *Batch) { b.Labels = append(b.Labels, b.Labels[0]) }, []string{"labels for 2"}},
		{"weights", func(b *Batch) { b.Weights = b.Weights[:2] }, []string{"4 examples, 2 sample weights"}},
		{"empty", func(b *Batch) {
			*b = Batch{Inputs: []layer.Value{ids(t), ids(t), {IDs: tensor.RaggedOf[string]()}}}
		}, []string{"empty"}},
		{"no number of examples", func(b *Batch) { b.Inputs = []layer.Value{{Floats: floats(t, []float32{1})}, {}, {}} }, []string{"scalar"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wants(t, one(c.change), append(c.want, "model: step 1")...)
			if m.Step() != 0 {
				t.Error("a refused batch counts as a step")
			}
		})
	}
	_, err = m.TrainOnBatch(t.Context(), nil)
	wants(t, err, "nil")
}

func TestConstraintHoldsAfterAStep(t *testing.T) {
	in := must[layer.Layer](t)(Start(layer.InputOptions{Shape: layer.Shape{2}}))
	d := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{NoBias: true,
		Kernel: layer.WeightOptions{Initializer: initializer.Constant{Value: 3}, Constraint: constraint.UnitNorm{}}}))
	m := must[*Sequential](t)(NewSequential(in, d))
	compileSGD(t, &m.Model, CompileOptions{}, optim.Clip{})
	b := &Batch{Inputs: []layer.Value{{Floats: floats(t, []float32{1, 1}, 1, 2)}}, Labels: []*tensor.Values{floats(t, []float32{6}, 1)}}
	must[float64](t)(m.TrainOnBatch(t.Context(), b))
	near(t, "kernel", m.Weights()[0].Value(), math.Sqrt2/2, math.Sqrt2/2)
}
