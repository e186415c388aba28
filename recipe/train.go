package recipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/model"
)

// TrainOptions say how [Train] runs. The zero value works.
type TrainOptions struct {
	// Resume goes on from the latest checkpoint of Config.Checkpoint.Dir. If
	// there is none, training begins at the beginning.
	Resume bool
	// NoCheckpoint saves nothing.
	NoCheckpoint bool
	// Progress is told how training goes: a bar if it is a terminal, lines
	// elsewhere. Default: nobody.
	Progress io.Writer
	// Callbacks take part in training. Default: none.
	Callbacks []model.Callback
}

// Result is what a training came to.
type Result struct {
	Name string `json:"name"`
	Seed uint64 `json:"seed"`
	// Train and Test are numbers of examples.
	Train int `json:"train"`
	Test  int `json:"test"`
	// Resumed says that training went on from a checkpoint, at ResumedAt steps.
	Resumed   bool  `json:"resumed,omitempty"`
	ResumedAt int64 `json:"resumed_at,omitempty"`
	// Steps is how many steps have been made in all, Epochs how many epochs are over.
	Steps  int64 `json:"steps"`
	Epochs int   `json:"epochs"`
	// Seconds is the time that training took, ReadSeconds reading the data,
	// and ScoreSeconds fitting the baselines and scoring.
	Seconds      float64 `json:"seconds"`
	ReadSeconds  float64 `json:"read_seconds"`
	ScoreSeconds float64 `json:"score_seconds"`
	// Parameters is the number of weights of the model.
	Parameters int `json:"parameters"`
	// History has the losses and metrics of the training examples, by epoch.
	History model.History `json:"history"`
	// Scores are those of the held-out examples: the model's, then what it is
	// compared with. None if training was interrupted, or nothing is held out.
	Scores []Score `json:"scores,omitempty"`
	// Checkpoint is the directory of checkpoints, "" if nothing was saved.
	Checkpoint string `json:"checkpoint,omitempty"`
	// Interrupted says that training was stopped before its end, and saved.
	Interrupted bool `json:"interrupted,omitempty"`
}

// Train trains the recommender that c describes, saves it, and compares it with
// its baselines on the held-out examples.
//
// When ctx ends, the step under way is finished and the model saved; the result
// then has Interrupted set, and comes with an error that wraps that of ctx.
// Train with Resume goes on as if nothing had happened.
func Train(ctx context.Context, c Config, o TrainOptions) (*Result, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.WithDefaults()
	start := time.Now()
	e, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	t, err := newTraining(e, o)
	if err != nil {
		return nil, err
	}
	defer closeTables(t.tables)
	t.result.ReadSeconds = time.Since(start).Seconds()
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	if err := t.fit(ctx); err != nil {
		if t.result.Interrupted {
			return t.result, err
		}
		return nil, err
	}
	start = time.Now()
	t.result.Scores, err = e.score(ctx, t.model, e.parts.Test)
	t.result.ScoreSeconds = time.Since(start).Seconds()
	return t.result, err
}

// training is one call of Train.
type training struct {
	e      *examples
	o      TrainOptions
	saved  savedConfig
	source model.Source
	tables []*rowan.Table
	model  *model.Model
	to     *model.Checkpoints // nil to save nothing
	result *Result
}

func newTraining(e *examples, o TrainOptions) (t *training, err error) {
	source, n, err := e.training()
	if err != nil {
		return nil, err
	}
	c := e.c
	t = &training{e: e, o: o, source: source, saved: savedConfig{*c, n.examples, n.steps, e.histories},
		result: &Result{Name: c.Name, Seed: c.Seed, Train: len(e.parts.Train), Test: len(e.parts.Test)}}
	t.saved.Config.Checkpoint = Checkpoint{} // what is saved does not depend on where
	if t.saved.Config.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, err
	}
	offset, err := c.offset(e.mean)
	if err != nil {
		return nil, err
	}
	if t.tables, t.model, err = c.assemble(n, offset); err != nil {
		return nil, err
	}
	if !o.NoCheckpoint {
		t.to, err = model.OpenCheckpoints(c.Checkpoint.Dir)
	}
	if err != nil {
		closeTables(t.tables)
		return nil, err
	}
	return t, nil
}

