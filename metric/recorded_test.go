package metric

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// TestMetricsAreThoseOfKeras reads the config that Keras wrote of a metric, and
// compares the results of the same two or three batches; where Keras' result is
// of each class, those of the classes, and their mean. Keras computes in
// float32: the tolerance is ten times its last place.
func TestMetricsAreThoseOfKeras(t *testing.T) {
	text, err := os.ReadFile("testdata/keras.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Cases []struct {
			Config
			Width   int
			Batches []struct{ Pred, Label, Weight []float32 }
			Result  float64
			Scores  []float64
		}
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded.Cases) != 228 {
		t.Fatalf("%d cases, want 228", len(recorded.Cases))
	}
	for i, c := range recorded.Cases {
		m, err := FromConfig(c.Config, c.Width)
		if err != nil {
			t.Errorf("case %d: %v", i, err)
			continue
		}
		if m.Name() != c.Config.Config["name"] {
			t.Errorf("case %d: the metric goes by %q, in Keras by %q", i, m.Name(), c.Config.Config["name"])
		}
		for _, b := range c.Batches {
			if err := m.Update(b.Pred, b.Label, b.Weight); err != nil {
				t.Errorf("case %d, %s: %v", i, c.ClassName, err)
			}
		}
		if got := m.Result(); !near(got, c.Result) {
			t.Errorf("case %d, %s %v: %v, Keras says %v", i, c.ClassName, c.Config.Config, got, c.Result)
		}
		if c.Scores == nil {
			continue
		}
		if got := inner(m).(interface{ Scores() []float64 }).Scores(); !slices.EqualFunc(got, c.Scores, near) {
			t.Errorf("case %d, %s %v: of each class %v, Keras says %v", i, c.ClassName, c.Config.Config, got, c.Scores)
		}
	}
}

// near is the tolerance of what Keras computed in float32.
func near(got, want float64) bool { return math.Abs(got-want) <= 1.2e-6*(1+math.Abs(want)) }
