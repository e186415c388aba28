// Package arguments reads what Keras' configs are made of: arguments by name,
// each of a type. It is strict, since a mistyped argument that nobody reads
// would be one that does nothing: who has read all that it knows asks for the
// fault, which is the first value of a wrong type, or the first argument that
// was never asked for.
//
// What arguments mean, and what may be left out, is for those who read them.
package arguments

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Reader reads arguments one by one, and keeps the first error. An argument
// that is not there, or null, has the zero value of its type. A Reader is for
// one goroutine.
type Reader struct {
	args map[string]any
	read map[string]bool
	err  error
}

// Of returns a reader of args, which it does not change.
func Of(args map[string]any) *Reader { return &Reader{args: args, read: make(map[string]bool)} }

// Get returns an argument as it is, and whether it is there and not null. It is
// known from then on.
func (r *Reader) Get(key string) (any, bool) {
	r.read[key] = true
	v, ok := r.args[key]
	return v, ok && v != nil
}

// Bad says that an argument is not what it must be.
func (r *Reader) Bad(key, want string, got any) {
	r.fail(fmt.Errorf("%q must be %s. Received: %v", key, want, got))
}

// Inside takes over the fault of what an argument holds, if it is not nil.
func (r *Reader) Inside(key string, err error) {
	if err != nil {
		r.fail(fmt.Errorf("%q: %w", key, err))
	}
}

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Err returns the first error so far.
func (r *Reader) Err() error { return r.err }

// Fault returns the first error, or an error about the arguments that nobody
// read: the first of them in alphabetical order, and the known one that it is
// like. class is what the arguments are of.
func (r *Reader) Fault(class string) error {
	if r.err != nil {
		return fmt.Errorf("%s: %w", class, r.err)
	}
	known := slices.Sorted(maps.Keys(r.read))
	for _, key := range slices.Sorted(maps.Keys(r.args)) {
		if v := r.args[key]; !r.read[key] && !Neutral(key, v) {
			return fmt.Errorf("%s does not know %q%s", class, key, suggest.Hint(key, known))
		}
	}
	return nil
}

// neutral are arguments of Keras that Rowan does not have, with the values at
// which they say nothing that holds here; any other is an error. A seed says
// something, but no other program's random numbers are ours.
var neutral = map[string]func(v any) bool{
	"data_format": func(v any) bool { return v == "channels_last" },
	"autocast":    func(v any) bool { return v == true },
	"optional":    func(v any) bool { return v == false },
	"seed":        func(any) bool { return true },
}

// Neutral reports whether an argument that nobody knows says nothing: it is
// null, or has a value at which Keras does what is done here.
func Neutral(key string, v any) bool {
	is, known := neutral[key]
	return v == nil || known && is(v)
}

// Only reads an argument that Rowan does not have, and refuses any value but
// the one at which it does nothing.
func (r *Reader) Only(key string, off any) {
	if v, ok := r.Get(key); ok && v != off {
		r.Bad(key, fmt.Sprintf("%v: nothing else is supported here", off), v)
	}
}

// Text reads a string.
func (r *Reader) Text(key string) string {
	v, ok := r.Get(key)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.Bad(key, "a string", v)
	}
	return s
}

// Flag reads true or false.
func (r *Reader) Flag(key string) bool {
	v, ok := r.Get(key)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		r.Bad(key, "true or false", v)
	}
	return b
}

// Off reports whether a flag that is true by default is false.
func (r *Reader) Off(key string) bool {
	_, ok := r.Get(key)
	return ok && !r.Flag(key)
}

// Widen returns the float64 of the fewest digits that f is nearest to: 0.1, and
// not 0.10000000149011612. It is for those who write arguments.
func Widen(f float32) float64 {
	w, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64) // what is formatted parses
	return w
}
