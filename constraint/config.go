package constraint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/arguments"
	"github.com/rowan-embeddings/rowan/internal/registry"
)

// Config describes a constraint the way Keras does: its class name and its
// arguments under Keras' names. It can be written as JSON and read back.
type Config struct {
	ClassName string         `json:"class_name"`
	Config    map[string]any `json:"config"`
}

// kinds are the constraints of this package, by the names that Keras knows them
// by: the class, snake case, and another.
var kinds = registry.Registry[Constraint]{
	kindOf(NewMaxNorm(), "max_norm", "maxnorm"), kindOf(NewMinMaxNorm(), "min_max_norm"),
	kindOf(NewNonNeg(), "non_neg", "nonneg"), kindOf(NewRadial(), "radial_constraint"),
	kindOf(NewUnitNorm(), "unit_norm", "unitnorm"),
}

func kindOf[T Constraint](defaults T, names ...string) registry.Class[Constraint] {
	return registry.Of[Constraint](defaults, append([]string{defaults.Class()}, names...)...)
}

// ByName returns the constraint of that name with Keras' default arguments.
// Names are Keras' class names ("MaxNorm"), the same in snake case ("max_norm")
// and its old ones ("maxnorm"). An unknown name is an error that wraps
// [ErrConfig] and lists the known ones.
func ByName(name string) (Constraint, error) {
	k, err := kindByName(name)
	return k.Defaults, err
}

func kindByName(name string) (registry.Class[Constraint], error) {
	k, ok := kinds.ByName(name)
	if !ok {
		return k, configError("unknown constraint %q. Known: %s", name, strings.Join(Names(), ", "))
	}
	return k, nil
}

// Names returns a name of each constraint that [ByName] knows, in snake case, sorted.
func Names() []string { return kinds.Names(1) }

// ToConfig returns the config of a constraint of this package. Another type, and
// a [Func], is an error that wraps [ErrConfig].
func ToConfig(c Constraint) (Config, error) {
	if _, ok := kinds.Of(c); !ok {
		return Config{}, configError("%T has no config: only the named constraints of this package have one", c)
	}
	switch v := c.(type) {
	case MaxNorm:
		return Config{v.Class(), map[string]any{"max_value": arguments.Widen(v.Max), "axis": v.Axis}}, nil
	case UnitNorm:
		return Config{v.Class(), map[string]any{"axis": v.Axis}}, nil
	case MinMaxNorm:
		return Config{v.Class(), map[string]any{"min_value": arguments.Widen(v.Min), "max_value": arguments.Widen(v.Max), "rate": arguments.Widen(v.Rate), "axis": v.Axis}}, nil
	}
	return Config{c.Class(), map[string]any{}}, nil
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
	if axis, ok := args["axis"].([]any); ok && len(axis) == 1 {
		args["axis"] = axis[0]
	}
	made, err := k.Read(args)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field == "axis" {
		err = fmt.Errorf("%w (axis is one dimension)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, c.ClassName, err)
	}
	return made, nil
}
