package model

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// recordedEmbeddings is testdata/keras_embeddings.json: see interop/record_embeddings.py.
type recordedEmbeddings struct {
	Rate          float32
	Table, Kernel []float32
	IDs           []int64
	Labels        []float32
	Cases         []recordedEmbedding
}

type recordedEmbedding struct {
	Name                    string
	Regularizer, Constraint any
	Evaluated               float64
	Losses                  []float64
	Table, Kernel           []float32
	Rank, Alpha             int
	Start                   [][]float32
	A, B, Merged            []float32
}

func readEmbeddings(t *testing.T) *recordedEmbeddings {
	t.Helper()
	text := must[[]byte](t)(os.ReadFile("testdata/keras_embeddings.json"))
	r := new(recordedEmbeddings)
	check(t, json.Unmarshal(text, r))
	return r
}

// model makes the recorded model of a case, and its batch.
func (r *recordedEmbeddings) model(t *testing.T, c recordedEmbedding) (*Sequential, *layer.Embedding, *Batch) {
	t.Helper()
	made := must[layer.Layer](t)(layer.FromConfig("Embedding", layer.Config{"input_dim": 4, "output_dim": 3, "input_length": 2,
		"embeddings_regularizer": c.Regularizer, "embeddings_constraint": c.Constraint}))
	e := made.(*layer.Embedding)
	d := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Bias: layer.WeightOptions{Initializer: initializer.Zeros{}}}))
	m := must[*Sequential](t)(NewSequential(e, layer.NewFlatten(layer.Options{}), d))
	t.Cleanup(func() { e.Table().Close() })
	check(t, e.SetWeights([][]float32{r.Table}))
	check(t, d.SetWeights([][]float32{r.Kernel, {0}}))
	b := &Batch{Inputs: []layer.Value{{IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense(r.IDs, 3, 2))}},
		Labels: []*tensor.Values{floats(t, r.Labels, 3, 1)}}
	return m, e, b
}

func (r *recordedEmbeddings) compile(t *testing.T, m *Sequential) {
	t.Helper()
	check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(r.Rate)},
		OutputOptions: OutputOptions{LossName: "mse"}}))
}

// TestEmbeddingTrainsAsKeras: what Keras reported and ended with under each
// regularizer, each constraint and LoRA, where every row is touched in each step: the
// penalties are part of the reported losses. Five steps in float32 may differ in
// the sixth digit.
func TestEmbeddingTrainsAsKeras(t *testing.T) {
	r := readEmbeddings(t)
	if len(r.Cases) < 13 {
		t.Fatalf("%d cases", len(r.Cases))
	}
	for _, c := range r.Cases {
		if c.Rank > 0 {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			m, e, b := r.model(t, c)
			r.compile(t, m)
			r.compare(t, m, b, c)
			closeTo(t, "table", must[[][]float32](t)(e.GetWeights(context.Background()))[0], c.Table)
		})
	}
}

// compare trains, and compares the losses and the kernel.
func (r *recordedEmbeddings) compare(t *testing.T, m *Sequential, b *Batch, c recordedEmbedding) {
	t.Helper()
	logs := must[Logs](t)(m.Evaluate(t.Context(), &Arrays{Inputs: b.Inputs, Labels: b.Labels}))
	if got, _ := logs.Get("loss"); math.Abs(got-c.Evaluated) > 1e-5*c.Evaluated {
		t.Errorf("evaluated %v, Keras %v", got, c.Evaluated)
	}
	for i, want := range c.Losses {
		if got := must[float64](t)(m.TrainOnBatch(t.Context(), b)); math.Abs(got-want) > 2e-5*want {
			t.Errorf("loss of step %d is %v, Keras %v", i+1, got, want)
		}
	}
	weights := m.Weights()
	closeTo(t, "kernel", weights[len(weights)-2].Value(), c.Kernel)
}

