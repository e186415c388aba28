package model

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

func ExampleModel_Summary() {
	embedding, err := layer.NewEmbedding(1000, 64, layer.EmbeddingOptions{InputLength: []int{10}})
	if err != nil {
		panic(err)
	}
	dense, err := layer.NewDense(2, layer.DenseOptions{})
	if err != nil {
		panic(err)
	}
	m, err := NewSequential(embedding, layer.NewFlatten(layer.Options{}), dense)
	if err != nil {
		panic(err)
	}
	if err := m.Summary(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// Model: "sequential"
	// Layer (type)           Output Shape    Param #
	// embedding (Embedding)  (None, 10, 64)  64,000
	// flatten (Flatten)      (None, 640)     0
	// dense (Dense)          (None, 2)       1,282
	// Total params: 65,282 (255.01 KB)
	// Trainable params: 65,282 (255.01 KB)
	// Non-trainable params: 0 (0.00 B)
}

// TestSummaryOfAGraph has the numbers and names that Keras 3 prints for the
// same model.
func TestSummaryOfAGraph(t *testing.T) {
	s := layer.NewScope(1)
	ids := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "ids", IDs: true, Shape: layer.Shape{10}, Scope: s}))
	x := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "x", Shape: layer.Shape{3}, Scope: s}))
	named := func(name string) layer.Options { return layer.Options{Name: name} }
	e := must[*layer.Embedding](t)(layer.NewEmbedding(1000, 64, layer.EmbeddingOptions{Options: named("embedding")}))
	pool := apply(t, layer.NewGlobalAveragePooling1D(false, named("pool")), apply(t, e, ids))
	join := apply(t, must[*layer.Concatenate](t)(layer.NewConcatenate(-1, named("join"))), pool, x)
	d := must[*layer.Dense](t)(layer.NewDense(4, layer.DenseOptions{Options: named("dense")}))
	norm := must[*layer.BatchNormalization](t)(layer.NewBatchNormalization(layer.BatchNormalizationOptions{Options: named("norm")}))
	y := apply(t, layer.NewAdd(named("twice")), apply(t, norm, apply(t, d, join)), apply(t, d, join))
	m := must[*Model](t)(New([]*layer.Tensor{ids, x}, []*layer.Tensor{y}))
	t.Cleanup(func() { m.Tables()[0].Close() })
	var b strings.Builder
	check(t, m.Summary(&b))
	want := `Model: "functional"
Layer (type)                   Output Shape    Param #  Connected to
ids (InputLayer)               (None, 10)      0        -
x (InputLayer)                 (None, 3)       0        -
embedding (Embedding)          (None, 10, 64)  64,000   ids[0][0]
pool (GlobalAveragePooling1D)  (None, 64)      0        embedding[0][0]
join (Concatenate)             (None, 67)      0        pool[0][0], x[0][0]
dense (Dense)                  (None, 4)       272      join[0][0], join[0][0]
norm (BatchNormalization)      (None, 4)       16       dense[0][0]
twice (Add)                    (None, 4)       0        norm[0][0], dense[1][0]
Total params: 64,288 (251.12 KB)
Trainable params: 64,280 (251.09 KB)
Non-trainable params: 8 (32.00 B)
`
	if b.String() != want {
		t.Errorf("summary\n%s\nwant\n%s", b.String(), want)
	}
}

// TestSummaryOfNarrowRows counts the bytes that rows take as they are kept: of
// float16 two numbers a word, of a quantized table a scale and an offset more.
func TestSummaryOfNarrowRows(t *testing.T) {
	embedding := func(o layer.EmbeddingOptions) *layer.Embedding {
		o.InputLength = []int{1}
		return must[*layer.Embedding](t)(layer.NewEmbedding(5, 3, o))
	}
	whole, half, packed := embedding(layer.EmbeddingOptions{}), embedding(layer.EmbeddingOptions{RowDType: rowan.Float16}), embedding(layer.EmbeddingOptions{})
	s := layer.NewScope(1)
	id := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "id", IDs: true, Shape: layer.Shape{1}, Scope: s}))
	m := must[*Model](t)(New([]*layer.Tensor{id}, []*layer.Tensor{apply(t, layer.NewAdd(layer.Options{}), apply(t, whole, id), apply(t, half, id), apply(t, packed, id))}))
	for _, table := range m.Tables()[:2] {
		t.Cleanup(func() { table.Close() })
	}
	check(t, packed.Quantize(t.Context(), must[rowan.Quantization](t)(rowan.ParseQuantization("int8"))))
	t.Cleanup(func() { packed.Table().Close() })
	var b strings.Builder
	check(t, m.Summary(&b))
	// A row takes 12 bytes, 8 of which 2 are padding, and 4 + 8.
	const want = "Total params: 45 (160.00 B)\nTrainable params: 30 (100.00 B)\nNon-trainable params: 15 (60.00 B)\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("summary\n%s\nwant it to end with\n%s", b.String(), want)
	}
}

