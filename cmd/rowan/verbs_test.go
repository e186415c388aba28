package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/recipe"
)

func mustJSON[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return v
}

// lines checks that each pattern matches some line, in order.
func lines(t *testing.T, text string, patterns ...string) {
	t.Helper()
	rest := strings.Split(text, "\n")
	for _, p := range patterns {
		r := regexp.MustCompile(p)
		for len(rest) > 0 && !r.MatchString(rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			t.Errorf("no line like %q in its place in\n%s", p, text)
			return
		}
	}
}

func TestTrain(t *testing.T) {
	yaml, saved := project(t)
	code, out, errs := rowan("", "train", yaml, "--out", saved)
	if code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	lines(t, out, `^films: 480 examples, 6 epochs, 90 steps in \d+\.\d s, \d+ weights$`, `^saved in .*saved$`,
		`^120 held out +rmse +auc$`, `^model +0\.\d{4} +[01]\.\d{4}$`, `^biases `, `^mean +\d\.\d{4} +0\.5000$`)
	lines(t, errs, `^epoch 1/6 .*loss \d`, `^epoch 6/6 +15/15 +loss .* examples/s$`)

	out = mustRowan(t, "train", yaml, "--out", saved, "--quiet", "--json", "--resume")
	r := mustJSON[recipe.Result](t, out)
	if !r.Resumed || r.Steps != 90 || len(r.Scores) != 3 || len(r.History) != 6 {
		t.Errorf("%+v", r)
	}
}

func TestTrainFlags(t *testing.T) {
	yaml, saved := project(t)
	result := func(args ...string) recipe.Result {
		t.Helper()
		return mustJSON[recipe.Result](t, mustRowan(t, append([]string{"train", yaml, "--out", saved, "--quiet", "--json"}, args...)...))
	}
	one, two := result("--epochs", "1", "--seed", "3"), result("--epochs", "1", "--seed", "4")
	if one.Epochs != 1 || one.Seed != 3 || two.Seed != 4 || one.Scores[0].Metrics[0] == two.Scores[0].Metrics[0] || one.Scores[2].Metrics[0] == two.Scores[2].Metrics[0] {
		t.Errorf("seeds 3 and 4:\n%+v\n%+v", one, two)
	}
	time := result("--epochs", "1", "--split", "user_time")
	if time.Scores[2].Metrics[0] == result("--epochs", "1").Scores[2].Metrics[0] || time.Test != 120 {
		t.Errorf("split by time: %+v", time)
	}
}

func TestTrainSeeds(t *testing.T) {
	yaml, _ := project(t)
	code, out, errs := rowan("", "train", yaml, "--epochs", "1", "--seeds", "2")
	if code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	lines(t, out, `^2 seeds: mean ± deviation +rmse +auc$`, `^model +\d\.\d{4} ± \d\.\d{4}`, `^biases `, `^model - biases +[+-]\d\.\d{4}`, `^model - mean`)
	lines(t, errs, `^seed 0: rmse`, `^seed 1: rmse`)
	s := mustJSON[recipe.Seeds](t, mustRowan(t, "train", yaml, "--epochs", "1", "--seeds", "2", "--json", "--quiet"))
	if len(s.Runs) != 2 || len(s.Spreads) != 6 {
		t.Errorf("%+v", s)
	}
	if _, err := os.Stat("checkpoints"); err == nil {
		t.Error("trainings with several seeds were saved")
	}
}

func TestEvaluate(t *testing.T) {
	yaml, saved := trained(t)
	lines(t, mustRowan(t, "evaluate", saved), `ckpt-\d+, step 90$`, `^120 held out +rmse +auc$`, `^model `, `^biases `, `^mean `)
	e := mustJSON[recipe.Evaluation](t, mustRowan(t, "evaluate", saved, filepath.Join(filepath.Dir(yaml), "ratings.csv"), "--json"))
	if e.Examples != 600 || len(e.Scores) != 1 {
		t.Errorf("%+v", e)
	}
}

func TestPredict(t *testing.T) {
	_, saved := trained(t)
	code, out, errs := rowan("film,note,user\r\n1,\"a, b\",2\r\n2,,2\r\n", "predict", saved)
	if code != exitOK {
		t.Fatal(errs)
	}
	lines(t, out, `^film,note,user,score$`, `^1,"a, b",2,\d(\.\d+)?$`, `^2,,2,\d(\.\d+)?$`)
	if n := strings.Count(out, "\n"); n != 3 {
		t.Errorf("%d lines:\n%s", n, out)
	}
	_, only, _ := rowan("film,user\n1,2\n2,2\n", "predict", saved, "-", "--scores-only")
	_, asJSON, _ := rowan("film,user\n1,2\n2,2\n", "predict", saved, "--json")
	for i, row := range strings.Split(strings.TrimSpace(asJSON), "\n") {
		x := mustJSON[struct {
			Row   int
			Score float64
		}](t, row)
		alone, err := strconv.ParseFloat(strings.Split(only, "\n")[i], 64)
		if err != nil || x.Row != i+1 || alone != x.Score {
			t.Errorf("row %d: %+v, alone %v, %v", i, x, alone, err)
		}
	}
}

// Files that are compressed or separated by tabs, by name or by flag.
func TestPredictFiles(t *testing.T) {
	_, saved := trained(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, "\ufeffuser\tfilm\n1\t2\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rows.tsv.gz")
	if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	lines(t, mustRowan(t, "predict", saved, path), `^user	film	score$`, `^1	2	\d`)
	_, out, errs := rowan("user\tfilm\n1\t2\n", "predict", saved, "--format", "tsv")
	lines(t, out+errs, `^user	film	score$`, `^1	2	\d`)
	if code, out, _ := rowan("user,film\n", "predict", saved); code != exitOK || out != "" {
		t.Errorf("no rows: code %d, %q", code, out)
	}
}

