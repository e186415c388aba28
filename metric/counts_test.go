package metric

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// counting returns one of every metric of counts, and of numbers that equal, for
// a label of 0 or 1 a prediction.
func counting() []Metric {
	return []Metric{
		&TruePositives{}, &FalsePositives{Threshold: half()}, &TrueNegatives{}, &FalseNegatives{}, &ExactAccuracy{},
		&PrecisionAtRecall{Recall: 0.5}, &RecallAtPrecision{Precision: 0.5, NumThresholds: 20},
		&SensitivityAtSpecificity{Specificity: 0.5, NumThresholds: 1}, &SpecificityAtSensitivity{Sensitivity: 0.5, NumThresholds: 2},
		&F1Score{Threshold: half()}, &FBetaScore{Beta: 2, Average: "micro"},
	}
}

func TestCountsByHand(t *testing.T) {
	pred, label, weight := []float32{0, 0.3, 0.8, 0.3, 0.8, 0.5}, []float32{0, 0, 0, 1, 1, 1}, []float32{1, 1, 2, 2, 1, 0}
	for _, c := range []struct {
		name           string
		metric         Metric
		want, weighted float64
	}{
		{"true positives", &TruePositives{}, 1, 1},
		{"false positives", &FalsePositives{}, 1, 2},
		{"true negatives", &TrueNegatives{}, 2, 2},
		{"false negatives, 0.5 is not above 0.5", &FalseNegatives{}, 2, 2},
		{"true positives above 0.25", &TruePositives{Threshold: half()}, 3, 3},
		{"exact", &ExactAccuracy{}, 1.0 / 6, 1.0 / 7},
		// From 0.3 to 0.5 two of three labels 1 are above, and one of three
		// labels 0; from 0.5 to 0.8 one and one.
		{"precision at recall", &PrecisionAtRecall{Recall: 0.5}, 2.0 / 3, 3.0 / 6},
		{"recall at precision", &RecallAtPrecision{Precision: 0.6}, 1, 0},
		{"recall at a precision that is met", &RecallAtPrecision{Precision: 0.5}, 1, 1},
		{"sensitivity at specificity", &SensitivityAtSpecificity{Specificity: 0.5}, 2.0 / 3, 1.0 / 3},
		{"specificity at sensitivity", &SpecificityAtSensitivity{Sensitivity: 0.6}, 2.0 / 3, 1.0 / 4},
		{"one threshold", &SensitivityAtSpecificity{Specificity: 0.5, NumThresholds: 1}, 1.0 / 3, 1.0 / 3},
		{"nothing exceeds 1", &SensitivityAtSpecificity{Specificity: 1}, 0, 0},
	} {
		for i, w := range [][]float32{nil, weight} {
			c.metric.Reset()
			if err := c.metric.Update(pred, label, w); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			want := []float64{c.want, c.weighted}[i]
			if got := c.metric.Result(); !(math.Abs(got-want) <= 1e-12) {
				t.Errorf("%s, weights %v: got %v, want %v", c.name, w, got, want)
			}
		}
	}
}

// slowBest is the definition: it counts anew at each threshold.
func slowBest(pred, label []float32, n int, of, with func(*confusion) float64, least float64) float64 {
	best := 0.0
	for i := range n {
		var c confusion
		for k, p := range pred {
			*c.cell(p > float32(i)/float32(n-1), label[k] == 1)++
		}
		if with(&c) >= least {
			best = max(best, of(&c))
		}
	}
	return best
}

// TestThresholdsAgainstDefinition has predictions on thresholds and between
// them: 16 steps are exact in float32.
func TestThresholdsAgainstDefinition(t *testing.T) {
	for seed := range uint64(50) {
		pred, label, _ := examples(1+int(seed), seed)
		for i, p := range pred {
			pred[i] = float32(math.Round(float64(p)*32)) / 32
		}
		for _, least := range []float64{0, 0.25, 0.5, 1} {
			for _, c := range []struct {
				metric   Metric
				of, with func(*confusion) float64
			}{
				{&PrecisionAtRecall{Recall: least, NumThresholds: 17}, (*confusion).precision, (*confusion).recall},
				{&RecallAtPrecision{Precision: least, NumThresholds: 17}, (*confusion).recall, (*confusion).precision},
				{&SensitivityAtSpecificity{Specificity: least, NumThresholds: 17}, (*confusion).recall, (*confusion).specificity},
				{&SpecificityAtSensitivity{Sensitivity: least, NumThresholds: 17}, (*confusion).specificity, (*confusion).recall},
			} {
				if err := c.metric.Update(pred, label, nil); err != nil {
					t.Fatal(err)
				}
				if got, want := c.metric.Result(), slowBest(pred, label, 17, c.of, c.with, least); got != want {
					t.Errorf("seed %d, %s %v: got %v, want %v", seed, c.metric.Name(), least, got, want)
				}
			}
		}
	}
}

