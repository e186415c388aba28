package recipe

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/metric"
)

// Validate returns a *[FieldError] that names the first field that cannot be
// followed, whatever is in the files.
func (c Config) Validate() error {
	c = c.WithDefaults()
	if err := dataError("data", c.Data.Validate()); err != nil {
		return err
	}
	return cmp.Or(dataError("split", c.Split.Validate()), c.validateTables(), c.validateFeatures(),
		c.validateInteraction(), c.validateOutput(), c.validateTraining(), c.validateRest())
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
		if err := oneOf(field+".combiner", f.Combiner, []string{"sum", "mean", "sqrtn"}); err != nil {
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

// columns returns the names of the columns of some kinds.
func (c *Config) columns(kinds ...dataset.Kind) []string {
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

// validateInteraction checks names and widths: what is made of what.
func (c *Config) validateInteraction() error {
	x := &c.Interaction
	if err := share("interaction.dropout", x.Dropout); err != nil {
		return err
	}
	widths := make(map[string]int)
	var known []string
	for _, f := range c.Features {
		if t := c.table(f.Table); t != nil {
			widths[f.Name] = t.Width
			known = append(known, f.Name)
		}
	}
	for i, s := range x.Sums {
		field := fmt.Sprintf("interaction.sums[%d]", i)
		if s.Name == "" || widths[s.Name] > 0 {
			return fieldError(field+".name", "%q is empty or taken: a sum needs a name of its own", s.Name)
		}
		if len(s.Of) < 2 {
			return fieldError(field+".of", "a sum is of two or more vectors, got %d", len(s.Of))
		}
		if err := sameWidth(field+".of", s.Of, known, widths); err != nil {
			return err
		}
		widths[s.Name] = widths[s.Of[0]]
		known = append(known, s.Name)
	}
	for i, d := range x.Dots {
		field := fmt.Sprintf("interaction.dots[%d]", i)
		if len(d) != 2 {
			return fieldError(field, "a product is of two vectors, got %d", len(d))
		}
		if err := sameWidth(field, d, known, widths); err != nil {
			return err
		}
	}
	return cmp.Or(c.validateDeep(append(known, c.columns(dataset.Number)...)), c.validateTerms())
}

func sameWidth(field string, of, known []string, widths map[string]int) error {
	for i, name := range of {
		if err := oneOf(fmt.Sprintf("%s[%d]", field, i), name, known); err != nil {
			return err
		}
		if widths[name] != widths[of[0]] {
			return fieldError(fmt.Sprintf("%s[%d]", field, i), "%q has width %d, %q has %d: widths must agree", name, widths[name], of[0], widths[of[0]])
		}
	}
	return nil
}

// share checks a dropout rate.
func share(field string, p float64) error {
	if !(p >= 0 && p < 1) {
		return fieldError(field, "it must be at least 0 and less than 1, got %v", p)
	}
	return nil
}

func (c *Config) validateDeep(known []string) error {
	deep := c.Interaction.Deep
	if deep == nil {
		return nil
	}
	if len(deep.Inputs) == 0 {
		return fieldError("interaction.deep.inputs", "there are none: no feature has a table")
	}
	for i, name := range deep.Inputs {
		if err := oneOf(fmt.Sprintf("interaction.deep.inputs[%d]", i), name, known); err != nil {
			return err
		}
	}
	for i, l := range deep.Layers {
		field := fmt.Sprintf("interaction.deep.layers[%d]", i)
		if l.Units <= 0 {
			return fieldError(field+".units", "it must be positive, got %d", l.Units)
		}
		if err := cmp.Or(oneOf(field+".activation", l.Activation, layer.ActivationNames()), share(field+".dropout", l.Dropout)); err != nil {
			return err
		}
	}
	if !(deep.WeightDecay >= 0) {
		return fieldError("interaction.deep.weight_decay", "it must be 0 or more, got %v", deep.WeightDecay)
	}
	return nil
}

// validateTerms refuses a model without terms, and a vector that no term uses.
func (c *Config) validateTerms() error {
	used := make(map[string]bool)
	x := &c.Interaction
	use := func(names []string) {
		for _, n := range names {
			used[n] = true
		}
	}
	if x.Deep != nil {
		use(x.Deep.Inputs)
	}
	for _, d := range x.Dots {
		use(d)
	}
	for i := len(x.Sums) - 1; i >= 0; i-- {
		if used[x.Sums[i].Name] {
			use(x.Sums[i].Of)
		} else {
			return fieldError(fmt.Sprintf("interaction.sums[%d]", i), "nothing uses the sum %q: make a product with it, or feed it to the deep part", x.Sums[i].Name)
		}
	}
	for i, f := range c.Features {
		if f.Table != "" && !used[f.Name] {
			return fieldError(fmt.Sprintf("features[%d]", i), "nothing uses the vectors of feature %q: name it in interaction.dots, sums or deep", f.Name)
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
	if err := oneOf("training.loss", t.Loss, layer.LossNames()); err != nil {
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
