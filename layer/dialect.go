package layer

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Dialect is a way of writing configs. All of them are read by [Decode], which
// needs not be told which one it is given.
//
//	           a layer                              its dtype      an input's shape
//	Own        class_name, config                   "float32"      shape, ids, key_dtype
//	TF1        class_name, config                   "float32"      batch_input_shape
//	Keras2     class_name, config                   "float32"      batch_input_shape
//	TFKeras    module, class_name, config,          "float32"      batch_input_shape
//	           registered_name
//	Keras3     module, class_name, config,          a DTypePolicy  batch_shape
//	           registered_name
type Dialect uint8

// The dialects.
const (
	// Own holds everything that Rowan's layers know.
	Own Dialect = iota
	// TF1 is that of TensorFlow 1.4 and of Keras 2.0 to 2.2.
	TF1
	// Keras2 is that of TensorFlow 2.0 to 2.12.
	Keras2
	// TFKeras is that of tf-keras, and of TensorFlow's own from 2.13 to 2.15.
	TFKeras
	// Keras3 is that of Keras 3.
	Keras3
)

var dialectNames = [...]string{Own: "own", TF1: "tf1", Keras2: "keras2", TFKeras: "tf_keras", Keras3: "keras3"}

// String returns "own", "tf1", "keras2", "tf_keras" or "keras3".
func (d Dialect) String() string {
	if int(d) < len(dialectNames) {
		return dialectNames[d]
	}
	return fmt.Sprintf("Dialect(%d)", uint8(d))
}

// ParseDialect is the inverse of [Dialect.String].
func ParseDialect(name string) (Dialect, error) {
	if i := slices.Index(dialectNames[:], name); i >= 0 {
		return Dialect(i), nil
	}
	return 0, fmt.Errorf("%w: unknown dialect %q%s: it is one of %s", ErrConfig, name,
		suggest.Hint(name, dialectNames[:]), strings.Join(dialectNames[:], ", "))
}

// Encode returns a layer as the dialect's Keras would write it, without its
// weights. What that Keras cannot say, a layer it does not have or an argument
// set to what it does not know, is ErrConfig.
func (d Dialect) Encode(l Layer) (Config, error) {
	if int(d) >= len(dialectNames) {
		return nil, fmt.Errorf("%w: unknown dialect %v", ErrConfig, d)
	}
	class, c, err := ToConfig(l)
	if err != nil {
		return nil, err
	}
	if c, err = plain(c); err != nil {
		return nil, fmt.Errorf("%w: layer %q: %w", ErrConfig, l.core().Name(), err)
	}
	if d == Own {
		return Config{"class_name": class, "config": c}, nil
	}
	if err := d.translate(class, c); err != nil {
		return nil, fmt.Errorf("%w: layer %q: %w", ErrConfig, l.core().Name(), err)
	}
	return d.wrap("keras.layers", class, c), nil
}

// plain turns a config into what JSON reads back: maps, lists, numbers as
// [Config.UnmarshalJSON] has them. A config is read by key, so that none may
// hold Go's own types.
func plain(c Config) (Config, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var out Config
	err = json.Unmarshal(text, &out)
	return out, err
}

// wrap is how the dialect names the class that a config is of.
func (d Dialect) wrap(module, class string, c any) Config {
	o := Config{"class_name": class, "config": c}
	if d >= TFKeras {
		o["module"], o["registered_name"] = module, nil
	}
	return o
}

// foreign is what Keras knows of a layer of ours.
type foreign struct {
	// first is the dialect that has the layer first.
	first Dialect
	// ours are the arguments that Keras does not have, with the values at which
	// they say nothing.
	ours map[string]any
	// since are arguments that came later than the layer.
	since map[string]Dialect
}

// keras are the layers that Keras has.
var keras = map[string]foreign{
	"InputLayer": {first: TF1},
	"Embedding": {first: TF1, ours: map[string]any{"combiner": nil, "out_of_range": 0.0, "padding": nil, "row_dtype": "float32"},
		since: map[string]Dialect{"lora_rank": Keras3, "lora_alpha": Keras3}},
	"Dense":                  {first: TF1},
	"Activation":             {first: TF1},
	"Dropout":                {first: TF1},
	"Flatten":                {first: TF1},
	"Reshape":                {first: TF1},
	"Concatenate":            {first: TF1},
	"Dot":                    {first: TF1},
	"Add":                    {first: TF1},
	"Multiply":               {first: TF1},
	"Average":                {first: TF1},
	"Maximum":                {first: TF1},
	"Subtract":               {first: Keras2},
	"Minimum":                {first: Keras2},
	"BatchNormalization":     {first: TF1},
	"LayerNormalization":     {first: Keras2},
	"GlobalAveragePooling1D": {first: TF1, since: map[string]Dialect{"keepdims": Keras2}},
	"GlobalMaxPooling1D":     {first: TF1, since: map[string]Dialect{"keepdims": Keras2}},
	"Hashing":                {first: Keras2},
	"IntegerLookup":          {first: Keras2},
	"StringLookup":           {first: Keras2},
}

