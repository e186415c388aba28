package constraint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Config describes a constraint the way Keras does: its class name and its
// arguments under Keras' names. It can be written as JSON and read back.
type Config struct {
	ClassName string         `json:"class_name"`
	Config    map[string]any `json:"config"`
}

// kind is one constraint of this package.
type kind struct {
	// defaults has Keras' default arguments.
	defaults Constraint
	// read decodes arguments over the defaults.
	read func(text []byte) (Constraint, error)
	// is tells whether a constraint is of this kind.
	is func(Constraint) bool
	// names are those that Keras knows it by: snake case, and another.
	names []string
}

func kindOf[T Constraint](defaults T, names ...string) kind {
	read := func(text []byte) (Constraint, error) {
		v := defaults
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		err := d.Decode(&v)
		return v, err
	}
	is := func(c Constraint) bool { _, ok := c.(T); return ok }
	return kind{defaults, read, is, append([]string{defaults.Class()}, names...)}
}

var kinds = []kind{
	kindOf(NewMaxNorm(), "max_norm", "maxnorm"), kindOf(NewMinMaxNorm(), "min_max_norm"),
	kindOf(NewNonNeg(), "non_neg", "nonneg"), kindOf(NewRadial(), "radial_constraint"),
	kindOf(NewUnitNorm(), "unit_norm", "unitnorm"),
}

// ByName returns the constraint of that name with Keras' default arguments.
// Names are Keras' class names ("MaxNorm"), the same in snake case ("max_norm")
// and its old ones ("maxnorm"). An unknown name is an error that wraps
// [ErrConfig] and lists the known ones.
func ByName(name string) (Constraint, error) {
	k, err := kindByName(name)
	return k.defaults, err
}

func kindByName(name string) (kind, error) {
	for _, k := range kinds {
		if slices.Contains(k.names, name) {
			return k, nil
		}
	}
	return kind{}, configError("unknown constraint %q. Known: %s", name, strings.Join(Names(), ", "))
}

// Names returns a name of each constraint that [ByName] knows, in snake case, sorted.
func Names() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.names[1])
	}
	return names
}

// ToConfig returns the config of a constraint of this package. Another type, and
// a [Func], is an error that wraps [ErrConfig].
func ToConfig(c Constraint) (Config, error) {
	if !slices.ContainsFunc(kinds, func(k kind) bool { return k.is(c) }) {
		return Config{}, configError("%T has no config: only the named constraints of this package have one", c)
	}
	switch v := c.(type) {
	case MaxNorm:
		return Config{v.Class(), map[string]any{"max_value": widen(v.Max), "axis": v.Axis}}, nil
	case UnitNorm:
		return Config{v.Class(), map[string]any{"axis": v.Axis}}, nil
	case MinMaxNorm:
		return Config{v.Class(), map[string]any{"min_value": widen(v.Min), "max_value": widen(v.Max), "rate": widen(v.Rate), "axis": v.Axis}}, nil
	}
	return Config{c.Class(), map[string]any{}}, nil
}

// widen keeps 0.1 from becoming 0.10000000149011612 in a config.
func widen(f float32) float64 {
	w, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64) // what is formatted parses
	return w
}

// FromConfig makes the constraint that c describes. What c leaves out, or gives
// as null, has Keras' default. An unknown class or argument is an error that
// wraps [ErrConfig] and names it, and the argument that it is like. Arguments
// are checked by [Constraint.Check], against the shape of a weight.
func FromConfig(c Config) (Constraint, error) {
	k, err := kindByName(c.ClassName)
	if err != nil {
		return nil, err
	}
	args := maps.Clone(c.Config)
	maps.DeleteFunc(args, func(_ string, v any) bool { return v == nil })
	if err := suggest.Check(slices.Collect(maps.Keys(args)), suggest.Fields(k.defaults)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, c.ClassName, err)
	}
	if axis, ok := args["axis"].([]any); ok && len(axis) == 1 {
		args["axis"] = axis[0]
	}
	text, err := json.Marshal(args)
	if err != nil {
		return nil, configError("%s: %v", c.ClassName, err)
	}
	made, err := k.read(text)
	if err != nil {
		return nil, configError("%s: %v (axis is one dimension)", c.ClassName, err)
	}
	return made, nil
}
