package layer

import (
	"fmt"
	"maps"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/arguments"
)

// reader reads a config key by key, and the parts that configs of layers share.
type reader struct{ *arguments.Reader }

func (c Config) reader() reader { return reader{arguments.Of(c)} }

func (r reader) initializer(key string) initializer.Initializer {
	class, c, ok := r.Object(key)
	if !ok {
		return nil
	}
	args := maps.Clone(c)
	maps.DeleteFunc(args, func(k string, v any) bool {
		if _, object := v.(map[string]any); k == "seed" && !object { // an object is Keras' SeedGenerator
			return false
		}
		return arguments.Neutral(k, v) || k == "dtype" && v == "float32"
	})
	i, err := initializer.FromConfig(initializer.Config{ClassName: class, Config: args})
	if err != nil {
		r.Bad(key, "an initializer", err)
	}
	return i
}

// options reads the part of a config that all layers share.
func (r reader) options() Options {
	o := r.optionsOfIDs()
	o.Policy = r.policy()
	return o
}

// optionsOfIDs is options for layers of ids, which have no policy.
func (r reader) optionsOfIDs() Options {
	r.Get("graph") // of old Keras: the graph that the layer lived in, which no layer outlives here
	return Options{Name: r.Text("name"), Frozen: r.Off("trainable"), NoAutocast: r.Off("autocast"),
		Activity: r.regularizer("activity_regularizer"), InputShape: r.inputShape()}
}

// policy reads a policy: its name, or Keras' object that holds the name.
func (r reader) policy() Policy {
	name := r.dtype()
	if v, given := r.Get("dtype"); !given || r.Err() != nil {
		return Policy{}
	} else if name == "" {
		r.Bad("dtype", "a policy with a name", v)
		return Policy{}
	}
	p, err := PolicyByName(name)
	if err != nil {
		r.Bad("dtype", "float32, mixed_float16 or mixed_bfloat16", name)
	}
	return p
}

// dtype reads a name of a type, or the policy of that name.
func (r reader) dtype() string {
	if v, ok := r.Get("dtype"); ok {
		if _, name := v.(string); name {
			return r.Text("dtype")
		}
	}
	class, c, ok := r.Object("dtype")
	if ok && class != "DTypePolicy" && class != "Policy" {
		r.Bad("dtype", "a name or a policy", class)
	}
	return arguments.Of(c).Text("name")
}

// inputShape reads the shape of one example: batch_input_shape without its
// first dimension, which Keras 3 calls batch_shape, else input_shape. The batch
// is always free.
func (r reader) inputShape() Shape {
	if n, ok := r.Get("batch_size"); ok {
		r.Bad("batch_size", "null: batches may have any size", n)
	}
	key, shape := "input_shape", r.Ints("input_shape")
	for _, batch := range []string{"batch_input_shape", "batch_shape"} {
		v, ok := r.Get(batch)
		if !ok {
			continue
		}
		key, shape = batch, r.Ints(batch)
		if len(shape) == 0 || shape[0] != -1 {
			r.Bad(key, "a list that begins with null, since batches may have any size", v)
			return nil
		}
		shape = shape[1:]
	}
	for _, d := range shape {
		if d == 0 || d < -1 {
			r.Bad(key, "positive integers, or null where not known", shape)
		}
	}
	return shape
}

// weight reads what weightConfig wrote.
func (r reader) weight(name string) WeightOptions {
	return WeightOptions{Initializer: r.initializer(name + "_initializer"),
		Regularizer: r.regularizer(name + "_regularizer"), Constraint: r.constraint(name + "_constraint")}
}

// done returns what is wrong with the config of a class, as ErrConfig.
func (r reader) done(class string) error {
	if err := r.Fault(class); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}
