package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rowan-embeddings/rowan/recipe"
)

// long is the config with more epochs than a test will wait for, saved often.
func long(t *testing.T) (yaml, saved string) {
	t.Helper()
	yaml, saved = project(t)
	text := strings.Replace(config, "epochs: 6", "epochs: 60", 1) + "checkpoint: {every_steps: 7}\n"
	if err := os.WriteFile(yaml, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return yaml, saved
}

// stateOf returns the files of the latest checkpoint, and its step.
func stateOf(t *testing.T, saved string) (map[string][]byte, int64) {
	t.Helper()
	s := mustJSON[recipe.Saved](t, mustRowan(t, "inspect", saved, "--verify", "--json"))
	paths, err := filepath.Glob(filepath.Join(s.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, p := range paths {
		if files[filepath.Base(p)], err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	return files, s.Step
}

func sameState(t *testing.T, what string, got, want map[string][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d files, want %d", what, len(got), len(want))
	}
	for name, b := range want {
		if !bytes.Equal(got[name], b) {
			t.Errorf("%s: %s differs from that of a run that was not stopped", what, name)
		}
	}
}

// newest returns the name of the newest checkpoint, "" if there is none.
func newest(t *testing.T, saved string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(saved, "ckpt-????????"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return ""
	}
	return filepath.Base(found[len(found)-1])
}

// waitForSave waits until there is a checkpoint newer than another.
func waitForSave(t *testing.T, saved, than string) {
	t.Helper()
	for range 3000 {
		if newest(t, saved) > than {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nothing was saved in half a minute")
}

// Ctrl-C finishes the step, saves, exits with a code of its own and says how to
// go on; what it says works.
func TestInterrupt(t *testing.T) {
	yaml, saved := long(t)
	saved += " here"
	whole := filepath.Join(t.TempDir(), "whole")
	mustRowan(t, "train", yaml, "--out", whole, "--quiet")
	want, last := stateOf(t, whole)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		c := process(t.TempDir(), "train", yaml, "--out", saved, "--quiet", "--resume")
		var errs bytes.Buffer
		c.Stderr = &errs
		before := newest(t, saved)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitForSave(t, saved, max(before, "ckpt-00000001"))
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		if err := c.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		err := c.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitSaved {
			t.Fatalf("%v: %v: %s", s, err, &errs)
		}
		_, line, found := strings.Cut(errs.String(), "Go on with:\n  rowan ")
		if !found || !strings.HasSuffix(strings.TrimSpace(line), "--out '"+saved+"' --resume") {
			t.Fatalf("%v: it said\n%s", s, &errs)
		}
		if _, step := stateOf(t, saved); step >= last {
			t.Errorf("%v: stopped at step %d of %d", s, step, last)
		}
	}
	mustRowan(t, "train", yaml, "--out", saved, "--quiet", "--resume")
	got, _ := stateOf(t, saved)
	sameState(t, "interrupted twice", got, want)
}

// What is said of how to go on can be pasted into a shell.
func TestQuote(t *testing.T) {
	for arg, want := range map[string]string{
		"out/movielens-2.x": "out/movielens-2.x", `C:\models`: `C:\models`, "é": "é",
		"my models": "'my models'", "it's": `'it'\''s'`, "a;b": "'a;b'", "$HOME": "'$HOME'", "": "''",
	} {
		if got := quote(arg); got != want {
			t.Errorf("quote(%q) = %s, want %s", arg, got, want)
		}
	}
}

// Who called it by go run is told to do so again.
func TestProgram(t *testing.T) {
	for path, want := range map[string]string{
		"/tmp/go-build1234/b001/exe/rowan": "go run ./cmd/rowan", "/usr/local/bin/rowan": "rowan", "/srv/exe/rowan": "rowan", "": "rowan",
	} {
		if got := program(filepath.FromSlash(path)); got != want {
			t.Errorf("program(%q) = %q, want %q", path, got, want)
		}
	}
}

// kill -9 at any moment leaves a checkpoint that is whole, and training goes on
// from it to the same end.
func TestKill(t *testing.T) {
	yaml, saved := long(t)
	whole := filepath.Join(t.TempDir(), "whole")
	mustRowan(t, "train", yaml, "--out", whole, "--quiet")
	want, last := stateOf(t, whole)
	step, kills := int64(0), 0
	for kills = range 12 {
		c := process(t.TempDir(), "train", yaml, "--out", saved, "--quiet", "--resume")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitForSave(t, saved, "")
		time.Sleep(time.Duration(20+rand.IntN(150)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		_, now := stateOf(t, saved)
		if now < step {
			t.Errorf("after %d kills training is at step %d, before it was at %d", kills+1, now, step)
		}
		if step = now; step == last {
			break
		}
	}
	if kills == 0 {
		t.Error("training was over before it was killed once")
	}
	mustRowan(t, "train", yaml, "--out", saved, "--quiet", "--resume")
	got, _ := stateOf(t, saved)
	sameState(t, "killed", got, want)
}

// A config that was changed does not go on from a checkpoint of another.
func TestResumeOtherConfig(t *testing.T) {
	yaml, saved := trained(t)
	code, _, errs := rowan("", "train", yaml, "--out", saved, "--quiet", "--resume", "--epochs", "7")
	if code != exitFailure || !strings.Contains(errs, "another config: training.epochs is 6 there and 7 here") {
		t.Errorf("code %d: %s", code, errs)
	}
}
