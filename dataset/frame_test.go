package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestBatchByHand(t *testing.T) {
	f := mustRead(t, movieConfig())
	s, err := f.Source(nil, Options{BatchSize: 4, InverseCounts: []string{"user", "genres"}})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := batches(t, s, Cursor{})
	want := []string{
		"n 4 rows [0 1 2 3] label [4.5 3 5 0.5] weight []\n" +
			"film [4] [10 20 10 30]\n" +
			"genres [4 -1] [\"Animation\" \"Comedy\" \"Crime\" \"Animation\" \"Comedy\"] [0 2 3 5 5]\n" +
			"user [4] [1 1 2 2]\n" +
			"year [4] [24 24 24 0]\n" +
			"1/count genres [0.33333334 0.33333334 0.5 0.33333334 0.33333334]\n" +
			"1/count user [0.5 0.5 0.33333334 0.33333334]\n" +
			"end {Epoch:0 Position:4}\n",
		"n 3 rows [4 5 6] label [4 2 1] weight []\n" +
			"film [3] [20 30 10]\n" +
			"genres [3 -1] [\"Crime\" \"Animation\" \"Comedy\"] [0 1 1 3]\n" +
			"user [3] [2 3 3]\n" +
			"year [3] [24 0 24]\n" +
			"1/count genres [0.5 0.33333334 0.33333334]\n" +
			"1/count user [0.33333334 0.5 0.5]\n" +
			"end {Epoch:1 Position:0}\n",
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("batch %d:\n%swant\n%s", i, got[i], want[i])
		}
	}
	if s.Steps() != 2 || len(got) != 2 {
		t.Errorf("%d steps, %d batches, want 2", s.Steps(), len(got))
	}
}

