package initializer_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
)

// FuzzFromConfig checks that no config makes a panic, that what is accepted
// fills a row without NaN, and comes back from its own config.
func FuzzFromConfig(f *testing.F) {
	for _, seed := range []string{
		`{"class_name":"uniform","config":{"minval":-1,"maxval":2,"seed":3}}`,
		`{"class_name":"Constant","config":{"value":[1,2]}}`,
		`{"class_name":"VarianceScaling","config":{"scale":2,"mode":"fan_avg","distribution":"normal"}}`,
		`{"class_name":"truncated_normal","config":{"mean":1e30,"stddev":1e38}}`,
		`{"class_name":"zeros","config":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var c initializer.Config
		if json.Unmarshal(text, &c) != nil {
			return
		}
		i, err := initializer.FromConfig(c)
		if err != nil {
			return
		}
		for _, x := range row(i, 4, 1) {
			if x != x {
				t.Errorf("%s gives NaN", text)
			}
		}
		again, err := initializer.ToConfig(i)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		back, err := initializer.FromConfig(again)
		if err != nil || back.Name() != i.Name() {
			t.Fatalf("%s became %+v: %v", text, again, err)
		}
		final, err := initializer.ToConfig(back)
		if err != nil || !reflect.DeepEqual(final, again) {
			t.Errorf("%+v became %+v, %v", again, final, err)
		}
	})
}
