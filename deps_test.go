package rowan_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/rowan-embeddings/rowan"

// levels says which package may import which: one may import those of the rows
// above its own, and no other of this module. The root is ".". A new package
// fails the test until it has a place here.
var levels = [][]string{
	{"tensor", "internal/kernel", "internal/slab", "internal/vfs", "internal/portable", "internal/suggest", "internal/classname", "internal/tuple", "internal/exactjson", "internal/fingerprint", "internal/nils", "docs/parity"},
	{"internal/text", "internal/format", "internal/checkpoint", "internal/arguments", "internal/registry"},
	{"internal/keymap", "initializer", "constraint", "optim", "metric"},
	{"."},
	{"dataset", "internal/dense", "internal/kink", "internal/tabletest", "internal/vocabulary"},
	{"activation", "loss", "regularizer"},
	{"layer"},
	{"model", "layer/op", "dataset/baseline"},
	{"recipe"},
	{"cmd/rowan"},
	{"docs", "docs/prove", "bench/driver", "bench/rowan"},
}

// engineLevels is the number of levels, counted from the top of the table, that
// make the engine: a service that embeds it links the standard library and
// golang.org/x/sys, and nothing else.
const engineLevels = 4

// engineImports and engineTestImports are the modules that engine packages and
// their tests may name beside the standard library.
var (
	engineImports     = []string{"golang.org/x/sys"}
	engineTestImports = []string{"golang.org/x/sys", "pgregory.net/rapid", "go.uber.org/goleak"}
)

// restricted maps an import and everything below it to the packages that may
// name it, tests included, and the reason. The longest match counts.
var restricted = map[string]struct {
	by     []string
	reason string
}{
	"C":                               {nil, "the product builds with CGO_ENABLED=0"},
	"github.com/goccy/go-yaml":        {[]string{"cmd/rowan"}, "a configuration is a Go struct; only the command reads YAML"},
	"github.com/urfave/cli":           {[]string{"cmd/rowan"}, "only the command has a command line"},
	"github.com/gomlx":                {[]string{"internal/dense", "internal/kink", "activation", "loss", "regularizer", "layer"}, "one place runs the graph; layers and what they are made of describe it"},
	"github.com/gomlx/gomlx/ml":       {nil, "variables, layers and optimizers are ours"},
	"github.com/gomlx/gomlx/backends": {nil, "it registers back ends on import, XLA among them, which wants to download"},
}

// pkg is what one directory imports, in files for any system and under any tag.
type pkg struct {
	path        string // relative to the module, "." for the root
	imports     []string
	testImports []string
}

func TestDependencies(t *testing.T) {
	pkgs, err := scan(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 5 {
		t.Fatalf("found %d packages from the working directory; want the whole module", len(pkgs))
	}
	for _, v := range violations(pkgs) {
		t.Error(v)
	}
}

// TestDependenciesCaught feeds the checker made-up packages: each must be found
// out, and the lawful ones must not.
func TestDependenciesCaught(t *testing.T) {
	in := func(p string) string { return module + "/" + p }
	for _, c := range []struct {
		name string
		pkg  pkg
		want string // part of the one violation; "" for none
	}{
		{"lower level", pkg{path: "optim", imports: []string{in("tensor"), "math"}}, ""},
		{"root from above", pkg{path: "layer", imports: []string{module}}, ""},
		{"same level", pkg{path: "tensor", imports: []string{in("internal/slab")}}, "tensor (level 0) imports internal/slab (level 0)"},
		{"higher level", pkg{path: ".", imports: []string{in("model")}}, ". (level 3) imports model (level 7)"},
		{"layer in loss", pkg{path: "loss", imports: []string{in("layer")}}, "loss (level 5) imports layer (level 6)"},
		{"a test may look up", pkg{path: ".", testImports: []string{in("internal/tabletest")}}, ""},
		{"no level", pkg{path: "serve"}, "serve has no level"},
		{"import of no level", pkg{path: "model", imports: []string{in("serve")}}, "imports serve, which has no level"},
		{"x/sys in the engine", pkg{path: "internal/slab", imports: []string{"golang.org/x/sys/unix"}}, ""},
		{"module in the engine", pkg{path: "optim", imports: []string{"golang.org/x/exp/maps"}}, "optim is part of the engine and imports golang.org/x/exp/maps"},
		{"prefix is not a path", pkg{path: "optim", imports: []string{"golang.org/x/system"}}, "part of the engine"},
		{"rapid in an engine test", pkg{path: "optim", testImports: []string{"pgregory.net/rapid"}}, ""},
		{"rapid in the engine", pkg{path: "optim", imports: []string{"pgregory.net/rapid"}}, "part of the engine"},
		{"other module in an engine test", pkg{path: "optim", testImports: []string{"github.com/pkg/errors"}}, "part of the engine"},
		{"yaml in the command", pkg{path: "cmd/rowan", imports: []string{"github.com/goccy/go-yaml"}}, ""},
		{"yaml elsewhere", pkg{path: "recipe", imports: []string{"github.com/goccy/go-yaml"}}, "only the command reads YAML"},
		{"yaml in a test", pkg{path: "recipe", testImports: []string{"github.com/goccy/go-yaml/ast"}}, "only the command reads YAML"},
		{"graph in layer", pkg{path: "layer", imports: []string{"github.com/gomlx/gomlx/core/graph"}}, ""},
		{"graph in model", pkg{path: "model", imports: []string{"github.com/gomlx/gomlx/core/graph"}}, "one place runs the graph"},
		{"gomlx/ml in layer", pkg{path: "layer", imports: []string{"github.com/gomlx/gomlx/ml/context"}}, "variables, layers and optimizers are ours"},
		{"default back ends", pkg{path: "internal/dense", imports: []string{"github.com/gomlx/gomlx/backends/default"}}, "wants to download"},
		{"cgo", pkg{path: "model", imports: []string{"C"}}, "CGO_ENABLED=0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := violations([]pkg{c.pkg})
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("lawful package refused: %q", got)
			case c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)):
				t.Errorf("violations = %q, want one that says %q", got, c.want)
			}
		})
	}
}

