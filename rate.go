package rowan

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/optim"
)

// SetRate gives the table's optimizer another schedule; rows keep their state.
// Rows of an exact optimizer that were absent are caught up with the rates that
// the schedule has for the steps they missed, so it must know the rates of the
// past: see [optim.Changed]. It is safe for concurrent use.
func (t *Table) SetRate(s optim.Schedule) error {
	if err := t.given(); err != nil {
		return err
	}
	t.lock()
	defer t.unlock()
	if t.core == nil {
		return fmt.Errorf("table %q: %w", t.opt.Name, ErrClosed)
	}
	if t.core.optimizer == nil {
		return fmt.Errorf("%w: table %q has no optimizer whose rate could be set", ErrOptions, t.opt.Name)
	}
	o := *t.core.optimizer
	if o.Rate = s; s == nil {
		return fmt.Errorf("%w: table %q: the schedule is nil", ErrOptions, t.opt.Name)
	}
	if err := o.Validate(); err != nil {
		return fmt.Errorf("%w: table %q: %v", ErrOptions, t.opt.Name, err)
	}
	t.core.optimizer = &o
	return nil
}
