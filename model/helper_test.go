package model

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/vfs"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// must returns v, and fails the test on an error.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants fails unless err says something.
func wants(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
}

func apply(t testing.TB, l layer.Layer, in ...*layer.Tensor) *layer.Tensor {
	t.Helper()
	return must[*layer.Tensor](t)(layer.Of(l).Apply(in...))
}

// hybrid is a model of two tables, the first shared by two features, and a
// dense tower with dropout behind them, not compiled. The rows of the tables
// are on devices.
func hybrid(t testing.TB, seed uint64, devices ...string) *Model {
	t.Helper()
	scope := layer.NewScope(seed)
	in := func(o layer.InputOptions) *layer.Tensor {
		o.IDs, o.Scope = true, scope
		return must[*layer.Tensor](t)(layer.Input(o))
	}
	a, b := in(layer.InputOptions{Name: "a"}), in(layer.InputOptions{Name: "b"})
	tags := in(layer.InputOptions{Name: "tags", KeyType: tensor.String, Ragged: true})
	shared := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(8, layer.DynamicOptions{Options: layer.Options{Name: "item"}, Devices: devices}))
	words := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(4, layer.DynamicOptions{
		Options: layer.Options{Name: "tag"}, KeyType: tensor.String, Pool: rowan.Mean, Devices: devices}))
	join := must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{}))
	x := apply(t, join, apply(t, shared, a), apply(t, shared, b), apply(t, words, tags))
	x = apply(t, must[*layer.Dropout](t)(layer.NewDropout(0.3, layer.DropoutOptions{})), x)
	x = apply(t, must[*layer.Dense](t)(layer.NewDense(8, layer.DenseOptions{Activation: "relu"})), x)
	x = apply(t, must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Activation: "sigmoid"})), x)
	m := must[*Model](t)(New([]*layer.Tensor{a, b, tags}, []*layer.Tensor{x}))
	t.Cleanup(func() {
		for _, table := range m.Tables() {
			table.Close()
		}
	})
	return m
}

// exactAdam is Adam whose rows make up for the steps they missed.
func exactAdam() *optim.Optimizer {
	return &optim.Optimizer{Updater: optim.NewAdam(), Exact: true, Clip: optim.Clip{GlobalNorm: 0.5},
		Rate: optim.PolynomialDecay{Initial: 0.05, DecaySteps: 100}}
}

func compileHybrid(t testing.TB, seed uint64, devices ...string) *Model {
	t.Helper()
	m := hybrid(t, seed, devices...)
	check(t, m.Compile(CompileOptions{Optimizer: exactAdam(), WeightDecay: 0.01, DecayExclude: []string{"bias"},
		OutputOptions: OutputOptions{LossName: "binary_crossentropy", MetricNames: []string{"auc", "accuracy"}}}))
	return m
}

// likes is data for hybrid: a likes b if their sum is even, but for some noise.
func likes(t testing.TB, n int, seed uint64) *Arrays {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 7))
	a, b, labels, weights := make([]int64, n), make([]int64, n), make([]float32, n), make([]float32, n)
	tags := make([][]string, n)
	for i := range n {
		a[i], b[i] = random.Int64N(20)-3, random.Int64N(15)
		labels[i] = float32((a[i] + b[i] + 1) & 1)
		weights[i] = 0.5 + random.Float32()
		for range random.IntN(4) {
			tags[i] = append(tags[i], string(rune('p'+random.IntN(9))))
		}
	}
	return &Arrays{
		Named: map[string]layer.Value{
			"a":    {IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense(a))},
			"b":    {IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense(b))},
			"tags": {IDs: tensor.RaggedOf(tags...)},
		},
		Labels:  []*tensor.Values{must[*tensor.Values](t)(tensor.NewValues(labels, n))},
		Weights: weights, BatchSize: 16, Shuffle: true, Seed: seed,
	}
}

// files returns the bytes of every file of the latest checkpoint.
func files(t testing.TB, fsys vfs.FS, c *Checkpoints) map[string]string {
	t.Helper()
	s := must[*Saved](t)(c.Latest())
	all := make(map[string]string)
	for _, name := range must[[]string](t)(fsys.ReadDir(s.Dir())) {
		all[name] = string(must[[]byte](t)(vfs.ReadFile(fsys, filepath.Join(s.Dir(), name), 1<<30)))
	}
	return all
}

// memory is a directory of checkpoints in memory.
func memory(t testing.TB) (vfs.FS, *Checkpoints) {
	t.Helper()
	f := vfs.NewMem()
	return f, must[*Checkpoints](t)(openCheckpoints(f, "/ck"))
}

// same compares two checkpoints, file by file.
func same(t testing.TB, got, want map[string]string) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("file %s is not in the other checkpoint", name)
		}
	}
	for name, w := range want {
		g, ok := got[name]
		switch {
		case !ok:
			t.Errorf("file %s is missing", name)
		case g != w && strings.HasSuffix(name, ".json"):
			t.Errorf("file %s differs:\n%s\n%s", name, g, w)
		case g != w:
			t.Errorf("file %s differs: %d bytes, want %d", name, len(g), len(w))
		}
	}
}

// hook is a callback made of a function.
type hook struct {
	Hooks
	batch, epoch func(*Event) error
}

func (h hook) OnBatchEnd(_ context.Context, e *Event) error {
	if h.batch == nil {
		return nil
	}
	return h.batch(e)
}

func (h hook) OnEpochEnd(_ context.Context, e *Event) error {
	if h.epoch == nil {
		return nil
	}
	return h.epoch(e)
}
