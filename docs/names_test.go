package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/docs/parity"
)

// TestParityNames says of every Go name in parity.md that it exists, or that it
// is planned and does not exist yet.
func TestParityNames(t *testing.T) {
	text, err := os.ReadFile("parity.md")
	if err != nil {
		t.Fatal(err)
	}
	exported, err := exportedNames("..", ".", "tensor", "initializer", "constraint", "optim", "activation", "loss", "regularizer", "layer", "layer/op", "model", "internal/keymap")
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := parity.Parse(string(text))
	for _, f := range checkNames(rows, exported) {
		t.Errorf("parity.md: %s", f)
	}
	for _, line := range countLines(rows) {
		if !strings.Contains(string(text), line) {
			t.Errorf("parity.md does not say %q", line)
		}
	}
}

// TestParityNamesCaught checks the checker: each name has one fault.
func TestParityNamesCaught(t *testing.T) {
	exported := map[string]bool{"layer.Base": true, "layer.Base.Apply": true}
	for _, c := range []struct{ name, state, want string }{
		{"`layer.Base.Apply`, `layer.Base`", "done", ""},
		{"`layer.Base.Clone` (planned)", "open", ""},
		{"none", "open", ""},
		{"`layer.Base.Clone`", "open", "does not exist"},
		{"`layer.Base.Apply`, `layer.Base.Clone`", "done", "does not exist"},
		{"`layer.Base.Clone` (planned)", "done", "planned and done"},
		{"`layer.Base.Apply` (planned)", "open", "exists: it is not planned"},
	} {
		faults := checkNames([]parity.Row{{Name: c.name, State: c.state}}, exported)
		if c.want == "" && len(faults) > 0 || c.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], c.want)) {
			t.Errorf("%s, %s: faults %q, want one that says %q", c.name, c.state, faults, c.want)
		}
	}
}

func checkNames(rows []parity.Row, exported map[string]bool) (faults []string) {
	for _, r := range rows {
		for _, n := range r.Names() {
			switch {
			case n.Planned && r.Done():
				faults = append(faults, fmt.Sprintf("%s: %s is planned and done", r.ID, n.Text))
			case n.Planned && exported[n.Text]:
				faults = append(faults, fmt.Sprintf("%s: %s exists: it is not planned any more", r.ID, n.Text))
			case !n.Planned && !exported[n.Text]:
				faults = append(faults, fmt.Sprintf("%s: %s does not exist: correct it, or say (planned) behind it", r.ID, n.Text))
			}
		}
	}
	return faults
}

// countLines are the lines of the table that says how far each system is.
func countLines(rows []parity.Row) (lines []string) {
	for _, system := range []string{"A", "B", "C"} {
		all, done := 0, 0
		for _, r := range rows {
			if strings.HasPrefix(r.ID, system) {
				all++
				if r.Done() {
					done++
				}
			}
		}
		lines = append(lines, fmt.Sprintf("| %s | %d | %d | %d |", system, all, done, all-done))
	}
	return lines
}

// exportedNames returns what the packages in folders below root export, each
// with its package's name before it; of types their methods and fields too,
// those of embedded types of the same package among them.
func exportedNames(root string, folders ...string) (map[string]bool, error) {
	names := map[string]bool{}
	for _, folder := range folders {
		p := source{name: path.Base(folder), members: map[string]map[string]bool{}, embeds: map[string][]string{}}
		if folder == "." {
			p.name = "rowan"
		}
		files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			for _, d := range f.Decls {
				p.declare(d, names)
			}
		}
		for typ := range p.members {
			p.promote(typ, typ, names)
		}
	}
	return names, nil
}

// source is what one package declares.
type source struct {
	name    string
	members map[string]map[string]bool // by type, its methods and fields
	embeds  map[string][]string        // by type, what it embeds
}

func (p *source) declare(d ast.Decl, names map[string]bool) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names[p.name+"."+d.Name.Name] = true
		} else {
			p.member(base(d.Recv.List[0].Type), d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names[p.name+"."+n.Name] = true
				}
			case *ast.TypeSpec:
				names[p.name+"."+s.Name.Name] = true
				p.fields(s)
			}
		}
	}
}

func (p *source) fields(s *ast.TypeSpec) {
	var list *ast.FieldList
	switch t := s.Type.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return
	}
	for _, f := range list.List {
		for _, n := range f.Names {
			p.member(s.Name.Name, n.Name)
		}
		if len(f.Names) == 0 {
			p.member(s.Name.Name, base(f.Type))
			if !foreign(f.Type) {
				p.embeds[s.Name.Name] = append(p.embeds[s.Name.Name], base(f.Type))
			}
		}
	}
}

func (p *source) member(typ, name string) {
	if p.members[typ] == nil {
		p.members[typ] = map[string]bool{}
	}
	p.members[typ][name] = true
}

// promote names the members that typ has from itself and what it embeds.
func (p *source) promote(typ, from string, names map[string]bool) {
	for m := range p.members[from] {
		if ast.IsExported(m) {
			names[p.name+"."+typ+"."+m] = true
		}
	}
	for _, e := range p.embeds[from] {
		p.promote(typ, e, names)
	}
}

// foreign reports whether a type is of another package.
func foreign(t ast.Expr) bool {
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	_, ok := t.(*ast.SelectorExpr)
	return ok
}

// base is the name of a type without its pointer, package and arguments.
func base(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return base(t.X)
	case *ast.IndexExpr:
		return base(t.X)
	case *ast.SelectorExpr:
		return t.Sel.Name
	case *ast.Ident:
		return t.Name
	}
	return ""
}
