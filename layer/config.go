package layer

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/exactjson"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/internal/suggest"
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
	if a := b.options.Activity; !isNone(a) {
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

// reader reads a config key by key, and keeps the first error.
type reader struct {
	c    Config
	read map[string]bool
	err  error
}

func (c Config) reader() *reader { return &reader{c: c, read: make(map[string]bool)} }

func (r *reader) get(key string) (any, bool) {
	r.read[key] = true
	v, ok := r.c[key]
	return v, ok && v != nil
}

func (r *reader) bad(key, want string, got any) {
	if r.err == nil {
		r.err = fmt.Errorf("%q must be %s. Received: %v", key, want, got)
	}
}

func (r *reader) text(key string) string {
	v, ok := r.get(key)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.bad(key, "a string", v)
	}
	return s
}

func (r *reader) flag(key string) bool {
	v, ok := r.get(key)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		r.bad(key, "true or false", v)
	}
	return b
}

// off reports whether a flag that is true by default is false.
func (r *reader) off(key string) bool {
	_, ok := r.get(key)
	return ok && !r.flag(key)
}

func (r *reader) number(key string) float64 {
	v, ok := r.get(key)
	if !ok {
		return 0
	}
	return r.asNumber(key, v)
}

func (r *reader) asNumber(key string, v any) float64 {
	switch n := v.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	case float32:
		return float64(n)
	case float64:
		return n
	}
	r.bad(key, "a number", v)
	return 0
}

func (r *reader) int(key string) int {
	v, ok := r.get(key)
	if !ok {
		return 0
	}
	return r.asInt(key, v)
}

func (r *reader) asInt(key string, v any) int {
	f := r.asNumber(key, v)
	if f != float64(int(f)) {
		r.bad(key, "an integer", f)
	}
	return int(f)
}

// id reads an id of 64 bits, which a float64 may not hold: of JSON that has
// been read into float64, and not by [Config.UnmarshalJSON], only ids up to
// 2^53 are taken.
func (r *reader) id(key string) *int64 {
	v, ok := r.get(key)
	if !ok {
		return nil
	}
	id, ok := v.(int64)
	if !ok {
		id = int64(r.int(key))
		if id > 1<<53 || id < -1<<53 {
			r.bad(key, "an id of at most 53 bits, or an int64", v)
		}
	}
	return &id
}

// ints reads an integer, or a list of them; null in a list is -1.
func (r *reader) ints(key string) []int {
	v, ok := r.get(key)
	if !ok {
		return nil
	}
	switch list := v.(type) {
	case []int:
		return slices.Clone(list)
	case []any:
		ints := []int{}
		for _, x := range list {
			if x == nil {
				x = -1
			}
			ints = append(ints, r.asInt(key, x))
		}
		return ints
	}
	return []int{r.int(key)}
}

// object reads {"class_name": …, "config": {…}}, or a bare name.
func (r *reader) object(key string) (class string, c Config, ok bool) {
	v, ok := r.get(key)
	if !ok {
		return "", nil, false
	}
	switch o := v.(type) {
	case string:
		return o, nil, true
	case Config:
		v = map[string]any(o)
	}
	m, ok := v.(map[string]any)
	if !ok {
		r.bad(key, "a name, or a class_name and a config", v)
		return "", nil, false
	}
	inner := Config(m).reader()
	if class = inner.text("class_name"); class == "" {
		r.bad(key, "a name, or a class_name and a config", v)
		return "", nil, false
	}
	switch in := m["config"].(type) {
	case map[string]any:
		c = in
	case Config:
		c = in
	case nil:
	default:
		r.bad(key, "a name, or a class_name and a config", v)
	}
	return class, c, true
}

// inside takes over the fault of a config within the config: of a value, or of
// a key that nobody read.
func (r *reader) inside(key string, in *reader, class string) {
	if err := in.fault(class); err != nil && r.err == nil {
		r.err = fmt.Errorf("%q: %w", key, err)
	}
}

