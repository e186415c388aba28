package layer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/tensor"
)

// measured reports a mean, kept by an object, and a sum, averaged by its name.
type measured struct {
	layer.Base
	mean metric.Metric
}

func newMeasured() *measured {
	l := &measured{mean: metric.Named("metric_1", new(metric.Mean))}
	l.Init(l, layer.Options{Name: "my_metric_layer"})
	l.TrackMetric(l.mean)
	return l
}

func (l *measured) Build(...layer.Shape) error { return nil }

func (l *measured) Call(c *layer.Call, in ...*graph.Node) []*graph.Node {
	c.AddMetricObject(l.mean, in[0])
	c.AddMetric("metric_2", graph.ReduceAllSum(in[0]))
	return in
}

// A layer of one's own with a metric object and a named metric.
func ExampleCall_AddMetricObject() {
	x, err := tensor.NewValues([]float32{1, 2, 3, 6}, 2, 2)
	if err != nil {
		log.Fatal(err)
	}
	out, err := newMeasured().Run(context.Background(), layer.Args{}, layer.Value{Floats: x})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Metrics)
	// Output: [{metric_2 12} {metric_1 3}]
}
