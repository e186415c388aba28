package layer_test

import (
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// module makes its weight when it is first called: the page's example.
type module struct {
	layer.Base
	w *layer.Variable
}

func (m *module) Build(...layer.Shape) error { return nil }

// multiply returns x · w.
func (m *module) multiply(_ *layer.Scope, x *tensor.Values) (y *tensor.Values, err error) {
	rows, in, out := x.Shape()[0], x.Shape()[1], 3
	if m.w, err = m.AddWeight("w", layer.Shape{in, out}, layer.WeightOptions{Initializer: initializer.Constant{Value: 0.5}}); err != nil {
		return nil, err
	}
	y = tensor.ZeroValues(rows, out)
	for r := range rows {
		for i := range in {
			for o := range out {
				y.Data()[r*out+o] += x.Data()[r*in+i] * m.w.Value()[i*out+o]
			}
		}
	}
	return y, nil
}

// A layer that makes its weight when a method of it is first called.
func ExampleWithNameScope() {
	m := new(module)
	m.Init(m, layer.Options{Name: "my_module"})
	call := layer.WithNameScope(m, m.multiply)
	ones, err := tensor.NewValues([]float32{1, 1}, 1, 2)
	if err != nil {
		log.Fatal(err)
	}
	y, err := call(ones)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y.Shape(), y.Data())
	fmt.Println(m.w.Name(), m.w.Shape())
	// Output:
	// [1 3] [1 1 1]
	// my_module/w (2, 3)
}

// TestNameScope: names inside begin with the layer's, and count apart.
func TestNameScope(t *testing.T) {
	s := layer.NewScope(3)
	x := input(t, s, 4)
	outside := newDense(t, 1, layer.DenseOptions{})
	apply(t, outside, x)
	b := newBlock(t)
	if _, err := b.ScopeName(); !errors.Is(err, layer.ErrNotBuilt) {
		t.Errorf("ScopeName before the layer is built: %v", err)
	}
	apply(t, b, x)
	if name, err := b.ScopeName(); err != nil || name != "block" || !strings.HasPrefix(b.Variables()[0].Name(), name+"/") {
		t.Errorf("ScopeName = %q, %v", name, err)
	}
	if in := b.NameScope(); in.Name() != "block/" || in.Seed() != 3 || s.Name() != "" {
		t.Errorf("name scope %q of seed %d in %q", in.Name(), in.Seed(), s.Name())
	}
	made := layer.WithNameScope(b, func(in *layer.Scope, units int) (*layer.Dense, error) {
		d, err := layer.NewDense(units, layer.DenseOptions{})
		if err != nil {
			return nil, err
		}
		return d, layer.Bind(d, in)
	})
	inside := must[*layer.Dense](t)(made(2))
	y := apply(t, inside, x)
	// block/dense is the sublayer's name.
	if inside.Name() != "block/dense_1" || y.Name() != inside.Name() || inside.Variables()[0].Name() != "block/dense_1/kernel" || outside.Name() != "dense" {
		t.Errorf("made inside: %q, its output %q, its kernel %q; outside %q", inside.Name(), y.Name(), inside.Variables()[0].Name(), outside.Name())
	}
	if _, err := made(0); !errors.Is(err, layer.ErrArgument) || !strings.HasPrefix(err.Error(), "block: ") {
		t.Errorf("an error inside: %v", err)
	}
	if _, err := layer.WithNameScope(new(module), (&module{}).multiply)(tensor.ZeroValues(1, 1)); !errors.Is(err, layer.ErrNotInitialized) {
		t.Errorf("without Init: %v", err)
	}
	if _, err := new(module).AddWeight("w", layer.Shape{1}, layer.WeightOptions{}); !errors.Is(err, layer.ErrNotInitialized) {
		t.Errorf("a weight without Init: %v", err)
	}
}
