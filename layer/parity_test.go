package layer_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// The tests of this file prove rows of docs/parity.md that no other test does.

func newDynamic(t testing.TB, size int, o layer.DynamicOptions) *layer.DynamicEmbedding {
	t.Helper()
	return must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(size, o))
}

// batches are the layouts of ids that an embedding of rows 0 to 3 is given.
func batches(t testing.TB) map[string]tensor.IDs {
	t.Helper()
	return map[string]tensor.IDs{
		"dense":  must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{3, 1, 1, 0, 2, 3}, 3, 2)),
		"ragged": tensor.RaggedOf([]int64{3, 1, 1}, nil, []int64{0}),
		"sparse": must[*tensor.Sparse[int64]](t)(tensor.NewSparse([]int64{0, 0, 0, 2, 2, 1}, []int64{3, 1, 2}, 3, 4)),
	}
}

// TestDynamicIsAsStatic gives both layers the same rows: they compute the same
// and train the same, in every layout, pooled or not.
func TestDynamicIsAsStatic(t *testing.T) {
	rows := []float32{1, 2, 3, 4, 5, 6, 7, 8}
	for name, batch := range batches(t) {
		for _, c := range []rowan.Combiner{rowan.None, rowan.Sum, rowan.Mean} {
			static := newEmbedding(t, 4, 2, layer.EmbeddingOptions{Combiner: c, Options: layer.Options{Weights: [][]float32{rows}, Activity: regularizer.L2(0.1)}})
			dynamic := newDynamic(t, 2, layer.DynamicOptions{Pool: c, Options: layer.Options{Activity: regularizer.L2(0.1)}})
			run(t, dynamic, ids(t, []int{1, 1}, 0)) // builds it
			if err := dynamic.Table().Upsert(context.Background(), ids(t, []int{4}, 0, 1, 2, 3).IDs, must[*tensor.Values](t)(tensor.NewValues(rows, 4, 2))); err != nil {
				t.Fatal(err)
			}
			value := layer.Value{IDs: batch}
			if a, b := run(t, static, value), run(t, dynamic, value); !reflect.DeepEqual(a.Values[0].Floats.Data(), b.Values[0].Floats.Data()) ||
				!slices.Equal(a.Values[0].Floats.Shape(), b.Values[0].Floats.Shape()) || !slices.Equal(a.Values[0].Splits, b.Values[0].Splits) || !slices.Equal(a.Losses, b.Losses) {
				t.Errorf("%s %v: static %+v, dynamic %+v", name, c, a, b)
			}
			train(t, static, static.Table(), batch)
			train(t, dynamic, dynamic.Table(), batch)
			all := ids(t, []int{4}, 0, 1, 2, 3).IDs
			a := must[*rowan.Lookup](t)(static.Table().Lookup(context.Background(), all, rowan.LookupOptions{}))
			b := must[*rowan.Lookup](t)(dynamic.Table().Lookup(context.Background(), all, rowan.LookupOptions{}))
			if !slices.Equal(a.Values().Data(), b.Values().Data()) || slices.Equal(a.Values().Data(), rows) {
				t.Errorf("%s %v: after a step static %v, dynamic %v", name, c, a.Values().Data(), b.Values().Data())
			}
		}
	}
}

// train makes a step of plain gradient descent with a gradient of ones.
func train(t testing.TB, l layer.HostLayer, table *rowan.Table, batch tensor.IDs) {
	t.Helper()
	if err := table.SetOptimizer(&optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}); err != nil {
		t.Fatal(err)
	}
	var r layer.Rows
	if err := l.Lookup(context.Background(), &r, batch, true); err != nil {
		t.Fatal(err)
	}
	fed, _, err := r.Feed()
	if err != nil {
		t.Fatal(err)
	}
	grad := tensor.ZeroValues(fed.Shape()...)
	for i := range grad.Data() {
		grad.Data()[i] = 1
	}
	g := table.NewGradients()
	if err := r.Backward(g, grad); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(context.Background(), g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
}

