package model

import (
	"fmt"
	"maps"

	"github.com/rowan-embeddings/rowan/optim"
)

// rateChanges are the learning rates that were set by hand, by the steps of
// those that the model's optimizer trains. A checkpoint holds them: a training
// that goes on has the rates of one that never stopped.
type rateChanges struct {
	Dense  []optim.Change            `json:"dense,omitempty"`
	Tables map[string][]optim.Change `json:"tables,omitempty"`
}

func (r *rateChanges) empty() bool { return r == nil || len(r.Dense) == 0 }

// LearningRate returns the rate of the next step of the model's optimizer.
func (m *Model) LearningRate() (float32, error) {
	if err := m.built(); err != nil {
		return 0, err
	}
	m.training.Lock()
	defer m.training.Unlock()
	c, err := m.ready()
	if err != nil {
		return 0, err
	}
	return c.optimizer.LearningRate(c.step + 1), nil
}

// SetLearningRate sets the rate of the model's optimizer from the next step on,
// in the place of its schedule: of the dense weights, and of the tables that it
// trains. Tables with an optimizer of their own keep theirs. Checkpoints know the
// rates; Compile with another optimizer forgets them. It is safe for concurrent
// use, and callbacks may call it.
func (m *Model) SetLearningRate(rate float32) error {
	if err := m.built(); err != nil {
		return err
	}
	if !(rate >= 0) || !isFinite(rate) {
		return fmt.Errorf("%w: a learning rate must be a finite number of 0 or more, got %v", ErrArgument, rate)
	}
	m.training.Lock()
	defer m.training.Unlock()
	c, err := m.ready()
	if err != nil {
		return err
	}
	next := &rateChanges{Tables: make(map[string][]optim.Change)}
	if c.rates != nil {
		next.Dense = c.rates.Dense
		maps.Copy(next.Tables, c.rates.Tables)
	}
	next.Dense = c.change(next.Dense, c.step, rate)
	for _, t := range c.tables {
		if t.joint {
			next.Tables[t.table.Name()] = c.change(next.Tables[t.table.Name()], t.table.Step(), rate)
		}
	}
	return c.setRates(next)
}

// change sets the rate of the updates behind one. Schedules count batches.
func (c *compiled) change(to []optim.Change, update int64, rate float32) []optim.Change {
	batch := update * int64(len(c.stages))
	return optim.Changed{Changes: to}.With(batch+1, rate).Changes
}

// setRates puts rates in force.
func (c *compiled) setRates(r *rateChanges) error {
	if r.empty() && c.rates.empty() {
		return nil
	}
	if r == nil {
		r = &rateChanges{}
	}
	for _, t := range c.tables {
		if !t.joint {
			continue
		}
		if err := t.table.SetRate(c.schedule(r.Tables[t.table.Name()])); err != nil {
			return err
		}
	}
	c.optimizer.Rate, c.rates = c.schedule(r.Dense), r
	return nil
}

// schedule is the optimizer's schedule with some changes.
func (c *compiled) schedule(changes []optim.Change) optim.Schedule {
	if len(changes) == 0 {
		return c.base
	}
	return optim.Changed{Base: c.base, Changes: changes}
}

// keepRates takes over the rates of a model that is compiled again with the
// same optimizer. A table that it begins to train has the last of them from its
// first step on.
func (c *compiled) keepRates(old *compiled) error {
	c.base = c.optimizer.Rate
	if old == nil || old.rates.empty() {
		return nil
	}
	c.base = old.base
	r := &rateChanges{Dense: old.rates.Dense, Tables: maps.Clone(old.rates.Tables)}
	for _, t := range c.tables {
		if name := t.table.Name(); t.joint && len(r.Tables[name]) == 0 {
			r.Tables[name] = []optim.Change{{Step: 1, Rate: r.Dense[len(r.Dense)-1].Rate}}
		}
	}
	return c.setRates(r)
}