// TestBeyondThresholds: as in Keras, predictions beyond count as 0 and 1.
func TestBeyondThresholds(t *testing.T) {
	for _, n := range []int{1, 2, 200} {
		m := &PrecisionAtRecall{Recall: 1, NumThresholds: n}
		if err := m.Update([]float32{-7, inf(-1), 0, 7, inf(1), 1}, []float32{0, 0, 0, 1, 1, 1}, nil); err != nil || m.Result() != 1 {
			t.Errorf("of %d thresholds: %v, %v, want 1", n, m.Result(), err)
		}
	}
}

// TestFScoreByHand has the numbers of Keras' documentation for three examples
// of three classes.
func TestFScoreByHand(t *testing.T) {
	pred := []float32{0.2, 0.6, 0.7, 0.2, 0.6, 0.6, 0.6, 0.8, 0}
	label := []float32{1, 1, 1, 1, 0, 0, 1, 1, 0}
	at := float32(0.5)
	for _, c := range []struct {
		metric Metric
		want   []float64
	}{
		{&F1Score{Width: 3, Threshold: &at}, []float64{1.0 / 2, 4.0 / 5, 2.0 / 3}},
		{&FBetaScore{Width: 3, Beta: 2, Threshold: &at}, []float64{5.0 / 13, 10.0 / 11, 5.0 / 6}},
		{&FBetaScore{Width: 3, Threshold: &at, Average: "micro"}, []float64{1.0 / 2, 4.0 / 5, 2.0 / 3}},
	} {
		if err := c.metric.Update(pred, label, nil); err != nil {
			t.Fatal(err)
		}
		// Keras' 1e-7 in three denominators moves a score by less than that.
		close := func(a, b float64) bool { return math.Abs(a-b) <= 3e-7 }
		if got := c.metric.(interface{ Scores() []float64 }).Scores(); !slices.EqualFunc(got, c.want, close) {
			t.Errorf("%s: %v, want %v", c.metric.Name(), got, c.want)
		}
	}
}

func TestFScoreAverages(t *testing.T) {
	// Class 0: one right of two labels. Class 1: right. Class 2: never there.
	pred, label := []float32{3, 1, 0, 0, 1, 0, 0, 0, 0}, []float32{1, 0, 0, 0, 1, 0, 1, 0, 0}
	for average, want := range map[string]float64{
		"": (2.0/3 + 1 + 0) / 3, "macro": (2.0/3 + 1 + 0) / 3, "weighted": (2*2.0/3 + 1) / 3, "micro": 4.0 / 5,
	} {
		m := &F1Score{Width: 3, Average: average}
		if err := m.Update(pred, label, nil); err != nil {
			t.Fatal(err)
		}
		if got := m.Result(); !(math.Abs(got-want) <= 3e-7) {
			t.Errorf("average %q: got %v, want %v", average, got, want)
		}
	}
}

