package layer

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/graph"
)

// DType is a type of numbers, by Keras' name: "float32", "int64".
type DType string

// The types of floats. Arrays are of float32 wherever they can be touched; the
// others are what is computed in.
const (
	Float32  DType = "float32"
	Float16  DType = "float16"
	BFloat16 DType = "bfloat16"
)

func (d DType) engine() dtypes.DType {
	switch d {
	case Float16:
		return dtypes.Float16
	case BFloat16:
		return dtypes.BFloat16
	}
	return dtypes.Float32
}

// Policy says which type a layer computes in, and which its weights have. The
// zero value is float32 for both.
//
// With mixed precision weights are float32, and are cast with the layer's inputs
// to the narrower type before its call, ids never; so computation and output
// have that type. Layers that would lose too much that way, such as poolings
// and activations, compute in float32 inside and round once. Losses, metrics,
// updates and gradients are float32. There is no loss scaling: in float16
// gradients below about 6e-8 vanish, in bfloat16 they do not.
//
// It is there so that a model computes what one trained that way elsewhere
// computes, not for speed: the engine's fast paths are those of float32.
type Policy struct{ name string }

// policies are the policies by name, with the type that is computed in.
var policies = map[string]DType{"float32": Float32, "mixed_float16": Float16, "mixed_bfloat16": BFloat16}

// PolicyByName returns the policy that Keras knows by this name: "float32",
// "mixed_float16" or "mixed_bfloat16". The policies "float16", "bfloat16" and
// "float64", whose weights have that type, are ErrUnsupported.
func PolicyByName(name string) (Policy, error) {
	if _, ok := policies[name]; ok {
		return Policy{name}, nil
	}
	if slices.Contains([]string{"float16", "bfloat16", "float64"}, name) {
		return Policy{}, fmt.Errorf("%w: policy %q: weights are float32; use float32, mixed_float16 or mixed_bfloat16", ErrUnsupported, name)
	}
	return Policy{}, fmt.Errorf("%w: unknown policy %q: use float32, mixed_float16 or mixed_bfloat16", ErrArgument, name)
}

// Name returns the policy's name.
func (p Policy) Name() string {
	if p.name == "" {
		return string(Float32)
	}
	return p.name
}

// ComputeDType returns the type of computations and outputs.
func (p Policy) ComputeDType() DType { return policies[p.Name()] }

// VariableDType returns the type of weights: float32.
func (p Policy) VariableDType() DType { return Float32 }

// DTypePolicy returns the layer's policy.
func (b *Base) DTypePolicy() Policy { return b.options.Policy }

// ComputeDType returns the type of the layer's computations and outputs.
func (b *Base) ComputeDType() DType { return b.options.Policy.ComputeDType() }

// DType returns the type of the layer's weights.
func (b *Base) DType() DType { return b.options.Policy.VariableDType() }

// VariableDType is another name of DType.
func (b *Base) VariableDType() DType { return b.DType() }

// Dynamic reports whether the layer only runs on data, Keras' eager mode. None
// does: see the package's text on runs and symbols.
func (b *Base) Dynamic() bool { return false }

// computeWide makes the layer compute in float32 inside, whatever its policy.
func (b *Base) computeWide() { b.wide = true }

// inside is the type that the layer's call sees.
func (b *Base) inside() dtypes.DType {
	if b.wide {
		return dtypes.Float32
	}
	return b.ComputeDType().engine()
}

// cast changes the type of floats, and leaves others and nil as they are.
func cast(n *graph.Node, to dtypes.DType) *graph.Node {
	if n == nil || !n.DType().IsFloat() {
		return n
	}
	return graph.ConvertDType(n, to)
}

func castAll(ns []*graph.Node, to dtypes.DType) []*graph.Node {
	all := make([]*graph.Node, len(ns))
	for i, n := range ns {
		all[i] = cast(n, to)
	}
	return all
}

// round gives numbers the precision of a type, as a cast in a graph does.
func (d DType) round(x []float32) {
	switch d {
	case Float16:
		for i, v := range x {
			x[i] = float16.FromFloat32(v).Float32()
		}
	case BFloat16:
		for i, v := range x {
			x[i] = bfloat16.FromFloat32(v).Float32()
		}
	}
}
