// Package nils tells a value that is not there from one that is, where it was
// given as an interface.
package nils

import "reflect"

// Is reports whether v is nil, or a nil pointer in an interface, which is not
// nil itself: its methods, if they are those of what it points to, would panic.
func Is(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil()
}
