// Package suggest finds the known name that a mistyped one was meant to be,
// for error messages.
package suggest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// UnknownError says that an argument is none of those that are known.
type UnknownError struct {
	Name  string
	Known []string
}

// Error names the argument, the one that it was meant to be, and all.
func (e *UnknownError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("unknown argument %q (there are none)", e.Name)
	}
	return fmt.Sprintf("unknown argument %q%s (known: %s)", e.Name, Hint(e.Name, e.Known), strings.Join(e.Known, ", "))
}

// Check returns an *[UnknownError] about the first of got in alphabetical order
// that is not known, or nil.
func Check(got, known []string) error {
	for _, name := range slices.Sorted(slices.Values(got)) {
		if !slices.Contains(known, name) {
			return &UnknownError{name, known}
		}
	}
	return nil
}

// Fields returns the names in JSON of the fields of a struct, in their order.
func Fields(v any) []string {
	var names []string
	for t, i := reflect.TypeOf(v), 0; i < t.NumField(); i++ {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// Nearest returns the name in known with the smallest edit distance to got,
// the first of them if several are as near. A name is near if got is its
// beginning, or if at most a third of the longer one's bytes, or one, would
// have to change. When none is near it returns "".
func Nearest(got string, known []string) string {
	best, found := 0, ""
	for _, name := range known {
		d := distance(got, name)
		near := d <= max(1, max(len(got), len(name))/3) || len(got) > 1 && strings.HasPrefix(name, got)
		if near && (found == "" || d < best) {
			best, found = d, name
		}
	}
	return found
}

// Hint returns `; did you mean "name"?` for the nearest known name, or "" when
// none is near. It is made to be appended to a message.
func Hint(got string, known []string) string {
	if name := Nearest(got, known); name != "" {
		return fmt.Sprintf("; did you mean %q?", name)
	}
	return ""
}

// distance counts the single-byte insertions, deletions, replacements and
// swaps of neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+differ(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func differ(x, y byte) int {
	if x == y {
		return 0
	}
	return 1
}
