package model

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/layer/op"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// together is a ranking model, not compiled, in which the parts that have tests
// of their own meet: a vocabulary that learns, in front of an adapted table and
// of a bounded one, masks, an attention, moving averages of a batch, penalties,
// constraints, a loss and a metric from outside, all in mixed precision.
func together(t testing.TB) *Model {
	t.Helper()
	scope, policy := layer.NewScope(11), must[layer.Policy](t)(layer.PolicyByName("mixed_bfloat16"))
	named := func(name string) layer.Options { return layer.Options{Name: name, Policy: policy} }
	in := func(o layer.InputOptions) *layer.Tensor {
		o.Scope = scope
		return must[*layer.Tensor](t)(layer.Input(o))
	}
	target := in(layer.InputOptions{Name: "target", IDs: true, KeyType: tensor.String})
	seen := in(layer.InputOptions{Name: "seen", IDs: true, KeyType: tensor.String, Shape: layer.Shape{-1}})
	user := in(layer.InputOptions{Name: "user", Shape: layer.Shape{2}})

	words := must[*layer.StringLookup](t)(layer.NewStringLookup(layer.StringLookupOptions{Options: layer.Options{Name: "words"}, Mask: new("")}))
	adapted := must[*layer.Embedding](t)(layer.NewEmbedding(20, 4, layer.EmbeddingOptions{Options: named("adapted"), MaskZero: true, LoRARank: 2, Regularizer: regularizer.L2(0.01)}))
	bounded := must[*layer.Embedding](t)(layer.NewEmbedding(20, 4, layer.EmbeddingOptions{Options: named("bounded"), MaskZero: true, Regularizer: regularizer.L2(0.01), Constraint: constraint.MaxNorm{Max: 1, Axis: 1}}))
	item, items := apply(t, words, target), apply(t, words, seen)
	query := apply(t, layer.NewDropMask(named("drop")), apply(t, adapted, item))
	read := apply(t, layer.NewHistoryAttention(true, named("read")), query, apply(t, adapted, items))
	mean := apply(t, layer.NewGlobalAveragePooling1D(false, named("mean")), apply(t, bounded, items))

	x := apply(t, must[*layer.Concatenate](t)(layer.NewConcatenate(-1, named("join"))), query, read, mean, user)
	x = apply(t, must[*layer.BatchNormalization](t)(layer.NewBatchNormalization(layer.BatchNormalizationOptions{Options: named("norm")})), x)
	deep := must[*layer.Dense](t)(layer.NewDense(8, layer.DenseOptions{Options: named("deep"), Activation: "relu",
		Kernel: layer.WeightOptions{Regularizer: regularizer.L1(0.001), Constraint: constraint.MaxNorm{Max: 2, Axis: 0}}}))
	x = apply(t, deep, x)
	check(t, deep.AddLoss(op.Scale(op.ReduceMean(op.Square(x)), 0.01)))
	x = apply(t, must[*layer.Dropout](t)(layer.NewDropout(0.2, layer.DropoutOptions{Options: named("dropout")})), x)
	x = apply(t, must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Options: layer.Options{Name: "out"}, Activation: "sigmoid"})), x)
	m := must[*Model](t)(New([]*layer.Tensor{target, seen, user}, []*layer.Tensor{x}))
	check(t, m.AddMetric("largest", op.ReduceMax(x)))
	closeTables(t, m)
	return m
}

func closeTables(t testing.TB, m *Model) {
	t.Cleanup(func() {
		for _, table := range m.Tables() {
			table.Close()
		}
	})
}

func compileTogether(t testing.TB, m *Model) *Model {
	t.Helper()
	check(t, m.Compile(CompileOptions{
		Optimizer:     &optim.Optimizer{Updater: optim.NewAdam(), WeightDecay: 0.004, Rate: optim.Constant(0.03), EMA: optim.NewEMA(), AccumulationSteps: 3},
		OutputOptions: OutputOptions{LossName: "binary_crossentropy", MetricNames: []string{"auc", "accuracy"}, WeightedMetricNames: []string{"mse"}}}))
	return m
}

