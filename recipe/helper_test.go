package recipe_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/dataset/baseline"
	"github.com/rowan-embeddings/rowan/recipe"
)

var ctx = context.Background()

// write makes a file of lines in dir.
func write(t *testing.T, dir, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// taste writes ratings that follow tastes: user u of 30 likes film f of 20 if
// they are of the same of two kinds, which biases cannot tell. It returns the
// folder.
func taste(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	ratings, films := []string{"user,film,stars,at"}, []string{"film,name,genres,year"}
	for u := range 30 {
		for f := range 20 {
			stars := 2 + 2*float64((u+f)%2) + 0.25*float64(u%3) + r.Float64()/2
			ratings = append(ratings, fmt.Sprintf("%d,%d,%.2f,%d", u, f, stars, 1000*u+r.IntN(1000)))
		}
	}
	for f := range 20 {
		genres, year := []string{"plain", "odd|short"}[f%2], fmt.Sprint(1980+f)
		if f == 7 {
			year = "" // not known
		}
		films = append(films, fmt.Sprintf("%d,Film %d,%s,%s", f, f, genres, year))
	}
	write(t, dir, "ratings.csv", ratings...)
	write(t, dir, "films.csv", films...)
	return dir
}

// small is a recommender for such ratings, with everything that a config can have.
func small(t *testing.T) recipe.Config {
	t.Helper()
	normal := recipe.Spec{Name: "random_normal", Args: map[string]any{"stddev": 0.1}}
	zero := "0"
	table := func(name string, width int) recipe.Table {
		return recipe.Table{Name: name, Width: width, Initializer: normal, L2PerRow: 0.5, Missing: "zeros"}
	}
	year := recipe.Table{Name: "year", Width: 4, Rows: 6, Padding: &zero, Initializer: normal}
	return recipe.Config{
		Name: "small", Dir: taste(t), Seed: 5,
		Data: dataset.Config{
			File: dataset.File{Path: "ratings.csv"},
			Columns: []dataset.Column{
				{Name: "user", Kind: dataset.ID}, {Name: "film", Kind: dataset.ID},
				{Name: "stars", Kind: dataset.Label}, {Name: "at", Kind: dataset.Timestamp},
			},
			Joins: []dataset.Join{{File: dataset.File{Path: "films.csv"}, On: "film", Columns: []dataset.Column{
				{Name: "genres", Kind: dataset.IDs, Type: "string"},
				{Name: "year", Kind: dataset.ID, Bucket: &dataset.Bucket{Width: 5, From: 1980, Bands: 5}},
			}}},
		},
		Split:  dataset.Split{Test: 0.2, Seed: 3, User: "user"},
		Tables: []recipe.Table{table("user", 4), table("film", 4), table("genre", 4), year, table("user_bias", 1), table("film_bias", 1)},
		Features: []recipe.Feature{
			{Column: "user", Table: "user", Bias: "user_bias"}, {Column: "film", Table: "film", Bias: "film_bias"},
			{Column: "genres", Table: "genre"}, {Column: "year", Table: "year"},
		},
		Interaction: recipe.Interaction{
			Dropout: 0.05,
			Sums:    []recipe.Sum{{Name: "item", Of: []string{"film", "genres", "year"}}},
			Dots:    []recipe.Pair{{"user", "item"}},
			Deep:    &recipe.Deep{Layers: []recipe.Dense{{Units: 8, Dropout: 0.1}}, WeightDecay: 0.01},
		},
		Output: recipe.Output{Clip: []float32{1, 5}},
		Training: recipe.Training{Epochs: 8, BatchSize: 32, Optimizer: recipe.Spec{Name: "adam", Args: map[string]any{
			"beta_2": 0.99, "exact": true, "learning_rate": map[string]any{"name": "linear", "initial_learning_rate": 0.05}}}},
		Metrics:    []recipe.Metric{{Name: "rmse"}, {Name: "auc", LabelAtLeast: new(float32(4))}},
		Baseline:   &baseline.Config{User: "user", Item: "film"},
		Checkpoint: recipe.Checkpoint{Dir: filepath.Join(t.TempDir(), "saved")},
		Titles:     []recipe.Titles{{File: dataset.File{Path: "films.csv"}, Table: "film", Key: "film", Title: "name"}},
	}
}

// mustTrain trains to the end.
func mustTrain(t *testing.T, c recipe.Config, o recipe.TrainOptions) *recipe.Result {
	t.Helper()
	r, err := recipe.Train(ctx, c, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// trained is a directory of checkpoints of a small recommender that is trained.
func trained(t *testing.T) (dir string, c recipe.Config) {
	t.Helper()
	c = small(t)
	mustTrain(t, c, recipe.TrainOptions{})
	return c.Checkpoint.Dir, c
}

// metricOf returns a metric of the score of a name.
func metricOf(t *testing.T, scores []recipe.Score, name, metric string) float64 {
	t.Helper()
	for _, s := range scores {
		if v, ok := s.Metrics.Get(metric); ok && s.Name == name {
			return v
		}
	}
	t.Fatalf("no %s of %s in %+v", metric, name, scores)
	return 0
}

// checkField checks that an error is about a field.
func checkField(t *testing.T, err error, field string) {
	t.Helper()
	var f *recipe.FieldError
	if !errors.As(err, &f) || f.Field != field {
		t.Errorf("%v; want an error of field %s", err, field)
	}
}
