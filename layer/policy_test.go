package layer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func policy(t testing.TB, name string) layer.Policy {
	t.Helper()
	return must[layer.Policy](t)(layer.PolicyByName(name))
}

// narrow rounds as a cast to the type of a mixed policy does.
func narrow(name string, x float32) float32 {
	switch name {
	case "mixed_float16":
		return float16.FromFloat32(x).Float32()
	case "mixed_bfloat16":
		return bfloat16.FromFloat32(x).Float32()
	}
	return x
}

func TestPolicies(t *testing.T) {
	for name, compute := range map[string]layer.DType{"float32": "float32", "mixed_float16": "float16", "mixed_bfloat16": "bfloat16"} {
		p := policy(t, name)
		if p.Name() != name || p.ComputeDType() != compute || p.VariableDType() != "float32" {
			t.Errorf("policy %q computes in %s with weights of %s", p.Name(), p.ComputeDType(), p.VariableDType())
		}
		for _, l := range []layer.Layer{
			newDense(t, 1, layer.DenseOptions{Options: layer.Options{Policy: p}}), newEmbedding(t, 3, 2, layer.EmbeddingOptions{Options: layer.Options{Policy: p}}),
			newDynamic(t, 3, layer.DynamicOptions{Options: layer.Options{Policy: p}})} {
			b := layer.Of(l)
			if b.DTypePolicy() != p || b.ComputeDType() != compute || b.DType() != "float32" || b.VariableDType() != b.DType() || b.Dynamic() {
				t.Errorf("%s under %s: computes in %s, weights of %s, %s", b.Class(), name, b.ComputeDType(), b.DType(), b.VariableDType())
			}
			class, c, err := layer.ToConfig(l)
			if err != nil || c["dtype"] != name {
				t.Errorf("config of %s has dtype %v, %v", class, c["dtype"], err)
			}
			again := must[layer.Layer](t)(layer.FromConfig(class, c))
			if layer.Of(again).DTypePolicy() != p {
				t.Errorf("%s read again has policy %s", class, layer.Of(again).DTypePolicy().Name())
			}
		}
	}
	if p := newDense(t, 1, layer.DenseOptions{}).DTypePolicy(); p.Name() != "float32" || p.ComputeDType() != "float32" {
		t.Errorf("policy by default: %s", p.Name())
	}
	for name, is := range map[string]error{"float64": layer.ErrUnsupported, "bfloat16": layer.ErrUnsupported, "float16": layer.ErrUnsupported, "": layer.ErrArgument, "mixed": layer.ErrArgument} {
		if _, err := layer.PolicyByName(name); !errors.Is(err, is) || !strings.Contains(err.Error(), "mixed_bfloat16") {
			t.Errorf("policy %q: %v", name, err)
		}
	}
}

// TestPoliciesOfConfigs: as Keras 2 and Keras 3 write them.
func TestPoliciesOfConfigs(t *testing.T) {
	for _, dtype := range []any{"mixed_float16",
		map[string]any{"class_name": "Policy", "config": map[string]any{"name": "mixed_float16"}},
		map[string]any{"module": "keras", "class_name": "DTypePolicy", "config": map[string]any{"name": "mixed_float16"}, "registered_name": nil}} {
		l, err := layer.FromConfig("Flatten", layer.Config{"dtype": dtype})
		if err != nil || layer.Of(l).ComputeDType() != layer.Float16 {
			t.Errorf("%v: %v", dtype, err)
		}
	}
	for _, dtype := range []any{"float64", "", 7, map[string]any{"class_name": "Policy", "config": map[string]any{}}} {
		if _, err := layer.FromConfig("Flatten", layer.Config{"dtype": dtype}); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), `"dtype" must be`) {
			t.Errorf("%v: %v", dtype, err)
		}
	}
}

