package layer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Ids become their rows: [[4], [20]] becomes [[0.25, 0.1], [0.6, -0.2]].
func ExampleEmbedding_Lookup() {
	rows := make([]float32, 21*2)
	copy(rows[4*2:], []float32{0.25, 0.1})
	copy(rows[20*2:], []float32{0.6, -0.2})
	embedding, err := layer.NewEmbedding(21, 2, layer.EmbeddingOptions{Options: layer.Options{Weights: [][]float32{rows}}})
	if err != nil {
		log.Fatal(err)
	}
	ids, err := tensor.NewDense([]int64{4, 20}, 2, 1)
	if err != nil {
		log.Fatal(err)
	}
	out, err := embedding.Run(context.Background(), layer.Args{}, layer.Value{IDs: ids})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Values[0].Floats.Shape(), out.Values[0].Floats.Data())
	// Output: [2 1 2] [0.25 0.1 0.6 -0.2]
}

// The weights of one layer are put into another.
func ExampleBase_SetWeights() {
	ctx := context.Background()
	x, err := tensor.NewValues([]float32{1, 2, 3}, 1, 3)
	if err != nil {
		log.Fatal(err)
	}
	filled := func(value float64) *layer.Dense {
		d, err := layer.NewDense(1, layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: initializer.Constant{Value: value}}})
		if err != nil {
			log.Fatal(err)
		}
		if _, err := d.Run(ctx, layer.Args{}, layer.Value{Floats: x}); err != nil { // the first run makes the weights
			log.Fatal(err)
		}
		return d
	}
	a, b := filled(1), filled(2)
	weights, err := a.GetWeights(ctx)
	fmt.Println(weights, err)
	fmt.Println(b.GetWeights(ctx))
	fmt.Println(b.SetWeights(weights))
	fmt.Println(b.GetWeights(ctx))
	// Output:
	// [[1 1 1] [0]] <nil>
	// [[2 2 2] [0]] <nil>
	// <nil>
	// [[1 1 1] [0]] <nil>
}

// penalized adds the size of the mean of its input to the loss of the model.
type penalized struct{ layer.Base }

func (l *penalized) Build(...layer.Shape) error { return nil }

func (l *penalized) Call(c *layer.Call, in ...*graph.Node) []*graph.Node {
	c.AddLoss(graph.Abs(graph.ReduceAllMean(in[0])))
	return in
}

// A layer of one's own that adds a loss.
func ExampleCall_AddLoss() {
	l := new(penalized)
	l.Init(l, layer.Options{})
	ones := tensor.ZeroValues(10, 1)
	for i := range ones.Data() {
		ones.Data()[i] = 1
	}
	out, err := l.Run(context.Background(), layer.Args{}, layer.Value{Floats: ones})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Losses)
	// Output: [1]
}

// A layer a holds b, which holds c.
func ExampleBase_Submodules() {
	a := layer.NewFlatten(layer.Options{Name: "a"})
	b := layer.NewFlatten(layer.Options{Name: "b"})
	c := layer.NewFlatten(layer.Options{Name: "c"})
	a.AddLayer(b)
	b.AddLayer(c)
	for _, l := range []*layer.Flatten{a, b, c} {
		var names []string
		for _, inside := range l.Submodules() {
			names = append(names, layer.Of(inside).Name())
		}
		fmt.Println(l.Name(), names)
	}
	// Output:
	// a [b c]
	// b [c]
	// c []
}

// The mean of a kernel as a loss of a functional model: a function without
// inputs, as it refers to a weight.
func ExampleLossFunc() {
	in, err := layer.Input(layer.InputOptions{Shape: layer.Shape{10}, Scope: layer.NewScope(1)})
	if err != nil {
		log.Fatal(err)
	}
	d, err := layer.NewDense(10, layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: initializer.Ones{}}})
	if err != nil {
		log.Fatal(err)
	}
	x, err := d.Apply(in)
	if err != nil {
		log.Fatal(err)
	}
	m, err := model.New([]*layer.Tensor{in}, []*layer.Tensor{x})
	if err != nil {
		log.Fatal(err)
	}
	kernel := d.Variables()[0]
	err = m.AddLossFunc(func(c *layer.Call) *graph.Node { return graph.ReduceAllMean(c.Var(kernel)) })
	if err != nil {
		log.Fatal(err)
	}
	losses, err := m.Losses()
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range losses {
		fmt.Println(l.Value())
	}
	// Output: 1 <nil>
}

// conv2d takes images, which are of rank 4.
type conv2d struct{ layer.Base }

func (l *conv2d) Build(...layer.Shape) error { return nil }

func (l *conv2d) Call(_ *layer.Call, in ...*graph.Node) []*graph.Node { return in }

// A layer of one's own says what it takes, and other inputs are an error.
func ExampleInputSpec() {
	l := new(conv2d)
	l.Init(l, layer.Options{Name: "conv2d"})
	l.SetInputSpec(layer.InputSpec{Rank: 4})

	_, err := l.Run(context.Background(), layer.Args{}, layer.Value{Floats: tensor.ZeroValues(2)})
	fmt.Println(err)
	// Output:
	// layer: incompatible input shape: input 0 of layer "conv2d" is incompatible with the layer: expected ndim=4, found ndim=1. Full shape received: (2,)
}

// With a combiner the last dimension of ids is reduced: of dense ids of any rank
// from 2, of ragged and of sparse ones.
func ExampleNewEmbedding_combiner() {
	dense, err := tensor.NewDense(make([]int64, 2*3*4), 2, 3, 4)
	if err != nil {
		log.Fatal(err)
	}
	ragged := tensor.RaggedOf([]int64{1, 2}, nil, []int64{3})
	sparse, err := tensor.NewSparse([]int64{0, 0, 0, 3, 2, 1}, []int64{1, 2, 3}, 3, 4)
	if err != nil {
		log.Fatal(err)
	}
	for _, combiner := range []rowan.Combiner{rowan.Sum, rowan.Mean} {
		for _, ids := range []tensor.IDs{dense, ragged, sparse} {
			embedding, err := layer.NewEmbedding(10, 8, layer.EmbeddingOptions{Combiner: combiner})
			if err != nil {
				log.Fatal(err)
			}
			out, err := embedding.Run(context.Background(), layer.Args{}, layer.Value{IDs: ids})
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(combiner, ids.Shape(), "→", out.Values[0].Floats.Shape())
		}
	}
	// Output:
	// sum [2 3 4] → [2 3 8]
	// sum [3 -1] → [3 8]
	// sum [3 4] → [3 8]
	// mean [2 3 4] → [2 3 8]
	// mean [3 -1] → [3 8]
	// mean [3 4] → [3 8]
}
