package recipe

import (
	"cmp"
	"slices"

	"github.com/rowan-embeddings/rowan/dataset"
)

// WithDefaults returns a copy of c with its defaults filled in.
func (c Config) WithDefaults() Config {
	c.Name = cmp.Or(c.Name, "rowan")
	c.Output.Offset = cmp.Or(c.Output.Offset, "mean")
	c.Output.Activation = cmp.Or(c.Output.Activation, "linear")
	c.Training.Epochs = cmp.Or(c.Training.Epochs, 1)
	c.Training.BatchSize = cmp.Or(c.Training.BatchSize, 512)
	c.Checkpoint.Dir = cmp.Or(c.Checkpoint.Dir, "checkpoints/"+c.Name)
	c.Checkpoint.Keep = cmp.Or(c.Checkpoint.Keep, 2)
	loss, metrics := "mse", []Metric{{Name: "rmse"}}
	if c.classifies() {
		loss, metrics = "binary_crossentropy", []Metric{{Name: "logloss"}, {Name: "auc"}}
	}
	c.Training.Loss = cmp.Or(c.Training.Loss, loss)
	if c.Metrics == nil {
		c.Metrics = metrics
	}
	if c.Training.Optimizer.IsZero() {
		c.Training.Optimizer = Spec{Name: "adam"}
	}
	c.Features = slices.Clone(c.Features)
	for i := range c.Features {
		f := &c.Features[i]
		f.Name = cmp.Or(f.Name, f.Column)
		f.Column = cmp.Or(f.Column, f.Name)
	}
	c.Interaction = c.Interaction.withDefaults(c.Features)
	c.Tables = slices.Clone(c.Tables)
	for i := range c.Tables {
		c.Tables[i].KeyType = cmp.Or(c.Tables[i].KeyType, c.keyType(c.Tables[i].Name))
	}
	return c
}

func (c *Config) classifies() bool { return c.Output.Activation == "sigmoid" }

func (x Interaction) withDefaults(features []Feature) Interaction {
	if x.Deep == nil {
		return x
	}
	deep := *x.Deep
	if deep.Inputs == nil {
		for _, f := range features {
			if f.Table != "" {
				deep.Inputs = append(deep.Inputs, f.Name)
			}
		}
	}
	deep.Layers = slices.Clone(deep.Layers)
	for i := range deep.Layers {
		deep.Layers[i].Activation = cmp.Or(deep.Layers[i].Activation, "relu")
	}
	x.Deep = &deep
	return x
}

// keyType returns the type of the first column that is looked up in a table.
func (c *Config) keyType(table string) string {
	for _, f := range c.Features {
		if f.Table == table || f.Bias == table {
			if col := c.column(f.Column); col != nil {
				return col.KeyType().String()
			}
		}
	}
	return "int64"
}

// column returns the declaration of a column, nil if there is none of the name.
func (c *Config) column(name string) *dataset.Column {
	at := func(columns []dataset.Column) *dataset.Column {
		i := slices.IndexFunc(columns, func(col dataset.Column) bool { return col.Name == name })
		if i < 0 {
			return nil
		}
		return &columns[i]
	}
	if col := at(c.Data.Columns); col != nil {
		return col
	}
	for i := range c.Data.Joins {
		if col := at(c.Data.Joins[i].Columns); col != nil {
			return col
		}
	}
	for _, h := range c.Histories {
		if h.Name == name {
			return c.historyColumn(h)
		}
	}
	return nil
}

// historyColumn returns the column that a history is to features; nil if what
// it is a history of is no column of kind id.
func (c *Config) historyColumn(h dataset.HistoryConfig) *dataset.Column {
	if !slices.Contains(c.fileColumns(dataset.ID), h.Of) {
		return nil
	}
	return &dataset.Column{Name: h.Name, Kind: dataset.IDs, Type: c.column(h.Of).KeyType().String()}
}

// data returns the data's declaration with paths that can be opened.
func (c *Config) data() dataset.Config {
	if c.Dir == "" {
		return c.Data
	}
	return c.Data.Under(c.Dir)
}