// TestPoliciesOfDialects: each Keras that has policies is told of them.
func TestPoliciesOfDialects(t *testing.T) {
	mixed := newDense(t, 2, layer.DenseOptions{Options: layer.Options{Policy: policy(t, "mixed_float16")}})
	for _, d := range []layer.Dialect{layer.Own, layer.Keras2, layer.TFKeras, layer.Keras3} {
		again := must[layer.Layer](t)(layer.Decode(must[layer.Config](t)(d.Encode(mixed))))
		if layer.Of(again).DTypePolicy() != mixed.DTypePolicy() {
			t.Errorf("%v: policy %q", d, layer.Of(again).DTypePolicy().Name())
		}
	}
	if _, err := layer.TF1.Encode(mixed); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), "no policies") {
		t.Errorf("in TensorFlow 1: %v", err)
	}
}

// TestGraphOfAConfig: that of a layer of TensorFlow 1 has no meaning here.
func TestGraphOfAConfig(t *testing.T) {
	l, err := layer.FromConfig("Embedding", layer.Config{"input_dim": 3, "output_dim": 2, "graph": "default"})
	if err != nil {
		t.Fatal(err)
	}
	if _, c, err := layer.ToConfig(l); err != nil || c["graph"] != nil || c["input_dim"] != 3 {
		t.Errorf("config %v, %v", c, err)
	}
}

// TestMixedPrecision computes Dense by hand: input and kernel are rounded, the
// product and its sum are rounded again.
func TestMixedPrecision(t *testing.T) {
	for _, name := range []string{"mixed_float16", "mixed_bfloat16"} {
		d := newDense(t, 1, layer.DenseOptions{Options: layer.Options{Policy: policy(t, name)}, NoBias: true,
			Kernel: layer.WeightOptions{Initializer: initializer.Constant{Value: 1.003}}})
		got := run(t, d, vector(t, []int{2, 1}, 1.001, 300.7)).Values[0].Floats.Data()
		kernel := narrow(name, 1.003)
		want := []float32{narrow(name, narrow(name, 1.001)*kernel), narrow(name, narrow(name, 300.7)*kernel)}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if v := d.Variables()[0].Value()[0]; v != 1.003 {
			t.Errorf("%s: the weight itself became %v", name, v)
		}
	}
}

