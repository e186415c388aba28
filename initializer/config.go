package initializer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/classname"
	"github.com/rowan-embeddings/rowan/internal/exactjson"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Config describes an initializer the way Keras does: its class name and its
// arguments under Keras' names. It can be written as JSON and read back.
type Config struct {
	ClassName string         `json:"class_name"`
	Config    map[string]any `json:"config"`
}

// kind is one initializer of this package.
type kind struct {
	// defaults has Keras' default arguments.
	defaults Initializer
	// read decodes arguments over the defaults.
	read func(text []byte) (Initializer, error)
	// is tells whether an initializer is of this kind.
	is func(Initializer) bool
}

func kindOf[T Initializer](defaults T) kind {
	read := func(text []byte) (Initializer, error) {
		v := defaults
		err := strict(text, &v)
		return v, err
	}
	is := func(i Initializer) bool { _, ok := i.(T); return ok }
	return kind{defaults, read, is}
}

// kinds are the initializers of this package.
var kinds = []kind{
	kindOf(Zeros{}), kindOf(Ones{}), {Constant{}, readConstant, kindOf(Constant{}).is},
	kindOf(NewRandomUniform()), kindOf(NewRandomNormal()), kindOf(NewTruncatedNormal()),
	kindOf(NewVarianceScaling()),
	kindOf(GlorotUniform{}), kindOf(GlorotNormal{}),
	kindOf(HeUniform{}), kindOf(HeNormal{}),
	kindOf(LecunUniform{}), kindOf(LecunNormal{}),
	kindOf(NewOrthogonal()), kindOf(NewIdentity()),
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
	return k.defaults, err
}

func kindByName(name string) (kind, error) {
	class := name
	if full, ok := aliases[name]; ok {
		class = full
	} else if now, ok := oldClasses[name]; ok {
		class = now
	}
	for _, k := range kinds {
		if n := k.defaults.Name(); n == class || classname.Snake(n) == class {
			return k, nil
		}
	}
	return kind{}, configError("unknown initializer %q. Known: %s", name, strings.Join(Names(), ", "))
}

// Names returns the names that [ByName] knows, in snake case, sorted.
func Names() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, classname.Snake(k.defaults.Name()))
	}
	for alias := range aliases {
		names = append(names, alias)
	}
	slices.Sort(names)
	return names
}

// ToConfig returns the config of an initializer of this package. Another type
// is an error that wraps [ErrConfig].
func ToConfig(i Initializer) (Config, error) {
	if v, ok := i.(Values); ok {
		return Config{v.Name(), map[string]any{"value": slices.Clone(v)}}, nil
	}
	if !slices.ContainsFunc(kinds, func(k kind) bool { return k.is(i) }) {
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
	args := maps.Clone(c.Config)
	maps.DeleteFunc(args, func(_ string, v any) bool { return v == nil })
	if err := suggest.Check(slices.Collect(maps.Keys(args)), suggest.Fields(k.defaults)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, c.ClassName, err)
	}
	text, err := json.Marshal(args)
	if err != nil {
		return nil, configError("%s: %v", c.ClassName, err)
	}
	i, err := k.read(text)
	if err != nil {
		return nil, configError("%s: %v", c.ClassName, err)
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
	if strict(text, &row) == nil && row.Value != nil {
		return row.Value, nil
	}
	var c Constant
	err := strict(text, &c)
	return c, err
}

// strict decodes text into v and refuses arguments that v does not have.
func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// configError is an error that wraps ErrConfig.
func configError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}
