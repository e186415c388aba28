package metric

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// wide returns one of every metric of examples of three numbers, with labels
// that are one-hot or class numbers.
func wide() []Metric {
	return []Metric{
		&CosineSimilarity{Width: 3}, &KLDivergence{Width: 3}, &R2Score{Width: 3}, &NDCG{Width: 3}, &MRR{Width: 3},
		&CategoricalAccuracy{Classes: 3}, &TopKCategoricalAccuracy{Classes: 3, K: 2}, &CategoricalCrossentropy{Classes: 3}, &CategoricalHinge{Classes: 3},
		&Precision{Width: 3, TopK: 2}, &Recall{Width: 3, TopK: 1}, &F1Score{Width: 3}, &FBetaScore{Width: 3, Average: "weighted", Beta: 2}, &ConcordanceCorrelation{Width: 3},
	}
}

func two() *float32 {
	x := float32(2)
	return &x
}

func TestWideByHand(t *testing.T) {
	log2 := math.Log2
	for _, c := range []struct {
		name                string
		metric              Metric
		pred, label, weight []float32
		want                float64
	}{
		{"ndcg, best order", &NDCG{Width: 3}, []float32{3, 1, 2}, []float32{2, 0, 1}, nil, 1},
		{"ndcg, worst order", &NDCG{Width: 3}, []float32{1, 3, 2}, []float32{2, 0, 1}, nil, (1/log2(3) + 3/log2(4)) / (3 + 1/log2(3))},
		{"ndcg at 1", &NDCG{Width: 3, K: 1}, []float32{1, 3, 2}, []float32{2, 0, 1}, nil, 0},
		{"ndcg at 9 of 3", &NDCG{Width: 3, K: 9}, []float32{3, 1, 2}, []float32{2, 0, 1}, nil, 1},
		{"ndcg, a constant score gains nothing", &NDCG{Width: 2}, []float32{5, 5}, []float32{1, 0}, nil, 1 / log2(3)},
		{"ndcg, lists of nothing do not count", &NDCG{Width: 2}, []float32{2, 1, 1, 2}, []float32{1, 0, 0, 0}, nil, 1},
		{"mrr", &MRR{Width: 3}, []float32{3, 1, 2, 1, 2, 3}, []float32{0, 0, 1, 1, 0, 0}, nil, (1.0/2 + 1.0/3) / 2},
		{"mrr at 2", &MRR{Width: 3, K: 2}, []float32{3, 1, 2, 1, 2, 3}, []float32{0, 0, 1, 1, 0, 0}, nil, 1.0 / 4},
		{"mrr weighted", &MRR{Width: 3}, []float32{3, 1, 2, 1, 2, 3}, []float32{0, 0, 1, 1, 0, 0}, []float32{3, 1}, (3.0/2 + 1.0/3) / 4},
		{"mrr, a constant score gains nothing", &MRR{Width: 2}, []float32{5, 5}, []float32{1, 0}, nil, 1.0 / 2},
		{"f1", &F1{}, []float32{1, 1, 1, 0, 0}, []float32{1, 1, 0, 1, 0}, nil, 2.0 / 3},
		{"f1 of nothing right", &F1{}, []float32{0}, []float32{0}, nil, 0},
		{"precision that says nothing", &Precision{}, []float32{0.1}, []float32{1}, nil, 0},
		{"recall of nothing", &Recall{}, []float32{0.9}, []float32{0}, nil, 0},
		{"precision at 2", &Precision{Width: 3, TopK: 2}, []float32{3, 1, 2, 1, 1, 1}, []float32{0, 0, 1, 1, 0, 1}, nil, 2.0 / 4},
		{"precision at 2, weighted", &Precision{Width: 3, TopK: 2}, []float32{3, 1, 2, 1, 1, 1}, []float32{0, 0, 1, 1, 1, 0}, []float32{1, 3}, 7.0 / 8},
		{"precision at 2, above 2", &Precision{Width: 3, TopK: 2, Threshold: two()}, []float32{3, 1, 2, 4, 4, 4}, []float32{0, 0, 1, 1, 0, 1}, nil, 1.0 / 3},
		{"recall at 2 of small scores", &Recall{Width: 3, TopK: 2}, []float32{-3, inf(-1), -2, -1, -1, -1}, []float32{0, 1, 1, 1, 0, 1}, nil, 2.0 / 4},
		{"recall at 9 of 3", &Recall{Width: 3, TopK: 9}, []float32{3, 1, 2}, []float32{1, 1, 1}, nil, 1},
		{"r2 of the mean", &R2Score{}, []float32{2, 2}, []float32{1, 3}, nil, 0},
		{"r2 of what is right", &R2Score{}, []float32{1, 3}, []float32{1, 3}, nil, 1},
		{"cosine of zeros", &CosineSimilarity{Width: 2}, []float32{0, 0}, []float32{1, 1}, nil, 0},
		{"log cosh far out", &LogCosh{}, []float32{1000}, []float32{0}, nil, 1000 - math.Ln2},
		{"auc_pr of what is right", &AUC{Curve: "PR"}, []float32{1, 2, 3}, []float32{0, 1, 1}, nil, 1},
		{"auc_pr, all tied", &AUC{Curve: "PR"}, []float32{3, 3, 3, 3}, []float32{0, 1, 0, 0}, nil, 0.25},
	} {
		if err := c.metric.Update(c.pred, c.label, c.weight); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := c.metric.Result(); !(math.Abs(got-c.want) <= 1e-9*(1+math.Abs(c.want))) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWideRefused(t *testing.T) {
	three := []float32{0, 1, 0}
	for _, c := range []struct {
		metric      Metric
		pred, label []float32
		kind        error
		want        string
	}{
		{&CosineSimilarity{}, three, three, ErrValue, "Width must be at least 1, got 0"},
		{&NDCG{}, three, three, ErrValue, "Width must be at least 1, got 0"},
		{&KLDivergence{Width: 2}, three, three, ErrShape, "examples of 2 numbers each; got 3 predictions and 3 labels"},
		{&R2Score{Width: 3}, three, three[:2], ErrShape, "3 predictions and 2 labels"},
		{&MRR{Width: 3}, []float32{1, nan, 1}, three, ErrNaN, "the prediction of example 0"},
		{&MRR{Width: 3}, three, []float32{1, nan, 1}, ErrNaN, "the label of example 0"},
		{&MRR{Width: 3}, three, []float32{1, -1, 1}, ErrValue, "at least 0, got -1"},
		{&NDCG{Width: 3, K: -1}, three, three, ErrValue, "K must be at least 1, got -1"},
		{&TopKCategoricalAccuracy{Classes: 3, K: -1}, three, three, ErrValue, "K must be at least 1, got -1"},
		{&TopKCategoricalAccuracy{}, three, three, ErrValue, "Classes must be at least 2"},
		{&CategoricalCrossentropy{Classes: 3}, []float32{-1, 1, 1}, three, ErrValue, "set Logits"},
		{&CategoricalCrossentropy{Classes: 3, Smoothing: 2}, three, three, ErrValue, "Smoothing must be from 0 to 1"},
		{&CategoricalHinge{Classes: 3}, three, []float32{3}, ErrValue, "classes are whole numbers from 0 to 2"},
		{&Precision{Width: 3, TopK: -1}, three, three, ErrValue, "TopK must be at least 1, got -1"},
		{&Recall{Width: 2, TopK: 1}, three, three, ErrShape, "examples of 2 numbers each"},
		{&Recall{Width: 3, TopK: 1}, three, []float32{0, 2, 0}, ErrValue, "it must be 0 or 1"},
		{&LogLoss{Smoothing: nan64}, three, three, ErrValue, "Smoothing must be from 0 to 1, got NaN"},
		{&Precision{}, three, []float32{0, 2, 0}, ErrValue, "it must be 0 or 1"},
		{&AUC{Curve: "roc"}, three, three, ErrValue, `Curve must be "ROC" or "PR", got "roc"`},
	} {
		err := c.metric.Update(c.pred, c.label, nil)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.metric.Name(), err, c.want)
		}
	}
}

