package initializer

import (
	"math"
	"slices"
	"testing"
)

func TestQuantileInvertsTheNormalDistribution(t *testing.T) {
	for p := 1e-15; p < 0.5; p *= 1.01 {
		z := quantile(p)
		// One step of Newton's method from z tells how far off it is.
		back := 0.5 * math.Erfc(-z/math.Sqrt2)
		density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
		if off := math.Abs((back - p) / density / z); off > 2e-15 {
			t.Fatalf("quantile(%g) = %v is off by %.2g of itself", p, z, off)
		}
		if upper := quantile(1 - p); p > 1e-3 && math.Abs(upper+z) > 1e-12 {
			t.Fatalf("quantile(%g) = %v, quantile(%g) = %v: not symmetric", p, z, 1-p, upper)
		}
	}
	if quantile(0.5) != 0 {
		t.Errorf("quantile(½) = %v, want 0", quantile(0.5))
	}
}

func TestUnitsStayInside(t *testing.T) {
	if lo, hi := unit(0), unit(math.MaxUint64); lo != 0 || hi >= 1 {
		t.Errorf("unit covers [%v, %v], want [0, 1)", lo, hi)
	}
	if lo, hi := openUnit(0), openUnit(math.MaxUint64); lo <= 0 || hi >= 1 || lo != 1-hi {
		t.Errorf("openUnit covers [%v, %v], want symmetric inside (0, 1)", lo, hi)
	}
}

func TestTruncationConstants(t *testing.T) {
	if want := 0.5 * math.Erfc(math.Sqrt2); math.Abs(lowerTail-want) > 2e-17 {
		t.Errorf("lowerTail = %v, want %v", lowerTail, want)
	}
	density := math.Exp(-2) / math.Sqrt(2*math.Pi)
	want := math.Sqrt(1 - 4*density/(1-2*lowerTail))
	if math.Abs(truncatedStddev-want) > 1e-15 {
		t.Errorf("truncatedStddev = %v, want %v", truncatedStddev, want)
	}
}

// draw returns width numbers of each of n neighbouring keys, row after row.
func draw(i Initializer, n, width int) []float32 {
	x, s := make([]float32, n*width), TableStream(20, "t")
	for k := range n {
		i.Row(x[k*width:][:width], s.Key(uint64(k)), Fan{In: 300, Out: 100})
	}
	return x
}

func normalCDF(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

func truncatedCDF(z float64) float64 {
	return max(0, min(1, (normalCDF(z)-lowerTail)/(1-2*lowerTail)))
}

func uniformCDF(x float64) float64 { return max(0, min(1, (x+1)/2)) }

// distributions says what each random initializer should draw: the variance,
// and the distribution of a number divided by its scale.
var distributions = []struct {
	i        Initializer
	variance float64
	scale    float64
	cdf      func(float64) float64
}{
	{NewRandomUniform(), 0.05 * 0.05 / 3, 0.05, uniformCDF},
	{NewRandomNormal(), 0.0025, 0.05, normalCDF},
	{NewTruncatedNormal(), 0.0025 * truncatedStddev * truncatedStddev, 0.05, truncatedCDF},
	{NewVarianceScaling(), 1.0 / 300, math.Sqrt(1.0/300) / truncatedStddev, truncatedCDF},
	{VarianceScaling{Scale: 3, Mode: FanOut, Distribution: UniformDistribution}, 3.0 / 100, math.Sqrt(9.0 / 100), uniformCDF},
	{VarianceScaling{Scale: 3, Mode: FanAvg, Distribution: UntruncatedNormalDistribution}, 3.0 / 200, math.Sqrt(3.0 / 200), normalCDF},
	{GlorotUniform{}, 2.0 / 400, math.Sqrt(6.0 / 400), uniformCDF},
	{GlorotNormal{}, 2.0 / 400, math.Sqrt(2.0/400) / truncatedStddev, truncatedCDF},
	{HeUniform{}, 2.0 / 300, math.Sqrt(6.0 / 300), uniformCDF},
	{HeNormal{}, 2.0 / 300, math.Sqrt(2.0/300) / truncatedStddev, truncatedCDF},
	{LecunUniform{}, 1.0 / 300, math.Sqrt(3.0 / 300), uniformCDF},
	{LecunNormal{}, 1.0 / 300, math.Sqrt(1.0/300) / truncatedStddev, truncatedCDF},
}

// TestDistributions draws 128,000 numbers over neighbouring keys. The limits
// are about four standard errors: the draws are fixed, so a pass stays a pass.
func TestDistributions(t *testing.T) {
	const n, width = 4000, 32
	for _, d := range distributions {
		x := draw(d.i, n, width)
		mean, variance := moments(x)
		if limit := 4 * math.Sqrt(d.variance/(n*width)); math.Abs(mean) > limit {
			t.Errorf("%s: mean %v, limit %v", d.i.Name(), mean, limit)
		}
		if ratio := variance / d.variance; math.Abs(ratio-1) > 0.015 {
			t.Errorf("%s: variance %v, want %v", d.i.Name(), variance, d.variance)
		}
		// 1.95/√n is passed by one honest draw in a thousand.
		if ks := kolmogorovSmirnov(x, d.scale, d.cdf); ks > 1.95/math.Sqrt(n*width) {
			t.Errorf("%s: Kolmogorov-Smirnov distance %v", d.i.Name(), ks)
		}
	}
}

func moments(x []float32) (mean, variance float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean)
	}
	return mean, variance / float64(len(x))
}

