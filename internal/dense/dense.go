// Package dense compiles and runs the graph stage of a model: a function from
// variables and inputs to outputs and, for training, to a loss and its
// gradients. It is the one place that runs GoMLX, so that the engine below is
// a choice and not a rewrite.
//
//	                    Config.Build, once a shape
//	                              │
//	variables ──┐                 ▼
//	inputs ─────┼──copy in──> executable ──views──> outputs, loss,
//	step ───────┘   │                               gradients, updates
//	                └─ random arrays: hash(seed, step, stream, index)
//
// A [Program] holds no state but its compiled forms, one for each set of input
// shapes: variables come in and updates go out at every run. So any number of
// goroutines may run one program at once, and what a step computes is a
// function of its arguments alone: a resumed training run gives the same bits.
//
// Operations run one after another, each perhaps on several threads that
// divide rows of its result and never a sum, so that results do not depend on
// GOMAXPROCS. Engine panics are recovered and become errors that wrap
// [ErrGraph] and name the scope (the layer) that was being traced.
package dense

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// Errors that this package reports; match with errors.Is.
var (
	// ErrGraph: the graph could not be traced, compiled or run.
	ErrGraph = errors.New("dense: graph failed")
	// ErrInput: an array does not have the shape or the type that the program needs.
	ErrInput = errors.New("dense: bad input")
)

// backend is the one engine of the process. Operations run sequentially: the
// engine's own parallel schedule starts goroutines whose panics nobody could
// recover, and gains nothing on the small graphs of a recommender (measured:
// 17.4 and 17.0 ms a step on a 96-64-32-1 network with a batch of 1,024).
// Its "parallelism" option is not used because it prints to standard output.
var backend = sync.OnceValues(func() (compute.Backend, error) {
	return gobackend.New("ops_sequential")
})

// recovered turns a panic of the engine, or of a layer that is being traced,
// into an error. Call it deferred; scope may be nil.
func recovered(err *error, doing string, scope func() string) {
	p := recover()
	if p == nil {
		return
	}
	if s := scope; s != nil && s() != "" {
		doing += " " + s()
	}
	*err = fmt.Errorf("%w: %s: %w", ErrGraph, doing, panicError(p))
}

// panicError keeps an error that was panicked with, so that errors.Is sees
// through, and turns anything else into its text.
func panicError(p any) error {
	if err, ok := p.(error); ok {
		return shortError{err}
	}
	return errors.New(fmt.Sprint(p))
}

// shortError hides the stack trace that engine errors print after their first line.
type shortError struct{ error }

func (e shortError) Error() string {
	line, _, _ := strings.Cut(e.error.Error(), "\n")
	return line
}

func (e shortError) Unwrap() error { return e.error }
