package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// way is how a switch breaks a symbol.
type way int

const (
	called way = iota + 1 // a function is called
	held                  // a field that holds something is read
	read                  // a field, constant or variable is read
	set                   // a field is set
)

// ways are what a symbol is tried with, in order.
var ways = []way{called, held, read, set}

// edit is text that goes into a file.
type edit struct {
	at   token.Pos
	text string
	// reach is how far what it begins goes: of two edits at one place, the one
	// that reaches further comes first.
	reach token.Pos
}

// switches are the edits that fit symbols with switches.
type switches struct {
	p *program
	// number is a symbol's, and count how many switches it has of each way.
	number map[symbol]int
	count  map[symbol]map[way]int
	// typed are the symbols that are types: whatever has them in its signature.
	typed map[symbol]bool
	edits map[*ast.File][]edit
}

func newSwitches(p *program) *switches {
	return &switches{p: p, number: map[symbol]int{}, count: map[symbol]map[way]int{}, typed: map[symbol]bool{}, edits: map[*ast.File][]edit{}}
}

// add takes note of a symbol to break.
func (s *switches) add(y symbol, o types.Object) {
	if s.number[y] == 0 {
		s.number[y] = len(s.number) + 1
		s.count[y] = map[way]int{}
	}
	_, s.typed[y] = o.(*types.TypeName)
}

// fit finds all places where the symbols are to be broken.
func (s *switches) fit() {
	for _, one := range s.p.pkgs {
		for _, f := range one.files {
			w := &walker{switches: s, pkg: one, file: f}
			w.declarations()
		}
	}
}

func (s *switches) note(f *ast.File, y symbol, w way, edits ...edit) {
	s.count[y][w]++
	s.edits[f] = append(s.edits[f], edits...)
}

// walker looks through one file.
type walker struct {
	*switches
	pkg   *pkg
	file  *ast.File
	stack []ast.Node // from the function to the node at hand
}

func (w *walker) declarations() {
	for _, d := range w.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		for _, y := range w.meant(f) {
			w.trip(y, f.Body.Lbrace+1)
		}
		ast.Inspect(f.Body, w.visit)
	}
}

// trip makes the code at a place panic.
func (w *walker) trip(y symbol, at token.Pos) {
	w.note(w.file, y, called, edit{at: at, text: tripCall(w.number[y], called), reach: at})
}

// meant returns the symbols that a function stands for: itself, and types in
// its signature.
func (w *walker) meant(f *ast.FuncDecl) (all []symbol) {
	o := w.pkg.info.Defs[f.Name].(*types.Func)
	sig := o.Signature()
	own := symbol{path: w.pkg.path, name: o.Name()}
	if sig.Recv() != nil {
		own.owner = typeName(sig.Recv().Type()).Name()
		all = append(all, symbol{path: w.pkg.path, name: own.owner})
	}
	all = append(all, own)
	for v := range sig.Results().Variables() {
		all = append(all, typesIn(v.Type())...)
	}
	for v := range sig.Params().Variables() {
		for _, y := range typesIn(v.Type()) {
			if w.onlyTaken(y) {
				all = append(all, y)
			}
		}
	}
	known := func(y symbol) bool {
		return w.number[y] == 0 || y.path != w.pkg.path || y != own && !w.typed[y]
	}
	all = slices.DeleteFunc(all, known)
	return slices.Compact(all)
}

// typesIn returns the named types that a type is, points to or holds.
func typesIn(t types.Type) []symbol {
	switch u := types.Unalias(t).(type) {
	case *types.Pointer:
		return typesIn(u.Elem())
	case *types.Slice:
		return typesIn(u.Elem())
	case *types.Named:
		if u.Obj().Pkg() != nil {
			return []symbol{{path: u.Obj().Pkg().Path(), name: u.Obj().Name()}}
		}
	}
	return nil
}

