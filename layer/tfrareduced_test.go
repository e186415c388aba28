package layer_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// tfraReduced is what interop/record_tfra.py has recorded of the layers of TFRA
// that reduce rows: results, and what they are the gradient of each row for.
type tfraReduced struct {
	Keys  []int64       `json:"keys"`
	Rows  []float32     `json:"rows"`
	Cases []reducedCase `json:"cases"`
}

type reducedCase struct {
	Name     string     `json:"name"`
	Combiner string     `json:"combiner"`
	Slots    int        `json:"slots"`
	IDs      []int64    `json:"ids"`
	Shape    []int      `json:"shape"` // of dense ids
	Lengths  []int      `json:"lengths"`
	Upstream []float32  `json:"upstream"`
	OutShape []int      `json:"out_shape"`
	Values   []*float32 `json:"values"` // null is no finite number
	Gradient []*float32 `json:"gradient"`
	Wrong    string     `json:"wrong"`
	Right    string     `json:"right"`
}

// ids returns the ids in a shape, or ragged.
func (c *reducedCase) ids(t *testing.T, shape ...int) tensor.IDs {
	t.Helper()
	if c.Lengths != nil {
		return must[*tensor.Ragged[int64]](t)(tensor.RaggedFromLengths(c.IDs, c.Lengths))
	}
	return must[*tensor.Dense[int64]](t)(tensor.NewDense(c.IDs, shape...))
}

// TestTFRASquashed reduces the ids of an example as SquashedEmbedding does, by
// each reduction, with its gradients. Where TFRA differs: an example without ids
// is zeros here whatever the combiner, and not NaN, 1 or the largest number; std
// and variance of an example of several dimensions are of all its rows, and not
// of dimension after dimension; ids of one dimension are refused as one id an
// example, and not taken for one example. Tolerance: sums of up to four float32
// in another order.
func TestTFRASquashed(t *testing.T) {
	var golden tfraReduced
	readGolden(t, "tfra-squashed.json", &golden)
	if len(golden.Cases) != 27 {
		t.Fatalf("%d cases, want 27", len(golden.Cases))
	}
	cases := map[string]*reducedCase{}
	odd := 0
	for i := range golden.Cases {
		c := &golden.Cases[i]
		cases[c.Combiner+"/"+c.Name] = c
		t.Run(c.Combiner+"/"+c.Name, func(t *testing.T) {
			want := c
			if c.Wrong != "" {
				want = cases[c.Combiner+"/"+c.Right]
			}
			l, ids, shape := squashedBy(t, c), c.ids(t, c.Shape...), c.OutShape
			if c.Name == "single" {
				_, err := l.Run(t.Context(), layer.Args{}, layer.Value{IDs: ids})
				if !errors.Is(err, layer.ErrShape) {
					t.Errorf("ids of one dimension: error %v, want ErrShape", err)
				}
				l, ids, shape = squashedBy(t, c), c.ids(t, 1, len(c.IDs)), append([]int{1}, shape...)
			}
			values, gradient := golden.run(t, l, ids, c.Upstream)
			if !slices.Equal(values.Shape(), shape) {
				t.Errorf("shape %v, want %v", values.Shape(), shape)
			}
			got := values.Data()
			for i := range c.Lengths {
				if c.Lengths[i] > 0 {
					continue
				}
				for j := 2 * i; j < 2*i+2; j++ {
					if got[j] != 0 {
						t.Errorf("an example without ids is %v", got[2*i:2*i+2])
					}
					if w := want.Values[j]; w == nil || *w != 0 {
						odd++
					}
					want.Values[j] = new(float32)
				}
			}
			asTFRA(t, "values", got, want.Values)
			asTFRA(t, "gradient", gradient, want.Gradient)
		})
	}
	if odd != 2*7 {
		t.Errorf("of no ids TFRA makes %d numbers that are not 0, want two of each combiner but sum", odd)
	}
}

