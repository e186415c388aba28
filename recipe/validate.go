package recipe

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/metric"
)

// Validate returns a *[FieldError] that names the first field that cannot be
// followed, whatever is in the files.
func (c Config) Validate() error {
	c = c.WithDefaults()
	if err := dataError("data", c.Data.Validate()); err != nil {
		return err
	}
	if err := dataError("split", c.Split.Validate()); err != nil {
		return err
	}
	// In this order: each may rely on what the ones before have checked.
	for _, check := range []func() error{c.validateSplit, c.validateHistories, c.validateTables, c.validateFeatures,
		c.validateInteraction, c.validateOutput, c.validateTraining, c.validateRest} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// validateSplit looks for the columns that a split by time needs.
func (c *Config) validateSplit() error {
	s := &c.Split
	if s.By != dataset.ByUserTime && s.By != dataset.ByGlobalTime {
		return nil
	}
	if len(c.fileColumns(dataset.Timestamp)) == 0 {
		return fieldError("split.by", "%s needs a column of kind %q", s.By, dataset.Timestamp)
	}
	if s.By == dataset.ByGlobalTime {
		return nil
	}
	return oneOf("split.user", s.User, c.fileColumns(dataset.ID))
}

func (c *Config) validateHistories() error {
	taken := c.fileColumns(dataset.ID, dataset.IDs, dataset.Number, dataset.Label, dataset.Weight, dataset.Timestamp)
	for i, h := range c.Histories {
		field := fmt.Sprintf("histories[%d]", i)
		if err := dataError(field, h.Validate()); err != nil {
			return err
		}
		if slices.Contains(taken, h.Name) {
			return fieldError(field+".name", "%q is the name of another column too", h.Name)
		}
		taken = append(taken, h.Name)
		ids := c.fileColumns(dataset.ID)
		if err := cmp.Or(oneOf(field+".by", h.By, ids), oneOf(field+".of", h.Of, ids)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) validateTables() error {
	if len(c.Tables) == 0 {
		return fieldError("tables", "there are none: declare at least one table")
	}
	seen := make(map[string]bool)
	for i := range c.Tables {
		field := fmt.Sprintf("tables[%d]", i)
		if err := c.Tables[i].validate(field); err != nil {
			return err
		}
		if name := c.Tables[i].Name; seen[name] {
			return fieldError(field+".name", "%q is the name of another table too", name)
		}
		seen[c.Tables[i].Name] = true
		if _, err := c.tableOptions(i, scale{}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) validateOutput() error {
	o := &c.Output
	if o.Offset != "mean" {
		if _, err := strconv.ParseFloat(o.Offset, 32); err != nil {
			return fieldError("output.offset", "expected \"mean\" or a number, got %q", o.Offset)
		}
	}
	if len(o.Clip) != 0 && (len(o.Clip) != 2 || !(o.Clip[0] <= o.Clip[1])) {
		return fieldError("output.clip", "expected the lowest and the highest prediction, as in [0.5, 5], got %v", o.Clip)
	}
	return oneOf("output.activation", o.Activation, []string{"linear", "sigmoid"})
}

func (c *Config) validateTraining() error {
	t := &c.Training
	switch {
	case len(c.columns(dataset.Label)) == 0:
		return fieldError("data.columns", "none is of kind \"label\": a recommender needs something to learn")
	case t.Epochs < 0:
		return fieldError("training.epochs", "it must be positive, got %d", t.Epochs)
	case t.BatchSize < 0:
		return fieldError("training.batch_size", "it must be positive, got %d", t.BatchSize)
	}
	if err := oneOf("training.loss", t.Loss, LossNames()); err != nil {
		return err
	}
	if _, err := makeOptimizer("training.optimizer", t.Optimizer, 1); err != nil {
		return err
	}
	for i, m := range c.Metrics {
		if err := oneOf(fmt.Sprintf("metrics[%d].name", i), m.Name, metric.Names()); err != nil {
			return err
		}
	}
	return nil
}

// LossNames returns the losses that a recommender may be trained with, sorted:
// those of one number an example, for those of several, such as classes or
// embeddings, find nothing to learn in it.
func LossNames() []string {
	several := []string{"categorical", "circle", "cosine", "kl", "kullback"}
	return slices.DeleteFunc(loss.Names(), func(name string) bool {
		return slices.ContainsFunc(several, func(word string) bool { return strings.Contains(name, word) })
	})
}

func (c *Config) validateRest() error {
	if b := c.Baseline; b != nil {
		ids := c.columns(dataset.ID)
		if err := cmp.Or(oneOf("baseline.user", b.User, ids), oneOf("baseline.item", b.Item, ids)); err != nil {
			return err
		}
	}
	for i, t := range c.Titles {
		field := fmt.Sprintf("titles[%d]", i)
		switch {
		case c.table(t.Table) == nil:
			return fieldError(field+".table", "there is no table %q", t.Table)
		case t.Path == "" || t.Key == "" || t.Title == "":
			return fieldError(field, "it needs path, key and title")
		}
	}
	switch k := &c.Checkpoint; {
	case k.Keep < 0:
		return fieldError("checkpoint.keep", "it must be positive, got %d", k.Keep)
	case k.EverySteps < 0:
		return fieldError("checkpoint.every_steps", "it must not be negative, got %d", k.EverySteps)
	}
	return nil
}
