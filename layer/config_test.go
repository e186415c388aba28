package layer_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// configured are layers with every argument away from its default.
func configured(t testing.TB) []layer.Layer {
	o := layer.Options{Name: "named", Frozen: true, Policy: must[layer.Policy](t)(layer.PolicyByName("mixed_bfloat16")), NoAutocast: true, Activity: regularizer.L1L2{L1: 0.1, L2: 0.2}, InputShape: layer.Shape{3, -1}}
	weight := layer.WeightOptions{Initializer: initializer.Constant{Value: 0.5}, Regularizer: regularizer.L1(0.1), Constraint: constraint.MaxNorm{Max: 3, Axis: 0}}
	all := []layer.Layer{
		newEmbedding(t, 9, 4, layer.EmbeddingOptions{Options: o, Initializer: initializer.Ones{}, Regularizer: regularizer.L2(0.3),
			Constraint: constraint.MaxNorm{Max: 2, Axis: 1}, MaskZero: true, InputLength: []int{3, -1}, OutOfRange: rowan.OutOfRangeZeros, Padding: new(int64(3))}),
		newEmbedding(t, 9, 4, layer.EmbeddingOptions{Options: o, Combiner: rowan.SqrtN, RowDType: rowan.BFloat16}),
		must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(5, layer.DynamicOptions{Options: o, KeyType: tensor.String, Combiner: "mean",
			Pool: rowan.Mean, Initializer: initializer.Zeros{}, WithoutUnique: true, InitCapacity: 77, MaxNorm: 1.1, Regularizer: regularizer.L1(0.5), PaddingString: new(""), Missing: rowan.MissingZeros,
			RestrictPolicy: rowan.Restrict{Policy: rowan.FrequencyPolicy{}, Keep: 50, Trigger: 60}})),
		must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(5, layer.DynamicOptions{Options: o, KeyType: tensor.Uint64, RowDType: rowan.Float16, Padding: new(int64(-1)),
			RestrictPolicy: rowan.Restrict{Policy: rowan.TimestampPolicy{}}})),
		newDense(t, 3, layer.DenseOptions{Options: o, Activation: "relu", NoBias: true, Kernel: weight, Bias: layer.WeightOptions{Constraint: constraint.NonNeg{}}}),
		must[*layer.Activation](t)(layer.NewActivation("gelu", o)),
		must[*layer.Dropout](t)(layer.NewDropout(0.25, layer.DropoutOptions{Options: o, NoiseShape: layer.Shape{-1, 1}})),
		layer.NewFlatten(o),
		must[*layer.Reshape](t)(layer.NewReshape(layer.Shape{-1, 3}, o)),
		must[*layer.Concatenate](t)(layer.NewConcatenate(2, o)),
		layer.NewAdd(o),
		layer.NewSubtract(o),
		layer.NewMultiply(o),
		layer.NewAverage(o),
		layer.NewMaximum(o),
		layer.NewMinimum(o),
		newBatchNormalization(t, layer.BatchNormalizationOptions{Options: o, Axis: 1, Momentum: new(0.5), Epsilon: 0.01, NoCenter: true, NoScale: true,
			Gamma: weight, Beta: weight, MovingMean: initializer.Ones{}, MovingVariance: initializer.Constant{Value: 2}}),
		newLayerNormalization(t, layer.LayerNormalizationOptions{Options: o, Axes: []int{-1, 1}, Epsilon: 0.01, NoCenter: true, NoScale: true, Gamma: weight, Beta: weight}),
		layer.NewFactorizationMachine(o),
		layer.NewDotInteraction(true, o),
		newFeatureCross(t, layer.FeatureCrossOptions{Options: o, Projection: 3, DiagScale: 0.5, PreActivation: "relu", NoBias: true, Kernel: weight, Bias: weight}),
		layer.NewHistoryAttention(true, o),
		must[*layer.Dot](t)(layer.NewDot([2]int{2, 1}, true, o)),
		layer.NewGlobalAveragePooling1D(true, o),
		layer.NewGlobalSumPooling1D(true, o),
		layer.NewGlobalMaxPooling1D(true, o),
		layer.NewDropMask(o),
	}
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "in", IDs: true, KeyType: tensor.String, Ragged: true}))
	return append(slices.Concat(all, configuredIDs(t, o), configuredReduced(t, o)), in.Node().Layer)
}

