package recipe_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/recipe"
)

// withHistory tells what a user likes by the films of the user alone.
func withHistory(t *testing.T) recipe.Config {
	t.Helper()
	c := small(t)
	c.Histories = []dataset.HistoryConfig{{Name: "seen", By: "user", Of: "film", Longest: 10}}
	c.Tables = append(c.Tables, recipe.Table{Name: "seen", Width: 4, Missing: "zeros"})
	c.Features = append(c.Features, recipe.Feature{Column: "seen", Table: "seen", Combiner: "sqrtn"})
	c.Interaction.Sums = append(c.Interaction.Sums, recipe.Sum{Name: "viewer", Of: []string{"user", "seen"}})
	c.Interaction.Dots = []recipe.Pair{{"viewer", "item"}}
	c.Training.Epochs = 3
	return c
}

// A history is kept with the model: what is loaded scores as what was trained,
// also without the training file.
func TestHistory(t *testing.T) {
	c := withHistory(t)
	trained := mustTrain(t, c, recipe.TrainOptions{})
	r := mustLoad(t, c.Checkpoint.Dir)
	e, err := r.Evaluate(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := metricOf(t, e.Scores, "model", "rmse"), metricOf(t, trained.Scores, "model", "rmse"); got != want {
		t.Errorf("RMSE %v, in training %v", got, want)
	}
	const rows = "user,film\n1,2\n2,2\n3,5\n77,1\n"
	_, want, err := scores(r, rows)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.Dir, "ratings.csv")); err != nil {
		t.Fatal(err)
	}
	_, got, err := scores(mustLoad(t, c.Checkpoint.Dir), rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d is scored %v without the training file, %v with it", i, got[i], want[i])
		}
	}
	if _, err := recipe.Similar(ctx, c.Checkpoint.Dir, recipe.SimilarOptions{Table: "seen", Key: "1"}); err != nil {
		t.Error(err)
	}
}

func TestHistoryErrors(t *testing.T) {
	for field, change := range map[string]func(*dataset.HistoryConfig){
		"histories[0].name":    func(h *dataset.HistoryConfig) { h.Name = "film" },
		"histories[0].by":      func(h *dataset.HistoryConfig) { h.By = "usr" },
		"histories[0].of":      func(h *dataset.HistoryConfig) { h.Of = "genres" },
		"histories[0].longest": func(h *dataset.HistoryConfig) { h.Longest = -1 },
		"features[4].column":   func(h *dataset.HistoryConfig) { h.Name = "watched" },
	} {
		c := withHistory(t)
		change(&c.Histories[0])
		checkField(t, c.Validate(), field)
	}
}