// onlyTaken reports whether no function has a type as receiver or result.
func (w *walker) onlyTaken(y symbol) bool {
	if w.number[y] == 0 || !w.typed[y] || y.path != w.pkg.path {
		return false
	}
	for _, o := range w.pkg.info.Defs {
		f, ok := o.(*types.Func)
		if !ok || types.IsInterface(f.Signature()) {
			continue
		}
		if r := f.Signature().Recv(); r != nil && slices.Contains(typesIn(r.Type()), y) && !types.IsInterface(r.Type()) {
			return false
		}
		for v := range f.Signature().Results().Variables() {
			if slices.Contains(typesIn(v.Type()), y) {
				return false
			}
		}
	}
	return true
}

// visit looks at a node of a function's body.
func (w *walker) visit(n ast.Node) bool {
	if n == nil {
		w.stack = w.stack[:len(w.stack)-1]
		return true
	}
	w.stack = append(w.stack, n)
	switch n := n.(type) {
	case *ast.SelectorExpr:
		w.selector(n)
	case *ast.Ident:
		w.ident(n)
	case *ast.KeyValueExpr:
		w.keyed(n)
	}
	return true
}

// selector looks at x.Member and package.Name.
func (w *walker) selector(n *ast.SelectorExpr) {
	s := w.pkg.info.Selections[n]
	if s == nil {
		return // package.Name: ident sees Name
	}
	y, ok := memberSymbol(s.Recv(), s.Index(), s.Obj())
	if !ok {
		return
	}
	switch o := s.Obj().(type) {
	case *types.Var:
		w.field(y, n)
	case *types.Func:
		if types.IsInterface(o.Signature().Recv().Type()) && s.Kind() == types.MethodVal {
			w.through(y, n)
		}
	}
}

// field looks at a field that is read or written.
func (w *walker) field(y symbol, n *ast.SelectorExpr) {
	switch {
	case w.number[y] == 0:
	case w.written(n):
		w.before(y)
	case w.value(n):
		w.wrap(y, held, n)
	}
}

// through looks at a method that is called through an interface: it stands for
// the method, and for the interface.
func (w *walker) through(y symbol, n *ast.SelectorExpr) {
	for _, y := range []symbol{y, {path: y.path, name: y.owner}} {
		if w.number[y] != 0 {
			w.wrap(y, read, n)
		}
	}
}

// ident looks at a use of a package's constant or variable.
func (w *walker) ident(n *ast.Ident) {
	o := w.pkg.info.Uses[n]
	if o == nil || o.Pkg() == nil || o.Parent() != o.Pkg().Scope() {
		return
	}
	y := symbol{path: o.Pkg().Path(), name: o.Name()}
	if w.number[y] == 0 {
		return
	}
	switch o.(type) {
	case *types.Const, *types.Var:
	default:
		return
	}
	var e ast.Expr = n
	if s, ok := w.above(1).(*ast.SelectorExpr); ok && s.Sel == n {
		e = s
	}
	if w.value(e) && !w.constantNeeded(e) {
		w.wrap(y, read, e)
	}
}

// keyed looks at a field of a composite literal.
func (w *walker) keyed(n *ast.KeyValueExpr) {
	lit, ok := w.above(1).(*ast.CompositeLit)
	key, named := n.Key.(*ast.Ident)
	if !ok || !named {
		return
	}
	t := w.pkg.info.Types[lit].Type
	owner := typeName(t)
	if owner == nil || owner.Pkg() == nil {
		return
	}
	if y := (symbol{owner.Pkg().Path(), owner.Name(), key.Name}); w.number[y] != 0 {
		w.before(y)
	}
}

// wrap puts an expression through the switch.
func (w *walker) wrap(y symbol, by way, e ast.Expr) {
	w.note(w.file, y, by,
		edit{at: e.Pos(), text: readCall(w.number[y]), reach: e.End()},
		edit{at: e.End(), text: ")", reach: e.End()})
	if by == held {
		w.count[y][read]++
	}
}

