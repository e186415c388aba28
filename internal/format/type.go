package format

import (
	"fmt"
	"unsafe"

	"github.com/rowan-embeddings/rowan/internal/kernel"
)

// Type is the type of the weights of a table, by its number in files. The
// numbers of Float16 and BFloat16 are those of [kernel.Half].
//
//	                             a block has them in   slots and last steps
//	Float32, Float16, BFloat16   Rows                  of float32
//	Float64                      Cells                 of float64
//	Int8, Int32, Int64, Bool     Cells                 none
//	Text                         Texts                 none
type Type uint8

// The types of weights.
const (
	// Float32 is IEEE 754 binary32.
	Float32 Type = iota
	// Float16 is IEEE 754 binary16, widened to float32 in memory.
	Float16
	// BFloat16 is the upper half of a float32, widened in memory.
	BFloat16
	// Float64 is IEEE 754 binary64.
	Float64
	// Int8 is a byte in two's complement.
	Int8
	// Int32 is four bytes in two's complement.
	Int32
	// Int64 is eight bytes in two's complement.
	Int64
	// Bool is a byte that is 0 or 1.
	Bool
	// Text is strings; any bytes will do.
	Text
)

var typeNames = [...]string{Float32: "float32", Float16: "float16", BFloat16: "bfloat16", Float64: "float64",
	Int8: "int8", Int32: "int32", Int64: "int64", Bool: "bool", Text: "string"}

// String returns the type's name in Go, "int64", or what comes closest.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", t)
}

// half returns the form of a type of 16 bits, 0 for any other.
func (t Type) half() kernel.Half {
	if t == Float16 || t == BFloat16 {
		return kernel.Half(t)
	}
	return 0
}

// trained reports whether rows of the type may have slots and last steps.
func (t Type) trained() bool { return t <= Float64 }

// cell returns the bytes of a number in [Block.Cells], 0 of a type that is not there.
func (t Type) cell() int {
	switch t {
	case Int8, Bool:
		return 1
	case Int32:
		return 4
	case Float64, Int64:
		return 8
	}
	return 0
}

// inMemory returns the bytes that a number of a block takes in memory.
func (t Type) inMemory() int {
	switch size := t.cell(); {
	case size > 0:
		return size
	case t == Text:
		return int(unsafe.Sizeof(""))
	}
	return 4
}
