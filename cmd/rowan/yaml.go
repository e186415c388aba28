package main

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/rowan-embeddings/rowan/internal/suggest"
	"github.com/rowan-embeddings/rowan/recipe"
)

// readConfig reads a recipe. Errors name file, line and column. Relative paths
// in it are relative to its folder.
func readConfig(path string) (*recipe.Config, *source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read config: %w", err)
	}
	s := &source{path: path}
	c, err := s.decode(text)
	if err != nil {
		return nil, nil, err
	}
	c.Dir = filepath.Dir(path)
	return c, s, s.explain(c.Validate())
}

// fileError says what is wrong with a config, and where. It is ErrConfig.
type fileError string

func (e fileError) Error() string { return string(e) }
func (e fileError) Unwrap() error { return recipe.ErrConfig }

func fileErrorf(format string, args ...any) error {
	return fileError(fmt.Sprintf(format, args...))
}

// source is a YAML file, to say where something stands in it.
type source struct {
	path string
	file *ast.File
}

func (s *source) decode(text []byte) (_ *recipe.Config, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fileErrorf("%s: the YAML cannot be read: %v", s.path, r)
		}
	}()
	if s.file, err = parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey()); err != nil {
		return nil, s.yamlError(err)
	}
	if len(s.file.Docs) != 1 || s.file.Docs[0].Body == nil {
		return nil, fileErrorf("%s: expected one YAML document that describes a recommender, found %d", s.path, s.documents())
	}
	if err := s.checkKeys(s.file.Docs[0].Body, reflect.TypeFor[recipe.Config]()); err != nil {
		return nil, err
	}
	c := new(recipe.Config)
	// A key that a merged mapping has too is none of its duplicates; checkKeys
	// has found the others.
	if err := yaml.NodeToValue(s.file.Docs[0].Body, c, yaml.AllowDuplicateMapKey(), yaml.UseJSONUnmarshaler()); err != nil {
		return nil, s.yamlError(err)
	}
	return c, nil
}

func (s *source) documents() (n int) {
	for _, d := range s.file.Docs {
		if d.Body != nil {
			n++
		}
	}
	return n
}

// yamlError puts file, line and column before an error of the YAML package.
func (s *source) yamlError(err error) error {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		p := at.GetToken().Position
		return fileErrorf("%s:%d:%d: %s", s.path, p.Line, p.Column, message(err, at))
	}
	return fileErrorf("%s: %s", s.path, err)
}

// message says what was expected and what arrived, without the names of Go's
// fields.
func message(err error, at yaml.Error) string {
	var types *yaml.TypeError
	if errors.As(err, &types) {
		return fmt.Sprintf("expected %s, got %s", kindOf(types.DstType), kindOf(types.SrcType))
	}
	return at.GetMessage()
}

// kindOf names a type as YAML would.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "keys and values"
	}
	return t.String()
}

// checkKeys walks a node along the type that it is to fill, and refuses the
// first key that the type does not have, or that is there twice.
func (s *source) checkKeys(n ast.Node, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if opaque(t) {
		return s.try(n, t)
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		return s.checkKeys(n.Value, t)
	case *ast.FloatNode: // which the YAML package would round
		if t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 {
			return s.at(n, "expected %s, got %s", kindOf(t), n)
		}
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice {
			return nil
		}
		for _, v := range n.Values {
			if err := s.checkKeys(v, t.Elem()); err != nil {
				return err
			}
		}
	case *ast.MappingNode:
		return s.checkMapping(n.Values, t)
	case *ast.MappingValueNode:
		return s.checkMapping([]*ast.MappingValueNode{n}, t)
	}
	return nil
}

// at is an error at a node.
func (s *source) at(n ast.Node, format string, args ...any) error {
	p := n.GetToken().Position
	return fileErrorf("%s:%d:%d: %s", s.path, p.Line, p.Column, fmt.Sprintf(format, args...))
}

// try reads a node whose type reads itself: its errors have no place in the file.
func (s *source) try(n ast.Node, t reflect.Type) error {
	if n.Type() == ast.AliasType {
		return nil // it was tried at its anchor
	}
	if err := yaml.NodeToValue(n, reflect.New(t).Interface(), yaml.UseJSONUnmarshaler()); err != nil {
		return s.at(n, "%s", err)
	}
	return nil
}

