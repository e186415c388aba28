package recipe

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/dataset"
)

func (c *Config) validateFeatures() error {
	if len(c.Features) == 0 {
		return fieldError("features", "there are none: name at least one column and the table that it is looked up in")
	}
	seen := make(map[string]bool)
	for i, f := range c.Features {
		field := fmt.Sprintf("features[%d]", i)
		if err := c.validateFeature(field, f); err != nil {
			return err
		}
		if seen[f.Name] {
			return fieldError(field+".name", "%q is the name of another feature too", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

func (c *Config) validateFeature(field string, f Feature) error {
	if f.Name == "" {
		return fieldError(field+".name", "it is empty: name the feature, or its column")
	}
	if err := oneOf(field+".column", f.Column, c.columns(dataset.ID, dataset.IDs)); err != nil {
		return err
	}
	if f.Table == "" && f.Bias == "" {
		return fieldError(field+".table", "it is empty: name a table, or one for the bias")
	}
	if f.Combiner != "" {
		if c.column(f.Column).Kind != dataset.IDs {
			return fieldError(field+".combiner", "column %q has one id an example: there is nothing to combine", f.Column)
		}
		if err := oneOf(field+".combiner", f.Combiner, combiners); err != nil {
			return err
		}
	}
	if err := c.validateUse(field+".table", f.Table, f.Column); err != nil {
		return err
	}
	if err := c.validateUse(field+".bias", f.Bias, f.Column); err != nil {
		return err
	}
	if t := c.table(f.Bias); t != nil && t.Width != 1 {
		return fieldError(field+".bias", "table %q has width %d: a bias is one number", f.Bias, t.Width)
	}
	return nil
}

// combiners are the names that a feature's combiner may have.
var combiners = []string{"sum", "mean", "sqrtn", "max", "min", "prod", "std", "variance", "euclidean_norm", "logsumexp"}

// validateUse checks that a column can be looked up in a table.
func (c *Config) validateUse(field, table, column string) error {
	if table == "" {
		return nil
	}
	if err := oneOf(field, table, c.tableNames()); err != nil {
		return err
	}
	t, ids := c.table(table), c.column(column).KeyType().String()
	text := (t.KeyType == "string") != (ids == "string")
	if text || t.Rows == 0 && t.KeyType != ids && !(t.KeyType == "int64" && ids == "int32") {
		return fieldError(field, "table %q has %s keys, column %q has %s ids", table, t.KeyType, column, ids)
	}
	return nil
}

func (c *Config) table(name string) *Table {
	i := slices.IndexFunc(c.Tables, func(t Table) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Tables[i]
}

// columns returns the names of the columns of some kinds, histories among them.
func (c *Config) columns(kinds ...dataset.Kind) []string {
	all := c.fileColumns(kinds...)
	if slices.Contains(kinds, dataset.IDs) {
		for _, h := range c.Histories {
			all = append(all, h.Name)
		}
	}
	return all
}

// fileColumns returns the names of the files' columns of some kinds.
func (c *Config) fileColumns(kinds ...dataset.Kind) []string {
	var all []string
	add := func(columns []dataset.Column) {
		for _, col := range columns {
			if slices.Contains(kinds, col.Kind) {
				all = append(all, col.Name)
			}
		}
	}
	add(c.Data.Columns)
	for _, j := range c.Data.Joins {
		add(j.Columns)
	}
	return all
}

// combiner returns how a feature's ids become one vector.
func (c *Config) combiner(f Feature) rowan.Combiner {
	if c.column(f.Column).Kind != dataset.IDs {
		return rowan.None
	}
	combiner, err := rowan.ParseCombiner(cmp.Or(f.Combiner, "mean"))
	if err != nil {
		return rowan.Mean // Validate has refused others
	}
	return combiner
}
