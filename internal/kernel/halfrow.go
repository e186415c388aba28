package kernel

import (
	"math"
	"math/bits"
)

// Rows of 16 bits lie two numbers to a word of float32, the first in its lower
// half. These loops give the bits of Widen, Nearest and ByChance, whose cases
// that are rare in weights they leave to them.

const (
	// rebias turns an exponent of Float16 into one of float32.
	rebias = (127 - 15) << fractionBits
	// leastNormal and mostNormal are the bits of 2^-14 and 65504.
	leastNormal = (127 - 14) << fractionBits
	mostNormal  = 0x477fe000
	// mostBrain are the bits of the largest BFloat16.
	mostBrain = 0x7f7f0000
)

// WidenRow writes the numbers of words to dst. There must be words for them.
func (h Half) WidenRow(dst, words []float32) {
	words = words[:(len(dst)+1)/2]
	n := h.widenGroups(dst, words)
	h.widenRowGo(dst[n:], words[n/2:])
}

func (h Half) widenRowGo(dst, words []float32) {
	if h == BFloat16 {
		for i, w := range words[:len(dst)/2] {
			b := math.Float32bits(w)
			pair := dst[2*i : 2*i+2]
			pair[0], pair[1] = math.Float32frombits(b<<16), math.Float32frombits(b&0xffff0000)
		}
		if last := len(dst) - 1; last%2 == 0 {
			dst[last] = math.Float32frombits(math.Float32bits(words[last/2]) << 16)
		}
		return
	}
	for i := range dst {
		b := math.Float32bits(words[i/2]) >> (i % 2 * 16)
		if rest := b & 0x7fff; rest >= 0x0400 && rest < 0x7c00 {
			dst[i] = math.Float32frombits(b&0x8000<<16 | (rest<<13 + rebias))
		} else {
			dst[i] = h.Widen(uint16(b))
		}
	}
}

// NearestRow writes a row, each number as the nearest, to as many words as it
// takes. The half of a word that is left is 0.
func (h Half) NearestRow(words, row []float32) {
	for i := range (len(row) + 1) / 2 {
		pair := uint32(h.Nearest(row[2*i]))
		if 2*i+1 < len(row) {
			pair |= uint32(h.Nearest(row[2*i+1])) << 16
		}
		words[i] = math.Float32frombits(pair)
	}
}

// ByChanceRow does NearestRow by chance: random returns 64 random bits for each
// word, of which the lower half are those of its first number.
func (h Half) ByChanceRow(words, row []float32, random func(word int) uint64) {
	words = words[:(len(row)+1)/2]
	if h == BFloat16 {
		for i := range words {
			r := random(i)
			pair := byChanceBrain(row[2*i], uint32(r))
			if 2*i+1 < len(row) {
				pair |= byChanceBrain(row[2*i+1], uint32(r>>32)) << 16
			}
			words[i] = math.Float32frombits(pair)
		}
		return
	}
	for i := range words {
		r := random(i)
		pair := byChance16(row[2*i], uint32(r))
		if 2*i+1 < len(row) {
			pair |= byChance16(row[2*i+1], uint32(r>>32)) << 16
		}
		words[i] = math.Float32frombits(pair)
	}
}

// byChanceBrain is ByChance of BFloat16. Which way a number goes is a coin that no
// branch can foretell: it is added.
func byChanceBrain(x float32, random uint32) uint32 {
	b := math.Float32bits(x)
	if b&^signBit >= mostBrain {
		return uint32(BFloat16.ByChance(x, random))
	}
	_, up := bits.Sub32(random, b<<16, 0)
	return b>>16 + up
}

// byChance16 is ByChance of Float16.
func byChance16(x float32, random uint32) uint32 {
	b := math.Float32bits(x)
	abs := b &^ signBit
	if abs < leastNormal || abs >= mostNormal {
		return uint32(Float16.ByChance(x, random))
	}
	abs -= rebias
	_, up := bits.Sub32(random, abs<<19, 0)
	return b&signBit>>16 | (abs>>13 + up)
}