// assemble makes tables and a compiled model over them. After an error no table
// is left open.
func (c *Config) assemble(n scale, offset float64) ([]*rowan.Table, *model.Model, error) {
	tables, err := c.openTables(n)
	if err != nil {
		return nil, nil, err
	}
	m, err := c.build(tables, offset)
	if err == nil {
		err = c.compile(m, n)
	}
	if err != nil {
		closeTables(tables)
		return nil, nil, err
	}
	return tables, m, nil
}

// begin goes on from a checkpoint, or saves the first: whether the directory
// can be written to is better known before training than after, and from now
// on the latest checkpoint there is this training's.
func (t *training) begin(ctx context.Context) error {
	r := t.result
	if err := t.tell("%s: %d examples to train on, %d held out", r.Name, r.Train, r.Test); err != nil || t.to == nil {
		return err
	}
	r.Checkpoint = t.e.c.Checkpoint.Dir
	if t.o.Resume {
		latest, err := t.to.Latest()
		if err == nil {
			return t.resume(ctx, latest)
		}
		if !errors.Is(err, checkpoint.ErrNone) {
			return err
		}
		if err := t.tell("nothing to go on from in %s: training begins at the beginning", r.Checkpoint); err != nil {
			return err
		}
	}
	return t.model.Save(ctx, t.to, t.saved)
}

func (t *training) resume(ctx context.Context, from *model.Saved) error {
	saved, err := readConfig(from)
	if err != nil {
		return err
	}
	if err := sameTraining(*saved, t.saved); err != nil {
		return fmt.Errorf("%s: %w", from.Dir(), err)
	}
	t.result.Resumed, t.result.ResumedAt = true, from.Step()
	if err := t.tell("going on from step %d, saved in %s", from.Step(), from.Dir()); err != nil {
		return err
	}
	return t.model.Load(ctx, from)
}

// tell tells a line to whom progress is told.
func (t *training) tell(format string, args ...any) error {
	if t.o.Progress == nil {
		return nil
	}
	_, err := fmt.Fprintf(t.o.Progress, format+"\n", args...)
	return err
}

func (t *training) fit(ctx context.Context) error {
	callbacks := append([]model.Callback(nil), t.o.Callbacks...)
	if t.o.Progress != nil {
		callbacks = append(callbacks, &model.Progress{Out: t.o.Progress})
	}
	if t.to != nil {
		k := t.e.c.Checkpoint
		callbacks = append(callbacks, &model.Checkpoint{To: t.to, Config: t.saved, EverySteps: k.EverySteps, Keep: k.Keep})
	}
	o := model.FitOptions{Epochs: t.e.c.Training.Epochs, Resume: t.o.Resume, Callbacks: callbacks}
	if len(t.e.parts.Validation) > 0 {
		var err error
		if o.Validation, err = t.e.inOrder(t.e.parts.Validation); err != nil {
			return err
		}
	}
	start := time.Now()
	history, err := t.model.Fit(ctx, t.source, o)
	r := t.result
	r.Seconds, r.History, r.Epochs = time.Since(start).Seconds(), history, len(history)
	r.Steps, r.Parameters = t.model.Step(), t.model.CountParams()
	if t.to != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return t.interrupted(err)
	}
	return err
}

// interrupted makes sure that an interrupted training has been saved.
func (t *training) interrupted(cause error) error {
	latest, err := t.to.Latest()
	if err == nil && latest.Step() != t.model.Step() {
		err = fmt.Errorf("the latest checkpoint, %s, is of step %d", latest.Dir(), latest.Step())
	}
	if err != nil {
		return fmt.Errorf("%w; and it could not be saved: %w", cause, err)
	}
	t.result.Interrupted = true
	return cause
}
