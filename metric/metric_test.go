package metric

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

var nan = float32(math.NaN())

func inf(sign int) float32 { return float32(math.Inf(sign)) }

func half() *float32 {
	x := float32(0.25)
	return &x
}

// all returns one of every metric that takes a label of 0 or 1 a prediction.
func all() []Metric {
	clipped, _ := ClipPredictions(&RMSE{}, 0.25, 0.75)
	return append(counting(),
		&Mean{}, &MSE{}, &RMSE{}, &MAE{}, &BinaryAccuracy{}, &LogLoss{}, &AUC{}, &AUC{Bits: 16},
		clipped, LabelAtLeast(&AUC{}, 0.5),
		&Sum{}, &MAPE{}, &MSLE{}, &LogCosh{}, &Poisson{}, &R2Score{}, &Precision{}, &Recall{}, &F1{}, &Hinge{}, &SquaredHinge{},
		&AUC{Curve: "PR"}, &AUC{Curve: "PR", Bits: 16}, Named("mean_squared_error", &MSE{}),
	)
}

func TestByHand(t *testing.T) {
	for _, c := range []struct {
		name                string
		metric              Metric
		pred, label, weight []float32
		want                float64
	}{
		{"mean", &Mean{}, []float32{1, 2, 6}, nil, nil, 3},
		{"mean weighted", &Mean{}, []float32{1, 2, 6}, nil, []float32{2, 2, 0}, 1.5},
		{"mse", &MSE{}, []float32{1, 2}, []float32{3, 2}, nil, 2},
		{"rmse", &RMSE{}, []float32{1, 2, 2, 2}, []float32{3, 2, 2, 2}, nil, 1},
		{"rmse weighted", &RMSE{}, []float32{1, 2}, []float32{3, 2}, []float32{3, 1}, math.Sqrt(3)},
		{"mae", &MAE{}, []float32{1, 5}, []float32{3, 2}, nil, 2.5},
		{"mae, a weight for two outputs", &MAE{}, []float32{1, 1, 5, 6}, []float32{0, 0, 0, 0}, []float32{3, 1}, 17.0 / 8},
		{"mae, infinite but unweighted", &MAE{}, []float32{1, inf(1)}, []float32{0, 0}, []float32{1, 0}, 1},
		{"accuracy", &BinaryAccuracy{}, []float32{0.5, 0.51, 0.9, 0.1}, []float32{0, 1, 0, 0}, nil, 0.75},
		{"accuracy at 0.25", &BinaryAccuracy{Threshold: half()}, []float32{0.5, 0.25}, []float32{1, 0}, nil, 1},
		{"categorical, class numbers", &CategoricalAccuracy{Classes: 3}, []float32{0, 2, 1, 5, 5, 1}, []float32{1, 1}, nil, 0.5},
		{"categorical, one hot", &CategoricalAccuracy{Classes: 2}, []float32{0, 2, 3, 1}, []float32{0, 1, 0, 1}, []float32{3, 1}, 0.75},
		{"logloss", &LogLoss{}, []float32{0.5, 0.25}, []float32{1, 0}, nil, (math.Log(2) - math.Log(0.75)) / 2},
		{"logloss, soft label", &LogLoss{}, []float32{0.25}, []float32{0.5}, nil, -(math.Log(0.25) + math.Log(0.75)) / 2},
		{"logloss, sure and wrong", &LogLoss{}, []float32{1}, []float32{0}, nil, -math.Log(1e-7)},
		{"logloss of logits", &LogLoss{Logits: true}, []float32{0, 2}, []float32{1, 0}, nil, (math.Log(2) + math.Log1p(math.Exp(2))) / 2},
		{"logloss of great logits", &LogLoss{Logits: true}, []float32{1000, inf(-1)}, []float32{0, 0}, nil, 500},
		{"auc", &AUC{}, []float32{0.1, 0.4, 0.35, 0.8}, []float32{0, 0, 1, 1}, nil, 0.75},
		{"auc, ties share", &AUC{}, []float32{1, 1, 2, 0}, []float32{0, 1, 1, 0}, nil, 3.5 / 4},
		{"auc, all tied", &AUC{}, []float32{3, 3, 3}, []float32{0, 1, 0}, nil, 0.5},
		{"auc, zeros tie", &AUC{}, []float32{0, float32(math.Copysign(0, -1))}, []float32{0, 1}, nil, 0.5},
		{"auc, infinite scores", &AUC{}, []float32{inf(-1), inf(1), -5}, []float32{0, 1, 1}, nil, 1},
		{"auc weighted", &AUC{}, []float32{1, 2, 3}, []float32{0, 1, 0}, []float32{3, 2, 1}, 0.75},
		{"auc, great scores", &AUC{}, []float32{1e30, 3e30, 2e30}, []float32{0, 1, 1}, nil, 1},
	} {
		if err := c.metric.Update(c.pred, c.label, c.weight); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := c.metric.Result(); math.Abs(got-c.want) > 1e-7*math.Abs(c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTransforms(t *testing.T) {
	rmse, err := ClipPredictions(&RMSE{}, 0.5, 5)
	if err != nil {
		t.Fatal(err)
	}
	pred := []float32{7, -1}
	if err := rmse.Update(pred, []float32{5, 0.5}, nil); err != nil || rmse.Result() != 0 {
		t.Errorf("clipped RMSE = %v, %v; want 0", rmse.Result(), err)
	}
	if pred[0] != 7 {
		t.Error("the caller's predictions were changed")
	}
	if _, err := ClipPredictions(&RMSE{}, 5, 0.5); !errors.Is(err, ErrValue) {
		t.Errorf("bounds in the wrong order: %v", err)
	}
	auc := LabelAtLeast(&AUC{}, 4)
	if err := auc.Update([]float32{1, 2, 3}, []float32{3.5, 5, 4}, nil); err != nil || auc.Result() != 1 {
		t.Errorf("AUC of ratings = %v, %v; want 1", auc.Result(), err)
	}
	if err := auc.Update([]float32{1}, []float32{nan}, nil); !errors.Is(err, ErrNaN) {
		t.Errorf("a NaN label passed the threshold: %v", err)
	}
}

func TestNoExamples(t *testing.T) {
	for _, m := range all() {
		if got := m.Result(); !math.IsNaN(got) {
			t.Errorf("%s of nothing is %v, want NaN", m.Name(), got)
		}
		if err := m.Update(nil, nil, nil); err != nil {
			t.Errorf("%s: an empty batch: %v", m.Name(), err)
		}
	}
	a := &AUC{}
	if err := a.Update([]float32{1, 2}, []float32{1, 1}, nil); err != nil || !math.IsNaN(a.Result()) {
		t.Errorf("AUC of one label is %v, %v; want NaN", a.Result(), err)
	}
}

func TestRefused(t *testing.T) {
	two := []float32{0, 1}
	for _, c := range []struct {
		metric              Metric
		pred, label, weight []float32
		kind                error
		want                string
	}{
		{&RMSE{}, []float32{1, nan}, two, nil, ErrNaN, "metric: not a number: rmse: the prediction of example 1 of the batch is NaN (counted from 0)"},
		{&Mean{}, []float32{nan}, nil, nil, ErrNaN, "the prediction of example 0"},
		{&AUC{}, two, []float32{nan, 1}, nil, ErrNaN, "auc: the label of example 0"},
		{&CategoricalAccuracy{Classes: 2}, []float32{0, 1, nan, 1}, two, nil, ErrNaN, "the prediction of example 1"},
		{&CategoricalAccuracy{Classes: 2}, []float32{0, 1, 1, 1}, []float32{0, 1, nan, 0}, nil, ErrNaN, "the label of example 1"},
		{&MAE{}, two, two, []float32{1, nan}, ErrNaN, "weight 1 of the batch is NaN"},
		{&MAE{}, two, two, []float32{1, -1}, ErrValue, "weight 1 of the batch is -1; weights are finite and at least 0"},
		{&MAE{}, two, two, []float32{1, inf(1)}, ErrValue, "weight 1 of the batch is +Inf"},
		{&MAE{}, two, two, []float32{1, 1, 1}, ErrShape, "3 weights do not divide 2 predictions evenly"},
		{&MAE{}, two, two, []float32{}, ErrShape, "0 weights"},
		{&MSE{}, two, []float32{1}, nil, ErrShape, "metric: lengths do not agree: mse: 2 predictions need as many labels, got 1"},
		{&BinaryAccuracy{}, two, []float32{0, 4}, nil, ErrValue, "the label of example 1 of the batch is 4; it must be 0 or 1 (LabelAtLeast makes it so)"},
		{&AUC{}, two, []float32{0, 0.5}, nil, ErrValue, "is 0.5; it must be 0 or 1"},
		{&AUC{Bits: 4}, two, two, nil, ErrValue, "Bits must be 0 or from 8 to 24, got 4"},
		{&LogLoss{}, []float32{0, 1.5}, two, nil, ErrValue, "is 1.5; it must be from 0 to 1 (set Logits if the predictions are logits)"},
		{&LogLoss{}, two, []float32{0, 2}, nil, ErrValue, "the label of example 1 of the batch is 2"},
		{&CategoricalAccuracy{}, two, two, nil, ErrValue, "Classes must be at least 2, got 0"},
		{&CategoricalAccuracy{Classes: 2}, two, []float32{2}, nil, ErrValue, "classes are whole numbers from 0 to 1"},
		{&CategoricalAccuracy{Classes: 2}, two, []float32{0.5}, nil, ErrValue, "is 0.5"},
		{&CategoricalAccuracy{Classes: 2}, []float32{1, 2, 3}, two, nil, ErrShape, "3 predictions of 2 classes"},
	} {
		err := c.metric.Update(c.pred, c.label, c.weight)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.metric.Name(), err, c.want)
		}
	}
}

// A batch that is refused at its last example must leave no trace of the first.
func TestRefusedLeavesNoTrace(t *testing.T) {
	for _, m := range all() {
		if err := m.Update([]float32{0.25, 0.5, 0.75}, []float32{0, 1, 1}, nil); err != nil {
			t.Fatal(m.Name(), err)
		}
		before, _ := m.AppendBinary(nil)
		if err := m.Update([]float32{0.25, nan}, []float32{1, 1}, nil); !errors.Is(err, ErrNaN) {
			t.Errorf("%s: a NaN gave %v", m.Name(), err)
		}
		if after, _ := m.AppendBinary(nil); !bytes.Equal(before, after) {
			t.Errorf("%s: a refused batch changed the state", m.Name())
		}
	}
}

func examples(n int, seed uint64) (pred, label, weight []float32) {
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		pred = append(pred, float32(r.IntN(20))/20)
		label = append(label, float32(r.IntN(2)))
		weight = append(weight, r.Float32())
	}
	return pred, label, weight
}

