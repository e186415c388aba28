package layer_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func vector(t testing.TB, shape []int, data ...float32) layer.Value {
	t.Helper()
	return layer.Value{Floats: must[*tensor.Values](t)(tensor.NewValues(data, shape...))}
}

func TestForward(t *testing.T) {
	seq := vector(t, []int{2, 3, 2}, 1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6)
	some := masked(seq, true, false, true, false, false, false)
	ones := layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: initializer.Ones{}}, Bias: layer.WeightOptions{Initializer: initializer.Ones{}}}
	relu := ones
	relu.Activation = "relu"
	x := vector(t, []int{2, 2}, 1, 2, -3, -4)
	cat := func(axis int) layer.Layer {
		return must[*layer.Concatenate](t)(layer.NewConcatenate(axis, layer.Options{}))
	}
	dot := func(normalize bool) layer.Layer {
		return must[*layer.Dot](t)(layer.NewDot([2]int{1, 1}, normalize, layer.Options{}))
	}
	for _, c := range []struct {
		name  string
		layer layer.Layer
		in    []layer.Value
		want  []float32
		mask  []bool
	}{
		{"dense", newDense(t, 2, ones), []layer.Value{x}, []float32{4, 4, -6, -6}, nil},
		{"relu", newDense(t, 1, relu), []layer.Value{x}, []float32{4, 0}, nil},
		{"average", layer.NewGlobalAveragePooling1D(false, layer.Options{}), []layer.Value{seq}, []float32{3, 4, -3, -4}, nil},
		{"average masked", layer.NewGlobalAveragePooling1D(false, layer.Options{}), []layer.Value{some}, []float32{3, 4, 0, 0}, nil},
		{"sum masked", layer.NewGlobalSumPooling1D(false, layer.Options{}), []layer.Value{some}, []float32{6, 8, 0, 0}, nil},
		{"max", layer.NewGlobalMaxPooling1D(false, layer.Options{}), []layer.Value{seq}, []float32{5, 6, -1, -2}, nil},
		{"max masked", layer.NewGlobalMaxPooling1D(false, layer.Options{}), []layer.Value{masked(seq, true, true, false, false, true, true)}, []float32{3, 4, -3, -4}, nil},
		{"max of nothing", layer.NewGlobalMaxPooling1D(false, layer.Options{}), []layer.Value{some}, []float32{5, 6, 0, 0}, nil},
		{"concatenate", cat(-1), []layer.Value{x, x}, []float32{1, 2, 1, 2, -3, -4, -3, -4}, nil},
		{"add masks", layer.NewAdd(layer.Options{}), []layer.Value{some, masked(seq, true, true, false, true, true, true)},
			[]float32{2, 4, 6, 8, 10, 12, -2, -4, -6, -8, -10, -12}, []bool{true, false, false, false, false, false}},
		{"dot", dot(false), []layer.Value{x, x}, []float32{5, 25}, nil},
		{"cosine", dot(true), []layer.Value{x, vector(t, []int{2, 2}, 2, 4, 0, 0)}, []float32{1, 0}, nil},
		{"drop mask", layer.NewDropMask(layer.Options{}), []layer.Value{some}, seq.Floats.Data(), nil},
		{"dense keeps mask", newDense(t, 1, ones), []layer.Value{some}, []float32{4, 8, 12, -2, -6, -10}, some.Mask},
		{"dropout at rest", must[*layer.Dropout](t)(layer.NewDropout(0.5, layer.DropoutOptions{})), []layer.Value{x}, x.Floats.Data(), nil},
	} {
		got := run(t, c.layer, c.in...).Values[0]
		if !near(got.Floats.Data(), c.want) || !slices.Equal(got.Mask, c.mask) {
			t.Errorf("%s: %v mask %v, want %v mask %v", c.name, got.Floats.Data(), got.Mask, c.want, c.mask)
		}
	}
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-5 })
}

func TestConcatenateMasks(t *testing.T) {
	one := vector(t, []int{1, 2, 1}, 1, 2)
	l := must[*layer.Concatenate](t)(layer.NewConcatenate(1, layer.Options{}))
	got := run(t, l, masked(one, false, true), one).Values[0]
	if want := []bool{false, true, true, true}; !slices.Equal(got.Mask, want) {
		t.Errorf("mask along time = %v, want %v", got.Mask, want)
	}
	l = must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{}))
	got = run(t, l, masked(one, false, true), masked(one, true, true), one).Values[0]
	if want := []bool{false, true}; !slices.Equal(got.Mask, want) {
		t.Errorf("mask along features = %v, want %v", got.Mask, want)
	}
}

