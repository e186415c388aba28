package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/docs/parity"
)

// library is a small module with each kind of symbol. Its tests prove some rows
// of the page and not others.
var library = map[string]string{
	"go.mod": "module example.org/zoo\n\ngo 1.26\n",
	"zoo.go": `package zoo

import "errors"

var ErrEmpty = errors.New("empty")

type Sound int

const (
	None Sound = iota
	Loud
)

type Options struct {
	Name  string
	Sound Sound
	Unread int
}

type Animal struct {
	Options
	legs int
}

type Speaker interface{ Speak() string }

type Report struct{ Legs int }

func New(o Options, legs int) (*Animal, error) {
	if legs == 0 {
		return nil, ErrEmpty
	}
	return &Animal{o, legs}, nil
}

func (a *Animal) Speak() string {
	if a.Sound == Loud {
		return a.Name + "!"
	}
	return a.Name
}

func (a *Animal) Count() Report { return Report{Legs: a.legs} }

func Hear(s Speaker) string { return s.Speak() }

func Useless() int { return 7 }

// Made at initialisation: that it needs New proves nothing.
var first, _ = New(Options{Name: "first"}, 4)
`,
	"zoo_test.go": `package zoo

import (
	"errors"
	"testing"
)

func TestLoud(t *testing.T) {
	if a, _ := New(Options{Name: "cow", Sound: Loud}, 4); a.Speak() != "cow!" {
		t.Error(a.Speak())
	}
}

func TestQuiet(t *testing.T) {
	if a, _ := New(Options{}, 4); a.Speak() != "" {
		t.Error(a.Speak())
	}
}

func TestHear(t *testing.T) {
	if a, _ := New(Options{Name: "cow"}, 4); Hear(a) != "cow" {
		t.Error(Hear(a))
	}
}

func TestEmpty(t *testing.T) {
	if _, err := New(Options{}, 0); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}

func TestCount(t *testing.T) {
	t.Run("legs", func(t *testing.T) {
		if a, _ := New(Options{}, 4); a.Count().Legs != 4 {
			t.Error("legs are lost")
		}
	})
}

func TestNothing(t *testing.T) {}

func TestFails(t *testing.T) { t.Error("always") }
`,
}

func TestProve(t *testing.T) {
	cases := []struct{ name, symbols, proof, want string }{
		{"function", "`zoo.New`", "rowan.TestLoud", ""},
		{"method", "`zoo.Animal.Speak`", "rowan.TestLoud", ""},
		{"type", "`zoo.Animal`", "rowan.TestLoud", ""},
		{"type that is only taken", "`zoo.Options`", "rowan.TestEmpty", ""},
		{"interface", "`zoo.Speaker`", "rowan.TestHear", ""},
		{"interface that is not used", "`zoo.Speaker`", "rowan.TestLoud", "no proof misses it"},
		{"interface method", "`zoo.Speaker.Speak`", "rowan.TestHear", ""},
		{"field", "`zoo.Options.Sound`", "rowan.TestLoud", ""},
		{"promoted field", "`zoo.Animal.Name`", "rowan.TestLoud", ""},
		{"default of a field", "`zoo.Options.Sound`", "rowan.TestQuiet", ""},
		{"field of a result", "`zoo.Report.Legs`", "rowan.TestCount/legs", ""},
		{"field without effect", "`zoo.Options.Unread`", "rowan.TestLoud", "cannot be broken"},
		{"constant", "`zoo.Loud`", "rowan.TestLoud", ""},
		{"variable", "`zoo.ErrEmpty`", "rowan.TestEmpty", ""},
		{"function that is not called", "`zoo.Useless`", "rowan.TestLoud", "no proof misses it"},
		{"symbol of an initialisation", "`zoo.New`", "rowan.TestNothing", "no proof misses it"},
		{"one of two proofs", "`zoo.Animal.Speak`", "rowan.TestLoud, rowan.TestEmpty", "rowan.TestEmpty passes without"},
		{"two symbols, a proof each", "`zoo.Animal.Speak`, `zoo.ErrEmpty`", "rowan.TestLoud, rowan.TestEmpty", ""},
		{"one of two symbols", "`zoo.Animal.Speak`, `zoo.Useless`", "rowan.TestLoud", "zoo.Useless: no proof misses it"},
		{"proof that fails", "`zoo.New`", "rowan.TestFails", "rowan.TestFails fails as it is"},
		{"proof that is gone", "`zoo.New`", "rowan.TestGone", "no such test has run"},
		{"symbol that is gone", "`zoo.Gone`", "rowan.TestLoud", "zoo.Gone does not exist"},
		{"no symbol", "none", "rowan.TestLoud", "names no symbol"},
	}
	page := parity.TableHead + "\n|---|\n"
	for i, c := range cases {
		page += fmt.Sprintf("| A-%03d | x | y | %s | done | %s |\n", i+1, c.symbols, c.proof)
	}
	results, err := prove(t.Context(), zoo(t, page), "page.md", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(cases) {
		t.Fatalf("%d results of %d rows", len(results), len(cases))
	}
	for i, c := range cases {
		faults := results[i].faults
		switch {
		case c.want == "" && len(faults) > 0:
			t.Errorf("%s: a proved row is refused: %q", c.name, faults)
		case c.want != "" && !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, c.want) }):
			t.Errorf("%s: faults are %q, want one that says %q", c.name, faults, c.want)
		}
	}
}

// zoo writes the library and a page into a folder.
func zoo(t *testing.T, page string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range library {
		write(t, filepath.Join(dir, name), text)
	}
	write(t, filepath.Join(dir, "page.md"), page)
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRun is the command on the same library, from its arguments to its error.
func TestRun(t *testing.T) {
	dir := zoo(t, parity.TableHead+"\n|---|\n"+
		"| A-001 | x | y | `zoo.New` | done | rowan.TestLoud |\n"+
		"| A-002 | x | y | `zoo.New` | done | rowan.TestNothing |\n"+
		"| A-003 | x | y | `zoo.New` | open | |\n")
	for _, c := range []struct {
		rows string
		want error
	}{{"A-001", nil}, {"A-00", errUnproved}} {
		if err := run(t.Context(), []string{"-root", dir, "-page", "page.md", c.rows}); !errors.Is(err, c.want) {
			t.Errorf("rows %s: %v, want %v", c.rows, err, c.want)
		}
	}
	if err := run(t.Context(), []string{"-root", dir, "-page", "page.md", "A-003"}); err == nil {
		t.Error("a page without such a row is no error")
	}
}