func TestKeysOfEveryType(t *testing.T) {
	all := map[tensor.KeyType]tensor.IDs{
		tensor.Int32:  must[*tensor.Dense[int32]](t)(tensor.NewDense([]int32{math.MinInt32})),
		tensor.Int64:  must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{math.MinInt64})),
		tensor.Uint64: must[*tensor.Dense[uint64]](t)(tensor.NewDense([]uint64{math.MaxUint64})),
		tensor.String: must[*tensor.Dense[string]](t)(tensor.NewDense([]string{"rowan"})),
	}
	for keys := range all {
		for of, batch := range all {
			_, err := newDynamic(t, 2, layer.DynamicOptions{KeyType: keys}).Run(context.Background(), layer.Args{}, layer.Value{IDs: batch})
			in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{IDs: true, KeyType: of, Scope: layer.NewScope(1)}))
			_, symbolic := newDynamic(t, 2, layer.DynamicOptions{KeyType: keys}).Apply(in)
			if fits := keys == of || keys == tensor.Int64 && of == tensor.Int32; fits {
				if err != nil || symbolic != nil {
					t.Errorf("%v ids in %v keys: %v, %v", of, keys, err, symbolic)
				}
				continue
			}
			if !errors.Is(err, rowan.ErrKeyType) || !strings.Contains(err.Error(), keys.String()) || !strings.Contains(err.Error(), of.String()) {
				t.Errorf("%v ids in %v keys: %v, want an error that names both", of, keys, err)
			}
			if !errors.Is(symbolic, layer.ErrStage) || !strings.Contains(symbolic.Error(), keys.String()) || !strings.Contains(symbolic.Error(), of.String()) {
				t.Errorf("symbolic %v ids in %v keys: %v, want an error that names both", of, keys, symbolic)
			}
		}
	}
}

// TestConfigOfDefaults reads what the zero options stand for.
func TestConfigOfDefaults(t *testing.T) {
	object := func(class string, c map[string]any) map[string]any {
		return map[string]any{"class_name": class, "config": c}
	}
	for _, c := range []struct {
		layer layer.Configurer
		want  map[string]any
	}{
		{newDynamic(t, 8, layer.DynamicOptions{}), map[string]any{
			"embedding_size": 8, "key_dtype": "int64", "value_dtype": "float32", "combiner": "sum", "with_unique": true, "trainable": true,
			"max_norm": 0.0, "init_capacity": 0, "pool": nil, "devices": nil, "bp_v2": false, "keep_distribution": false, "distribute_strategy": nil,
			"initializer": object("RandomNormal", map[string]any{"mean": 0.0, "stddev": 0.05})}},
		{newEmbedding(t, 9, 4, layer.EmbeddingOptions{}), map[string]any{
			"input_dim": 9, "output_dim": 4, "trainable": true, "dtype": "float32", "activity_regularizer": nil,
			"embeddings_initializer": object("RandomUniform", map[string]any{"minval": -0.05, "maxval": 0.05}),
			"embeddings_regularizer": nil, "embeddings_constraint": nil, "mask_zero": false, "input_length": nil, "combiner": nil}},
	} {
		got := c.layer.Config()
		for key, want := range c.want {
			if !reflect.DeepEqual(got[key], want) {
				t.Errorf("%T: %s = %v, want %v", c.layer, key, got[key], want)
			}
		}
	}
}

// TestConfigHoldsEveryArgument sets every argument of the Embedding pages that
// there is, and looks for it under its name.
func TestConfigHoldsEveryArgument(t *testing.T) {
	l := newEmbedding(t, 9, 4, layer.EmbeddingOptions{Options: layer.Options{Name: "mine", Frozen: true, Activity: regularizer.L1(0.1)},
		Initializer: initializer.Ones{}, Regularizer: regularizer.L2(0.3), Constraint: constraint.MaxNorm{Max: 2, Axis: 1}, MaskZero: true, InputLength: []int{3}})
	got := l.Config()
	class := func(v any) any { return v.(map[string]any)["class_name"] }
	for key, want := range map[string]any{"name": "mine", "trainable": false, "dtype": "float32", "input_dim": 9, "output_dim": 4, "mask_zero": true} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
	for key, want := range map[string]any{"embeddings_initializer": "Ones", "embeddings_regularizer": "L1L2", "embeddings_constraint": "MaxNorm", "activity_regularizer": "L1L2"} {
		if class(got[key]) != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
	if !reflect.DeepEqual(got["input_length"], []int{3}) {
		t.Errorf("input_length = %v", got["input_length"])
	}
	if l := newEmbedding(t, 9, 4, layer.EmbeddingOptions{Combiner: rowan.Mean}); l.Config()["combiner"] != "mean" {
		t.Errorf("combiner = %v", l.Config()["combiner"])
	}
}

func TestSizeIsAWholeNumber(t *testing.T) {
	for _, c := range []struct {
		size any
		says string
	}{{8.0, ""}, {8, ""}, {8.7, "an integer"}, {"8", "a number"}, {-1, "positive integer"}} {
		_, err := layer.FromConfig("DynamicEmbedding", layer.Config{"embedding_size": c.size})
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("embedding_size %v: %v, want an error that says %q", c.size, err, c.says)
		}
	}
}