// kolmogorovSmirnov is the largest distance between the distribution of x/scale and cdf.
func kolmogorovSmirnov(x []float32, scale float64, cdf func(float64) float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	worst, n := 0.0, float64(len(x))
	for i, v := range sorted {
		p := cdf(float64(v) / scale)
		worst = max(worst, math.Abs(p-float64(i)/n), math.Abs(p-float64(i+1)/n))
	}
	return worst
}

// TestNeighboursAreIndependent correlates each number with those of the next
// keys, the next dimensions, and keys a power of two away.
func TestNeighboursAreIndependent(t *testing.T) {
	const n, width = 8192, 32
	x := draw(RandomUniform{Min: -1, Max: 1}, n, width)
	limit := 4 / math.Sqrt(n*width)
	for _, lag := range []int{1, 2, 3, 7, width - 1, width, width + 1, 2 * width, 16 * width, 1024 * width} {
		if r := correlation(x[lag:], x[:len(x)-lag]); math.Abs(r) > limit {
			t.Errorf("correlation at distance %d is %v, limit %v", lag, r, limit)
		}
	}
}

func correlation(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// TestSeedsTablesAndStringsAreIndependent correlates rows whose streams differ
// in one input only.
func TestSeedsTablesAndStringsAreIndependent(t *testing.T) {
	const width = 100_000
	i := RandomUniform{Min: -1, Max: 1}
	rowOf := func(stream uint64) []float32 {
		x := make([]float32, width)
		i.Row(x, stream, Fan{})
		return x
	}
	base := rowOf(Stream(0, "a", 0))
	for name, stream := range map[string]uint64{
		"seed 1": Stream(1, "a", 0), "table b": Stream(0, "b", 0), "key 1": Stream(0, "a", 1),
		"key 2^63": Stream(0, "a", 1<<63), "string": StreamString(0, "a", ""), "own seed": reseed(Stream(0, "a", 0), 1),
	} {
		if r := correlation(base, rowOf(stream)); math.Abs(r) > 4/math.Sqrt(width) {
			t.Errorf("%s: correlation %v", name, r)
		}
	}
}

// TestBitsAvalanche checks that each bit of key and dimension flips each bit of
// the result about half of the time.
func TestBitsAvalanche(t *testing.T) {
	const trials = 4000
	for in := range 72 {
		var flips [64]int
		for trial := range uint64(trials) {
			key, i := trial*3, int(trial%64)
			a := bits(Stream(1, "t", key), i)
			if in < 64 {
				key ^= 1 << in
			} else {
				i ^= 1 << (in - 64)
			}
			d := a ^ bits(Stream(1, "t", key), i)
			for out := range flips {
				flips[out] += int(d >> out & 1)
			}
		}
		for out, count := range flips {
			if math.Abs(float64(count)/trials-0.5) > 0.045 { // 5.7 standard deviations
				t.Errorf("input bit %d flips output bit %d in %d of %d trials", in, out, count, trials)
			}
		}
	}
}
