package layer_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// keyRows makes the row of key k (k, -k), by hand, for the keys of these tests.
func keyRows(t testing.TB, table *rowan.Table) {
	t.Helper()
	rows := must[rowan.Typed[int64]](t)(rowan.As[int64](table))
	for _, k := range []int64{11, 12, 13, 21, 22, 25} {
		if err := rows.Set(t.Context(), k, float32(k), float32(-k)); err != nil {
			t.Fatal(err)
		}
	}
}

// firstDigit is the slot of a key of two digits, from 0.
func firstDigit(id int64) int { return int(id/10) - 1 }

// layouts are two examples, {11, 25, 12, 11} and {21} but for a rectangle, in
// every layout. Ids of three dimensions have the same examples.
func layouts(t testing.TB) map[string]tensor.IDs {
	t.Helper()
	at := func(shape []int, index ...int64) tensor.IDs {
		return must[*tensor.Sparse[int64]](t)(tensor.NewSparse(index, []int64{11, 25, 12, 11, 21}, shape...))
	}
	return map[string]tensor.IDs{
		"ragged":   tensor.RaggedOf([]int64{11, 25, 12, 11}, []int64{21}),
		"sparse":   at([]int{2, 6}, 0, 0, 0, 2, 0, 3, 0, 5, 1, 4),
		"sparse 3": at([]int{2, 3, 2}, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 2, 1, 1, 2, 0),
	}
}

// A combiner of one's own, which configs know by its name.
var _, errLastOfABag = rowan.RegisterCombiner(rowan.CombinerFunc{Name: "last of a bag",
	Forward: func(out []float32, b rowan.Bag) { copy(out, b.Row(b.Len()-1)) }})

func TestSquashedEmbedding(t *testing.T) {
	if errLastOfABag != nil {
		t.Fatal(errLastOfABag)
	}
	for combiner, want := range map[string][]float32{
		"": {59, -59, 21, -21}, "mean": {14.75, -14.75, 21, -21}, "sqrtn": {29.5, -29.5, 21, -21},
		"max": {25, -11, 21, -21}, "reduce_min": {11, -25, 21, -21}, "prod": {36300, 36300, 21, -21}, "last of a bag": {11, -11, 21, -21},
	} {
		l := must[*layer.SquashedEmbedding](t)(layer.NewSquashedEmbedding(2, layer.DynamicOptions{Combiner: combiner}))
		run(t, l, ids(t, []int{1, 1}, 0)) // builds it
		keyRows(t, l.Table())
		for name, batch := range layouts(t) {
			v := run(t, l, layer.Value{IDs: batch}).Values[0]
			if !slices.Equal(v.Floats.Data(), want) || !slices.Equal(v.Floats.Shape(), []int{2, 2}) || v.Splits != nil {
				t.Errorf("%s %s: %v of shape %v, want %v", combiner, name, v.Floats.Data(), v.Floats.Shape(), want)
			}
		}
		for _, shape := range [][]int{{1, 4}, {1, 2, 2}} {
			if v := run(t, l, ids(t, shape, 11, 25, 12, 11)).Values[0].Floats; !slices.Equal(v.Data(), want[:2]) || !slices.Equal(v.Shape(), []int{1, 2}) {
				t.Errorf("%s dense %v: %v of shape %v", combiner, shape, v.Data(), v.Shape())
			}
		}
		if v := run(t, l, layer.Value{IDs: tensor.RaggedOf(nil, []int64{11})}).Values[0].Floats; !slices.Equal(v.Data(), []float32{0, 0, 11, -11}) {
			t.Errorf("%s of no ids: %v", combiner, v.Data())
		}
	}
}

func TestFieldWiseEmbedding(t *testing.T) {
	for combiner, want := range map[string][]float32{
		"":     {34, -34, 25, -25, 0, 0, 0, 0, 21, -21, 0, 0},
		"mean": {34. / 3, -34. / 3, 25, -25, 0, 0, 0, 0, 21, -21, 0, 0},
		"max":  {12, -11, 25, -25, 0, 0, 0, 0, 21, -21, 0, 0},
	} {
		l := must[*layer.FieldWiseEmbedding](t)(layer.NewFieldWiseEmbedding(2, 3, layer.SlotOf(firstDigit), layer.DynamicOptions{Combiner: combiner}))
		run(t, l, ids(t, []int{1, 1}, 11)) // builds it
		keyRows(t, l.Table())
		for name, batch := range layouts(t) {
			v := run(t, l, layer.Value{IDs: batch}).Values[0].Floats
			if !slices.Equal(v.Data(), want) || !slices.Equal(v.Shape(), []int{2, 3, 2}) {
				t.Errorf("%s %s: %v of shape %v, want %v", combiner, name, v.Data(), v.Shape(), want)
			}
		}
		if v := run(t, l, ids(t, []int{1, 4}, 11, 25, 12, 11)).Values[0].Floats; !slices.Equal(v.Data(), want[:6]) {
			t.Errorf("%s dense: %v", combiner, v.Data())
		}
	}
}

