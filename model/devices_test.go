package model

import "testing"

// TestDevices: a model whose rows are in several stores is fitted, saved and
// resumed as one whose rows are in memory, to the same bytes.
func TestDevices(t *testing.T) {
	fit := func(epochs int, resume *Checkpoints, devices ...string) (map[string]string, *Checkpoints) {
		m := compileHybrid(t, 5, devices...)
		if resume != nil {
			if err := m.Load(t.Context(), must[*Saved](t)(resume.Latest())); err != nil {
				t.Fatal(err)
			}
		}
		_, err := m.Fit(t.Context(), likes(t, trainExamples, 1), FitOptions{Epochs: epochs, Resume: resume != nil})
		check(t, err)
		for _, table := range m.Tables() {
			if n := table.Stats().Parts; n != len(devices) {
				t.Errorf("table %q has %d parts, want %d", table.Name(), n, len(devices))
			}
		}
		fsys, c := memory(t)
		check(t, m.Save(t.Context(), c, nil))
		return files(t, fsys, c), c
	}
	want, _ := fit(2, nil)
	got, _ := fit(2, nil, "memory:", "memory:", "memory:")
	same(t, got, want)
	_, half := fit(1, nil, "memory:", "memory:")
	resumed, _ := fit(2, half, "memory:", "memory:", "memory:", "memory:")
	same(t, resumed, want)
}
