package layer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan/layer"
)

// TestMasksOfCalls: symbolic masks of inputs and outputs, call by call.
func TestMasksOfCalls(t *testing.T) {
	s := layer.NewScope(1)
	e := newEmbedding(t, 9, 4, layer.EmbeddingOptions{MaskZero: true})
	rows := apply(t, e, idInput(t, s, 7))
	d := newDense(t, 2, layer.DenseOptions{})
	y := apply(t, d, rows)
	in, err := d.InputMask()
	if err != nil || len(in) != 1 || in[0].Of() != rows || in[0].Shape().String() != "(None, 7)" {
		t.Fatalf("InputMask = %v, %v", in, err)
	}
	if out, err := d.OutputMask(); err != nil || len(out) != 1 || out[0].Of() != y || out[0].Shape().String() != "(None, 7)" {
		t.Errorf("OutputMask = %v, %v", out, err)
	}
	if ids, err := e.InputMask(); err != nil || len(ids) != 1 || ids[0] != nil {
		t.Errorf("InputMask of the embedding = %v, %v; ids have none", ids, err)
	}
	// A second call, without a mask: the only call is no longer the only one.
	apply(t, d, input(t, s, 7, 4))
	for name, err := range map[string]error{"InputMask": second(d.InputMask()), "OutputMask": second(d.OutputMask())} {
		if !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "2 inbound nodes") {
			t.Errorf("%s of two calls: %v", name, err)
		}
	}
	for i, masked := range []bool{true, false} {
		in, err := d.InputMaskAt(i)
		if err != nil || len(in) != 1 || (in[0] != nil) != masked {
			t.Errorf("InputMaskAt(%d) = %v, %v", i, in, err)
		}
		out, err := d.OutputMaskAt(i)
		if err != nil || len(out) != 1 || (out[0] != nil) != masked {
			t.Errorf("OutputMaskAt(%d) = %v, %v", i, out, err)
		}
	}
	for name, err := range map[string]error{"InputMaskAt": second(d.InputMaskAt(2)), "OutputMaskAt": second(d.OutputMaskAt(-1))} {
		if !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "only 2 inbound nodes") {
			t.Errorf("%s of no call: %v", name, err)
		}
	}
	fresh := newDense(t, 2, layer.DenseOptions{})
	run(t, fresh, floats(t, 2, 3))
	for name, err := range map[string]error{"InputMask": second(fresh.InputMask()), "OutputMaskAt": second(fresh.OutputMaskAt(0))} {
		if !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "runs on data leave no node") {
			t.Errorf("%s after a run: %v", name, err)
		}
	}
}

// perExample makes of a mask of steps one of examples.
type perExample struct{ layer.Base }

func (l *perExample) Build(...layer.Shape) error { return nil }

func (l *perExample) Call(_ *layer.Call, in ...*graph.Node) []*graph.Node { return in }

func (l *perExample) ComputeMask(_ *layer.Call, _, mask []*graph.Node) []*graph.Node {
	return []*graph.Node{graph.Squeeze(graph.Slice(mask[0], graph.AxisRange(), graph.AxisElem(0)), 1)}
}

// TestMaskOfAnotherShape: a tensor knows its mask's shape, and the layer behind
// it is traced with a mask of that shape.
func TestMaskOfAnotherShape(t *testing.T) {
	s := layer.NewScope(1)
	rows := apply(t, newEmbedding(t, 9, 4, layer.EmbeddingOptions{MaskZero: true}), idInput(t, s, 7))
	l := new(perExample)
	l.Init(l, layer.Options{})
	l.SupportMasking()
	each := apply(t, l, rows)
	var traced []int
	behind := newBroken(nil, func(c *layer.Call, x *graph.Node) []*graph.Node {
		traced = append(traced, c.Mask(0).Rank())
		return []*graph.Node{x}
	})
	behind.SupportMasking()
	apply(t, behind, each)
	if in, err := behind.InputMask(); err != nil || in[0].Shape().String() != "(None,)" || !slices.Equal(traced, []int{1, 1}) {
		t.Errorf("masks %v, %v, traced with rank %v; want one flag an example", in, err, traced)
	}
}

// TestInputShapes: of all calls, if they agree.
func TestInputShapes(t *testing.T) {
	s := layer.NewScope(1)
	add := layer.NewAdd(layer.Options{})
	if _, err := add.InputShapes(); !errors.Is(err, layer.ErrNotConnected) {
		t.Errorf("before a call: %v", err)
	}
	apply(t, add, input(t, s, 3), input(t, s, 3))
	apply(t, add, input(t, s, 3), input(t, s, 3))
	if shapes, err := add.InputShapes(); err != nil || len(shapes) != 2 || shapes[0].String() != "(None, 3)" || shapes[1].String() != "(None, 3)" {
		t.Errorf("shapes of two calls that agree = %v, %v", shapes, err)
	}
	apply(t, add, input(t, s, 3), input(t, s, 3), input(t, s, 3))
	if _, err := add.InputShapes(); !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "different input shapes") {
		t.Errorf("calls of two and of three inputs: %v", err)
	}
	if shapes, err := add.OutputShapes(); err != nil || shapes[0].String() != "(None, 3)" {
		t.Errorf("output shapes, which agree = %v, %v", shapes, err)
	}
	d := newDense(t, 2, layer.DenseOptions{})
	run(t, d, floats(t, 2, 3))
	if _, err := d.InputShapes(); !errors.Is(err, layer.ErrNotConnected) || !strings.Contains(err.Error(), "runs on data leave no node") {
		t.Errorf("after a run: %v", err)
	}
}