func TestMaskRefusedEagerly(t *testing.T) {
	_, err := layer.NewFlatten(layer.Options{}).Run(context.Background(), layer.Args{}, masked(floats(t, 1, 2, 2), true, false))
	if !errors.Is(err, layer.ErrMask) {
		t.Errorf("mask into Flatten: %v", err)
	}
}

func TestEmbeddingRun(t *testing.T) {
	ctx := context.Background()
	table := []float32{0, 1, 10, 11, 20, 21}
	for _, c := range []struct {
		name  string
		o     layer.EmbeddingOptions
		ids   tensor.IDs
		shape []int
		want  []float32
		mask  []bool
		split []int64
	}{
		{"dense", layer.EmbeddingOptions{}, must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{2, 0, 1, 1}, 2, 2)),
			[]int{2, 2, 2}, []float32{20, 21, 0, 1, 10, 11, 10, 11}, nil, nil},
		{"mask zero", layer.EmbeddingOptions{MaskZero: true}, must[*tensor.Dense[int32]](t)(tensor.NewDense([]int32{2, 0}, 1, 2)),
			[]int{1, 2, 2}, []float32{20, 21, 0, 1}, []bool{true, false}, nil},
		{"padding", layer.EmbeddingOptions{Padding: new(int64(1)), Combiner: rowan.Mean}, must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{1, 2, 0, 2}, 2, 2)),
			[]int{2, 2}, []float32{20, 21, 10, 11}, nil, nil},
		{"mean", layer.EmbeddingOptions{Combiner: rowan.Mean}, tensor.RaggedOf([]int64{0, 1}, nil, []int64{2}),
			[]int{3, 2}, []float32{5, 6, 0, 0, 20, 21}, nil, nil},
		{"out of range, zeros", layer.EmbeddingOptions{OutOfRange: rowan.OutOfRangeZeros}, must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{3, 1}, 2)),
			[]int{2, 2}, []float32{0, 0, 10, 11}, nil, nil},
		{"out of range, last row", layer.EmbeddingOptions{OutOfRange: rowan.OutOfRangeLast}, must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{-1, 1}, 2)),
			[]int{2, 2}, []float32{20, 21, 10, 11}, nil, nil},
		{"ragged stays ragged", layer.EmbeddingOptions{}, tensor.RaggedOf([]int64{0, 1}, nil, []int64{2}),
			[]int{3, 2}, []float32{0, 1, 10, 11, 20, 21}, nil, []int64{0, 2, 2, 3}},
	} {
		c.o.Options.Weights = [][]float32{table}
		out := run(t, newEmbedding(t, 3, 2, c.o), layer.Value{IDs: c.ids}).Values[0]
		if !slices.Equal(out.Floats.Shape(), c.shape) || !slices.Equal(out.Floats.Data(), c.want) ||
			!slices.Equal(out.Mask, c.mask) || !slices.Equal(out.Splits, c.split) {
			t.Errorf("%s: shape %v values %v mask %v splits %v", c.name, out.Floats.Shape(), out.Floats.Data(), out.Mask, out.Splits)
		}
	}
	l := newEmbedding(t, 3, 2, layer.EmbeddingOptions{})
	_, err := l.Run(ctx, layer.Args{}, ids(t, []int{1}, 3))
	if !errors.Is(err, rowan.ErrOutOfRange) || !strings.Contains(err.Error(), l.Name()) {
		t.Errorf("id out of range: %v", err)
	}
	if _, err := l.Run(ctx, layer.Args{}, floats(t, 2, 2)); !errors.Is(err, layer.ErrStage) {
		t.Errorf("floats into an embedding: %v", err)
	}
	if _, err := newDense(t, 1, layer.DenseOptions{}).Run(ctx, layer.Args{}, ids(t, []int{1}, 3)); !errors.Is(err, layer.ErrStage) {
		t.Errorf("ids into a dense layer: %v", err)
	}
	if _, err := l.Run(ctx, layer.Args{}); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("no inputs: %v", err)
	}
}

// TestRectangleForRagged: a batch whose rows happen to be of one length may
// come as a rectangle, of which every id counts.
func TestRectangleForRagged(t *testing.T) {
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: layer.NewScope(1), IDs: true, Ragged: true}))
	out := apply(t, newEmbedding(t, 3, 1, layer.EmbeddingOptions{Options: layer.Options{Weights: [][]float32{{5, 6, 7}}}}), in)
	stage := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{in}, []*layer.Tensor{out})).NewHostStage()
	for _, batch := range []layer.Value{ids(t, []int{2, 3}, 0, 1, 2, 2, 1, 0), ids(t, []int{1, 2}, 1, 1)} {
		arrays, err := stage.Lookup(context.Background(), false, batch)
		if err != nil {
			t.Fatal(err)
		}
		if n := batch.IDs.Len(); len(arrays) != 2 || len(arrays[0].Float) != n || !slices.Equal(arrays[1].Bool, slices.Repeat([]bool{true}, n)) {
			t.Errorf("fed %v, want %d numbers and as many that count", arrays, n)
		}
	}
}

