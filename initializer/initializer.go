// Package initializer gives weights their first values, as Keras' initializers
// do, with one difference: a value is a pure function of (seed, table, key,
// dimension). The row of a key is the same at every read, in every process, on
// every number of threads and every kind of processor, before and after it is
// evicted. Nothing is drawn in an order, so nothing depends on one.
//
//	seed ─┐
//	table ┼─ Stream ──> 64-bit stream ─┐
//	key ──┘                            ├─ two mixing rounds ──> 64 bits ──> uniform, normal, …
//	dimension 0, 1, 2, … ──────────────┘
//
// Both steps are counter-based: rounds of SplitMix64's finaliser over the
// inputs, no state. A distribution is its inverse function applied to one
// number between 0 and 1, so that each value needs 64 bits, no more and no
// fewer. Logarithms come from internal/portable and every product is rounded
// by itself, so that amd64 and arm64 give the same bits. The bits are part of
// what a seed means: tests pin them.
package initializer

import "errors"

// ErrConfig is wrapped by the errors of this package: an unknown name, a
// parameter out of range, a row of the wrong width.
var ErrConfig = errors.New("initializer: bad configuration")

// Fan is the number of inputs and outputs of the weight that a row belongs to.
// For a static table it is (rows, width), as in Keras; for a dynamic one
// (width, width) unless the user says otherwise; never the size of a request.
type Fan struct{ In, Out int }

// Initializer computes first values. Implementations are values without state,
// safe for concurrent use. Those of this package also have Validate; [Check]
// calls it.
type Initializer interface {
	// Name is Keras' class name, as configs spell it: "RandomUniform".
	Name() string
	// Row fills dst, a whole row, with the first values of the key that stream
	// stands for. See [Stream]. Number i of a row does not depend on len(dst),
	// as long as fan is the same.
	Row(dst []float32, stream uint64, fan Fan)
}

// Check returns an error that wraps [ErrConfig] if i has parameters out of
// range, or cannot fill a row of width numbers by itself, as a [Matrix] cannot. A
// dynamic table calls it once, when it is made; Row itself never fails. A nil
// Initializer is an error.
func Check(i Initializer, width int) error {
	if i == nil {
		return configError("an initializer is needed, none was given")
	}
	if err := validate(i); err != nil {
		return err
	}
	if _, ok := i.(Matrix); ok {
		return configError("%s needs the whole matrix: only static tables and dense weights have one", i.Name())
	}
	if v, ok := i.(Values); ok && len(v) != width {
		return configError("an initializer given as a row must have as many numbers as a row of the table has. Received: %d numbers for width %d", len(v), width)
	}
	return nil
}
