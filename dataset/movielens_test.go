package dataset

import (
	"testing"

	"github.com/rowan-embeddings/rowan/tensor"
)

// The example's files, whole: films with quotes in their titles, years that
// are not known, and every rating's film.
func TestMovieLens(t *testing.T) {
	cfg := movieConfig()
	cfg.Path, cfg.Joins[0].Path, cfg.Open = "ratings.csv.gz", "movies.csv.gz", nil
	f := mustRead(t, cfg.Under("../examples/movielens"))
	if _, users, err := f.Codes("user"); f.Len() != 100_004 || users != 671 || err != nil {
		t.Errorf("%d ratings by %d users, %v; want 100004 by 671", f.Len(), users, err)
	}
	if _, films, err := f.Codes("film"); films != 9_066 || err != nil {
		t.Errorf("%d films, %v; want 9066", films, err)
	}
	s, err := f.Source(nil, Options{BatchSize: f.Len(), InverseCounts: []string{"genres"}})
	if err != nil {
		t.Fatal(err)
	}
	for b, err := range s.Batches(ctx, Cursor{}) {
		if err != nil {
			t.Fatal(err)
		}
		checkMovieLens(t, b)
	}
}

func checkMovieLens(t *testing.T, b *Batch) {
	t.Helper()
	genres, total := map[string]bool{}, 0.0
	for i, g := range b.IDs["genres"].(*tensor.Ragged[string]).Values() {
		genres[g] = true
		total += float64(b.InverseCounts["genres"][i])
	}
	if len(genres) != 20 || total < 19.99 || total > 20.01 {
		t.Errorf("%d genres whose inverse counts add up to %v, want 20 and 20", len(genres), total)
	}
	unknown := 0
	for _, y := range b.IDs["year"].(*tensor.Dense[int64]).Values() {
		if y < 0 || y > 30 {
			t.Fatalf("year band %d", y)
		}
		if y == 0 {
			unknown++
		}
	}
	if unknown != 7 {
		t.Errorf("%d ratings of films without a year, want 7", unknown)
	}
}
