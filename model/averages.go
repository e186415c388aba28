package model

import (
	"context"
	"fmt"
)

// UseAverages puts the averages of all weights, of dense ones and of the tables
// that keep them, in the place of the weights: what Keras'
// finalize_variable_values does. An optimizer with an EMA must train the model,
// else it is ErrNotCompiled. Training may go on afterwards.
//
// Keras does it at the end of every fit; here it is done when it is asked for,
// because a training that is taken up again has to go on from the weights
// themselves to end with the bytes of one that was not stopped.
func (m *Model) UseAverages(ctx context.Context) error {
	m.training.Lock()
	defer m.training.Unlock()
	c, err := m.ready()
	if err != nil {
		return err
	}
	m.weights.Lock()
	defer m.weights.Unlock()
	found := c.optimizer.EMA != nil
	for _, t := range c.tables {
		if o := t.table.Options().Optimizer; o == nil || o.EMA == nil {
			continue
		}
		found = true
		if err := t.table.UseAverages(ctx); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%w: the optimizer keeps no averages of the weights: compile with one that has an EMA", ErrNotCompiled)
	}
	for _, d := range c.rows {
		if d != nil {
			d.useAverage()
		}
	}
	return nil
}