func TestConfigsRoundTrip(t *testing.T) {
	for _, l := range configured(t) {
		class, c, err := layer.ToConfig(l)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(class, func(t *testing.T) {
			text := must[[]byte](t)(json.Marshal(c))
			var read layer.Config
			if err := json.Unmarshal(text, &read); err != nil {
				t.Fatal(err)
			}
			for _, from := range []layer.Config{c, read} {
				again, err := layer.FromConfig(class, from)
				if err != nil {
					t.Fatalf("FromConfig(%s): %v", text, err)
				}
				_, c2, err := layer.ToConfig(again)
				if err != nil {
					t.Fatal(err)
				}
				if got := must[[]byte](t)(json.Marshal(c2)); string(got) != string(text) {
					t.Errorf("config after a round trip:\n%s\nbefore:\n%s", got, text)
				}
				if reflect.TypeOf(again) != reflect.TypeOf(l) {
					t.Errorf("FromConfig made a %T, want a %T", again, l)
				}
			}
			c["typo"] = 1
			if _, err := layer.FromConfig(class, c); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), `does not know "typo"`) {
				t.Errorf("unknown key: %v", err)
			}
			c["typo"], c["name"] = nil, 7
			if _, err := layer.FromConfig(class, c); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), `"name" must be a string`) {
				t.Errorf("name of another type: %v", err)
			}
		})
	}
}

// TestKerasConfig reads what Keras writes.
func TestKerasConfig(t *testing.T) {
	const text = `{"name": "embedding_3", "trainable": true, "dtype": "float32", "input_dim": 1000, "output_dim": 64,
		"embeddings_initializer": {"class_name": "RandomUniform", "config": {"minval": -0.1, "maxval": 0.1, "seed": null}},
		"embeddings_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}}, "activity_regularizer": null,
		"embeddings_constraint": null, "mask_zero": true, "input_length": 10}`
	var c layer.Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	l := must[layer.Layer](t)(layer.FromConfig("Embedding", c))
	got := l.(layer.Configurer).Config()
	if layer.Of(l).Name() != "embedding_3" || got["input_dim"] != 1000 || got["output_dim"] != 64 {
		t.Errorf("config = %v", got)
	}
	out := must[*layer.Tensor](t)(layer.Of(l).Apply(idInput(t, layer.NewScope(1), -1)))
	if !out.Masked() || !out.Shape().Equal(layer.Shape{-1, 10, 64}) {
		t.Errorf("output: masked %v, shape %v, want what mask_zero and input_length say", out.Masked(), out.Shape())
	}
	initial := got["embeddings_initializer"].(map[string]any)["config"].(map[string]any)
	if initial["minval"] != -0.1 {
		t.Errorf("initializer = %v", initial)
	}
}

// TestSeedsOfInitializers: a layer made from a config draws the rows of the one
// that wrote it, and so does a copy, whose new keys have yet to be drawn.
func TestSeedsOfInitializers(t *testing.T) {
	l := newDynamic(t, 4, layer.DynamicOptions{Options: layer.Options{Name: "rows"}, Initializer: initializer.RandomNormal{Stddev: 1, Seed: 7}})
	x := ids(t, []int{2}, 3, -5)
	want := run(t, l, x).Values[0].Floats.Data()
	object := must[layer.Config](t)(layer.Own.Encode(l))
	for _, again := range []layer.Layer{must[layer.Layer](t)(layer.Decode(object)), clone(t, l)} {
		if got := run(t, again, x).Values[0].Floats.Data(); !slices.Equal(got, want) {
			t.Errorf("rows %v, want %v", got, want)
		}
	}
	const keras = `{"units": 1, "kernel_initializer": {"class_name": "HeNormal", "config": {"seed": {"class_name": "SeedGenerator", "config": {"seed": 1}}}}}`
	var c layer.Config
	if err := json.Unmarshal([]byte(keras), &c); err != nil {
		t.Fatal(err)
	}
	if _, err := layer.FromConfig("Dense", c); err != nil {
		t.Errorf("a generator of seeds says nothing here: %v", err)
	}
}

