// Package tensor holds the shapes and values that go into and come out of
// embedding tables: id batches that are dense, ragged or sparse, and arrays of
// float32. It knows how to check and convert them, and does no arithmetic.
//
// The three layouts of one batch, of three bags of ids {7, 3}, {} and {7}:
//
//	Dense   shape (3, 2)       values  7 3 . . 7 .      every bag has the same length
//	Ragged  values 7 3 7       splits  0 2 2 3          bag i is values[splits[i]:splits[i+1]]
//	Sparse  values 7 3 7       indices (0,0) (0,1) (2,0)   shape (3, 2)
//
// Whatever the layout, pooling works on [Bags]: flat ids and where each bag
// ends. An id may carry a weight, in an array as long as the ids.
//
// Batches wrap the slices they are made from and are never written to by this
// module, so that any number of goroutines may use one. Whoever made a batch
// may reuse its slices when nobody uses it any more.
package tensor

import (
	"errors"
	"fmt"
)

// Errors that a malformed batch is reported with; match with errors.Is.
var (
	// ErrShape: lengths and shapes do not agree.
	ErrShape = errors.New("tensor: shapes do not agree")
	// ErrSplits: row splits do not start at 0, decrease, or do not end at the number of values.
	ErrSplits = errors.New("tensor: bad row splits")
	// ErrIndices: a sparse index is out of bounds, out of order or repeated.
	ErrIndices = errors.New("tensor: bad sparse indices")
)

// KeyType names the Go type of an id.
type KeyType uint8

// The key types. The zero value is Int64, the type used when nobody says.
const (
	Int64 KeyType = iota
	Int32
	Uint64
	String
)

// String returns the name used in configs and files: "int64", "int32", "uint64" or "string".
func (k KeyType) String() string {
	switch k {
	case Int64:
		return "int64"
	case Int32:
		return "int32"
	case Uint64:
		return "uint64"
	case String:
		return "string"
	}
	return fmt.Sprintf("KeyType(%d)", uint8(k))
}

// ParseKeyType is the inverse of [KeyType.String].
func ParseKeyType(name string) (KeyType, error) {
	for _, k := range []KeyType{Int64, Int32, Uint64, String} {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("tensor: unknown key type %q: use int32, int64, uint64 or string", name)
}

// Key is the set of types an id may have.
type Key interface {
	int32 | int64 | uint64 | string
}

// KeyTypeOf returns the KeyType of K.
func KeyTypeOf[K Key]() KeyType {
	var k K
	switch any(k).(type) {
	case int32:
		return Int32
	case uint64:
		return Uint64
	case string:
		return String
	}
	return Int64
}

// IDs is a batch of ids in any of the three layouts. It is sealed: the types
// that implement it are *Dense, *Ragged and *Sparse of each Key.
type IDs interface {
	// KeyType returns the type of the ids.
	KeyType() KeyType
	// Len returns the number of ids.
	Len() int
	// Shape returns the shape, -1 for a ragged dimension. The caller must not
	// change it.
	Shape() []int
	// Weights returns the weight of each id, nil if there are none. Not a copy.
	Weights() []float32

	// appendSplits appends where each of the given number of bags begins, and
	// the end. It seals the interface.
	appendSplits(buf []int64, bags int) []int64
	// clone does Clone.
	clone() IDs
}

func weightsError(ids, weights int) error {
	return fmt.Errorf("%w: %d ids need as many weights, got %d", ErrShape, ids, weights)
}
