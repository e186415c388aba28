package dataset

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func splitAll(r io.Reader, sep byte, block int) (all [][]string, lines []int, err error) {
	s := newRecords(r, sep, block)
	for {
		if err := s.next(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return all, lines, err
		}
		var fields []string
		for i := range s.fields {
			fields = append(fields, string(s.field(i)))
		}
		all, lines = append(all, fields), append(lines, s.line)
	}
}

func TestRecords(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  [][]string
		lines []int
	}{
		{"", nil, nil},
		{"\n\r\n\n", nil, nil},
		{"a,b\n1,2\n", [][]string{{"a", "b"}, {"1", "2"}}, []int{1, 2}},
		{"a,b\r\n1,2", [][]string{{"a", "b"}, {"1", "2"}}, []int{1, 2}},
		{"a\n\n\nb\n\n", [][]string{{"a"}, {"b"}}, []int{1, 4}},
		{",\n,,", [][]string{{"", ""}, {"", "", ""}}, []int{1, 2}},
		{"a\r,b\r", [][]string{{"a\r", "b"}}, []int{1}},
		{`1,"Usual Suspects, The",x` + "\nz", [][]string{{"1", "Usual Suspects, The", "x"}, {"z"}}, []int{1, 2}},
		{"\"a\r\nb\nc\"\nd\n", [][]string{{"a\nb\nc"}, {"d"}}, []int{1, 4}},
		{`"say ""hi""",""`, [][]string{{`say "hi"`, ""}}, []int{1}},
		{"a,\"b\"\r\n", [][]string{{"a", "b"}}, []int{1}},
		{"1,é,日本\n", [][]string{{"1", "é", "日本"}}, []int{1}},
	} {
		for _, block := range []int{1, 2, 5, 64} {
			got, lines, err := splitAll(strings.NewReader(c.text), ',', block)
			if err != nil || !equalRecords(got, c.want) || !slices.Equal(lines, c.lines) {
				t.Errorf("%q in blocks of %d: got %q at %v, %v; want %q at %v", c.text, block, got, lines, err, c.want, c.lines)
			}
		}
	}
}

func TestRecordsTabs(t *testing.T) {
	got, _, err := splitAll(strings.NewReader("a,b\tc\n\"d\te\"\tf\n"), '\t', 64)
	if want := [][]string{{"a,b", "c"}, {"d\te", "f"}}; err != nil || !equalRecords(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestRecordsErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a,b\"c\n", "bad quotes: field 2 has a quote in its middle; quote the whole field and double the quote"},
		{"\"a\"b\n", "bad quotes: field 1 goes on after its closing quote; double a quote that belongs to the text"},
		{"a,\"b\nc\n", "bad quotes: field 2 has an opening quote that is never closed"},
	} {
		_, _, err := splitAll(strings.NewReader(c.text), ',', 4)
		if !errors.Is(err, errQuote) || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
	broken := errors.New("disk on fire")
	_, _, err := splitAll(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), ',', 4)
	if err != broken {
		t.Errorf("got %v, want the reader's error", err)
	}
	_, _, err = splitAll(io.MultiReader(strings.NewReader(`"`), &endless{}), ',', blockSize)
	if !errors.Is(err, errQuote) || !strings.Contains(err.Error(), "longer than 16 MiB") {
		t.Errorf("a quote that is never closed: %v", err)
	}
}

// endless gives spaces for ever.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func equalRecords(a, b [][]string) bool {
	return slices.EqualFunc(a, b, func(x, y []string) bool { return slices.Equal(x, y) })
}

// FuzzRecords reads the same text with encoding/csv: the records must be the
// same, and the first error must come after the same one.
func FuzzRecords(f *testing.F) {
	for _, text := range []string{
		"a,b\n1,2\n", "\"a\"\"b\",c\r\n", "\"a\nb\",c", "a\"b\n", "\"a\"b\n", "\"a", "\r", "a\r\r\n\"b\"\r", "\n\n,\n", "\"\",\"\"\n\"",
	} {
		f.Add(text, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, block uint8) {
		got, lines, err := splitAll(iotest.OneByteReader(strings.NewReader(text)), ',', 1+int(block))
		ref := csv.NewReader(strings.NewReader(text))
		ref.FieldsPerRecord = -1
		for i := 0; ; i++ {
			want, refErr := ref.Read()
			if refErr != nil {
				if (refErr == io.EOF) != (err == nil) || i != len(got) {
					t.Fatalf("%q: %d records then %v, want %d then %v", text, len(got), err, i, refErr)
				}
				return
			}
			if i >= len(got) || !slices.Equal(got[i], want) {
				t.Fatalf("%q: record %d of %q differs, want %q", text, i, got, want)
			}
			if line, _ := ref.FieldPos(0); line != lines[i] {
				t.Fatalf("%q: record %d is at line %d, want %d", text, i, lines[i], line)
			}
		}
	})
}

// ratingsText imitates a file of ratings: short numeric fields.
func ratingsText(rows int) []byte {
	var b bytes.Buffer
	b.WriteString("userId,movieId,rating,timestamp\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,%d,%g,%d\n", 1+i/150, mix64(uint64(i))%9000, float64(1+i%10)/2, 1260759144+i*37)
	}
	return b.Bytes()
}

func BenchmarkRecords(b *testing.B) {
	text := ratingsText(100_000)
	b.Run("impl=rowan", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			s := newRecords(bytes.NewReader(text), ',', blockSize)
			for s.next() == nil {
			}
		}
	})
	b.Run("impl=encoding-csv", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			r := csv.NewReader(bytes.NewReader(text))
			r.ReuseRecord = true
			for {
				if _, err := r.Read(); err != nil {
					break
				}
			}
		}
	})
}
