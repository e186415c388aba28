package keymap

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Hash scatters a key over 64 bits, so that every bit of the key moves every bit
// of the hash: the finaliser of SplitMix64 (Stafford's thirteenth mix of
// MurmurHash3's form). It is the same in every process and build, and Key is its
// inverse.
func Hash(key uint64) uint64 {
	key = (key ^ key>>30) * 0xbf58476d1ce4e5b9
	key = (key ^ key>>27) * 0x94d049bb133111eb
	return key ^ key>>31
}

// Key returns the key whose Hash is given: the steps of Hash undone, last first,
// with the inverses of its factors modulo 2^64.
func Key(hash uint64) uint64 {
	hash = (hash ^ hash>>31 ^ hash>>62) * 0x319642b2d24d8ec3
	hash = (hash ^ hash>>27 ^ hash>>54) * 0x96de1b173f119089
	return hash ^ hash>>30 ^ hash>>60
}

// Fractions of the square roots of 2, 3, 5 and 7, made odd.
const (
	root2 = 0x6a09e667f3bcc909
	root3 = 0xbb67ae8584caa73b
	root5 = 0x3c6ef372fe94f82b
	root7 = 0xa54ff53a5f1d36f1
)

// HashString scatters a string over 64 bits. It is the same in every process,
// build and byte order, since keys are routed and initial values are drawn by
// it; its test fixes vectors. It takes 16 bytes a multiplication.
//
// It has no seed, so strings can be made whose hashes are equal: Strings keeps
// them apart all the same.
func HashString(s string) uint64 {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	acc := uint64(len(s)) * root7
	for len(b) > 16 {
		acc = mix(binary.LittleEndian.Uint64(b)^acc^root2, binary.LittleEndian.Uint64(b[8:])^root3)
		b = b[16:]
	}
	lo, hi := ends(b)
	lo, hi = lo^acc^root2, hi^root3
	high, low := bits.Mul64(lo, hi)
	return mix(low^lo^root5, high^hi^root7) // both halves, so that they multiply each other
}

// ends reads up to 16 bytes as two numbers that overlap where there are fewer.
func ends(b []byte) (lo, hi uint64) {
	switch n := len(b); {
	case n >= 8:
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		return uint64(b[0])<<16 | uint64(b[n/2])<<8 | uint64(b[n-1]), 0
	}
	return 0, 0
}

// mix folds the 128-bit product of a and b. The factors are kept in the result:
// without them a factor of zero would wipe the other out.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo ^ a ^ bits.RotateLeft64(b, 32)
}
