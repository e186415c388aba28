package rowan

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/tensor"
)

// Partitioner writes the number of the part that each key belongs to, 0 to
// parts-1, to out, which is as long as keys. keys are one-dimensional, of the
// table's key type. It is a function of the key and of parts alone, the same in
// all processes that share the stores, and is called by many goroutines.
type Partitioner func(keys tensor.IDs, parts int, out []int32) error

// Partition is the partitioner of tables that name none. A key goes to part
// mix(x) mod parts, in unsigned arithmetic of 64 bits, where x is the key
// extended to 64 bits with its sign, or for a string the 64-bit FNV-1a hash of
// its bytes, and mix is
//
//	x ^= x >> 30; x *= 0xbf58476d1ce4e5b9
//	x ^= x >> 27; x *= 0x94d049bb133111eb
//	x ^= x >> 31
//
// This will not change: rows that were stored under it stay where it finds
// them, on every platform. (Of system A's builds some cut keys to 31 bits
// before they divide and some do not, so that one's stores are not the other's.)
func Partition(keys tensor.IDs, parts int, out []int32) error {
	if err := checkIDs(keys); err != nil {
		return err
	}
	if parts < 1 || len(out) != keys.Len() {
		return fmt.Errorf("%w: %d keys need one part or more and as many results as keys, got %d and %d", ErrShape, keys.Len(), parts, len(out))
	}
	var k keyBatch
	if err := k.set(keys, keys.KeyType(), false); err != nil {
		return err
	}
	partition(&k, parts, out)
	return nil
}

// partition does Partition for keys that are unpacked already.
func partition(k *keyBatch, parts int, out []int32) {
	for i, s := range k.strs {
		out[i] = int32(mix(fnv1a(s)) % uint64(parts))
	}
	for i, x := range k.ints {
		out[i] = int32(mix(x) % uint64(parts))
	}
}

// mix is the finaliser of Steele, Lea and Flood's SplitMix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func fnv1a(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h ^= uint64(s[i])
		h *= 1099511628211
	}
	return h
}
