package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

var halves = map[string]struct {
	form     Half
	exponent int // bits
	fraction int
}{
	"float16":  {Float16, 5, 10},
	"bfloat16": {BFloat16, 8, 7},
}

// value is the number of some bits as the formula of IEEE 754 says it.
func value(bits uint32, exponent, fraction int) float64 {
	sign := 1.0
	if bits>>(exponent+fraction)&1 == 1 {
		sign = -1
	}
	e := int(bits>>fraction) & (1<<exponent - 1)
	f := float64(bits & (1<<fraction - 1))
	bias := 1<<(exponent-1) - 1
	switch {
	case e == 1<<exponent-1 && f == 0:
		return sign * math.Inf(1)
	case e == 1<<exponent-1:
		return math.NaN()
	case e == 0:
		return sign * math.Ldexp(f, 1-bias-fraction)
	}
	return sign * math.Ldexp(f+math.Ldexp(1, fraction), e-bias-fraction)
}

// TestHalvesWiden compares every one of the 2^16 numbers of each form with the
// formula, and reads each back from its float32.
func TestHalvesWiden(t *testing.T) {
	for name, f := range halves {
		t.Run(name, func(t *testing.T) {
			for bits := range uint32(1 << 16) {
				want := value(bits, f.exponent, f.fraction)
				got := f.form.Widen(uint16(bits))
				if math.IsNaN(want) != (got != got) || got == got && float64(got) != want || math.Float32bits(got)>>31 != bits>>15 {
					t.Fatalf("%#x is %v, want %v", bits, got, want)
				}
				for random := range uint32(4) {
					if back := f.form.ByChance(got, random<<30|random); back != uint16(bits) {
						t.Fatalf("%v by chance is %#x, want %#x", got, back, bits)
					}
				}
				if back := f.form.Nearest(got); back != uint16(bits) || !f.form.Holds(got) {
					t.Fatalf("%v is %#x, held %v, want %#x", got, back, f.form.Holds(got), bits)
				}
			}
		})
	}
}

// TestHalvesRound rounds the float32 numbers in, beside and around the middle
// between each two neighbours, and checks that the chance of the upper one is
// how far the number is up.
func TestHalvesRound(t *testing.T) {
	for name, f := range halves {
		t.Run(name, func(t *testing.T) {
			last := f.form.infinite() - 1
			for low := range last {
				a, b := f.form.Widen(uint16(low)), f.form.Widen(uint16(low+1))
				middle := float32(float64(a)/2 + float64(b)/2)
				even := low + low&1
				for x, want := range map[float32]uint32{
					middle:                        even,
					math.Nextafter32(middle, a):   low,
					math.Nextafter32(middle, b):   low + 1,
					math.Nextafter32(a, b):        low,
					math.Nextafter32(b, a):        low + 1,
					float32(a + float32((b-a)/4)): low,
				} {
					if !(a < x && x < b) {
						continue // float32 has fewer numbers between
					}
					for _, sign := range []float32{1, -1} {
						bit := math.Float32bits(sign) >> 31 << 15
						if got := f.form.Nearest(sign * x); uint32(got) != want|bit {
							t.Fatalf("%v between %v and %v is %#x, want %#x", sign*x, a, b, got, want|bit)
						}
						// Numbers of random below up/2^32 give the upper one.
						up := (float64(x) - float64(a)) / (float64(b) - float64(a)) * (1 << 32)
						if lost := uint32(up); lost > 0 {
							if got := f.form.ByChance(sign*x, lost-1); uint32(got) != low+1|bit {
								t.Fatalf("%v by chance %d is %#x, want %#x", sign*x, lost-1, got, low+1|bit)
							}
						}
						if got := f.form.ByChance(sign*x, uint32(math.Ceil(up))); uint32(got) != low|bit {
							t.Fatalf("%v by chance %v is %#x, want %#x", sign*x, up, got, low|bit)
						}
						if f.form.Holds(sign * x) {
							t.Fatalf("%v is said to be held", sign*x)
						}
					}
				}
			}
		})
	}
}

