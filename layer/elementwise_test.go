package layer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/activation"
	"github.com/rowan-embeddings/rowan/layer"
)

// TestShapesOfRankingLayers applies each layer to inputs with free dimensions.
func TestShapesOfRankingLayers(t *testing.T) {
	s := layer.NewScope(1)
	vec, other, one := input(t, s, 4), input(t, s, 4), input(t, s, 1)
	seq, step := input(t, s, -1, 4), input(t, s, 1, 4)
	fields := input(t, s, 5, 4)
	for name, c := range map[string]struct {
		layer layer.Layer
		in    []*layer.Tensor
		want  layer.Shape
	}{
		"Add":                  {layer.NewAdd(layer.Options{}), []*layer.Tensor{vec, other, one}, layer.Shape{-1, 4}},
		"Multiply":             {layer.NewMultiply(layer.Options{}), []*layer.Tensor{seq, step}, layer.Shape{-1, -1, 4}},
		"Subtract":             {layer.NewSubtract(layer.Options{}), []*layer.Tensor{vec, seq}, layer.Shape{-1, -1, 4}},
		"Average":              {layer.NewAverage(layer.Options{}), []*layer.Tensor{one, vec}, layer.Shape{-1, 4}},
		"Maximum":              {layer.NewMaximum(layer.Options{}), []*layer.Tensor{vec, other}, layer.Shape{-1, 4}},
		"Minimum":              {layer.NewMinimum(layer.Options{}), []*layer.Tensor{vec, other}, layer.Shape{-1, 4}},
		"BatchNormalization":   {newBatchNormalization(t, layer.BatchNormalizationOptions{}), []*layer.Tensor{seq}, layer.Shape{-1, -1, 4}},
		"LayerNormalization":   {newLayerNormalization(t, layer.LayerNormalizationOptions{}), []*layer.Tensor{seq}, layer.Shape{-1, -1, 4}},
		"FactorizationMachine": {layer.NewFactorizationMachine(layer.Options{}), []*layer.Tensor{seq}, layer.Shape{-1, 1}},
		"DotInteraction":       {layer.NewDotInteraction(false, layer.Options{}), []*layer.Tensor{fields}, layer.Shape{-1, 10}},
		"DotInteraction self":  {layer.NewDotInteraction(true, layer.Options{}), []*layer.Tensor{vec, other}, layer.Shape{-1, 3}},
		"DotInteraction pair":  {layer.NewDotInteraction(false, layer.Options{}), []*layer.Tensor{vec, other}, layer.Shape{-1, 1}},
		"FeatureCross":         {newFeatureCross(t, layer.FeatureCrossOptions{Projection: 2}), []*layer.Tensor{vec, other}, layer.Shape{-1, 4}},
		"HistoryAttention":     {layer.NewHistoryAttention(true, layer.Options{}), []*layer.Tensor{vec, seq}, layer.Shape{-1, 4}},
		"Activation glu":       {must[*layer.Activation](t)(layer.NewActivation("glu", layer.Options{})), []*layer.Tensor{seq}, layer.Shape{-1, -1, 2}},
	} {
		if got := apply(t, c.layer, c.in...).Shape(); !got.Equal(c.want) {
			t.Errorf("%s: shape %v, want %v", name, got, c.want)
		}
	}
}

func TestRankingLayersRefuse(t *testing.T) {
	s := layer.NewScope(1)
	vec, wide, seq, one := input(t, s, 4), input(t, s, 5), input(t, s, -1, 4), input(t, s, 1)
	scalar, free := input(t, s), input(t, s, -1)
	for _, c := range []struct {
		layer layer.Layer
		in    []*layer.Tensor
		says  string
	}{
		{layer.NewMultiply(layer.Options{}), []*layer.Tensor{vec}, "at least 2 inputs"},
		{layer.NewMultiply(layer.Options{}), []*layer.Tensor{vec, wide}, "inputs of Multiply have incompatible shapes"},
		{layer.NewSubtract(layer.Options{}), []*layer.Tensor{vec, vec, vec}, "exactly 2 inputs"},
		{newBatchNormalization(t, layer.BatchNormalizationOptions{}), []*layer.Tensor{scalar}, "expected min_ndim=2"},
		{newBatchNormalization(t, layer.BatchNormalizationOptions{Axis: 1}), []*layer.Tensor{seq}, "dimension 1 must be known"},
		{newBatchNormalization(t, layer.BatchNormalizationOptions{Axis: 3}), []*layer.Tensor{seq}, "behind the batch"},
		{newLayerNormalization(t, layer.LayerNormalizationOptions{Axes: []int{-1, 1}}), []*layer.Tensor{vec}, "each once"},
		{newLayerNormalization(t, layer.LayerNormalizationOptions{Axes: []int{-2}}), []*layer.Tensor{vec}, "behind the batch"},
		{layer.NewFactorizationMachine(layer.Options{}), []*layer.Tensor{vec}, "one input of shape (batch, features, n)"},
		{layer.NewFactorizationMachine(layer.Options{}), []*layer.Tensor{vec, wide}, "with one n"},
		{layer.NewFactorizationMachine(layer.Options{}), []*layer.Tensor{input(t, s, 1, 4)}, "at least 2 features"},
		{layer.NewDotInteraction(false, layer.Options{}), []*layer.Tensor{seq}, "must be known"},
		{newFeatureCross(t, layer.FeatureCrossOptions{}), []*layer.Tensor{vec, wide}, "of the same shape"},
		{newFeatureCross(t, layer.FeatureCrossOptions{}), []*layer.Tensor{free}, "should be defined"},
		{layer.NewHistoryAttention(false, layer.Options{}), []*layer.Tensor{vec}, "takes a query"},
		{layer.NewHistoryAttention(false, layer.Options{}), []*layer.Tensor{one, seq}, "same, known width"},
		{layer.NewHistoryAttention(false, layer.Options{}), []*layer.Tensor{vec, input(t, s, 3, 4), input(t, s, 2, 4)}, "a value for each key"},
	} {
		_, err := layer.Of(c.layer).Apply(c.in...)
		if !errors.Is(err, layer.ErrShape) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", layer.Of(c.layer).Class(), err, c.says)
		}
	}
	glu := must[*layer.Activation](t)(layer.NewActivation("glu", layer.Options{}))
	if _, err := glu.Apply(wide); !errors.Is(err, activation.ErrShape) || !strings.Contains(err.Error(), "must be even") {
		t.Errorf("half of an odd number: %v", err)
	}
	first := func(_ any, err error) error { return err }
	for says, err := range map[string]error{
		"`momentum` must be in [0, 1)":  first(layer.NewBatchNormalization(layer.BatchNormalizationOptions{Momentum: new(1.0)})),
		"BatchNormalization: `epsilon`": first(layer.NewBatchNormalization(layer.BatchNormalizationOptions{Epsilon: -1})),
		"LayerNormalization: `epsilon`": first(layer.NewLayerNormalization(layer.LayerNormalizationOptions{Epsilon: -1})),
		"`projection_dim`":              first(layer.NewFeatureCross(layer.FeatureCrossOptions{Projection: -1})),
		"`diag_scale`":                  first(layer.NewFeatureCross(layer.FeatureCrossOptions{DiagScale: -1})),
		`unknown activation "reloo"`:    first(layer.NewFeatureCross(layer.FeatureCrossOptions{PreActivation: "reloo"})),
	} {
		if !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}