// TestLayersUnderMixedPrecision: outputs have the narrow type, near those of
// float32. A bfloat16 has 8 bits, so that a few roundings are within 3 %.
func TestLayersUnderMixedPrecision(t *testing.T) {
	seq := masked(floats(t, 2, 3, 4), true, true, false, true, false, false)
	flat := floats(t, 2, 4)
	for _, name := range []string{"mixed_float16", "mixed_bfloat16"} {
		for what, c := range map[string]struct {
			make func(o layer.Options) layer.Layer
			in   []layer.Value
		}{
			"dense": {func(o layer.Options) layer.Layer {
				return newDense(t, 3, layer.DenseOptions{Options: o, Activation: "tanh"})
			}, []layer.Value{flat}},
			"softmax": {func(o layer.Options) layer.Layer {
				return newDense(t, 3, layer.DenseOptions{Options: o, Activation: "softmax"})
			}, []layer.Value{flat}},
			"activation": {func(o layer.Options) layer.Layer {
				return must[*layer.Activation](t)(layer.NewActivation("softmax", o))
			}, []layer.Value{flat}},
			"dropout": {func(o layer.Options) layer.Layer {
				return must[*layer.Dropout](t)(layer.NewDropout(0.5, layer.DropoutOptions{Options: o}))
			}, []layer.Value{flat}},
			"flatten": {func(o layer.Options) layer.Layer { return layer.NewFlatten(o) }, []layer.Value{floats(t, 2, 3, 4)}},
			"reshape": {func(o layer.Options) layer.Layer {
				return must[*layer.Reshape](t)(layer.NewReshape(layer.Shape{2, 2}, o))
			}, []layer.Value{flat}},
			"concatenate": {func(o layer.Options) layer.Layer {
				return must[*layer.Concatenate](t)(layer.NewConcatenate(-1, o))
			}, []layer.Value{flat, flat}},
			"add":             {func(o layer.Options) layer.Layer { return layer.NewAdd(o) }, []layer.Value{flat, flat}},
			"dot":             {func(o layer.Options) layer.Layer { return must[*layer.Dot](t)(layer.NewDot([2]int{1, 1}, true, o)) }, []layer.Value{flat, flat}},
			"average pooling": {func(o layer.Options) layer.Layer { return layer.NewGlobalAveragePooling1D(false, o) }, []layer.Value{seq}},
			"sum":             {func(o layer.Options) layer.Layer { return layer.NewGlobalSumPooling1D(false, o) }, []layer.Value{seq}},
			"max":             {func(o layer.Options) layer.Layer { return layer.NewGlobalMaxPooling1D(false, o) }, []layer.Value{seq}},
			"drop mask":       {func(o layer.Options) layer.Layer { return layer.NewDropMask(o) }, []layer.Value{seq}},
			"operation": {func(o layer.Options) layer.Layer {
				return must[*layer.Operation](t)(layer.NewOperation("square", layer.OperationOptions{}, o))
			}, []layer.Value{flat}},
			"batch normalization": {func(o layer.Options) layer.Layer {
				return newBatchNormalization(t, layer.BatchNormalizationOptions{Options: o})
			}, []layer.Value{flat}},
			"layer normalization": {func(o layer.Options) layer.Layer {
				return newLayerNormalization(t, layer.LayerNormalizationOptions{Options: o})
			}, []layer.Value{flat}},
			"cross":         {func(o layer.Options) layer.Layer { return newFeatureCross(t, layer.FeatureCrossOptions{Options: o}) }, []layer.Value{flat}},
			"attention":     {func(o layer.Options) layer.Layer { return layer.NewHistoryAttention(true, o) }, []layer.Value{flat, seq}},
			"factorization": {func(o layer.Options) layer.Layer { return layer.NewFactorizationMachine(o) }, []layer.Value{seq}},
			"interaction":   {func(o layer.Options) layer.Layer { return layer.NewDotInteraction(true, o) }, []layer.Value{seq}},
			"multiply":      {func(o layer.Options) layer.Layer { return layer.NewMultiply(o) }, []layer.Value{flat, flat}},
			"average":       {func(o layer.Options) layer.Layer { return layer.NewAverage(o) }, []layer.Value{flat, flat}},
			"embedding":     {func(o layer.Options) layer.Layer { return newEmbedding(t, 9, 4, layer.EmbeddingOptions{Options: o}) }, []layer.Value{ids(t, []int{2, 2}, 1, 2, 3, 4)}},
		} {
			o := layer.Options{Name: "same"}
			wide := run(t, c.make(o), c.in...).Values[0].Floats.Data()
			o.Policy = policy(t, name)
			l := c.make(o)
			got := run(t, l, c.in...).Values[0].Floats.Data()
			for i, x := range got {
				if x != narrow(name, x) {
					t.Errorf("%s under %s: %v is no number of that type", what, name, x)
				}
				if math.Abs(float64(x-wide[i])) > 0.03*(0.03+math.Abs(float64(wide[i]))) {
					t.Errorf("%s under %s: %v, in float32 %v", what, name, got, wide)
					break
				}
			}
			if slices.Equal(got, wide) && what != "drop mask" {
				t.Errorf("%s under %s computes what it does in float32", what, name)
			}
			// In training too, drawing random numbers.
			must[*layer.Output](t)(layer.Of(l).Run(context.Background(), layer.Args{Training: true}, c.in...))
		}
	}
}

// typed notes the types that its call sees, and adds one of each thing.
type typed struct {
	layer.Base
	w     *layer.Variable
	types []dtypes.DType
}

func (l *typed) Build(...layer.Shape) (err error) {
	l.w, err = l.AddWeight("w", layer.Shape{1}, layer.WeightOptions{DType: layer.Float32, Initializer: initializer.Constant{Value: 1.003}})
	return err
}

