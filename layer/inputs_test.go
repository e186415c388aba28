package layer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/layer"
)

// TestTooManyInputs: what a layer would not read is refused, when it is
// applied, run, or called inside another.
func TestTooManyInputs(t *testing.T) {
	o := layer.Options{}
	takesOne := []layer.Layer{
		newDense(t, 2, layer.DenseOptions{}), must[*layer.Activation](t)(layer.NewActivation("relu", o)),
		must[*layer.Dropout](t)(layer.NewDropout(0.5, layer.DropoutOptions{Options: o})), layer.NewFlatten(o),
		must[*layer.Reshape](t)(layer.NewReshape(layer.Shape{-1}, o)), layer.NewDropMask(o),
		layer.NewGlobalAveragePooling1D(false, o), layer.NewGlobalSumPooling1D(false, o), layer.NewGlobalMaxPooling1D(false, o),
	}
	for _, l := range takesOne {
		refuses(t, l, 1, 2)
	}
	refuses(t, must[*layer.Dot](t)(layer.NewDot([2]int{2, 2}, false, o)), 2, 3)
	s := layer.NewScope(1)
	x := idInput(t, s, 4)
	if _, err := newEmbedding(t, 9, 2, layer.EmbeddingOptions{}).Apply(x, x); !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), "one batch of ids, got 2") {
		t.Errorf("embedding of two inputs: %v", err)
	}
	sum := layer.NewAdd(o)
	apply(t, sum, input(t, s, 3), input(t, s, 3), input(t, s, 3))
}

// refuses checks that a layer which takes some inputs does not take one more,
// not before it is built and not after.
func refuses(t *testing.T, l layer.Layer, takes, given int) {
	t.Helper()
	s := layer.NewScope(1)
	var symbols []*layer.Tensor
	var values []layer.Value
	for range given {
		symbols, values = append(symbols, input(t, s, 4, 3)), append(values, floats(t, 2, 4, 3))
	}
	want := fmt.Sprintf("but it received %d", given)
	for range 2 {
		_, err := layer.Of(l).Apply(symbols...)
		_, runErr := layer.Of(l).Run(context.Background(), layer.Args{}, values...)
		for _, err := range []error{err, runErr} {
			if !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), fmt.Sprintf("expects %d input", takes)) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %d inputs: %v", layer.Of(l).Class(), given, err)
			}
		}
		apply(t, l, symbols[:takes]...)
		run(t, l, values[:takes]...)
	}
	outer := newBroken(func(b *broken) error { return nil }, func(c *layer.Call, x *graph.Node) []*graph.Node {
		in := make([]*graph.Node, given)
		for i := range in {
			in[i] = x
		}
		return c.Apply(l.(layer.GraphLayer), in...)
	})
	outer.AddLayer(l)
	if _, err := outer.Run(context.Background(), layer.Args{}, values[0]); !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s inside another layer, of %d inputs: %v", layer.Of(l).Class(), given, err)
	}
}
