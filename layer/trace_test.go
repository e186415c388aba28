package layer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/layer/op"
)

// TestMessagesSayFree says of errors inside a symbolic call that they show free
// dimensions as None, and numbers that the caller wrote as they are: 61, 67 and
// 71 too, which stand for a free dimension in traces.
func TestMessagesSayFree(t *testing.T) {
	s := layer.NewScope(1)
	in := func(shape ...int) *layer.Tensor { return input(t, s, shape...) }
	of := func(f func(x *graph.Node) *graph.Node) *broken {
		return newBroken(nil, func(_ *layer.Call, x *graph.Node) []*graph.Node { return []*graph.Node{f(x)} })
	}
	for _, c := range []struct {
		err  error
		says string
	}{
		{op.Add(in(8), in(3)).Err(), "got (None, 8) and (None, 3)"},
		{op.Add(in(8), in(-1, 3)).Err(), "got (None, 8) and (None, None, 3)"},
		{op.Add(in(61), in(67)).Err(), "got (None, 61) and (None, 67)"},
		{op.Add(in(61), in(71)).Err(), "got (None, 61) and (None, 71)"},
		{second(layer.NewMultiply(layer.Options{}).Apply(in(-1, 4), in(-1, 61))), "incompatible shapes (None, None, 4) and (None, None, 61)"},
		{second(must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{})).Apply(in(2, 8), in(61, 8))), "Received: (None, 2, 8) and (None, 61, 8)"},
		{second(must[*layer.Reshape](t)(layer.NewReshape(layer.Shape{3, 4}, layer.Options{})).Apply(in(5))), "cannot reshape (None, 5) to (3, 4)"},
		// What the graph says, and what is computed from free dimensions.
		{second(of(func(x *graph.Node) *graph.Node { return graph.Reshape(x, 99) }).Apply(in(4))), "original size None (dimensions [None 4])"},
		{second(of(func(x *graph.Node) *graph.Node { panic(fmt.Errorf("half of it is %d", x.Shape().Dimensions[0]/2)) }).Apply(in(4))), "half of it is None"},
		{second(of(func(x *graph.Node) *graph.Node { panic(strings.Repeat("9 ", x.Shape().Dimensions[0])) }).Apply(in(4))), "9 9 9"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%v, want an error that says %q", c.err, c.says)
		}
	}
	if err := op.Add(in(8), in(3)).Err(); !errors.Is(err, layer.ErrShape) {
		t.Errorf("%v, want %v", err, layer.ErrShape)
	}
	// On data the sizes are those that arrived.
	if _, err := layer.NewAdd(layer.Options{}).Run(t.Context(), layer.Args{}, floats(t, 2, 8), floats(t, 2, 3)); err == nil || !strings.Contains(err.Error(), "(2, 8) and (2, 3)") {
		t.Errorf("on data: %v, want an error with the shapes", err)
	}
}
