package loss_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/loss"
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
		{"categorical_focal_crossentropy", "CategoricalFocalCrossentropy"},
		{"dice", "Dice"},
		{"tversky", "Tversky"},
	} {
		var values []float32
		for _, name := range names {
			l := must[loss.Func](t)(loss.ByName(name))
			values = append(values, valueOf(t, l, truth, prediction))
			if values[0] != values[len(values)-1] || values[0] == 0 {
				t.Errorf("%v give %v", names, values)
			}
		}
	}
	for _, name := range loss.Names() {
		must[loss.Func](t)(loss.ByName(name))
	}
}

func TestLossConfigs(t *testing.T) {
	for _, c := range []struct {
		text string
		says string // "" where there is nothing to say
	}{
		{`{"class_name": "BinaryCrossentropy", "config": {"name": "bce", "reduction": "sum_over_batch_size", "from_logits": true, "label_smoothing": 0.1, "axis": -1, "dtype": null}}`, ""},
		{`{"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": true, "ignore_class": null}}`, ""},
		{`{"class_name": "huber"}`, ""},
		{`{"class_name": "hubber"}`, `did you mean "huber"?`},
		{`{"class_name": "Huber", "config": {"delta": 0}}`, "`delta` must be a positive number"},
		{`{"class_name": "Huber", "config": {"detla": 1}}`, `did you mean "delta"?`},
		{`{"class_name": "MeanSquaredError", "config": {"reduction": "sum"}}`, `"reduction" must be sum_over_batch_size`},
		{`{"class_name": "CosineSimilarity", "config": {"axis": 1}}`, `"axis" must be -1`},
		{`{"class_name": "BinaryCrossentropy", "config": {"label_smoothing": 1.5}}`, "`label_smoothing` must be in [0, 1]"},
		{`{"class_name": "CategoricalCrossentropy", "config": {"label_smoothing": -1}}`, "`label_smoothing`"},
		{`{"class_name": "SparseCategoricalCrossentropy", "config": {"ignore_class": 0}}`, `"ignore_class"`},
		{`{"class_name": "BinaryFocalCrossentropy", "config": {"gamma": -1}}`, "`gamma`"},
		{`{"class_name": "BinaryFocalCrossentropy", "config": {"alpha": 2}}`, "`alpha`"},
		{`{"class_name": "MeanAbsoluteError", "config": {"reduction": "auto", "name": "mean_absolute_error", "fn": "mean_absolute_error"}}`, ""},
		{`{"class_name": "MeanAbsoluteError", "config": {"reduction": "mean"}}`, ""},
		{`{"class_name": "MeanAbsoluteError", "config": {"fn": "mean_squared_error"}}`, `"fn" must be mean_absolute_error`},
		{`{"class_name": "CategoricalFocalCrossentropy", "config": {"name": "f", "alpha": [0.5, 2], "gamma": 0, "from_logits": true, "label_smoothing": 0.1, "axis": -1}}`, ""},
		{`{"class_name": "CategoricalFocalCrossentropy", "config": {"alpha": []}}`, `"alpha" must be a number, or one for each class`},
		{`{"class_name": "CategoricalFocalCrossentropy", "config": {"alpha": [0.5, -2]}}`, "`alpha` must be numbers of 0 or more"},
		{`{"class_name": "CategoricalFocalCrossentropy", "config": {"gamma": -1}}`, "`gamma`"},
		{`{"class_name": "CategoricalFocalCrossentropy", "config": {"label_smoothing": 2}}`, "`label_smoothing`"},
		{`{"class_name": "Dice", "config": {"name": "dice", "axis": null}}`, ""},
		{`{"class_name": "Dice", "config": {"axis": 1}}`, ""},
		{`{"class_name": "Dice", "config": {"axis": []}}`, `"axis" must be null`},
		{`{"class_name": "Dice", "config": {"axis": [1, 1]}}`, "must not hold a dimension twice"},
		{`{"class_name": "Tversky", "config": {"alpha": 0, "beta": 1, "axis": [1, 2]}}`, ""},
		{`{"class_name": "Tversky", "config": {"alpha": -0.1}}`, "`alpha`"},
		{`{"class_name": "Tversky", "config": {"beta": -0.1}}`, "`beta` must be numbers of 0 or more"},
		{`{"class_name": "Tversky", "config": {"axis": [2, 2]}}`, "Tversky: `axis`"},
		{`{"class_name": "Circle", "config": {"gamma": 80.0, "margin": 0.4, "remove_diagonal": true, "reduction": "sum_over_batch_size", "name": "circle"}}`, ""},
		{`{"class_name": "circle"}`, ""},
		{`{"class_name": "Circle", "config": {"gamma": 0}}`, "`gamma` must be a number above 0"},
		{`{"class_name": "Circle", "config": {"remove_diagonal": 1}}`, "true or false"},
		{`{"class_name": "CategoricalGeneralizedCrossEntropy", "config": {"q": 0.7}}`, ""},
		{`{"class_name": "categorical_generalized_cross_entropy"}`, ""},
		{`{"class_name": "CategoricalGeneralizedCrossEntropy", "config": {"q": 1}}`, "`q` must be between 0 and 1"},
		{`{"class_name": "CategoricalGeneralizedCrossEntropy", "config": {"q": 0}}`, "`q`"},
		{`{"class_name": "CTC"}`, `unknown loss "CTC"`},
		{`{"class_name": "MeanSquaredError", "config": {"dtype": "float16"}}`, `"dtype" must be float32`},
	} {
		var config loss.Config
		if err := json.Unmarshal([]byte(c.text), &config); err != nil {
			t.Fatal(err)
		}
		l, err := loss.FromConfig(config)
		if good := err == nil && l != nil; good != (c.says == "") || !good && (!errors.Is(err, loss.ErrConfig) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: error %v, want one that says %q", c.text, err, c.says)
		}
	}
}

// TestFocusPastCertainty: where a probability is exactly right or wrong, an
// exponent that is no whole number still has a finite gradient.
func TestFocusPastCertainty(t *testing.T) {
	l := must[loss.Func](t)(loss.NewBinaryFocalCrossentropy(loss.FocalOptions{Gamma: new(0.5)}))
	_, gradient := evaluate(t, l, dense.Floats([]float32{1, 0}, 1, 2), dense.Floats([]float32{1, 1}, 1, 2), nil)
	for _, g := range gradient {
		if g-g != 0 {
			t.Errorf("gradient %v", g)
		}
	}
}
