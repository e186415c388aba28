package recipe_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/recipe"
)

func TestTrain(t *testing.T) {
	c := small(t)
	var progress bytes.Buffer
	r := mustTrain(t, c, recipe.TrainOptions{Progress: &progress})
	if r.Train != 480 || r.Test != 120 || r.Steps != 120 || r.Epochs != 8 || len(r.History) != 8 || r.Interrupted || r.Resumed {
		t.Errorf("%+v; want 480 and 120 examples, 8 epochs of 15 steps", r)
	}
	if names := []string{r.Scores[0].Name, r.Scores[1].Name, r.Scores[2].Name}; !slices.Equal(names, []string{"model", "biases", "mean"}) {
		t.Errorf("scores of %q", names)
	}
	rmse, biases, mean := metricOf(t, r.Scores, "model", "rmse"), metricOf(t, r.Scores, "biases", "rmse"), metricOf(t, r.Scores, "mean", "rmse")
	if !(rmse < 0.4 && biases > 0.9 && mean > 0.9) {
		t.Errorf("RMSE %.3f, of biases %.3f, of the mean %.3f: the tastes were not learnt", rmse, biases, mean)
	}
	if auc := metricOf(t, r.Scores, "model", "auc"); auc < 0.95 {
		t.Errorf("AUC %.3f", auc)
	}
	if !strings.Contains(progress.String(), "epoch 8/8") || !strings.Contains(progress.String(), "examples/s") {
		t.Errorf("progress:\n%s", &progress)
	}
}