// TestCombinerOfTheLayer: the argument is kept, and does not pool; Pool does.
func TestCombinerOfTheLayer(t *testing.T) {
	batch := ids(t, []int{3, 2}, 1, 2, 3, 4, 5, 6)
	if l := newDynamic(t, 8, layer.DynamicOptions{Combiner: "mean"}); !slices.Equal(run(t, l, batch).Values[0].Floats.Shape(), []int{3, 2, 8}) || l.Config()["combiner"] != "mean" {
		t.Errorf("combiner mean: shape %v, config %v", run(t, l, batch).Values[0].Floats.Shape(), l.Config()["combiner"])
	}
	if _, err := layer.NewDynamicEmbedding(8, layer.DynamicOptions{Combiner: "median"}); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("combiner median: error %v", err)
	}
	if got := run(t, newDynamic(t, 8, layer.DynamicOptions{Pool: rowan.Mean}), batch).Values[0].Floats.Shape(); !slices.Equal(got, []int{3, 8}) {
		t.Errorf("pooled: shape %v", got)
	}
}

func TestLayerNamesItsTable(t *testing.T) {
	named := newDynamic(t, 2, layer.DynamicOptions{Options: layer.Options{Name: "users"}})
	run(t, named, ids(t, []int{1}, 7))
	s := layer.NewScope(1)
	a, b := newDynamic(t, 2, layer.DynamicOptions{}), newDynamic(t, 3, layer.DynamicOptions{})
	apply(t, a, idInput(t, s))
	apply(t, b, idInput(t, s))
	for _, c := range []struct {
		layer *layer.DynamicEmbedding
		want  string
	}{{named, "users"}, {a, "dynamic_embedding"}, {b, "dynamic_embedding_1"}} {
		if c.layer.Name() != c.want || c.layer.Table().Name() != c.want {
			t.Errorf("layer %q over table %q, want %q", c.layer.Name(), c.layer.Table().Name(), c.want)
		}
	}
}

// TestWithUnique: distinct or not, repeated ids read and train the same.
func TestWithUnique(t *testing.T) {
	batch := ids(t, []int{2, 2}, 5, 5, 6, 5)
	var read, trained [2][]float32
	for i, without := range []bool{false, true} {
		l := newDynamic(t, 3, layer.DynamicOptions{Options: layer.Options{Name: "same"}, WithoutUnique: without})
		read[i] = slices.Clone(run(t, l, batch).Values[0].Floats.Data())
		train(t, l, l.Table(), batch.IDs)
		trained[i] = run(t, l, batch).Values[0].Floats.Data()
	}
	if !slices.Equal(read[0], read[1]) || !slices.Equal(trained[0], trained[1]) {
		t.Errorf("read %v, trained %v", read, trained)
	}
	if moved := read[0][0] - trained[0][0]; math.Abs(float64(moved)-3) > 1e-6 {
		t.Errorf("an id that occurs three times moved by %v, want 3", moved)
	}
}

