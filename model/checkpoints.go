package model

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/internal/vfs"
)

// Checkpoints is a directory of checkpoints of a model. A checkpoint is there
// whole or not at all, whatever is killed when. A rowan.Store reads the tables
// of the same directory. Its methods are safe for concurrent use; one save at
// a time.
type Checkpoints struct{ store *checkpoint.Store }

// OpenCheckpoints names a directory of checkpoints; the first save makes it.
func OpenCheckpoints(dir string) (*Checkpoints, error) { return openCheckpoints(vfs.OS{}, dir) }

func openCheckpoints(f vfs.FS, dir string) (*Checkpoints, error) {
	s, err := checkpoint.Open(f, dir)
	if err != nil {
		return nil, err
	}
	return &Checkpoints{s}, nil
}

// Latest returns the checkpoint saved last.
func (c *Checkpoints) Latest() (*Saved, error) { return saved(c.store.Latest()) }

// At returns the checkpoint of a step, the latest if there are several.
func (c *Checkpoints) At(step int64) (*Saved, error) { return saved(c.store.At(step)) }

// List returns the checkpoints in the order in which they were saved. With
// those that are sound it returns an error that names those that are not.
func (c *Checkpoints) List() ([]*Saved, error) {
	found, err := c.store.List()
	var all []*Saved
	for _, f := range found {
		s, savedErr := saved(f, nil)
		if savedErr != nil {
			return all, savedErr
		}
		all = append(all, s)
	}
	return all, err
}

// Prune deletes all checkpoints but the newest keep, at least 1.
func (c *Checkpoints) Prune(keep int) error { return c.store.Prune(keep) }

// Saved is one checkpoint of a model. It stays readable until it is pruned.
type Saved struct {
	c    *checkpoint.Checkpoint
	meta meta
}

func saved(c *checkpoint.Checkpoint, err error) (*Saved, error) {
	if err != nil {
		return nil, err
	}
	s := &Saved{c: c}
	if err := c.Meta(&s.meta); err != nil {
		return nil, err
	}
	return s, nil
}

// Step returns the number of training steps that had been made.
func (s *Saved) Step() int64 { return s.c.Step() }

// Epoch returns the epoch, from 0, that training would go on with.
func (s *Saved) Epoch() int { return s.meta.Progress.Epoch }

// Examples returns how many examples of that epoch had been seen.
func (s *Saved) Examples() int64 { return s.meta.Progress.Running.Examples }

// History returns the epochs that were over.
func (s *Saved) History() History { return s.meta.Progress.History }

// Dir returns the path of the checkpoint's directory.
func (s *Saved) Dir() string { return s.c.Dir() }

// Config decodes the config that was saved into what the pointer points to, as
// json.Unmarshal does.
func (s *Saved) Config(into any) error {
	if len(s.meta.Config) == 0 {
		return fmt.Errorf("%w: checkpoint %s was saved without a config", ErrData, s.Dir())
	}
	return json.Unmarshal(s.meta.Config, into)
}

// Verify reads every file and compares it with the checksum in the manifest.
func (s *Saved) Verify(ctx context.Context) error { return s.c.Verify(ctx) }

// Save writes a checkpoint of the model between two updates, else it is ErrBusy
// (see optim.Optimizer.AccumulationSteps): tables, dense
// weights, the optimizer's state and steps, the place in the data, half-filled
// metrics, the history and the state of the last Fit's callbacks. config is
// anything that encoding/json takes, to build the model from again; nil for
// none. When Save returns nil the checkpoint is on stable storage. Callbacks may call it.
func (m *Model) Save(ctx context.Context, to *Checkpoints, config any) error {
	if err := m.built(); err != nil {
		return err
	}
	if to == nil || to.store == nil {
		return fmt.Errorf("%w: the directory of checkpoints is nil", ErrArgument)
	}
	m.training.Lock()
	defer m.training.Unlock()
	if err := m.settled(); err != nil {
		return err
	}
	d := m.describe()
	if config != nil {
		var err error
		if d.Config, err = json.Marshal(config); err != nil {
			return fmt.Errorf("model: config: %w", err)
		}
	}
	return to.store.Save(ctx, m.step, d, func(w *checkpoint.Writer) error {
		if err := m.writeWeights(ctx, w.Create); err != nil {
			return err
		}
		if err := m.writeMetrics(w.Create); err != nil {
			return err
		}
		return m.callbacks.write(w.Create)
	})
}