func closeTo(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if len(got) != len(want) || math.Abs(float64(got[i]-want[i])) > 1e-5*(1+math.Abs(float64(want[i]))) {
			t.Errorf("%s is %v, Keras %v", what, got, want)
			return
		}
	}
}

// TestPenaltiesOfTables: the loss has the penalty of every table once, of L1L2 over
// rows that a batch leaves out too, and of one that is frozen.
func TestPenaltiesOfTables(t *testing.T) {
	ids := must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{0, 1, 2, 3}, 2, 2))
	b := &Batch{Inputs: []layer.Value{{IDs: ids}}, Labels: []*tensor.Values{floats(t, []float32{4, 4}, 2, 1)}}
	for _, frozen := range []bool{false, true} {
		for name, c := range map[string]struct {
			r    regularizer.Regularizer
			want float64
		}{
			"L2":       {regularizer.L2(0.25), 0.25 * 10 * 2},
			"row":      {regularizer.Row(func(row, grad []float32) float32 { return 0.5 * row[0] }), 0.5 * 10},
			"cosines":  {regularizer.Orthogonal{Factor: 0.5}, 0.5},
			"function": {regularizer.Func(regularizer.L1L2{L1: 0.25}.Penalty), 0.25 * 10 * 2},
		} {
			e := must[*layer.Embedding](t)(layer.NewEmbedding(10, 2, layer.EmbeddingOptions{Options: layer.Options{Frozen: frozen, InputShape: layer.Shape{2}},
				Initializer: initializer.Ones{}, Regularizer: c.r}))
			d := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: initializer.Ones{}}}))
			m := must[*Sequential](t)(NewSequential(e, layer.NewFlatten(layer.Options{}), d))
			compileSGD(t, &m.Model, CompileOptions{}, optim.Clip{})
			logs := must[Logs](t)(m.Evaluate(t.Context(), &Arrays{Inputs: b.Inputs, Labels: b.Labels, BatchSize: 1}))
			if got, _ := logs.Get("loss"); math.Abs(got-c.want) > 1e-6 {
				t.Errorf("%s, frozen %v: a model without error is evaluated at %v, want the penalty, %v", name, frozen, got, c.want)
			}
			if got := must[float64](t)(m.TrainOnBatch(t.Context(), b)); math.Abs(got-c.want) > 1e-6 {
				t.Errorf("%s, frozen %v: the loss is %v, want the penalty, %v", name, frozen, got, c.want)
			}
			var first []float32
			for rows, err := range e.Table().Export(t.Context()) {
				check(t, err)
				first = rows.Values.Data()[:2]
			}
			if still := first[0] == 1; still != (frozen || name == "cosines" || name == "row") {
				t.Errorf("%s, frozen %v: the first row is %v", name, frozen, first)
			}
			e.Table().Close()
		}
	}
}

// TestLoRATrainsAsKeras: the factors and the merged table of Keras' LoRA. Keras 3
// leaves the penalty on the frozen table out of the loss; here it is in, as in
// Keras 2, a constant.
func TestLoRATrainsAsKeras(t *testing.T) {
	r, n := readEmbeddings(t), 0
	for _, c := range r.Cases {
		if c.Rank == 0 {
			continue
		}
		n++
		t.Run(c.Name, func(t *testing.T) {
			m, e, b := r.model(t, c)
			check(t, e.EnableLoRA(layer.LoRAOptions{Rank: c.Rank, Alpha: float32(c.Alpha)}))
			check(t, e.SetWeights([][]float32{r.Table, c.Start[0], c.Start[1]}))
			if c.Regularizer != nil {
				for _, w := range r.Table {
					frozen := 0.3 * float64(w) * float64(w)
					c.Evaluated += frozen
					for i := range c.Losses {
						c.Losses[i] += frozen
					}
				}
			}
			r.compile(t, m)
			r.compare(t, m, b, c)
			got := must[[][]float32](t)(e.GetWeights(t.Context()))
			closeTo(t, "frozen table", got[0], r.Table)
			closeTo(t, "first factor", got[1], c.A)
			closeTo(t, "second factor", got[2], c.B)
			for rows, err := range e.Adapted(t.Context()) {
				check(t, err)
				closeTo(t, "merged table", rows.Values.Data(), c.Merged)
			}
		})
	}
	if n != 3 {
		t.Errorf("%d cases of LoRA, want 3", n)
	}
}