// TestMasksOfMerges: true where the masks of all that have one are.
func TestMasksOfMerges(t *testing.T) {
	a := masked(floats(t, 2, 3, 4), true, true, false, true, false, false)
	b := masked(floats(t, 2, 3, 4), true, false, true, true, true, false)
	both := []bool{true, false, false, true, false, false}
	for _, l := range []layer.Layer{layer.NewAdd(layer.Options{}), layer.NewSubtract(layer.Options{}), layer.NewMultiply(layer.Options{}),
		layer.NewAverage(layer.Options{}), layer.NewMaximum(layer.Options{}), layer.NewMinimum(layer.Options{})} {
		class := layer.Of(l).Class()
		if got := run(t, l, a, b).Values[0].Mask; !slices.Equal(got, both) {
			t.Errorf("%s of two masked: mask %v, want %v", class, got, both)
		}
		if got := run(t, l, a, floats(t, 2, 3, 4)).Values[0].Mask; !slices.Equal(got, a.Mask) {
			t.Errorf("%s of one masked: mask %v, want %v", class, got, a.Mask)
		}
		if got := run(t, l, floats(t, 2, 3, 4), floats(t, 2, 3, 4)).Values[0].Mask; got != nil {
			t.Errorf("%s of none masked: mask %v", class, got)
		}
	}
	// The mask of what is repeated is repeated too.
	once := masked(floats(t, 2, 1, 4), true, false)
	want := []bool{true, true, false, false, false, false}
	if got := run(t, layer.NewAdd(layer.Options{}), a, once).Values[0].Mask; !slices.Equal(got, want) {
		t.Errorf("mask of a repeated step: %v, want %v", got, want)
	}
	flat := masked(floats(t, 2, 4), true, false)
	if got := run(t, layer.NewAdd(layer.Options{}), flat, a).Values[0].Mask; !slices.Equal(got, want) {
		t.Errorf("mask of an input of fewer dimensions: %v, want %v", got, want)
	}
}

// TestMasksOfRankingLayers: which pass a mask on, and which end it.
func TestMasksOfRankingLayers(t *testing.T) {
	x := masked(floats(t, 2, 3, 4), true, true, false, true, false, false)
	query := masked(floats(t, 2, 4), true, false)
	for name, c := range map[string]struct {
		layer layer.Layer
		in    []layer.Value
		want  []bool
	}{
		"BatchNormalization":   {newBatchNormalization(t, layer.BatchNormalizationOptions{}), []layer.Value{x}, x.Mask},
		"LayerNormalization":   {newLayerNormalization(t, layer.LayerNormalizationOptions{}), []layer.Value{x}, x.Mask},
		"FactorizationMachine": {layer.NewFactorizationMachine(layer.Options{}), []layer.Value{x}, nil},
		"DotInteraction":       {layer.NewDotInteraction(false, layer.Options{}), []layer.Value{x}, nil},
		"FeatureCross":         {newFeatureCross(t, layer.FeatureCrossOptions{}), []layer.Value{x, x}, x.Mask},
		"HistoryAttention":     {layer.NewHistoryAttention(false, layer.Options{}), []layer.Value{query, x}, query.Mask},
		"DropMask":             {layer.NewDropMask(layer.Options{}), []layer.Value{x}, nil},
	} {
		out := must[*layer.Output](t)(layer.Of(c.layer).Run(context.Background(), layer.Args{}, c.in...))
		if got := out.Values[0].Mask; !slices.Equal(got, c.want) {
			t.Errorf("%s: mask %v, want %v", name, got, c.want)
		}
	}
}