func TestSimilar(t *testing.T) {
	yaml, saved := trained(t)
	out := mustRowan(t, "similar", saved, "--table", "film", "--key", "1", "--k", "3")
	lines(t, out, `^film 1 Film, the 1th$`, `^cosine +key +title$`, `^[01]\.\d{4} +\d*[13579]  Film, the \d+th$`)
	if n := strings.Count(out, "\n"); n != 6 {
		t.Errorf("%d lines:\n%s", n, out)
	}
	n := mustJSON[recipe.Neighbours](t, mustRowan(t, "similar", saved, "--table", "user", "--key", "1", "--metric", "dot", "--json"))
	if n.Metric != "dot" || len(n.Found) != 10 || n.Of.Key != "1" {
		t.Errorf("%+v", n)
	}
	titles := filepath.Join(filepath.Dir(yaml), "films.csv")
	lines(t, mustRowan(t, "similar", saved, "--table", "user", "--key", "1", "--titles", titles, "--title-key", "film", "--title-column", "name"), `^user 1 Film, the 1th$`)
}

func TestInspect(t *testing.T) {
	_, saved := trained(t)
	lines(t, mustRowan(t, "inspect", saved), `^films: `, `^step 90 of 90, epoch 6, trained on 480 examples with adam; \d files, \d.* KiB$`,
		`^table +keys +width +rows +row memory +huge pages +index +state a row$`, `^user +dynamic int64 +4 +30 .*Adam \(exact\), momentum 4, velocity 4$`, `^bias `,
		`^L2 norm of rows +min +median +max +zero +from min to max$`, `^user +\d\.\d{4} .*\|[ ▁▂▃▄▅▆▇█]+\|$`)
	i := mustJSON[recipe.Inspection](t, mustRowan(t, "inspect", saved, "--json"))
	if len(i.Tables) != 3 || i.Tables[1].Rows != 20 {
		t.Errorf("%+v", i)
	}
	lines(t, mustRowan(t, "inspect", saved, "--verify"), `every file is as it was written$`)
	if s := mustJSON[recipe.Saved](t, mustRowan(t, "inspect", saved, "--verify", "--json")); s.Step != 90 {
		t.Errorf("%+v", s)
	}
}

func TestVerifyDamage(t *testing.T) {
	_, saved := trained(t)
	s := mustJSON[recipe.Saved](t, mustRowan(t, "inspect", saved, "--verify", "--json"))
	path := filepath.Join(s.Dir, "film.table")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"inspect", saved, "--verify"}, {"inspect", saved}, {"evaluate", saved}, {"similar", saved, "--table", "film", "--key", "1"}} {
		if code, out, errs := rowan("", args...); code != exitFailure || !strings.Contains(errs, "film.table") && !strings.Contains(errs, "film") {
			t.Errorf("%q: code %d, %s%s", args, code, out, errs)
		}
	}
}

// Each verb has help with an example, and each example that needs only a
// checkpoint or the repository's files works as it stands.
func TestHelp(t *testing.T) {
	for _, verb := range []string{"train", "evaluate", "predict", "similar", "inspect"} {
		out := mustRowan(t, verb, "--help")
		if !strings.Contains(out, "rowan "+verb+" ") || !strings.Contains(out, "--json") || !strings.HasSuffix(out, "\n") {
			t.Errorf("%s --help:\n%s", verb, out)
		}
	}
	if out := mustRowan(t, "--help"); !strings.Contains(out, "Exit codes") || out != mustRowan(t) {
		t.Errorf("--help:\n%s", out)
	}
}

func TestUsage(t *testing.T) {
	yaml, saved := project(t)
	for _, x := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"trian"}, exitUsage, `did you mean "train"?`},
		{[]string{"train"}, exitUsage, "expected CONFIG"},
		{[]string{"train", yaml, yaml}, exitUsage, "expected CONFIG"},
		{[]string{"train", yaml, "--epoch", "3"}, exitUsage, "-epoch"},
		{[]string{"train", yaml, "--epochs", "many"}, exitUsage, "many"},
		{[]string{"train", yaml, "--seeds", "0"}, exitUsage, "positive"},
		{[]string{"train", yaml, "--epochs", "0"}, exitUsage, "--epochs must be positive, got 0"},
		{[]string{"similar", saved, "--table", "film", "--key", "1", "--k", "0"}, exitUsage, "--k must be positive, got 0"},
		{[]string{"train", yaml, "--seeds", "2", "--resume"}, exitUsage, "cannot be resumed"},
		{[]string{"train", yaml, "--split", "time"}, exitUsage, "train.yaml:10:8: recipe: bad config: split.by"},
		{[]string{"train", yaml + "x"}, exitFailure, "no such file"},
		{[]string{"train", yaml, "--out", yaml}, exitFailure, "train.yaml"},
		{[]string{"evaluate"}, exitUsage, "expected CHECKPOINT [FILE]"},
		{[]string{"evaluate", saved}, exitFailure, "no checkpoint in"},
		{[]string{"similar", saved, "--table", "film"}, exitUsage, `"key"`},
		{[]string{"similar", saved, "--table", "film", "--key", "1", "--titles", "x"}, exitUsage, "--title-key"},
		{[]string{"inspect", saved, "--jsn"}, exitUsage, "-jsn"},
	} {
		code, out, errs := rowan("", x.args...)
		if code != x.code || !strings.Contains(errs, x.text) || out != "" {
			t.Errorf("rowan %q: code %d, %q, %q; want code %d and %q", x.args, code, out, errs, x.code, x.text)
		}
	}
}
