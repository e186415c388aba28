package layer_test

import (
	"encoding/json"
	"testing"

	"github.com/rowan-embeddings/rowan/layer"
)

// FuzzFromConfig reads configs of any content: it may refuse them, and what it
// accepts must write a config that it accepts again.
func FuzzFromConfig(f *testing.F) {
	for _, l := range configured(f) {
		class, c, err := layer.ToConfig(l)
		if err != nil {
			f.Fatal(err)
		}
		text, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(class, text)
	}
	f.Fuzz(func(t *testing.T, class string, text []byte) {
		var c layer.Config
		if json.Unmarshal(text, &c) != nil {
			return
		}
		l, err := layer.FromConfig(class, c)
		if err != nil {
			return
		}
		_, again, err := layer.ToConfig(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := layer.FromConfig(class, again); err != nil {
			t.Errorf("%s: wrote a config that it refuses: %v\n%s\n%v", class, err, text, again)
		}
	})
}
