// Package fingerprint turns bytes into 64-bit numbers that other systems turn
// them into too: the same on every platform, in every version, for good.
//
//	Farm   FarmHash's Fingerprint64: fast, and known to all, so that anybody
//	       can make strings that collide
//	Sip    SipHash-2-4 under a key of 128 bits: who does not know the key cannot
//
// They are TensorFlow's hashes behind to_hash_bucket_fast and
// to_hash_bucket_strong, which Keras' Hashing and StringLookup put ids into
// buckets by. Tables do not use them: see package keymap.
package fingerprint

import (
	"encoding/binary"
	"math/bits"
)

// Constants of FarmHash: primes between 2^63 and 2^64.
const (
	prime0 = 0xc3a5c85c97cb3127
	prime1 = 0xb492b66fbe98f273
	prime2 = 0x9ae16a3b2f90404f
)

// Farm returns FarmHash's Fingerprint64 of a text, as its authors define it
// (farmhash.cc, namespace farmhashna). There is one way for each range of
// lengths; within one, reads overlap so that every byte is read at least once.
func Farm(text []byte) uint64 {
	switch n := len(text); {
	case n <= 16:
		return farmTo16(text)
	case n <= 32:
		return farmTo32(text)
	case n <= 64:
		return farmTo64(text)
	}
	return farmLong(text)
}

func word(text []byte, at int) uint64 { return binary.LittleEndian.Uint64(text[at:]) }

// rotate turns right, as FarmHash's authors count.
func rotate(x uint64, by int) uint64 { return bits.RotateLeft64(x, -by) }

func shiftMix(x uint64) uint64 { return x ^ x>>47 }

// join mixes two numbers into one.
func join(u, v, factor uint64) uint64 {
	a := shiftMix((u ^ v) * factor)
	return shiftMix((v^a)*factor) * factor
}

func farmTo16(text []byte) uint64 {
	n := len(text)
	factor := prime2 + 2*uint64(n)
	switch {
	case n >= 8:
		a, b := word(text, 0)+prime2, word(text, n-8)
		return join(rotate(b, 37)*factor+a, (rotate(a, 25)+b)*factor, factor)
	case n >= 4:
		first, last := binary.LittleEndian.Uint32(text), binary.LittleEndian.Uint32(text[n-4:])
		return join(uint64(n)+uint64(first)<<3, uint64(last), factor)
	case n > 0:
		y := uint64(text[0]) + uint64(text[n/2])<<8
		z := uint64(n) + uint64(text[n-1])<<2
		return shiftMix(y*prime2^z*prime0) * prime2
	}
	return prime2
}

func farmTo32(text []byte) uint64 {
	n := len(text)
	factor := prime2 + 2*uint64(n)
	a, b := word(text, 0)*prime1, word(text, 8)
	c, d := word(text, n-8)*factor, word(text, n-16)*prime2
	return join(rotate(a+b, 43)+rotate(c, 30)+d, a+rotate(b+prime2, 18)+c, factor)
}

func farmTo64(text []byte) uint64 {
	n := len(text)
	factor := prime2 + 2*uint64(n)
	a, b := word(text, 0)*prime2, word(text, 8)
	c, d := word(text, n-8)*factor, word(text, n-16)*prime2
	y := rotate(a+b, 43) + rotate(c, 30) + d
	z := join(y, a+rotate(b+prime2, 18)+c, factor)
	e, f := word(text, 16)*factor, word(text, 24)
	g, h := (y+word(text, n-32))*factor, (z+word(text, n-24))*factor
	return join(rotate(e+f, 43)+rotate(g, 30)+h, e+rotate(f+a, 18)+g, factor)
}

// farm is the state that a long text goes through, 64 bytes at a time.
type farm struct{ x, y, z, v0, v1, w0, w1 uint64 }

func farmLong(text []byte) uint64 {
	x, y := uint64(81), uint64(81)
	y = y*prime1 + 113
	s := farm{x: x*prime2 + word(text, 0), y: y, z: shiftMix(y*prime2+113) * prime2}
	rest := text
	for len(rest) > 64 {
		s.take(rest, prime1, 1)
		rest = rest[64:]
	}
	// The last 64 bytes once more, wherever they begin.
	factor := prime1 + (s.z&0xff)<<1
	s.w0 += uint64(len(text)-1) & 63
	s.v0 += s.w0
	s.w0 += s.v0
	s.take(text[len(text)-64:], factor, 9)
	return join(join(s.v0, s.w0, factor)+shiftMix(s.y)*prime0+s.z, join(s.v1, s.w1, factor)+s.x, factor)
}

// take mixes 64 bytes in. weight is that of v and w in x and y: 1, at the end 9.
func (s *farm) take(text []byte, factor, weight uint64) {
	s.x = rotate(s.x+s.y+s.v0+word(text, 8), 37) * factor
	s.y = rotate(s.y+s.v1+word(text, 48), 42) * factor
	s.x ^= s.w1 * weight
	s.y += s.v0*weight + word(text, 40)
	s.z = rotate(s.z+s.w0, 33) * factor
	s.v0, s.v1 = weak(text, s.v1*factor, s.x+s.w0)
	s.w0, s.w1 = weak(text[32:], s.z+s.w1, s.y+word(text, 16))
	s.z, s.x = s.x, s.z
}

// weak mixes 32 bytes into two numbers.
func weak(text []byte, a, b uint64) (uint64, uint64) {
	a += word(text, 0)
	b = rotate(b+a+word(text, 24), 21)
	c := a
	a += word(text, 8) + word(text, 16)
	return a + word(text, 24), b + rotate(a, 44) + c
}

// Sip returns SipHash-2-4 of a text under a key (Aumasson and Bernstein, 2012).
func Sip(key [2]uint64, text []byte) uint64 {
	s := sip{
		key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, // "somepseudorandomlygeneratedbytes"
		key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573,
	}
	last := uint64(len(text)) << 56
	for ; len(text) >= 8; text = text[8:] {
		s.take(word(text, 0))
	}
	for i, b := range text {
		last |= uint64(b) << (8 * i)
	}
	s.take(last)
	s[2] ^= 0xff
	s.rounds(4)
	return s[0] ^ s[1] ^ s[2] ^ s[3]
}

type sip [4]uint64

func (s *sip) take(m uint64) {
	s[3] ^= m
	s.rounds(2)
	s[0] ^= m
}

func (s *sip) rounds(n int) {
	a, b, c, d := s[0], s[1], s[2], s[3]
	for range n {
		a, c = a+b, c+d
		b, d = bits.RotateLeft64(b, 13)^a, bits.RotateLeft64(d, 16)^c
		a = bits.RotateLeft64(a, 32)
		a, c = a+d, c+b
		b, d = bits.RotateLeft64(b, 17)^c, bits.RotateLeft64(d, 21)^a
		c = bits.RotateLeft64(c, 32)
	}
	*s = sip{a, b, c, d}
}
