package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

const (
	// blockSize is how much text is read at a time. Larger blocks fall out of
	// the second-level cache and parse no faster.
	blockSize = 256 << 10
	// maxRecord bounds the memory that one record may take, so that a quote
	// that is never closed does not read a whole file into it.
	maxRecord = 16 << 20
)

// errQuote says that the quotes of a record do not match. Its message names the field.
var errQuote = errors.New("bad quotes")

// records splits text into records of fields. Records end in \n or \r\n, fields
// are parted by sep, and a field may be quoted as RFC 4180 says; what it
// accepts and what it gives is what encoding/csv does without its lazy modes.
// Blank lines are skipped.
//
//	buf    …|1,31,2.5\n|1,1029,…
//	          ^start      ^after      fields are spans of that text, or of
//	                                  scratch once a quote is seen
type records struct {
	r       io.Reader
	sep     byte
	sepWord uint64 // eight of them

	buf          []byte
	start, after int // the current record, and the text behind it
	eof          bool

	line, lines int // the line that the record begins at, from 1, and how many it has
	record      []byte
	base        []byte // what fields are spans of
	fields      []span

	scratch []byte // unquoted fields
}

// span is where a field begins and ends.
type span struct{ from, to int }

// field returns field i of the current record.
func (s *records) field(i int) []byte { return s.base[s.fields[i].from:s.fields[i].to] }

func newRecords(r io.Reader, sep byte, block int) *records {
	return &records{r: r, sep: sep, sepWord: uint64(sep) * ones, buf: make([]byte, 0, block), line: 1}
}

// next reads a record into line, record and fields, which are valid until the
// next call. At the end it returns io.EOF.
func (s *records) next() error {
	for {
		s.start, s.line, s.lines = s.after, s.line+s.lines, 0
		if err := s.read(); err != nil {
			return err
		}
		if len(s.record) > 0 {
			return nil
		}
	}
}

