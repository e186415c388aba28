// Package dataset reads training data: text files become columns, columns
// become features, and features come in batches that can be taken up again
// after a stop.
//
//	ratings.csv ─┐ split   ┌───────┐ RandomSplit …  ┌──────┐ Batches
//	             ├───────> │ Frame │ ─────────────> │ rows │ ─────────> *Batch, *Batch, …
//	movies.csv  ─┘ join    └───────┘                └──────┘            each with the Cursor
//	                        columns                  uint32             of its end
//
//	lines of any length ──> Stream ──> *Batch, *Batch, …    for prediction: holds no file
//
// A [Frame] holds its columns once; splits, shuffles and batches are row
// numbers into it. A joined file is held once too: a row of the frame keeps the
// number of the joined row. An epoch's order is a pure function of the seed and
// the number of the epoch, so that a [Cursor] of two integers is all there is
// to remember.
package dataset

import (
	"context"
	"errors"
	"iter"

	"github.com/rowan-embeddings/rowan/tensor"
)

// Errors of this package; match with errors.Is.
var (
	// ErrConfig: a [Config] or another declaration cannot be followed.
	ErrConfig = errors.New("dataset: bad config")
	// ErrParse: a file holds a row that cannot be read. The error is a *[ParseError].
	ErrParse = errors.New("dataset: cannot read")
	// ErrColumn: a frame has no such column, or it is of another kind.
	ErrColumn = errors.New("dataset: no such column")
	// ErrCursor: a cursor is outside its source.
	ErrCursor = errors.New("dataset: bad cursor")
)

// Source gives batches. Its methods are safe for concurrent use; each call of
// Batches has buffers of its own.
type Source interface {
	// Batches yields the batches from a cursor to the end of its epoch. An
	// iteration from the End of any batch gives exactly the batches that would
	// have followed it. After an error there are no more batches.
	Batches(ctx context.Context, from Cursor) iter.Seq2[*Batch, error]
	// Steps returns the number of batches in an epoch, or -1 if it is not known.
	Steps() int
}

// Cursor is a place between two batches. The zero Cursor is the beginning.
type Cursor struct {
	// Epoch counts from 0.
	Epoch int64 `json:"epoch" yaml:"epoch"`
	// Position is the number of examples of the epoch that lie behind. It is
	// less than the number of examples: the end of an epoch is the beginning
	// of the next.
	Position int64 `json:"position" yaml:"position"`
}

// Batch holds some examples. It and everything in it is valid until the next
// one is asked for, and must not be changed.
type Batch struct {
	// N is the number of examples.
	N int
	// IDs holds the features of kind id, *tensor.Dense of shape (N), and of
	// kind ids, *tensor.Ragged of N bags, by the name of their column.
	IDs map[string]tensor.IDs
	// Numbers holds the features of kind number, of shape (N, 1).
	Numbers map[string]*tensor.Values
	// Label and Weight have N numbers, or are nil if the data have none.
	Label, Weight []float32
	// InverseCounts holds 1/count of each id in IDs, for the columns that
	// [Options.InverseCounts] names; the count is over the rows of the source.
	InverseCounts map[string][]float32
	// Rows are the examples' rows in the frame. Nil in a [Stream].
	Rows []uint32
	// Records are the examples' records as they stand in the file, without
	// their line ends. Only in a [Stream].
	Records [][]byte
	// End is where the next batch begins.
	End Cursor
}
