package layer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/classname"
	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// LossConfig describes a loss as Keras does: its class name and its arguments
// under Keras' names. It can be written as JSON and read back.
type LossConfig struct {
	ClassName string `json:"class_name"`
	Config    Config `json:"config,omitempty"`
}

// lossConstructors make losses of their arguments, by Keras' name for the
// function; the class name in snake case is the same.
var lossConstructors = map[string]func(reader) (Loss, error){
	"mean_squared_error":              plainLoss(MeanSquaredError),
	"mean_absolute_error":             plainLoss(MeanAbsoluteError),
	"mean_absolute_percentage_error":  plainLoss(MeanAbsolutePercentageError),
	"mean_squared_logarithmic_error":  plainLoss(MeanSquaredLogarithmicError),
	"log_cosh":                        plainLoss(LogCosh),
	"cosine_similarity":               plainLoss(CosineSimilarity),
	"poisson":                         plainLoss(Poisson),
	"kl_divergence":                   plainLoss(KLDivergence),
	"hinge":                           plainLoss(Hinge),
	"squared_hinge":                   plainLoss(SquaredHinge),
	"categorical_hinge":               plainLoss(CategoricalHinge),
	"binary_crossentropy_from_logits": plainLoss(BinaryCrossentropyFromLogits), // a name of ours
	"huber":                           huberFromConfig,
	"binary_crossentropy":             func(r reader) (Loss, error) { return NewBinaryCrossentropy(r.crossentropy()) },
	"categorical_crossentropy":        func(r reader) (Loss, error) { return NewCategoricalCrossentropy(r.crossentropy()) },
	"sparse_categorical_crossentropy": sparseFromConfig,
	"binary_focal_crossentropy":       focalFromConfig,
}

// lossAliases are other names that Keras has, or had, for losses.
var lossAliases = map[string]string{
	"mse": "mean_squared_error", "mae": "mean_absolute_error",
	"mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
	"logcosh": "log_cosh", "bce": "binary_crossentropy", "kld": "kl_divergence",
	"kullback_leibler_divergence": "kl_divergence", "cosine_proximity": "cosine_similarity",
	"huber_loss": "huber",
}

// LossByName returns the loss that Keras knows by this name, with its default
// arguments: "mse", "mean_squared_error" and "MeanSquaredError" are one.
func LossByName(name string) (Loss, error) { return LossFromConfig(LossConfig{ClassName: name}) }

// LossNames returns the names of functions that LossByName knows, sorted.
func LossNames() []string {
	names := slices.Sorted(maps.Keys(lossConstructors))
	names = append(names, slices.Collect(maps.Keys(lossAliases))...)
	slices.Sort(names)
	return names
}

// LossFromConfig makes the loss that a class name and a config describe. What
// the config leaves out, or gives as null, has Keras' default. An unknown name
// is ErrArgument; an unknown argument, or one that is not supported, ErrConfig.
//
// A loss is always the mean over the batch, Keras' "sum_over_batch_size".
func LossFromConfig(c LossConfig) (Loss, error) {
	name := classname.Snake(c.ClassName)
	if full, ok := lossAliases[name]; ok {
		name = full
	}
	construct, ok := lossConstructors[name]
	if !ok {
		known := LossNames()
		return nil, fmt.Errorf("%w: unknown loss %q%s: use one of %v", ErrArgument, c.ClassName, suggest.Hint(name, known), known)
	}
	r := c.Config.reader()
	r.Get("name") // of the loss in Keras' messages
	r.Only("dtype", "float32")
	r.Only("reduction", "sum_over_batch_size")
	l, err := construct(r)
	if doneErr := r.done(c.ClassName); doneErr != nil {
		return nil, doneErr
	}
	return l, err
}

func plainLoss(l Loss) func(reader) (Loss, error) {
	return func(r reader) (Loss, error) {
		r.lastAxis()
		return l, nil
	}
}

// lastAxis reads the dimension that a loss reduces.
func (r reader) lastAxis() {
	if axis := r.IntsOr("axis", -1); len(axis) != 1 || axis[0] != -1 {
		r.Bad("axis", "-1: losses reduce the last dimension", axis)
	}
}

func (r reader) crossentropy() CrossentropyOptions {
	r.lastAxis()
	return CrossentropyOptions{FromLogits: r.Flag("from_logits"), LabelSmoothing: r.Number("label_smoothing")}
}

// huberFromConfig reads a delta that Keras 3 leaves out of its own configs.
func huberFromConfig(r reader) (Loss, error) {
	delta := 1.0
	if _, ok := r.Get("delta"); ok {
		delta = r.Number("delta")
	}
	return NewHuber(delta)
}

func sparseFromConfig(r reader) (Loss, error) {
	r.lastAxis()
	r.Only("ignore_class", nil)
	return NewSparseCategoricalCrossentropy(r.Flag("from_logits")), nil
}

func focalFromConfig(r reader) (Loss, error) {
	o := FocalOptions{CrossentropyOptions: r.crossentropy(), Balance: r.Flag("apply_class_balancing")}
	if _, ok := r.Get("gamma"); ok {
		o.Gamma = new(r.Number("gamma"))
	}
	if _, ok := r.Get("alpha"); ok {
		o.Alpha = new(r.Number("alpha"))
	}
	return NewBinaryFocalCrossentropy(o)
}
