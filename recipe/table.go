package recipe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/suggest"
	"github.com/rowan-embeddings/rowan/tensor"
)

var (
	missing = map[string]rowan.Missing{"": rowan.MissingInitial, "initial": rowan.MissingInitial,
		"zeros": rowan.MissingZeros, "skip": rowan.MissingSkip, "error": rowan.MissingError}
	outOfRange = map[string]rowan.OutOfRange{"": rowan.OutOfRangeError, "error": rowan.OutOfRangeError,
		"zeros": rowan.OutOfRangeZeros, "last": rowan.OutOfRangeLast}
)

// scale is what the data add to a config: how many training examples there
// are, and how many steps they make in all.
type scale struct {
	examples int
	steps    int64
}

// tableOptions returns the options of table i, without the optimizer that it
// shares with the rest of the model.
func (c *Config) tableOptions(i int, n scale) (o rowan.TableOptions, err error) {
	t := &c.Tables[i]
	field := fmt.Sprintf("tables[%d]", i)
	o = rowan.TableOptions{Name: t.Name, Width: t.Width, Rows: t.Rows, MaxNorm: float32(t.MaxNorm),
		Missing: missing[t.Missing], OutOfRange: outOfRange[t.OutOfRange],
		InitialCapacity: t.Capacity, MaxRows: t.MaxRows, Seed: c.Seed,
		Regularizer: rowan.Regularizer{L1: float32(t.L1), L2: float32(t.L2 + t.L2PerRow/float64(max(1, n.examples)))}}
	if t.Seed != nil {
		o.Seed = *t.Seed
	}
	if o.KeyType, err = tensor.ParseKeyType(t.KeyType); err != nil {
		return o, inField(field+".key_type", err)
	}
	if o.DType, err = rowan.ParseDType(cmp.Or(t.DType, "float32")); err != nil {
		return o, inField(field+".dtype", err)
	}
	if o.Initializer, err = makeInitializer(field+".initializer", t.Initializer); err != nil {
		return o, err
	}
	if !t.Optimizer.IsZero() {
		if o.Optimizer, err = makeOptimizer(field+".optimizer", t.Optimizer, n.steps); err != nil {
			return o, err
		}
	}
	o.Padding, err = t.padding(field+".padding", o.KeyType)
	return o, err
}

func (t *Table) padding(field string, k tensor.KeyType) (*rowan.Padding, error) {
	if t.Padding == nil {
		return nil, nil
	}
	if k == tensor.String {
		return rowan.PaddingString(*t.Padding), nil
	}
	id, err := strconv.ParseInt(*t.Padding, 10, 64)
	if err != nil {
		return nil, fieldError(field, "the table has %s keys, and %q is none", k, *t.Padding)
	}
	return rowan.PaddingID(id), nil
}

// openTables makes the tables of a config. After an error none is left open.
func (c *Config) openTables(n scale) (tables []*rowan.Table, err error) {
	defer func() {
		if err != nil {
			closeTables(tables)
		}
	}()
	for i := range c.Tables {
		o, err := c.tableOptions(i, n)
		if err != nil {
			return tables, err
		}
		t, err := rowan.NewTable(o)
		if err != nil {
			return tables, inField(fmt.Sprintf("tables[%d]", i), err)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func closeTables(tables []*rowan.Table) {
	for _, t := range tables {
		_ = t.Close() // its only error is that it is closed already
	}
}

func (t *Table) validate(field string) error {
	var err error
	switch {
	case t.Name == "":
		err = fieldError(field+".name", "it is empty: say what the table is called")
	case t.Width <= 0:
		err = fieldError(field+".width", "it must be positive, got %d", t.Width)
	case t.Rows < 0:
		err = fieldError(field+".rows", "it must not be negative, got %d: leave it out for a dynamic table", t.Rows)
	case t.Rows > 0 && t.Missing != "":
		err = fieldError(field+".missing", "it is for dynamic tables; a static one has out_of_range")
	case t.Rows == 0 && t.OutOfRange != "":
		err = fieldError(field+".out_of_range", "it is for static tables, those with rows; a dynamic one has missing")
	}
	return cmp.Or(err, t.validatePenalties(field), t.validateNames(field))
}

func (t *Table) validatePenalties(field string) error {
	for _, p := range []struct {
		name  string
		value float64
	}{{"l1", t.L1}, {"l2", t.L2}, {"l2_per_row", t.L2PerRow}, {"max_norm", t.MaxNorm}} {
		if !(p.value >= 0) {
			return fieldError(field+"."+p.name, "it must be 0 or more, got %v", p.value)
		}
	}
	if t.L2 > 0 && t.L2PerRow > 0 {
		return fieldError(field+".l2_per_row", "it is l2 in another measure: give one of them")
	}
	return nil
}

func (t *Table) validateNames(field string) error {
	return cmp.Or(
		oneOf(field+".key_type", t.KeyType, []string{"int32", "int64", "uint64", "string"}),
		oneOf(field+".dtype", cmp.Or(t.DType, "float32"), []string{"float32", "float16", "bfloat16", "float64"}),
		oneOf(field+".missing", cmp.Or(t.Missing, "initial"), names(missing)),
		oneOf(field+".out_of_range", cmp.Or(t.OutOfRange, "error"), names(outOfRange)))
}

// names returns the keys in order, without the one for what is not given.
func names[V any](m map[string]V) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(s string) bool { return s == "" })
}

// errNoTable says which tables there are.
func (c *Config) errNoTable(name string) error {
	known := c.tableNames()
	return fmt.Errorf("%w: table %q%s (tables: %s)", ErrUnknown, name, suggest.Hint(name, known), strings.Join(known, ", "))
}

func (c *Config) tableNames() []string {
	var all []string
	for _, t := range c.Tables {
		all = append(all, t.Name)
	}
	return all
}
