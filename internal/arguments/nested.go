package arguments

import (
	"reflect"
	"slices"
)

// Object reads {"class_name": …, "config": {…}}, or a bare name, whose arguments
// are nil. Maps may be of any type that map[string]any can be converted to.
func (r *Reader) Object(key string) (class string, args map[string]any, ok bool) {
	v, ok := r.Get(key)
	if !ok {
		return "", nil, false
	}
	if name, bare := v.(string); bare {
		return name, nil, true
	}
	const want = "a name, or a class_name and a config"
	m, ok := object(v)
	if !ok {
		r.Bad(key, want, v)
		return "", nil, false
	}
	if class = Of(m).Text("class_name"); class == "" {
		r.Bad(key, want, v)
		return "", nil, false
	}
	if in := m["config"]; in != nil {
		if args, ok = object(in); !ok {
			r.Bad(key, want, v)
		}
	}
	return class, args, true
}

// object takes the name off a type of maps.
func object(v any) (map[string]any, bool) {
	if m, ok := v.(map[string]any); ok {
		return m, true
	}
	if of, plain := reflect.ValueOf(v), reflect.TypeFor[map[string]any](); of.Kind() == reflect.Map && of.CanConvert(plain) {
		return of.Convert(plain).Interface().(map[string]any), true
	}
	return nil, false
}

// Texts reads a string, or a list of them.
func (r *Reader) Texts(key string) []string {
	v, ok := r.Get(key)
	if !ok {
		return nil
	}
	switch list := v.(type) {
	case string:
		return []string{list}
	case []string:
		return slices.Clone(list)
	case []any:
		all := make([]string, len(list))
		for i, x := range list {
			s, ok := x.(string)
			if !ok {
				r.Bad(key, "strings", x)
			}
			all[i] = s
		}
		return all
	}
	r.Bad(key, "a list of strings", v)
	return nil
}

// List reads a list of anything.
func (r *Reader) List(key string) ([]any, bool) {
	v, ok := r.Get(key)
	if !ok {
		return nil, false
	}
	switch list := v.(type) {
	case []any:
		return list, true
	case []string:
		return anys(list), true
	case []int64:
		return anys(list), true
	}
	r.Bad(key, "a list", v)
	return nil, false
}

func anys[T any](list []T) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = v
	}
	return all
}
