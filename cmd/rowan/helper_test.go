package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be the command, for tests that need a process.
func TestMain(m *testing.M) {
	if os.Getenv("ROWAN_TEST_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is the command as a process of its own.
func process(dir string, args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Dir, c.Env = dir, append(os.Environ(), "ROWAN_TEST_COMMAND=1")
	return c
}

// rowan runs the command in this process.
func rowan(in string, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	a := &app{in: strings.NewReader(in), out: &o, err: &e}
	return a.run(append([]string{"rowan"}, args...)), o.String(), e.String()
}

// mustRowan runs the command, which must do what it is told.
func mustRowan(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := rowan("", args...)
	if code != 0 {
		t.Fatalf("rowan %q: code %d, %s", args, code, errs)
	}
	return out
}

const config = `
name: films
data:
  path: ratings.csv
  columns:
    - {name: user, kind: id}
    - {name: film, kind: id}
    - {name: stars, kind: label}
    - {name: at, kind: timestamp}
split: {test: 0.2, seed: 1, user: user}
tables:
  - &rows {name: user, width: 4, missing: zeros, initializer: {name: random_normal, stddev: 0.1}}
  - {<<: *rows, name: film}
  - {name: bias, width: 1, initializer: zeros}
features:
  - {column: user, table: user, bias: bias}
  - {column: film, table: film}
interaction:
  dots: [[user, film]]
  deep:
    layers: [{units: 8, dropout: 0.1}]
output: {clip: [1, 5]}
training:
  epochs: 6
  batch_size: 32
  optimizer: {name: adam, exact: true, learning_rate: {name: linear, initial_learning_rate: 0.05}}
metrics:
  - {name: rmse}
  - {name: auc, label_at_least: 4}
baseline: {user: user, item: film}
titles:
  - {table: film, path: films.csv, key: film, title: name}
`

// project is a folder with a config and its data. It returns the config's path
// and the place for checkpoints.
func project(t *testing.T) (yaml, saved string) {
	t.Helper()
	dir := t.TempDir()
	ratings, films := "user,film,stars,at\n", "film,name\n"
	for u := range 30 {
		for f := range 20 {
			ratings += fmt.Sprintf("%d,%d,%d,%d\n", u, f, 2+2*((u+f)%2)+(u*f)%2, 100*u+(7*f)%20)
		}
	}
	for f := range 20 {
		films += fmt.Sprintf("%d,\"Film, the %dth\"\n", f, f)
	}
	for name, text := range map[string]string{"ratings.csv": ratings, "films.csv": films, "train.yaml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "train.yaml"), filepath.Join(t.TempDir(), "saved")
}

// trained is a checkpoint of a project.
func trained(t *testing.T) (yaml, saved string) {
	t.Helper()
	yaml, saved = project(t)
	mustRowan(t, "train", yaml, "--out", saved, "--quiet")
	return yaml, saved
}
