package layer_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
)

// TestLossNames: Keras' names for functions and classes, and its short ones,
// give the same loss.
func TestLossNames(t *testing.T) {
	truth, prediction := []float32{0.5, 0.25, 0.25}, []float32{0.2, 0.5, 0.3}
	for _, names := range [][]string{
		{"mse", "MSE", "mean_squared_error", "MeanSquaredError"},
		{"mae", "mean_absolute_error", "MeanAbsoluteError"},
		{"mape", "mean_absolute_percentage_error", "MeanAbsolutePercentageError"},
		{"msle", "mean_squared_logarithmic_error", "MeanSquaredLogarithmicError"},
		{"log_cosh", "logcosh", "LogCosh"},
		{"kl_divergence", "kld", "kullback_leibler_divergence", "KLDivergence"},
		{"huber", "Huber", "huber_loss"},
		{"binary_crossentropy", "bce", "BinaryCrossentropy"},
		{"cosine_similarity", "CosineSimilarity", "cosine_proximity"},
		{"poisson", "Poisson"},
		{"hinge", "Hinge"},
		{"squared_hinge", "SquaredHinge"},
		{"categorical_hinge", "CategoricalHinge"},
		{"categorical_crossentropy", "CategoricalCrossentropy"},
		{"binary_focal_crossentropy", "BinaryFocalCrossentropy"},
	} {
		var values []float32
		for _, name := range names {
			l := must[layer.Loss](t)(layer.LossByName(name))
			values = append(values, evaluateLoss(t, l, []int{1, 3}, truth, []int{1, 3}, prediction))
			if values[0] != values[len(values)-1] || values[0] == 0 {
				t.Errorf("%v give %v", names, values)
			}
		}
	}
	for _, name := range layer.LossNames() {
		must[layer.Loss](t)(layer.LossByName(name))
	}
}

func TestLossConfigs(t *testing.T) {
	for _, c := range []struct {
		text string
		is   error
		says string
	}{
		{`{"class_name": "BinaryCrossentropy", "config": {"name": "bce", "reduction": "sum_over_batch_size", "from_logits": true, "label_smoothing": 0.1, "axis": -1, "dtype": null}}`, nil, ""},
		{`{"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": true, "ignore_class": null}}`, nil, ""},
		{`{"class_name": "huber"}`, nil, ""},
		{`{"class_name": "hubber"}`, layer.ErrArgument, `did you mean "huber"?`},
		{`{"class_name": "Huber", "config": {"delta": 0}}`, layer.ErrArgument, "`delta` must be a positive number"},
		{`{"class_name": "Huber", "config": {"detla": 1}}`, layer.ErrConfig, `did you mean "delta"?`},
		{`{"class_name": "MeanSquaredError", "config": {"reduction": "sum"}}`, layer.ErrConfig, `"reduction" must be sum_over_batch_size`},
		{`{"class_name": "CosineSimilarity", "config": {"axis": 1}}`, layer.ErrConfig, `"axis" must be -1`},
		{`{"class_name": "BinaryCrossentropy", "config": {"label_smoothing": 1.5}}`, layer.ErrArgument, "`label_smoothing` must be in [0, 1]"},
		{`{"class_name": "CategoricalCrossentropy", "config": {"label_smoothing": -1}}`, layer.ErrArgument, "`label_smoothing`"},
		{`{"class_name": "SparseCategoricalCrossentropy", "config": {"ignore_class": 0}}`, layer.ErrConfig, `"ignore_class"`},
		{`{"class_name": "BinaryFocalCrossentropy", "config": {"gamma": -1}}`, layer.ErrArgument, "`gamma`"},
		{`{"class_name": "BinaryFocalCrossentropy", "config": {"alpha": 2}}`, layer.ErrArgument, "`alpha`"},
		{`{"class_name": "MeanSquaredError", "config": {"dtype": "float16"}}`, layer.ErrConfig, `"dtype" must be float32`},
	} {
		var config layer.LossConfig
		if err := json.Unmarshal([]byte(c.text), &config); err != nil {
			t.Fatal(err)
		}
		l, err := layer.LossFromConfig(config)
		if c.is == nil && (err != nil || l == nil) || c.is != nil && (!errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: error %v, want one that is %v and says %q", c.text, err, c.is, c.says)
		}
	}
}

// TestFocusPastCertainty: where a probability is exactly right or wrong, an
// exponent that is no whole number still has a finite gradient.
func TestFocusPastCertainty(t *testing.T) {
	l := must[layer.Loss](t)(layer.NewBinaryFocalCrossentropy(layer.FocalOptions{Gamma: new(0.5)}))
	for _, g := range lossGradient(t, l, []float32{1, 0}, []float32{1, 1}) {
		if g-g != 0 {
			t.Errorf("gradient %v", g)
		}
	}
}

// lossGradient is the gradient by the prediction of one example.
func lossGradient(t *testing.T, l layer.Loss, truth, prediction []float32) []float32 {
	t.Helper()
	p := must[*dense.Program](t)(dense.New(dense.Config{Name: "loss", Train: true, InputGradients: []int{0}, Build: func(tr *dense.Trace) (dense.Result, error) {
		return dense.Result{Loss: graph.ReduceAllSum(l(tr.Input(1), tr.Input(0)))}, nil
	}}))
	r := must[*dense.Results](t)(p.Run(dense.Args{Inputs: []dense.Array{dense.Floats(prediction, 1, len(prediction)), dense.Floats(truth, 1, len(truth))}}))
	return r.InputGradients[0].Float
}
