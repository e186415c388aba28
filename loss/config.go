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
	"categorical_focal_crossentropy":  categoricalFocal,
	"dice":                            func(r *arguments.Reader) (Func, error) { return NewDice(sets(r)...) },
	"tversky":                         tversky,
	"circle":                          circle,
	"categorical_generalized_cross_entropy": func(r *arguments.Reader) (Func, error) {
		return NewCategoricalGeneralizedCrossEntropy(r.NumberOr("q", 0.5))
	},
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
// A loss is always the mean over the batch: Keras 3's "sum_over_batch_size" and
// "mean", and Keras 2's "auto".
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
	reduction(r)
	r.Only("fn", name) // what tf_keras adds: the function of the class
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

// reduction refuses what is no mean over the batch.
func reduction(r *arguments.Reader) {
	switch v, ok := r.Get("reduction"); {
	case !ok, v == "sum_over_batch_size", v == "mean", v == "auto":
	default:
		r.Bad("reduction", "sum_over_batch_size, mean or auto: a loss is the mean over the batch", v)
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
	return NewBinaryFocalCrossentropy(FocalOptions{
		CrossentropyOptions: crossentropyOptions(r),
		Gamma:               optional(r, "gamma"),
		Balance:             r.Flag("apply_class_balancing"),
		Alpha:               optional(r, "alpha"),
	})
}

// optional reads a number, nil if it is not there.
func optional(r *arguments.Reader, key string) *float64 {
	if _, ok := r.Get(key); !ok {
		return nil
	}
	return new(r.Number(key))
}

func categoricalFocal(r *arguments.Reader) (Func, error) {
	alpha := r.Numbers("alpha")
	if alpha != nil && len(alpha) == 0 {
		r.Bad("alpha", "a number, or one for each class", alpha)
	}
	return NewCategoricalFocalCrossentropy(CategoricalFocalOptions{
		CrossentropyOptions: crossentropyOptions(r),
		Gamma:               optional(r, "gamma"),
		Alpha:               alpha,
	})
}

// sets reads the dimensions that make up a set, all of them by default.
func sets(r *arguments.Reader) []int {
	axes := r.Ints("axis")
	if axes != nil && len(axes) == 0 {
		r.Bad("axis", "null, for all dimensions, or some of them", axes)
	}
	return axes
}

func tversky(r *arguments.Reader) (Func, error) {
	return NewTversky(TverskyOptions{Alpha: optional(r, "alpha"), Beta: optional(r, "beta"), Axes: sets(r)})
}

func circle(r *arguments.Reader) (Func, error) {
	return NewCircle(CircleOptions{Gamma: optional(r, "gamma"), Margin: optional(r, "margin"), KeepDiagonal: r.Off("remove_diagonal")})
}