// TestRaggedFeed pads ragged rows under a mask, and takes their gradients back.
func TestRaggedFeed(t *testing.T) {
	s := layer.NewScope(1)
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Scope: s, IDs: true, Ragged: true}))
	l := newEmbedding(t, 3, 1, layer.EmbeddingOptions{MaskZero: true, Options: layer.Options{Weights: [][]float32{{5, 6, 7}}}})
	out := apply(t, l, in)
	if !out.Masked() || out.Shape().String() != "(None, None, 1)" {
		t.Errorf("output: masked %v, shape %v", out.Masked(), out.Shape())
	}
	p := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{in}, []*layer.Tensor{out}))
	stage := p.NewHostStage()
	arrays, err := stage.Lookup(context.Background(), false, layer.Value{IDs: tensor.RaggedOf([]int64{1, 2, 0}, nil, []int64{2})})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{6, 7, 5, 0, 0, 0, 0, 0, 7, 0, 0, 0}; !slices.Equal(arrays[0].Float, want) || !slices.Equal(arrays[0].Shape, []int{3, 4, 1}) {
		t.Errorf("fed %v of shape %v, want %v", arrays[0].Float, arrays[0].Shape, want)
	}
	if want := []bool{true, true, false, false, false, false, false, false, true, false, false, false}; !slices.Equal(arrays[1].Bool, want) {
		t.Errorf("mask %v, want %v", arrays[1].Bool, want)
	}
	rows := apply(t, newEmbedding(t, 3, 1, layer.EmbeddingOptions{}), idInput(t, s, -1))
	q := must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{rows.Node().In[0]}, []*layer.Tensor{rows}))
	_, err = q.NewHostStage().Lookup(context.Background(), false, layer.Value{IDs: tensor.RaggedOf([]int64{1, 2}, nil)})
	if err == nil || !strings.Contains(err.Error(), "declare it Ragged") {
		t.Errorf("ragged ids at an input that is not: %v", err)
	}
	if _, err := stage.Lookup(context.Background(), false, floats(t, 2)); !errors.Is(err, layer.ErrStage) {
		t.Errorf("floats for ids: %v", err)
	}
	if _, err := stage.Lookup(context.Background(), false); !errors.Is(err, layer.ErrShape) {
		t.Errorf("no inputs: %v", err)
	}
}

func TestWeights(t *testing.T) {
	ctx := context.Background()
	a, b := newDense(t, 2, layer.DenseOptions{}), newDense(t, 2, layer.DenseOptions{})
	x := floats(t, 3, 4)
	run(t, a, x)
	run(t, b, x)
	w := must[[][]float32](t)(a.GetWeights(ctx))
	if len(w) != 2 || len(w[0]) != 8 || len(w[1]) != 2 {
		t.Fatalf("weights = %v", w)
	}
	if slices.Equal(run(t, a, x).Values[0].Floats.Data(), run(t, b, x).Values[0].Floats.Data()) {
		t.Error("two layers start with the same weights")
	}
	if err := b.SetWeights(w); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(run(t, a, x).Values[0].Floats.Data(), run(t, b, x).Values[0].Floats.Data()) {
		t.Error("equal weights compute different outputs")
	}
	if err := b.SetWeights(w[:1]); !errors.Is(err, layer.ErrWeights) || !strings.Contains(err.Error(), "weight list of length 1, but the layer was expecting 2 weights") {
		t.Errorf("too few weights: %v", err)
	}
	if err := b.SetWeights([][]float32{w[0], {1}}); !errors.Is(err, layer.ErrWeights) || !strings.Contains(err.Error(), "bias") {
		t.Errorf("a weight of another shape: %v", err)
	}
	e := newEmbedding(t, 3, 2, layer.EmbeddingOptions{})
	run(t, e, ids(t, []int{1}, 0))
	rows := []float32{1, 2, 3, 4, 5, 6}
	if err := e.SetWeights([][]float32{rows}); err != nil {
		t.Fatal(err)
	}
	if got := must[[][]float32](t)(e.GetWeights(ctx)); !slices.Equal(got[0], rows) {
		t.Errorf("rows = %v, want %v", got[0], rows)
	}
	if n, err := e.CountParams(); n != 6 || err != nil {
		t.Errorf("CountParams = %d, %v", n, err)
	}
	if err := layer.NewFlatten(layer.Options{}).SetWeights(nil); err != nil {
		t.Errorf("no weights for a layer without: %v", err)
	}
}