func TestInitCapacity(t *testing.T) {
	const n = 100_000
	keys := make([]int64, n)
	for i := range keys {
		keys[i] = int64(i) * 7
	}
	index := func(capacity int) (empty, full int64) {
		l := newDynamic(t, 1, layer.DynamicOptions{InitCapacity: capacity})
		run(t, l, ids(t, []int{1}, 0))
		empty = l.Table().Stats().IndexBytes
		if err := l.Table().Upsert(context.Background(), ids(t, []int{n}, keys...).IDs, tensor.ZeroValues(n, 1)); err != nil {
			t.Fatal(err)
		}
		return empty, l.Table().Stats().IndexBytes
	}
	small, grown := index(0)
	roomy, filled := index(n)
	if roomy <= 4*small || filled != roomy {
		t.Errorf("index of room for %d keys: %d bytes empty, %d full; without: %d and %d", n, roomy, filled, small, grown)
	}
}

func TestMaxNormOfALayer(t *testing.T) {
	for bound, want := range map[float32]float64{0: 5, 1: 1} {
		l := newDynamic(t, 2, layer.DynamicOptions{MaxNorm: bound, Initializer: initializer.Constant{Value: 5 / math.Sqrt2}})
		for i, key := range []int64{1, 2} {
			if i == 1 { // store it
				run(t, l, ids(t, []int{1}, key))
				train(t, l, l.Table(), must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{key, key}, 1, 2)))
				if bound == 0 {
					want = math.Hypot(5/math.Sqrt2-2, 5/math.Sqrt2-2)
				}
			}
			x := run(t, l, ids(t, []int{1}, key)).Values[0].Floats.Data()
			if norm := math.Hypot(float64(x[0]), float64(x[1])); math.Abs(norm-want) > 1e-5 {
				t.Errorf("max_norm %v, stored %v: norm %v, want %v", bound, i == 1, norm, want)
			}
		}
	}
}

// TestEagerRunsMakeNoNode: what a symbolic call leaves behind is not there.
func TestEagerRunsMakeNoNode(t *testing.T) {
	d := newDense(t, 2, layer.DenseOptions{})
	run(t, d, floats(t, 3, 4))
	for name, err := range map[string]error{
		"Input": second(d.Input()), "Output": second(d.Output()), "OutputShapes": second(d.OutputShapes()),
		"InputAt": second(d.InputAt(0)), "OutputAt": second(d.OutputAt(0)),
		"InputShapeAt": second(d.InputShapeAt(0)), "OutputShapeAt": second(d.OutputShapeAt(0)),
	} {
		if !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "runs on data leave no node") {
			t.Errorf("%s after an eager run: %v", name, err)
		}
	}
}

// picky is a layer with a spec of its own.
type picky struct {
	layer.Base
	shapes []layer.Shape // that Build was given
}

func newPicky(specs ...layer.InputSpec) *picky {
	p := new(picky)
	p.Init(p, layer.Options{Name: "conv2d"})
	p.SetInputSpec(specs...)
	return p
}

func (p *picky) Build(in ...layer.Shape) error {
	p.shapes = append(p.shapes, in...)
	return nil
}

func (p *picky) Call(_ *layer.Call, in ...*graph.Node) []*graph.Node { return in[:1] }

func TestInputSpec(t *testing.T) {
	s := layer.NewScope(1)
	four := layer.InputSpec{Rank: 4}
	if got := newPicky(four, layer.InputSpec{MinRank: 2}).InputSpec(); len(got) != 2 || got[0].Rank != 4 || got[1].MinRank != 2 {
		t.Errorf("InputSpec = %+v", got)
	}
	for _, c := range []struct {
		name string
		spec []layer.InputSpec
		in   []*layer.Tensor
		says string
	}{
		{"rank", []layer.InputSpec{four}, []*layer.Tensor{input(t, s, 2)}, `input 0 of layer "conv2d" is incompatible with the layer: expected ndim=4, found ndim=2. Full shape received: (None, 2)`},
		{"rank fits", []layer.InputSpec{four}, []*layer.Tensor{input(t, s, 2, 3, -1)}, ""},
		{"least rank", []layer.InputSpec{{MinRank: 3}}, []*layer.Tensor{input(t, s, 2)}, "expected min_ndim=3, found ndim=2"},
		{"shape", []layer.InputSpec{{Axes: map[int]int{-1: 3}}}, []*layer.Tensor{input(t, s, 5)}, "expected axis -1 of input shape to have value 3, but received input with shape (None, 5)"},
		{"free shape", []layer.InputSpec{{Axes: map[int]int{-1: 3}}}, []*layer.Tensor{input(t, s, -1)}, ""},
		{"second input", []layer.InputSpec{{}, four}, []*layer.Tensor{input(t, s, 2), input(t, s, 2)}, "input 1 of layer"},
		{"too few inputs", []layer.InputSpec{{}, {}}, []*layer.Tensor{input(t, s, 2)}, "expects 2 inputs, but it received 1"},
	} {
		p := newPicky(c.spec...)
		_, err := p.Apply(c.in...)
		if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want an error that says %q", c.name, err, c.says)
		}
		if err != nil && p.Built() {
			t.Errorf("%s: refused, but built", c.name)
		}
	}
}

