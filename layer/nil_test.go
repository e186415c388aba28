package layer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// TestNilLayers: what is asked of a layer that is nil is an error.
func TestNilLayers(t *testing.T) {
	for name, l := range map[string]layer.Layer{"nil": nil, "a nil pointer": (*layer.Dense)(nil)} {
		_, err := layer.Of(l).Run(t.Context(), layer.Args{}, floats(t, 1, 2))
		_, apply := layer.Of(l).Apply(input(t, layer.NewScope(1), 2))
		_, scoped := layer.WithNameScope(l, func(*layer.Scope, int) (int, error) { return 0, nil })(1)
		if err := errors.Join(err, apply, scoped); strings.Count(err.Error(), layer.ErrNotInitialized.Error()) != 3 {
			t.Errorf("%s: Run, Apply, WithNameScope: %v, want three errors that are %v", name, err, layer.ErrNotInitialized)
		}
	}
	var own *block
	base := new(layer.Base)
	base.Init(own, layer.Options{})
	if _, err := base.Apply(input(t, layer.NewScope(1), 2)); !errors.Is(err, layer.ErrNotInitialized) {
		t.Errorf("Init with a nil pointer: %v, want %v", err, layer.ErrNotInitialized)
	}
	if _, err := layer.WithNameScope[int, int](newMeanLoss(), nil)(1); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("WithNameScope of no method: %v, want %v", err, layer.ErrArgument)
	}
	e := newEmbedding(t, 3, 2, layer.EmbeddingOptions{})
	if err := e.Lookup(t.Context(), new(layer.Rows), ids(t, []int{1}, 1).IDs, false); !errors.Is(err, layer.ErrNotBuilt) {
		t.Errorf("Lookup before the layer is built: %v, want %v", err, layer.ErrNotBuilt)
	}
}

// TestNilOptions: a nil pointer of the type of an option is refused, where the
// option is given or the layer is built, and says what to do.
func TestNilOptions(t *testing.T) {
	penalty, bound, first := (*regularizer.L1L2)(nil), (*constraint.MaxNorm)(nil), (*initializer.Zeros)(nil)
	dense := func(o layer.DenseOptions) error {
		return second(newDense(t, 2, o).Apply(input(t, layer.NewScope(1), 3)))
	}
	embedding := func(o layer.EmbeddingOptions) error {
		e, err := layer.NewEmbedding(3, 2, o)
		if err == nil {
			_, err = e.Apply(idInput(t, layer.NewScope(1), 1))
		}
		return err
	}
	for name, err := range map[string]error{
		"kernel's initializer":     dense(layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: first}}),
		"kernel's regularizer":     dense(layer.DenseOptions{Kernel: layer.WeightOptions{Regularizer: penalty}}),
		"kernel's constraint":      dense(layer.DenseOptions{Kernel: layer.WeightOptions{Constraint: bound}}),
		"activity":                 dense(layer.DenseOptions{Options: layer.Options{Activity: penalty}}),
		"embeddings' initializer":  embedding(layer.EmbeddingOptions{Initializer: first}),
		"embeddings' regularizer":  embedding(layer.EmbeddingOptions{Regularizer: penalty}),
		"embeddings' constraint":   embedding(layer.EmbeddingOptions{Constraint: bound}),
		"activity of an embedding": embedding(layer.EmbeddingOptions{Options: layer.Options{Activity: penalty}}),
		"policy":                   second(layer.NewDynamicEmbedding(2, layer.DynamicOptions{RestrictPolicy: rowan.Restrict{Policy: (*rowan.TimestampPolicy)(nil)}})),
	} {
		if err == nil || !errors.Is(err, layer.ErrArgument) && !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), "a nil *") || !strings.Contains(err.Error(), "leave it out") {
			t.Errorf("%s: %v, want an error about a nil pointer, which says to leave it out", name, err)
		}
	}
}
