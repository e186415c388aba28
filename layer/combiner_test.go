package layer_test

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// span is a combiner of the test's own, the largest less the smallest row.
var span = func() rowan.Combiner {
	c, err := rowan.RegisterCombiner(rowan.CombinerFunc{
		Name: "test_span",
		Forward: func(out []float32, b rowan.Bag) {
			for d := range out {
				low, high := extremes(b, d)
				out[d] = b.Row(high)[d] - b.Row(low)[d]
			}
		},
		Backward: func(grad, dout []float32, b rowan.Bag) {
			for d, g := range dout {
				low, high := extremes(b, d)
				grad[high*b.Width+d] += g
				grad[low*b.Width+d] -= g
			}
		},
	})
	if err != nil {
		panic(err)
	}
	return c
}()

func extremes(b rowan.Bag, d int) (low, high int) {
	for i := range b.Len() {
		if b.Row(i)[d] < b.Row(low)[d] {
			low = i
		}
		if b.Row(i)[d] > b.Row(high)[d] {
			high = i
		}
	}
	return low, high
}

// combined is what each combiner makes of the rows 2 and 8.
var combined = map[string]float64{
	"sum": 10, "mean": 5, "sqrtn": 10 / math.Sqrt2, "max": 8, "min": 2, "prod": 16, "std": 3, "variance": 9,
	"euclidean_norm": math.Sqrt(68), "logsumexp": 8 + math.Log1p(math.Exp(-6)), "test_span": 6,
}

// throughJSON writes a layer's config as text and reads the layer back.
func throughJSON(t *testing.T, l layer.Layer) layer.Layer {
	t.Helper()
	class, c, err := layer.ToConfig(l)
	if err != nil {
		t.Fatal(err)
	}
	text := must[[]byte](t)(json.Marshal(c))
	var read layer.Config
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return must[layer.Layer](t)(layer.FromConfig(class, read))
}

// TestCombinersOfLayers: each combiner by its name in a config, the function
// among them, in both layers; empty bags are zeros.
func TestCombinersOfLayers(t *testing.T) {
	bags := layer.Value{IDs: tensor.RaggedOf([]int64{1, 2}, nil)}
	for name, want := range combined {
		c := must[rowan.Combiner](t)(rowan.ParseCombiner(name))
		if (name == span.String()) != (c == span) {
			t.Errorf("%s reads as %v", name, c)
		}
		static := newEmbedding(t, 3, 1, layer.EmbeddingOptions{Combiner: c, Options: layer.Options{Weights: [][]float32{{0, 2, 8}}}})
		again := throughJSON(t, static)
		run(t, again, bags)
		if err := layer.Of(again).SetWeights([][]float32{{0, 2, 8}}); err != nil {
			t.Fatal(err)
		}
		dynamic := throughJSON(t, newDynamic(t, 1, layer.DynamicOptions{Pool: c, Combiner: name}))
		if got := layer.Of(dynamic).Class(); got != "DynamicEmbedding" || dynamic.(*layer.DynamicEmbedding).Config()["combiner"] != name {
			t.Errorf("%s: read back as %s %v", name, got, dynamic.(*layer.DynamicEmbedding).Config())
		}
		run(t, dynamic, bags)
		rows := must[*tensor.Values](t)(tensor.NewValues([]float32{2, 8}, 2, 1))
		if err := dynamic.(*layer.DynamicEmbedding).Table().Upsert(context.Background(), must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{1, 2})), rows); err != nil {
			t.Fatal(err)
		}
		for _, l := range []layer.Layer{static, again, dynamic} {
			got := run(t, l, bags).Values[0].Floats
			if !slices.Equal(got.Shape(), []int{2, 1}) || math.Abs(float64(got.Data()[0])-want) > 1e-6*want || got.Data()[1] != 0 {
				t.Errorf("%s: %v of shape %v, want %v and 0", name, got.Data(), got.Shape(), want)
			}
		}
	}
}

// TestCombinerNamesOfLayers: the source system's names are kept as they are
// written; an unknown one is an error that lists those there are.
func TestCombinerNamesOfLayers(t *testing.T) {
	for _, name := range []string{"sum", "reduce_max", "sqrt_n", "reduce_logsumexp", "test_span"} {
		if l := throughJSON(t, newDynamic(t, 1, layer.DynamicOptions{Combiner: name})); l.(*layer.DynamicEmbedding).Config()["combiner"] != name {
			t.Errorf("%s became %v", name, l.(*layer.DynamicEmbedding).Config()["combiner"])
		}
	}
	const list = "sum, mean, sqrtn, max, min, prod, std, variance, euclidean_norm, logsumexp, or a combiner given to rowan.RegisterCombiner"
	for _, name := range []string{"median", "none", "reduce_any"} {
		_, err := layer.NewDynamicEmbedding(1, layer.DynamicOptions{Combiner: name})
		if err == nil || !strings.Contains(err.Error(), list) {
			t.Errorf("combiner %q: %v", name, err)
		}
		if name == "none" {
			continue
		}
		for _, key := range []string{"combiner", "pool"} {
			class, c := "DynamicEmbedding", layer.Config{"embedding_size": 1.0, key: name}
			if _, err := layer.FromConfig(class, c); err == nil || !strings.Contains(err.Error(), list) {
				t.Errorf("%s %q in a config: %v", key, name, err)
			}
		}
	}
}

// TestCombinersTrain fits a model whose embedding pools by each combiner; the
// rows move as plain gradient descent by the combiner's gradient moves them.
func TestCombinersTrain(t *testing.T) {
	for name, want := range map[string][]float32{ // d/dx of the combiner at the rows 2 and 8
		"max": {0, 1}, "min": {1, 0}, "prod": {8, 2}, "std": {-0.5, 0.5}, "variance": {-3, 3}, "test_span": {-1, 1},
	} {
		c := must[rowan.Combiner](t)(rowan.ParseCombiner(name))
		in := idInput(t, layer.NewScope(1), 2)
		l := newEmbedding(t, 3, 1, layer.EmbeddingOptions{Combiner: c, Initializer: initializer.Zeros{}, Options: layer.Options{Weights: [][]float32{{0, 2, 8}}}})
		m := must[*model.Model](t)(model.New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, l, in)}))
		err := m.Compile(model.CompileOptions{
			Optimizer:     &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.5)},
			OutputOptions: model.OutputOptions{LossName: "mse"},
		})
		if err != nil {
			t.Fatal(err)
		}
		label := must[*tensor.Values](t)(tensor.NewValues([]float32{float32(combined[name]) - 0.25}, 1, 1))
		_, err = m.Fit(context.Background(), &model.Arrays{Inputs: []layer.Value{ids(t, []int{1, 2}, 1, 2)}, Labels: []*tensor.Values{label}}, model.FitOptions{Epochs: 1})
		if err != nil {
			t.Fatal(err)
		}
		// The loss is (y-label)², its gradient 2·0.25, the step half of that.
		got := must[[][]float32](t)(layer.Of(l).GetWeights(context.Background()))[0]
		for i, x := range []float32{2, 8} {
			if d := got[i+1] - (x - 0.25*want[i]); math.Abs(float64(d)) > 1e-5 {
				t.Errorf("%s: rows became %v", name, got)
			}
		}
	}
}
