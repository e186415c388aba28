package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// switchName is what the package of switches is called in the files that are
// fitted with them.
const switchName = "parityswitch"

// switchSource is that package. It exists in the overlay only.
const switchSource = `package parityswitch

import (
	"os"
	"reflect"
	"strconv"
	"strings"
)

var symbol, way int

// On reads from the environment which switch is on.
func On() {
	a, b, ok := strings.Cut(os.Getenv("ROWAN_BROKEN"), ":")
	if !ok {
		return
	}
	symbol, _ = strconv.Atoi(a)
	way, _ = strconv.Atoi(b)
}

func Trip(s, w int) {
	if s == symbol && w == way {
		panic("parity: this symbol is broken")
	}
}

func Read[T any](s int, v T) T {
	if s == symbol && (way == 3 || way == 2 && !reflect.ValueOf(&v).Elem().IsZero()) {
		panic("parity: this symbol is broken")
	}
	return v
}
`

func tripCall(number int, w way) string {
	return fmt.Sprintf("%s.Trip(%d, %d);", switchName, number, w)
}

func readCall(number int) string { return fmt.Sprintf("%s.Read(%d, ", switchName, number) }

// overlay writes the changed files into a folder, and the list of them that the
// go command reads.
type overlay struct {
	dir     string
	replace map[string]string
}

// write makes the overlay for the switches of s, and for tests in folders,
// which turn the switches on.
func (s *switches) write(dir string, folders []string) (list string, err error) {
	o := &overlay{dir: dir, replace: map[string]string{}}
	home := s.p.module + "/" + switchName
	if err := o.add(filepath.Join(s.p.root, switchName, "switch.go"), switchSource); err != nil {
		return "", err
	}
	for _, one := range s.p.pkgs {
		for _, f := range one.files {
			if len(s.edits[f]) == 0 {
				continue
			}
			name := s.p.fset.Position(f.Package).Filename
			text, err := s.edited(f, name, home)
			if err != nil {
				return "", err
			}
			if err := o.add(name, text); err != nil {
				return "", err
			}
		}
	}
	for _, folder := range folders {
		if err := o.addStarter(filepath.Join(s.p.root, folder), home); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(struct{ Replace map[string]string }{o.replace})
	if err != nil {
		return "", err
	}
	list = filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, text, 0o600)
}

func (o *overlay) add(name, text string) error {
	file := filepath.Join(o.dir, fmt.Sprintf("%d.go", len(o.replace)))
	o.replace[name] = file
	return os.WriteFile(file, []byte(text), 0o600)
}

// edited is a file with its edits. Lines keep their numbers.
func (s *switches) edited(f *ast.File, name, home string) (string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	edits := append(s.edits[f], edit{at: f.Name.End(), text: fmt.Sprintf("; import %q", home)})
	slices.SortStableFunc(edits, func(a, b edit) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return int(b.reach - a.reach)
	})
	var out strings.Builder
	done := 0
	for _, e := range edits {
		at := s.p.fset.Position(e.at).Offset
		out.Write(text[done:at])
		out.WriteString(e.text)
		done = at
	}
	out.Write(text[done:])
	return out.String(), nil
}

// addStarter adds a test file that turns the switches on once every package is
// initialised.
func (o *overlay) addStarter(dir, home string) error {
	tests, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(tests) == 0 {
		return fmt.Errorf("%s has no tests: %w", dir, err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), tests[0], nil, parser.PackageClauseOnly)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("package %s\n\nimport %q\n\nfunc init() { %s.On() }\n", f.Name.Name, home, switchName)
	return o.add(filepath.Join(dir, "zz_parityswitch_test.go"), text)
}
