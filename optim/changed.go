package optim

import (
	"cmp"
	"math"
	"slices"
)

// Change is a learning rate that holds from a step on.
type Change struct {
	Step int64   `json:"step"`
	Rate float32 `json:"rate"`
}

// Changed is a schedule that was changed by hand while a training ran: before
// the first change it is Base, and from each change on a constant. It remembers
// all of them, because rows of an exact optimizer that were absent are caught
// up with the rates of the steps that they missed.
type Changed struct {
	Base Schedule
	// Changes are in the order of their steps, each step once.
	Changes []Change
}

// At returns the rate of a step, from 1.
func (c Changed) At(step int64) float32 {
	i, found := c.find(step)
	switch {
	case found:
		return c.Changes[i].Rate
	case i == 0:
		return c.Base.At(step)
	}
	return c.Changes[i-1].Rate
}

// find returns the place of a step among the changes.
func (c Changed) find(step int64) (int, bool) {
	return slices.BinarySearchFunc(c.Changes, step, func(x Change, step int64) int { return cmp.Compare(x.Step, step) })
}

// With returns c with another rate from a step on, whatever it was to be later.
func (c Changed) With(step int64, rate float32) Changed {
	i, _ := c.find(step)
	c.Changes = append(slices.Clone(c.Changes[:i]), Change{step, rate})
	return c
}

// Validate refuses rates that are negative or not finite, steps that do not
// grow, and a bad Base.
func (c Changed) Validate() error {
	if c.Base == nil {
		return configError("a schedule that was changed needs the one before")
	}
	last := int64(0)
	for _, x := range c.Changes {
		if err := notNegative("learning_rate", float64(x.Rate)); err != nil {
			return err
		}
		if x.Step <= last {
			return configError("the steps of changes must grow, from 1. Received: %v", c.Changes)
		}
		last = x.Step
	}
	return validate(c.Base)
}

func (c Changed) peak() float64 {
	p := peakOf(c.Base)
	for _, x := range c.Changes {
		p = math.Max(p, float64(x.Rate))
	}
	return p
}
