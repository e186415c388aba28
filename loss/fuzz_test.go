package loss_test

import (
	"encoding/json"
	"testing"

	"github.com/rowan-embeddings/rowan/loss"
)

// FuzzFromConfig reads configs of any content: each makes a loss or an error.
func FuzzFromConfig(f *testing.F) {
	for _, text := range []string{
		`{"class_name": "Huber", "config": {"delta": 0.5, "name": "h"}}`,
		`{"class_name": "BinaryFocalCrossentropy", "config": {"gamma": 1, "alpha": null, "apply_class_balancing": true}}`,
		`{"class_name": "CategoricalCrossentropy", "config": {"from_logits": 1, "axis": [-1, {}]}}`,
		`{"class_name": "CategoricalFocalCrossentropy", "config": {"alpha": [0.25, 1], "fn": {}}}`,
		`{"class_name": "Tversky", "config": {"axis": [1, null], "beta": 1e300, "reduction": []}}`,
		`{"class_name": "Circle", "config": {"margin": -1, "remove_diagonal": false}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var c loss.Config
		if json.Unmarshal(text, &c) != nil {
			return
		}
		if l, err := loss.FromConfig(c); (l == nil) != (err != nil) {
			t.Errorf("%s: a loss is there: %v, and an error: %v", text, l != nil, err)
		}
	})
}