func TestBatchesDoNotMatter(t *testing.T) {
	pred, label, weight := examples(1000, 1)
	whole, cut := all(), all()
	for i := range whole {
		if err := whole[i].Update(pred, label, weight); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < 1000; at += 7 {
			to := min(at+7, 1000)
			if err := cut[i].Update(pred[at:to], label[at:to], weight[at:to]); err != nil {
				t.Fatal(err)
			}
			if at%70 == 0 {
				cut[i].Result() // asking in between changes nothing
			}
		}
		if a, b := whole[i].Result(), cut[i].Result(); a != b {
			t.Errorf("%s: %v at once, %v in batches", whole[i].Name(), a, b)
		}
	}
}

func TestStateGoesOn(t *testing.T) {
	pred, label, weight := examples(100, 2)
	one, other := all(), all()
	for i := range one {
		first := func(m Metric) error { return m.Update(pred[:40], label[:40], weight[:40]) }
		rest := func(m Metric) error { return m.Update(pred[40:], label[40:], weight[40:]) }
		err := errors.Join(first(one[i]), rest(other[i]), first(other[i])) // other's own examples must go
		state, err2 := one[i].AppendBinary([]byte("x"))
		state = state[1:]
		err = errors.Join(err, err2, other[i].UnmarshalBinary(state), rest(one[i]), rest(other[i]))
		if err != nil {
			t.Fatal(one[i].Name(), err)
		}
		if a, b := one[i].Result(), other[i].Result(); a != b || math.IsNaN(a) {
			t.Errorf("%s: %v, and %v when taken up again", one[i].Name(), a, b)
		}
		if err := other[i].UnmarshalBinary(state[:len(state)-1]); !errors.Is(err, ErrState) {
			t.Errorf("%s: damaged state gave %v", one[i].Name(), err)
		}
		one[i].Reset()
		if got := one[i].Result(); !math.IsNaN(got) {
			t.Errorf("%s after Reset is %v", one[i].Name(), got)
		}
	}
}

