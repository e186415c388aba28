package initializer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/classname"
	"github.com/rowan-embeddings/rowan/internal/exactjson"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/internal/registry"
)

// Config describes an initializer the way Keras does: its class name and its
// arguments under Keras' names. It can be written as JSON and read back.
type Config struct {
	ClassName string         `json:"class_name"`
	Config    map[string]any `json:"config"`
}

// kinds are the initializers of this package, by class name and snake case.
var kinds = registry.Registry[Initializer]{
	kindOf(Zeros{}), kindOf(Ones{}), constants(),
	kindOf(NewRandomUniform()), kindOf(NewRandomNormal()), kindOf(NewTruncatedNormal()),
	kindOf(NewVarianceScaling()),
	kindOf(GlorotUniform{}), kindOf(GlorotNormal{}),
	kindOf(HeUniform{}), kindOf(HeNormal{}),
	kindOf(LecunUniform{}), kindOf(LecunNormal{}),
	kindOf(NewOrthogonal()), kindOf(NewIdentity()),
}

func kindOf[T Initializer](defaults T) registry.Class[Initializer] {
	name := defaults.Name()
	return registry.Of[Initializer](defaults, name, classname.Snake(name))
}

// constants are Constant, and the Values that a list stands for.
func constants() registry.Class[Initializer] {
	k := kindOf(Constant{})
	k.Decode = readConstant
	return k
}

// aliases are Keras' short names.
var aliases = map[string]string{
	"uniform": "RandomUniform", "normal": "RandomNormal", "zero": "Zeros", "one": "Ones",
}

// oldClasses are class names that Keras 3 had at first, and still reads.
var oldClasses = map[string]string{
	"OrthogonalInitializer": "Orthogonal", "IdentityInitializer": "Identity",
}

// ByName returns the initializer of that name with Keras' default arguments.
// Names are Keras' class names ("GlorotUniform"), the same in snake case
// ("glorot_uniform"), and its short names: uniform, normal, zero, one. An
// unknown name is an error that wraps [ErrConfig] and lists the known ones.
func ByName(name string) (Initializer, error) {
	k, err := kindByName(name)
	return k.Defaults, err
}

func kindByName(name string) (registry.Class[Initializer], error) {
	class := name
	if full, ok := aliases[name]; ok {
		class = full
	} else if now, ok := oldClasses[name]; ok {
		class = now
	}
	k, ok := kinds.ByName(class)
	if !ok {
		return k, configError("unknown initializer %q. Known: %s", name, strings.Join(Names(), ", "))
	}
	return k, nil
}

// Names returns the names that [ByName] knows, in snake case, sorted.
func Names() []string {
	names := slices.AppendSeq(kinds.Names(1), maps.Keys(aliases))
	slices.Sort(names)
	return names
}

// ToConfig returns the config of an initializer of this package. Another type
// is an error that wraps [ErrConfig].
func ToConfig(i Initializer) (Config, error) {
	if v, ok := i.(Values); ok {
		return Config{v.Name(), map[string]any{"value": slices.Clone(v)}}, nil
	}
	if _, ok := kinds.Of(i); !ok {
		return Config{}, configError("%T has no config: only the initializers of this package have one", i)
	}
	text, err := json.Marshal(i)
	if err != nil {
		return Config{}, configError("%s: %v", i.Name(), err)
	}
	args, err := exactjson.Object(text) // seeds have 64 bits
	if err != nil {
		return Config{}, configError("%s: %v", i.Name(), err)
	}
	return Config{i.Name(), args}, nil
}

// FromConfig makes the initializer that c describes, and checks its arguments.
// What c leaves out, or gives as null, has Keras' default. An unknown class or
// argument is an error that wraps [ErrConfig] and names it, and the argument that
// it is like.
func FromConfig(c Config) (Initializer, error) {
	k, err := kindByName(c.ClassName)
	if err != nil {
		return nil, err
	}
	i, err := k.Read(c.Config)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, c.ClassName, err)
	}
	return i, validate(i)
}

func validate(i Initializer) error {
	if nils.Is(i) {
		return configError("a nil %T fills nothing: give a value, or leave it out", i)
	}
	if v, ok := i.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// readConstant reads a Constant, or the Values that a list stands for.
func readConstant(text []byte) (Initializer, error) {
	var row struct {
		Value Values `json:"value"`
	}
	if registry.Strict(text, &row) == nil && row.Value != nil {
		return row.Value, nil
	}
	var c Constant
	err := registry.Strict(text, &c)
	return c, err
}

// configError is an error that wraps ErrConfig.
func configError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}