// TestFieldWiseWeights: weights go with their ids.
func TestFieldWiseWeights(t *testing.T) {
	l := must[*layer.FieldWiseEmbedding](t)(layer.NewFieldWiseEmbedding(2, 2, layer.SlotOf(firstDigit), layer.DynamicOptions{}))
	run(t, l, ids(t, []int{1, 1}, 11))
	keyRows(t, l.Table())
	batch := must[*tensor.Ragged[int64]](t)(tensor.RaggedOf([]int64{21, 11, 22, 12}).WithWeights([]float32{1, 2, 3, 0.5}))
	if v := run(t, l, layer.Value{IDs: batch}).Values[0].Floats.Data(); !slices.Equal(v, []float32{28, -28, 87, -87}) {
		t.Errorf("weighted: %v", v)
	}
}

// TestReducedKeys gives both layers keys of every type.
func TestReducedKeys(t *testing.T) {
	for _, batch := range []tensor.IDs{
		tensor.RaggedOf([]int32{11, 21, 12}), tensor.RaggedOf([]int64{11, 21, 12}),
		tensor.RaggedOf([]uint64{11, 21, 12}), tensor.RaggedOf([]string{"11", "21", "12"}),
		must[*tensor.Dense[string]](t)(tensor.NewDense([]string{"11", "21", "12", "11"}, 1, 2, 2)),
	} {
		o := layer.DynamicOptions{KeyType: batch.KeyType(), Initializer: initializer.Ones{}}
		slots := func(ids tensor.IDs, slots []int) { copy(slots, []int{0, 1, 0, 0}) }
		n := float32(batch.Len())
		a := run(t, must[*layer.SquashedEmbedding](t)(layer.NewSquashedEmbedding(1, o)), layer.Value{IDs: batch})
		b := run(t, must[*layer.FieldWiseEmbedding](t)(layer.NewFieldWiseEmbedding(1, 2, slots, o)), layer.Value{IDs: batch})
		if got := a.Values[0].Floats.Data(); !slices.Equal(got, []float32{n}) {
			t.Errorf("%T squashed: %v", batch, got)
		}
		if got := b.Values[0].Floats.Data(); !slices.Equal(got, []float32{n - 1, 1}) {
			t.Errorf("%T by slot: %v", batch, got)
		}
	}
}

// TestReducedTrain makes a step: each row moves by the gradient of what it went
// into, as often as it did.
func TestReducedTrain(t *testing.T) {
	squashed := must[*layer.SquashedEmbedding](t)(layer.NewSquashedEmbedding(2, layer.DynamicOptions{}))
	fields := must[*layer.FieldWiseEmbedding](t)(layer.NewFieldWiseEmbedding(2, 2, layer.SlotOf(firstDigit), layer.DynamicOptions{}))
	for name, c := range map[string]struct {
		layer layer.HostLayer
		table func() *rowan.Table
		grad  []float32
		want  map[int64]float32 // what is taken from the first number of a row
	}{
		"squashed": {squashed, squashed.Table, []float32{1, 0, 10, 0}, map[int64]float32{11: 2, 12: 1, 25: 1, 21: 10}},
		"fields":   {fields, fields.Table, []float32{1, 0, 2, 0, 3, 0, 4, 0}, map[int64]float32{11: 2, 12: 1, 25: 2, 21: 4}},
	} {
		run(t, c.layer, ids(t, []int{1, 1}, 11))
		table := c.table()
		for layout, batch := range layouts(t) {
			keyRows(t, table)
			if err := table.SetOptimizer(&optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}); err != nil {
				t.Fatal(err)
			}
			var r layer.Rows
			if err := c.layer.Lookup(t.Context(), &r, batch, true); err != nil {
				t.Fatal(err)
			}
			g := table.NewGradients()
			fed, _, err := r.Feed()
			if err == nil {
				err = r.Backward(g, must[*tensor.Values](t)(tensor.NewValues(c.grad, fed.Shape()...)))
			}
			if err == nil {
				err = table.Apply(t.Context(), g, rowan.Step{})
			}
			if err != nil {
				t.Fatal(err)
			}
			rows := must[rowan.Typed[int64]](t)(rowan.As[int64](table))
			for key, by := range c.want {
				got, _, err := rows.Get(t.Context(), key)
				if err != nil || got[0][0] != float32(key)-by || got[0][1] != float32(-key) {
					t.Errorf("%s %s: row of %d is %v, want %v less (%v)", name, layout, key, got, by, err)
				}
			}
			if wrong := tensor.ZeroValues(1, 1); r.Backward(g, wrong) == nil || r.Backward(g, nil) == nil {
				t.Errorf("%s: a gradient of another shape was taken", name)
			}
		}
	}
}