func (l *typed) Call(c *layer.Call, in ...*graph.Node) []*graph.Node {
	c.AddLossFunc(func(c *layer.Call) *graph.Node { return graph.ReduceAllSum(c.Var(l.w)) })
	l.types = append(l.types, in[0].DType(), c.Var(l.w).DType())
	c.AddLoss(graph.ReduceAllSum(in[0]))
	c.AddMetric("sum", graph.ReduceAllSum(in[0]))
	c.AddUpdate(l.w, graph.ReduceSum(in[0], 0))
	return []*graph.Node{graph.Const(c.Graph(), [][]float32{{1.003}})} // the base casts it
}

// TestOwnLayersAreCast: inputs and weights before the call, outputs behind it;
// losses, metrics and updates are float32 again.
func TestOwnLayersAreCast(t *testing.T) {
	l := new(typed)
	l.Init(l, layer.Options{Policy: policy(t, "mixed_bfloat16"), Activity: regularizer.L1(1)})
	if err := l.AddLossFunc(func(c *layer.Call) *graph.Node {
		l.types = append(l.types, c.Var(l.w).DType())
		return graph.ReduceAllSum(c.Var(l.w))
	}); err != nil {
		t.Fatal(err)
	}
	out := must[*layer.Output](t)(l.Run(context.Background(), layer.Args{Training: true}, vector(t, []int{1, 1}, 3.003)))
	if want := []dtypes.DType{dtypes.BFloat16, dtypes.BFloat16, dtypes.Float32}; !slices.Equal(l.types, want) {
		t.Errorf("the call saw %v; want input and weight narrow, the weight of a function not", l.types)
	}
	in, one := narrow("mixed_bfloat16", 3.003), narrow("mixed_bfloat16", 1.003)
	if out.Values[0].Floats.Data()[0] != one || !slices.Equal(out.Losses, []float32{1.003, in, one, 1.003}) || out.Metrics[0].Value != in || l.w.Value()[0] != in {
		t.Errorf("output %v, losses %v, metrics %v, weight %v", out.Values[0].Floats.Data(), out.Losses, out.Metrics, l.w.Value())
	}
	as := new(typed)
	as.Init(as, layer.Options{Policy: policy(t, "mixed_bfloat16"), NoAutocast: true})
	if got := run(t, as, vector(t, []int{1, 1}, 3.003)); !slices.Equal(as.types, []dtypes.DType{dtypes.Float32, dtypes.BFloat16}) || got.Losses[1] != 3.003 {
		t.Errorf("without autocast the call saw %v, losses %v", as.types, got.Losses)
	}
	y := apply(t, l, input(t, layer.NewScope(1), 1))
	if y.DType() != layer.BFloat16 || y.Node().In[0].DType() != layer.Float32 {
		t.Errorf("output of type %s from input of type %s", y.DType(), y.Node().In[0].DType())
	}
	if keys := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{IDs: true, KeyType: tensor.String})); keys.DType() != "string" {
		t.Errorf("ids of type %s", keys.DType())
	}
}

// TestIDsAreNeverCast: a bfloat16 could not tell them apart.
func TestIDsAreNeverCast(t *testing.T) {
	e := newEmbedding(t, 1<<17, 1, layer.EmbeddingOptions{Options: layer.Options{Policy: policy(t, "mixed_bfloat16")}})
	got := run(t, e, ids(t, []int{2}, 1<<16, 1<<16+1)).Values[0].Floats.Data()
	if got[0] == got[1] {
		t.Errorf("rows of different ids: %v", got)
	}
}