// The same rows must come from every way to write them down.
func TestSpellingsOfAFile(t *testing.T) {
	read := func(text string, change func(*Config)) string {
		cfg := movieConfig()
		cfg.Path, cfg.Open = "x.csv", files{"x.csv": text, "x.tsv.gz": text, "movies.csv": moviesCSV}.open
		if change != nil {
			change(&cfg)
		}
		s, err := mustRead(t, cfg).Source(nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		printed, _ := batches(t, s, Cursor{})
		return printed[0]
	}
	want := read(ratingsCSV, nil)
	_, body, _ := strings.Cut(ratingsCSV, "\n")
	tabs := strings.ReplaceAll(ratingsCSV, ",", "\t")
	for name, got := range map[string]string{
		"gzip":                   read(zipped(ratingsCSV), nil),
		"byte order mark":        read("\ufeff"+ratingsCSV, nil),
		"gzip, byte order mark":  read(zipped("\ufeff"+ratingsCSV), nil),
		"two gzip members":       read(zipped(ratingsCSV[:50])+zipped(ratingsCSV[50:]), nil),
		"CRLF":                   read(strings.ReplaceAll(ratingsCSV, "\n", "\r\n"), nil),
		"no last line end":       read(strings.TrimSuffix(ratingsCSV, "\n"), nil),
		"blank lines":            read(strings.ReplaceAll(ratingsCSV, "\n", "\n\n")+"\n", nil),
		"quoted":                 read(strings.NewReplacer(",", `","`, "\n", "\"\n\"").Replace(`"`+ratingsCSV[:len(ratingsCSV)-1])+`"`, nil),
		"tabs":                   read(tabs, func(c *Config) { c.Format = "tsv" }),
		"tabs, seen by the name": read(zipped(tabs), func(c *Config) { c.Path = "x.tsv.gz" }),
		"names given":            read(body, func(c *Config) { c.Names = []string{"userId", "movieId", "rating", "timestamp"} }),
	} {
		if got != want {
			t.Errorf("%s:\n%swant\n%s", name, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	half, most := float32(0.5), "7"
	cfg := Config{
		File: File{Path: "x.csv", Missing: []string{"", "?"}},
		Columns: []Column{
			{Name: "u", Kind: ID, Type: "uint64"},
			{Name: "s", Kind: ID, Type: "string", Default: &most},
			{Name: "l", Kind: IDs, Separator: "; "},
			{Name: "n", Kind: Number},
			{Name: "y", From: "n", Kind: Label, AtLeast: &half},
			{Name: "w", Kind: Weight},
		},
		Open: files{"x.csv": "u,s,l,n,w\n18446744073709551615,a b,1; -2,0.25,1\n0,?,?,-5e-1,0\n7,é,3,.5,2.5\n"}.open,
	}
	s, err := mustRead(t, cfg).Source(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := batches(t, s, Cursor{})
	want := "n 3 rows [0 1 2] label [0 0 1] weight [1 0 2.5]\n" +
		"l [3 -1] [1 -2 3] [0 2 2 3]\n" +
		"s [3] [\"a b\" \"7\" \"é\"]\n" +
		"u [3] [18446744073709551615 0 7]\n" +
		"n [3 1] [0.25 -0.5 0.5]\n" +
		"end {Epoch:1 Position:0}\n"
	if got[0] != want {
		t.Errorf("got\n%swant\n%s", got[0], want)
	}
}

func TestBucket(t *testing.T) {
	b, wide := Bucket{Width: 4, From: 1900, Bands: 3}, Bucket{Width: 0.5}
	for _, c := range []struct {
		b    Bucket
		v    float64
		want int64
	}{
		{b, 1850, 1}, {b, 1900, 1}, {b, 1903.9, 1}, {b, 1904, 2}, {b, 1911, 3}, {b, 1912, 3}, {b, 1e30, 3},
		{wide, 0, 1}, {wide, 0.5, 2}, {wide, 100, 201}, {wide, 1e30, 1<<31 + 1},
	} {
		if got := c.b.id(c.v); got != c.want {
			t.Errorf("%+v of %v is %d, want %d", c.b, c.v, got, c.want)
		}
	}
}

func TestOptionalJoin(t *testing.T) {
	cfg := movieConfig()
	cfg.Open = files{"ratings.csv": "userId,movieId,rating,timestamp\n1,99,4,1\n1,10,4,1\n", "movies.csv": moviesCSV}.open
	cfg.Joins[0].Optional = true
	s, err := mustRead(t, cfg).Source(nil, Options{InverseCounts: []string{"genres"}})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := batches(t, s, Cursor{})
	for _, want := range []string{
		"genres [2 -1] [\"Animation\" \"Comedy\"] [0 0 2]\n", "year [2] [0 24]\n", "1/count genres [1 1]\n",
	} {
		if !strings.Contains(got[0], want) {
			t.Errorf("got\n%swhich lacks %s", got[0], want)
		}
	}
}

// What a user sees of a broken file, word for word.
func TestReadErrors(t *testing.T) {
	header := "userId,movieId,rating,timestamp\n"
	for _, c := range []struct {
		name, text string
		change     func(*Config)
		kind       error
		want       string
	}{
		{"not a number", header + "1,10,4,1\n1,10,abc,1\n", nil, ErrParse,
			`ratings.csv:3: column rating: "abc" is not a number; expected one like 3.5, -2 or 1e-3, within ±3.4e38`},
		{"NaN", header + "1,10,NaN,1\n", nil, ErrParse,
			`ratings.csv:2: column rating: "NaN" is not a number; expected one like 3.5, -2 or 1e-3, within ±3.4e38`},
		{"too great", header + "1,10,1e39,1\n", nil, ErrParse,
			`ratings.csv:2: column rating: "1e39" is not a number; expected one like 3.5, -2 or 1e-3, within ±3.4e38`},
		{"not whole", header + "1,10.5,4,1\n", nil, ErrParse,
			`ratings.csv:2: column movieId: "10.5" is not a whole number; expected an int64, from -9223372036854775808 to 9223372036854775807`},
		{"out of range", header + "2147483648,10,4,1\n", nil, ErrParse,
			`ratings.csv:2: column userId: "2147483648" is not a whole number; expected an int32, from -2147483648 to 2147483647`},
		{"missing", header + "1,10,,1\n", nil, ErrParse,
			`ratings.csv:2: column rating: the value is missing; fill it in, or set the column's default to say what to read in its place`},
		{"too short", header + "\n1,10,4\n", nil, ErrParse,
			`ratings.csv:3: the record has 3 fields; expected 4: userId, movieId, rating, timestamp`},
		{"too long", header + "1,10,4,1,\n", nil, ErrParse,
			`ratings.csv:2: the record has 5 fields; expected 4: userId, movieId, rating, timestamp`},
		{"open quote", header + "1,10,\"4,1\n", nil, ErrParse,
			`ratings.csv:2: bad quotes: field 3 has an opening quote that is never closed`},
		{"empty", "", nil, ErrParse,
			`ratings.csv: the file is empty; expected a header line with the names of its columns`},
		{"gzip cut off", zipped(ratingsCSV)[:40], nil, ErrParse, `ratings.csv: the compressed text is cut off; expected the rest of a gzip file: unexpected EOF`},
		{"unknown key", header + "1,10,4,1\n1,11,4,1\n", nil, ErrParse,
			`ratings.csv:3: column movieId: movies.csv has no row with movieId "11"; add one, or make the join optional`},
		{"no such column", header, func(c *Config) { c.Columns[2].Name = "ratng" }, ErrConfig,
			`dataset: bad config: ratings.csv has no column "ratng"; did you mean "rating"? (it has: userId, movieId, rating, timestamp)`},
		{"two of a name", "userId,movieId,rating,timestamp,rating\n", nil, ErrConfig,
			`dataset: bad config: ratings.csv has two columns "rating"; rename one`},
		{"key column", header, func(c *Config) { c.Joins[0].Key = "filmId" }, ErrConfig,
			`dataset: bad config: movies.csv has no column "filmId" (it has: movieId, title, year, genres)`},
		{"optional without default", header, func(c *Config) {
			c.Joins[0].Optional = true
			c.Joins[0].Columns[1].Bucket = nil
		}, ErrConfig, `dataset: bad config: joins[0].columns[1].default: the join is optional, so column year needs a default: ` + errMissing.Error()},
		{"no file", header, func(c *Config) { c.Path = "x.csv" }, fs.ErrNotExist, `dataset: open x.csv: file does not exist`},
	} {
		cfg := movieConfig()
		cfg.Open = files{"ratings.csv": c.text, "movies.csv": moviesCSV}.open
		if c.change != nil {
			c.change(&cfg)
		}
		f, err := Read(context.Background(), cfg)
		if f != nil || !errors.Is(err, c.kind) || err.Error() != c.want {
			t.Errorf("%s: got %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestJoinErrors(t *testing.T) {
	for _, c := range []struct{ movies, want string }{
		{"movieId,year,genres\n1,1990,a\n1,1990,b\n", `movies.csv:3: column movieId: the key "1" is there twice; expected each key once`},
		{"movieId,year,genres\n1,1990,a||b\n", `movies.csv:2: column genres: a list holds an empty id; expected ids parted by "|"`},
		{"movieId,year,genres\n1,,a\n", `movies.csv:2: column year: "" is not a number; expected one like 3.5, -2 or 1e-3, within ±3.4e38`},
	} {
		cfg := movieConfig()
		cfg.Open = files{"ratings.csv": ratingsCSV, "movies.csv": c.movies}.open
		if _, err := Read(context.Background(), cfg); !errors.Is(err, ErrParse) || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}

func TestParseErrorFields(t *testing.T) {
	cfg := movieConfig()
	cfg.Open = files{"ratings.csv": "userId,movieId,rating,timestamp\nx,1,1,1\n", "movies.csv": moviesCSV}.open
	_, err := Read(context.Background(), cfg)
	var parse *ParseError
	if !errors.As(err, &parse) || parse.Path != "ratings.csv" || parse.Line != 2 || parse.Column != "userId" {
		t.Errorf("got %#v", parse)
	}
}

func TestReadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx, movieConfig()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFrameByName(t *testing.T) {
	f := mustRead(t, movieConfig())
	if f.Len() != 7 || len(f.Columns()) != 6 || f.Columns()[4].Name != "genres" {
		t.Errorf("%d rows, columns %+v", f.Len(), f.Columns())
	}
	if mean, err := f.LabelMean([]uint32{0, 1}); err != nil || mean != 3.75 {
		t.Errorf("mean label %v, %v; want 3.75", mean, err)
	}
	codes, n, err := f.Codes("film")
	if err != nil || n != 3 || fmt.Sprint(codes) != "[0 1 0 2 1 2 0]" {
		t.Errorf("codes %v of %d, %v", codes, n, err)
	}
	if _, _, err := f.Codes("flim"); !errors.Is(err, ErrColumn) || !strings.Contains(err.Error(), `did you mean "film"?`) {
		t.Errorf("got %v", err)
	}
	if _, _, err := f.Codes("genres"); !errors.Is(err, ErrColumn) {
		t.Errorf("codes of a list: %v", err)
	}
	if _, err := f.Labels([]uint32{7}); !errors.Is(err, ErrColumn) {
		t.Errorf("labels of a row that is not: %v", err)
	}
	if _, err := f.InverseCounts("film", []uint32{9}); !errors.Is(err, ErrColumn) {
		t.Errorf("counts of a row that is not: %v", err)
	}
	inverse, err := f.InverseCounts("genres", []uint32{0, 2, 3, 1})
	if err != nil || fmt.Sprint(inverse) != "[0.5 0.5 0.5 0.5 1]" {
		t.Errorf("1/count %v, %v", inverse, err)
	}
}