var nan64 = math.NaN()

// TestWideState: batches do not matter, and a saved state goes on.
func TestWideState(t *testing.T) {
	_, label, weight := examples(60, 6)
	pred, _, _ := examples(60, 7)
	for i := range pred {
		pred[i] += 0.01
	}
	weight = weight[:20]
	for i, whole := range wide() {
		one, other := wide()[i], wide()[i]
		if got := whole.Result(); !math.IsNaN(got) {
			t.Errorf("%s of nothing is %v, want NaN", whole.Name(), got)
		}
		err := errors.Join(whole.Update(pred, label, weight), one.Update(pred[:30], label[:30], weight[:10]))
		state, err2 := one.AppendBinary(nil)
		err = errors.Join(err, err2, other.Update(pred, label, nil), other.UnmarshalBinary(state), other.Update(pred[30:], label[30:], weight[10:]))
		if err != nil {
			t.Fatal(whole.Name(), err)
		}
		if a, b := whole.Result(), other.Result(); a != b || math.IsNaN(a) {
			t.Errorf("%s: %v at once, %v taken up again", whole.Name(), a, b)
		}
		if err := other.UnmarshalBinary(state[1:]); !errors.Is(err, ErrState) {
			t.Errorf("%s: damaged state gave %v", whole.Name(), err)
		}
		other.Reset()
		if got := other.Result(); !math.IsNaN(got) {
			t.Errorf("%s after Reset is %v", whole.Name(), got)
		}
	}
}