func TestBuildIsGivenTheShapes(t *testing.T) {
	s := layer.NewScope(1)
	p := newPicky()
	apply(t, p, input(t, s, 3), input(t, s, -1, 5))
	if len(p.shapes) != 2 || p.shapes[0].String() != "(None, 3)" || p.shapes[1].String() != "(None, None, 5)" {
		t.Errorf("Build was given %v", p.shapes)
	}
	if q := newPicky(); run(t, q, floats(t, 2, 3)) == nil || len(q.shapes) != 1 || !q.shapes[0].Accepts([]int{2, 3}) {
		t.Errorf("eagerly Build was given %v", q.shapes)
	}
}

// TestWeightsComeInOrder: those of a layer in the order of their making, then
// those of its sublayers; trained or not, they load into a layer like it.
func TestWeightsComeInOrder(t *testing.T) {
	a, b := newBlock(t), newBlock(t)
	x := floats(t, 3, 4)
	run(t, a, x)
	run(t, b, x)
	must[*layer.Output](t)(a.Run(context.Background(), layer.Args{Training: true}, x)) // moves its mean
	var names []string
	for _, v := range a.Variables() {
		names = append(names, v.Name())
	}
	if want := []string{"block/mean", "block/dense/kernel", "block/dense/bias"}; !slices.Equal(names, want) {
		t.Errorf("weights %v, want %v", names, want)
	}
	w := must[[][]float32](t)(a.GetWeights(context.Background()))
	if len(w) != 3 || len(w[0]) != 2 || len(w[1]) != 8 || len(w[2]) != 2 || w[0][0] == 0 {
		t.Fatalf("weights = %v", w)
	}
	if err := b.SetWeights(w); err != nil {
		t.Fatal(err)
	}
	if got := must[[][]float32](t)(b.GetWeights(context.Background())); !reflect.DeepEqual(got, w) {
		t.Errorf("weights %v became %v", w, got)
	}
	if !slices.Equal(run(t, a, x).Values[0].Floats.Data(), run(t, b, x).Values[0].Floats.Data()) {
		t.Error("equal weights compute different outputs")
	}
}

func TestSetWeightsAllOrNothing(t *testing.T) {
	d := newDense(t, 2, layer.DenseOptions{})
	if err := d.SetWeights([][]float32{make([]float32, 8), {1, 2}}); !errors.Is(err, layer.ErrWeights) || !strings.Contains(err.Error(), "expecting 0 weights") {
		t.Errorf("weights before they exist: %v", err)
	}
	run(t, d, floats(t, 3, 4))
	before := must[[][]float32](t)(d.GetWeights(context.Background()))
	for _, bad := range [][][]float32{{make([]float32, 8), {1}}, {make([]float32, 8)}, {{1}, {1, 2}}} {
		if err := d.SetWeights(bad); !errors.Is(err, layer.ErrWeights) {
			t.Errorf("weights %v: %v", bad, err)
		}
		if after := must[[][]float32](t)(d.GetWeights(context.Background())); !reflect.DeepEqual(before, after) {
			t.Errorf("refused weights %v were set", bad)
		}
	}
}

// lossy adds the mean and the sum of its input to the losses of a model.
type lossy struct{ layer.Base }

func (l *lossy) Build(...layer.Shape) error { return nil }

func (l *lossy) Call(c *layer.Call, in ...*graph.Node) []*graph.Node {
	c.AddLoss(graph.ReduceAllMean(in[0]), graph.ReduceAllSum(in[0]))
	return in
}