func TestCountsRefused(t *testing.T) {
	two := []float32{0, 1}
	for _, c := range []struct {
		metric      Metric
		pred, label []float32
		kind        error
		want        string
	}{
		{&TruePositives{}, two, []float32{0, 2}, ErrValue, "it must be 0 or 1"},
		{&FalseNegatives{}, two, two[:1], ErrShape, "2 predictions need as many labels, got 1"},
		{&PrecisionAtRecall{Recall: 1.5}, two, two, ErrValue, "precision_at_recall: Recall must be from 0 to 1, got 1.5"},
		{&RecallAtPrecision{Precision: nan64}, two, two, ErrValue, "Precision must be from 0 to 1, got NaN"},
		{&SensitivityAtSpecificity{Specificity: -1}, two, two, ErrValue, "Specificity must be from 0 to 1, got -1"},
		{&SpecificityAtSensitivity{Sensitivity: 2}, two, two, ErrValue, "Sensitivity must be from 0 to 1, got 2"},
		{&PrecisionAtRecall{NumThresholds: -1}, two, two, ErrValue, "NumThresholds must be at least 1, got -1"},
		{&PrecisionAtRecall{NumThresholds: math.MaxInt}, two, two, ErrValue, "NumThresholds must be at most 16777216"},
		{&PrecisionAtRecall{}, two, []float32{0, 0.5}, ErrValue, "it must be 0 or 1"},
		{&F1Score{Width: 2, Average: "Macro"}, two, two, ErrValue, `Average must be "micro", "macro", "weighted" or "", got "Macro"`},
		{&F1Score{Width: -1}, two, two, ErrValue, "Width must be at least 1, got -1"},
		{&F1Score{Width: 3}, two, two, ErrShape, "examples of 3 numbers each"},
		{&F1Score{Width: 2}, two, []float32{0, 2}, ErrValue, "the label of example 1 of the batch is 2; it must be from 0 to 1"},
		{&FBetaScore{Width: 2, Beta: -1}, two, two, ErrValue, "Beta must be a finite number above 0, got -1"},
		{&FBetaScore{Width: 2, Beta: math.Inf(1)}, two, two, ErrValue, "got +Inf"},
		{&FBetaScore{Width: 2, Beta: nan64}, two, two, ErrValue, "got NaN"},
		{&PearsonCorrelation{}, two, two, ErrValue, "Width must be at least 1"},
		{&ConcordanceCorrelation{Width: 2}, two, []float32{0, nan}, ErrNaN, "the label of example 0"},
		{&ExactAccuracy{}, []float32{0, nan}, two, ErrNaN, "the prediction of example 1"},
	} {
		err := c.metric.Update(c.pred, c.label, nil)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.metric.Name(), err, c.want)
		}
	}
}

// TestOptionsStay: an option that says how counts are kept must not change
// between examples, but may after Reset.
func TestOptionsStay(t *testing.T) {
	four := []float32{0, 1, 1, 0}
	p, f, r := &PrecisionAtRecall{NumThresholds: 10}, &F1Score{Width: 2}, &R2Score{Width: 2}
	change := func() { p.NumThresholds, f.Width, r.Width = 20, 4, 4 }
	if err := errors.Join(p.Update(four, four, nil), f.Update(four, four, nil), r.Update(four, four, nil)); err != nil {
		t.Fatal(err)
	}
	change()
	for _, m := range []Metric{p, f, r} {
		m.Result() // of the examples so far
		before, _ := m.AppendBinary(nil)
		if err := m.Update(four, four, nil); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "Reset first") {
			t.Errorf("%s: another option between examples: %v", m.Name(), err)
		}
		if err := m.UnmarshalBinary(before); !errors.Is(err, ErrState) {
			t.Errorf("%s: the state of another option: %v", m.Name(), err)
		}
		m.Reset()
		if err := m.Update(four, four, nil); err != nil {
			t.Errorf("%s after Reset: %v", m.Name(), err)
		}
	}
}

// Options that cannot be are errors of Update, and nothing else breaks.
func TestImpossibleOptions(t *testing.T) {
	for _, m := range []Metric{
		&PrecisionAtRecall{NumThresholds: -1}, &RecallAtPrecision{NumThresholds: math.MaxInt}, &F1Score{Width: math.MaxInt}, &FBetaScore{Width: math.MinInt},
		&R2Score{Width: -1}, &R2Score{Width: math.MaxInt},
	} {
		_ = m.Update(nil, nil, nil)
		state, err := m.AppendBinary(nil)
		if err != nil || len(state) > 8 || !math.IsNaN(m.Result()) {
			t.Errorf("%s: state %v, result %v, %v", m.Name(), state, m.Result(), err)
		}
		if err := m.UnmarshalBinary(make([]byte, 32)); !errors.Is(err, ErrState) {
			t.Errorf("%s: a state of 32 bytes: %v", m.Name(), err)
		}
	}
}