func TestSequential(t *testing.T) {
	dense := func(units int) layer.Layer { return must[*layer.Dense](t)(layer.NewDense(units, layer.DenseOptions{})) }
	empty := must[*Sequential](t)(NewSequential())
	if empty.OutputShape() != nil || empty.Layers() != nil || empty.CountParams() != 0 || empty.Inputs() != nil || empty.Outputs() != nil {
		t.Error("a model without layers has something")
	}
	for name, err := range map[string]error{
		"compile": empty.Compile(CompileOptions{}), "save": empty.Save(t.Context(), nil, nil),
		"load": empty.Load(t.Context(), nil), "summary": empty.Summary(os.Stderr)} {
		if !errors.Is(err, ErrNotBuilt) {
			t.Errorf("%s of a model without layers: %v", name, err)
		}
	}
	if _, err := empty.PredictOnBatch(t.Context(), &Batch{}); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("predict of a model without layers: %v", err)
	}
	wants(t, empty.Add(dense(2)), "Start(")
	wants(t, empty.Add(nil), "nil")

	input := must[layer.Layer](t)(Start(layer.InputOptions{Shape: layer.Shape{3}}))
	first := dense(4)
	s := must[*Sequential](t)(NewSequential(input, first))
	check(t, s.Add(dense(2)))
	if got := s.OutputShape().String(); got != "(None, 2)" {
		t.Errorf("output shape %s", got)
	}
	if n := s.CountParams(); n != 3*4+4+4*2+2 || len(s.Layers()) != 2 || len(s.Weights()) != 4 {
		t.Errorf("%d parameters, %d layers, %d weights", n, len(s.Layers()), len(s.Weights()))
	}
	wants(t, s.Add(first), "in the model already")
	wants(t, s.Add(input), "first layer")
	wants(t, s.Add(must[*layer.Embedding](t)(layer.NewEmbedding(3, 2, layer.EmbeddingOptions{}))), "first layer")
	if s.OutputShape().String() != "(None, 2)" {
		t.Error("a refused layer changed the model")
	}
	if s.Layer("dense_1") == nil || s.Layer("dense_7") != nil {
		t.Error("Layer does not find layers by name")
	}
	layer.Of(first).SetTrainable(false)
	var b strings.Builder
	check(t, s.Summary(&b))
	if !strings.Contains(b.String(), "Trainable params: 10 (40.00 B)\nNon-trainable params: 16 (64.00 B)") {
		t.Error(b.String())
	}
	out := must[[]*tensor.Values](t)(s.PredictOnBatch(t.Context(), &Batch{Inputs: []layer.Value{{Floats: floats(t, make([]float32, 6), 2, 3)}}}))
	if !slices.Equal(out[0].Shape(), []int{2, 2}) {
		t.Errorf("output of shape %v", out[0].Shape())
	}
	check(t, s.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse"}}))
	check(t, s.Add(dense(1)))
	if _, err := s.Evaluate(t.Context(), &Arrays{}); !errors.Is(err, ErrNotCompiled) {
		t.Errorf("a new layer leaves the model compiled: %v", err)
	}
}

func TestTwoTablesOfOneName(t *testing.T) {
	scope := layer.NewScope(0)
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "id", IDs: true, Scope: scope}))
	table := func() *rowan.Table {
		tab := must[*rowan.Table](t)(rowan.NewTable(rowan.TableOptions{Name: "same", Width: 2, Rows: 3}))
		t.Cleanup(func() { tab.Close() })
		return tab
	}
	look := func(tab *rowan.Table) *layer.Tensor {
		return apply(t, must[*layer.TableLookup](t)(layer.NewTableLookup(tab, rowan.None, layer.Options{})), in)
	}
	_, err := New([]*layer.Tensor{in}, []*layer.Tensor{look(table()), look(table())})
	wants(t, err, `"same"`)
	shared := table()
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{look(shared), look(shared)}))
	if m.CountParams() != 6 || len(m.Tables()) != 1 {
		t.Errorf("a shared table counts %d parameters in %d tables", m.CountParams(), len(m.Tables()))
	}
}