func (r *reader) initializer(key string) initializer.Initializer {
	class, c, ok := r.object(key)
	if !ok {
		return nil
	}
	args := maps.Clone(c)
	maps.DeleteFunc(args, func(k string, v any) bool {
		if _, object := v.(map[string]any); k == "seed" && !object { // an object is Keras' SeedGenerator
			return false
		}
		return isNeutral(k, v) || k == "dtype" && v == "float32"
	})
	i, err := initializer.FromConfig(initializer.Config{ClassName: class, Config: args})
	if err != nil {
		r.bad(key, "an initializer", err)
	}
	return i
}

// options reads the part of a config that all layers share.
func (r *reader) options() Options {
	r.get("graph") // of old Keras: the graph that the layer lived in, which no layer outlives here
	return Options{Name: r.text("name"), Frozen: r.off("trainable"), Policy: r.policy(), NoAutocast: r.off("autocast"),
		Activity: r.regularizer("activity_regularizer"), InputShape: r.inputShape()}
}

// policy reads a policy: its name, or Keras' object that holds the name.
func (r *reader) policy() Policy {
	name := r.dtype()
	if v, given := r.get("dtype"); !given || r.err != nil {
		return Policy{}
	} else if name == "" {
		r.bad("dtype", "a policy with a name", v)
		return Policy{}
	}
	p, err := PolicyByName(name)
	if err != nil {
		r.bad("dtype", "float32, mixed_float16 or mixed_bfloat16", name)
	}
	return p
}

// dtype reads a name of a type, or the policy of that name.
func (r *reader) dtype() string {
	if v, ok := r.get("dtype"); ok {
		if _, name := v.(string); name {
			return r.text("dtype")
		}
	}
	class, c, ok := r.object("dtype")
	if ok && class != "DTypePolicy" && class != "Policy" {
		r.bad("dtype", "a name or a policy", class)
	}
	return c.reader().text("name")
}

// inputShape reads the shape of one example: batch_input_shape without its
// first dimension, which Keras 3 calls batch_shape, else input_shape. The batch
// is always free.
func (r *reader) inputShape() Shape {
	if n, ok := r.get("batch_size"); ok {
		r.bad("batch_size", "null: batches may have any size", n)
	}
	key, shape := "input_shape", r.ints("input_shape")
	for _, batch := range []string{"batch_input_shape", "batch_shape"} {
		v, ok := r.get(batch)
		if !ok {
			continue
		}
		key, shape = batch, r.ints(batch)
		if len(shape) == 0 || shape[0] != -1 {
			r.bad(key, "a list that begins with null, since batches may have any size", v)
			return nil
		}
		shape = shape[1:]
	}
	for _, d := range shape {
		if d == 0 || d < -1 {
			r.bad(key, "positive integers, or null where not known", shape)
		}
	}
	return shape
}

// done returns the first error, or an error about the keys that nobody read:
// the first of them in alphabetical order, and the known key that it is like.
func (r *reader) done(class string) error {
	if err := r.fault(class); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}

func (r *reader) fault(class string) error {
	if r.err != nil {
		return fmt.Errorf("%s: %w", class, r.err)
	}
	known := slices.Sorted(maps.Keys(r.read))
	for _, key := range slices.Sorted(maps.Keys(r.c)) {
		if v := r.c[key]; !r.read[key] && !isNeutral(key, v) {
			return fmt.Errorf("%s does not know %q%s", class, key, suggest.Hint(key, known))
		}
	}
	return nil
}

// isNeutral reports whether an argument that a layer does not have says nothing:
// it is null, or has a value at which Keras' own layers do what ours do.
func isNeutral(key string, v any) bool {
	is, known := neutral[key]
	return v == nil || known && is(v)
}

// widen keeps 0.1 from becoming 0.10000000149011612 in a config.
func widen(f float32) float64 {
	w, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64) // what is formatted parses
	return w
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