func TestConfigRefusals(t *testing.T) {
	for _, c := range []struct {
		class  string
		config map[string]any
		width  int
		is     error
		says   string
	}{
		{"MeanSquaredErrr", nil, 1, ErrName, "unknown metric"},
		{"mse", map[string]any{"name": "m"}, 1, nil, ""},
		{"AUC", map[string]any{"curve": "PR", "num_thresholds": 999.0}, 1, nil, ""},
		{"AUC", map[string]any{"curves": "PR"}, 1, ErrConfig, `did you mean "curve"?`},
		{"AUC", map[string]any{"multi_label": true}, 1, ErrConfig, "multi_label is not supported here. Received: multi_label=true"},
		{"AUC", map[string]any{"label_weights": []any{1.0}}, 1, ErrConfig, "label_weights"},
		{"Precision", map[string]any{"thresholds": []any{0.1, 0.2}}, 1, ErrConfig, "one number"},
		{"Precision", map[string]any{"top_k": 3.0}, 4, nil, ""},
		{"Precision", map[string]any{"class_id": 3.0}, 4, ErrConfig, "class_id is not supported"},
		{"TruePositives", map[string]any{"top_k": 3.0}, 4, ErrConfig, `has no argument "top_k"`},
		{"TopKCategoricalAccuracy", map[string]any{"k": "x"}, 4, ErrConfig, "TopKCategoricalAccuracy"},
		{"TopKCategoricalAccuracy", nil, 1, ErrName, "several numbers"},
		{"R2Score", map[string]any{"class_aggregation": "variance_weighted_average"}, 1, ErrConfig, "class_aggregation"},
		{"TruePositives", map[string]any{"thresholds": []any{0.1, 0.2}}, 1, ErrConfig, "one number"},
		{"TruePositives", map[string]any{"threshold": 0.1}, 1, ErrConfig, `did you mean "thresholds"?`},
		{"PrecisionAtRecall", map[string]any{"recall": 1.0, "num_thresholds": 50.0, "class_id": nil}, 1, nil, ""},
		{"PrecisionAtRecall", map[string]any{"num_thresholds": 50.0}, 1, ErrConfig, `"precision_at_recall" needs recall, which has no default`},
		{"PrecisionAtRecall", map[string]any{"precision": 1.0}, 1, ErrConfig, `has no argument "precision"`},
		{"RecallAtPrecision", map[string]any{"precision": 1.0, "class_id": 2.0}, 1, ErrConfig, "class_id is not supported"},
		{"F1Score", map[string]any{"beta": 2.0}, 2, ErrConfig, `has no argument "beta"`},
		{"F1Score", nil, 1, ErrName, "several numbers"},
		{"F1Score", map[string]any{"threshold": 0.5}, 1, nil, ""},
		{"Accuracy", map[string]any{"threshold": 0.5}, 1, ErrConfig, `has no argument "threshold"`},
		{"Mean", map[string]any{"k": 3.0}, 1, ErrConfig, `Mean has no argument "k"`},
	} {
		m, err := FromConfig(Config{c.class, c.config}, c.width)
		if c.is == nil && (err != nil || m == nil) || c.is != nil && (!errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s %v: %v, want %v that says %q", c.class, c.config, err, c.is, c.says)
		}
	}
}