func TestCorrelations(t *testing.T) {
	for _, c := range []struct {
		name                string
		metric              Metric
		pred, label, weight []float32
		want                float64
	}{
		{"rising and falling", &PearsonCorrelation{Width: 3}, []float32{1, 2, 3, 3, 2, 1}, []float32{10, 20, 30, 10, 20, 30}, []float32{3, 1}, 0.5},
		{"constant", &PearsonCorrelation{Width: 3}, []float32{1, 2, 3, 0.1, 0.1, 0.1}, []float32{1, 2, 3, 1, 2, 3}, nil, math.NaN()},
		{"constant, without weight", &PearsonCorrelation{Width: 3}, []float32{1, 2, 3, 0.1, 0.1, 0.1}, []float32{1, 2, 3, 1, 2, 3}, []float32{1, 0}, 1},
		{"the same", &ConcordanceCorrelation{Width: 2}, []float32{1, 3}, []float32{1, 3}, nil, 1},
		{"off by 2", &ConcordanceCorrelation{Width: 2}, []float32{1, 3}, []float32{3, 5}, nil, 2.0 / (1 + 1 + 4)},
		{"constant in concordance", &ConcordanceCorrelation{Width: 2}, []float32{1, 1}, []float32{3, 5}, nil, 0},
	} {
		if err := c.metric.Update(c.pred, c.label, c.weight); err != nil {
			t.Fatal(err)
		}
		// Keras' 1e-7 in a denominator of 2 moves the coefficient by half that.
		if got := c.metric.Result(); !(math.Abs(got-c.want) <= 1e-7) && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestNamesOfKeras asks for all classes of keras.metrics, which are for one
// number or several, as Keras writes them and in Keras' snake case. Those about
// segmentation are not there.
func TestNamesOfKeras(t *testing.T) {
	for class, snake := range map[string]string{
		"Mean": "mean", "Sum": "sum", "MeanSquaredError": "mean_squared_error", "RootMeanSquaredError": "root_mean_squared_error",
		"MeanAbsoluteError": "mean_absolute_error", "MeanAbsolutePercentageError": "mean_absolute_percentage_error",
		"MeanSquaredLogarithmicError": "mean_squared_logarithmic_error", "CosineSimilarity": "cosine_similarity",
		"LogCoshError": "log_cosh_error", "R2Score": "r2_score", "AUC": "auc",
		"FalseNegatives": "false_negatives", "FalsePositives": "false_positives", "TrueNegatives": "true_negatives", "TruePositives": "true_positives",
		"Precision": "precision", "Recall": "recall", "ConcordanceCorrelation": "concordance_correlation", "PearsonCorrelation": "pearson_correlation",
		"Hinge": "hinge", "SquaredHinge": "squared_hinge", "CategoricalHinge": "categorical_hinge", "KLDivergence": "kl_divergence", "Poisson": "poisson",
		"BinaryCrossentropy": "binary_crossentropy", "CategoricalCrossentropy": "categorical_crossentropy",
		"SparseCategoricalCrossentropy": "sparse_categorical_crossentropy", "Accuracy": "accuracy", "BinaryAccuracy": "binary_accuracy",
		"CategoricalAccuracy": "categorical_accuracy", "SparseCategoricalAccuracy": "sparse_categorical_accuracy",
		"TopKCategoricalAccuracy": "top_k_categorical_accuracy", "SparseTopKCategoricalAccuracy": "sparse_top_k_categorical_accuracy",
		"F1Score": "f1_score", "FBetaScore": "f_beta_score",
		"PrecisionAtRecall": "precision_at_recall", "RecallAtPrecision": "recall_at_precision",
		"SensitivityAtSpecificity": "sensitivity_at_specificity", "SpecificityAtSensitivity": "specificity_at_sensitivity",
	} {
		for _, name := range []string{class, snake} {
			m, err := NewOf(name, 3)
			if strings.Contains(class, "At") {
				if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "which has no default") {
					t.Errorf("NewOf(%q) = %v, %v, want an error that names what it needs", name, m, err)
				}
			} else if err != nil || m.Name() != name {
				t.Errorf("NewOf(%q) = %v, %v", name, m, err)
			}
		}
	}
}

func ExampleF1Score() {
	f1 := &F1Score{Width: 3} // the largest of three predictions is the class
	err := f1.Update(
		[]float32{0.7, 0.2, 0.1, 0.6, 0.3, 0.1, 0.1, 0.2, 0.7},
		[]float32{1, 0, 0, 0, 1, 0, 0, 0, 1}, nil)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%.3f of the classes, %.3f of all\n", f1.Scores(), f1.Result())
	// Output: [0.667 0.000 1.000] of the classes, 0.556 of all
}

func ExampleRecallAtPrecision() {
	// How many of the clicks are found, when nine of ten that are shown must be clicks?
	m := &RecallAtPrecision{Precision: 0.9}
	err := m.Update([]float32{0.9, 0.8, 0.7, 0.4, 0.3}, []float32{1, 1, 0, 1, 0}, nil)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%.3f\n", m.Result())
	// Output: 0.667
}