// clicks is data for together, and the histories in it as ragged ids.
func clicks(t testing.TB, n int, seed uint64) (*Arrays, layer.Value) {
	t.Helper()
	const most = 5
	random := rand.New(rand.NewPCG(seed, 7))
	target, seen, histories := make([]string, n), make([]string, n*most), make([][]string, n)
	user, labels := make([]float32, 2*n), make([]float32, n)
	for i := range n {
		for range random.IntN(most + 1) {
			histories[i] = append(histories[i], string(rune('a'+random.IntN(16))))
		}
		copy(seen[i*most:], histories[i])
		target[i] = string(rune('a' + random.IntN(16)))
		user[2*i], user[2*i+1], labels[i] = random.Float32(), float32(random.NormFloat64()), float32(random.IntN(2))
	}
	return &Arrays{
		Named: map[string]layer.Value{
			"target": {IDs: must[*tensor.Dense[string]](t)(tensor.NewDense(target, n))},
			"seen":   {IDs: must[*tensor.Dense[string]](t)(tensor.NewDense(seen, n, most))},
			"user":   {Floats: floats(t, user, n, 2)},
		},
		Labels: []*tensor.Values{floats(t, labels, n)}, BatchSize: 16, Shuffle: true, Seed: seed,
	}, layer.Value{IDs: tensor.RaggedOf(histories...)}
}

// fitTogether trains, stops after some steps, and goes on in a new model each
// time. It returns the last model, and the files of its checkpoint and its log.
func fitTogether(t testing.TB, stops ...int64) (*Model, map[string]string) {
	t.Helper()
	fsys, c := memory(t)
	log := filepath.Join(t.TempDir(), "log.csv")
	train, _ := clicks(t, 150, 1)
	validation, _ := clicks(t, 50, 2)
	for i := 0; ; i++ {
		m := compileTogether(t, together(t))
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
		_, err := m.Fit(ctx, train, FitOptions{Epochs: 12, Resume: true, Validation: validation, ClassWeights: map[int]float32{1: 2},
			Callbacks: []Callback{&CSVLogger{Path: log}, &ReduceLROnPlateau{Patience: 1}, &EarlyStopping{Patience: 2, RestoreBest: true}, stop}})
		cancel()
		if (err != nil) != (i < len(stops)) {
			t.Fatalf("training %d: %v", i, err)
		}
		check(t, m.Save(t.Context(), c, nil))
		if err == nil {
			all := files(t, fsys, c)
			all["log.csv"] = string(must[[]byte](t)(os.ReadFile(log)))
			return m, all
		}
	}
}

func TestPartsTogetherResume(t *testing.T) {
	m, want := fitTogether(t)
	rates := m.History().Values("learning_rate")
	if n := len(rates); n == 12 || rates[0] == rates[n-1] {
		t.Errorf("rates of the epochs: %v, want a training that lowers its rate and ends early", rates)
	}
	for _, stops := range [][]int64{{1}, {5}, {2, 9, 14}} {
		_, got := fitTogether(t, stops...)
		same(t, got, want)
	}
}

// TestPartsTogetherAgain writes the model down and makes it again, with the same
// first weights, gives it its ids in another layout, and copies its layers. (To
// train on ragged ids is another training: padding touches the row of id 0,
// which then pays its penalty.)
func TestPartsTogetherAgain(t *testing.T) {
	m := together(t)
	text := must[[]byte](t)(m.ToJSON(layer.Own))
	again := must[*Model](t)(FromJSON(text, ConfigOptions{Seed: 11}))
	closeTables(t, again)
	if got := must[[]byte](t)(again.ToJSON(layer.Own)); string(got) != string(text) {
		t.Errorf("JSON after a round trip:\n%s\nbefore:\n%s", got, text)
	}
	train, histories := clicks(t, 50, 3)
	train.BatchSize = 50
	ragged, _ := clicks(t, 50, 3)
	ragged.BatchSize, ragged.Named["seen"] = 50, histories
	want := must[History](t)(compileTogether(t, m).Fit(t.Context(), train, FitOptions{Epochs: 6}))
	got := must[History](t)(compileTogether(t, again).Fit(t.Context(), train, FitOptions{Epochs: 6}))
	if !slices.Equal(got.Last(), want.Last()) {
		t.Errorf("logs %v, want %v", got.Last(), want.Last())
	}
	if a, b := predictAll(t, again, ragged), predictAll(t, m, train); !slices.Equal(a, b) {
		t.Errorf("predictions of %v, want %v", a, b)
	}
	for _, l := range m.Layers() {
		c, err := layer.Of(l).Clone(t.Context())
		if err != nil {
			t.Errorf("clone: %v", err)
			continue
		}
		for i, v := range layer.Of(c).Variables() {
			if v.Table() != nil {
				defer v.Table().Close()
			} else if w := layer.Of(l).Variables()[i]; !slices.Equal(v.Value(), w.Value()) {
				t.Errorf("clone: weight %s differs", v.Name())
			}
		}
	}
}

func predictAll(t testing.TB, m *Model, s Source) []float32 {
	t.Helper()
	return must[[]*tensor.Values](t)(m.Predict(t.Context(), s))[0].Data()
}
