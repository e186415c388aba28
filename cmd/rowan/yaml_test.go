package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/recipe"
)

// read reads a config that is written to a file.
func read(t *testing.T, text string) (*recipe.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, _, err := readConfig(path)
	return c, err
}

// A YAML file fills the struct that a Go program would fill.
func TestYAML(t *testing.T) {
	c, err := read(t, config)
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "films" || c.Data.Path != "ratings.csv" || len(c.Data.Columns) != 4 || c.Split.Test != 0.2 || c.Dir == "" {
		t.Errorf("%+v", c)
	}
	film := recipe.Table{Name: "film", Width: 4, Missing: "zeros", Initializer: recipe.Spec{Name: "random_normal", Args: map[string]any{"stddev": 0.1}}}
	if !reflect.DeepEqual(c.Tables[1], film) {
		t.Errorf("merged: %+v, want %+v", c.Tables[1], film)
	}
	if c.Tables[2].Initializer.Name != "zeros" || !reflect.DeepEqual(c.Interaction.Dots, []recipe.Pair{{"user", "film"}}) {
		t.Errorf("%+v", c)
	}
	if at := c.Metrics[1].LabelAtLeast; at == nil || *at != 4 || c.Titles[0].Path != "films.csv" || c.Baseline.User != "user" {
		t.Errorf("%+v", c)
	}
}

