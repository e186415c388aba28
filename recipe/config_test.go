package recipe_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/recipe"
)

func TestSpec(t *testing.T) {
	for text, want := range map[string]recipe.Spec{
		`"zeros"`:                      {Name: "zeros"},
		`0.5`:                          {Name: "constant", Args: map[string]any{"value": 0.5}},
		`{"name":"normal","stddev":1}`: {Name: "normal", Args: map[string]any{"stddev": 1.0}},
		`null`:                         {},
	} {
		var got recipe.Spec
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) && !(got.IsZero() && want.IsZero()) {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
		b, err := json.Marshal(got)
		var again recipe.Spec
		if err == nil {
			err = json.Unmarshal(b, &again)
		}
		if err != nil || again.Name != got.Name || len(again.Args) != len(got.Args) {
			t.Errorf("%s is written as %s and read as %+v, %v", text, b, again, err)
		}
	}
	for _, text := range []string{`[1]`, `true`, `{"stddev":1}`, `{"name":1}`} {
		var s recipe.Spec
		if err := json.Unmarshal([]byte(text), &s); !errors.Is(err, recipe.ErrConfig) {
			t.Errorf("%s: %+v, %v", text, s, err)
		}
	}
}

// A config survives JSON, in which checkpoints hold it.
func TestConfigJSON(t *testing.T) {
	c := small(t)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var again recipe.Config
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, c) {
		t.Errorf("read back as\n%+v\nwritten\n%+v", again, c)
	}
	if err := again.Validate(); err != nil {
		t.Error(err)
	}
}

func TestDefaults(t *testing.T) {
	c := recipe.Config{Features: []recipe.Feature{{Name: "a", Table: "a"}, {Column: "b", Bias: "b"}},
		Interaction: recipe.Interaction{Deep: &recipe.Deep{Layers: []recipe.Dense{{Units: 1}}}},
		Data:        dataset.Config{Columns: []dataset.Column{{Name: "a", Kind: dataset.IDs, Type: "string"}}},
		Tables:      []recipe.Table{{Name: "a", Width: 2}}}
	d := c.WithDefaults()
	if d.Features[0].Column != "a" || d.Features[1].Name != "b" || d.Tables[0].KeyType != "string" || d.Training.Loss != "mse" ||
		len(d.Interaction.Deep.Inputs) != 1 || d.Interaction.Deep.Layers[0].Activation != "relu" || d.Checkpoint.Dir != "checkpoints/rowan" {
		t.Errorf("%+v", d)
	}
	if c.Features[0].Column != "" || c.Tables[0].KeyType != "" || c.Interaction.Deep.Inputs != nil || c.Interaction.Deep.Layers[0].Activation != "" {
		t.Errorf("the original was changed: %+v", c)
	}
	c.Output.Activation = "sigmoid"
	if d := c.WithDefaults(); d.Training.Loss != "binary_crossentropy" || len(d.Metrics) != 2 {
		t.Errorf("of a sigmoid: %+v", d)
	}
}

