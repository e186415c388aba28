package layer_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestNumbersOf64Bits: ids, salts, seeds and vocabularies that a float64 does not hold
// come back as they were, from every dialect that has the layer.
func TestNumbersOf64Bits(t *testing.T) {
	const huge = 1<<60 + 1
	layers := []layer.Layer{
		newIntegerLookup(t, 9, layer.IntegerLookupOptions{Mask: new(int64(-huge)), Vocabulary: []int64{huge, 5}}),
		must[*layer.Hashing](t)(layer.NewHashing(9, layer.HashingOptions{Mask: new(int64(huge)), Salt: []uint64{1<<63 + 5, huge}})),
		must[*layer.Hashing](t)(layer.NewHashing(9, layer.HashingOptions{Salt: []uint64{1<<64 - 1}})),
		newEmbedding(t, 9, 2, layer.EmbeddingOptions{Initializer: initializer.RandomUniform{Min: -1, Max: 1, Seed: -huge}}),
		newEmbedding(t, 9, 2, layer.EmbeddingOptions{Padding: new(int64(huge)), OutOfRange: rowan.OutOfRangeZeros}),
		must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(2, layer.DynamicOptions{Padding: new(int64(huge)), KeyType: tensor.Uint64})),
	}
	for _, l := range layers {
		class, want, err := layer.ToConfig(l)
		if err != nil {
			t.Fatal(err)
		}
		for d := layer.Own; d <= layer.Keras3; d++ {
			c, err := d.Encode(l)
			if err != nil {
				continue // a class, or an argument, that this Keras does not have
			}
			var read layer.Config
			if err := json.Unmarshal(must[[]byte](t)(json.Marshal(c)), &read); err != nil {
				t.Fatal(err)
			}
			for _, c := range []layer.Config{c, read} {
				again, err := layer.Decode(c)
				if err != nil {
					t.Fatalf("%v %s: %v", d, class, err)
				}
				if _, got, err := layer.ToConfig(again); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%v %s: %v, %v, want %v", d, class, got, err, want)
				}
			}
		}
	}
}
