// Package registry makes values of what Keras' configs say of them: a class, by
// one of its names, and arguments, which are the fields of a Go type under their
// names in JSON. It is for classes whose arguments are no more than that;
// package arguments reads others one by one.
package registry

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Class is a type of values of the interface T.
type Class[T any] struct {
	// Defaults has Keras' default arguments.
	Defaults T
	// Names are those that Keras knows the class by.
	Names []string
	// Decode reads JSON over the defaults. It may be replaced, where an argument
	// makes a value of another type.
	Decode func(text []byte) (T, error)

	is func(T) bool
}

// Of describes the type V of defaults, a struct which implements the interface T.
func Of[T, V any](defaults V, names ...string) Class[T] {
	decode := func(text []byte) (T, error) {
		v := defaults
		err := Strict(text, &v)
		return any(v).(T), err
	}
	is := func(t T) bool { _, ok := any(t).(V); return ok }
	return Class[T]{Defaults: any(defaults).(T), Names: names, Decode: decode, is: is}
}

// Is reports whether v is of the class.
func (c Class[T]) Is(v T) bool { return c.is(v) }

// Read makes a value of the class. What args leave out, or give as null, has its
// default. An argument that the class does not have is a [suggest.UnknownError].
func (c Class[T]) Read(args map[string]any) (T, error) {
	var none T
	args = maps.Clone(args)
	maps.DeleteFunc(args, func(_ string, v any) bool { return v == nil })
	if err := suggest.Check(slices.Collect(maps.Keys(args)), suggest.Fields(c.Defaults)); err != nil {
		return none, err
	}
	text, err := json.Marshal(args)
	if err != nil {
		return none, err
	}
	v, err := c.Decode(text)
	if err != nil {
		return none, err
	}
	return v, nil
}

// Registry is the classes that there are.
type Registry[T any] []Class[T]

// ByName returns the class of that name.
func (r Registry[T]) ByName(name string) (Class[T], bool) {
	return r.find(func(c Class[T]) bool { return slices.Contains(c.Names, name) })
}

// Of returns the class of v.
func (r Registry[T]) Of(v T) (Class[T], bool) {
	return r.find(func(c Class[T]) bool { return c.is(v) })
}

func (r Registry[T]) find(wanted func(Class[T]) bool) (Class[T], bool) {
	if i := slices.IndexFunc(r, wanted); i >= 0 {
		return r[i], true
	}
	return Class[T]{}, false
}

// Names returns a name of each class, that of this place in its Names, in order.
func (r Registry[T]) Names(place int) []string {
	var names []string
	for _, c := range r {
		names = append(names, c.Names[place])
	}
	return names
}

// Strict decodes text into v and refuses arguments that v does not have.
func Strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
