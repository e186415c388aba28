package recipe

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/model"
)

// Recommender is a trained model that can be asked for scores. Its methods are
// safe for concurrent use.
type Recommender struct {
	saved  *model.Saved
	config Config
	seen   []*dataset.History
	// trainedOn is the number of training examples.
	trainedOn int
	tables    []*rowan.Table
	model     *model.Model
}

// LoadOptions say how a checkpoint is loaded. The zero value works.
type LoadOptions struct {
	// Dir is where relative paths of the config begin. Default: where they
	// began in training.
	Dir string
}

// Load loads a checkpoint: a directory of them stands for its latest.
func Load(ctx context.Context, path string, o LoadOptions) (*Recommender, error) {
	saved, err := find(path)
	if err != nil {
		return nil, err
	}
	c, err := readConfig(saved)
	if err != nil {
		return nil, err
	}
	if o.Dir != "" {
		c.Config.Dir = o.Dir
	}
	r := &Recommender{saved: saved, config: c.Config, seen: c.Histories, trainedOn: c.Examples}
	// The offset is a weight, and comes with them.
	if r.tables, r.model, err = r.config.assemble(c.scale(), 0); err != nil {
		return nil, err
	}
	if err := r.model.Load(ctx, saved); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Config returns the config that the recommender was trained with, its
// defaults filled in.
func (r *Recommender) Config() Config { return r.config }

// Saved tells which checkpoint was loaded.
func (r *Recommender) Saved() Saved { return describe(r.saved) }

// Model returns the model, and Tables its tables.
func (r *Recommender) Model() *model.Model { return r.model }

// Tables returns the tables in the order of the config.
func (r *Recommender) Tables() []*rowan.Table { return r.tables }

// Close frees the tables' memory.
func (r *Recommender) Close() { closeTables(r.tables) }

// Evaluation is how well a recommender predicts examples with known labels.
type Evaluation struct {
	Saved Saved `json:"checkpoint"`
	// Data says which examples: "held out" or a file.
	Data     string  `json:"data"`
	Examples int     `json:"examples"`
	Scores   []Score `json:"scores"`
}

// Evaluate scores the examples that were held out in training, beside the
// baselines fitted on the others; or with a file all examples of that file.
func (r *Recommender) Evaluate(ctx context.Context, file string) (*Evaluation, error) {
	c := r.config
	if file != "" {
		c.Data, c.Dir, c.Split, c.Baseline = under(&c, file), "", dataset.Split{}, nil
	}
	e, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	e.histories = r.seen
	if n := len(e.parts.Train); file == "" && n != r.trainedOn {
		return nil, fmt.Errorf("%w: its data had %d training examples and have %d now, so that what was held out is not known: name a file to evaluate on", ErrOtherConfig, r.trainedOn, n)
	}
	rows, what := e.parts.Test, "held out"
	if file != "" {
		rows, what = e.frame.All(), file
	}
	if len(rows) == 0 {
		return nil, fieldError("split.test", "nothing was held out: name a file to evaluate on")
	}
	scores, err := e.score(ctx, r.model, rows)
	if file != "" && err == nil {
		scores = scores[:1] // the mean of the file itself is nothing to compare with
	}
	return &Evaluation{Saved: r.Saved(), Data: what, Examples: len(rows), Scores: scores}, err
}

// under returns the data's declaration with another main file, whose path is
// relative to the working directory.
func under(c *Config, file string) dataset.Config {
	d := c.data()
	if d.Format == "" && file == "-" {
		d.Format = formatOf(d.Path)
	}
	d.Path = file
	return d
}

// PredictOptions say what is predicted.
type PredictOptions struct {
	// Path names a file with the columns of the training file; label, weight
	// and timestamp are not needed.
	Path string
	// Open opens Path. Default: os.Open; "-" is standard input.
	Open func(path string) (io.ReadCloser, error)
	// Format is "csv" or "tsv". Default: by the name of the file; of standard
	// input, that of the training file.
	Format string
}

// Scored is a batch of predictions, valid until the next.
type Scored struct {
	// Records are the records as they stand in the file, without line ends.
	Records [][]byte
	// Scores are the predictions, one a record.
	Scores []float32
}

// Predict scores the rows of a file in their order, without holding it. After
// an error there are no more.
func (r *Recommender) Predict(ctx context.Context, o PredictOptions) iter.Seq2[*Scored, error] {
	return func(yield func(*Scored, error) bool) {
		s, err := r.stream(ctx, o)
		if err != nil {
			yield(nil, dataError("data", err))
			return
		}
		scored := new(Scored)
		for p, err := range r.model.Predictions(ctx, model.FromDataset(s)) {
			if err == nil {
				err = r.fill(scored, p)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(scored, nil) {
				return
			}
		}
	}
}

func (r *Recommender) stream(ctx context.Context, o PredictOptions) (*dataset.Stream, error) {
	d := under(&r.config, o.Path).WithoutLabel()
	if o.Format != "" {
		d.Format = o.Format
	}
	open := o.Open
	if open == nil {
		open = openFile
	}
	d.Open = func(path string) (io.ReadCloser, error) {
		if path == o.Path {
			return open(path)
		}
		return os.Open(path)
	}
	return dataset.NewStream(ctx, d, dataset.Options{BatchSize: scoreBatch, Histories: r.seen})
}

// openFile opens a file, or standard input, which stays open.
func openFile(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path)
}

func (r *Recommender) fill(s *Scored, p *model.Prediction) error {
	s.Records = p.Batch.Data.Records
	s.Scores = append(s.Scores[:0], p.Outputs[0].Data()...)
	return r.config.clip(s.Scores)
}

// FormatOf returns the format that Predict reads a file in, "csv" or "tsv", if
// it is not told.
func (r *Recommender) FormatOf(file string) string {
	d := under(&r.config, file)
	if d.Format != "" {
		return d.Format
	}
	return formatOf(file)
}
