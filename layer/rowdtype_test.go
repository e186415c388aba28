package layer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/kernel"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// The numbers nearest to 0.1 and -0.3.
var (
	tenth       = float32(0.1)
	tenths16    = []float32{0x1.998p-4, -0x1.334p-2}
	tenthsBrain = []float32{0x1.9ap-4, -0x1.34p-2}
)

// TestRowDType: rows are stored as the option says, read as float32 and then cast
// as the policy says, whose weights are float32 in any case.
func TestRowDType(t *testing.T) {
	first := initializer.Values{tenth, -0.3}
	for d, want := range map[rowan.DType][]float32{rowan.Float32: {tenth, -0.3}, rowan.Float16: tenths16, rowan.BFloat16: tenthsBrain, rowan.Float64: {tenth, -0.3}} {
		for _, l := range []interface {
			layer.Layer
			Table() *rowan.Table
		}{
			newEmbedding(t, 9, 2, layer.EmbeddingOptions{Initializer: first, RowDType: d}),
			newDynamic(t, 2, layer.DynamicOptions{Initializer: first, RowDType: d}),
		} {
			if got := run(t, l, ids(t, []int{1}, 5)).Values[0].Floats.Data(); !slices.Equal(got, want) {
				t.Errorf("%T, %v: rows read %v, want %v", l, d, got, want)
			}
			if got := l.Table().Options().DType; got != d || layer.Of(l).DType() != layer.Float32 {
				t.Errorf("%T: the table's rows are %v, want %v; the layer's weights %v", l, got, d, layer.Of(l).DType())
			}
		}
	}
	mixed := layer.Options{Policy: must[layer.Policy](t)(layer.PolicyByName("mixed_bfloat16"))}
	l := newEmbedding(t, 9, 2, layer.EmbeddingOptions{Options: mixed, Initializer: first, RowDType: rowan.Float16})
	// 0x1.334 lies nearer to 0x1.34 than to 0x1.32.
	if got := run(t, l, ids(t, []int{1}, 5)).Values[0].Floats.Data(); !slices.Equal(got, tenthsBrain) {
		t.Errorf("float16 rows under mixed_bfloat16 read %v, want %v", got, tenthsBrain)
	}
}

// TestRowDTypeTrains: a step's result is a number of the type.
func TestRowDTypeTrains(t *testing.T) {
	o := &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(0.3)}
	l := built(t, layer.DynamicOptions{RowDType: rowan.BFloat16, Optimizer: o})
	wide := built(t, layer.DynamicOptions{Optimizer: o})
	batch := must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{1, 2, 3, 1}, 4, 1))
	read := func(l *layer.DynamicEmbedding) []float32 {
		return run(t, l, layer.Value{IDs: batch}).Values[0].Floats.Data()
	}
	trainMore(t, l, batch)
	trainMore(t, wide, batch)
	got := read(l)
	for i, want := range read(wide) {
		// Rounded twice, at the start and by the step: each within 2^-7 of the
		// number, which is below 4.
		if off := got[i] - want; off > 4*0x1p-6 || off < -4*0x1p-6 {
			t.Errorf("number %d is %v, of float32 %v", i, got[i], want)
		}
	}
	if slices.Equal(got, read(wide)) {
		t.Error("nothing was rounded")
	}
}

func TestRowDTypeConfigs(t *testing.T) {
	c := newDynamic(t, 2, layer.DynamicOptions{RowDType: rowan.BFloat16}).Config()
	if c["value_dtype"] != "bfloat16" {
		t.Errorf("value_dtype is %v", c["value_dtype"])
	}
	for name, want := range map[string]rowan.DType{"float32": rowan.Float32, "float16": rowan.Float16, "half": rowan.Float16, "bfloat16": rowan.BFloat16, "float64": rowan.Float64} {
		c["value_dtype"] = name
		l := must[layer.Layer](t)(layer.FromConfig("DynamicEmbedding", c))
		if got := l.(*layer.DynamicEmbedding).Config()["value_dtype"]; got != want.String() {
			t.Errorf("%q is read as %v", name, got)
		}
	}
	for _, name := range []string{"complex64", "Float16"} {
		c["value_dtype"] = name
		if _, err := layer.FromConfig("DynamicEmbedding", c); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), "value_dtype") {
			t.Errorf("%q: got %v, want ErrConfig", name, err)
		}
	}
	c["value_dtype"] = "int8"
	if _, err := layer.FromConfig("DynamicEmbedding", c); !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), "DynamicLookup") {
		t.Errorf("int8: got %v, want ErrArgument and the layer that reads it", err)
	}
	e := newEmbedding(t, 9, 2, layer.EmbeddingOptions{})
	if v, there := e.Config()["row_dtype"]; there {
		t.Errorf("Keras' own layer has row_dtype %v", v)
	}
	if _, err := layer.Keras3.Encode(newEmbedding(t, 9, 2, layer.EmbeddingOptions{RowDType: rowan.Float16})); err == nil || !strings.Contains(err.Error(), `no argument "row_dtype"`) {
		t.Errorf("as Keras writes it: %v", err)
	}
}

func TestRowDTypeRefusals(t *testing.T) {
	if _, err := layer.NewEmbedding(9, 2, layer.EmbeddingOptions{RowDType: 7}); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("Embedding: got %v, want ErrArgument", err)
	}
	if _, err := layer.NewDynamicEmbedding(2, layer.DynamicOptions{RowDType: 7}); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("DynamicEmbedding: got %v, want ErrArgument", err)
	}
	if _, err := layer.NewDynamicEmbedding(2, layer.DynamicOptions{RowDType: rowan.Float16, Devices: []string{"memory:"}}); !errors.Is(err, layer.ErrUnsupported) {
		t.Errorf("in devices: got %v, want ErrUnsupported", err)
	}
}

// TestRowDTypeInitializers: each of Keras' initializers in each type gives the
// nearest to what it gives in float32, from the same seed.
func TestRowDTypeInitializers(t *testing.T) {
	all := []initializer.Initializer{initializer.Constant{Value: 0.3}}
	for _, name := range initializer.Names() {
		all = append(all, must[initializer.Initializer](t)(initializer.ByName(name)))
	}
	seen := map[rowan.DType][]float32{} // of the initializer before
	for _, i := range all {
		for _, d := range []rowan.DType{rowan.Float32, rowan.Float16, rowan.BFloat16} {
			read := func(d rowan.DType) []float32 {
				l := newEmbedding(t, 5, 4, layer.EmbeddingOptions{Options: layer.Options{Name: "film"}, Initializer: i, RowDType: d})
				return run(t, l, ids(t, []int{5}, 0, 1, 2, 3, 4)).Values[0].Floats.Data()
			}
			got := read(d)
			switch c := i.(type) {
			case initializer.Zeros, initializer.Ones:
				if want := map[string]float32{"Zeros": 0, "Ones": 1}[i.Name()]; got[7] != want {
					t.Errorf("%s, %v: %v, want %v", i.Name(), d, got[7], want)
				}
			case initializer.RandomUniform:
			default:
				if other := seen[d]; slices.Equal(got, other) {
					t.Errorf("%v, %v: the values of another initializer", c, d)
				}
				seen[d] = got
			}
			for x, want := range read(rowan.Float32) {
				if d != rowan.Float32 {
					h := kernel.Half(d)
					want = h.Widen(h.Nearest(want))
				}
				if got[x] != want {
					t.Errorf("%s, %v: number %d is %v, want %v", i.Name(), d, x, got[x], want)
				}
			}
		}
	}
}