func squashedBy(t *testing.T, c *reducedCase) *layer.SquashedEmbedding {
	t.Helper()
	return must[*layer.SquashedEmbedding](t)(layer.NewSquashedEmbedding(2, layer.DynamicOptions{Combiner: c.Combiner, Initializer: initializer.Zeros{}}))
}

// TestTFRAFieldWise reduces ids by their slots as FieldWiseEmbedding does, with
// gradients. Where TFRA differs: a slot that is not one of the layer's is an
// error here, and not the next example's. Tolerance: as of TestTFRASquashed.
func TestTFRAFieldWise(t *testing.T) {
	var golden tfraReduced
	readGolden(t, "tfra-fieldwise.json", &golden)
	if len(golden.Cases) != 9 {
		t.Fatalf("%d cases, want 9", len(golden.Cases))
	}
	modulo3 := layer.SlotOf(func(id int64) int { return int((id%3 + 3) % 3) })
	for _, c := range golden.Cases {
		t.Run(fmt.Sprintf("%s/slots=%d", c.Combiner, c.Slots), func(t *testing.T) {
			l := must[*layer.FieldWiseEmbedding](t)(layer.NewFieldWiseEmbedding(2, c.Slots, modulo3, layer.DynamicOptions{Combiner: c.Combiner, Initializer: initializer.Zeros{}}))
			ids := c.ids(t, c.Shape...)
			if c.Wrong != "" {
				_, err := l.Run(t.Context(), layer.Args{}, layer.Value{IDs: ids})
				if !errors.Is(err, layer.ErrArgument) {
					t.Errorf("error %v, want ErrArgument: %s", err, c.Wrong)
				}
				return
			}
			values, gradient := golden.run(t, l, ids, c.Upstream)
			if !slices.Equal(values.Shape(), c.OutShape) {
				t.Errorf("shape %v, want %v", values.Shape(), c.OutShape)
			}
			asTFRA(t, "values", values.Data(), c.Values)
			asTFRA(t, "gradient", gradient, c.Gradient)
		})
	}
}

type tableLayer interface {
	layer.HostLayer
	Table() *rowan.Table
}

// run looks ids up in a layer with the rows of g, and returns the gradient of
// each row: what a step of gradient descent of rate 1 takes off it.
func (g *tfraReduced) run(t *testing.T, l tableLayer, ids tensor.IDs, upstream []float32) (*tensor.Values, []float32) {
	t.Helper()
	run(t, l, layer.Value{IDs: ids}) // builds it
	table := l.Table()
	if err := table.SetOptimizer(&optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}); err != nil {
		t.Fatal(err)
	}
	keys := must[*tensor.Dense[int64]](t)(tensor.NewDense(g.Keys))
	if err := table.Upsert(t.Context(), keys, must[*tensor.Values](t)(tensor.NewValues(g.Rows, len(g.Keys), 2))); err != nil {
		t.Fatal(err)
	}
	values := run(t, l, layer.Value{IDs: ids}).Values[0].Floats
	var r layer.Rows
	if err := l.Lookup(t.Context(), &r, ids, true); err != nil {
		t.Fatal(err)
	}
	step := table.NewGradients()
	if err := r.Backward(step, must[*tensor.Values](t)(tensor.NewValues(upstream, values.Shape()...))); err != nil {
		t.Fatal(err)
	}
	if err := table.Apply(t.Context(), step, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
	after := must[*rowan.Lookup](t)(table.Lookup(t.Context(), keys, rowan.LookupOptions{})).Values().Data()
	var gradient []float32
	for i, w := range g.Rows {
		gradient = append(gradient, w-after[i])
	}
	return values, gradient
}

// asTFRA compares with what was recorded, in which null is no number that a
// test should meet.
func asTFRA(t *testing.T, what string, got []float32, want []*float32) {
	t.Helper()
	var plain []float32
	for i, w := range want {
		if w == nil {
			t.Fatalf("%s[%d] is no number in TFRA", what, i)
		}
		plain = append(plain, *w)
	}
	nearly(t, what, got, plain)
}