func TestPredictionsDoNotDependOnBatches(t *testing.T) {
	m := compileHybrid(t, 1)
	must[History](t)(m.Fit(t.Context(), likes(t, 100, 1), FitOptions{}))
	a := likes(t, 37, 1)
	a.Labels, a.Weights, a.Shuffle = nil, nil, false
	a.BatchSize = 37
	want := must[[]*tensor.Values](t)(m.Predict(t.Context(), a))[0]
	if !slices.Equal(want.Shape(), []int{37, 1}) {
		t.Fatalf("shape %v", want.Shape())
	}
	for _, size := range []int{1, 5, 36} {
		a.BatchSize = size
		got := must[[]*tensor.Values](t)(m.Predict(t.Context(), a))[0]
		if !slices.Equal(got.Shape(), want.Shape()) {
			t.Fatalf("batches of %d: shape %v, want %v", size, got.Shape(), want.Shape())
		}
		for i, w := range want.Data() { // products of other shapes may round otherwise
			if d := got.Data()[i] - w; d > 1e-6 || d < -1e-6 {
				t.Errorf("batches of %d: prediction %d is %v, want %v", size, i, got.Data()[i], w)
			}
		}
	}
	n := 0
	for p, err := range m.Predictions(t.Context(), a) {
		check(t, err)
		if n += p.Batch.N; n > 36 {
			break
		}
	}
}

func TestUnseenIDsReadAsTheTableSays(t *testing.T) {
	in := must[layer.Layer](t)(Start(layer.InputOptions{IDs: true}))
	e := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(2, layer.DynamicOptions{Missing: rowan.MissingZeros}))
	m := must[*Sequential](t)(NewSequential(in, e))
	check(t, m.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse"}}))
	b := &Batch{Inputs: []layer.Value{ids(t, 7)}, Labels: []*tensor.Values{floats(t, []float32{1, 1}, 1, 2)}}
	must[float64](t)(m.TrainOnBatch(t.Context(), b))
	out := must[[]*tensor.Values](t)(m.PredictOnBatch(t.Context(), &Batch{Inputs: []layer.Value{ids(t, 7, 8)}}))[0].Data()
	if out[0] == 0 || out[2] != 0 || out[3] != 0 {
		t.Errorf("rows %v, want a trained one and zeros", out)
	}
	if n := m.Tables()[0].Len(); n != 1 {
		t.Errorf("predicting made the table hold %d rows", n)
	}
}

// Two outputs, one of classes; losses weigh differently and metrics have names of their own.
func TestTwoOutputs(t *testing.T) {
	scope := layer.NewScope(3)
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "x", Shape: layer.Shape{3}, Scope: scope}))
	head := func(name string, units int, activation string) *layer.Tensor {
		return apply(t, must[*layer.Dense](t)(layer.NewDense(units, layer.DenseOptions{Options: layer.Options{Name: name}, Activation: activation})), in)
	}
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{head("class", 3, "softmax"), head("rate", 1, ""), head("free", 2, "")}))
	check(t, m.Compile(CompileOptions{
		Optimizer: &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)},
		Outputs: map[string]OutputOptions{
			"class": {LossName: "sparse_categorical_crossentropy", MetricNames: []string{"acc"}},
			"rate":  {LossName: "mse", LossWeight: 0.5, Metrics: []metric.Metric{&metric.MAE{}}},
		}}))
	x, class, rate := make([]float32, 0, 90), make([]float32, 30), make([]float32, 30)
	for i := range 30 {
		hot := [3]float32{}
		hot[i%3] = 1
		x = append(x, hot[:]...)
		class[i], rate[i] = float32(i%3), float32(i%3)-1
	}
	a := &Arrays{Inputs: []layer.Value{{Floats: floats(t, x, 30, 3)}}, BatchSize: 8, Shuffle: true,
		Labels: []*tensor.Values{floats(t, class, 30), floats(t, rate, 30, 1)}}
	h := must[History](t)(m.Fit(t.Context(), a, FitOptions{Epochs: 30}))
	want := []string{"loss", "class_loss", "rate_loss", "class_acc", "rate_mae"}
	if got := h.Last().Names(); !slices.Equal(got, want) {
		t.Fatalf("logs %q, want %q", got, want)
	}
	e := must[Logs](t)(m.Evaluate(t.Context(), a))
	get := func(name string) float64 {
		v, _ := e.Get(name)
		return v
	}
	if get("class_acc") != 1 || get("rate_mae") > 0.1 {
		t.Errorf("did not learn: %v", e)
	}
	if d := get("loss") - get("class_loss") - 0.5*get("rate_loss"); d > 1e-6 || d < -1e-6 {
		t.Errorf("the loss is not the weighted sum: %v", e)
	}
	out := must[[]*tensor.Values](t)(m.Predict(t.Context(), &Arrays{Inputs: a.Inputs}))
	if len(out) != 3 || !slices.Equal(out[2].Shape(), []int{30, 2}) {
		t.Errorf("%d outputs", len(out))
	}
}
