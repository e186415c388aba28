package rowan

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/rowan-embeddings/rowan/internal/keymap"
	"github.com/rowan-embeddings/rowan/tensor"
)

// keyBatch is the ids of a batch in the form that the index takes: integers as
// 64 bits, or strings; and their hashes.
type keyBatch struct {
	ints   []uint64
	strs   []string
	hashes []uint64 // of dynamic tables only
	buffer []uint64 // where int32 ids are widened to
}

// set points k at the ids of a batch, without a copy where 64 bits are 64
// bits already.
func (k *keyBatch) set(ids tensor.IDs, want tensor.KeyType, static bool) error {
	k.ints, k.strs = nil, nil
	switch v := ids.(type) {
	case interface{ Values() []int64 }:
		k.ints = reinterpret(v.Values())
	case interface{ Values() []uint64 }:
		k.ints = v.Values()
	case interface{ Values() []int32 }:
		k.ints = k.widen(v.Values())
	case interface{ Values() []string }:
		k.strs = v.Values()
		if k.strs == nil {
			k.strs = []string{}
		}
	default:
		return fmt.Errorf("%w: ids are *tensor.Dense, *tensor.Ragged or *tensor.Sparse, got %T", ErrKeyType, ids)
	}
	return checkKeyType(ids.KeyType(), want, static)
}

// checkIDs reports ids that are nil, as an interface or as a pointer in one.
func checkIDs(ids tensor.IDs) error {
	if v := reflect.ValueOf(ids); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return fmt.Errorf("%w: ids are nil", ErrShape)
	}
	return nil
}

func (k *keyBatch) widen(ids []int32) []uint64 {
	k.buffer = k.buffer[:0]
	for _, id := range ids {
		k.buffer = append(k.buffer, uint64(int64(id)))
	}
	return k.buffer
}

// reinterpret views signed ids as the unsigned numbers of the same bits.
func reinterpret(ids []int64) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(ids))), len(ids))
}

func (k *keyBatch) len() int { return max(len(k.ints), len(k.strs)) }

// storable reports a key that cannot be inserted: told when it is looked up to
// be trained, it stops a step before the step has changed anything.
func (k *keyBatch) storable(i, from int) error {
	if k.strs == nil || len(k.strs[i]) <= keymap.MaxString {
		return nil
	}
	return fmt.Errorf("%w: at most %d bytes; got %d at position %d, beginning %.40q",
		keymap.ErrLong, keymap.MaxString, len(k.strs[i]), from+i, k.strs[i])
}

// slice returns the keys lo to hi.
func (k *keyBatch) slice(lo, hi int) keyBatch {
	var s keyBatch
	if k.strs != nil {
		s.strs = k.strs[lo:hi]
	} else {
		s.ints = k.ints[lo:hi]
	}
	if k.hashes != nil {
		s.hashes = k.hashes[lo:hi]
	}
	return s
}

// format prints key i for an error.
func (k *keyBatch) format(i int, t tensor.KeyType) string {
	switch {
	case k.strs != nil:
		return fmt.Sprintf("%q", k.strs[i])
	case t == tensor.Uint64:
		return fmt.Sprint(k.ints[i])
	}
	return fmt.Sprint(int64(k.ints[i]))
}

// checkKeyType reports whether ids of one type may address a table of another.
// An int32 fits in int64; a static table checks the range of every id anyway.
func checkKeyType(got, want tensor.KeyType, static bool) error {
	switch {
	case got == want,
		got == tensor.Int32 && want == tensor.Int64,
		static && got != tensor.String:
		return nil
	}
	return fmt.Errorf("%w: the table's keys are %v, got ids of %v", ErrKeyType, want, got)
}
