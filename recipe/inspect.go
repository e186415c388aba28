package recipe

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/model"
)

// Inspection is what a checkpoint holds.
type Inspection struct {
	Saved Saved  `json:"checkpoint"`
	Name  string `json:"name"`
	// TrainedOn is the number of training examples, TotalSteps how many steps
	// the whole training has.
	TrainedOn  int           `json:"trained_on"`
	TotalSteps int64         `json:"total_steps"`
	History    model.History `json:"history"`
	// Optimizer is that of the model.
	Optimizer string            `json:"optimizer"`
	Tables    []TableInspection `json:"tables"`
	// Files are the files of the checkpoint with sizes and checksums.
	Files []checkpoint.File `json:"files"`
}

// TableInspection is what a table holds, and what it takes in memory.
type TableInspection struct {
	Name      string `json:"name"`
	KeyType   string `json:"key_type"`
	DType     string `json:"dtype"`
	Dynamic   bool   `json:"dynamic"`
	Width     int    `json:"width"`
	Rows      int    `json:"rows"`
	Optimizer string `json:"optimizer"`
	// Exact says that rows catch up with steps they missed.
	Exact bool   `json:"exact"`
	Slots []Slot `json:"slots"`
	// Stride is the bytes from one row to the next.
	Stride        int   `json:"stride"`
	RowBytes      int64 `json:"row_bytes"`
	IndexBytes    int64 `json:"index_bytes"`
	HugePageBytes int64 `json:"huge_page_bytes"`
	Norms         Norms `json:"norms"`
}

// Slot is state of the optimizer that each row carries: so many numbers.
type Slot struct {
	Name  string `json:"name"`
	Width int    `json:"width"`
}

// Norms describe the L2 norms of a table's rows.
type Norms struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Mean   float64 `json:"mean"`
	Max    float64 `json:"max"`
	// Zero is the number of rows that are all zeros.
	Zero int `json:"zero"`
	// Histogram divides Min to Max evenly.
	Histogram []Bucket `json:"histogram"`
}

// Bucket counts the norms from From up to To, which the last bucket includes.
type Bucket struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Count int     `json:"count"`
}

// histogramBuckets are enough to see the shape on one screen.
const histogramBuckets = 10

// Inspect loads the tables of a checkpoint, and tells what they are.
func Inspect(ctx context.Context, path string) (*Inspection, error) {
	from, err := find(path)
	if err != nil {
		return nil, err
	}
	c, err := readConfig(from)
	if err != nil {
		return nil, err
	}
	f, err := files(from)
	if err != nil {
		return nil, err
	}
	tables, err := c.loadTables(ctx, from, c.Config.tableNames()...)
	if err != nil {
		return nil, err
	}
	defer closeTables(tables)
	i := &Inspection{Saved: describe(from), Name: c.Config.Name, TrainedOn: c.Examples, TotalSteps: c.Steps,
		History: from.History(), Optimizer: c.Config.Training.Optimizer.Name, Files: f.Files()}
	for _, t := range tables {
		n, err := norms(ctx, t)
		if err != nil {
			return nil, err
		}
		i.Tables = append(i.Tables, inspectTable(t, n))
	}
	return i, nil
}

func inspectTable(t *rowan.Table, n Norms) TableInspection {
	o, s := t.Options(), t.Stats()
	slots := []Slot{}
	for _, x := range s.Slots {
		slots = append(slots, Slot{x.Name, cmp.Or(x.Width, t.Width())})
	}
	return TableInspection{Name: t.Name(), KeyType: t.KeyType().String(), DType: o.DType.String(), Dynamic: t.Dynamic(), Width: t.Width(), Rows: s.Rows,
		Optimizer: o.Optimizer.Updater.Name(), Exact: o.Optimizer.Exact, Slots: slots,
		Stride: s.Stride, RowBytes: s.RowBytes, IndexBytes: s.IndexBytes, HugePageBytes: s.HugePageBytes, Norms: n}
}

// norms reads every row. It holds 8 bytes a row, for the median.
func norms(ctx context.Context, t *rowan.Table) (Norms, error) {
	var all []float64
	var n Norms
	for rows, err := range t.Export(ctx) {
		if err != nil {
			return n, err
		}
		data := rows.Values.Data()
		for i := range rows.Keys.Len() {
			x := norm(data[i*t.Width() : (i+1)*t.Width()])
			all = append(all, x)
			n.Mean += x
			if x == 0 {
				n.Zero++
			}
		}
	}
	if len(all) == 0 {
		return n, nil
	}
	slices.Sort(all)
	n.Mean /= float64(len(all))
	n.Min, n.Median, n.Max = all[0], all[len(all)/2], all[len(all)-1]
	n.Histogram = histogram(all)
	return n, nil
}

// histogram counts sorted numbers, at least one, in buckets of one width.
func histogram(sorted []float64) []Bucket {
	low, high := sorted[0], sorted[len(sorted)-1]
	if low == high {
		return []Bucket{{low, high, len(sorted)}}
	}
	buckets := make([]Bucket, histogramBuckets)
	width := (high - low) / histogramBuckets
	for i := range buckets {
		buckets[i].From, buckets[i].To = low+width*float64(i), low+width*float64(i+1)
	}
	buckets[histogramBuckets-1].To = high
	for _, x := range sorted {
		buckets[min(histogramBuckets-1, int(math.Floor((x-low)/width)))].Count++
	}
	return buckets
}
