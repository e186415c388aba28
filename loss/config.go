package loss

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/arguments"
	"github.com/rowan-embeddings/rowan/internal/classname"
	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Config describes a loss as Keras does: its class name and its arguments
// under Keras' names. It can be written as JSON and read back.
type Config struct {
	ClassName string         `json:"class_name"`
	Config    map[string]any `json:"config,omitempty"`
}

// constructors make losses of their arguments, by Keras' name for the
// function; the class name in snake case is the same.
var constructors = map[string]func(*arguments.Reader) (Func, error){
	"mean_squared_error":              plain(MeanSquaredError),
	"mean_absolute_error":             plain(MeanAbsoluteError),
	"mean_absolute_percentage_error":  plain(MeanAbsolutePercentageError),
	"mean_squared_logarithmic_error":  plain(MeanSquaredLogarithmicError),
	"log_cosh":                        plain(LogCosh),
	"cosine_similarity":               plain(CosineSimilarity),
	"poisson":                         plain(Poisson),
	"kl_divergence":                   plain(KLDivergence),
	"hinge":                           plain(Hinge),
	"squared_hinge":                   plain(SquaredHinge),
	"categorical_hinge":               plain(CategoricalHinge),
	"binary_crossentropy_from_logits": plain(BinaryCrossentropyFromLogits), // a name of ours
	"huber":                           huber,
	"binary_crossentropy":             func(r *arguments.Reader) (Func, error) { return NewBinaryCrossentropy(crossentropyOptions(r)) },
	"categorical_crossentropy":        func(r *arguments.Reader) (Func, error) { return NewCategoricalCrossentropy(crossentropyOptions(r)) },
	"sparse_categorical_crossentropy": sparse,
	"binary_focal_crossentropy":       focal,
}

// aliases are other names that Keras has, or had, for losses.
var aliases = map[string]string{
	"mse": "mean_squared_error", "mae": "mean_absolute_error",
	"mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
	"logcosh": "log_cosh", "bce": "binary_crossentropy", "kld": "kl_divergence",
	"kullback_leibler_divergence": "kl_divergence", "cosine_proximity": "cosine_similarity",
	"huber_loss": "huber",
}

// ByName returns the loss that Keras knows by this name, with its default
// arguments: "mse", "mean_squared_error" and "MeanSquaredError" are one.
func ByName(name string) (Func, error) { return FromConfig(Config{ClassName: name}) }

// Names returns the names of functions that ByName knows, sorted.
func Names() []string {
	names := slices.Sorted(maps.Keys(constructors))
	names = append(names, slices.Collect(maps.Keys(aliases))...)
	slices.Sort(names)
	return names
}

// FromConfig makes the loss that a class name and a config describe. What the
// config leaves out, or gives as null, has Keras' default. An unknown name or
// argument, or one that is not supported, is ErrConfig.
//
// A loss is always the mean over the batch, Keras' "sum_over_batch_size".
func FromConfig(c Config) (Func, error) {
	name := classname.Snake(c.ClassName)
	if full, ok := aliases[name]; ok {
		name = full
	}
	construct, ok := constructors[name]
	if !ok {
		known := Names()
		return nil, fmt.Errorf("%w: unknown loss %q%s: use one of %v", ErrConfig, c.ClassName, suggest.Hint(name, known), known)
	}
	r := arguments.Of(c.Config)
	r.Get("name") // of the loss in Keras' messages
	r.Only("dtype", "float32")
	r.Only("reduction", "sum_over_batch_size")
	l, err := construct(r)
	if fault := r.Fault(c.ClassName); fault != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, fault)
	}
	return l, err
}

func plain(l Func) func(*arguments.Reader) (Func, error) {
	return func(r *arguments.Reader) (Func, error) {
		lastAxis(r)
		return l, nil
	}
}

// lastAxis reads the dimension that a loss reduces.
func lastAxis(r *arguments.Reader) {
	if axis := r.IntsOr("axis", -1); len(axis) != 1 || axis[0] != -1 {
		r.Bad("axis", "-1: losses reduce the last dimension", axis)
	}
}

func crossentropyOptions(r *arguments.Reader) CrossentropyOptions {
	lastAxis(r)
	return CrossentropyOptions{FromLogits: r.Flag("from_logits"), LabelSmoothing: r.Number("label_smoothing")}
}

// huber reads a delta that Keras 3 leaves out of its own configs.
func huber(r *arguments.Reader) (Func, error) { return NewHuber(r.NumberOr("delta", 1)) }

func sparse(r *arguments.Reader) (Func, error) {
	lastAxis(r)
	r.Only("ignore_class", nil)
	return NewSparseCategoricalCrossentropy(r.Flag("from_logits")), nil
}

func focal(r *arguments.Reader) (Func, error) {
	o := FocalOptions{CrossentropyOptions: crossentropyOptions(r), Balance: r.Flag("apply_class_balancing")}
	if _, ok := r.Get("gamma"); ok {
		o.Gamma = new(r.Number("gamma"))
	}
	if _, ok := r.Get("alpha"); ok {
		o.Alpha = new(r.Number("alpha"))
	}
	return NewBinaryFocalCrossentropy(o)
}