func TestNew(t *testing.T) {
	for _, name := range Names() {
		m, err := New(name)
		if err != nil || m.Name() != name {
			t.Errorf("New(%q) = %v, %v", name, m, err)
		}
	}
	_, err := New("rsme")
	want := `metric: unknown metric: "rsme"; did you mean "rmse"? (known: [mean sum mse rmse `
	if !errors.Is(err, ErrName) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = New("categorical_accuracy")
	want = `"categorical_accuracy" measures examples of several numbers, such as classes; those here have 1`
	if !errors.Is(err, ErrName) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	// Keras takes the names of classes too, and reports them as they were written.
	for class, want := range map[string]Metric{"AUC": &AUC{}, "MeanSquaredError": &MSE{}, "RootMeanSquaredError": &RMSE{}, "BinaryAccuracy": &BinaryAccuracy{}, "R2Score": &R2Score{Width: 1}, "TruePositives": &TruePositives{}, "Accuracy": &ExactAccuracy{}, "LogCoshError": &LogCosh{}} {
		m, err := New(class)
		if err != nil || m.Name() != class || !reflect.DeepEqual(inner(m), want) {
			t.Errorf("New(%q) = %#v, %v, want a %T of that name", class, m, err, want)
		}
	}
	for name := range aliases {
		if m, err := NewOf(name, 3); err != nil || m.Name() != name {
			t.Errorf("NewOf(%q, 3) = %v, %v", name, m, err)
		}
	}
}

func ExampleAUC() {
	auc := LabelAtLeast(&AUC{}, 4) // does the score find the ratings of 4 and more?
	for _, batch := range [][2][]float32{
		{{3.1, 4.4}, {2, 5}},
		{{3.9, 3.1}, {3.5, 4}},
	} {
		if err := auc.Update(batch[0], batch[1], nil); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(auc.Result())
	// Output: 0.625
}

func TestNamed(t *testing.T) {
	m := Named("other", &MAE{})
	if err := m.Update([]float32{1, 2}, []float32{2, 4}, nil); err != nil {
		t.Fatal(err)
	}
	if m.Name() != "other" || m.Result() != 1.5 {
		t.Errorf("%s = %v, want other = 1.5", m.Name(), m.Result())
	}
	state, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	again := Named("third", &MAE{})
	if err := again.UnmarshalBinary(state); err != nil || again.Result() != 1.5 {
		t.Errorf("restored = %v, %v; want 1.5", again.Result(), err)
	}
}
