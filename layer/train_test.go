package layer_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func labels(v layer.Value) dense.Array {
	return dense.Floats(v.Floats.Data(), v.Floats.Shape()...)
}

func args(q *layer.Program, arrays []dense.Array, more ...dense.Array) dense.Args {
	return dense.Args{Variables: layer.Values(q.Variables), Inputs: append(slices.Clone(arrays), more...), Step: 1}
}

// towers is a small recommender: a dynamic table of users, ragged genres under
// a mask, and a static year, into a dense head.
func towers(t testing.TB, seed uint64) *layer.Plan {
	s := layer.NewScope(seed)
	user := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "user", Scope: s, IDs: true}))
	genres := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "genres", Scope: s, IDs: true, KeyType: tensor.String, Ragged: true}))
	year := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "year", Scope: s, IDs: true, Shape: layer.Shape{2}}))
	u := apply(t, must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(4, layer.DynamicOptions{Options: layer.Options{Name: "users"}})), user)
	g := apply(t, must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(3, layer.DynamicOptions{KeyType: tensor.String})), genres)
	y := apply(t, newEmbedding(t, 10, 2, layer.EmbeddingOptions{MaskZero: true, Options: layer.Options{Activity: regularizer.L2(0.01)}}), year)
	x := apply(t, must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{})),
		u, apply(t, layer.NewGlobalAveragePooling1D(false, layer.Options{}), g), apply(t, layer.NewGlobalSumPooling1D(false, layer.Options{}), y))
	h := apply(t, newDense(t, 8, layer.DenseOptions{Activation: "tanh", Bias: layer.WeightOptions{Initializer: initializer.Zeros{}}}), x)
	out := apply(t, newDense(t, 1, layer.DenseOptions{Activation: "sigmoid", Options: layer.Options{Name: "score"}}), h)
	return must[*layer.Plan](t)(layer.NewPlan([]*layer.Tensor{user, genres, year}, []*layer.Tensor{out}))
}

func towersBatch(t testing.TB) []layer.Value {
	return []layer.Value{
		ids(t, []int{4}, 7, 7, 900, -3),
		{IDs: tensor.RaggedOf([]string{"a", "b", "c"}, []string{}, []string{"b"}, []string{"c", "c"})},
		ids(t, []int{4, 2}, 1, 2, 0, 3, 0, 0, 9, 1),
	}
}

func TestTrainingStep(t *testing.T) {
	ctx := context.Background()
	p := towers(t, 5)
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Training: true, Losses: []loss.Func{loss.BinaryCrossentropy}}))
	if got := len(p.Tables()); got != 3 {
		t.Fatalf("%d tables, want 3", got)
	}
	for _, table := range p.Tables() {
		if err := table.SetOptimizer(&optim.Optimizer{Updater: &optim.SGD{}, Rate: optim.Constant(0.5)}); err != nil {
			t.Fatal(err)
		}
	}
	truth := dense.Floats([]float32{1, 0, 1, 0}, 4, 1)
	stage := p.NewHostStage()
	var losses []float32
	for range 60 {
		arrays, err := stage.Lookup(ctx, true, towersBatch(t)...)
		if err != nil {
			t.Fatal(err)
		}
		r, err := q.Run(args(q, arrays, truth))
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, r.Loss)
		grads := make(map[*rowan.Table]*rowan.Gradients)
		if err := stage.Backward(r, grads); err != nil {
			t.Fatal(err)
		}
		for table, g := range grads {
			if err := table.Apply(ctx, g, rowan.Step{}); err != nil {
				t.Fatal(err)
			}
		}
		for i, v := range q.Variables {
			for j, g := range r.Gradients[i] {
				v.Value()[j] -= 0.5 * g
			}
		}
	}
	if losses[59] > 0.3*losses[0] {
		t.Errorf("loss fell from %v to %v only", losses[0], losses[59])
	}
	if n := p.Tables()[0].Len(); n != 3 {
		t.Errorf("the users' table holds %d rows, want 3", n)
	}
}

