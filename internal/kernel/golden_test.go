package kernel

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"
)

// wholeNumbers returns n random numbers in [-8, 8) made without platform
// mathematics: their products need more digits than a float32 has, so that a
// fused multiply-add would show.
func wholeNumbers(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(int32(r.Uint32())>>4) / (1 << 24)
	}
	return x
}

func checksum(x []float32) uint32 {
	var b []byte
	for _, f := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return crc32.ChecksumIEEE(b)
}

// The paths agree with the reference of the machine that they run on; these
// checksums make that reference agree between machines and compilers, some of
// which would fuse.
func TestBitsAreTheSameOnEveryMachine(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			want uint32
			run  func(r *rand.Rand) []float32
		}{
			{"weighted sum", 0x4d27874a, goldenPool},
			{"dot", 0x6c138e7e, goldenDot},
			{"sgd", 0x223cf468, goldenUpdate(rules[0])},
			{"adagrad", 0xb7d58dde, goldenUpdate(rules[1])},
			{"row-wise adagrad", 0xf7b21b8, goldenUpdate(rules[2])},
			{"adam", 0xcb5864cb, goldenUpdate(rules[3])},
			{"adam decay", 0x87670303, goldenDecay},
			{"momentum", 0xa51920ea, goldenUpdate(rules[4])},
			{"nesterov", 0xbc88f1c7, goldenUpdate(rules[5])},
			{"rmsprop", 0x23d8df86, goldenUpdate(rules[6])},
			{"rmsprop momentum", 0x995f0487, goldenUpdate(rules[7])},
			{"rmsprop centered", 0x2262a928, goldenUpdate(rules[8])},
			{"rmsprop both", 0x7929fef, goldenUpdate(rules[9])},
			{"adadelta", 0x561fb28a, goldenUpdate(rules[10])},
			{"amsgrad", 0xb7bccffb, goldenUpdate(rules[11])},
			{"adamax", 0x87aadb7c, goldenUpdate(rules[12])},
			{"nadam", 0xaaeff42d, goldenUpdate(rules[13])},
			{"lion", 0xced4d3b9, goldenUpdate(rules[14])},
			{"ftrl", 0x58aa8788, goldenUpdate(rules[15])},
			{"proximal sgd", 0x74ca06cf, goldenUpdate(rules[16])},
			{"proximal adagrad", 0x4243c522, goldenUpdate(rules[17])},
		} {
			if got := checksum(c.run(newRand(3))); got != c.want {
				t.Errorf("%s: checksum %#x, want %#x", c.name, got, c.want)
			}
		}
	})
}

func goldenPool(r *rand.Rand) []float32 {
	out, slab, weights := wholeNumbers(r, 3*70), wholeNumbers(r, 20*70), wholeNumbers(r, 40)
	PoolSum(out, 70, slab, 70, indices(r, 40, 20), []int64{0, 15, 15, 40}, weights)
	return out
}

func goldenDot(r *rand.Rand) []float32 {
	squares := make([]float32, 5)
	SumSquares(squares, wholeNumbers(r, 5*70), 70)
	return append(squares, Dot(wholeNumbers(r, 100), wholeNumbers(r, 100)))
}

func goldenUpdate(u rule) func(*rand.Rand) []float32 {
	return func(r *rand.Rand) []float32 {
		slab := positive(wholeNumbers(r, 10*u.need(70)))
		for range 3 {
			u.kernel(slab, u.need(70), 70, []uint32{3, 1, 7, 9, 0}, wholeNumbers(r, 5*70))
		}
		return slab
	}
}

func goldenDecay(r *rand.Rand) []float32 {
	row := wholeNumbers(r, 3*70)
	positive(row[140:])
	AdamDecay(row, 70, wholeNumbers(r, 50), 0.9, 0.999, 1e-7)
	return row
}
