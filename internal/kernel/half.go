package kernel

import "math"

// Half is a form of numbers in 16 bits. Its numbers are those of package rowan's
// DType and of the bytes in table files.
type Half uint8

// The forms of 16 bits. Of the largest finite numbers, 65504 and 3.39e38, the
// sign, the exponent and the fraction have as many bits as said.
const (
	// Float16 is IEEE 754 binary16: 1, 5 and 10 bits.
	Float16 Half = 1
	// BFloat16 is the upper half of a float32: 1, 8 and 7 bits.
	BFloat16 Half = 2
)

const (
	signBit      = 1 << 31
	infinity     = 0x7f800000 // bits of float32
	fractionBits = 23
)

// fraction returns the number of bits of a fraction.
func (h Half) fraction() int {
	if h == Float16 {
		return 10
	}
	return 7
}

// lowest returns the lowest bit of an exponent.
func (h Half) lowest() uint32 { return 1 << h.fraction() }

// infinite returns the bits of infinity.
func (h Half) infinite() uint32 {
	if h == Float16 {
		return 0x7c00
	}
	return 0x7f80
}

// Widen returns the number of the given bits, which float32 holds exactly. A NaN
// keeps its bits, in the upper part of the fraction.
func (h Half) Widen(bits uint16) float32 {
	b := uint32(bits)
	if h == BFloat16 {
		return math.Float32frombits(b << 16)
	}
	sign, rest := b&0x8000<<16, b&0x7fff
	switch {
	case rest >= 0x7c00: // infinite, or NaN
		return math.Float32frombits(sign | infinity | rest&0x3ff<<13)
	case rest >= 0x0400:
		return math.Float32frombits(sign | rest<<13 + (127-15)<<fractionBits)
	}
	// Less than the smallest normal number: rest times 2^-24, exactly.
	return math.Float32frombits(sign | math.Float32bits(float32(rest)*0x1p-24))
}

// Nearest returns the bits of the number nearest to x, of two the even one.
// Finite numbers stay finite: beyond the largest, the largest is nearest.
// Infinities stay infinite, and a NaN one, with the upper bits of its fraction.
func (h Half) Nearest(x float32) uint16 {
	const half = 1 << 31
	b := math.Float32bits(x)
	kept, lost, ok := h.split(b &^ signBit)
	if ok && (lost > half || lost == half && kept&1 == 1) {
		kept = min(kept+1, h.infinite()-1)
	}
	return uint16(b&signBit>>16 | kept)
}

// ByChance returns the bits of one of the two numbers on either side of x: the
// nearer, the more likely, so that over all values of random, each as likely as
// another, x is what comes out on average. A number that Half holds is itself.
// Otherwise as Nearest.
func (h Half) ByChance(x float32, random uint32) uint16 {
	b := math.Float32bits(x)
	kept, lost, ok := h.split(b &^ signBit)
	if ok && random < lost {
		kept = min(kept+1, h.infinite()-1)
	}
	return uint16(b&signBit>>16 | kept)
}

// Holds reports whether x is one of the numbers, bit for bit.
func (h Half) Holds(x float32) bool {
	return math.Float32bits(h.Widen(h.Nearest(x))) == math.Float32bits(x)
}

// split cuts the bits of a number without its sign into those that are kept and
// what is lost, in units of 2^-32 of the last bit kept. It is not ok, and kept is
// the result, of numbers that are infinite or NaN, and of those beyond the largest.
func (h Half) split(abs uint32) (kept, lost uint32, ok bool) {
	largest := h.infinite() - 1
	switch {
	case abs > infinity:
		kept = h.infinite() | abs>>(fractionBits-h.fraction())&(h.lowest()-1)
		if kept == h.infinite() {
			kept++ // or it would be infinite
		}
		return kept, 0, false
	case abs == infinity:
		return h.infinite(), 0, false
	case h == BFloat16:
		return abs >> 16, abs << 16, true
	}
	const (
		normal = (127 - 14) << fractionBits // 2^-14
		beyond = (127 + 16) << fractionBits // 2^16
	)
	if abs >= beyond {
		return largest, 0, false
	}
	if abs >= normal {
		rebiased := abs - (127-15)<<fractionBits
		return rebiased >> 13, rebiased << 19, true
	}
	exponent := abs >> fractionBits
	fraction := uint64(abs & (1<<fractionBits - 1))
	if exponent > 0 {
		fraction |= 1 << fractionBits
	} else {
		exponent = 1
	}
	fixed := fraction << 32 >> (13 + (127 - 14) - exponent) // in units of 2^-56
	return uint32(fixed >> 32), uint32(fixed), true
}
