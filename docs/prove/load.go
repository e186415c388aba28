package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// pkg is a package of the module, without its tests.
type pkg struct {
	path, folder string // of the import; below the module, "." for the root
	dir, name    string
	files        []*ast.File
	types        *types.Package
	info         *types.Info
}

// program is the packages of a module.
type program struct {
	module string
	root   string
	fset   *token.FileSet
	pkgs   []*pkg
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Name, Export string
	GoFiles                       []string
	Module                        *struct {
		Path, Dir string
		Main      bool
	}
	Error *struct{ Err string }
}

// load lists, parses and checks the module in a folder. Packages of other
// modules are known by what the compiler exports of them.
func load(ctx context.Context, root string) (*program, error) {
	all, err := list(ctx, root)
	if err != nil {
		return nil, err
	}
	p := &program{fset: token.NewFileSet()}
	exports := map[string]string{}
	for _, l := range all {
		exports[l.ImportPath] = l.Export
		if l.Module != nil && l.Module.Main {
			p.module, p.root = l.Module.Path, l.Module.Dir
		}
	}
	lookup := func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	}
	imports := importer.ForCompiler(p.fset, "gc", lookup)
	for _, l := range all {
		if l.Module == nil || !l.Module.Main {
			continue
		}
		one, err := p.check(l, imports)
		if err != nil {
			return nil, err
		}
		p.pkgs = append(p.pkgs, one)
	}
	return p, nil
}

func list(ctx context.Context, root string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-export", "-deps", "-json=ImportPath,Dir,Name,Export,GoFiles,Module,Error", "./...")
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = root, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if l.Error != nil && len(l.GoFiles) > 0 {
			return nil, fmt.Errorf("package %s: %s", l.ImportPath, l.Error.Err)
		}
		all = append(all, l)
	}
}

func (p *program) check(l listed, imports types.Importer) (*pkg, error) {
	folder, err := filepath.Rel(p.root, l.Dir)
	if err != nil {
		return nil, err
	}
	one := &pkg{path: l.ImportPath, folder: filepath.ToSlash(folder), dir: l.Dir, name: l.Name, info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{},
		Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
	}}
	for _, name := range l.GoFiles {
		f, err := parser.ParseFile(p.fset, filepath.Join(l.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		one.files = append(one.files, f)
	}
	config := types.Config{Importer: imports}
	if one.types, err = config.Check(l.ImportPath, p.fset, one.files, one.info); err != nil {
		return nil, fmt.Errorf("checking %s: %w", l.ImportPath, err)
	}
	return one, nil
}