// inner is a config of one key within a config.
func inner(class, key string, value any) map[string]any {
	return map[string]any{"class_name": class, "config": map[string]any{key: value}}
}

func TestConfigRefusals(t *testing.T) {
	custom := map[string]layer.Constructor{"Mine": func(layer.Config) (layer.Layer, error) { return layer.NewFlatten(layer.Options{}), nil }}
	if l, err := layer.FromConfig("Mine", nil, custom); err != nil || layer.Of(l).Class() != "Flatten" {
		t.Errorf("custom class: %v, %v", l, err)
	}
	for _, c := range []struct {
		class  string
		config layer.Config
		says   string
	}{
		{"Mine", nil, `unknown layer "Mine"`},
		{"Dense", layer.Config{"units": 1.5}, `"units" must be an integer`},
		{"Dense", layer.Config{"units": "3"}, `"units" must be a number`},
		{"Dense", layer.Config{"units": 3, "kernel_initializer": "nothing"}, "nothing"},
		{"Dense", layer.Config{"units": 3, "kernel_regularizer": "orthogonal"}, "L1, L2, L1L2 or OrthogonalRegularizer"},
		{"Dense", layer.Config{"units": 3, "kernel_constraint": "orthogonal"}, `unknown constraint "orthogonal". Known: max_norm, min_max_norm, non_neg, radial_constraint, unit_norm`},
		{"Dense", layer.Config{"units": 3, "kernel_constraint": 3}, "class_name"},
		{"Dense", layer.Config{"units": 3, "kernel_constraint": inner("MaxNorm", "max_values", 1.0)}, `MaxNorm: unknown argument "max_values"; did you mean "max_value"?`},
		{"Dense", layer.Config{"units": 3, "kernel_regularizer": inner("L2", "l3", 1.0)}, `L2 does not know "l3"`},
		{"Dense", layer.Config{"units": 3, "kernel_regularizer": inner("L2", "l2", "x")}, `"l2" must be a number`},
		{"Dense", layer.Config{"units": 3, "kernel_regularizer": map[string]any{"class_name": "L2", "config": 0.1}}, "a class_name and a config"},
		{"Dense", layer.Config{"units": 3, "kernel_initializer": map[string]any{"class": "Zeros"}}, "a class_name and a config"},
		{"Dense", layer.Config{"units": 3, "dtype": "float16"}, "float32"},
		{"Dense", layer.Config{"units": 3, "use_bias": "no"}, "true or false"},
		{"Dense", layer.Config{}, "positive integer"},
		{"Dense", layer.Config{"units": 3, "use_bais": false}, `Dense does not know "use_bais"; did you mean "use_bias"?`},
		{"Dense", layer.Config{"units": 3, "zeta": 1, "yard": 1, "quux": 1, "beta": 1, "unit": 1}, `Dense does not know "beta"`},
		{"Embedding", layer.Config{"input_dim": 3, "output_dim": 2, "input_lengths": 4}, `did you mean "input_length"?`},
		{"Embedding", layer.Config{"input_dim": 3, "output_dim": 2, "combiner": "median"}, "sqrtn"},
		{"DynamicEmbedding", layer.Config{"embedding_size": 3, "key_dtype": "float"}, "int64"},
		{"DynamicEmbedding", layer.Config{"embedding_size": 3, "restrict_policy": "lru"}, `"restrict_policy" must be timestamp, frequency or a policy given to`},
		{"DynamicEmbedding", layer.Config{"embedding_size": 3, "restrict_policy": 7}, "a class_name and a config"},
		{"DynamicEmbedding", layer.Config{"embedding_size": 3, "restrict_policy": map[string]any{"class_name": "frequency", "config": map[string]any{"keeep": 3}}}, `did you mean "keep"?`},
		{"DynamicEmbedding", layer.Config{"embedding_size": 3, "restrict_policy": map[string]any{"class_name": "frequency", "config": map[string]any{"keep": 3, "trigger": 2}}}, "Trigger=2"},
		{"Dot", layer.Config{"axes": []any{1.0, 2.0, 3.0}}, "one or two"},
	} {
		if _, err := layer.FromConfig(c.class, c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %v: error %v, want one that says %q", c.class, c.config, err, c.says)
		}
	}
}
