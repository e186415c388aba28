package loss_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/loss"
)

// recorded is a loss that interop/record_layers.py wrote down of the real Keras.
type recorded struct {
	ClassName         string `json:"class_name"`
	Config            map[string]any
	Truth, Prediction array
	Weights           []float32
	Value             float64
	Gradient          []float32
	Wrong             string // what Keras does wrong: another test says what is right
}

type array struct {
	Shape  []int
	Values []float32
}

func (a array) floats() dense.Array { return dense.Floats(a.Values, a.Shape...) }

// readRecorded returns the recorded losses, and the names that Keras knows.
func readRecorded(t *testing.T) (all struct {
	Names  []string
	Losses []recorded
}) {
	t.Helper()
	text := must[[]byte](t)(os.ReadFile("testdata/keras.json"))
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestNamesOfKeras: whatever Keras 3 has a name for is here, but for CTC, which
// judges sequences of labels.
func TestNamesOfKeras(t *testing.T) {
	names := readRecorded(t).Names
	if len(names) < 30 {
		t.Fatalf("names %v were recorded, want all of Keras", names)
	}
	for _, name := range names {
		if _, err := loss.ByName(name); (err == nil) == (name == "CTC" || name == "ctc") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestLossesAreThoseOfKeras: the value, and the gradient by the prediction.
func TestLossesAreThoseOfKeras(t *testing.T) {
	all := readRecorded(t)
	if len(all.Losses) != 65 {
		t.Fatalf("%d losses were recorded, want 65", len(all.Losses))
	}
	for _, c := range all.Losses {
		l, err := loss.FromConfig(loss.Config{ClassName: c.ClassName, Config: c.Config})
		if err != nil {
			t.Errorf("%s: %v", c.ClassName, err)
			continue
		}
		value, gradient := evaluate(t, l, c.Truth.floats(), c.Prediction.floats(), c.Weights)
		what := fmt.Sprint(c.ClassName, " ", c.Config)
		if c.Wrong != "" {
			continue
		}
		agree(t, what, []float32{value}, []float32{float32(c.Value)})
		agree(t, what+": gradient", gradient, c.Gradient)
	}
}

// agree compares float32 results of a few operations with those of another
// library: functions such as exp differ in the last places, and a difference of
// large numbers, or a mean of a batch, keeps that error.
func agree(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i, w := range want {
		if math.Abs(float64(got[i])-float64(w)) > 3e-6*(1+math.Abs(float64(w))) || got[i] != got[i] {
			t.Errorf("%s: number %d is %v, Keras has %v", what, i, got[i], w)
		}
	}
}
