package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/docs/parity"
)

// goName matches what from-keras.md gives as a Go name.
var goName = regexp.MustCompile("`((?:rowan|tensor|initializer|optim|layer|model|metric)\\.[A-Z][A-Za-z0-9.]*)`")

// things matches the names, without their arguments, that a row of parity.md
// begins with.
var things = regexp.MustCompile("^`(\\*{0,2}\\w+)")

// TestFromKeras says of every Go name in from-keras.md that it exists, and of
// every argument, property and method that has a row in parity.md that it is there.
func TestFromKeras(t *testing.T) {
	page := readPage(t, "from-keras.md")
	exported, err := exportedNames("..", ".", "tensor", "initializer", "optim", "metric", "layer", "model")
	if err != nil {
		t.Fatal(err)
	}
	names := goName.FindAllStringSubmatch(page, -1)
	if len(names) < 100 {
		t.Errorf("from-keras.md has %d Go names; are they found?", len(names))
	}
	for _, m := range names {
		if !exported[m[1]] {
			t.Errorf("from-keras.md: %s does not exist", m[1])
		}
	}
	text, err := os.ReadFile("parity.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := parity.Parse(string(text))
	for _, r := range rows {
		if m := things.FindStringSubmatch(r.Thing); m != nil && !strings.Contains(page, "`"+m[1]+"`") {
			t.Errorf("from-keras.md does not have `%s` of %s", m[1], r.ID)
		}
	}
}