// translate turns a config of ours into one of the dialect, in place.
func (d Dialect) translate(class string, c Config) error {
	known, ok := keras[class]
	if !ok || d < known.first {
		return fmt.Errorf("%v has no layer %s", d, class)
	}
	for _, key := range slices.Sorted(maps.Keys(known.ours)) {
		if v, there := c[key]; there && !reflect.DeepEqual(v, known.ours[key]) {
			return fmt.Errorf("%v has no argument %q of %s, which is %v", d, key, class, v)
		}
		delete(c, key)
	}
	for _, key := range slices.Sorted(maps.Keys(known.since)) {
		if d >= known.since[key] {
			continue
		}
		if v := c[key]; v != nil && v != false {
			return fmt.Errorf("%v has no argument %q of %s, which is %v", d, key, class, v)
		}
		delete(c, key)
	}
	if class == "InputLayer" {
		return d.translateInput(c)
	}
	if dtype := c["dtype"]; d == TF1 && (dtype != string(Float32) || c["autocast"] != nil) {
		return fmt.Errorf("%v has no policies: dtype is %v", d, dtype)
	}
	// Keras keeps one number where it was given one.
	if n, ok := c["input_length"].([]any); ok && len(n) == 1 {
		c["input_length"] = n[0]
	}
	if n, ok := c["axes"].([]any); ok && len(n) == 2 && n[0] == n[1] {
		c["axes"] = n[0]
	}
	if d == Keras3 {
		delete(c, "batch_input_shape")
		if c["input_length"] == nil {
			delete(c, "input_length")
		}
		c["dtype"] = d.wrap("keras", "DTypePolicy", Config{"name": c["dtype"]})
	}
	return d.translateParts(c)
}

// translateInput gives an input of ours the arguments of Keras'.
func (d Dialect) translateInput(c Config) error {
	shape := []any{nil}
	dims, _ := c["shape"].([]any)
	for _, n := range dims {
		if n == -1.0 {
			n = nil
		}
		shape = append(shape, n)
	}
	dtype := c["key_dtype"]
	if dtype == nil {
		dtype = "float32"
	}
	ragged := c["ragged"] == true
	if ragged && d == TF1 {
		return fmt.Errorf("%v has no ragged inputs", d)
	}
	for _, key := range []string{"shape", "ids", "key_dtype", "ragged"} {
		delete(c, key)
	}
	c["dtype"], c["sparse"] = dtype, false
	if d > TF1 {
		c["ragged"] = ragged
	}
	if d == Keras3 {
		c["batch_shape"] = shape
	} else {
		c["batch_input_shape"] = shape
	}
	return nil
}

// parts are the regularizers and constraints that not every dialect has, with
// the first and the last that does.
var parts = map[string][2]Dialect{
	"OrthogonalRegularizer": {Keras2, Keras3},
	"RadialConstraint":      {Keras2, TFKeras},
}

// translateParts gives the initializers, regularizers and constraints of a
// config the dialect's form.
func (d Dialect) translateParts(c Config) error {
	for _, key := range slices.Sorted(maps.Keys(c)) {
		o, ok := c[key].(map[string]any)
		if !ok {
			continue
		}
		class, _ := o["class_name"].(string)
		args, _ := o["config"].(map[string]any)
		kind := key[strings.LastIndex(key, "_")+1:]
		if kind == "initializer" && class == "Values" {
			return fmt.Errorf("%v has no initializer of a given row: %s", d, key)
		}
		if span, ok := parts[class]; ok && (d < span[0] || d > span[1]) {
			return fmt.Errorf("%v has no %s %s: %s", d, kind, class, key)
		}
		if kind == "initializer" && d == TF1 {
			class, args = scaling(class, args)
		}
		c[key] = d.wrap("keras."+kind+"s", class, args)
	}
	return nil
}

// scaling writes the initializers that TF1 has as functions only, such as
// glorot_uniform, as the class that they make.
func scaling(class string, args map[string]any) (string, map[string]any) {
	for family, o := range map[string]map[string]any{
		"Glorot": {"scale": 1.0, "mode": "fan_avg"},
		"He":     {"scale": 2.0, "mode": "fan_in"},
		"Lecun":  {"scale": 1.0, "mode": "fan_in"},
	} {
		if distribution, ok := strings.CutPrefix(class, family); ok {
			o["distribution"] = strings.ToLower(distribution)
			return "VarianceScaling", o
		}
	}
	return class, args
}

// Decode makes the layer that an object describes, as any dialect of Keras or
// [Own] writes it: {"class_name": …, "config": {…}}. What stands beside them, a
// module or a build_config, is not needed. custom is as in [FromConfig].
func Decode(object Config, custom ...map[string]Constructor) (Layer, error) {
	class, ok := object["class_name"].(string)
	if !ok {
		return nil, fmt.Errorf("%w: a layer needs a class_name. Received: %v", ErrConfig, object["class_name"])
	}
	switch c := object["config"].(type) {
	case map[string]any:
		return FromConfig(class, c, custom...)
	case Config:
		return FromConfig(class, c, custom...)
	}
	return nil, fmt.Errorf("%w: layer of class %s needs a config. Received: %v", ErrConfig, class, object["config"])
}
