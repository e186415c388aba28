package model

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/layer/op"
	"github.com/rowan-embeddings/rowan/metric"
)

// again writes a model as JSON and makes one of that.
func again(t testing.TB, m *Model) (*Model, string) {
	t.Helper()
	text := must[[]byte](t)(m.ToJSON(layer.Own))
	made := must[*Model](t)(FromJSON(text, ConfigOptions{Seed: 5}))
	t.Cleanup(func() {
		for _, table := range made.Tables() {
			table.Close()
		}
	})
	return made, string(text)
}

// withAdditions is hybrid with additions of each kind that a config has words for.
func withAdditions(t testing.TB) *Model {
	t.Helper()
	m := hybrid(t, 5)
	out := m.Outputs()[0]
	last, inner := layer.Of(out.Node().Layer), out.Node().In[0]
	check(t, m.AddLoss(op.Scale(op.Abs(op.ReduceMean(inner)), 0.5)))
	check(t, m.AddMetric("largest", op.ReduceMax(inner)))
	check(t, last.AddLossFor([]*layer.Tensor{inner}, op.ReduceMean(op.Square(out))))
	check(t, last.AddLoss(op.ReduceMean(out)))
	check(t, last.AddMetric("mean", op.ReduceMean(out)))
	check(t, last.AddUpdate(last.Variables()[1], op.ReduceMean(out, 0))) // of the bias, for want of a weight that is not trained
	return m
}

// TestConfigOfAdditions: a model with a shared layer, several inputs and
// additions of all kinds is made again, and trains to the same numbers.
func TestConfigOfAdditions(t *testing.T) {
	m := withAdditions(t)
	made, text := again(t, m)
	if _, twice := again(t, made); twice != text {
		t.Errorf("config of the model made again:\n%s\nwant\n%s", twice, text)
	}
	var logs [2]History
	for i, m := range []*Model{m, made} {
		if n := len(must[[]*layer.LossTerm](t)(m.Losses())); n != 3 {
			t.Errorf("%d losses, want 3", n)
		}
		check(t, m.Compile(CompileOptions{Optimizer: exactAdam(), OutputOptions: OutputOptions{LossName: "binary_crossentropy"}}))
		logs[i] = must[History](t)(m.Fit(t.Context(), likes(t, 100, 1), FitOptions{Epochs: 2}))
	}
	for e := range logs[0] {
		if !slices.Equal(logs[0][e].Logs, logs[1][e].Logs) {
			t.Errorf("epoch %d: %v, made again %v", e, logs[0][e].Logs, logs[1][e].Logs)
		}
	}
	for _, name := range []string{"largest", "mean"} {
		if _, ok := logs[1].Last().Get(name); !ok {
			t.Errorf("the metric %q got lost: %v", name, logs[1].Last())
		}
	}
	// More can be built on it: default names go on where those of the config end.
	check(t, made.AddLoss(op.ReduceMean(made.Outputs()[0])))
	if _, longer := again(t, made); longer == text {
		t.Error("an added loss is not in the config")
	}
}

// TestConfigLeavesObjectsOut: they cannot be written down.
func TestConfigLeavesObjectsOut(t *testing.T) {
	m := hybrid(t, 5)
	_, before := again(t, m)
	check(t, m.AddMetricObject(new(metric.Mean), m.Outputs()[0]))
	if _, text := again(t, m); text != before {
		t.Errorf("a metric object changed the config:\n%s\n%s", text, before)
	}
}

// TestSequentialWithAdditions is no stack any more.
func TestSequentialWithAdditions(t *testing.T) {
	e := must[*layer.Embedding](t)(layer.NewEmbedding(9, 2, layer.EmbeddingOptions{InputLength: []int{3}}))
	s := must[*Sequential](t)(NewSequential(e, layer.NewFlatten(layer.Options{})))
	check(t, layer.Of(e).AddLoss(op.ReduceMean(s.Outputs()[0])))
	made, _ := again(t, &s.Model)
	if n := len(must[[]*layer.LossTerm](t)(made.Losses())); n != 1 {
		t.Errorf("%d losses, want 1", n)
	}
}

// TestKerasHasNoWordsForAdditions, nor for operations.
func TestKerasHasNoWordsForAdditions(t *testing.T) {
	e := must[*layer.Embedding](t)(layer.NewEmbedding(9, 2, layer.EmbeddingOptions{InputLength: []int{3}}))
	s := must[*Sequential](t)(NewSequential(e))
	check(t, layer.Of(e).AddLoss(op.ReduceMean(s.Outputs()[0])))
	for _, d := range []layer.Dialect{layer.TF1, layer.Keras2, layer.TFKeras, layer.Keras3} {
		_, err := s.Config(d)
		if !errors.Is(err, layer.ErrConfig) {
			t.Errorf("%v: %v", d, err)
		}
		wants(t, err, d.String(), "Operation")
	}
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Shape: layer.Shape{1}, Scope: layer.NewScope(1)}))
	d := must[*layer.Dense](t)(layer.NewDense(2, layer.DenseOptions{}))
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, d, in)}))
	check(t, d.AddUpdate(d.Variables()[0], m.Outputs()[0])) // of batches of one
	_, err := m.Config(layer.Keras3)
	wants(t, err, "keras3 has no words for updates")
}

func TestAdditionsThatCannotBeRead(t *testing.T) {
	text := must[[]byte](t)(withAdditions(t).ToJSON(layer.Own))
	type object = map[string]any
	list := func(c object, key string, i int) object { return c[key].([]any)[i].(object) }
	for says, spoil := range map[string]func(c object){
		"losses, number 0: layer: bad config: what was added must be an object": func(c object) { c["losses"].([]any)[0] = "x" },
		"a tensor must be [layer, call, output]":                                func(c object) { list(c, "losses", 0)["tensor"] = "x" },
		"is no output of a layer":                                               func(c object) { list(c, "losses", 0)["tensor"] = []any{"nowhere", 0.0, 0.0} },
		`metrics, number 1: layer: bad config: there is no layer "nowhere"`:     func(c object) { list(c, "metrics", 1)["layer"] = "nowhere" },
		"asked to get input at node 7":                                          func(c object) { list(c, "losses", 1)["call"] = 7.0 },
		"an update needs a layer and a weight":                                  func(c object) { list(c, "updates", 0)["variable"] = "w" },
		"a metric needs a name":                                                 func(c object) { delete(list(c, "metrics", 0), "name") },
		"must be a scalar":                                                      func(c object) { list(c, "losses", 0)["tensor"] = []any{"dense", 0.0, 0.0} },
	} {
		var c object
		check(t, json.Unmarshal(text, &c))
		spoil(c["config"].(object))
		_, err := FromConfig(c, ConfigOptions{})
		wants(t, err, says)
	}
}
