package initializer_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
)

// TestSpreadIsThatOfKeras compares what does not depend on the random bits with
// what was recorded from a million values of Keras. A quarter of them gives the
// standard deviation to 0.15 %; of a normal distribution's extremes nothing.
func TestSpreadIsThatOfKeras(t *testing.T) {
	text, err := os.ReadFile("testdata/keras.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		FanIn  int `json:"fan_in"`
		FanOut int `json:"fan_out"`
		Cases  []struct {
			initializer.Config
			Mean, Stddev, Min, Max float64
		}
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded.Cases) != 18 {
		t.Fatalf("%d cases, want 18", len(recorded.Cases))
	}
	for _, c := range recorded.Cases {
		i, err := initializer.FromConfig(c.Config)
		if err != nil {
			t.Errorf("%+v: %v", c.Config, err)
			continue
		}
		rows := recorded.FanIn / 4
		values := make([]float32, rows*recorded.FanOut)
		fan := initializer.Fan{In: recorded.FanIn, Out: recorded.FanOut}
		for r := range rows {
			i.Row(values[r*fan.Out:][:fan.Out], initializer.Stream(1, "kernel", uint64(r)), fan)
		}
		mean, stddev, least, most := describe(values)
		if math.Abs(stddev/c.Stddev-1) > 0.005 || math.Abs(mean-c.Mean) > 0.009*c.Stddev {
			t.Errorf("%+v: mean %v and standard deviation %v, Keras %v and %v", c.Config, mean, stddev, c.Mean, c.Stddev)
		}
		if c.Max < 2.5*c.Stddev && (math.Abs(most/c.Max-1) > 0.001 || math.Abs(least/c.Min-1) > 0.001) {
			t.Errorf("%+v: from %v to %v, Keras from %v to %v", c.Config, least, most, c.Min, c.Max)
		}
	}
}

func describe(values []float32) (mean, stddev, least, most float64) {
	sum, squares := 0.0, 0.0
	for _, v := range values {
		x := float64(v)
		sum, squares = sum+x, squares+x*x
		least, most = min(least, x), max(most, x)
	}
	n := float64(len(values))
	return sum / n, math.Sqrt(squares/n - sum/n*sum/n), least, most
}
