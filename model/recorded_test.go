package model

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recordedCallbacks is what interop/record_callbacks.py wrote down of the real Keras.
type recordedCallbacks struct {
	CSV           string `json:"csv"`
	EarlyStopping []struct {
		Options struct {
			Mode     string
			Patience int
			MinDelta float64 `json:"min_delta"`
			Baseline *float64
			Start    int `json:"start_from_epoch"`
		}
		Values         []float64
		Stop, Restored int
	} `json:"early_stopping"`
	Plateau []struct {
		Options struct {
			Mode     string
			Patience int
			MinDelta float64 `json:"min_delta"`
			Cooldown int
			Factor   float64
			MinRate  float32 `json:"min_lr"`
		}
		Values []float64
		Rates  []float32
	} `json:"reduce_lr_on_plateau"`
}

func readCallbacks(t *testing.T) *recordedCallbacks {
	t.Helper()
	r := new(recordedCallbacks)
	check(t, json.Unmarshal(must[[]byte](t)(os.ReadFile("testdata/keras.json")), r))
	if len(r.EarlyStopping) != 32 || len(r.Plateau) != 16 {
		t.Fatalf("%d and %d cases were recorded, want 32 and 16", len(r.EarlyStopping), len(r.Plateau))
	}
	return r
}

// TestEarlyStoppingIsKeras: of the same numbers it ends with the same epoch, and
// goes back to the same one.
func TestEarlyStoppingIsKeras(t *testing.T) {
	for i, c := range readCallbacks(t).EarlyStopping {
		s := &EarlyStopping{Monitor: "v", Mode: c.Options.Mode, Patience: c.Options.Patience, MinDelta: c.Options.MinDelta,
			Baseline: c.Options.Baseline, StartFromEpoch: c.Options.Start}
		stop := -1
		for epoch, v := range c.Values {
			e := &Event{Epoch: epoch, Logs: Logs{{"v", v}}}
			check(t, s.OnEpochEnd(t.Context(), e))
			if e.stop {
				stop = epoch
				break
			}
		}
		if best, _, _ := s.BestEpoch(); stop != c.Stop || best != c.Restored {
			t.Errorf("case %d, %+v of %v: stops at %d and restores %d, Keras %d and %d", i, c.Options, c.Values, stop, best, c.Stop, c.Restored)
		}
	}
}

// TestReduceLROnPlateauIsKeras: the same numbers give the same rates, epoch by epoch.
func TestReduceLROnPlateauIsKeras(t *testing.T) {
	for i, c := range readCallbacks(t).Plateau {
		m := compileHybrid(t, 1)
		check(t, m.SetLearningRate(0.1))
		s := &ReduceLROnPlateau{Monitor: "v", Mode: c.Options.Mode, Patience: c.Options.Patience, MinDelta: &c.Options.MinDelta,
			Cooldown: c.Options.Cooldown, Factor: c.Options.Factor, MinRate: c.Options.MinRate}
		var rates []float32
		for epoch, v := range c.Values {
			check(t, s.OnEpochEnd(t.Context(), &Event{Model: m, Epoch: epoch, Logs: Logs{{"v", v}}}))
			rates = append(rates, must[float32](t)(m.LearningRate()))
		}
		if !slices.Equal(rates, c.Rates) {
			t.Errorf("case %d, %+v of %v: rates %v, Keras %v", i, c.Options, c.Values, rates, c.Rates)
		}
	}
}

// TestCSVIsThatOfKeras but for the ends of lines, which Python's module writes as "\r\n".
func TestCSVIsThatOfKeras(t *testing.T) {
	m := compileHybrid(t, 1)
	m.at.History = History{{0, Logs{{"loss", 0.5}, {"auc", 0.25}, {"val_loss", 1. / 3}}}, {1, Logs{{"loss", 0.125}, {"auc", math.NaN()}, {"val_loss", 2}}}}
	l := &CSVLogger{Path: filepath.Join(t.TempDir(), "log.csv")}
	check(t, l.OnEpochEnd(t.Context(), &Event{Model: m}))
	want := strings.ReplaceAll(readCallbacks(t).CSV, "\r\n", "\n")
	got := string(must[[]byte](t)(os.ReadFile(l.Path)))
	if want = strings.ReplaceAll(want, "2.0\n", "2\n"); got != want {
		t.Errorf("%q, Keras writes %q", got, want)
	}
}
