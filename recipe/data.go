package recipe

import (
	"context"
	"fmt"
	"strings"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/dataset/baseline"
	"github.com/rowan-embeddings/rowan/model"
)

// scoreBatch is the number of examples that are scored together. Larger ones
// gain nothing: the time is in the layers, and 2,048 rows of a few hundred
// numbers still lie in the second-level cache.
const scoreBatch = 2048

// examples are the data of a config, divided.
type examples struct {
	c     *Config
	frame *dataset.Frame
	parts dataset.Parts
	mean  float64 // label of the training examples

	histories []*dataset.History // of the training examples
}

// read reads and divides the data of a config with its defaults filled in.
func (c *Config) read(ctx context.Context) (*examples, error) {
	frame, err := dataset.Read(ctx, c.data())
	if err != nil {
		return nil, dataError("data", err)
	}
	e := &examples{c: c, frame: frame}
	if e.parts, err = frame.Split(c.Split); err != nil {
		return nil, dataError("split", err)
	}
	if len(e.parts.Train) == 0 {
		return nil, fieldError("split", "of %d examples in %s none is left to train on", frame.Len(), c.Data.Path)
	}
	for _, h := range c.Histories {
		history, err := frame.History(h, e.parts.Train)
		if err != nil {
			return nil, dataError("histories", err)
		}
		e.histories = append(e.histories, history)
	}
	e.mean, err = frame.LabelMean(e.parts.Train)
	return e, err
}

// training returns the training examples in batches, shuffled, and the scale
// of a training on them.
func (e *examples) training() (model.Source, scale, error) {
	t := &e.c.Training
	s, err := e.frame.Source(e.parts.Train, dataset.Options{
		BatchSize: t.BatchSize, Shuffle: true, Seed: e.c.Seed, Histories: e.histories})
	if err != nil {
		return nil, scale{}, err
	}
	return model.FromDataset(s), scale{len(e.parts.Train), int64(s.Steps()) * int64(t.Epochs)}, nil
}

// inOrder returns batches of some rows to be scored.
func (e *examples) inOrder(rows []uint32) (model.Source, error) {
	s, err := e.frame.Source(rows, dataset.Options{BatchSize: scoreBatch, Histories: e.histories})
	if err != nil {
		return nil, err
	}
	return model.FromDataset(s), nil
}

// biases fits the baseline to the training examples, nil if the config has none.
func (e *examples) biases() (*baseline.Biases, error) {
	if e.c.Baseline == nil {
		return nil, nil
	}
	b, err := baseline.Fit(e.frame, e.parts.Train, *e.c.Baseline)
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	return b, nil
}

// formatOf returns the format of a file by its name, as package dataset does.
func formatOf(path string) string {
	if strings.HasSuffix(strings.TrimSuffix(path, ".gz"), ".tsv") {
		return "tsv"
	}
	return "csv"
}

// clip bounds predictions, and refuses those that are not finite.
func (c *Config) clip(scores []float32) error {
	for i, x := range scores {
		if x-x != 0 {
			return fmt.Errorf("%w: example %d of its batch is scored %v", ErrNotFinite, i, x)
		}
		if b := c.Output.Clip; len(b) == 2 {
			scores[i] = min(max(x, b[0]), b[1])
		}
	}
	return nil
}
