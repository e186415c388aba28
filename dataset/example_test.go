package dataset_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Ratings, with the genres and the year of each film looked up in a second
// file, in batches of two.
func Example() {
	text := map[string]string{
		"ratings.csv": "userId,movieId,rating\n1,10,4.5\n1,20,3\n2,10,5\n",
		"movies.csv":  "movieId,year,genres\n10,1995,Animation|Comedy\n20,NA,Crime\n",
	}
	frame, err := dataset.Read(context.Background(), dataset.Config{
		File: dataset.File{Path: "ratings.csv"},
		Columns: []dataset.Column{
			{Name: "user", From: "userId", Kind: dataset.ID},
			{Name: "rating", Kind: dataset.Label},
		},
		Joins: []dataset.Join{{
			File: dataset.File{Path: "movies.csv", Missing: []string{"NA"}},
			On:   "movieId",
			Columns: []dataset.Column{
				{Name: "genres", Kind: dataset.IDs, Type: "string"},
				{Name: "year", Kind: dataset.ID, Bucket: &dataset.Bucket{Width: 4, From: 1900}},
			},
		}},
		Open: func(path string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text[path])), nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	source, err := frame.Source(nil, dataset.Options{BatchSize: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	for batch, err := range source.Batches(context.Background(), dataset.Cursor{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		genres := batch.IDs["genres"].(*tensor.Ragged[string])
		years := batch.IDs["year"].(*tensor.Dense[int64])
		fmt.Println(genres.Values(), genres.Splits(), years.Values(), batch.Label, batch.End)
	}
	// Output:
	// [Animation Comedy Crime] [0 2 3] [24 0] [4.5 3] {0 2}
	// [Animation Comedy] [0 2] [24] [5] {1 0}
}

// The last quarter of each user's ratings is held out.
func ExampleFrame_Split() {
	frame, err := dataset.Read(context.Background(), dataset.Config{
		File: dataset.File{Path: "ratings.csv"},
		Columns: []dataset.Column{
			{Name: "user", Kind: dataset.ID},
			{Name: "time", Kind: dataset.Timestamp},
		},
		Open: func(string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("user,time\n7,30\n7,40\n7,10\n7,20\n8,1\n")), nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	parts, err := frame.Split(dataset.Split{By: dataset.ByUserTime, User: "user", Test: 0.25})
	fmt.Println(parts.Train, parts.Test, err)
	// Output: [0 2 3 4] [1] <nil>
}
