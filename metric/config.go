package metric

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/classname"
	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Config describes a metric as Keras does: its class name and its arguments
// under Keras' names. It can be written as JSON and read back.
type Config struct {
	ClassName string         `json:"class_name"`
	Config    map[string]any `json:"config,omitempty"`
}

// arguments are those of all classes that Rowan has an answer to.
type arguments struct {
	Name       string    `json:"name"`
	Threshold  *float32  `json:"threshold"`
	Thresholds *oneFloat `json:"thresholds"`
	K          int       `json:"k"`
	TopK       int       `json:"top_k"`
	Curve      string    `json:"curve"`
	Logits     bool      `json:"from_logits"`
	Smoothing  float64   `json:"label_smoothing"`
	Bits       int       `json:"bits"` // ours, of AUC
	Average    string    `json:"average"`
	Beta       float64   `json:"beta"`

	NumThresholds int      `json:"num_thresholds"`
	Recall        *float64 `json:"recall"`
	Precision     *float64 `json:"precision"`
	Specificity   *float64 `json:"specificity"`
	Sensitivity   *float64 `json:"sensitivity"`
}

// least is an argument that says how much there must be at least.
func (a *arguments) least(of string) *float64 {
	return map[string]*float64{"recall": a.Recall, "precision": a.Precision, "specificity": a.Specificity, "sensitivity": a.Sensitivity}[of]
}

// oneFloat is a number, or a list of one.
type oneFloat float32

// UnmarshalJSON reads 0.5 or [0.5].
func (f *oneFloat) UnmarshalJSON(b []byte) error {
	var list []float32
	if json.Unmarshal(b, &list) == nil && len(list) == 1 {
		*f = oneFloat(list[0])
		return nil
	}
	var x float32
	if err := json.Unmarshal(b, &x); err != nil {
		return fmt.Errorf("one number, not %s", b)
	}
	*f = oneFloat(x)
	return nil
}

// taken are the arguments that each class takes beside its name.
var taken = map[string][]string{
	"accuracy": {"threshold"}, "precision": {"thresholds", "top_k"}, "recall": {"thresholds", "top_k"}, "f1": {"threshold"},
	"auc": {"curve", "bits", "from_logits"} /* of scores only the order counts */, "logloss": {"from_logits", "label_smoothing"},
	"categorical_crossentropy":   {"from_logits", "label_smoothing"},
	"top_k_categorical_accuracy": {"k"}, "ndcg": {"k"}, "mrr": {"k"},
	"true_positives": {"thresholds"}, "false_positives": {"thresholds"}, "true_negatives": {"thresholds"}, "false_negatives": {"thresholds"},
	"precision_at_recall": {"recall", "num_thresholds"}, "recall_at_precision": {"precision", "num_thresholds"},
	"sensitivity_at_specificity": {"specificity", "num_thresholds"}, "specificity_at_sensitivity": {"sensitivity", "num_thresholds"},
	"f1_score": {"average", "threshold"}, "fbeta_score": {"average", "beta", "threshold"},
}

// neutral are arguments of Keras' metrics that Rowan does not have, with the
// values at which they do nothing here. AUC's thresholds have no meaning for an
// exact one.
var neutral = map[string][]any{
	"dtype": {"float32"}, "axis": {-1, -1.0}, "num_thresholds": nil, "summation_method": {"interpolation"},
	"multi_label": {false}, "num_labels": {}, "label_weights": {}, "class_id": {}, "from_sorted_ids": {false}, "ignore_class": {},
	"class_aggregation": {"uniform_average"}, "num_regressors": {0, 0.0},
}