func TestDropoutIsAFunctionOfItsStep(t *testing.T) {
	l := must[*layer.Dropout](t)(layer.NewDropout(0.4, layer.DropoutOptions{Options: layer.Options{Name: "drop"}}))
	x := vector(t, []int{1000}, slices.Repeat([]float32{3}, 1000)...)
	draw := func(step int64) []float32 {
		return must[*layer.Output](t)(l.Run(context.Background(), layer.Args{Training: true, Step: step}, x)).Values[0].Floats.Data()
	}
	a := draw(1)
	if !slices.Equal(a, draw(1)) || slices.Equal(a, draw(2)) {
		t.Error("dropout is not a function of the step")
	}
	zeros := 0
	for _, v := range a {
		if v == 0 {
			zeros++
		} else if math.Abs(float64(v)-5) > 1e-5 {
			t.Fatalf("kept %v, want 3/0.6", v)
		}
	}
	if zeros < 340 || zeros > 460 {
		t.Errorf("%d of 1000 dropped at rate 0.4", zeros)
	}
}

// TestConcurrentRuns runs new layers for the first time from many goroutines at
// once: they get one name and one set of weights.
func TestConcurrentRuns(t *testing.T) {
	x, id := floats(t, 2, 4), ids(t, []int{2, 2}, 0, 3, 1, 3)
	for name, c := range map[string]struct {
		make func() layer.Layer
		in   layer.Value
	}{
		"dense": {func() layer.Layer { return newDense(t, 3, layer.DenseOptions{}) }, x},
		"layer normalization": {func() layer.Layer {
			return must[*layer.LayerNormalization](t)(layer.NewLayerNormalization(layer.LayerNormalizationOptions{}))
		}, x},
		"block":             {func() layer.Layer { return newBlock(t) }, x},
		"embedding":         {func() layer.Layer { return newEmbedding(t, 4, 3, layer.EmbeddingOptions{}) }, id},
		"dynamic embedding": {func() layer.Layer { return newDynamic(t, 3, layer.DynamicOptions{}) }, id},
		"integer lookup":    {func() layer.Layer { return newIntegerLookup(t, 0, layer.IntegerLookupOptions{}) }, id},
	} {
		for range 10 {
			l := c.make()
			var wg sync.WaitGroup
			var names [8]string
			var outs [8]*layer.Output
			for g := range outs {
				wg.Go(func() {
					out, err := layer.Of(l).Run(context.Background(), layer.Args{}, c.in)
					if err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
					outs[g], names[g] = out, layer.Of(l).Name()
				})
			}
			wg.Wait()
			want := run(t, l, c.in)
			for g, out := range outs {
				if out != nil && (names[g] != layer.Of(l).Name() || !reflect.DeepEqual(out.Values, want.Values)) {
					t.Errorf("%s: run %d as %q gave %v, want %v as %q", name, g, names[g], out.Values, want.Values, layer.Of(l).Name())
				}
			}
		}
	}
}

// TestDropoutTogether drops whole rows of an embedding, as the paper has it that
// system B's page refers to.
func TestDropoutTogether(t *testing.T) {
	x := floats(t, 5, 20, 3)
	l := must[*layer.Dropout](t)(layer.NewDropout(0.5, layer.DropoutOptions{NoiseShape: layer.Shape{-1, -1, 1}}))
	out := must[*layer.Output](t)(l.Run(context.Background(), layer.Args{Training: true, Step: 1}, x)).Values[0].Floats.Data()
	dropped := 0
	for i := 0; i < len(out); i += 3 {
		switch row := out[i : i+3]; {
		case slices.Equal(row, []float32{0, 0, 0}):
			dropped++
		default:
			for j, v := range row {
				if v != 2*x.Floats.Data()[i+j] {
					t.Fatalf("row %d is %v of %v: neither dropped nor doubled", i/3, row, x.Floats.Data()[i:i+3])
				}
			}
		}
	}
	if dropped < 25 || dropped > 75 { // 100 rows: five standard deviations
		t.Errorf("%d of 100 rows are dropped at a rate of 0.5", dropped)
	}
	for _, bad := range []layer.Shape{{-1, 1}, {-1, -1, 2}} {
		l := must[*layer.Dropout](t)(layer.NewDropout(0.5, layer.DropoutOptions{NoiseShape: bad}))
		if _, err := l.Run(context.Background(), layer.Args{Training: true}, x); !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), "noise_shape") {
			t.Errorf("noise_shape %v: %v", bad, err)
		}
	}
	if _, err := layer.NewDropout(0.5, layer.DropoutOptions{NoiseShape: layer.Shape{0}}); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("noise_shape of 0: %v", err)
	}
}
