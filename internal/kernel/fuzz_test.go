package kernel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// FuzzPoolSum decodes bytes into a call, and compares every path with the reference.
func FuzzPoolSum(f *testing.F) {
	f.Add(uint16(64), uint64(1), []byte{20, 0, 3, 255}, []byte{0, 0, 0x80, 0x7f})
	f.Add(uint16(1), uint64(2), []byte{}, []byte{})
	f.Add(uint16(300), uint64(3), []byte{1, 1, 1}, []byte{1, 0, 0, 0, 0, 0, 0x80, 0xff})
	f.Fuzz(func(t *testing.T, width uint16, seed uint64, bags, bits []byte) {
		lengths := make([]int, min(len(bags), 50))
		for i := range lengths {
			lengths[i] = int(bags[i])
		}
		c := newPoolCase(newRand(int(seed)), 1+int(width)%400, lengths, bitNumbers(bits))
		withPaths(func() { c.check(t) })
	})
}

// FuzzUpdate does the same for the rules.
func FuzzUpdate(f *testing.F) {
	f.Add(uint16(64), uint64(1), uint8(30), []byte{0, 0, 0x80, 0x7f})
	f.Add(uint16(5), uint64(2), uint8(1), []byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, width uint16, seed uint64, n uint8, bits []byte) {
		for _, u := range rules {
			withPaths(func() { u.check(t, newRand(int(seed)), 1+int(width)%200, int(n)%64, bitNumbers(bits)) })
		}
	})
}

// bitNumbers makes numbers of which every fifth has bits that the fuzzer chose.
func bitNumbers(bits []byte) func(*rand.Rand, int) []float32 {
	return func(r *rand.Rand, n int) []float32 {
		x := numbers(r, n)
		for i := 0; i < n && len(bits) >= 4; i += 5 {
			at := r.IntN(len(bits) - 3)
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(bits[at:]))
		}
		return x
	}
}