// TestLossesOfEveryCall: each call of a shared layer adds its own.
func TestLossesOfEveryCall(t *testing.T) {
	l := new(lossy)
	l.Init(l, layer.Options{})
	if out := run(t, l, vector(t, []int{2, 1}, 1, 3)); !slices.Equal(out.Losses, []float32{2, 4}) {
		t.Errorf("losses = %v, want mean and sum", out.Losses)
	}
	s := layer.NewScope(1)
	a, b := input(t, s, 1), input(t, s, 1)
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{a, b}, []*layer.Tensor{apply(t, l, a), apply(t, l, b)}))
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Losses: []loss.Func{nil, nil}}))
	arrays := []dense.Array{dense.Floats([]float32{1, 3}, 2, 1), dense.Floats([]float32{10, 30}, 2, 1)}
	if r := must[*dense.Results](t)(q.Run(args(q, arrays))); r.Loss != 2+4+20+40 {
		t.Errorf("loss of two calls = %v, want 66", r.Loss)
	}
}

func TestMasksOfEmbeddings(t *testing.T) {
	batch := ids(t, []int{1, 2}, 5, 0)
	for name, c := range map[string]struct {
		layer layer.Layer
		want  []bool
	}{
		"dynamic":           {newDynamic(t, 2, layer.DynamicOptions{}), nil},
		"dynamic, padded":   {newDynamic(t, 2, layer.DynamicOptions{Padding: new(int64)}), nil},
		"static":            {newEmbedding(t, 9, 2, layer.EmbeddingOptions{}), nil},
		"static, mask_zero": {newEmbedding(t, 9, 2, layer.EmbeddingOptions{MaskZero: true}), []bool{true, false}},
	} {
		if got := run(t, c.layer, batch).Values[0].Mask; !slices.Equal(got, c.want) {
			t.Errorf("%s: mask %v, want %v", name, got, c.want)
		}
		out := apply(t, c.layer, idInput(t, layer.NewScope(1), 2))
		if out.Masked() != (c.want != nil) {
			t.Errorf("%s: symbolic output is masked: %v", name, out.Masked())
		}
	}
	s := layer.NewScope(1)
	ragged := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{IDs: true, Ragged: true, Scope: s}))
	if !apply(t, newDynamic(t, 2, layer.DynamicOptions{}), ragged).Masked() {
		t.Error("ragged ids, which a graph is fed padded, carry no mask")
	}
}

// TestConfigLeavesWeightsAndNodesOut makes a layer again from its config.
func TestConfigLeavesWeightsAndNodesOut(t *testing.T) {
	d := newDense(t, 2, layer.DenseOptions{Options: layer.Options{Name: "d"}})
	apply(t, d, input(t, layer.NewScope(7), 4))
	class, c, err := layer.ToConfig(d)
	if err != nil {
		t.Fatal(err)
	}
	again := must[layer.Layer](t)(layer.FromConfig(class, c))
	if b := layer.Of(again); b.Built() || len(b.Nodes()) != 0 || len(b.Variables()) != 0 {
		t.Errorf("made again it has %d nodes and %d weights", len(b.Nodes()), len(b.Variables()))
	}
	x := floats(t, 1, 4)
	if slices.Equal(run(t, d, x).Values[0].Floats.Data(), run(t, again, x).Values[0].Floats.Data()) {
		t.Error("made again it has the weights of the first")
	}
}

// TestConfigIsAFreshCopy: nothing that is done to a config reaches the layer.
func TestConfigIsAFreshCopy(t *testing.T) {
	for _, l := range configured(t) {
		if _, ok := l.(*layer.DynamicEmbedding); !ok {
			continue
		}
		class, c, err := layer.ToConfig(l)
		if err != nil {
			t.Fatal(err)
		}
		before := must[[]byte](t)(json.Marshal(c))
		spoil(c)
		_, c, _ = layer.ToConfig(l)
		if after := must[[]byte](t)(json.Marshal(c)); string(before) != string(after) {
			t.Errorf("%s: a change to its config changed the layer:\n%s\n%s", class, before, after)
		}
	}
}

