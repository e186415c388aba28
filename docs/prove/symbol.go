package main

import (
	"fmt"
	"go/types"
	"strings"
)

// symbol says which declaration is meant, across packages: what one package
// declares, others know by what the compiler exports, as another object.
type symbol struct {
	path  string // of the package
	owner string // the type that has the member, or ""
	name  string
}

// find returns the symbol of a name such as "layer.Base.Apply", and what it is.
// A member that a type has from one that it embeds is that one's.
func (p *program) find(name string) (symbol, types.Object, error) {
	parts := strings.Split(name, ".")
	pack := p.named(parts[0])
	if pack == nil || len(parts) < 2 || len(parts) > 3 {
		return symbol{}, nil, fmt.Errorf("%s is not package.Name or package.Type.Member of this module", name)
	}
	o := pack.types.Scope().Lookup(parts[1])
	if o == nil {
		return symbol{}, nil, fmt.Errorf("%s does not exist", name)
	}
	if len(parts) == 2 {
		return symbol{pack.path, "", parts[1]}, o, nil
	}
	member, index, _ := types.LookupFieldOrMethod(o.Type(), true, pack.types, parts[2])
	if member == nil {
		return symbol{}, nil, fmt.Errorf("%s does not exist", name)
	}
	s, ok := memberSymbol(o.Type(), index, member)
	if !ok {
		return symbol{}, nil, fmt.Errorf("%s is of a type without a name", name)
	}
	return s, member, nil
}

// named returns the package of a name. The root's is that of its package
// clause; of two with the same name the shorter path counts.
func (p *program) named(name string) *pkg {
	var best *pkg
	for _, one := range p.pkgs {
		if one.name == name && (best == nil || len(one.path) < len(best.path)) {
			best = one
		}
	}
	return best
}

// memberSymbol is the symbol of a field or method that index leads to from t.
func memberSymbol(t types.Type, index []int, member types.Object) (symbol, bool) {
	var owner *types.TypeName
	if f, ok := member.(*types.Func); ok {
		owner = typeName(f.Signature().Recv().Type())
	} else {
		owner = fieldOwner(t, index)
	}
	if owner == nil || owner.Pkg() == nil {
		return symbol{}, false
	}
	return symbol{owner.Pkg().Path(), owner.Name(), member.Name()}, true
}

// fieldOwner is the type that declares the field that index leads to from t.
func fieldOwner(t types.Type, index []int) *types.TypeName {
	for _, i := range index[:len(index)-1] {
		s, ok := pointed(t).Underlying().(*types.Struct)
		if !ok {
			return nil
		}
		t = s.Field(i).Type()
	}
	return typeName(t)
}

// typeName is the name of a type, or of what it points to.
func typeName(t types.Type) *types.TypeName {
	switch t := types.Unalias(pointed(t)).(type) {
	case *types.Named:
		return t.Obj()
	}
	return nil
}

func pointed(t types.Type) types.Type {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}
