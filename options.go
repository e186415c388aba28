package rowan

import (
	"fmt"
	"math"

	"github.com/rowan-embeddings/rowan/constraint"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TableOptions says what a table is. Name and Width must be given; the zero
// value of every other field works.
type TableOptions struct {
	// Name names the table in errors and files, and is part of what its first
	// values are a function of.
	Name string
	// Width is the number of weights a row.
	Width int
	// Rows makes the table static: its keys are 0 to Rows-1, all present from
	// the start. Default 0: dynamic, any key, grows as keys come.
	Rows int
	// KeyType is the type of the ids. A table of int64 takes int32 ids too; a
	// static table takes any integers. Default: tensor.Int64.
	KeyType tensor.KeyType
	// DType is the type of what rows hold. Computations are in float32, and of
	// Float64 in float64. Rows in Stores, and under a Constraint of the whole
	// matrix, are Float32. Default: Float32.
	DType DType
	// Initializer gives a row its first values. A static table takes an
	// [initializer.Matrix] too. Default: RandomUniform(-0.05, 0.05), as Keras; of
	// integers and truth values Zeros, and strings start empty.
	Initializer initializer.Initializer
	// Fan is passed to the initializer. Default: (Rows, Width) of a static
	// table, (Width, Width) of a dynamic one.
	Fan initializer.Fan
	// Seed is the other part of what first values are a function of. Default: 0.
	Seed uint64
	// Optimizer trains the table; its state lies beside each row's weights.
	// Default: none, the table cannot be trained until SetOptimizer.
	Optimizer *optim.Optimizer
	// Regularizer is a penalty on the weights, as in Keras. Default: none.
	Regularizer Regularizer
	// MaxNorm bounds the L2 norm of every row, as it is read and as it is
	// stored. Steps that an exact optimizer makes up for are bounded together,
	// after the last of them. Default 0: no bound.
	MaxNorm float32
	// Constraint is applied after each update: to the rows that it touched, each
	// by itself ([constraint.ByRow]). One that needs the whole matrix takes a
	// static table, and is applied to all of it. UseAverages applies it too.
	// Values that are set otherwise, first values too, stay as they are until
	// then. Default: none. See constrain.go.
	Constraint constraint.Constraint
	// Missing says what a dynamic table reads for a key it does not hold, in
	// lookups that do not train. Default: MissingInitial.
	Missing Missing
	// OutOfRange says what a static table does with an id outside [0, Rows).
	// Default: OutOfRangeError.
	OutOfRange OutOfRange
	// Padding is an id that stands for nothing: it reads as zeros, is left out
	// of means, and is never trained. Default: none.
	Padding *Padding
	// InitialCapacity is the number of keys a dynamic table makes room for at once. Default 0.
	InitialCapacity int
	// MaxRows bounds the number of rows of a dynamic table; one more is an
	// error. Default: what the address space holds, at most 2^32-3.
	MaxRows int
	// Restrict says how the table gives rows up. Default: it does not.
	Restrict Restrict
	// Threads bounds the goroutines that one call uses. Default: GOMAXPROCS.
	Threads int
	// Stores keeps the rows in row stores, one or several parts, of this process
	// or of others. Default nil: in the table's own memory.
	Stores *Stores
}

// Missing says what a dynamic table reads for a key that it does not hold.
type Missing uint8

// What to read for a missing key.
const (
	// MissingInitial reads the values that the row would start with. It is not stored.
	MissingInitial Missing = iota
	// MissingZeros reads zeros; pooling by mean still counts the id.
	MissingZeros
	// MissingSkip leaves the id out, of means too.
	MissingSkip
	// MissingError fails the lookup with ErrUnknownKey.
	MissingError
)

// OutOfRange says what a static table does with an id that is not a row.
type OutOfRange uint8

// What to do with an id out of range.
const (
	// OutOfRangeError fails the lookup with ErrOutOfRange, naming table, feature, position and id.
	OutOfRangeError OutOfRange = iota
	// OutOfRangeZeros reads zeros and trains nothing; pooling by mean still counts the id.
	OutOfRangeZeros
	// OutOfRangeLast reads and trains the last row, kept for ids out of vocabulary.
	OutOfRangeLast
)

// Padding is an id that stands for nothing. Make one with PaddingID or PaddingString.
type Padding struct {
	id     uint64
	str    string
	isText bool
}

// PaddingID is the padding id of a table of integer keys.
func PaddingID(id int64) *Padding { return &Padding{id: uint64(id)} }

// PaddingString is the padding id of a table of string keys.
func PaddingString(id string) *Padding { return &Padding{str: id, isText: true} }

// check reports the first option that does not make sense.
func (o *TableOptions) check() error {
	bad := func(field string, format string, args ...any) error {
		return fmt.Errorf("%w: table %q: %s %s", ErrOptions, o.Name, field, fmt.Sprintf(format, args...))
	}
	switch {
	case o.Name == "":
		return bad("Name", "must not be empty")
	case o.Width <= 0:
		return bad("Width", "must be a positive integer. Received: Width=%d", o.Width)
	case o.Width > maxWidth:
		return bad("Width", "must be at most %d. Received: Width=%d", maxWidth, o.Width)
	case o.Rows < 0:
		return bad("Rows", "must not be negative (0 makes a dynamic table). Received: Rows=%d", o.Rows)
	case o.Rows > maxRows:
		return bad("Rows", "must be at most %d. Received: Rows=%d", maxRows, o.Rows)
	case o.MaxRows < 0:
		return bad("MaxRows", "must not be negative. Received: MaxRows=%d", o.MaxRows)
	case o.MaxRows > maxRows:
		return bad("MaxRows", "must be at most %d. Received: MaxRows=%d", maxRows, o.MaxRows)
	case o.InitialCapacity < 0:
		return bad("InitialCapacity", "must not be negative. Received: InitialCapacity=%d", o.InitialCapacity)
	case o.InitialCapacity > maxRows:
		return bad("InitialCapacity", "must be at most %d. Received: InitialCapacity=%d", maxRows, o.InitialCapacity)
	case o.Threads < 0:
		return bad("Threads", "must not be negative. Received: Threads=%d", o.Threads)
	case o.KeyType > tensor.String:
		return bad("KeyType", "must be int32, int64, uint64 or string. Received: %v", o.KeyType)
	case o.Rows > 0 && o.KeyType == tensor.String:
		return bad("KeyType", "of a static table must be an integer type. Received: string; leave Rows 0 for a dynamic table")
	case !(o.MaxNorm >= 0) || math.IsInf(float64(o.MaxNorm), 0):
		return bad("MaxNorm", "must be a finite number, not negative. Received: MaxNorm=%v", o.MaxNorm)
	case !(o.Regularizer.L1 >= 0) || !(o.Regularizer.L2 >= 0):
		return bad("Regularizer", "must not be negative. Received: L1=%v, L2=%v", o.Regularizer.L1, o.Regularizer.L2)
	case math.IsInf(float64(o.Regularizer.L1), 0) || math.IsInf(float64(o.Regularizer.L2), 0):
		return bad("Regularizer", "must be finite. Received: L1=%v, L2=%v", o.Regularizer.L1, o.Regularizer.L2)
	case o.Padding != nil && o.Padding.isText != (o.KeyType == tensor.String):
		return bad("Padding", "must be of the keys' type, %v: see PaddingID and PaddingString", o.KeyType)
	case o.Missing > MissingError:
		return bad("Missing", "is unknown. Received: %d", o.Missing)
	case o.OutOfRange > OutOfRangeLast:
		return bad("OutOfRange", "is unknown. Received: %d", o.OutOfRange)
	}
	if err := o.DType.check(o, bad); err != nil {
		return err
	}
	if err := o.Restrict.check(o, bad); err != nil {
		return err
	}
	if err := o.checkConstraint(o.Optimizer); err != nil {
		return bad("Constraint", "%v", err)
	}
	if o.Initializer != nil {
		if err := o.checkInitializer(); err != nil {
			return bad("Initializer", "%v", err)
		}
	}
	if o.Optimizer != nil {
		if err := o.Optimizer.Validate(); err != nil {
			return bad("Optimizer", "%v", err)
		}
	}
	if o.Stores != nil {
		return o.Stores.check(o)
	}
	return nil
}

// checkInitializer asks whether the initializer can fill the table: a static one
// has the whole matrix to offer, a dynamic one a row at a time.
func (o *TableOptions) checkInitializer() error {
	if o.Rows > 0 {
		return initializer.CheckMatrix(o.Initializer, o.Rows, o.Width)
	}
	return initializer.Check(o.Initializer, o.Width)
}

// withDefaults fills the defaults in.
func (o TableOptions) withDefaults() TableOptions {
	switch {
	case o.Initializer != nil:
	case o.DType.isFloat():
		o.Initializer = initializer.RandomUniform{Min: -0.05, Max: 0.05}
	default:
		o.Initializer = initializer.Zeros{}
	}
	if o.Fan == (initializer.Fan{}) {
		o.Fan = initializer.Fan{In: o.Width, Out: o.Width}
		if o.Rows > 0 {
			o.Fan.In = o.Rows
		}
	}
	if o.Optimizer != nil {
		o.Optimizer = o.Optimizer.WithDefaults()
	}
	if o.Stores != nil {
		o.Stores = o.Stores.clone()
	}
	return o
}

// maxRows is the number of row numbers that are left when three of 32 bits have
// a meaning of their own: see rowAbsent.
const maxRows = min(math.MaxUint32-2, math.MaxInt)

// maxWidth is the longest row that a slab has room for, at a GiB.
const maxWidth = 1 << 28
