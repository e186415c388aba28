package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/tensor"
)

var ctx = context.Background()

// files opens made-up files by name.
type files map[string]string

func (f files) open(path string) (io.ReadCloser, error) {
	text, ok := f[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader([]byte(text))), nil
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

const (
	ratingsCSV = "userId,movieId,rating,timestamp\n" +
		"1,10,4.5,100\n" + "1,20,3,90\n" + "2,10,5,300\n" + "2,30,0.5,200\n" + "2,20,4,200\n" + "3,30,2,50\n" + "3,10,1,60\n"
	moviesCSV = "movieId,title,year,genres\n" +
		"10,Toy Story,1995,Animation|Comedy\n" + "20,\"Usual Suspects, The\",1994,Crime\n" + "30,NA,NA,NA\n"
)

var movies = files{"ratings.csv": ratingsCSV, "movies.csv": moviesCSV, "ratings.csv.gz": zipped(ratingsCSV)}

// movieConfig has every kind of column but number and weight.
func movieConfig() Config {
	return Config{
		File: File{Path: "ratings.csv"},
		Columns: []Column{
			{Name: "user", From: "userId", Kind: ID, Type: "int32"},
			{Name: "film", From: "movieId", Kind: ID},
			{Name: "rating", Kind: Label},
			{Name: "time", From: "timestamp", Kind: Timestamp},
		},
		Joins: []Join{{
			File: File{Path: "movies.csv", Missing: []string{"NA"}},
			On:   "movieId",
			Columns: []Column{
				{Name: "genres", Kind: IDs, Type: "string"},
				{Name: "year", Kind: ID, Bucket: &Bucket{Width: 4, From: 1900, Bands: 30}},
			},
		}},
		Open: movies.open,
	}
}

func mustRead(t *testing.T, cfg Config) *Frame {
	t.Helper()
	f, err := Read(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// print writes out everything in a batch, in a form that does not change with it.
func print(b *Batch) string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "n %d rows %v label %v weight %v\n", b.N, b.Rows, b.Label, b.Weight)
	var names []string
	for name := range b.IDs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&out, "%s %v %s\n", name, b.IDs[name].Shape(), printIDs(b.IDs[name]))
	}
	for name, v := range b.Numbers {
		fmt.Fprintf(&out, "%s %v %v\n", name, v.Shape(), v.Data())
	}
	for _, name := range names {
		if inverse, ok := b.InverseCounts[name]; ok {
			fmt.Fprintf(&out, "1/count %s %v\n", name, inverse)
		}
	}
	for _, r := range b.Records {
		fmt.Fprintf(&out, "%q\n", r)
	}
	fmt.Fprintf(&out, "end %+v\n", b.End)
	return out.String()
}

func printIDs(ids tensor.IDs) string {
	switch ids := ids.(type) {
	case *tensor.Dense[int32]:
		return fmt.Sprint(ids.Values())
	case *tensor.Dense[int64]:
		return fmt.Sprint(ids.Values())
	case *tensor.Dense[uint64]:
		return fmt.Sprint(ids.Values())
	case *tensor.Dense[string]:
		return fmt.Sprintf("%q", ids.Values())
	case *tensor.Ragged[int64]:
		return fmt.Sprint(ids.Values(), ids.Splits())
	case *tensor.Ragged[string]:
		return fmt.Sprintf("%q %v", ids.Values(), ids.Splits())
	}
	return fmt.Sprintf("unexpected %T", ids)
}

// batches prints every batch from a cursor to the end of its epoch, and
// returns the cursors behind them.
func batches(t *testing.T, s Source, from Cursor) (printed []string, ends []Cursor) {
	t.Helper()
	for b, err := range s.Batches(context.Background(), from) {
		if err != nil {
			t.Fatal(err)
		}
		printed, ends = append(printed, print(b)), append(ends, b.End)
	}
	return printed, ends
}