// The model's terms, one at a time: each is trained, and nothing else is needed.
func TestTerms(t *testing.T) {
	for name, change := range map[string]func(*recipe.Config){
		"dots":   func(c *recipe.Config) { c.Interaction.Deep = nil },
		"deep":   func(c *recipe.Config) { c.Interaction.Dots, c.Interaction.Sums = nil, nil },
		"biases": func(c *recipe.Config) { c.Interaction = recipe.Interaction{}; c.Features = biasesOnly(c.Features) },
		"one": func(c *recipe.Config) {
			c.Features = c.Features[:2]
			c.Features[0].Bias, c.Features[1].Bias = "", ""
			c.Interaction = recipe.Interaction{Dots: []recipe.Pair{{"user", "film"}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := small(t)
			change(&c)
			r := mustTrain(t, c, recipe.TrainOptions{NoCheckpoint: true})
			limit := 0.5
			if name == "biases" {
				limit = metricOf(t, r.Scores, "biases", "rmse") + 0.05
			}
			if rmse := metricOf(t, r.Scores, "model", "rmse"); rmse > limit {
				t.Errorf("RMSE %.3f, want at most %.3f", rmse, limit)
			}
			if _, err := os.Stat(c.Checkpoint.Dir); !errors.Is(err, os.ErrNotExist) || r.Checkpoint != "" {
				t.Errorf("something was saved in %s: %v", c.Checkpoint.Dir, err)
			}
		})
	}
}

func biasesOnly(features []recipe.Feature) []recipe.Feature {
	features = features[:2]
	for i := range features {
		features[i].Table = ""
	}
	return features
}

// A label of 0 and 1, an output between them, a number column, a list of ids
// without a join, and tables with optimizers and names of their own.
func TestClassifier(t *testing.T) {
	dir := t.TempDir()
	lines := []string{"who\ttags\tage\tclicked"}
	for i := range 400 {
		tag := []string{"a|b", "b|c|d", "c", ""}[i%4]
		click := map[bool]string{true: "1", false: "0"}[i%4 < 2]
		lines = append(lines, strings.Join([]string{"u" + string(rune('a'+i%7)), tag, []string{"0.5", "-1"}[i%2], click}, "\t"))
	}
	write(t, dir, "clicks.tsv", lines...)
	c := recipe.Config{
		Dir: dir,
		Data: dataset.Config{File: dataset.File{Path: "clicks.tsv"}, Columns: []dataset.Column{
			{Name: "who", Kind: dataset.ID, Type: "string"}, {Name: "tags", Kind: dataset.IDs, Type: "string"},
			{Name: "age", Kind: dataset.Number}, {Name: "clicked", Kind: dataset.Label},
		}},
		Split: dataset.Split{Test: 0.25, Validation: 0.2},
		Tables: []recipe.Table{{Name: "who", Width: 2, Optimizer: recipe.Spec{Name: "row_wise_adagrad"}},
			{Name: "tag", Width: 3, MaxNorm: 5, Optimizer: recipe.Spec{Name: "adagrad", Args: map[string]any{"learning_rate": 0.5}}}},
		Features:    []recipe.Feature{{Name: "who", Table: "who"}, {Name: "tags", Table: "tag", Combiner: "sum"}},
		Interaction: recipe.Interaction{Deep: &recipe.Deep{Inputs: []string{"who", "tags", "age"}, Layers: []recipe.Dense{{Units: 4, Activation: "tanh"}}}},
		Output:      recipe.Output{Activation: "sigmoid"},
		Training:    recipe.Training{Epochs: 10, BatchSize: 16, Optimizer: recipe.Spec{Name: "adam", Args: map[string]any{"learning_rate": 0.05}}},
		Baseline:    nil,
	}
	r := mustTrain(t, c, recipe.TrainOptions{NoCheckpoint: true})
	if auc := metricOf(t, r.Scores, "model", "auc"); auc < 0.99 {
		t.Errorf("AUC %.3f of %+v", auc, r.Scores)
	}
	if loss, mean := metricOf(t, r.Scores, "model", "logloss"), metricOf(t, r.Scores, "mean", "logloss"); loss > mean/2 || mean > 0.70 {
		t.Errorf("log loss %.3f, of the mean %.3f", loss, mean)
	}
	if _, ok := r.History.Last().Get("val_auc"); !ok {
		t.Errorf("no validation in %v", r.History.Last())
	}
}

// stopAt ends training after a step, as Ctrl-C does.
type stopAt struct {
	model.Hooks
	step int64
	stop context.CancelFunc
}

func (s stopAt) OnBatchEnd(_ context.Context, e *model.Event) error {
	if e.Step == s.step {
		s.stop()
	}
	return nil
}

// contents returns the files of the latest checkpoint.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	s, err := recipe.Verify(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for _, e := range entries {
		if all[e.Name()], err = os.ReadFile(filepath.Join(s.Dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// A training that was stopped, at the beginning and the end of an epoch or
// within, and went on ends with the bytes of one that was not.
func TestResume(t *testing.T) {
	c := small(t)
	c.Training.Epochs = 4
	whole := mustTrain(t, c, recipe.TrainOptions{})
	want := contents(t, c.Checkpoint.Dir)
	for _, step := range []int64{1, 7, 15, 16, 44, 59} {
		c.Checkpoint.Dir = filepath.Join(t.TempDir(), "stopped")
		ctx, stop := context.WithCancel(ctx)
		r, err := recipe.Train(ctx, c, recipe.TrainOptions{Callbacks: []model.Callback{stopAt{step: step, stop: stop}}})
		if !errors.Is(err, context.Canceled) || r == nil || !r.Interrupted || r.Steps != step || r.Scores != nil {
			t.Fatalf("stopped at step %d: %+v, %v", step, r, err)
		}
		r = mustTrain(t, c, recipe.TrainOptions{Resume: true})
		if !r.Resumed || r.ResumedAt != step || r.Steps != whole.Steps {
			t.Errorf("resumed from step %d: %+v", step, r)
		}
		got := contents(t, c.Checkpoint.Dir)
		if len(got) != len(want) {
			t.Errorf("%d files, want %d", len(got), len(want))
		}
		for name, b := range want {
			if !bytes.Equal(got[name], b) {
				t.Errorf("stopped at step %d: %s differs", step, name)
			}
		}
		if a, b := r.Scores[0].Metrics[0].Value, whole.Scores[0].Metrics[0].Value; a != b {
			t.Errorf("RMSE %v, want %v", a, b)
		}
	}
}

// Going on when there is nothing to go on from, and when nothing is left to do.
func TestResumeAtTheEnds(t *testing.T) {
	c := small(t)
	r := mustTrain(t, c, recipe.TrainOptions{Resume: true})
	if r.Resumed || r.Steps != 120 {
		t.Errorf("from nothing: %+v", r)
	}
	again := mustTrain(t, c, recipe.TrainOptions{Resume: true})
	if !again.Resumed || again.ResumedAt != 120 || again.Steps != 120 || again.Scores[0].Metrics[0] != r.Scores[0].Metrics[0] {
		t.Errorf("from the end: %+v", again)
	}
}

func TestResumeOtherConfig(t *testing.T) {
	c := small(t)
	c.Training.Epochs = 1
	mustTrain(t, c, recipe.TrainOptions{})
	for name, change := range map[string]func(*recipe.Config){
		"training.epochs":             func(c *recipe.Config) { c.Training.Epochs = 2 },
		"tables[0].l2_per_row":        func(c *recipe.Config) { c.Tables[0].L2PerRow = 1 },
		"training.optimizer.beta_2":   func(c *recipe.Config) { c.Training.Optimizer.Args["beta_2"] = 0.9 },
		"interaction.deep.layers[0].": func(c *recipe.Config) { c.Interaction.Deep.Layers[0].Units = 9 },
	} {
		other := small(t)
		other.Training.Epochs, other.Checkpoint, other.Dir = 1, c.Checkpoint, c.Dir
		change(&other)
		_, err := recipe.Train(ctx, other, recipe.TrainOptions{Resume: true})
		if !errors.Is(err, recipe.ErrOtherConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	write(t, c.Dir, "ratings.csv", "user,film,stars,at", "1,1,3,4", "2,2,4,5", "1,3,3,6", "2,4,3,7", "2,5,3,8")
	if _, err := recipe.Train(ctx, c, recipe.TrainOptions{Resume: true}); !errors.Is(err, recipe.ErrOtherConfig) || !strings.Contains(err.Error(), "examples is 480 there and 4 here") {
		t.Errorf("other data: %v", err)
	}
}

func TestTrainErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		change func(*recipe.Config)
		want   error
		text   string
	}{
		"config":       {func(c *recipe.Config) { c.Tables[1].Width = -1 }, recipe.ErrConfig, "tables[1].width"},
		"no file":      {func(c *recipe.Config) { c.Data.Path = "none.csv" }, os.ErrNotExist, "none.csv"},
		"column":       {func(c *recipe.Config) { c.Data.Columns[0].From = "usr" }, recipe.ErrConfig, `"usr"`},
		"a row":        {func(c *recipe.Config) { write(t, c.Dir, "ratings.csv", "user,film,stars,at", "1,x,3,4") }, dataset.ErrParse, "ratings.csv:2: column film"},
		"no directory": {func(c *recipe.Config) { c.Checkpoint.Dir = file }, nil, file},
		"all held out": {func(c *recipe.Config) {
			write(t, c.Dir, "ratings.csv", "user,film,stars,at", "1,1,3,4")
			c.Split.Test = 0.9
		}, recipe.ErrConfig, "split"},
		"not two kinds": {func(c *recipe.Config) { c.Output.Activation = "sigmoid" }, recipe.ErrConfig, "at_least"},
	} {
		c := small(t)
		x.change(&c)
		_, err := recipe.Train(ctx, c, recipe.TrainOptions{})
		if err == nil || x.want != nil && !errors.Is(err, x.want) || !strings.Contains(err.Error(), x.text) {
			t.Errorf("%s: %v; want %v with %q", name, err, x.want, x.text)
		}
	}
}

func TestTrainSeeds(t *testing.T) {
	c := small(t)
	c.Training.Epochs = 2
	var told []uint64
	s, err := recipe.TrainSeeds(ctx, c, 3, recipe.TrainOptions{}, func(r *recipe.Result) { told = append(told, r.Seed) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []uint64{5, 6, 7}) || len(s.Runs) != 3 || len(s.Spreads) != 6 {
		t.Fatalf("seeds %v, %d runs, spreads %+v", told, len(s.Runs), s.Spreads)
	}
	x := s.Spreads[0]
	mean := (x.Values[0] + x.Values[1] + x.Values[2]) / 3
	if x.Name != "model" || x.Metric != "rmse" || x.Mean < mean-1e-12 || x.Mean > mean+1e-12 || !(x.Deviation > 0) {
		t.Errorf("%+v", x)
	}
	for i := range 3 {
		other := c
		other.Seed, other.Split.Seed = c.Seed+uint64(i), c.Split.Seed+uint64(i)
		r := mustTrain(t, other, recipe.TrainOptions{NoCheckpoint: true})
		if got := metricOf(t, r.Scores, "model", "rmse"); got != x.Values[i] {
			t.Errorf("seed %d alone: %v, want %v", r.Seed, got, x.Values[i])
		}
	}
	for n, o := range map[int]recipe.TrainOptions{0: {}, 2: {Resume: true}} {
		if _, err := recipe.TrainSeeds(ctx, c, n, o, nil); !errors.Is(err, recipe.ErrArgument) {
			t.Errorf("%d seeds, %+v: %v", n, o, err)
		}
	}
}