// opaque reports whether a type reads itself, whatever its fields are.
func opaque(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func (s *source) checkMapping(values []*ast.MappingValueNode, t reflect.Type) error {
	if t.Kind() != reflect.Struct {
		return nil
	}
	fields, names := fieldsOf(t)
	seen := make(map[string]bool)
	for _, v := range values {
		key := v.Key.String()
		if seen[key] {
			return s.at(v.Key, "key %q is here twice", key)
		}
		seen[key] = true
		if v.Key.IsMergeKey() {
			if err := s.checkKeys(v.Value, t); err != nil {
				return err
			}
			continue
		}
		field, ok := fields[key]
		if !ok {
			return s.at(v.Key, "unknown key %q%s (known here: %s)", key, suggest.Hint(key, names), strings.Join(names, ", "))
		}
		if opaque(field) {
			numbers(v.Value)
		}
		if err := s.checkKeys(v.Value, field); err != nil {
			return err
		}
	}
	return nil
}

// wholeExponent matches a number with an exponent and no point.
var wholeExponent = regexp.MustCompile(`^([-+]?[0-9]+)([eE][-+]?[0-9]+)$`)

// numbers lets 1e-3 in a node be a number, as YAML 1.2 says; to the YAML package
// it is text, unless it has a point. Where a field says what it is to hold, the
// package finds the number all the same, but not in what reads itself.
func numbers(n ast.Node) {
	switch n := n.(type) {
	case *ast.StringNode:
		if t := n.Token; t.Type == token.StringType && wholeExponent.MatchString(t.Value) {
			number := wholeExponent.ReplaceAllString(t.Value, "$1.0$2")
			t.Origin = strings.Replace(t.Origin, t.Value, number, 1)
			t.Value, t.Type = number, token.FloatType
		}
	case *ast.AnchorNode:
		numbers(n.Value)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			numbers(v)
		}
	case *ast.MappingNode:
		for _, v := range n.Values {
			numbers(v.Value)
		}
	case *ast.MappingValueNode:
		numbers(n.Value)
	}
}

// fieldsOf returns the fields of a struct by their names in YAML, and the names
// in their order. Inlined structs count as the struct's own.
func fieldsOf(t reflect.Type) (map[string]reflect.Type, []string) {
	fields, names := make(map[string]reflect.Type), []string(nil)
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(options, "inline"):
			inner, innerNames := fieldsOf(f.Type)
			for n, t := range inner {
				fields[n] = t
			}
			names = append(names, innerNames...)
		case f.IsExported() && name != "" && name != "-":
			fields[name] = f.Type
			names = append(names, name)
		}
	}
	return fields, names
}

// explain puts file, line and column before an error about a field.
func (s *source) explain(err error) error {
	var f *recipe.FieldError
	if s == nil || !errors.As(err, &f) {
		return err
	}
	find := s.value
	if unknown := (*suggest.UnknownError)(nil); errors.As(err, &unknown) {
		find = s.key
	}
	for field := f.Field; field != ""; field, find = parent(field), s.value {
		if n := find(field); n != nil && n.GetToken() != nil {
			at := n.GetToken().Position
			return fmt.Errorf("%s:%d:%d: %w", s.path, at.Line, at.Column, err)
		}
	}
	return fmt.Errorf("%s: %w", s.path, err)
}

// parent returns the way to what a field is part of: "a[0].b", "a[0]", "a", "".
func parent(field string) string { return field[:max(0, strings.LastIndexAny(field, ".["))] }

// value finds the value of a field, nil if it is not there.
func (s *source) value(field string) ast.Node {
	p, err := yaml.PathString("$." + field)
	if err != nil {
		return nil
	}
	n, err := p.FilterFile(s.file)
	if err != nil {
		return nil
	}
	return n
}

// key finds the last key of the way to a field, nil if it is not there.
func (s *source) key(field string) ast.Node {
	mapping, ok := s.value(parent(field)).(ast.MapNode)
	if !ok {
		return nil
	}
	for i := mapping.MapRange(); i.Next(); {
		if key := i.Key(); key.String() == strings.TrimPrefix(field, parent(field)+".") {
			return key
		}
	}
	return nil
}