// before puts a switch before the statement at hand, if it stands in a block.
func (w *walker) before(y symbol) {
	for i := len(w.stack) - 1; i > 0; i-- {
		s, ok := w.stack[i].(ast.Stmt)
		if !ok {
			continue
		}
		switch w.stack[i-1].(type) {
		case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
			if _, comm := w.stack[i-1].(*ast.CommClause); comm && w.stack[i-1].(*ast.CommClause).Comm == s {
				continue
			}
			w.note(w.file, y, set, edit{at: s.Pos(), text: tripCall(w.number[y], set), reach: s.Pos()})
			return
		}
	}
}

// above is the node n levels above the one at hand.
func (w *walker) above(n int) ast.Node {
	if i := len(w.stack) - 1 - n; i >= 0 {
		return w.stack[i]
	}
	return nil
}

// written reports whether a field is on the left of an assignment.
func (w *walker) written(e ast.Expr) bool {
	switch up := w.above(1).(type) {
	case *ast.AssignStmt:
		return slices.Contains(up.Lhs, e)
	case *ast.IncDecStmt:
		return true
	}
	return false
}

// value reports whether an expression is used for its value alone, so that a
// call can stand in its place: it is not assigned to, nor is its address taken.
func (w *walker) value(e ast.Expr) bool {
	depth := 1
	if s, ok := e.(*ast.SelectorExpr); ok && w.above(0) != e && s.Sel == w.above(0) {
		depth = 2
	}
	for child := ast.Node(e); ; depth++ {
		switch up := w.above(depth).(type) {
		case *ast.AssignStmt:
			return !slices.Contains(up.Lhs, child.(ast.Expr))
		case *ast.IncDecStmt:
			return false
		case *ast.UnaryExpr:
			return up.Op != token.AND
		case *ast.RangeStmt:
			return up.X == child && !isArray(w.pkg.info.Types[up.X].Type)
		case *ast.SliceExpr:
			return up.X != child || !isArray(w.pkg.info.Types[up.X].Type)
		case *ast.KeyValueExpr:
			return up.Value == child || !w.isFieldName(up)
		case *ast.SelectorExpr:
			if up.X != child || pointerMethod(w.pkg.info.Selections[up]) {
				return false
			}
			if isPointer(w.pkg.info.Types[up.X].Type) {
				return true
			}
			child = up
		case *ast.IndexExpr:
			if up.X != child || !isArray(w.pkg.info.Types[up.X].Type) {
				return true
			}
			child = up
		case *ast.ParenExpr:
			child = up
		default:
			return true
		}
	}
}

// isFieldName reports whether a key is a struct's field and no expression.
func (w *walker) isFieldName(n *ast.KeyValueExpr) bool {
	key, ok := n.Key.(*ast.Ident)
	if !ok {
		return false
	}
	v, ok := w.pkg.info.Uses[key].(*types.Var)
	return ok && v.IsField()
}

// constantNeeded reports whether only a constant can stand here.
func (w *walker) constantNeeded(e ast.Expr) bool {
	for i := len(w.stack) - 1; i > 0; i-- {
		switch up := w.stack[i-1].(type) {
		case *ast.KeyValueExpr:
			if up.Key == w.stack[i] || up.Key == e {
				return true
			}
		case *ast.GenDecl:
			return up.Tok == token.CONST
		case *ast.ArrayType:
			return true
		case ast.Stmt:
			return false
		}
	}
	return false
}

func isArray(t types.Type) bool {
	_, ok := t.Underlying().(*types.Array)
	return ok
}

func isPointer(t types.Type) bool {
	_, ok := t.Underlying().(*types.Pointer)
	return ok
}

// pointerMethod reports whether a selection takes the address of what it is on.
func pointerMethod(s *types.Selection) bool {
	if s == nil || s.Kind() != types.MethodVal || isPointer(s.Recv()) {
		return false
	}
	return isPointer(s.Obj().(*types.Func).Signature().Recv().Type())
}