// writeMetrics writes the metrics, a file each, if an epoch is under way.
func (m *Model) writeMetrics(create func(string) (io.WriteCloser, error)) error {
	if m.compiled == nil || m.at.Running.Batches == 0 {
		return nil
	}
	all, err := m.compiled.saveMetrics()
	if err != nil {
		return err
	}
	for i, b := range all {
		if err := writeFile(create, metricFile(i), put(b)); err != nil {
			return err
		}
	}
	return nil
}

func metricFile(i int) string { return fmt.Sprintf("metric-%d.state", i) }

const callbackPrefix, callbackSuffix = "callback-", ".state"

// write writes the states of the callbacks, a file each.
func (s *callbackStates) write(create func(string) (io.WriteCloser, error)) error {
	for _, f := range s.live {
		if err := writeFile(create, callbackPrefix+f.StateName()+callbackSuffix, f.SaveState); err != nil {
			return fmt.Errorf("state of callback %q: %w", f.StateName(), err)
		}
	}
	for name, b := range s.kept {
		if err := writeFile(create, callbackPrefix+name+callbackSuffix, put(b)); err != nil {
			return err
		}
	}
	return nil
}

func put(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(b))
		return err
	}
}

// Load puts a checkpoint in the place of the model's weights and progress. The
// model must be made as the saved one was, and compiled with the same
// optimizer: one that is not compiled can take checkpoints of models without
// tables only. Fit with Resume goes on from there. An error leaves weights and
// tables as they were.
func (m *Model) Load(ctx context.Context, from *Saved) error {
	if err := m.built(); err != nil {
		return err
	}
	if from == nil || from.c == nil {
		return fmt.Errorf("%w: the checkpoint is nil", ErrArgument)
	}
	m.training.Lock()
	defer m.training.Unlock()
	if m.fitting.Load() {
		return ErrBusy
	}
	metrics, callbacks, err := from.states()
	if err != nil {
		return err
	}
	if m.compiled != nil {
		m.compiled.resetMetrics()
		if len(metrics) > 0 {
			if err := m.compiled.loadMetrics(metrics); err != nil {
				m.compiled.resetMetrics()
				return fmt.Errorf("load %s: %w", from.Dir(), err)
			}
		}
	}
	if err := m.readWeights(ctx, &from.meta, from.c.Open); err != nil {
		return fmt.Errorf("load %s: %w", from.Dir(), err)
	}
	m.step, m.at = from.Step(), from.meta.Progress
	m.callbacks = callbackStates{kept: callbacks}
	return nil
}

// states reads what metrics and callbacks wrote.
func (s *Saved) states() (metrics [][]byte, callbacks map[string][]byte, err error) {
	callbacks = make(map[string][]byte)
	for _, f := range s.c.Files() {
		name, isCallback := strings.CutPrefix(f.Name, callbackPrefix)
		if isCallback {
			b, err := s.read(f.Name)
			if err != nil {
				return nil, nil, err
			}
			callbacks[strings.TrimSuffix(name, callbackSuffix)] = b
		}
	}
	for i := 0; s.has(metricFile(i)); i++ {
		b, err := s.read(metricFile(i))
		if err != nil {
			return nil, nil, err
		}
		metrics = append(metrics, b)
	}
	return metrics, callbacks, nil
}

func (s *Saved) has(name string) bool {
	for _, f := range s.c.Files() {
		if f.Name == name {
			return true
		}
	}
	return false
}

func (s *Saved) read(name string) ([]byte, error) {
	f, err := s.c.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