// TestScan reads a tree with the cases that a listing for one system misses.
func TestScan(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"tensor/a.go":              "package tensor\nimport \"math\"",
		"tensor/a_windows.go":      "//go:build noasm\n\npackage tensor\nimport \"unsafe\"",
		"tensor/a_test.go":         "package tensor_test\nimport \"testing\"",
		"tensor/testdata/bad.go":   "package bad\nimport \"nowhere.org/x\"",
		"tensor/_gen/main.go":      "package main\nimport \"nowhere.org/avo\"",
		"other/go.mod":             "module other",
		"other/main.go":            "package main\nimport \"nowhere.org/y\"",
		".hidden/main.go":          "package main",
		"docs/not-a-package/x.txt": "",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pkgs, err := scan(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(pkgs), "[{tensor [math unsafe] [testing]}]"; got != want {
		t.Errorf("scan = %s, want %s", got, want)
	}
}

// violations returns a sentence for every import that the tables above forbid.
func violations(pkgs []pkg) []string {
	var out []string
	for _, p := range pkgs {
		level := levelOf(p.path)
		if level < 0 {
			out = append(out, fmt.Sprintf("%s has no level; give it one in deps_test.go", p.path))
			continue
		}
		for _, imp := range p.imports {
			out = append(out, checkLevel(p.path, level, imp)...)
			out = append(out, checkOutside(p.path, level, imp, engineImports)...)
		}
		for _, imp := range p.testImports {
			out = append(out, checkOutside(p.path, level, imp, engineTestImports)...)
		}
	}
	return out
}

func levelOf(p string) int {
	return slices.IndexFunc(levels, func(row []string) bool { return slices.Contains(row, p) })
}

// checkLevel applies the levels to an import of this module.
func checkLevel(from string, level int, imp string) []string {
	if !within(imp, module) {
		return nil
	}
	to := path.Clean(strings.TrimPrefix(strings.TrimPrefix(imp, module), "/"))
	switch l := levelOf(to); {
	case l < 0:
		return []string{fmt.Sprintf("%s imports %s, which has no level; give it one in deps_test.go", from, to)}
	case l >= level:
		return []string{fmt.Sprintf("%s (level %d) imports %s (level %d); a package imports lower levels only", from, level, to, l)}
	}
	return nil
}

// checkOutside applies the restrictions and the engine's rule to an import of
// another module or of the standard library.
func checkOutside(from string, level int, imp string, allowed []string) []string {
	if rule := longestRule(imp); rule != "" && !slices.Contains(restricted[rule].by, from) {
		return []string{fmt.Sprintf("%s imports %s: %s", from, imp, restricted[rule].reason)}
	}
	first, _, _ := strings.Cut(imp, "/")
	standard := !strings.Contains(first, ".")
	if level >= engineLevels || standard || within(imp, module) {
		return nil
	}
	if slices.ContainsFunc(allowed, func(m string) bool { return within(imp, m) }) {
		return nil
	}
	return []string{fmt.Sprintf("%s is part of the engine and imports %s; it may name the standard library and %v only", from, imp, allowed)}
}

func longestRule(imp string) string {
	longest := ""
	for rule := range restricted {
		if within(imp, rule) && len(rule) > len(longest) {
			longest = rule
		}
	}
	return longest
}

// within reports whether imp is the path root or lies below it.
func within(imp, root string) bool {
	return imp == root || strings.HasPrefix(imp, root+"/")
}

// scan reads the imports of every package below fsys, in files for any system
// and under any build tag, which go list would leave out. Like the go command
// it passes over testdata, names that start with _ or a dot, and other modules.
func scan(fsys fs.FS) ([]pkg, error) {
	byPath := map[string]*pkg{}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(fsys, p)
		}
		if path.Ext(p) != ".go" {
			return nil
		}
		imports, err := importsOf(fsys, p)
		if err != nil {
			return err
		}
		dir := path.Dir(p)
		if byPath[dir] == nil {
			byPath[dir] = &pkg{path: dir}
		}
		into := &byPath[dir].imports
		if strings.HasSuffix(p, "_test.go") {
			into = &byPath[dir].testImports
		}
		*into = append(*into, imports...)
		return nil
	})
	return sorted(byPath), err
}

func skipDir(fsys fs.FS, p string) error {
	if p == "." {
		return nil
	}
	base := path.Base(p)
	if base == "testdata" || strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(p, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func importsOf(fsys fs.FS, name string) ([]string, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, imp)
	}
	return out, nil
}

func sorted(byPath map[string]*pkg) []pkg {
	var out []pkg
	for _, p := range byPath {
		for _, list := range []*[]string{&p.imports, &p.testImports} {
			slices.Sort(*list)
			*list = slices.Compact(*list)
		}
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b pkg) int { return strings.Compare(a.path, b.path) })
	return out
}