// A number may have an exponent and no point; text in quotes stays text.
func TestYAMLExponent(t *testing.T) {
	for text, want := range map[string]recipe.Spec{
		"1e-3":                            {Name: "constant", Args: map[string]any{"value": 1e-3}},
		"{name: normal, stddev: 2E-1}":    {Name: "normal", Args: map[string]any{"stddev": 0.2}},
		"{name: constant, value: [5e-1]}": {Name: "constant", Args: map[string]any{"value": []any{0.5}}},
		"\n      name: normal\n      stddev: 1e-2\n      mean: -1e+1": {Name: "normal", Args: map[string]any{"stddev": 0.01, "mean": -10.0}},
	} {
		c, err := read(t, strings.Replace(config, "{name: bias, width: 1, initializer: zeros}", "name: bias\n    width: 1\n    initializer: "+text, 1))
		if c == nil || !reflect.DeepEqual(c.Tables[2].Initializer, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	c, err := read(t, strings.Replace(config, "initial_learning_rate: 0.05}", "initial_learning_rate: 5e-2, end_learning_rate: 1e-4}", 1))
	if err != nil {
		t.Fatal(err)
	}
	rate := map[string]any{"name": "linear", "initial_learning_rate": 0.05, "end_learning_rate": 1e-4}
	if got := c.Training.Optimizer.Args["learning_rate"]; !reflect.DeepEqual(got, rate) {
		t.Errorf("%v, want %v", got, rate)
	}
	if _, err := read(t, strings.Replace(config, "initializer: zeros", `initializer: "1e-3"`, 1)); err == nil || !strings.Contains(err.Error(), `"1e-3"`) {
		t.Errorf("in quotes: %v", err)
	}
}

// The example that the repository comes with is sound.
func TestExampleConfig(t *testing.T) {
	c, _, err := readConfig("../../examples/movielens/train.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c.Tables[3].Padding == nil || *c.Tables[3].Padding != "0" || c.Tables[2].Initializer.Name != "random_normal" {
		t.Errorf("%+v", c.Tables)
	}
}

func TestYAMLErrors(t *testing.T) {
	// replace changes the config, which must hold the old text.
	replace := func(old, new string) string {
		if !strings.Contains(config, old) {
			t.Fatalf("the config does not hold %q", old)
		}
		return strings.Replace(config, old, new, 1)
	}
	for _, x := range []struct{ text, want string }{
		{replace("tables:", "tabels:"), `c.yaml:11:1: unknown key "tabels"; did you mean "tables"\? \(known here: name, data, histories, split, `},
		{replace("width: 1", "widht: 1"), `c.yaml:14:18: unknown key "widht"; did you mean "width"?`},
		{replace("path: ratings.csv", "file: ratings.csv"), `c.yaml:4:3: unknown key "file".*known here: path, format, names, missing, columns, joins`},
		{replace("{units: 8, dropout: 0.1}", "{unit: 8}"), `c.yaml:21:15: unknown key "unit"; did you mean "units"?`},
		{replace("split: {test: 0.2, seed: 1,", "split: {test: 0.2, test: 0.3,"), `c.yaml:10:20: key "test" is here twice`},
		{replace("epochs: 6", "epochs: six"), `c.yaml:24:11: expected a whole number, got text`},
		{replace("epochs: 6", "epochs: 0.5"), `c.yaml:24:11: expected a whole number, got 0.5`},
		{replace("width: 1", "width: [1]"), `c.yaml:14:.*: expected a whole number, got a list`},
		{replace("test: 0.2", "test: yes please"), `c.yaml:10:15: expected a number, got text`},
		{replace("seed: 1", "seed: -1"), `c.yaml:10:26:`},
		{replace("dots: [[user, film]]", "dots: [[user, fim]]"), `c.yaml:19:17: recipe: bad config: interaction.dots\[0\]\[1\]: "fim".* did you mean "film"`},
		{replace("kind: label", "kind: lable"), `c.yaml:8:27: recipe: bad config: data.columns\[2\].kind: "lable".* did you mean "label"`},
		{replace("initializer: zeros", "initializer: zeroes"), `c.yaml:14:41: recipe: bad config: tables\[2\].initializer: .*unknown initializer "zeroes"`},
		{replace("initializer: zeros", "initializer: [zeros]"), `c.yaml:14:.*expected a name, a number or`},
		{replace("name: linear,", ""), `c.yaml:26:55: recipe: bad config: training.optimizer.learning_rate: .*expected a name`},
		{replace("initializer: zeros", "initializer: {name: normal, stdev: 1}"), `c.yaml:14:56: recipe: bad config: tables\[2\].initializer.stdev: .*unknown argument "stdev"; did you mean "stddev"?`},
		{replace("exact: true", "exat: true"), `c.yaml:26:27: recipe: bad config: training.optimizer.exat: .* did you mean "exact"?`},
		{replace("{name: adam, exact: true, learning_rate: {name: linear, initial_learning_rate: 0.05}}",
			"\n    name: adam\n    learning_rate:\n      name: linear\n      initial_learning_rat:\n        0.05"), `c.yaml:30:7: .*learning_rate.initial_learning_rat: .* did you mean "initial_learning_rate"?`},
		{replace("exact: true", "'': 1"), `c.yaml:26:.*unknown argument ""`},
		{replace("rmse", "rsme"), `c.yaml:28:12: recipe: bad config: metrics\[0\].name: "rsme".* did you mean "rmse"`},
		{replace("tables:", "tables: {"), `c.yaml:\d+:\d+: `},
		{"", `c.yaml: expected one YAML document that describes a recommender, found 0`},
		{"name: a\n---\nname: b\n", `found 2`},
		{"- name: a\n", `c.yaml:1:.*: .*mapping`},
		{"name: a\n", `c.yaml: recipe: bad config: data.path: it is empty`},
	} {
		_, err := read(t, x.text)
		if err == nil || !regexp.MustCompile(x.want).MatchString(err.Error()) || !errors.Is(err, recipe.ErrConfig) {
			t.Errorf("%v\nwant %s", err, x.want)
		}
	}
}

// What is not YAML, or not a recipe, is an error and never a panic.
func FuzzYAML(f *testing.F) {
	f.Add(config)
	for _, s := range []string{"", "a: *b", "<<: {a: 1}", "tables: [{initializer: {name: 3}}]", "? [a]\n: b", "!!binary x", "data: {columns: 3}", "seed: 1e99"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &source{path: "c.yaml"}
		if c, err := s.decode([]byte(text)); err == nil {
			_ = s.explain(c.Validate())
		}
	})
}
