package layer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/exactjson"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// Config is the arguments of a layer under Keras' names: numbers, strings,
// booleans, slices and maps, so that it can be written as JSON and read back.
type Config map[string]any

// UnmarshalJSON reads an object. Numbers are float64, but integers beyond 53
// bits, which a float64 may not hold, are int64, or uint64: ids are such.
func (c *Config) UnmarshalJSON(text []byte) error {
	m, err := exactjson.Object(text)
	if err == nil {
		*c = m
	}
	return err
}

// Configurer is a layer that can say what it was made with. An argument that
// cannot be written is in its config as an error, which [ToConfig] returns.
type Configurer interface {
	Layer
	Config() Config
}

// Constructor makes a layer from its config.
type Constructor func(Config) (Layer, error)

// constructors makes the layers of this package, by class name.
var constructors = map[string]Constructor{
	"InputLayer":             inputFromConfig,
	"Embedding":              embeddingFromConfig,
	"DynamicEmbedding":       dynamicFromConfig,
	"DynamicLookup":          dynamicLookupFromConfig,
	"Dense":                  denseFromConfig,
	"Activation":             activationFromConfig,
	"Dropout":                dropoutFromConfig,
	"Flatten":                flattenFromConfig,
	"Reshape":                reshapeFromConfig,
	"Concatenate":            concatenateFromConfig,
	"Dot":                    dotFromConfig,
	"Add":                    plainFromConfig("Add", NewAdd),
	"Subtract":               plainFromConfig("Subtract", NewSubtract),
	"Multiply":               plainFromConfig("Multiply", NewMultiply),
	"Average":                plainFromConfig("Average", NewAverage),
	"Maximum":                plainFromConfig("Maximum", NewMaximum),
	"Minimum":                plainFromConfig("Minimum", NewMinimum),
	"BatchNormalization":     batchNormalizationFromConfig,
	"LayerNormalization":     layerNormalizationFromConfig,
	"FactorizationMachine":   plainFromConfig("FactorizationMachine", NewFactorizationMachine),
	"DotInteraction":         interactionFromConfig,
	"FeatureCross":           crossFromConfig,
	"HistoryAttention":       attentionFromConfig,
	"GlobalAveragePooling1D": averageFromConfig,
	"GlobalMaxPooling1D":     maxFromConfig,
	"GlobalSumPooling1D":     sumFromConfig,
	"DropMask":               dropMaskFromConfig,
	"ConcatOneHotEmbedding":  concatOneHotFromConfig,
	"FieldWiseEmbedding":     fieldWiseFromConfig,
	"SquashedEmbedding":      squashedFromConfig,
	"Hashing":                hashingFromConfig,
	"IntegerLookup":          integerLookupFromConfig,
	"StringLookup":           stringLookupFromConfig,
	"Operation":              operationFromConfig,
}

// ToConfig returns a layer's class name and config. An argument that cannot be
// written, such as a function, is ErrConfig.
func ToConfig(l Layer) (class string, c Config, err error) {
	if nils.Is(l) {
		return "", nil, errNilLayer
	}
	x, ok := l.(Configurer)
	if !ok {
		return "", nil, fmt.Errorf("%w: layer %q of class %s has no Config method", ErrConfig, l.core().Name(), l.core().Class())
	}
	c = x.Config()
	for _, key := range slices.Sorted(maps.Keys(c)) {
		if err, unwritable := c[key].(error); unwritable {
			return "", nil, fmt.Errorf("%w: layer %q: %q: %w", ErrConfig, l.core().Name(), key, err)
		}
	}
	return l.core().Class(), c, nil
}

// FromConfig makes the layer that a class name and a config describe, without
// its weights. custom adds classes, or replaces those of this package. A key
// that the class does not know is an error.
func FromConfig(class string, c Config, custom ...map[string]Constructor) (Layer, error) {
	for _, m := range custom {
		if construct, ok := m[class]; ok && construct != nil {
			return construct(c)
		}
	}
	construct, ok := constructors[class]
	if !ok {
		return nil, fmt.Errorf("%w: unknown layer %q: it is one of %s, or give its constructor", ErrConfig, class, strings.Join(classes(), ", "))
	}
	return construct(c)
}

func classes() []string {
	var names []string
	for n := range constructors {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// BaseConfig returns the part of a config that all layers share.
func (b *Base) BaseConfig() Config {
	c := Config{"name": b.Name(), "trainable": !b.frozen, "dtype": b.options.Policy.Name()}
	if b.options.NoAutocast {
		c["autocast"] = false
	}
	if a := b.options.Activity; !regularizer.IsNone(a) {
		c["activity_regularizer"] = regularizerConfig(a)
	}
	if s := b.options.InputShape; s != nil {
		c["batch_input_shape"] = batchShape(s)
	}
	return c
}

// batchShape is the shape of an example with the batch before it, as Keras
// writes it: null for what is not known.
func batchShape(example Shape) []any {
	return append([]any{nil}, example.Dimensions()...)
}

func (c Config) with(more Config) Config {
	for k, v := range more {
		c[k] = v
	}
	return c
}

// initializerConfig is the config of an initializer: of one that has none, the error.
func initializerConfig(i initializer.Initializer) any {
	if i == nil {
		return nil
	}
	c, err := initializer.ToConfig(i)
	if err != nil {
		return err
	}
	return map[string]any{"class_name": c.ClassName, "config": c.Config}
}

// weightConfig is a weight's options under Keras' names.
func weightConfig(name string, o WeightOptions) Config {
	return Config{
		name + "_initializer": initializerConfig(o.Initializer),
		name + "_regularizer": regularizerConfig(o.Regularizer),
		name + "_constraint":  constraintConfig(o.Constraint),
	}
}
