package rowan

import (
	"fmt"
	"math"

	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// DType is the type that a table stores the weights of its rows in. What is
// computed is float32 whatever it is: a row is widened when it is read, never the
// table. Optimizer state, last steps and scores are not of this type.
//
//	bytes a row of width n    weights            state and last step
//	Float32                   4n                 4 a number
//	Float16, BFloat16         2n, 2 more if odd  4 a number
//
// and then padding, to whole lines of 64 bytes from 64 on, else to a power of two.
// A row of 64 numbers without state takes 128 bytes in place of 256; with
// row-wise Adagrad 192 in place of 320, with Adam 640 in place of 768. Stats has
// the bytes of a table.
//
// It saves memory and not time: rows are copied out before they are pooled, and
// rounding draws a random number for each two weights. Of rows of 64 numbers that
// lie in the cache a lookup takes three to six times as long as of Float32, an
// update six to eight times.
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
type DType uint8

// The types of weights.
const (
	// Float32 stores weights as they are computed.
	Float32 DType = iota
	// Float16 stores 11 significant bits, of numbers from 6e-8 to 65504.
	Float16
	// BFloat16 stores 8 significant bits, of all magnitudes that Float32 has.
	BFloat16
)

var dtypeNames = [...]string{Float32: "float32", Float16: "float16", BFloat16: "bfloat16"}

// String returns the type's name, "float32".
func (d DType) String() string {
	if int(d) < len(dtypeNames) {
		return dtypeNames[d]
	}
	return fmt.Sprintf("DType(%d)", d)
}

// ParseDType returns the type of a name: "float32", "float16", which is "half" too,
// or "bfloat16".
func ParseDType(name string) (DType, error) {
	for d, n := range dtypeNames {
		if n == name {
			return DType(d), nil
		}
	}
	if name == "half" {
		return Float16, nil
	}
	return 0, fmt.Errorf("%w: rows are stored as float32, float16 or bfloat16. Received: %q", ErrOptions, name)
}

// half returns the form of a type of 16 bits.
func (d DType) half() kernel.Half { return kernel.Half(d) }

// check reports a type that the table cannot have.
func (d DType) check(o *TableOptions, bad func(field, format string, args ...any) error) error {
	switch {
	case int(d) >= len(dtypeNames):
		return bad("DType", "must be Float32, Float16 or BFloat16. Received: %v", d)
	case d != Float32 && o.Stores != nil:
		return bad("DType", "is of rows in the table's memory: rows in Stores are float32. Received: %v; leave DType or Stores out", d)
	}
	return nil
}

// round gives numbers the nearest values of the type.
func (d DType) round(row []float32) {
	if d == Float32 {
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
