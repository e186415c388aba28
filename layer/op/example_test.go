package op_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/layer/op"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/tensor"
)

// ones is a Dense layer whose kernel is all ones, applied to x.
func ones(units int, x *layer.Tensor) (*layer.Dense, *layer.Tensor) {
	d, err := layer.NewDense(units, layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: initializer.Ones{}}})
	if err != nil {
		log.Fatal(err)
	}
	y, err := d.Apply(x)
	if err != nil {
		log.Fatal(err)
	}
	return d, y
}

// functional is a model of two Dense layers; x is what is between them.
func functional() (m *model.Model, x *layer.Tensor) {
	in, err := layer.Input(layer.InputOptions{Shape: layer.Shape{10}, Scope: layer.NewScope(1)})
	if err != nil {
		log.Fatal(err)
	}
	_, x = ones(10, in)
	_, out := ones(1, x)
	if m, err = model.New([]*layer.Tensor{in}, []*layer.Tensor{out}); err != nil {
		log.Fatal(err)
	}
	return m, x
}

// losses counts the terms of a model's loss.
func losses(m *model.Model) int {
	terms, err := m.Losses()
	if err != nil {
		log.Fatal(err)
	}
	return len(terms)
}

// tenth is one example of ten times 0.1: each inner unit of ones makes 1 of it.
func tenth() *model.Arrays {
	x := tensor.ZeroValues(1, 10)
	for i := range x.Data() {
		x.Data()[i] = 0.1
	}
	return &model.Arrays{Inputs: []layer.Value{{Floats: x}}}
}

// A penalty on what is between two layers, added to a functional model.
func Example() {
	m, x := functional()
	fmt.Println(losses(m))
	fmt.Println(m.AddLoss(op.Abs(op.ReduceMean(x))))
	fmt.Println(losses(m))

	if err := m.Compile(model.CompileOptions{}); err != nil { // this loss alone
		log.Fatal(err)
	}
	fmt.Println(m.Evaluate(context.Background(), tenth()))
	// Output:
	// 0
	// <nil>
	// 1
	// loss 1.0000 <nil>
}

// A sum as a metric of a functional model.
func ExampleReduceSum() {
	m, x := functional()
	if err := m.AddMetric("metric_1", op.ReduceSum(x)); err != nil {
		log.Fatal(err)
	}
	if err := m.AddLoss(op.ReduceMean(x)); err != nil {
		log.Fatal(err)
	}
	if err := m.Compile(model.CompileOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Evaluate(context.Background(), tenth()))
	// Output: loss 1.0000  metric_1 10.0000 <nil>
}

// Two metrics that are added to a layer, in order.
func ExampleReduceMax() {
	in, err := layer.Input(layer.InputOptions{Shape: layer.Shape{3}})
	if err != nil {
		log.Fatal(err)
	}
	d, output := ones(2, in)
	if err := d.AddMetric("max", op.ReduceMax(output)); err != nil {
		log.Fatal(err)
	}
	if err := d.AddMetric("min", op.ReduceMin(output)); err != nil {
		log.Fatal(err)
	}
	metrics, err := d.Metrics()
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range metrics {
		fmt.Println(m.Name())
	}
	// Output:
	// max
	// min
}

// A metric object is given the tensor that it is to measure. Its result, which
// Keras would be given here, is a number and leads back to no input.
func Example_metricObject() {
	m, x := functional()
	if err := m.AddMetricObject(metric.Named("metric_1", new(metric.Mean)), x); err != nil {
		log.Fatal(err)
	}
	if err := m.AddLoss(op.ReduceMean(x)); err != nil {
		log.Fatal(err)
	}
	if err := m.Compile(model.CompileOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Evaluate(context.Background(), tenth()))
	// Output: loss 1.0000  metric_1 1.0000 <nil>
}
