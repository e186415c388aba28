package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/docs/parity"
)

// goName matches a Go name in from-keras.md, in code of several too.
var goName = regexp.MustCompile(`\b(?:rowan|tensor|initializer|constraint|optim|layer|op|model|metric|activation|loss|regularizer)(?:\.[A-Z][A-Za-z0-9]*)+`)

// code and word match the code in what a row of parity.md is about, and the
// names in it: of methods and their arguments, of properties.
var (
	code = regexp.MustCompile("`[^`]+`")
	word = regexp.MustCompile(`\*{0,2}\b[a-z_]\w*`)
)

// TestFromKeras says of every Go name in from-keras.md that it exists, and of
// every argument, property and method that has a row in parity.md that it is there.
func TestFromKeras(t *testing.T) {
	page := readPage(t, "from-keras.md")
	exported, err := exportedNames("..", ".", "tensor", "initializer", "constraint", "optim", "metric", "activation", "loss", "regularizer", "layer", "layer/op", "model")
	if err != nil {
		t.Fatal(err)
	}
	names := goName.FindAllString(page, -1)
	if len(names) < 100 {
		t.Errorf("from-keras.md has %d Go names; are they found?", len(names))
	}
	for _, name := range names {
		if !exported[name] {
			t.Errorf("from-keras.md: %s does not exist", name)
		}
	}
	text, err := os.ReadFile("parity.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := parity.Parse(string(text))
	for _, r := range rows {
		for _, name := range word.FindAllString(strings.Join(code.FindAllString(r.Thing, -1), " "), -1) {
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("from-keras.md does not have `%s` of %s", name, r.ID)
			}
		}
	}
}
