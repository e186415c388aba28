package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/rowan-embeddings/rowan/recipe"
)

// predict is the verb that scores rows.
type predict struct {
	*app
	header []byte // the first line of the file, without its end
}

func newPredict(a *app) *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "score the rows of a CSV or TSV file",
		ArgsUsage: "CHECKPOINT [FILE]",
		Description: examples(
			"What user 1 would make of two films; rows in, rows with a score out:",
			`printf 'userId,movieId\n1,1\n1,2\n' | rowan predict checkpoints/movielens`,
			"Scores alone, a line a row:",
			"rowan predict checkpoints/movielens examples/movielens/ratings.csv.gz --scores-only",
		) + "\n\n" + predictNotes,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "read `FORMAT` csv or tsv (default: by the file's name; of standard input, that of the training file)"},
			&cli.BoolFlag{Name: "scores-only", Usage: "leave out what was read"},
			dataFlag(),
			&cli.BoolFlag{Name: "json", Usage: `print JSON lines, {"row": 1, "score": 3.5}`},
		},
		Action: func(ctx context.Context, c *cli.Command) error { return (&predict{app: a}).run(ctx, c) },
	}
}

const predictNotes = `FILE has the columns of the training file under the same names, gzip-compressed
or not; the label is not needed. Without FILE, or with -, rows are read from
standard input. They are not held in memory, however many there are. A key that
was not in the training examples is read as its table's missing says.`

func (p *predict) run(ctx context.Context, c *cli.Command) error {
	args, err := arguments(c, 1, 2)
	if err != nil {
		return err
	}
	r, err := recipe.Load(ctx, args[0], recipe.LoadOptions{Dir: c.String("data")})
	if err != nil {
		return err
	}
	defer r.Close()
	file := "-"
	if len(args) == 2 {
		file = args[1]
	}
	appendRow := p.format(c, r, separator(c.String("format"), file, r))
	row, lines := int64(0), []byte(nil)
	for s, err := range r.Predict(ctx, recipe.PredictOptions{Path: file, Format: c.String("format"), Open: p.open}) {
		if err != nil {
			return err
		}
		lines = lines[:0]
		for i, score := range s.Scores {
			row++
			lines = appendRow(lines, row, s.Records[i], score)
		}
		if _, err := p.out.Write(lines); err != nil {
			return err
		}
	}
	return nil
}

// separator is what parts the columns of the file, and so of what is printed.
func separator(format, file string, r *recipe.Recommender) string {
	if format == "" {
		format = r.FormatOf(file)
	}
	if format == "tsv" {
		return "\t"
	}
	return ","
}

// format returns what appends a row to lines; the header comes before the first.
func (p *predict) format(c *cli.Command, r *recipe.Recommender, sep string) func(dst []byte, row int64, record []byte, score float32) []byte {
	number := func(dst []byte, score float32, end string) []byte {
		return append(strconv.AppendFloat(dst, float64(score), 'g', -1, 32), end...)
	}
	switch {
	case c.Bool("json"):
		return func(dst []byte, row int64, _ []byte, score float32) []byte {
			dst = fmt.Appendf(dst, `{"row":%d,"score":`, row)
			return number(dst, score, "}\n")
		}
	case c.Bool("scores-only"):
		return func(dst []byte, _ int64, _ []byte, score float32) []byte { return number(dst, score, "\n") }
	}
	return func(dst []byte, row int64, record []byte, score float32) []byte {
		if row == 1 {
			dst = append(dst, p.names(r, sep)+sep+"score\n"...)
		}
		dst = append(dst, record...)
		return number(append(dst, sep...), score, "\n")
	}
}

// names is the header line of what is printed, without its end.
func (p *predict) names(r *recipe.Recommender, sep string) string {
	if names := r.Config().Data.Names; names != nil {
		return strings.Join(names, sep)
	}
	return string(p.header)
}

// open opens the file, and notes its first line.
func (p *predict) open(path string) (io.ReadCloser, error) {
	var file io.ReadCloser = io.NopCloser(p.in)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		file = f
	}
	text, err := plain(bufio.NewReaderSize(file, 1<<16))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	line, _ := text.Peek(text.Size()) // an error comes again when it is read
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	p.header = bytes.Clone(bytes.TrimSuffix(bytes.TrimPrefix(line, []byte("\ufeff")), []byte("\r")))
	return readCloser{text, file}, nil
}

// plain takes gzip off what is read, if it is there.
func plain(b *bufio.Reader) (*bufio.Reader, error) {
	if magic, _ := b.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(z, 1<<16), nil
}

type readCloser struct {
	io.Reader
	io.Closer
}