// TestHalvesStayFinite: a finite number never becomes infinite, and the other way round.
func TestHalvesStayFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	for name, f := range halves {
		largest := f.form.Widen(uint16(f.form.infinite() - 1))
		for x, want := range map[float32]float32{
			math.MaxFloat32: largest, -math.MaxFloat32: -largest, largest: largest,
			math.Nextafter32(largest, inf): largest, inf: inf, -inf: -inf,
			math.SmallestNonzeroFloat32: 0,
		} {
			if got := f.form.Widen(f.form.Nearest(x)); got != want {
				t.Errorf("%s: %v is %v, want %v", name, x, got, want)
			}
			if got := f.form.Widen(f.form.ByChance(x, math.MaxUint32)); got != want {
				t.Errorf("%s: %v by chance is %v, want %v", name, x, got, want)
			}
		}
		if f.form.Holds(math.MaxFloat32) || !f.form.Holds(inf) || f.form.Holds(math.Float32frombits(infinity+1)) {
			t.Errorf("%s: what is held", name)
		}
		// A NaN whose fraction has no bit in the upper part is still NaN.
		if got := f.form.Widen(f.form.Nearest(math.Float32frombits(infinity + 1))); got == got {
			t.Errorf("%s: a NaN is %v", name, got)
		}
		// The least chance above none: beyond the largest of bfloat16 too.
		if got := f.form.ByChance(math.MaxFloat32, 0); f.form.Widen(got) != largest {
			t.Errorf("%s: the largest float32 is %v", name, f.form.Widen(got))
		}
	}
}

// TestHalfRows compares the loops over rows with the functions of one number: of
// every width to 9, of numbers of all magnitudes, and of those that are special.
func TestHalfRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	special := []uint32{0, signBit, 1, infinity, infinity | signBit, infinity + 1, 0x7fc00000,
		leastNormal - 1, leastNormal, mostNormal - 1, mostNormal, mostNormal + 1, mostBrain - 1, mostBrain, mostBrain + 1, infinity - 1, 0x33000000, 0x33800001}
	draw := func() float32 {
		if r.IntN(3) == 0 {
			return math.Float32frombits(special[r.IntN(len(special))] ^ uint32(r.IntN(2))<<31)
		}
		if r.IntN(2) == 0 {
			return float32(r.NormFloat64())
		}
		return math.Float32frombits(r.Uint32())
	}
	for name, f := range halves {
		for n := range 20000 {
			row := make([]float32, n%9+1)
			random := make([]uint64, len(row))
			for i := range row {
				row[i], random[i] = draw(), r.Uint64()
				if r.IntN(4) == 0 {
					random[i] = 0
				}
			}
			words, wide := make([]float32, (len(row)+1)/2), make([]float32, len(row))
			check := func(what string, want func(i int) uint16) {
				for i := range row {
					if got := uint16(math.Float32bits(words[i/2]) >> (i % 2 * 16)); got != want(i) {
						t.Fatalf("%s, %s: %x becomes %#x, want %#x", name, what, math.Float32bits(row[i]), got, want(i))
					}
				}
				if len(row)%2 == 1 && math.Float32bits(words[len(words)-1])>>16 != 0 {
					t.Fatalf("%s, %s: the half that is left is not 0", name, what)
				}
				f.form.WidenRow(wide, words)
				for i, x := range wide {
					if math.Float32bits(x) != math.Float32bits(f.form.Widen(want(i))) {
						t.Fatalf("%s, %s: %#x is widened to %v", name, what, want(i), x)
					}
				}
			}
			f.form.NearestRow(words, row)
			check("nearest", func(i int) uint16 { return f.form.Nearest(row[i]) })
			f.form.ByChanceRow(words, row, func(i int) uint64 { return random[i] })
			check("by chance", func(i int) uint16 { return f.form.ByChance(row[i], uint32(random[i/2]>>(i%2*32))) })
		}
	}
}

// TestWidenRow widens every one of the 2^16 numbers of each form in rows of every
// width to 40, and compares bits with those of Widen: NaN, infinities and the
// smallest numbers among them. What lies behind a row stays as it was.
func TestWidenRow(t *testing.T) {
	words := make([]float32, 1<<15)
	for i := range words {
		words[i] = math.Float32frombits(uint32(2*i+1)<<16 | uint32(2*i))
	}
	eachPath(t, func(t *testing.T) {
		for name, f := range halves {
			for width := 1; width <= 40; width++ {
				dst := make([]float32, width+1)
				for first := 0; first+width <= 1<<16; first += width + width%2 {
					dst[width] = 42
					f.form.WidenRow(dst[:width], words[first/2:])
					for i, x := range dst[:width] {
						if want := f.form.Widen(uint16(first + i)); math.Float32bits(x) != math.Float32bits(want) {
							t.Fatalf("%s, width %d: %#x is widened to %x, want %x", name, width, first+i, math.Float32bits(x), math.Float32bits(want))
						}
					}
					if dst[width] != 42 {
						t.Fatalf("%s: a row of width %d was written beyond its end", name, width)
					}
				}
			}
		}
	})
}