// Each bad value is an error that names its field as files spell it.
func TestValidate(t *testing.T) {
	if err := small(t).Validate(); err != nil {
		t.Fatal(err)
	}
	optimizer := func(name string, args map[string]any) func(*recipe.Config) {
		return func(c *recipe.Config) { c.Training.Optimizer = recipe.Spec{Name: name, Args: args} }
	}
	rate := func(v any) func(*recipe.Config) { return optimizer("adam", map[string]any{"learning_rate": v}) }
	for _, x := range []struct {
		field, text string
		change      func(*recipe.Config)
	}{
		{"data.path", "empty", func(c *recipe.Config) { c.Data.Path = "" }},
		{"data.columns[1].kind", `did you mean "id"`, func(c *recipe.Config) { c.Data.Columns[1].Kind = "idd" }},
		{"data.joins[0].on", "empty", func(c *recipe.Config) { c.Data.Joins[0].On = "" }},
		{"data.columns", "label", func(c *recipe.Config) { c.Data.Columns = append(c.Data.Columns[:2:2], c.Data.Columns[3]) }},
		{"split.by", "user-time", func(c *recipe.Config) { c.Split.By = "user_tim" }},
		{"split.by", `"timestamp"`, func(c *recipe.Config) {
			c.Split.By, c.Data.Columns = dataset.ByGlobalTime, c.Data.Columns[:3:3]
		}},
		{"split.user", `did you mean "user"`, func(c *recipe.Config) { c.Split.By, c.Split.User = dataset.ByUserTime, "usr" }},
		{"split.test", "", func(c *recipe.Config) { c.Split.Test = 1 }},
		{"tables", "none", func(c *recipe.Config) { c.Tables = nil }},
		{"tables[0].name", "empty", func(c *recipe.Config) { c.Tables[0].Name = "" }},
		{"tables[1].name", "another", func(c *recipe.Config) { c.Tables[1].Name = "user" }},
		{"tables[0].width", "positive", func(c *recipe.Config) { c.Tables[0].Width = 0 }},
		{"tables[0].rows", "negative", func(c *recipe.Config) { c.Tables[0].Rows = -1 }},
		{"tables[0].key_type", "string", func(c *recipe.Config) { c.Tables[0].KeyType = "text" }},
		{"tables[0].dtype", `did you mean "bfloat16"`, func(c *recipe.Config) { c.Tables[0].DType = "bflot16" }},
		{"tables[0].dtype", "float64", func(c *recipe.Config) { c.Tables[0].DType = "int64" }},
		{"tables[0].missing", `did you mean "zeros"`, func(c *recipe.Config) { c.Tables[0].Missing = "zero" }},
		{"tables[3].missing", "out_of_range", func(c *recipe.Config) { c.Tables[3].Missing = "zeros" }},
		{"tables[3].out_of_range", "last", func(c *recipe.Config) { c.Tables[3].OutOfRange = "first" }},
		{"tables[0].out_of_range", "missing", func(c *recipe.Config) { c.Tables[0].OutOfRange = "last" }},
		{"tables[0].l2_per_row", "one of them", func(c *recipe.Config) { c.Tables[0].L2 = 1 }},
		{"tables[0].l1", "0 or more", func(c *recipe.Config) { c.Tables[0].L1 = -1 }},
		{"tables[3].padding", "int64", func(c *recipe.Config) { p := "none"; c.Tables[3].Padding = &p }},
		{"tables[2].initializer", "glorot_uniform", func(c *recipe.Config) { c.Tables[2].Initializer.Name = "glorot" }},
		{"tables[2].initializer.stdev", `did you mean "stddev"`, func(c *recipe.Config) { c.Tables[2].Initializer.Args = map[string]any{"stdev": 1.0} }},
		{"tables[2].optimizer", "adagrad", func(c *recipe.Config) { c.Tables[2].Optimizer.Name = "adagard" }},
		{"features", "none", func(c *recipe.Config) { c.Features = nil }},
		{"features[0].name", "empty", func(c *recipe.Config) { c.Features[0] = recipe.Feature{Table: "user"} }},
		{"features[1].name", "another", func(c *recipe.Config) { c.Features[1].Name = "user" }},
		{"features[0].column", `did you mean "user"`, func(c *recipe.Config) { c.Features[0].Column = "usr" }},
		{"features[0].column", "known: user, film, genres, year", func(c *recipe.Config) { c.Features[0].Column = "stars" }},
		{"features[0].table", "empty", func(c *recipe.Config) { c.Features[0].Table, c.Features[0].Bias = "", "" }},
		{"features[0].table", `did you mean "user"`, func(c *recipe.Config) { c.Features[0].Table = "users" }},
		{"features[2].table", "string", func(c *recipe.Config) { c.Features[2].Table = "film" }},
		{"features[0].bias", "width 4", func(c *recipe.Config) { c.Features[0].Bias = "film" }},
		{"features[0].combiner", "nothing to combine", func(c *recipe.Config) { c.Features[0].Combiner = "mean" }},
		{"features[2].combiner", "sqrtn", func(c *recipe.Config) { c.Features[2].Combiner = "median" }},
		{"interaction.dropout", "less than 1", func(c *recipe.Config) { c.Interaction.Dropout = 1 }},
		{"interaction.sums[0].name", "taken", func(c *recipe.Config) { c.Interaction.Sums[0].Name = "film" }},
		{"interaction.sums[0].of", "two or more", func(c *recipe.Config) { c.Interaction.Sums[0].Of = []string{"film"} }},
		{"interaction.sums[0].of[1]", "year", func(c *recipe.Config) { c.Interaction.Sums[0].Of = []string{"film", "yeer"} }},
		{"interaction.sums[0].of[1]", "width 3", func(c *recipe.Config) { c.Tables[2].Width = 3 }},
		{"interaction.sums[0]", "nothing uses", func(c *recipe.Config) { c.Interaction.Dots = nil; c.Interaction.Deep.Inputs = []string{"user", "film"} }},
		{"interaction.dots[0]", "two vectors", func(c *recipe.Config) { c.Interaction.Dots[0] = recipe.Pair{"user"} }},
		{"interaction.dots[0][1]", "item", func(c *recipe.Config) { c.Interaction.Dots[0] = recipe.Pair{"user", "itm"} }},
		{"interaction.deep.inputs[0]", "item", func(c *recipe.Config) { c.Interaction.Deep.Inputs = []string{"itme"} }},
		{"interaction.deep.layers[0].units", "positive", func(c *recipe.Config) { c.Interaction.Deep.Layers[0].Units = 0 }},
		{"interaction.deep.layers[0].activation", `did you mean "relu"`, func(c *recipe.Config) { c.Interaction.Deep.Layers[0].Activation = "rellu" }},
		{"interaction.deep.layers[0].dropout", "less than 1", func(c *recipe.Config) { c.Interaction.Deep.Layers[0].Dropout = 2 }},
		{"interaction.deep.weight_decay", "0 or more", func(c *recipe.Config) { c.Interaction.Deep.WeightDecay = -1 }},
		{"features[0]", "nothing uses", func(c *recipe.Config) { c.Interaction = recipe.Interaction{} }},
		{"output.offset", "a number", func(c *recipe.Config) { c.Output.Offset = "median" }},
		{"output.clip", "lowest and the highest", func(c *recipe.Config) { c.Output.Clip = []float32{5, 1} }},
		{"output.activation", "sigmoid", func(c *recipe.Config) { c.Output.Activation = "relu" }},
		{"training.loss", "mse", func(c *recipe.Config) { c.Training.Loss = "mze" }},
		{"training.loss", "mse", func(c *recipe.Config) { c.Training.Loss = "categorical_crossentropy" }},
		{"training.loss", "mse", func(c *recipe.Config) { c.Training.Loss = "circle" }},
		{"training.epochs", "positive", func(c *recipe.Config) { c.Training.Epochs = -1 }},
		{"training.batch_size", "positive", func(c *recipe.Config) { c.Training.BatchSize = -1 }},
		{"training.optimizer", "rmsprop", optimizer("rmsporp", nil)},
		{"training.optimizer.beta_3", "beta_2", optimizer("adam", map[string]any{"beta_3": 1.0})},
		{"training.optimizer.learning_rate", "Cosine", rate("cosin_decay")},
		{"training.optimizer.learning_rate.decay_rte", `did you mean "decay_rate"`, rate(map[string]any{"name": "exponential_decay", "decay_rte": 1.0})},
		{"training.optimizer.learning_rate", "name", rate(map[string]any{"initial_learning_rate": 1.0})},
		{"metrics[1].name", "auc", func(c *recipe.Config) { c.Metrics[1].Name = "auk" }},
		{"baseline.item", "film", func(c *recipe.Config) { c.Baseline.Item = "flim" }},
		{"titles[0].table", "movie", func(c *recipe.Config) { c.Titles[0].Table = "movie" }},
		{"titles[0]", "needs", func(c *recipe.Config) { c.Titles[0].Key = "" }},
		{"checkpoint.keep", "positive", func(c *recipe.Config) { c.Checkpoint.Keep = -1 }},
		{"checkpoint.every_steps", "negative", func(c *recipe.Config) { c.Checkpoint.EverySteps = -1 }},
	} {
		c := small(t)
		x.change(&c)
		err := c.Validate()
		var f *recipe.FieldError
		if !errors.As(err, &f) || !errors.Is(err, recipe.ErrConfig) || f.Field != x.field || !strings.Contains(err.Error(), x.text) {
			t.Errorf("%v; want field %q and %q", err, x.field, x.text)
		}
	}
}

