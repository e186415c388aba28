package rowan

import (
	"fmt"
	"math"
	"strings"

	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// DType is the type of what the rows of a table hold. What is computed is float32
// whatever weights are stored in, but float64 where they are float64: a row is
// widened when it is read, never the table.
//
//	bytes a row of width n    weights            state               last step
//	Float32                   4n                 4 a number          4
//	Float16, BFloat16         2n, 2 more if odd  4 a number          4
//	Float64                   8n                 8 a number          8
//	Int8, Bool                n                  none                none
//	Int32                     4n                 none                none
//	Int64                     8n                 none                none
//	String                    14n, and the text  none                none
//
// and then padding, to whole words of 4 bytes, to whole lines of 64 bytes from 64
// on, else to a power of two. Stats has the bytes of a table. Scores are 8 bytes a
// row of any type.
//
// # Weights of 16 bits
//
// Optimizer state and last steps are as in Float32. A row of 64 numbers without
// state takes 128 bytes in place of 256; with row-wise Adagrad 192 in place of 320,
// with Adam 640 in place of 768.
//
// It saves memory and not time: rows are copied out before they are pooled, and
// rounding draws a random number for each two weights. Lookups and updates take five
// to nine times as long as of Float32 (docs/performance.md).
//
// How numbers are rounded:
//
//	to the nearest, of two the even one   first values, Upsert, warm starts, averages
//	                                      put in the place of weights
//	by chance                             steps of training, Accumulate, steps made up
//	                                      for when a row is written
//
// By chance is to one of the two neighbours, the nearer the more likely, so that
// what an update is too small to change still adds up over many of them. The
// chance of a number is a function of the table's seed and name, the key, the step
// and the dimension: it does not depend on threads, on the order of rows, or on
// whether training was interrupted. Increments that Accumulate takes at one step
// share their chance.
//
// Rows read are as stored, each a number of the type; those of an exact optimizer
// are caught up from there in float32, and rounded only when they are written.
// MaxNorm is kept before rounding, which may carry a norm over it by as much as
// one part in 2^7 (BFloat16) or 2^10 (Float16).
//
// Float16 has no number beyond 65504. Upsert refuses such values, and a warm start
// from a file with them is refused; where training, Accumulate or an initializer
// goes beyond, the number stays at 65504. A number that is not finite stays so.
//
// # Float64
//
// Rows are pooled, trained, clipped and regularized in float64, their optimizer's
// state with them, by plain loops. [TableOf] has them as they are; Lookup, Export
// and the other methods of Table round what they read to float32 (a number beyond
// its largest becomes infinite), and take gradients and values of float32, so that
// such a table serves wherever another does. What an exact optimizer makes up for is
// taken step by step, so that the cost of reading a row grows with the steps that it
// missed. Registered combiners, Regularizer.Row and constraints that are functions of
// one's own compute in float32, and are refused.
//
// # Integers, truth values and strings
//
// They are stored and looked up, by way of [TableOf], and not trained. A row starts
// with zeros, or with what an Initializer of the same whole numbers for every key
// says. Methods that are about numbers with a fraction are ErrDType.
type DType uint8

// The types of what rows hold.
const (
	// Float32 stores weights as they are computed.
	Float32 DType = iota
	// Float16 stores 11 significant bits, of numbers from 6e-8 to 65504.
	Float16
	// BFloat16 stores 8 significant bits, of all magnitudes that Float32 has.
	BFloat16
	// Float64 stores and computes float64.
	Float64
	// Int8, Int32 and Int64 store integers of so many bits.
	Int8
	Int32
	Int64
	// Bool stores truth values.
	Bool
	// String stores strings of any bytes, at most 65,522 each.
	String
)

var dtypeNames = [...]string{
	Float32: "float32", Float16: "float16", BFloat16: "bfloat16", Float64: "float64",
	Int8: "int8", Int32: "int32", Int64: "int64", Bool: "bool", String: "string",
}

// String returns the type's name, "float32".
func (d DType) String() string {
	if int(d) < len(dtypeNames) {
		return dtypeNames[d]
	}
	return fmt.Sprintf("DType(%d)", d)
}

// ParseDType returns the type of a name: that of String, and "half", which is
// "float16", and "double", which is "float64".
func ParseDType(name string) (DType, error) {
	for d, n := range dtypeNames {
		if n == name {
			return DType(d), nil
		}
	}
	switch name {
	case "half":
		return Float16, nil
	case "double":
		return Float64, nil
	}
	return 0, fmt.Errorf("%w: rows hold one of %s. Received: %q", ErrOptions, strings.Join(dtypeNames[:], ", "), name)
}

// isFloat reports whether rows are numbers with a fraction, which can be trained.
func (d DType) isFloat() bool { return d <= Float64 }

// isCells reports whether rows are not computed in float32.
func (d DType) isCells() bool { return d >= Float64 }

// half returns the form of a type of 16 bits, 0 of others.
func (d DType) half() kernel.Half {
	if d == Float16 || d == BFloat16 {
		return kernel.Half(d)
	}
	return 0
}

// check reports a type that the table cannot have.
func (d DType) check(o *TableOptions, bad func(field, format string, args ...any) error) error {
	switch {
	case int(d) >= len(dtypeNames):
		return bad("DType", "must be one of %s. Received: %v", strings.Join(dtypeNames[:], ", "), d)
	case d != Float32 && o.Stores != nil:
		return bad("DType", "is of rows in the table's memory: rows in Stores are float32. Received: %v; leave DType or Stores out", d)
	case d == Float64:
		return o.check64(bad)
	case !d.isFloat():
		return o.checkUntrained(bad)
	}
	return nil
}

// check64 reports what is of float32 alone.
func (o *TableOptions) check64(bad func(field, format string, args ...any) error) error {
	if o.Regularizer.Row != nil {
		return bad("Regularizer", "Row is a function of float32, and rows of Float64 are not computed so: use L1 and L2")
	}
	if c := o.Constraint; c != nil {
		if _, ok := c.(constraint.Constraint64); !ok {
			return bad("Constraint", "%s is of float32, rows of Float64 need a constraint.Constraint64", c.Class())
		}
	}
	if o.Optimizer != nil {
		if err := o.Optimizer.WithDefaults().Supports64(); err != nil {
			return bad("Optimizer", "%v", err)
		}
	}
	return nil
}

// checkUntrained reports what rows that are not trained have no use for.
func (o *TableOptions) checkUntrained(bad func(field, format string, args ...any) error) error {
	no := func(field string) error {
		return bad(field, "is of weights, which are trained, and rows of %v are stored and looked up: leave it out", o.DType)
	}
	switch {
	case o.Optimizer != nil:
		return no("Optimizer")
	case !o.Regularizer.none():
		return no("Regularizer")
	case o.Constraint != nil:
		return no("Constraint")
	case o.MaxNorm != 0:
		return no("MaxNorm")
	case o.DType == String && int64(o.Width) > maxRows:
		return bad("Width", "of rows of strings must be at most %d. Received: Width=%d", int64(maxRows), o.Width)
	}
	_, err := o.firstCells()
	if err != nil {
		return bad("Initializer", "%v", err)
	}
	return nil
}

// round gives numbers the nearest values of the type.
func (d DType) round(row []float32) {
	if d.half() == 0 {
		return
	}
	h := d.half()
	for i, x := range row {
		row[i] = h.Widen(h.Nearest(x))
	}
}

// checkRange reports the first finite number that is beyond the largest of the type.
func (d DType) checkRange(what string, x []float32) error {
	if d != Float16 {
		return nil // what rounds beyond the largest bfloat16 is within 2^-9 of it
	}
	const largest = 65504
	for i, v := range x {
		if (v > largest || v < -largest) && !math.IsInf(float64(v), 0) {
			return fmt.Errorf("%w as float16, whose largest is 65504: %s %d of %d is %v", ErrNotFinite, what, i, len(x), v)
		}
	}
	return nil
}