// TestTableGradients compares the gradients that reach the tables with finite
// differences of the whole model's loss.
func TestTableGradients(t *testing.T) {
	ctx := context.Background()
	p := towers(t, 5)
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Training: true, Losses: []loss.Func{loss.BinaryCrossentropy}}))
	truth := dense.Floats([]float32{1, 0, 1, 0}, 4, 1)
	stage := p.NewHostStage()
	loss := func(training bool) (*dense.Results, float64) {
		arrays, err := stage.Lookup(ctx, training, towersBatch(t)...)
		if err != nil {
			t.Fatal(err)
		}
		r, err := q.Run(args(q, arrays, truth))
		if err != nil {
			t.Fatal(err)
		}
		return r, float64(r.Loss)
	}
	year := p.Tables()[2]
	if err := year.SetOptimizer(&optim.Optimizer{Updater: &optim.SGD{}, Rate: optim.Constant(1)}); err != nil {
		t.Fatal(err)
	}
	row := func(id int64) []float32 {
		l, err := year.Lookup(ctx, must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{id})), rowan.LookupOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(l.Values().Data())
	}
	set := func(id int64, w []float32) {
		if err := year.Upsert(ctx, must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{id})), must[*tensor.Values](t)(tensor.NewValues(w, 1, 2))); err != nil {
			t.Fatal(err)
		}
	}
	want := make(map[int64][]float64)
	for _, id := range []int64{0, 1, 2, 3, 9, 5} {
		for i := range 2 {
			const eps = 1e-2
			w := row(id)
			old := w[i]
			w[i] = old + eps
			set(id, w)
			_, up := loss(false)
			w[i] = old - eps
			set(id, w)
			_, down := loss(false)
			w[i] = old
			set(id, w)
			want[id] = append(want[id], (up-down)/(2*eps))
		}
	}
	before := make(map[int64][]float32)
	for id := range want {
		before[id] = row(id)
	}
	r, _ := loss(true)
	grads := make(map[*rowan.Table]*rowan.Gradients)
	if err := stage.Backward(r, grads); err != nil {
		t.Fatal(err)
	}
	if err := year.Apply(ctx, grads[year], rowan.Step{}); err != nil {
		t.Fatal(err)
	}
	for id, w := range want {
		after := row(id)
		for i := range w {
			if got := float64(before[id][i] - after[i]); math.Abs(got-w[i]) > 1e-3 {
				t.Errorf("gradient of year %d[%d] = %v, finite difference %v", id, i, got, w[i])
			}
		}
	}
	if want[5][0] != 0 || want[0][0] == 0 {
		t.Errorf("year 5 is not in the batch and year 0 only masked, but regularized: gradients %v and %v", want[5], want[0])
	}
}

func TestEqualSeedsEqualModels(t *testing.T) {
	predict := func(seed uint64) []float32 {
		p := towers(t, seed)
		q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{}))
		arrays, err := p.NewHostStage().Lookup(context.Background(), false, towersBatch(t)...)
		if err != nil {
			t.Fatal(err)
		}
		r, err := q.Run(args(q, arrays))
		if err != nil {
			t.Fatal(err)
		}
		return r.Outputs[0].Float
	}
	a, b, c := predict(5), predict(5), predict(6)
	if !slices.Equal(a, b) {
		t.Errorf("equal seeds predict %v and %v", a, b)
	}
	if slices.Equal(a, c) {
		t.Error("another seed predicts the same")
	}
}

func TestFrozenLayers(t *testing.T) {
	p := towers(t, 5)
	for _, l := range p.Layers {
		layer.Of(l).SetTrainable(layer.Of(l).Name() == "score")
	}
	q := must[*layer.Program](t)(p.Program(layer.ProgramOptions{Training: true, Losses: []loss.Func{loss.BinaryCrossentropy}}))
	stage := p.NewHostStage()
	arrays, err := stage.Lookup(context.Background(), true, towersBatch(t)...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := q.Run(args(q, arrays, dense.Floats([]float32{1, 0, 1, 0}, 4, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range q.Variables {
		if trained := r.Gradients[i] != nil; trained != v.Trainable() {
			t.Errorf("%s: gradient %v, trainable %v", v.Name(), trained, v.Trainable())
		}
	}
	grads := make(map[*rowan.Table]*rowan.Gradients)
	if err := stage.Backward(r, grads); err != nil || len(grads) != 0 {
		t.Errorf("frozen tables got gradients: %d, %v", len(grads), err)
	}
}
