package recipe_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/recipe"
	"github.com/rowan-embeddings/rowan/tensor"
)

func mustLoad(t *testing.T, path string) *recipe.Recommender {
	t.Helper()
	r, err := recipe.Load(ctx, path, recipe.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// What is loaded scores as what was trained did.
func TestEvaluate(t *testing.T) {
	c := small(t)
	trained := mustTrain(t, c, recipe.TrainOptions{})
	r := mustLoad(t, c.Checkpoint.Dir)
	e, err := r.Evaluate(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if e.Examples != 120 || e.Data != "held out" || e.Saved.Step != 120 || len(e.Scores) != 3 {
		t.Errorf("%+v", e)
	}
	for i, s := range trained.Scores {
		for j, m := range s.Metrics {
			if e.Scores[i].Metrics[j] != m {
				t.Errorf("%s %v, in training %v", s.Name, e.Scores[i].Metrics[j], m)
			}
		}
	}
	write(t, c.Dir, "ratings.csv", "user,film,stars,at", "1,1,3,4", "2,2,4,5", "1,3,3,6", "2,4,3,7", "2,5,3,8")
	if _, err := r.Evaluate(ctx, ""); !errors.Is(err, recipe.ErrOtherConfig) {
		t.Errorf("after the data changed: %v", err)
	}
	e, err = r.Evaluate(ctx, filepath.Join(c.Dir, "ratings.csv"))
	if err != nil || e.Examples != 5 || len(e.Scores) != 1 {
		t.Errorf("on a file: %+v, %v", e, err)
	}
}

func TestEvaluateNothing(t *testing.T) {
	c := small(t)
	c.Split.Test, c.Training.Epochs = 0, 1
	if r := mustTrain(t, c, recipe.TrainOptions{}); r.Test != 0 || r.Scores != nil {
		t.Errorf("%+v", r)
	}
	if _, err := mustLoad(t, c.Checkpoint.Dir).Evaluate(ctx, ""); !errors.Is(err, recipe.ErrConfig) {
		t.Errorf("evaluate on nothing: %v", err)
	}
}

// A folder that was moved is found by LoadOptions.Dir.
func TestLoadDir(t *testing.T) {
	dir, c := trained(t)
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(c.Dir, moved); err != nil {
		t.Fatal(err)
	}
	if _, err := mustLoad(t, dir).Evaluate(ctx, ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("data that are gone: %v", err)
	}
	r, err := recipe.Load(ctx, dir, recipe.LoadOptions{Dir: moved})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Evaluate(ctx, ""); err != nil {
		t.Error(err)
	}
}

// scores predicts from text.
func scores(r *recipe.Recommender, text string) (records []string, scores []float32, err error) {
	o := recipe.PredictOptions{Path: "-", Open: func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
	for s, err := range r.Predict(ctx, o) {
		if err != nil {
			return records, scores, err
		}
		for _, b := range s.Records {
			records = append(records, string(b))
		}
		scores = append(scores, s.Scores...)
	}
	return records, scores, nil
}

func TestPredict(t *testing.T) {
	dir, _ := trained(t)
	r := mustLoad(t, dir)
	records, got, err := scores(r, "film,note,user\n1,a,2\n2,\"b,\nc\",2\n3,,77\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"1,a,2", "2,\"b,\nc\",2", "3,,77"}; !slices.Equal(records, want) {
		t.Errorf("records %q, want %q", records, want)
	}
	if !(got[0] > 3.8 && got[1] < 3.2) {
		t.Errorf("scores %v: the first film is to user 2's taste, the second is not", got)
	}
	// A score does not depend on what is scored with it.
	_, alone, err := scores(r, "user,film\n77,3\n")
	if err != nil || math.Abs(float64(alone[0]-got[2])) > 1e-6 {
		t.Errorf("alone %v, in a batch %v, %v", alone, got[2], err)
	}
	for _, s := range got {
		if s < 1 || s > 5 {
			t.Errorf("score %v is not clipped", s)
		}
	}
}

func TestPredictErrors(t *testing.T) {
	dir, _ := trained(t)
	r := mustLoad(t, dir)
	for text, want := range map[string]string{
		"user,film\n1,2\n1,x\n": "-:3: column film",
		"user\n1\n":             `"film"`,
		"":                      "empty",
		"user,film\n1,99\n":     `film "99"`, // films.csv does not have it
	} {
		if _, _, err := scores(r, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for _, err := range r.Predict(ctx, recipe.PredictOptions{Path: "none.csv"}) {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("no file: %v", err)
		}
	}
}

// Rows are scored as they come: the first before the last is read, and memory
// does not hold them.
func TestPredictStreams(t *testing.T) {
	dir, _ := trained(t)
	r := mustLoad(t, dir)
	const rows = 60_000
	in, out := io.Pipe()
	written := make(chan int, 1)
	go func() {
		n, line := 0, bytes.Repeat([]byte("3,4\n"), 100)
		_, err := out.Write([]byte("user,film\n"))
		for ; n < rows && err == nil; n += 100 {
			_, err = out.Write(line)
		}
		out.Close()
		written <- n
	}()
	count, first := 0, 0
	for s, err := range r.Predict(ctx, recipe.PredictOptions{Path: "-", Open: func(string) (io.ReadCloser, error) { return in, nil }}) {
		if err != nil {
			t.Fatal(err)
		}
		if count += len(s.Scores); first == 0 {
			first = len(s.Scores)
			select {
			case <-written:
				t.Error("everything was read before the first score")
			default:
			}
		}
	}
	if count != rows || first == rows {
		t.Errorf("%d scores, %d in the first batch", count, first)
	}
}

// rowsOf returns the rows of a table by key.
func rowsOf(t *testing.T, r *recipe.Recommender, table string) map[string][]float32 {
	t.Helper()
	rows := make(map[string][]float32)
	for _, x := range r.Tables() {
		if x.Name() != table {
			continue
		}
		for batch, err := range x.Export(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			for i, key := range batch.Keys.(*tensor.Dense[int64]).Values() {
				rows[fmt.Sprint(key)] = slices.Clone(batch.Values.Data()[i*x.Width() : (i+1)*x.Width()])
			}
		}
	}
	return rows
}

// Similar finds what comparing all rows one by one finds.
func TestSimilar(t *testing.T) {
	dir, _ := trained(t)
	rows := rowsOf(t, mustLoad(t, dir), "film")
	product := func(a, b []float32) (sum float64) {
		for i := range a {
			sum += float64(a[i]) * float64(b[i])
		}
		return sum
	}
	for _, metric := range []string{"dot", "cosine"} {
		got, err := recipe.Similar(ctx, dir, recipe.SimilarOptions{Table: "film", Key: "3", K: 6, Metric: metric})
		if err != nil {
			t.Fatal(err)
		}
		var want []recipe.Neighbour
		for key, row := range rows {
			score := product(rows["3"], row)
			if metric == "cosine" {
				score /= math.Sqrt(product(row, row) * product(rows["3"], rows["3"]))
			}
			if key != "3" {
				want = append(want, recipe.Neighbour{Key: key, Title: "Film " + key, Score: score})
			}
		}
		slices.SortFunc(want, func(a, b recipe.Neighbour) int { return cmp.Compare(b.Score, a.Score) })
		if len(got.Found) != 6 || got.Of.Title != "Film 3" {
			t.Fatalf("%s: %+v", metric, got)
		}
		for i, n := range got.Found {
			if n.Key != want[i].Key || n.Title != want[i].Title || math.Abs(n.Score-want[i].Score) > 1e-9 {
				t.Errorf("%s: place %d is %+v, want %+v", metric, i, n, want[i])
			}
		}
	}
}

func TestSimilarOptions(t *testing.T) {
	dir, c := trained(t)
	all, err := recipe.Similar(ctx, dir, recipe.SimilarOptions{Table: "film", Key: "03", K: 100})
	if err != nil || len(all.Found) != 19 || all.Of.Key != "3" {
		t.Errorf("%+v, %v; want the 19 other films", all, err)
	}
	none, err := recipe.Similar(ctx, dir, recipe.SimilarOptions{Table: "film", Key: "3", MinNorm: 1000})
	if err != nil || len(none.Found) != 0 {
		t.Errorf("of great norm: %+v, %v", none, err)
	}
	genre, err := recipe.Similar(ctx, dir, recipe.SimilarOptions{Table: "genre", Key: "odd"})
	if err != nil || len(genre.Found) != 2 || genre.Found[0].Title != "" {
		t.Errorf("%+v, %v", genre, err)
	}
	year, err := recipe.Similar(ctx, dir, recipe.SimilarOptions{Table: "year", Key: "1", Metric: "dot",
		Titles: &recipe.Titles{File: dataset.File{Path: filepath.Join(c.Dir, "films.csv")}, Key: "film", Title: "year"}})
	if err != nil || len(year.Found) != 4 || year.Of.Title != "1981" {
		t.Errorf("%+v, %v; want the 4 other bands, without the padding", year, err)
	}
}

func TestSimilarErrors(t *testing.T) {
	dir, _ := trained(t)
	for name, x := range map[string]struct {
		o    recipe.SimilarOptions
		path string
		want error
	}{
		"table":      {recipe.SimilarOptions{Table: "flim", Key: "1"}, dir, recipe.ErrUnknown},
		"key":        {recipe.SimilarOptions{Table: "film", Key: "99"}, dir, recipe.ErrUnknown},
		"no number":  {recipe.SimilarOptions{Table: "film", Key: "Heat"}, dir, recipe.ErrArgument},
		"metric":     {recipe.SimilarOptions{Table: "film", Key: "1", Metric: "cos"}, dir, recipe.ErrArgument},
		"k":          {recipe.SimilarOptions{Table: "film", Key: "1", K: -1}, dir, recipe.ErrArgument},
		"no titles":  {recipe.SimilarOptions{Table: "film", Key: "1", Titles: &recipe.Titles{File: dataset.File{Path: "none"}, Key: "a", Title: "b"}}, dir, os.ErrNotExist},
		"checkpoint": {recipe.SimilarOptions{Table: "film", Key: "1"}, t.TempDir(), checkpoint.ErrNone},
	} {
		if n, err := recipe.Similar(ctx, x.path, x.o); !errors.Is(err, x.want) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
}

func TestInspect(t *testing.T) {
	dir, _ := trained(t)
	i, err := recipe.Inspect(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if i.Name != "small" || i.Saved.Step != 120 || i.TotalSteps != 120 || i.TrainedOn != 480 || len(i.Tables) != 6 || len(i.History) != 8 {
		t.Errorf("%+v", i)
	}
	user := i.Tables[0]
	if user.Rows != 30 || user.Width != 4 || !user.Dynamic || user.KeyType != "int64" || user.Optimizer != "Adam" || !user.Exact || len(user.Slots) != 2 || user.RowBytes <= 0 {
		t.Errorf("%+v", user)
	}
	if genre := i.Tables[2]; genre.KeyType != "string" || genre.Rows != 3 {
		t.Errorf("%+v", genre)
	}
	for _, table := range i.Tables {
		n, count := table.Norms, 0
		for _, b := range n.Histogram {
			count += b.Count
		}
		if count != table.Rows || n.Min > n.Median || n.Median > n.Max || n.Mean > n.Max {
			t.Errorf("table %s: %+v of %d rows", table.Name, n, table.Rows)
		}
	}
}

// One checkpoint of several can be named, and is the one that is read.
func TestOlderCheckpoint(t *testing.T) {
	c := small(t)
	c.Training.Epochs, c.Checkpoint.EverySteps, c.Checkpoint.Keep = 2, 10, 100
	mustTrain(t, c, recipe.TrainOptions{})
	entries, err := os.ReadDir(c.Checkpoint.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var steps []int64
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		r := mustLoad(t, filepath.Join(c.Checkpoint.Dir, e.Name()))
		if r.Saved().Step != r.Model().Step() || filepath.Base(r.Saved().Dir) != e.Name() {
			t.Errorf("%s: %+v, the model is at step %d", e.Name(), r.Saved(), r.Model().Step())
		}
		steps = append(steps, r.Saved().Step)
	}
	if want := []int64{0, 10, 20, 30}; !slices.Equal(slices.Compact(steps), want) {
		t.Errorf("checkpoints of steps %v, want %v", steps, want)
	}
	if _, err := recipe.Load(ctx, filepath.Join(c.Checkpoint.Dir, "ckpt-00000099"), recipe.LoadOptions{}); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("one that is not there: %v", err)
	}
}

// A bit that flipped anywhere is found, and whatever still loads is whole.
func TestDamage(t *testing.T) {
	dir, _ := trained(t)
	s, err := recipe.Verify(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(s.Dir, e.Name())
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for what, bad := range map[string][]byte{"cut": whole[:len(whole)/2], "flipped": flip(whole)} {
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := recipe.Verify(ctx, dir); err == nil {
				t.Errorf("%s %s: Verify found nothing", what, e.Name())
			}
			if r, err := recipe.Load(ctx, dir, recipe.LoadOptions{}); err == nil {
				t.Errorf("%s %s: it was loaded", what, e.Name())
				r.Close()
			}
		}
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mustLoad(t, dir)
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)*2/3] ^= 4
	return b
}

// TestTypesOfRows trains tables of each type, and loads them as they were.
func TestTypesOfRows(t *testing.T) {
	c := small(t)
	types := []string{"float64", "bfloat16", "float16", "float32"}
	for i := range c.Tables {
		c.Tables[i].DType = types[i%len(types)]
	}
	trained := mustTrain(t, c, recipe.TrainOptions{})
	if rmse := metricOf(t, trained.Scores, "model", "rmse"); rmse > 0.4 {
		t.Errorf("RMSE %.3f: the tastes were not learnt", rmse)
	}
	r := mustLoad(t, c.Checkpoint.Dir)
	e, err := r.Evaluate(ctx, "")
	if err != nil || e.Scores[0].Metrics[0] != trained.Scores[0].Metrics[0] {
		t.Errorf("loaded %v, %v, in training %v", e, err, trained.Scores[0])
	}
	i, err := recipe.Inspect(ctx, c.Checkpoint.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for n, table := range i.Tables {
		if table.DType != types[n%len(types)] {
			t.Errorf("table %q is %s, want %s", table.Name, table.DType, types[n%len(types)])
		}
	}
}
