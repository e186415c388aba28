package layer_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// The tests of this file repeat what interop/record_tfra.py has recorded of the
// layers of TensorFlow Recommenders Addons, TFRA.

// readGolden reads a file of testdata into v.
func readGolden(t *testing.T, name string, v any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// tfraForward is ids and the rows that an embedding made of them. Keys are
// numbers or strings, by KeyType.
type tfraForward struct {
	Name       string          `json:"name"`
	KeyType    string          `json:"key_type"`
	Unique     bool            `json:"unique"`
	Training   bool            `json:"training"`
	Initial    float64         `json:"initial"`
	MaxNorm    float32         `json:"max_norm"`
	Width      int             `json:"width"`
	IDs        json.RawMessage `json:"ids"`
	Shape      []int           `json:"shape"` // of dense ids
	Lengths    []int           `json:"lengths"`
	Keys       json.RawMessage `json:"keys"` // what the table held before, with Rows
	Rows       []float32       `json:"rows"`
	Values     []float32       `json:"values"`
	OutShape   []int           `json:"out_shape"`
	OutLengths []int           `json:"out_lengths"`
	Held       json.RawMessage `json:"held"` // the keys that the table held after
	Wrong      string          `json:"wrong"`
	Right      string          `json:"right"`
}

// TestTFRAForward looks ids up as TFRA's Embedding does: of every shape, ragged,
// negative and beyond 53 bits, strings and 32 bits wide, with unique and without,
// and bounded; and it stores nothing. Where TFRA differs: its max_norm bounds
// what training reads only. Tolerance: bounded rows are divided by their norm.
func TestTFRAForward(t *testing.T) {
	var golden struct {
		Cases []tfraForward `json:"cases"`
	}
	readGolden(t, "tfra-forward.json", &golden)
	if len(golden.Cases) != 23 {
		t.Fatalf("%d cases, want 23", len(golden.Cases))
	}
	values := map[string][]float32{}
	for _, c := range golden.Cases {
		want := c.Values
		if values[c.Name] = want; c.Wrong != "" {
			if want = values[c.Right]; slices.Equal(want, c.Values) {
				t.Errorf("%s: TFRA is right: not %s", c.Name, c.Wrong)
			}
		}
		t.Run(fmt.Sprintf("%s/unique=%v", c.Name, c.Unique), func(t *testing.T) {
			switch c.KeyType {
			case "int64":
				forward[int64](t, &c, want)
			case "int32":
				forward[int32](t, &c, want)
			case "string":
				forward[string](t, &c, want)
			default:
				t.Fatalf("keys of %q", c.KeyType)
			}
		})
	}
}

// forward runs a layer of keys of type K.
func forward[K tensor.Key](t *testing.T, c *tfraForward, want []float32) {
	t.Helper()
	in := tfraIDs[K](t, c.IDs, c.Shape, c.Lengths)
	l := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(c.Width, layer.DynamicOptions{
		KeyType: tensor.KeyTypeOf[K](), Initializer: initializer.Constant{Value: c.Initial}, MaxNorm: c.MaxNorm, WithoutUnique: !c.Unique}))
	run(t, l, layer.Value{IDs: in}) // builds it
	if c.Rows != nil {
		keys := must[*tensor.Dense[K]](t)(tensor.NewDense(decoded[K](t, c.Keys)))
		rows := must[*tensor.Values](t)(tensor.NewValues(c.Rows, keys.Len(), c.Width))
		if err := l.Table().Upsert(t.Context(), keys, rows); err != nil {
			t.Fatal(err)
		}
	}
	out := must[*layer.Output](t)(l.Run(t.Context(), layer.Args{Training: c.Training}, layer.Value{IDs: in})).Values[0]
	nearly(t, "values", out.Floats.Data(), want)
	if c.Lengths == nil && !slices.Equal(out.Floats.Shape(), c.OutShape) {
		t.Errorf("shape %v, want %v", out.Floats.Shape(), c.OutShape)
	}
	if c.Lengths != nil && !slices.Equal(lengthsOf(out.Splits), c.OutLengths) {
		t.Errorf("splits %v, want bags of %v", out.Splits, c.OutLengths)
	}
	held := []K{}
	for r, err := range l.Table().Export(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, r.Keys.(*tensor.Dense[K]).Values()...)
	}
	if want := decoded[K](t, c.Held); !slices.Equal(held, want) {
		t.Errorf("the table holds %v, want %v", held, want)
	}
}

// tfraIDs returns dense ids of a shape, or ragged ones of some lengths.
func tfraIDs[K tensor.Key](t *testing.T, list json.RawMessage, shape, lengths []int) tensor.IDs {
	t.Helper()
	keys := decoded[K](t, list)
	if lengths != nil {
		return must[*tensor.Ragged[K]](t)(tensor.RaggedFromLengths(keys, lengths))
	}
	return must[*tensor.Dense[K]](t)(tensor.NewDense(keys, shape...))
}

func decoded[K tensor.Key](t *testing.T, list json.RawMessage) (keys []K) {
	t.Helper()
	if err := json.Unmarshal(list, &keys); err != nil {
		t.Fatal(err)
	}
	return keys
}

func lengthsOf(splits []int64) (lengths []int) {
	for i := 1; i < len(splits); i++ {
		lengths = append(lengths, int(splits[i]-splits[i-1]))
	}
	return lengths
}

// nearly compares numbers that were computed in another order.
func nearly(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d %s, want %d", len(got), what, len(want))
	}
	for i, w := range want {
		if !(math.Abs(float64(got[i]-w)) <= 2e-6*max(1, math.Abs(float64(w)))) {
			t.Errorf("%s[%d] = %v, want %v", what, i, got[i], w)
		}
	}
}
