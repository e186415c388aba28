// Package constraint keeps weights within bounds: what Keras applies to a weight
// after each update. Tables and dense weights take the same values.
//
// A constraint along the last axis of a matrix, or of single numbers, looks at
// one row at a time ([ByRow]): a table applies it to the rows that a step has
// touched, which is what makes it work with sparse gradients. Any other needs
// the whole matrix, which a static table offers at the cost of a pass over
// it in each step.
//
// Sums and square roots are of float64 in one order, so that results have the
// same bits on every platform. They differ from Keras', which are of float32,
// by some units in the last place.
//
// The constraints of this package work on weights of float64 too ([Constraint64]),
// by the same lines. Their parameters are float32.
package constraint

import (
	"errors"
	"fmt"

	"github.com/rowan-embeddings/rowan/internal/nils"
)

// ErrConfig is wrapped by the errors of this package: an unknown name, a
// parameter out of range, an array that a constraint cannot be applied to.
var ErrConfig = errors.New("constraint: bad configuration")

// Constraint changes weights so that they keep within bounds. Implementations
// are values without state, safe for concurrent use.
type Constraint interface {
	// Class is Keras' class name, as configs spell it: "MaxNorm".
	Class() string
	// Check returns an error that wraps [ErrConfig] if the parameters are out of
	// range, or an array of this shape cannot be constrained. -1 stands for a
	// dimension that is not known. Who applies a constraint checks first, once.
	Check(shape []int) error
	// Apply changes w in place.
	Apply(w Array)
}

// Constraint64 is a Constraint of weights of float64 too. All of this package are,
// but for [Func].
type Constraint64 interface {
	Constraint
	// Apply64 is Apply, of float64.
	Apply64(w ArrayOf[float64])
}

// Check is c.Check(shape), and refuses a nil pointer as well. A nil Constraint
// bounds nothing, and fits.
func Check(c Constraint, shape []int) error {
	if c == nil {
		return nil
	}
	if nils.Is(c) {
		return fmt.Errorf("%w: a nil %T bounds nothing: give a value, or leave it out", ErrConfig, c)
	}
	return c.Check(shape)
}

// RowWise is a constraint that can tell whether it looks at one row of a matrix
// at a time. One that is not RowWise is taken to need the whole matrix.
type RowWise interface {
	Constraint
	// ByRow reports whether each row of a matrix can be constrained by itself.
	ByRow() bool
}

// ByRow reports whether c constrains each row of a matrix by itself.
func ByRow(c Constraint) bool {
	r, ok := c.(RowWise)
	return ok && r.ByRow()
}

// Float is the type of weights.
type Float interface{ float32 | float64 }

// ArrayOf is weights of any number of dimensions. Its rows, which are what the
// last dimension holds, lie Stride numbers apart:
//
//	Shape (2, 3), Stride 4    a b c . d e f .
type ArrayOf[F Float] struct {
	Data   []F
	Shape  []int
	Stride int
}

// Array is an [ArrayOf] float32.
type Array = ArrayOf[float32]

// Of returns an array of rows that follow each other without gaps.
func Of[F Float](data []F, shape ...int) ArrayOf[F] {
	a := ArrayOf[F]{Data: data, Shape: shape}
	a.Stride = a.width()
	return a
}

func (a *ArrayOf[F]) width() int {
	if len(a.Shape) == 0 {
		return 1
	}
	return a.Shape[len(a.Shape)-1]
}

// rows returns the number of rows.
func (a *ArrayOf[F]) rows() int {
	n := 1
	for _, d := range a.Shape[:max(0, len(a.Shape)-1)] {
		n *= d
	}
	return n
}

// row returns row r.
func (a *ArrayOf[F]) row(r int) []F { return a.Data[r*a.Stride:][:a.width()] }

// NonNeg sets negative weights to zero.
type NonNeg struct{}

// NewNonNeg returns Keras' NonNeg().
func NewNonNeg() NonNeg { return NonNeg{} }

// Class implements [Constraint].
func (NonNeg) Class() string { return "NonNeg" }

// ByRow implements [RowWise].
func (NonNeg) ByRow() bool { return true }

// Check implements [Constraint]: any shape will do.
func (NonNeg) Check([]int) error { return nil }

// Apply implements [Constraint].
func (NonNeg) Apply(w Array) { notNegative(w) }

// Apply64 implements [Constraint64].
func (NonNeg) Apply64(w ArrayOf[float64]) { notNegative(w) }

func notNegative[F Float](w ArrayOf[F]) {
	for r := range w.rows() {
		row := w.row(r)
		for i, x := range row {
			row[i] = max(x, 0)
		}
	}
}

// Func is a constraint written in Go, of weights of float32. It has no config.
type Func struct {
	// Name stands for it in errors.
	Name string
	// Rows says that F looks at one row of a matrix at a time. Default: it needs
	// the whole matrix.
	Rows bool
	// F changes w in place. It may be called from several goroutines at once, on
	// different rows.
	F func(w Array)
}

// Class implements [Constraint].
func (f Func) Class() string { return f.Name }

// ByRow implements [RowWise].
func (f Func) ByRow() bool { return f.Rows }

// Check implements [Constraint]: there must be a function.
func (f Func) Check([]int) error {
	if f.F == nil {
		return configError("a constraint of a function needs one, F is nil")
	}
	return nil
}

// Apply implements [Constraint].
func (f Func) Apply(w Array) { f.F(w) }

// configError is an error that wraps ErrConfig.
func configError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

func finite(x float32) bool { return x-x == 0 }