// read reads one record, blank or not.
func (s *records) read() error {
	for {
		n := s.split(s.buf[s.start:])
		if n == quoted {
			return s.readQuoted()
		}
		if n >= 0 {
			s.end(n)
			return nil
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// end says that the record's text without its last \n is n long.
func (s *records) end(n int) {
	s.record = trimCR(s.buf[s.start : s.start+n])
	s.after = s.start + n + 1
	s.lines++
}

func trimCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}

// What split may return instead of a length.
const (
	cut    = -1 // the text ends before the record does
	quoted = -2 // there is a quote in it
)

// split cuts the text up to \n into fields, and returns the length of that
// text. It looks at eight bytes at a time.
func (s *records) split(text []byte) int {
	s.base, s.fields = text, s.fields[:0]
	from, at := 0, 0
	for ; at+8 <= len(text); at += 8 {
		word := binary.LittleEndian.Uint64(text[at:])
		for found := equal(word, s.sepWord) | equal(word, newlineWord) | equal(word, quoteWord); found != 0; found &= found - 1 {
			i := at + bits.TrailingZeros64(found)>>3
			if c := text[i]; c != s.sep {
				return s.endSplit(c, from, i)
			}
			s.fields = append(s.fields, span{from, i})
			from = i + 1
		}
	}
	for i := at; i < len(text); i++ {
		switch c := text[i]; c {
		case '\n', '"':
			return s.endSplit(c, from, i)
		case s.sep:
			s.fields = append(s.fields, span{from, i})
			from = i + 1
		}
	}
	return cut
}

func (s *records) endSplit(c byte, from, at int) int {
	if c == '"' {
		return quoted
	}
	s.fields = append(s.fields, span{from, from + len(trimCR(s.base[from:at]))})
	return at
}

const (
	ones        = 0x0101010101010101
	sevens      = 0x7f * ones
	newlineWord = '\n' * ones
	quoteWord   = '"' * ones
)

// equal sets the top bit of every byte of the word that equals that of like.
func equal(word, like uint64) uint64 {
	x := word ^ like
	return ^(x&sevens + sevens | x | sevens)
}

// fill reads more text behind that of the current record. Behind the last
// line it puts a \n if it has none. Without more text it returns io.EOF.
func (s *records) fill() error {
	if s.eof {
		return io.EOF
	}
	if err := s.makeRoom(); err != nil {
		return err
	}
	for range 100 { // as bufio: a reader that keeps giving nothing is broken
		n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		switch {
		case err == io.EOF:
			s.eof = true
			return s.endLastLine()
		case err != nil:
			return err
		case n > 0:
			return nil
		}
	}
	return io.ErrNoProgress
}

func (s *records) endLastLine() error {
	if len(s.buf) == s.start {
		return io.EOF
	}
	if s.buf[len(s.buf)-1] != '\n' {
		s.buf = append(s.buf, '\n')
	}
	return nil
}

// makeRoom moves the current record to the front of the buffer, and doubles
// the buffer if it is full of it.
func (s *records) makeRoom() error {
	s.buf = s.buf[:copy(s.buf, s.buf[s.start:])]
	s.start, s.after = 0, 0
	if len(s.buf) < cap(s.buf) {
		return nil
	}
	if len(s.buf) >= maxRecord {
		return fmt.Errorf("%w: the record is longer than %d MiB; is a quote never closed?", errQuote, maxRecord>>20)
	}
	s.buf = append(make([]byte, 0, 2*cap(s.buf)), s.buf...)
	return nil
}

// readQuoted reads a record that has a quote somewhere, which may run over
// several lines.
func (s *records) readQuoted() error {
	s.scratch, s.fields = s.scratch[:0], s.fields[:0]
	at := 0 // how much of the record lies behind, whole lines
	line, err := s.lineAt(at)
	for err == nil {
		from := len(s.scratch)
		rest, isQuoted := bytes.CutPrefix(line, []byte{'"'})
		if isQuoted {
			rest, at, err = s.unquote(rest, at)
		} else {
			rest, err = s.plain(rest)
		}
		s.fields = append(s.fields, span{from, len(s.scratch)})
		if err != nil {
			break
		}
		if rest == nil {
			s.end(at + s.lineLen(at) - 1)
			s.base = s.scratch
			return nil
		}
		line = rest
	}
	return err
}

// plain takes an unquoted field from the front of line and returns what is
// behind its separator, nil if the line ends.
func (s *records) plain(line []byte) ([]byte, error) {
	field, rest, more := bytes.Cut(line, []byte{s.sep})
	if bytes.IndexByte(field, '"') >= 0 {
		return nil, fmt.Errorf("%w: field %d has a quote in its middle; quote the whole field and double the quote", errQuote, len(s.fields)+1)
	}
	s.scratch = append(s.scratch, field...)
	if !more {
		return nil, nil
	}
	return rest, nil
}

// unquote takes a quoted field, whose opening quote lies behind, from line, the
// one at offset at, and from the lines after it. It returns what is behind the
// separator, nil if the line ends, and the offset of that line.
func (s *records) unquote(line []byte, at int) ([]byte, int, error) {
	for {
		text, rest, found := bytes.Cut(line, []byte{'"'})
		s.scratch = append(s.scratch, text...)
		switch {
		case !found:
			s.scratch = append(s.scratch, '\n')
			at += s.lineLen(at)
			s.lines++
			var err error
			if line, err = s.lineAt(at); err != nil {
				return nil, at, s.neverClosed(err)
			}
		case len(rest) == 0:
			return nil, at, nil
		case rest[0] == '"':
			s.scratch = append(s.scratch, '"')
			line = rest[1:]
		case rest[0] == s.sep:
			return rest[1:], at, nil
		default:
			return nil, at, fmt.Errorf("%w: field %d goes on after its closing quote; double a quote that belongs to the text", errQuote, len(s.fields)+1)
		}
	}
}

func (s *records) neverClosed(err error) error {
	if err == io.EOF {
		return fmt.Errorf("%w: field %d has an opening quote that is never closed", errQuote, len(s.fields)+1)
	}
	return err
}

// lineAt returns the line at an offset from the record's start, without its
// line end.
func (s *records) lineAt(at int) ([]byte, error) {
	for {
		text := s.buf[s.start+at:]
		if n := bytes.IndexByte(text, '\n'); n >= 0 {
			return trimCR(text[:n]), nil
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// lineLen returns the length of the line at an offset, with its line end.
func (s *records) lineLen(at int) int { return bytes.IndexByte(s.buf[s.start+at:], '\n') + 1 }