// spoil changes everything that a config holds.
func spoil(c map[string]any) {
	for k, v := range c {
		switch x := v.(type) {
		case map[string]any:
			spoil(x)
		case []any:
			clear(x)
		}
		c[k] = "spoilt"
	}
}

// TestFirstRowsAreTheInitializers: of the seed, the name and the row.
func TestFirstRowsAreTheInitializers(t *testing.T) {
	rows := func(seed uint64, i initializer.Initializer) []float32 {
		l := newEmbedding(t, 4, 3, layer.EmbeddingOptions{Initializer: i, Options: layer.Options{Name: "e"}})
		apply(t, l, idInput(t, layer.NewScope(seed)))
		return must[[][]float32](t)(l.GetWeights(context.Background()))[0]
	}
	if got := rows(1, initializer.Constant{Value: 2}); !slices.Equal(got, slices.Repeat([]float32{2}, 12)) {
		t.Errorf("rows of Constant(2) = %v", got)
	}
	a := rows(1, nil)
	if !slices.Equal(a, rows(1, initializer.RandomUniform{Min: -0.05, Max: 0.05})) || slices.Equal(a, rows(2, nil)) || slices.Equal(a[:3], a[3:6]) {
		t.Errorf("rows by default = %v: want those of RandomUniform(-0.05, 0.05), another seed others, each its own", a)
	}
}

func TestTensorsKnowTheirLayer(t *testing.T) {
	d := newDense(t, 2, layer.DenseOptions{Options: layer.Options{Name: "maker"}})
	x := input(t, layer.NewScope(1), 4)
	y := apply(t, d, x)
	if y.Name() != "maker" || y.Node().Layer != layer.Layer(d) || y.Node().In[0] != x || y.Index() != 0 || y.Node() != d.Nodes()[0] {
		t.Errorf("output %q, node %+v", y.Name(), y.Node())
	}
}

func TestAddWeight(t *testing.T) {
	var b broken
	b.Init(&b, layer.Options{Name: "mine"})
	if err := layer.Bind(&b, layer.NewScope(1)); err != nil {
		t.Fatal(err)
	}
	first := must[*layer.Variable](t)(b.AddWeight("w", layer.Shape{30, 20}, layer.WeightOptions{}))
	if again, err := b.AddWeight("w", layer.Shape{30, 20}, layer.WeightOptions{}); err != nil || again != first || len(b.Variables()) != 1 {
		t.Errorf("a weight of the same name: %v, %v", again, err)
	}
	if first.Name() != "mine/w" || first.Shape().String() != "(30, 20)" || !first.Trainable() {
		t.Errorf("weight %q of shape %v", first.Name(), first.Shape())
	}
	// Glorot uniform: even over ±√(6/(in+out)).
	limit := float32(math.Sqrt(6.0 / 50))
	if lo, hi := slices.Min(first.Value()), slices.Max(first.Value()); lo < -limit || hi > limit || lo > -0.9*limit || hi < 0.9*limit {
		t.Errorf("first values from %v to %v, want nearly ±%v", lo, hi, limit)
	}
	o := layer.WeightOptions{Initializer: initializer.Constant{Value: -3}, Regularizer: regularizer.L2(2), Constraint: constraint.NonNeg{}, Frozen: true}
	all := must[*layer.Variable](t)(b.AddWeight("v", layer.Shape{2}, o))
	if all.Value()[1] != -3 || all.Regularizer() != regularizer.L2(2) || all.Trainable() {
		t.Errorf("weight %v, %+v, trainable %v", all.Value(), all.Regularizer(), all.Trainable())
	}
	if all.Constrain(); all.Value()[0] != 0 {
		t.Errorf("weight %v after its constraint", all.Value())
	}
	if b.SetTrainable(false); first.Trainable() {
		t.Error("a weight of a frozen layer is trainable")
	}
}

