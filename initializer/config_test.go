package initializer_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
)

func contains(err error, message string) bool {
	return err != nil && strings.Contains(err.Error(), message)
}

func TestByName(t *testing.T) {
	tests := []struct {
		name string
		want initializer.Initializer
	}{
		{"uniform", initializer.RandomUniform{Min: -0.05, Max: 0.05}},
		{"random_uniform", initializer.RandomUniform{Min: -0.05, Max: 0.05}},
		{"RandomUniform", initializer.RandomUniform{Min: -0.05, Max: 0.05}},
		{"normal", initializer.RandomNormal{Stddev: 0.05}},
		{"truncated_normal", initializer.TruncatedNormal{Stddev: 0.05}},
		{"zeros", initializer.Zeros{}}, {"zero", initializer.Zeros{}},
		{"ones", initializer.Ones{}}, {"one", initializer.Ones{}},
		{"constant", initializer.Constant{}},
		{"variance_scaling", initializer.NewVarianceScaling()},
		{"glorot_uniform", initializer.GlorotUniform{}}, {"GlorotNormal", initializer.GlorotNormal{}},
		{"he_uniform", initializer.HeUniform{}}, {"he_normal", initializer.HeNormal{}},
		{"lecun_uniform", initializer.LecunUniform{}}, {"LecunNormal", initializer.LecunNormal{}},
		{"orthogonal", initializer.Orthogonal{Gain: 1}}, {"OrthogonalInitializer", initializer.Orthogonal{Gain: 1}},
		{"identity", initializer.Identity{Gain: 1}}, {"IdentityInitializer", initializer.Identity{Gain: 1}},
	}
	for _, test := range tests {
		if got, err := initializer.ByName(test.name); err != nil || got != test.want {
			t.Errorf("ByName(%q) = %#v, %v, want %#v", test.name, got, err, test.want)
		}
	}
	for _, name := range initializer.Names() {
		if i, err := initializer.ByName(name); err != nil || initializer.CheckMatrix(i, 9, 4) != nil {
			t.Errorf("ByName(%q) = %v, %v", name, i, err)
		}
	}
	_, err := initializer.ByName("")
	checkError(t, err, `unknown initializer ""`)
}

func TestConfigComesBack(t *testing.T) {
	for _, i := range append(slices.Clone(all), matrices...) {
		c, err := initializer.ToConfig(i)
		if err != nil {
			t.Errorf("%#v: %v", i, err)
			continue
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Errorf("%#v: %v", i, err)
		}
		var back initializer.Config
		if err := json.Unmarshal(text, &back); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		for _, config := range []initializer.Config{c, back} {
			if got, err := initializer.FromConfig(config); err != nil || !reflect.DeepEqual(got, i) {
				t.Errorf("%s: %#v, %v, want %#v", text, got, err, i)
			}
		}
	}
}

// TestSeedsOf64Bits: a config has all bits of a seed, which a float64 has not.
func TestSeedsOf64Bits(t *testing.T) {
	i := initializer.RandomNormal{Stddev: 1, Seed: 1<<60 + 1}
	c, err := initializer.ToConfig(i)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := initializer.FromConfig(c); err != nil || got != i {
		t.Errorf("%v: %#v, %v, want %#v", c, got, err, i)
	}
}

// TestKerasConfigs reads what Keras 3 writes.
func TestKerasConfigs(t *testing.T) {
	tests := []struct {
		text string
		want initializer.Initializer
	}{
		{`{"class_name": "RandomUniform", "config": {"seed": null, "minval": -0.05, "maxval": 0.05}, "module": "keras.initializers", "registered_name": null}`,
			initializer.NewRandomUniform()},
		{`{"class_name": "VarianceScaling", "config": {"seed": 3, "scale": 2, "mode": "fan_out", "distribution": "normal", "input_axes": null, "output_axes": null}}`,
			initializer.VarianceScaling{Scale: 2, Mode: "fan_out", Distribution: "normal", Seed: 3}},
		{`{"class_name": "HeNormal", "config": {"seed": null}}`, initializer.HeNormal{}},
		{`{"class_name": "TruncatedNormal", "config": {}}`, initializer.NewTruncatedNormal()},
		{`{"class_name": "Constant", "config": {"value": 3}}`, initializer.Constant{Value: 3}},
		{`{"class_name": "Constant", "config": {"value": [3, 4]}}`, initializer.Values{3, 4}},
		{`{"class_name": "Zeros"}`, initializer.Zeros{}},
		{`{"class_name": "Orthogonal", "config": {"seed": 5, "gain": 2.5}, "module": "keras.initializers", "registered_name": null}`, initializer.Orthogonal{Gain: 2.5, Seed: 5}},
		{`{"class_name": "Identity", "config": {"gain": 0.5}}`, initializer.Identity{Gain: 0.5}},
	}
	for _, test := range tests {
		var c initializer.Config
		if err := json.Unmarshal([]byte(test.text), &c); err != nil {
			t.Fatal(err)
		}
		if got, err := initializer.FromConfig(c); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %#v, %v, want %#v", test.text, got, err, test.want)
		}
	}
}

type custom struct{ initializer.Zeros }

func TestBadConfigs(t *testing.T) {
	tests := []struct {
		c       initializer.Config
		message string
	}{
		{initializer.Config{ClassName: "Sobol"}, `unknown initializer "Sobol"`},
		{initializer.Config{ClassName: "Zeros", Config: map[string]any{"minval": 1}}, `Zeros: unknown argument "minval" (there are none)`},
		{initializer.Config{ClassName: "RandomNormal", Config: map[string]any{"stdev": 1}}, `RandomNormal: unknown argument "stdev"; did you mean "stddev"? (known: mean, stddev, seed)`},
		{initializer.Config{ClassName: "RandomUniform", Config: map[string]any{"minval": "a"}}, "minval"},
		{initializer.Config{ClassName: "RandomUniform", Config: map[string]any{"minval": 1}}, "minval must be less than maxval"},
		{initializer.Config{ClassName: "Constant", Config: map[string]any{"value": []any{}}}, "must have numbers"},
		{initializer.Config{ClassName: "Constant", Config: map[string]any{"value": "x"}}, "value"},
		{initializer.Config{ClassName: "Constant", Config: map[string]any{"value": func() {}}}, "Constant"},
	}
	for _, test := range tests {
		_, err := initializer.FromConfig(test.c)
		checkError(t, err, test.message)
	}
	for _, i := range []initializer.Initializer{nil, custom{}} {
		_, err := initializer.ToConfig(i)
		checkError(t, err, "has no config")
	}
}