// Every combiner that pools can be a feature's.
func TestCombiners(t *testing.T) {
	for combiner := rowan.Sum; combiner <= rowan.LogSumExp; combiner++ {
		c := small(t)
		c.Features[2].Combiner = combiner.String()
		if err := c.Validate(); err != nil {
			t.Errorf("%v: %v", combiner, err)
		}
	}
	c := small(t)
	c.Features[2].Combiner, c.Training.Epochs = "max", 1
	mustTrain(t, c, recipe.TrainOptions{NoCheckpoint: true})
}

// The schedules that a learning rate can name, each trained for a few steps.
func TestLearningRates(t *testing.T) {
	for _, rate := range []any{
		0.01,
		map[string]any{"name": "linear", "initial_learning_rate": 0.01, "end_learning_rate": 0.001},
		map[string]any{"name": "cosine_decay", "initial_learning_rate": 0.01},
		map[string]any{"name": "CosineDecay", "initial_learning_rate": 0.01, "decay_steps": 10.0},
		map[string]any{"name": "exponential_decay", "initial_learning_rate": 0.01, "decay_rate": 0.5},
		map[string]any{"name": "inverse_time_decay", "initial_learning_rate": 0.01, "decay_rate": 0.5},
		map[string]any{"name": "piecewise_constant_decay", "boundaries": []any{5.0}, "values": []any{0.01, 0.001}},
	} {
		c := small(t)
		c.Training.Epochs = 1
		c.Training.Optimizer = recipe.Spec{Name: "rmsprop", Args: map[string]any{"learning_rate": rate}}
		if _, err := recipe.Train(ctx, c, recipe.TrainOptions{NoCheckpoint: true}); err != nil {
			t.Errorf("%v: %v", rate, err)
		}
	}
}
