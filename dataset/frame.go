package dataset

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Frame holds columns in memory. It does not change after it is read, and is
// safe for concurrent use.
type Frame struct {
	rows    int
	columns []*column
}

// column is a vector, and which entry of it each row has.
type column struct {
	*vector
	via *[]uint32 // the entry of each row, for a joined column; nil: the row's own number
}

// at returns the entry of a row.
func (c *column) at(row uint32) int {
	if c.via == nil {
		return int(row)
	}
	return int((*c.via)[row])
}

// Read reads the files that cfg declares.
//
// A declaration that cannot be followed is ErrConfig. A record that cannot be
// read is a *[ParseError] with file, line and column; nothing is skipped.
func Read(ctx context.Context, cfg Config) (_ *Frame, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	joins, err := cfg.readJoins(ctx)
	if err != nil {
		return nil, err
	}
	r, err := cfg.open(&cfg.File)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	f, err := cfg.bind(r, joins)
	if err != nil {
		return nil, err
	}
	if err := readAll(ctx, r); err != nil {
		return nil, err
	}
	for _, c := range f.columns {
		if c.via == nil {
			c.shrink()
		}
	}
	return f, nil
}

var errRows = errors.New("the file has 2^32 rows or more, which a frame cannot number")

// bind makes a frame that grows by a row with each record that r reads.
func (c *Config) bind(r *reader, joins []*joined) (*Frame, error) {
	f := &Frame{}
	for _, spec := range c.Columns {
		v := newVector(spec, &c.File)
		f.columns = append(f.columns, &column{vector: v})
		if err := r.bind(spec.from(), v.add); err != nil {
			return nil, err
		}
	}
	for _, j := range joins {
		via := new([]uint32)
		add := func(text []byte) error {
			row, err := j.find(text)
			*via = append(*via, row)
			return err
		}
		if err := r.bind(j.join.On, add); err != nil {
			return nil, err
		}
		for _, v := range j.vectors {
			f.columns = append(f.columns, &column{vector: v, via: via})
		}
	}
	// The last of the sinks counts the row: all its values are in.
	return f, r.bind(c.Columns[0].from(), f.count)
}

func (f *Frame) count([]byte) error {
	if f.rows == math.MaxUint32 {
		return errRows
	}
	f.rows++
	return nil
}

// Len returns the number of rows.
func (f *Frame) Len() int { return f.rows }

// All returns the numbers of all rows, in file order.
func (f *Frame) All() []uint32 {
	rows := make([]uint32, f.rows)
	for i := range rows {
		rows[i] = uint32(i)
	}
	return rows
}

// Columns returns the declarations of the columns, joined ones last.
func (f *Frame) Columns() []Column {
	out := make([]Column, len(f.columns))
	for i, c := range f.columns {
		out[i] = c.spec
	}
	return out
}

// Labels returns the labels of the rows. A frame without a label is ErrColumn.
func (f *Frame) Labels(rows []uint32) ([]float32, error) {
	c := f.ofKind(Label)
	if c == nil {
		return nil, fmt.Errorf("%w: the data have no column of kind %q", ErrColumn, Label)
	}
	if err := f.check(rows); err != nil {
		return nil, err
	}
	out := make([]float32, len(rows))
	for i, row := range rows {
		out[i] = c.floats[c.at(row)]
	}
	return out, nil
}

// LabelMean returns the mean label of the rows, NaN if there are none.
func (f *Frame) LabelMean(rows []uint32) (float64, error) {
	labels, err := f.Labels(rows)
	sum := 0.0
	for _, y := range labels {
		sum += float64(y)
	}
	return sum / float64(len(labels)), err
}

// Codes numbers the distinct ids of a column of kind id, and returns the number
// of each row's id. The numbers are below n; some may not occur.
func (f *Frame) Codes(name string) (codes []uint32, n int, err error) {
	c, err := f.named(name, ID)
	if err != nil {
		return nil, 0, err
	}
	entries, n := c.dense()
	codes = make([]uint32, f.rows)
	for row := range codes {
		codes[row] = entries[c.at(uint32(row))]
	}
	return codes, n, nil
}

// check says whether the rows are rows of f.
func (f *Frame) check(rows []uint32) error {
	for i, row := range rows {
		if int(row) >= f.rows {
			return fmt.Errorf("%w: entry %d is row %d of a frame of %d rows", ErrColumn, i, row, f.rows)
		}
	}
	return nil
}

func (f *Frame) ofKind(k Kind) *column {
	for _, c := range f.columns {
		if c.spec.Kind == k {
			return c
		}
	}
	return nil
}

// named returns the column of a name, which must be of one of the kinds.
func (f *Frame) named(name string, want ...Kind) (*column, error) {
	var known []string
	for _, c := range f.columns {
		for _, k := range want {
			if c.spec.Kind == k && c.spec.Name == name {
				return c, nil
			}
			if c.spec.Kind == k {
				known = append(known, c.spec.Name)
			}
		}
	}
	return nil, fmt.Errorf("%w: no column of kind %q is called %q%s (known: %q)", ErrColumn, want, name, suggest.Hint(name, known), known)
}
