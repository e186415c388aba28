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
	{"exact_accuracy", false, func(int) Metric { return &ExactAccuracy{} }},
	{"accuracy", false, func(int) Metric { return &BinaryAccuracy{} }},
	{"logloss", false, func(int) Metric { return &LogLoss{} }},
	{"auc", false, func(int) Metric { return &AUC{} }},
	{"auc_pr", false, func(int) Metric { return Named("auc_pr", &AUC{Curve: "PR"}) }},
	{"precision", false, func(width int) Metric { return &Precision{Width: width} }},
	{"recall", false, func(width int) Metric { return &Recall{Width: width} }},
	{"true_positives", false, func(int) Metric { return &TruePositives{} }},
	{"false_positives", false, func(int) Metric { return &FalsePositives{} }},
	{"true_negatives", false, func(int) Metric { return &TrueNegatives{} }},
	{"false_negatives", false, func(int) Metric { return &FalseNegatives{} }},
	{"precision_at_recall", false, func(int) Metric { return &PrecisionAtRecall{} }},
	{"recall_at_precision", false, func(int) Metric { return &RecallAtPrecision{} }},
	{"sensitivity_at_specificity", false, func(int) Metric { return &SensitivityAtSpecificity{} }},
	{"specificity_at_sensitivity", false, func(int) Metric { return &SpecificityAtSensitivity{} }},
	{"f1", false, func(int) Metric { return &F1{} }},
	{"hinge", false, func(int) Metric { return &Hinge{} }},
	{"squared_hinge", false, func(int) Metric { return &SquaredHinge{} }},
	{"cosine_similarity", true, func(width int) Metric { return &CosineSimilarity{Width: width} }},
	{"kl_divergence", true, func(width int) Metric { return &KLDivergence{Width: width} }},
	{"pearson_correlation", true, func(width int) Metric { return &PearsonCorrelation{Width: width} }},
	{"concordance_correlation", true, func(width int) Metric { return &ConcordanceCorrelation{Width: width} }},
	{"f1_score", true, func(width int) Metric { return &F1Score{Width: width} }},
	{"fbeta_score", true, func(width int) Metric { return &FBetaScore{Width: width} }},
	{"categorical_accuracy", true, func(width int) Metric { return &CategoricalAccuracy{Classes: width} }},
	{"top_k_categorical_accuracy", true, func(width int) Metric { return &TopKCategoricalAccuracy{Classes: width} }},
	{"categorical_crossentropy", true, func(width int) Metric { return &CategoricalCrossentropy{Classes: width} }},
	{"categorical_hinge", true, func(width int) Metric { return &CategoricalHinge{Classes: width} }},
	{"ndcg", true, func(width int) Metric { return &NDCG{Width: width} }},
	{"mrr", true, func(width int) Metric { return &MRR{Width: width} }},
}

// needs has the arguments without a default, under Keras' names: what must be
// said of a metric beside its own name.
var needs = map[string]string{
	"precision_at_recall": "recall", "recall_at_precision": "precision",
	"sensitivity_at_specificity": "specificity", "specificity_at_sensitivity": "sensitivity",
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
	"sparse_categorical_crossentropy":   "categorical_crossentropy", "f_beta_score": "fbeta_score",
}

// New returns the metric of the given name with its default options, for one
// number an example. Another name is ErrName, with the nearest known one; so is
// that of a metric of several numbers, which is made by [NewOf]. A metric that
// has an option without a default, such as [PrecisionAtRecall], is ErrConfig.
func New(name string) (Metric, error) { return NewOf(name, 1) }

// NewOf is [New] for examples of width numbers each: classes, candidates of a
// list, or outputs. Beside the names of [Names], Keras' names are known, of
// functions and of classes.
func NewOf(name string, width int) (Metric, error) {
	k, err := kindOf(name)
	if err != nil {
		return nil, err
	}
	return k.metric(name, width, &arguments{})
}

// metric makes the metric, under the name by which it was asked for.
func (k kind) metric(name string, width int, a *arguments) (Metric, error) {
	switch {
	case k.wide && width < 2 && a.Threshold == nil: // above a threshold or not is a question about one number too
		return nil, fmt.Errorf("%w: %q measures examples of several numbers, such as classes; those here have %d", ErrName, name, width)
	case needs[k.name] != "" && a.least(needs[k.name]) == nil:
		return nil, fmt.Errorf("%w: %q needs %s, which has no default: make it of a Config that has it, or as a value", ErrConfig, name, needs[k.name])
	}
	m := k.make(width)
	a.set(inner(m))
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
		if !k.wide && needs[k.name] == "" {
			names = append(names, k.name)
		}
	}
	return names
}
