package rowan

import "errors"

// Errors that operations on tables and stores are reported with; match with errors.Is.
var (
	// ErrClosed: the table or store has been closed.
	ErrClosed = errors.New("rowan: closed")
	// ErrOptions: an option does not make sense.
	ErrOptions = errors.New("rowan: bad options")
	// ErrKeyType: ids are of another type than the table's keys.
	ErrKeyType = errors.New("rowan: wrong key type")
	// ErrDType: values are of another type than the table's rows.
	ErrDType = errors.New("rowan: wrong type of values")
	// ErrShape: an array does not have the shape that the call needs.
	ErrShape = errors.New("rowan: wrong shape")
	// ErrOutOfRange: an id is not a row of a static table.
	ErrOutOfRange = errors.New("rowan: id out of range")
	// ErrUnknownKey: a key is not in the table, and the table is to say so.
	ErrUnknownKey = errors.New("rowan: unknown key")
	// ErrNotFinite: a gradient, weight or row holds a NaN or an infinity.
	ErrNotFinite = errors.New("rowan: not a finite number")
	// ErrStale: a lookup cannot be trained on, because it is not one of this table's, or not a training one.
	ErrStale = errors.New("rowan: lookup does not fit")
	// ErrNotTrainable: the table has no optimizer or is frozen.
	ErrNotTrainable = errors.New("rowan: table is not trainable")
	// ErrReadOnly: the table is a quantized copy, which cannot be written.
	ErrReadOnly = errors.New("rowan: table is read-only")
	// ErrMismatch: a file holds a table of another kind than the one it is loaded into.
	ErrMismatch = errors.New("rowan: file does not match the table")
	// ErrStatic: the operation needs a dynamic table.
	ErrStatic = errors.New("rowan: table is static")
)