// TestSparseBags: rows without an id are rows of zeros.
func TestSparseBags(t *testing.T) {
	batch := must[*tensor.Sparse[int64]](t)(tensor.NewSparse([]int64{1, 0, 1, 4, 3, 2}, []int64{2, 0, 1}, 5, 6))
	for c, want := range map[rowan.Combiner][]float32{
		rowan.Sum:  {0, 0, 20, 22, 0, 0, 10, 11, 0, 0},
		rowan.Mean: {0, 0, 10, 11, 0, 0, 10, 11, 0, 0},
	} {
		l := newEmbedding(t, 3, 2, layer.EmbeddingOptions{Combiner: c, Options: layer.Options{Weights: [][]float32{{0, 1, 10, 11, 20, 21}}}})
		out := run(t, l, layer.Value{IDs: batch}).Values[0].Floats
		if !slices.Equal(out.Shape(), []int{5, 2}) || !slices.Equal(out.Data(), want) {
			t.Errorf("%v: shape %v, %v, want %v", c, out.Shape(), out.Data(), want)
		}
	}
}

// TestMetricsOfLayersAreAveraged: what a layer reports of each batch is in a
// model's logs as the mean over the examples of the epoch.
func TestMetricsOfLayersAreAveraged(t *testing.T) {
	in := input(t, layer.NewScope(1), 1)
	m := must[*model.Model](t)(model.New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, newMeanLoss(), in)}))
	err := m.Compile(model.CompileOptions{OutputOptions: model.OutputOptions{LossName: "mse"}})
	if err != nil {
		t.Fatal(err)
	}
	x := vector(t, []int{3, 1}, 1, 4, 10)
	logs := must[model.Logs](t)(m.Evaluate(context.Background(), &model.Arrays{Inputs: []layer.Value{x}, Labels: []*tensor.Values{x.Floats}, BatchSize: 2}))
	if got, ok := logs.Get("max"); !ok || math.Abs(got-(4*2+10)/3.0) > 1e-6 {
		t.Errorf("logs %v, want a max of 6: 4 of two examples, 10 of one", logs)
	}
}

// counter keeps the mean and the sum of what it was last trained on.
type counter struct {
	layer.Base
	mean, sum *layer.Variable
}

func (l *counter) Build(...layer.Shape) (err error) {
	o := layer.WeightOptions{Frozen: true, Initializer: initializer.Zeros{}}
	if l.mean, err = l.AddWeight("mean", layer.Shape{1}, o); err != nil {
		return err
	}
	l.sum, err = l.AddWeight("sum", layer.Shape{1}, o)
	return err
}

func (l *counter) Call(c *layer.Call, in ...*graph.Node) []*graph.Node {
	if c.Training {
		c.AddUpdate(l.mean, graph.ReduceMean(in[0], 0))
		c.AddUpdate(l.sum, graph.ReduceSum(in[0], 0))
	}
	return in
}

func TestSeveralUpdates(t *testing.T) {
	l := new(counter)
	l.Init(l, layer.Options{})
	x := vector(t, []int{2, 1}, 1, 3)
	run(t, l, x)
	if w := must[[][]float32](t)(l.GetWeights(context.Background())); w[0][0] != 0 || w[1][0] != 0 {
		t.Errorf("weights %v after a run that adds no update", w)
	}
	must[*layer.Output](t)(l.Run(context.Background(), layer.Args{Training: true}, x))
	if w := must[[][]float32](t)(l.GetWeights(context.Background())); w[0][0] != 2 || w[1][0] != 4 {
		t.Errorf("weights %v after a step, want mean 2 and sum 4", w)
	}
}

// TestConstantRow starts every key at the same row, whose length is checked.
func TestConstantRow(t *testing.T) {
	row := initializer.Values{1, -2, 3}
	l := newDynamic(t, 3, layer.DynamicOptions{Initializer: row})
	class, c, err := layer.ToConfig(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []layer.Layer{l, must[layer.Layer](t)(layer.FromConfig(class, c))} {
		if got := run(t, l, ids(t, []int{2}, 7, -9)).Values[0].Floats.Data(); !slices.Equal(got, []float32{1, -2, 3, 1, -2, 3}) {
			t.Errorf("rows %v, want %v twice", got, row)
		}
	}
	_, err = newDynamic(t, 4, layer.DynamicOptions{Initializer: row}).Run(context.Background(), layer.Args{}, ids(t, []int{1}, 7))
	if err == nil || !strings.Contains(err.Error(), "3 numbers for width 4") {
		t.Errorf("a row of another length: %v", err)
	}
}