// FromConfig makes the metric that c describes, for examples of width numbers.
// What c leaves out, or gives as null, has Keras' default. An unknown class is
// ErrName; an unknown argument, or one that is not supported, ErrConfig.
func FromConfig(c Config, width int) (Metric, error) {
	class := snake(c.ClassName)
	k, err := kindOf(class)
	if err != nil {
		return nil, err
	}
	text, err := c.arguments(k.name)
	if err != nil {
		return nil, err
	}
	var a arguments
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, c.ClassName, err)
	}
	m, err := k.metric(class, width, &a)
	if err != nil {
		return nil, err
	}
	if a.Name != "" && a.Name != m.Name() {
		m = Named(a.Name, inner(m))
	}
	return m, nil
}

// inner takes a name that was given away.
func inner(m Metric) Metric {
	if n, ok := m.(*named); ok {
		return n.Metric
	}
	return m
}

// set gives a metric its arguments. Update checks them.
func (a *arguments) set(m Metric) {
	switch m := m.(type) {
	case *BinaryAccuracy:
		m.Threshold = a.Threshold
	case *Precision:
		m.Threshold, m.TopK = (*float32)(a.Thresholds), a.TopK
	case *Recall:
		m.Threshold, m.TopK = (*float32)(a.Thresholds), a.TopK
	case *F1:
		m.Threshold = a.Threshold
	case *TruePositives:
		m.Threshold = (*float32)(a.Thresholds)
	case *FalsePositives:
		m.Threshold = (*float32)(a.Thresholds)
	case *TrueNegatives:
		m.Threshold = (*float32)(a.Thresholds)
	case *FalseNegatives:
		m.Threshold = (*float32)(a.Thresholds)
	case *PrecisionAtRecall:
		m.Recall, m.NumThresholds = *a.Recall, a.NumThresholds
	case *RecallAtPrecision:
		m.Precision, m.NumThresholds = *a.Precision, a.NumThresholds
	case *SensitivityAtSpecificity:
		m.Specificity, m.NumThresholds = *a.Specificity, a.NumThresholds
	case *SpecificityAtSensitivity:
		m.Sensitivity, m.NumThresholds = *a.Sensitivity, a.NumThresholds
	case *F1Score:
		m.Average, m.Threshold = a.Average, a.Threshold
	case *FBetaScore:
		m.Average, m.Beta, m.Threshold = a.Average, a.Beta, a.Threshold
	case *AUC:
		m.Bits = a.Bits
		if a.Curve != "" {
			m.Curve = a.Curve
		}
	case *LogLoss:
		m.Logits, m.Smoothing = a.Logits, a.Smoothing
	case *CategoricalCrossentropy:
		m.Logits, m.Smoothing = a.Logits, a.Smoothing
	case *TopKCategoricalAccuracy:
		m.K = a.K
	case *NDCG:
		m.K = a.K
	case *MRR:
		m.K = a.K
	}
}

// arguments returns those that the class takes, as JSON.
func (c Config) arguments(kind string) ([]byte, error) {
	known := append([]string{"name"}, taken[kind]...)
	mine := make(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(c.Config)) {
		v := c.Config[key]
		off, isNeutral := neutral[key]
		switch {
		case v == nil:
		case slices.Contains(known, key):
			mine[key] = v
		case isNeutral && (off == nil || slices.Contains(off, v)):
		case isNeutral:
			return nil, fmt.Errorf("%w: %s: %s is not supported here. Received: %s=%v", ErrConfig, c.ClassName, key, key, v)
		default:
			return nil, fmt.Errorf("%w: %s has no argument %q%s. Received: %s=%v", ErrConfig, c.ClassName, key, suggest.Hint(key, known), key, v)
		}
	}
	text, err := json.Marshal(mine)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, c.ClassName, err)
	}
	return text, nil
}

// irregular are the class names whose snake case is no name, or that of another.
var irregular = map[string]string{"R2Score": "r2_score", "F1Score": "f1_score", "FBetaScore": "fbeta_score", "LogLoss": "logloss", "Accuracy": "exact_accuracy"}

// snake turns a class name into a name of [Names]: "BinaryAccuracy" is
// "binary_accuracy".
func snake(class string) string {
	if name, ok := irregular[class]; ok {
		return name
	}
	return classname.Snake(class)
}
