package model

import (
	"os"
	"path/filepath"
	"testing"
)

// TestCSVLoggerGoesOn: a training that stopped and went on leaves the file of
// one that did not, and no other file beside it.
func TestCSVLoggerGoesOn(t *testing.T) {
	dir := t.TempDir()
	fit := func(name string, m *Model, epochs int, resume bool) string {
		l := &CSVLogger{Path: filepath.Join(dir, name), Separator: ';'}
		must[History](t)(m.Fit(t.Context(), likes(t, trainExamples, 1), FitOptions{Epochs: epochs, Resume: resume, Callbacks: []Callback{l}}))
		return string(must[[]byte](t)(os.ReadFile(l.Path)))
	}
	want := fit("whole.csv", compileHybrid(t, 5), 3, false)
	m := compileHybrid(t, 5)
	fit("parts.csv", m, 1, false)
	_, c := memory(t)
	check(t, m.Save(t.Context(), c, nil))
	m = compileHybrid(t, 5)
	check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
	if got := fit("parts.csv", m, 3, true); got != want {
		t.Errorf("in parts %q, at once %q", got, want)
	}
	if found := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(found) != 2 {
		t.Errorf("%d files, want 2: %v", len(found), found)
	}
}

func TestCSVLoggerRefuses(t *testing.T) {
	e := &Event{Model: compileHybrid(t, 5)}
	wants(t, (&CSVLogger{}).OnEpochEnd(t.Context(), e), "Path is empty")
	wants(t, (&CSVLogger{Path: filepath.Join(t.TempDir(), "none", "log.csv")}).OnEpochEnd(t.Context(), e), "none")
	dir := t.TempDir()
	wants(t, (&CSVLogger{Path: filepath.Join(dir, "log.csv"), Separator: '"'}).OnEpochEnd(t.Context(), e), "delimiter")
	if found := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(found) != 0 {
		t.Errorf("an error left %v", found)
	}
}