// TestLoRAOfAModel: a model whose layer has got LoRA asks to be compiled again,
// and then predicts, saves and loads; sequences under a mask train as they do
// without one.
func TestLoRAOfAModel(t *testing.T) {
	made := func() (*Sequential, *layer.Embedding) {
		e := must[*layer.Embedding](t)(layer.NewEmbedding(9, 4, layer.EmbeddingOptions{MaskZero: true, Options: layer.Options{Name: "e"}}))
		d := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Options: layer.Options{Name: "d"}}))
		m := must[*Sequential](t)(NewSequential(must[layer.Layer](t)(Start(layer.InputOptions{IDs: true, Ragged: true})), e, layer.NewGlobalAveragePooling1D(false, layer.Options{Name: "p"}), d))
		t.Cleanup(func() {
			for _, table := range m.Tables() {
				table.Close()
			}
		})
		return m, e
	}
	compile := func(m *Sequential) {
		check(t, m.Compile(CompileOptions{OptimizerName: "adam", OutputOptions: OutputOptions{LossName: "mse"}}))
	}
	m, e := made()
	b := &Batch{Inputs: []layer.Value{{IDs: tensor.RaggedOf([]int64{1, 0, 3}, []int64{4}, []int64{5, 6, 7, 8, 1})}}, Labels: []*tensor.Values{floats(t, []float32{1, 2, -1}, 3, 1)}}
	compile(m)
	before := must[[]*tensor.Values](t)(m.PredictOnBatch(t.Context(), b))[0].Data()
	check(t, e.EnableLoRA(layer.LoRAOptions{Rank: 2}))
	_, to := memory(t)
	for what, err := range map[string]error{
		"train":    second(m.TrainOnBatch(t.Context(), b)),
		"predict":  second(m.PredictOnBatch(t.Context(), b)),
		"evaluate": second(m.Evaluate(t.Context(), &Arrays{Inputs: b.Inputs, Labels: b.Labels})),
		"save":     m.Save(t.Context(), to, nil),
	} {
		if err == nil {
			t.Errorf("%s: no error, want one that says to compile again", what)
			continue
		}
		wants(t, err, "EnableLoRA: compile again")
	}
	compile(m)
	after := must[[]*tensor.Values](t)(m.PredictOnBatch(t.Context(), b))[0].Data()
	near(t, "predictions after EnableLoRA", after, float64(before[0]), float64(before[1]), float64(before[2]))
	first := must[float64](t)(m.TrainOnBatch(t.Context(), b))
	for range 300 {
		must[float64](t)(m.TrainOnBatch(t.Context(), b))
	}
	if last := must[float64](t)(m.TrainOnBatch(t.Context(), b)); last > first/10 {
		t.Errorf("300 steps take the loss from %v to %v", first, last)
	}
	check(t, m.Save(t.Context(), to, nil))
	want := must[[]*tensor.Values](t)(m.PredictOnBatch(t.Context(), b))[0].Data()
	again, other := made()
	check(t, other.EnableLoRA(layer.LoRAOptions{Rank: 2}))
	compile(again)
	check(t, again.Load(t.Context(), must[*Saved](t)(to.Latest())))
	got := must[[]*tensor.Values](t)(again.PredictOnBatch(t.Context(), b))[0].Data()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("loaded, it predicts %v, want %v", got, want)
			break
		}
	}
}

func second[T any](_ T, err error) error { return err }