func TestConcatOneHotEmbedding(t *testing.T) {
	rows := []float32{0, 1, 2, 30, 40}
	make := func(o layer.EmbeddingOptions) *layer.ConcatOneHotEmbedding {
		o.Weights = [][]float32{rows}
		return must[*layer.ConcatOneHotEmbedding](t)(layer.NewConcatOneHotEmbedding([]int{3, 2}, 1, o))
	}
	l := make(layer.EmbeddingOptions{})
	for _, batch := range []tensor.IDs{ids(t, []int{2, 2}, 2, 0, 0, 1).IDs,
		must[*tensor.Dense[int32]](t)(tensor.NewDense([]int32{2, 0, 0, 1}, 2, 2)), must[*tensor.Dense[uint64]](t)(tensor.NewDense([]uint64{2, 0, 0, 1}, 2, 2))} {
		v := run(t, l, layer.Value{IDs: batch}).Values[0].Floats
		if !slices.Equal(v.Data(), []float32{2, 30, 0, 40}) || !slices.Equal(v.Shape(), []int{2, 2, 1}) {
			t.Errorf("%T: %v of shape %v", batch, v.Data(), v.Shape())
		}
	}
	if v := run(t, make(layer.EmbeddingOptions{Combiner: rowan.Sum}), ids(t, []int{2, 2}, 2, 0, 0, 1)).Values[0].Floats.Data(); !slices.Equal(v, []float32{32, 40}) {
		t.Errorf("summed: %v", v)
	}
	if x := must[*layer.Tensor](t)(l.Apply(idInput(t, layer.NewScope(0), 2))); !x.Shape().Equal(layer.Shape{-1, 2, 1}) {
		t.Errorf("shape %v", x.Shape())
	}
	// 3 is no id of the first feature, though the table has a row 3.
	for policy, want := range map[rowan.OutOfRange][]float32{rowan.OutOfRangeZeros: {0, 0}, rowan.OutOfRangeLast: {2, 40}} {
		if v := run(t, make(layer.EmbeddingOptions{OutOfRange: policy}), ids(t, []int{1, 2}, 3, -1)).Values[0].Floats.Data(); !slices.Equal(v, want) {
			t.Errorf("policy %v: %v, want %v", policy, v, want)
		}
	}
	_, err := l.Run(t.Context(), layer.Args{}, ids(t, []int{2, 2}, 2, 0, 0, 2))
	if !errors.Is(err, rowan.ErrOutOfRange) || !strings.Contains(err.Error(), "id 2 of feature 1 of example 1") {
		t.Errorf("error %v", err)
	}
	train(t, l, l.Table(), ids(t, []int{1, 2}, 2, 0).IDs)
	if w := must[[][]float32](t)(l.GetWeights(t.Context())); !slices.Equal(w[0], []float32{0, 1, 1, 29, 40}) {
		t.Errorf("after a step %v", w)
	}
}

func TestReducedConfigs(t *testing.T) {
	for _, l := range []layer.Layer{
		must[*layer.SquashedEmbedding](t)(layer.NewSquashedEmbedding(3, layer.DynamicOptions{Combiner: "mean", MaxNorm: 2})),
		must[*layer.FieldWiseEmbedding](t)(layer.NewFieldWiseEmbedding(3, 5, layer.SlotOf(firstDigit), layer.DynamicOptions{Combiner: "sqrtn"})),
		must[*layer.ConcatOneHotEmbedding](t)(layer.NewConcatOneHotEmbedding([]int{3, 2}, 4, layer.EmbeddingOptions{Combiner: rowan.Sum})),
	} {
		class, c, err := layer.ToConfig(l)
		if err != nil {
			t.Fatal(err)
		}
		c = overJSON(t, c)
		again := must[layer.Layer](t)(layer.FromConfig(class, c, map[string]layer.Constructor{"FieldWiseEmbedding": layer.FieldWiseConstructor(layer.SlotOf(firstDigit))}))
		if _, d, err := layer.ToConfig(again); err != nil || fmt.Sprint(overJSON(t, d)) != fmt.Sprint(c) {
			t.Errorf("%s: config %v became %v (%v)", class, c, d, err)
		}
	}
}

