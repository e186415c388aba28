package metric

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// kind is a metric that has a name.
type kind struct {
	name string
	// wide says that examples have several numbers: classes, candidates.
	wide bool
	make func(width int) Metric
}

// kinds is in the order of [Names].
var kinds = []kind{
	{"mean", false, func(int) Metric { return &Mean{} }},
	{"sum", false, func(int) Metric { return &Sum{} }},
	{"mse", false, func(int) Metric { return &MSE{} }},
	{"rmse", false, func(int) Metric { return &RMSE{} }},
	{"mae", false, func(int) Metric { return &MAE{} }},
	{"mape", false, func(int) Metric { return &MAPE{} }},
	{"msle", false, func(int) Metric { return &MSLE{} }},
	{"log_cosh", false, func(int) Metric { return &LogCosh{} }},
	{"poisson", false, func(int) Metric { return &Poisson{} }},
	{"r2_score", false, func(width int) Metric { return &R2Score{Width: width} }},
	{"accuracy", false, func(int) Metric { return &BinaryAccuracy{} }},
	{"logloss", false, func(int) Metric { return &LogLoss{} }},
	{"auc", false, func(int) Metric { return &AUC{} }},
	{"auc_pr", false, func(int) Metric { return Named("auc_pr", &AUC{Curve: "PR"}) }},
	{"precision", false, func(int) Metric { return &Precision{} }},
	{"recall", false, func(int) Metric { return &Recall{} }},
	{"f1", false, func(int) Metric { return &F1{} }},
	{"hinge", false, func(int) Metric { return &Hinge{} }},
	{"squared_hinge", false, func(int) Metric { return &SquaredHinge{} }},
	{"cosine_similarity", true, func(width int) Metric { return &CosineSimilarity{Width: width} }},
	{"kl_divergence", true, func(width int) Metric { return &KLDivergence{Width: width} }},
	{"categorical_accuracy", true, func(width int) Metric { return &CategoricalAccuracy{Classes: width} }},
	{"top_k_categorical_accuracy", true, func(width int) Metric { return &TopKCategoricalAccuracy{Classes: width} }},
	{"categorical_crossentropy", true, func(width int) Metric { return &CategoricalCrossentropy{Classes: width} }},
	{"categorical_hinge", true, func(width int) Metric { return &CategoricalHinge{Classes: width} }},
	{"ndcg", true, func(width int) Metric { return &NDCG{Width: width} }},
	{"mrr", true, func(width int) Metric { return &MRR{Width: width} }},
}

// aliases are the names that Keras has for metrics: its functions and classes,
// these in snake case, and its short ones. A metric that is asked for by one
// of them, or by the class as it is written, goes by it.
var aliases = map[string]string{
	"mean_squared_error": "mse", "root_mean_squared_error": "rmse", "mean_absolute_error": "mae",
	"mean_absolute_percentage_error": "mape", "mean_squared_logarithmic_error": "msle",
	"logcosh": "log_cosh", "log_cosh_error": "log_cosh", "binary_accuracy": "accuracy", "acc": "accuracy",
	"binary_crossentropy": "logloss", "bce": "logloss", "kld": "kl_divergence", "kullback_leibler_divergence": "kl_divergence",
	"cosine_proximity": "cosine_similarity", "sparse_categorical_accuracy": "categorical_accuracy",
	"sparse_top_k_categorical_accuracy": "top_k_categorical_accuracy",
	"sparse_categorical_crossentropy":   "categorical_crossentropy",
}

// New returns the metric of the given name with its default options, for one
// number an example. Another name is ErrName, with the nearest known one; so is
// that of a metric of several numbers, which is made by [NewOf].
func New(name string) (Metric, error) { return NewOf(name, 1) }

// NewOf is [New] for examples of width numbers each: classes, candidates of a
// list, or outputs. Beside the names of [Names], Keras' names are known, of
// functions and of classes.
func NewOf(name string, width int) (Metric, error) {
	k, err := kindOf(name)
	if err != nil {
		return nil, err
	}
	if k.wide && width < 2 {
		return nil, fmt.Errorf("%w: %q measures examples of several numbers, such as classes; those here have %d", ErrName, name, width)
	}
	m := k.make(width)
	if m.Name() != name {
		m = Named(name, m)
	}
	return m, nil
}

func kindOf(name string) (kind, error) {
	short := snake(name)
	if a, ok := aliases[short]; ok {
		short = a
	}
	for _, k := range kinds {
		if k.name == short {
			return k, nil
		}
	}
	var known []string
	for _, k := range kinds {
		known = append(known, k.name)
	}
	return kind{}, fmt.Errorf("%w: %q%s (known: %v)", ErrName, name, suggest.Hint(name, known), known)
}

// Names returns the names of the metrics of one number an example: those that [New] knows.
func Names() []string {
	var names []string
	for _, k := range kinds {
		if !k.wide {
			names = append(names, k.name)
		}
	}
	return names
}
