package recipe_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/recipe"
)

// A recommender for people of two tastes, from the file of what they liked to
// the score of what they have not seen.
func ExampleTrain() {
	dir, err := os.MkdirTemp("", "rowan")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	lines := []string{"who,what,liked"}
	for who := range 20 {
		for what := range 16 {
			lines = append(lines, fmt.Sprintf("p%d,%d,%d", who, what, (who+what)%2))
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "likes.csv"), []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}

	config := recipe.Config{
		Dir: dir,
		Data: dataset.Config{
			File: dataset.File{Path: "likes.csv"},
			Columns: []dataset.Column{
				{Name: "who", Kind: dataset.ID, Type: "string"},
				{Name: "what", Kind: dataset.ID},
				{Name: "liked", Kind: dataset.Label},
			},
		},
		Split:       dataset.Split{Test: 0.2, Seed: 1},
		Tables:      []recipe.Table{{Name: "people", Width: 4}, {Name: "things", Width: 4}},
		Features:    []recipe.Feature{{Column: "who", Table: "people"}, {Column: "what", Table: "things"}},
		Interaction: recipe.Interaction{Dots: []recipe.Pair{{"who", "what"}}},
		Training: recipe.Training{Epochs: 20, BatchSize: 16, Optimizer: recipe.Spec{
			Name: "adam", Args: map[string]any{"learning_rate": 0.02}}},
		Checkpoint: recipe.Checkpoint{Dir: filepath.Join(dir, "saved")},
	}
	result, err := recipe.Train(context.Background(), config, recipe.TrainOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range result.Scores {
		rmse, _ := s.Metrics.Get("rmse")
		fmt.Printf("%-5s %.1f\n", s.Name, rmse)
	}
	alike, err := recipe.Similar(context.Background(), config.Checkpoint.Dir, recipe.SimilarOptions{Table: "people", Key: "p3", K: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("most like p3: %.1f\n", alike.Found[0].Score)
	// Output:
	// model 0.0
	// mean  0.5
	// most like p3: 1.0
}
