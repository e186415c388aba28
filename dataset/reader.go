package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// ParseError says which record of which file cannot be read, and why. It wraps
// ErrParse.
type ParseError struct {
	// Path is the file.
	Path string
	// Line is where the record begins, from 1; 0 if the trouble is the file's.
	Line int
	// Column is the column's name in the file, or "".
	Column string
	// Err says what was expected and what arrived.
	Err error
}

// Error returns "path:line: column name: what is wrong".
func (e *ParseError) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Column != "" {
		fmt.Fprintf(&b, ": column %s", e.Column)
	}
	return b.String() + ": " + e.Err.Error()
}

// Unwrap returns ErrParse and Err.
func (e *ParseError) Unwrap() []error { return []error{ErrParse, e.Err} }

// sink takes the fields of one column of a file.
type sink struct {
	column string // its name in the file
	field  int
	add    func(text []byte) error
}

// reader reads the records of one file into sinks.
type reader struct {
	path    string
	file    io.Closer
	records *records
	names   []string
	sinks   []sink
}

func (c *Config) open(f *File) (*reader, error) {
	open := c.Open
	if open == nil {
		open = func(path string) (io.ReadCloser, error) { return os.Open(path) }
	}
	file, err := open(f.Path)
	if err != nil {
		return nil, fmt.Errorf("dataset: open %s: %w", f.Path, err)
	}
	r := &reader{path: f.Path, file: file}
	if err := r.start(f); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

// start takes off what is around the text, and reads the names of the columns.
func (r *reader) start(f *File) error {
	text, err := plainText(r.file.(io.Reader))
	if err != nil {
		return &ParseError{Path: r.path, Err: explain(err)}
	}
	r.records = newRecords(text, f.separator(), blockSize)
	if r.names = f.Names; r.names != nil {
		return nil
	}
	if err := r.records.next(); err == io.EOF {
		return &ParseError{Path: r.path, Err: errors.New("the file is empty; expected a header line with the names of its columns")}
	} else if err != nil {
		return r.wrap("", err)
	}
	for i := range r.records.fields {
		r.names = append(r.names, string(r.records.field(i)))
	}
	return nil
}

// plainText unpacks gzip, which it knows by its first bytes, and drops a byte
// order mark.
func plainText(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, blockSize)
	if start, _ := b.Peek(2); bytes.Equal(start, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		b = bufio.NewReaderSize(z, blockSize)
	}
	start, err := b.Peek(3)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if bytes.Equal(start, []byte("\ufeff")) {
		if _, err := b.Discard(3); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (f *File) separator() byte {
	name := strings.TrimSuffix(f.Path, ".gz")
	if f.Format == "tsv" || f.Format == "" && strings.HasSuffix(name, ".tsv") {
		return '\t'
	}
	return ','
}

// bind sends the fields of the named column to add.
func (r *reader) bind(column string, add func([]byte) error) error {
	i := slices.Index(r.names, column)
	if i < 0 {
		return fmt.Errorf("%w: %s has no column %q%s (it has: %s)",
			ErrConfig, r.path, column, suggest.Hint(column, r.names), strings.Join(r.names, ", "))
	}
	if slices.Contains(r.names[i+1:], column) {
		return fmt.Errorf("%w: %s has two columns %q; rename one", ErrConfig, r.path, column)
	}
	r.sinks = append(r.sinks, sink{column, i, add})
	return nil
}

// next reads one record and gives its fields to the sinks. At the end it returns io.EOF.
func (r *reader) next() error {
	if err := r.records.next(); err != nil {
		return r.wrap("", err)
	}
	return r.decode()
}

// decode gives the fields of the current record to the sinks.
func (r *reader) decode() error {
	if got, want := len(r.records.fields), len(r.names); got != want {
		return r.wrap("", fmt.Errorf("the record has %d fields; expected %d: %s", got, want, strings.Join(r.names, ", ")))
	}
	for i := range r.sinks {
		s := &r.sinks[i]
		if err := s.add(r.records.field(s.field)); err != nil {
			return r.wrap(s.column, err)
		}
	}
	return nil
}

func (r *reader) wrap(column string, err error) error {
	if err == io.EOF {
		return err
	}
	return &ParseError{Path: r.path, Line: r.records.line, Column: column, Err: explain(err)}
}

// explain says what the end of a compressed file that comes too early means.
func explain(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the compressed text is cut off; expected the rest of a gzip file: %w", err)
	}
	return err
}

func (r *reader) close() error { return r.file.Close() }
