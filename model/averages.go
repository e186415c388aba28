package model

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan"
)

// UseAverages puts the averages of all weights, of dense ones and of the tables
// that keep them, in the place of the weights: what Keras'
// finalize_variable_values does. An optimizer with an EMA must train the model,
// else it is ErrNotCompiled; a table over row stores, which has no averages to
// read in its place, is rowan.ErrOptions, and nothing is changed. Training may go
// on afterwards.
//
// Keras does it at the end of every fit; here it is done when it is asked for,
// because a training that is taken up again has to go on from the weights
// themselves to end with the bytes of one that was not stopped.
func (m *Model) UseAverages(ctx context.Context) error {
	if err := m.built(); err != nil {
		return err
	}
	m.training.Lock()
	defer m.training.Unlock()
	c, err := m.ready()
	if err != nil {
		return err
	}
	m.weights.Lock()
	defer m.weights.Unlock()
	tables, err := c.averaged(ctx)
	if err != nil {
		return err
	}
	if c.optimizer.EMA == nil && len(tables) == 0 {
		return fmt.Errorf("%w: the optimizer keeps no averages of the weights: compile with one that has an EMA", ErrNotCompiled)
	}
	for _, t := range tables {
		if err := t.UseAverages(ctx); err != nil {
			return err
		}
	}
	for _, d := range c.rows {
		if d != nil {
			d.useAverage()
		}
	}
	return nil
}

// averaged returns the tables that keep averages, or why one of them cannot use
// them.
func (c *compiled) averaged(ctx context.Context) ([]*rowan.Table, error) {
	var tables []*rowan.Table
	for _, t := range c.tables {
		if _, err := t.table.Count(ctx); err != nil {
			return nil, err
		}
		o := t.table.Options()
		if o.Optimizer == nil || o.Optimizer.EMA == nil {
			continue
		}
		if o.Stores != nil {
			return nil, t.table.UseAverages(ctx) // which says why it does not
		}
		tables = append(tables, t.table)
	}
	return tables, nil
}