// TestMixedTrainsFloat32 weights: a step that is too small for a bfloat16 is
// not lost, and a probability of almost 1 has a loss by its logit.
func TestMixedTrainsFloat32(t *testing.T) {
	mixed := layer.Options{Policy: policy(t, "mixed_bfloat16")}
	s := layer.NewScope(1)
	in := idInput(t, s)
	e := newEmbedding(t, 3, 1, layer.EmbeddingOptions{Options: mixed, Initializer: initializer.Constant{Value: 1.003}})
	d := newDense(t, 1, layer.DenseOptions{Options: mixed, NoBias: true, Activation: "sigmoid", Kernel: layer.WeightOptions{Initializer: initializer.Constant{Value: 20}}})
	m := must[*model.Model](t)(model.New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, d, apply(t, e, in))}))
	err := m.Compile(model.CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1e-3)},
		OutputOptions: model.OutputOptions{LossName: "binary_crossentropy"}})
	if err != nil {
		t.Fatal(err)
	}
	b := &model.Batch{Inputs: []layer.Value{ids(t, []int{1}, 1)}, Labels: []*tensor.Values{tensor.ZeroValues(1)}}
	loss := must[float64](t)(m.TrainOnBatch(t.Context(), b))
	if loss != 20 { // softplus(20) rounds to 20; from the probability, which rounds to 1, it would be 16.1
		t.Errorf("loss = %v, want 20", loss)
	}
	row := must[[][]float32](t)(e.GetWeights(t.Context()))[0][1]
	if kernel := d.Variables()[0].Value()[0]; kernel != 20-1e-3 || math.Abs(float64(row-(1.003-0.02))) > 1e-6 {
		t.Errorf("kernel %v, row %v; want 19.999 and 0.983", kernel, row)
	}
	out := must[[]*tensor.Values](t)(m.PredictOnBatch(t.Context(), b))
	if out[0].Data()[0] != 1 {
		t.Errorf("prediction %v, want 1 in bfloat16", out[0].Data())
	}
}

func TestTypesOfWeights(t *testing.T) {
	var b broken
	b.Init(&b, layer.Options{})
	if _, err := b.AddWeight("w", layer.Shape{1}, layer.WeightOptions{DType: layer.Float32}); err != nil {
		t.Error(err)
	}
	if _, err := b.AddWeight("v", layer.Shape{1}, layer.WeightOptions{DType: "float64"}); !errors.Is(err, layer.ErrUnsupported) || !strings.Contains(err.Error(), "weights are float32") {
		t.Errorf("a weight of float64: %v", err)
	}
}

// TestSpecsOfTypes: what comes in has the type, before it is cast.
func TestSpecsOfTypes(t *testing.T) {
	s := layer.NewScope(1)
	half := newDense(t, 2, layer.DenseOptions{Options: layer.Options{Policy: policy(t, "mixed_float16")}})
	y := apply(t, half, input(t, s, 2))
	p := newPicky(layer.InputSpec{DType: layer.Float32})
	if _, err := p.Apply(y); !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), "expected dtype=float32, found dtype=float16") {
		t.Errorf("float16 for float32: %v", err)
	}
	apply(t, p, input(t, s, 2))
	run(t, p, floats(t, 1, 2))
	wants := newPicky(layer.InputSpec{DType: layer.Float16})
	if _, err := wants.Run(t.Context(), layer.Args{}, floats(t, 1, 2)); !errors.Is(err, layer.ErrShape) {
		t.Errorf("arrays of float32 for float16: %v", err)
	}
	apply(t, wants, y)
	e := newEmbedding(t, 9, 2, layer.EmbeddingOptions{})
	e.SetInputSpec(layer.InputSpec{DType: "int32"})
	vocabulary := must[*layer.IntegerLookup](t)(layer.NewIntegerLookup(5, layer.IntegerLookupOptions{}))
	vocabulary.SetInputSpec(layer.InputSpec{DType: "int32"})
	_, symbolic := e.Apply(idInput(t, s))
	_, eager := e.Run(t.Context(), layer.Args{}, ids(t, []int{1}, 1))
	_, mapped := vocabulary.Run(t.Context(), layer.Args{}, ids(t, []int{1}, 1))
	for _, err := range []error{symbolic, eager, mapped} {
		if !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), "expected dtype=int32, found dtype=int64") {
			t.Errorf("int64 for int32: %v", err)
		}
	}
}
