package dataset

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// manyRatings is a frame of n rows that all differ.
func manyRatings(t testing.TB, n int) *Frame {
	var b strings.Builder
	b.WriteString("userId,movieId,rating,timestamp\n")
	for i := range n {
		b.WriteString(strings.Join([]string{strconv.Itoa(i % 7), []string{"10", "20", "30"}[i%3], strconv.Itoa(i), strconv.Itoa(i * 31 % 17)}, ",") + "\n")
	}
	cfg := movieConfig()
	cfg.Open = files{"ratings.csv": b.String(), "movies.csv": moviesCSV}.open
	f, err := Read(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// From every cursor, the batches must be those that the uninterrupted run gives.
func TestResumeFromEveryCursor(t *testing.T) {
	f := manyRatings(t, 43)
	for _, o := range []Options{
		{BatchSize: 10},
		{BatchSize: 10, Shuffle: true, Seed: 5, InverseCounts: []string{"film", "genres"}},
		{BatchSize: 1, Shuffle: true},
		{BatchSize: 41, Shuffle: true},
		{BatchSize: 1000},
	} {
		s, err := f.Source(f.All()[:41], o)
		if err != nil {
			t.Fatal(err)
		}
		checkResume(t, s)
	}
}

func TestStreamResumeFromEveryCursor(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 100} {
		s, err := NewStream(context.Background(), movieConfig(), Options{BatchSize: size})
		if err != nil {
			t.Fatal(err)
		}
		checkResume(t, s)
	}
}

// checkResume walks three epochs, then starts again from every end.
func checkResume(t *testing.T, s Source) {
	t.Helper()
	var whole []string
	var at Cursor
	starts := []Cursor{at}
	for at.Epoch < 3 {
		printed, ends := batches(t, s, at)
		whole, starts, at = append(whole, printed...), append(starts, ends...), ends[len(ends)-1]
	}
	for i, from := range starts[:len(starts)-1] {
		var rest []string
		for at := from; at.Epoch < 3; {
			printed, ends := batches(t, s, at)
			rest, at = append(rest, printed...), ends[len(ends)-1]
		}
		if !slices.Equal(rest, whole[i:]) {
			t.Fatalf("from %+v:\n%s\nwant\n%s", from, rest, whole[i:])
		}
	}
}

func TestEpochHasEveryRowOnce(t *testing.T) {
	f := manyRatings(t, 1000)
	rows := f.All()[17:960]
	s, err := f.Source(rows, Options{BatchSize: 64, Shuffle: true, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var epochs [2][]uint32
	for e := range epochs {
		for b, err := range s.Batches(context.Background(), Cursor{Epoch: int64(e)}) {
			if err != nil {
				t.Fatal(err)
			}
			for i, row := range b.Rows {
				if b.Label[i] != float32(row) {
					t.Fatalf("row %d has label %v", row, b.Label[i])
				}
			}
			epochs[e] = append(epochs[e], b.Rows...)
		}
	}
	if slices.Equal(epochs[0], epochs[1]) || slices.IsSorted(epochs[0]) {
		t.Error("the order does not change from epoch to epoch")
	}
	slices.Sort(epochs[0])
	if !slices.Equal(epochs[0], rows) {
		t.Error("the epoch is not the rows")
	}
}

func TestBadCursor(t *testing.T) {
	f := manyRatings(t, 10)
	s, err := f.Source(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := NewStream(context.Background(), movieConfig(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    Source
		from Cursor
		want string
	}{
		{s, Cursor{Position: 10}, "dataset: bad cursor: {Epoch:0 Position:10} is outside epochs of 10 examples; was it saved with other data?"},
		{s, Cursor{Epoch: -1}, "dataset: bad cursor: {Epoch:-1 Position:0} is outside epochs of 10 examples; was it saved with other data?"},
		{stream, Cursor{Position: -1}, "dataset: bad cursor: {Epoch:0 Position:-1} is negative"},
		{stream, Cursor{Position: 9}, "dataset: bad cursor: {Epoch:0 Position:9} is behind the end of ratings.csv, which has 7 records"},
	} {
		n := 0
		for b, err := range c.s.Batches(context.Background(), c.from) {
			if n++; b != nil || !errors.Is(err, ErrCursor) || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		}
		if n != 1 {
			t.Errorf("%d batches from a bad cursor, want one error", n)
		}
	}
}

func TestBatchesStopWithTheirContext(t *testing.T) {
	f := manyRatings(t, 100)
	rows, err := f.Source(nil, Options{BatchSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := NewStream(context.Background(), movieConfig(), Options{BatchSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Source{rows, stream} {
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		for _, err := range s.Batches(ctx, Cursor{}) {
			if n++; n == 2 && !errors.Is(err, context.Canceled) || n > 2 {
				t.Errorf("%T: batch %d after cancel: %v", s, n, err)
			}
			cancel()
		}
		cancel()
	}
}

func TestSourceRefuses(t *testing.T) {
	f := manyRatings(t, 10)
	for _, c := range []struct {
		rows []uint32
		o    Options
		kind error
	}{
		{nil, Options{BatchSize: -1}, ErrConfig},
		{[]uint32{10}, Options{}, ErrColumn},
		{nil, Options{InverseCounts: []string{"rating"}}, ErrColumn},
	} {
		if _, err := f.Source(c.rows, c.o); !errors.Is(err, c.kind) {
			t.Errorf("%+v: got %v, want %v", c.o, err, c.kind)
		}
	}
	empty, err := f.Source([]uint32{}, Options{Shuffle: true})
	if err != nil || empty.Steps() != 0 {
		t.Fatalf("no rows: %v", err)
	}
	if printed, _ := batches(t, empty, Cursor{}); len(printed) != 0 {
		t.Errorf("no rows gave %q", printed)
	}
}

func TestStream(t *testing.T) {
	cfg := movieConfig().WithoutLabel()
	s, err := NewStream(context.Background(), cfg, Options{BatchSize: 5})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := batches(t, s, Cursor{})
	want := "n 2 rows [] label [] weight []\n" +
		"film [2] [30 10]\n" +
		"genres [2 -1] [\"Animation\" \"Comedy\"] [0 0 2]\n" +
		"user [2] [3 3]\n" +
		"year [2] [0 24]\n" +
		"\"3,30,2,50\"\n\"3,10,1,60\"\n" +
		"end {Epoch:1 Position:0}\n"
	if len(got) != 2 || got[1] != want || s.Steps() != -1 {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if len(movieConfig().Columns) != 4 || len(cfg.Columns) != 2 {
		t.Errorf("columns without label: %+v", cfg.Columns)
	}
}

func TestStreamErrors(t *testing.T) {
	header := "userId,movieId,rating,timestamp\n"
	for _, c := range []struct {
		text string
		good int
		want string
	}{
		{"1,10,4,1\n1,10,x,1\n", 1, `ratings.csv:3: column rating: "x" is not a number; expected one like 3.5, -2 or 1e-3, within ±3.4e38`},
		{"1,10,4,1\n1,10,\"x,1\n", 1, `ratings.csv:3: bad quotes: field 3 has an opening quote that is never closed`},
		{"1,10,\"4\"4,1\n", 0, `ratings.csv:2: bad quotes: field 3 goes on after its closing quote; double a quote that belongs to the text`},
	} {
		cfg := movieConfig()
		cfg.Open = files{"ratings.csv": header + c.text, "movies.csv": moviesCSV}.open
		s, err := NewStream(context.Background(), cfg, Options{BatchSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		good, last := 0, error(nil)
		for b, err := range s.Batches(context.Background(), Cursor{}) {
			if last = err; b != nil {
				good++
			}
		}
		if good != c.good || last == nil || last.Error() != c.want || !errors.Is(last, ErrParse) {
			t.Errorf("%d batches, then %v\nwant %d, then %s", good, last, c.good, c.want)
		}
	}
	if _, err := NewStream(context.Background(), movieConfig(), Options{Shuffle: true}); !errors.Is(err, ErrConfig) {
		t.Errorf("a shuffled stream: %v", err)
	}
}

// In steady state a batch costs a few small headers for ragged features, not its ids.
func TestBatchesReuseTheirMemory(t *testing.T) {
	f := manyRatings(t, 10_000)
	s, err := f.Source(nil, Options{BatchSize: 100, Shuffle: true})
	if err != nil {
		t.Fatal(err)
	}
	perEpoch := testing.AllocsPerRun(5, func() {
		for _, err := range s.Batches(context.Background(), Cursor{}) {
			if err != nil {
				t.Error(err)
			}
		}
	})
	if perBatch := perEpoch / float64(s.Steps()); perBatch > 3 {
		t.Errorf("%.1f allocations a batch, want at most 3", perBatch)
	}
}

func BenchmarkBatches(b *testing.B) {
	f := manyRatings(b, 100_000)
	s, err := f.Source(nil, Options{Shuffle: true, InverseCounts: []string{"user", "film", "genres", "year"}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for _, err := range s.Batches(context.Background(), Cursor{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds()/1e6, "Mexamples/s")
}