func TestReducedRefusals(t *testing.T) {
	scope := layer.NewScope(0)
	squashed := must[*layer.SquashedEmbedding](t)(layer.NewSquashedEmbedding(2, layer.DynamicOptions{}))
	fields := must[*layer.FieldWiseEmbedding](t)(layer.NewFieldWiseEmbedding(2, 2, layer.SlotOf(firstDigit), layer.DynamicOptions{}))
	onehot := must[*layer.ConcatOneHotEmbedding](t)(layer.NewConcatOneHotEmbedding([]int{3, 2}, 2, layer.EmbeddingOptions{}))
	for want, err := range map[string]error{
		"embedding_size=0":        second(layer.NewSquashedEmbedding(0, layer.DynamicOptions{})),
		"leave Pool out":          second(layer.NewSquashedEmbedding(2, layer.DynamicOptions{Pool: rowan.Sum})),
		"combiner":                second(layer.NewSquashedEmbedding(2, layer.DynamicOptions{Combiner: "median"})),
		"shape (None,)":           second(squashed.Apply(idInput(t, scope))),
		"one id an example":       second(squashed.Run(t.Context(), layer.Args{}, ids(t, []int{2}, 1, 2))),
		"nslots=0":                second(layer.NewFieldWiseEmbedding(2, 0, layer.SlotOf(firstDigit), layer.DynamicOptions{})),
		"not callable":            second(layer.NewFieldWiseEmbedding(2, 1, nil, layer.DynamicOptions{})),
		"Pool":                    second(layer.NewFieldWiseEmbedding(2, 1, layer.SlotOf(firstDigit), layer.DynamicOptions{Pool: rowan.Mean})),
		"to slot 2, of 2":         second(fields.Run(t.Context(), layer.Args{}, ids(t, []int{1, 2}, 11, 31))),
		"position 1":              second(fields.Run(t.Context(), layer.Args{}, ids(t, []int{1, 2}, 11, 5))),
		"to slot -1":              second(fields.Run(t.Context(), layer.Args{}, layer.Value{IDs: tensor.RaggedOf([]int32{11})})),
		"FieldWiseConstructor":    second(layer.FromConfig("FieldWiseEmbedding", layer.Config{})),
		`"nslots" must be`:        second(layer.FieldWiseConstructor(layer.SlotOf(firstDigit))(layer.Config{"embedding_size": 2, "nslots": "2"})),
		"is empty":                second(layer.NewConcatOneHotEmbedding(nil, 2, layer.EmbeddingOptions{})),
		"0 at 1":                  second(layer.NewConcatOneHotEmbedding([]int{1, 0}, 2, layer.EmbeddingOptions{})),
		"1 at 1":                  second(layer.NewConcatOneHotEmbedding([]int{math.MaxInt, 1}, 2, layer.EmbeddingOptions{})),
		"own id 0":                second(layer.NewConcatOneHotEmbedding([]int{1}, 2, layer.EmbeddingOptions{MaskZero: true})),
		"output_dim=0":            second(layer.NewConcatOneHotEmbedding([]int{1}, 0, layer.EmbeddingOptions{})),
		"(None, 2), one for each": second(onehot.Apply(idInput(t, scope, 3))),
		"got (1, 3)":              second(onehot.Run(t.Context(), layer.Args{}, ids(t, []int{1, 3}, 1, 1, 1))),
		"must be a rectangle":     second(onehot.Run(t.Context(), layer.Args{}, layer.Value{IDs: tensor.RaggedOf([]int64{1, 1})})),
		"looks up integers":       second(onehot.Run(t.Context(), layer.Args{}, layer.Value{IDs: must[*tensor.Dense[string]](t)(tensor.NewDense([]string{"a", "b"}, 1, 2))})),
		`"feature_sizes" must`:    second(layer.FromConfig("ConcatOneHotEmbedding", layer.Config{"feature_sizes": "x"})),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

// configuredReduced are layers whose every option is set.
func configuredReduced(t testing.TB, o layer.Options) []layer.Layer {
	return []layer.Layer{
		must[*layer.SquashedEmbedding](t)(layer.NewSquashedEmbedding(5, layer.DynamicOptions{Options: o, Combiner: "sqrtn", MaxNorm: 2})),
		must[*layer.ConcatOneHotEmbedding](t)(layer.NewConcatOneHotEmbedding([]int{3, 2}, 4, layer.EmbeddingOptions{Options: o, Combiner: rowan.Sum, OutOfRange: rowan.OutOfRangeLast})),
	}
}
