package model_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/regularizer"
)

var writeConfigs = flag.Bool("write-configs", false, "write testdata/configs/rowan-*.json anew; interop/check.sh loads them")

const configFolder = "testdata/configs"

var dialects = []layer.Dialect{layer.TF1, layer.Keras2, layer.TFKeras, layer.Keras3}

// configModels are the models of interop/configs.py.
func configModels(t testing.TB) map[string]*model.Model {
	t.Helper()
	return map[string]*model.Model{"sequential": sequentialConfig(t), "functional": functionalConfig(t), "ranking": rankingConfig(t)}
}

// dialectsOf are the dialects that have all layers of a model.
func dialectsOf(name string) []layer.Dialect {
	if name == "ranking" {
		return dialects[1:]
	}
	return dialects
}

func rankingConfig(t testing.TB) *model.Model {
	t.Helper()
	s := layer.NewScope(0)
	named := func(name string) layer.Options { return layer.Options{Name: name} }
	input := func(name string) *layer.Tensor {
		in, err := layer.Input(layer.InputOptions{Name: name, Shape: layer.Shape{6}, Scope: s})
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	call := func(l layer.Layer, in ...*layer.Tensor) *layer.Tensor {
		out, err := layer.Of(l).Apply(in...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	a, b := input("a"), input("b")
	norm := call(must[layer.Layer](t)(layer.NewBatchNormalization(layer.BatchNormalizationOptions{Options: named("norm"), Axis: 1, Momentum: new(0.75), Epsilon: 0.5,
		NoCenter: true, Gamma: layer.WeightOptions{Regularizer: regularizer.L2(0.25)}})), a)
	level := call(must[layer.Layer](t)(layer.NewLayerNormalization(layer.LayerNormalizationOptions{Options: named("level"), Axes: []int{1}, Epsilon: 0.25,
		Beta: layer.WeightOptions{Initializer: initializer.Ones{}}})), b)
	x := call(layer.NewMultiply(named("product")), norm, level)
	x = call(layer.NewAverage(named("mean")), x, call(layer.NewSubtract(named("difference")), a, b))
	x = call(layer.NewMaximum(named("largest")), x, call(layer.NewMinimum(named("smallest")), a, level))
	score := call(must[layer.Layer](t)(layer.NewDense(1, layer.DenseOptions{Options: named("score"), Activation: "selu"})), x)
	m, err := model.New([]*layer.Tensor{a, b}, []*layer.Tensor{score})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sequentialConfig(t testing.TB) *model.Model {
	t.Helper()
	m, err := model.NewSequential(
		must[layer.Layer](t)(layer.NewEmbedding(100, 8, layer.EmbeddingOptions{MaskZero: true, InputLength: []int{10}, Regularizer: regularizer.L2(0.25),
			Initializer: initializer.TruncatedNormal{Stddev: 0.5}})),
		layer.NewGlobalAveragePooling1D(false, layer.Options{}),
		must[layer.Layer](t)(layer.NewDense(4, layer.DenseOptions{Activation: "relu",
			Kernel: layer.WeightOptions{Initializer: initializer.HeNormal{}, Constraint: constraint.NonNeg{}}})),
		must[layer.Layer](t)(layer.NewDropout(0.5, layer.DropoutOptions{})),
		must[layer.Layer](t)(layer.NewDense(1, layer.DenseOptions{NoBias: true, Kernel: layer.WeightOptions{Regularizer: regularizer.L1L2{L1: 0.5, L2: 0.125}}})))
	if err != nil {
		t.Fatal(err)
	}
	return &m.Model
}

func functionalConfig(t testing.TB) *model.Model {
	t.Helper()
	s := layer.NewScope(0)
	input := func(o layer.InputOptions) *layer.Tensor {
		o.Scope = s
		in, err := layer.Input(o)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	call := func(l layer.Layer, in ...*layer.Tensor) *layer.Tensor {
		out, err := layer.Of(l).Apply(in...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	named := func(name string) layer.Options { return layer.Options{Name: name} }
	a, b := input(layer.InputOptions{Name: "a", IDs: true, Shape: layer.Shape{3}}), input(layer.InputOptions{Name: "b", IDs: true, Shape: layer.Shape{3}})
	x := input(layer.InputOptions{Name: "x", Shape: layer.Shape{6}})
	shared := must[layer.Layer](t)(layer.NewEmbedding(50, 2, layer.EmbeddingOptions{Options: named("shared")}))
	ea := call(layer.NewFlatten(named("flat")), call(shared, a))
	eb := call(must[layer.Layer](t)(layer.NewReshape(layer.Shape{6}, named("shape"))), call(shared, b))
	both := call(layer.NewAdd(named("sum")), ea, eb)
	all := call(must[layer.Layer](t)(layer.NewConcatenate(-1, named("all"))), both, x)
	score := call(must[layer.Layer](t)(layer.NewDense(1, layer.DenseOptions{Options: named("score"), Activation: "sigmoid"})), all)
	near := call(must[layer.Layer](t)(layer.NewDot([2]int{1, 1}, true, named("near"))), ea, call(must[layer.Layer](t)(layer.NewActivation("tanh", named("tanh"))), x))
	m, err := model.New([]*layer.Tensor{a, b, x}, []*layer.Tensor{score, near})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestConfigsOfKeras reads what real Keras wrote: the model is the one that is
// made here, argument by argument.
func TestConfigsOfKeras(t *testing.T) {
	for name, want := range configModels(t) {
		for _, d := range dialectsOf(name) {
			text, err := os.ReadFile(filepath.Join(configFolder, fmt.Sprintf("%v-%s.json", d, name)))
			if err != nil {
				t.Fatal(err)
			}
			m, err := model.FromJSON(text, model.ConfigOptions{})
			if err != nil {
				t.Errorf("%v %s: %v", d, name, err)
				continue
			}
			if got, want := essence(t, m, d), essence(t, want, d); !reflect.DeepEqual(got, want) {
				t.Errorf("%v %s:\n%v\nwant\n%v", d, name, got, want)
			}
			if m.CountParams() != want.CountParams() || !m.OutputShape().Equal(want.OutputShape()) {
				t.Errorf("%v %s: %d weights, output %v", d, name, m.CountParams(), m.OutputShape())
			}
		}
	}
}

// essence is a model's config in our own dialect, without what some Keras do not
// write: where the length of a sequence stands, the name of an input that no one
// named, and which class makes an initializer.
func essence(t testing.TB, m *model.Model, d layer.Dialect) any {
	t.Helper()
	text, err := m.ToJSON(layer.Own)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	for _, l := range c["config"].(map[string]any)["layers"].([]any) {
		args := l.(map[string]any)["config"].(map[string]any)
		delete(args, "batch_input_shape")
		delete(args, "input_length")
		if name, _ := args["name"].(string); strings.Contains(name, "input") {
			delete(args, "name")
		}
		for key := range args {
			if d == layer.TF1 && strings.HasSuffix(key, "initializer") {
				delete(args, key)
			}
		}
	}
	return c
}

// TestConfigsForKeras writes the files that real Keras loads in interop/check.sh.
func TestConfigsForKeras(t *testing.T) {
	for name, m := range configModels(t) {
		for _, d := range dialectsOf(name) {
			c, err := m.Config(d)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(configFolder, fmt.Sprintf("rowan-%v-%s.json", d, name))
			if *writeConfigs {
				if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(text)+"\n" != string(want) {
				t.Errorf("%s is not what is written now:\n%s", file, text)
			}
		}
	}
}

// TestConfigsComeBack writes and reads models in every dialect: they predict the
// same from the same seed.
func TestConfigsComeBack(t *testing.T) {
	for name, m := range configModels(t) {
		for _, d := range append(slices.Clone(dialectsOf(name)), layer.Own) {
			text, err := m.ToJSON(d)
			if err != nil {
				t.Fatal(err)
			}
			again, err := model.FromJSON(text, model.ConfigOptions{})
			if err != nil {
				t.Errorf("%v %s: %v", d, name, err)
				continue
			}
			if got, want := essence(t, again, d), essence(t, m, d); !reflect.DeepEqual(got, want) {
				t.Errorf("%v %s:\n%v\nwant\n%v", d, name, got, want)
			}
			if d == layer.TF1 {
				continue // its initializers are VarianceScaling: other random streams
			}
			for i, v := range again.Weights() {
				if w := m.Weights()[i]; v.Name() != w.Name() || !reflect.DeepEqual(v.Value(), w.Value()) {
					t.Errorf("%v %s: weight %s differs from %s", d, name, v.Name(), w.Name())
				}
			}
		}
	}
}

// TestConfigRefusals are models that cannot be written, and texts that are none.
func TestConfigRefusals(t *testing.T) {
	pooled, err := model.NewSequential(must[layer.Layer](t)(layer.NewEmbedding(9, 2, layer.EmbeddingOptions{Combiner: rowan.Mean, InputLength: []int{3}})))
	if err != nil {
		t.Fatal(err)
	}
	for d, says := range map[layer.Dialect]string{layer.Keras3: `no argument "combiner" of Embedding, which is mean`, layer.Dialect(9): "unknown dialect"} {
		if _, err := pooled.ToJSON(d); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v, want an error that says %q", d, err, says)
		}
	}
	if _, err := new(model.Model).ToJSON(layer.Own); !errors.Is(err, model.ErrNotBuilt) {
		t.Errorf("a model without layers: %v", err)
	}
	const in = `{"class_name":"InputLayer","config":{"name":"a","shape":[3]},"name":"a","inbound_nodes":[]}`
	functional := func(layers, inputs, outputs string) string {
		return fmt.Sprintf(`{"class_name":"Functional","config":{"name":"m","layers":[%s],"input_layers":%s,"output_layers":%s}}`, layers, inputs, outputs)
	}
	flat := func(nodes string) string {
		return in + `,{"class_name":"Flatten","config":{"name":"f"},"name":"f","inbound_nodes":[` + nodes + `]}`
	}
	const a, f = `[["a",0,0]]`, `[["f",0,0]]`
	if _, err := model.FromJSON([]byte(functional(flat(`[["a",0,0,{}]]`), a, f)), model.ConfigOptions{}); err != nil {
		t.Errorf("a good model: %v", err)
	}
	for text, says := range map[string]string{
		``:                       "JSON",
		`{}`:                     "class_name must be Sequential",
		`{"class_name":"Model"}`: "config must be an object",
		`{"class_name":"Sequential","config":{}} {}`:                                                  "follows",
		`{"class_name":"Sequential","config":{}}`:                                                     "a list of layers",
		`{"class_name":"Sequential","config":[7]}`:                                                    "layer 0 of the model must be an object",
		`{"class_name":"Sequential","config":[{"class_name":"Dense","config":{"units":1,"unit":2}}]}`: `does not know "unit"`,
		functional(flat(`[["b",0,0,{}]]`), a, f):                                                      `call 0 of layer "f" takes what no layer gives`,
		functional(flat(`[["a",1,0,{}]]`), a, f):                                                      "no layer gives",
		functional(flat(`[["f",0,0,{}]]`), a, f):                                                      "no layer gives",
		functional(flat(`[["a",0,0,{"mask":3}]]`), a, f):                                              "takes tensors alone",
		functional(flat(`[["a",0,-1,{}]]`), a, f):                                                     "must be [layer, call, output]",
		functional(flat(`7`), a, f):                                                                   "must be a list",
		functional(flat(`{"args":[1],"kwargs":{}}`), a, f):                                            "takes tensors alone",
		functional(flat(`[["a",0,0,{}]]`), `[]`, f):                                                   "input_layers must name",
		functional(flat(`[["a",0,0,{}]]`), a, `[["g",0,0]]`):                                          "output_layers must name",
		functional(in+","+in, a, a):                                                                   "names of their own",
		functional(flat(``), a, f):                                                                    "output_layers must name",
	} {
		if _, err := model.FromJSON([]byte(text), model.ConfigOptions{}); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that says %q", text, err, says)
		}
	}
}

func FuzzFromJSON(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(configFolder, "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 3000 {
			f.Add(text)
		}
	}
	f.Add([]byte(`{"class_name":"Functional","config":{"layers":[
		{"class_name":"InputLayer","name":"x","config":{"shape":[1]}},
		{"class_name":"Dense","name":"d","config":{"units":2,"dtype":"mixed_float16"},"inbound_nodes":[[["x",0,0]],[["x",0,0]]]},
		{"class_name":"Operation","name":"m","config":{"function":"reduce_mean","axes":[1,-2]},"inbound_nodes":[[["d",0,0]]]}],
		"input_layers":[["x",0,0]],"output_layers":[["d",1,0]],
		"losses":[{"tensor":["m",0,0]},{"tensor":["m",0,0],"layer":"d","call":0},{"tensor":["m",0,0],"layer":"d"}],
		"updates":[{"tensor":["d",0,0],"layer":"d","variable":"d/kernel"}],
		"metrics":[{"tensor":["m",0,0],"name":"mean"}]}}`))
	large := regexp.MustCompile(`[0-9]{4}|[0-9][eE]`)
	f.Fuzz(func(t *testing.T, text []byte) {
		if large.Match(text) {
			return // a table of a thousand million rows is no fault, and takes its time
		}
		m, err := model.FromJSON(text, model.ConfigOptions{})
		if err != nil {
			return
		}
		own, err := m.ToJSON(layer.Own)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := model.FromJSON(own, model.ConfigOptions{})
		if err != nil {
			t.Fatalf("%s\nwritten as\n%s: %v", text, own, err)
		}
		if twice, err := again.ToJSON(layer.Own); err != nil || string(twice) != string(own) {
			t.Fatalf("%s\nwritten as\n%s\nand then as\n%s (%v)", text, own, twice, err)
		}
	})
}
