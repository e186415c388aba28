// Package portable holds the few elementary functions that decide stored
// numbers, written so that they give the same bits on every machine.
//
// Package math does not promise that: it has assembly of its own for some
// processors, and on others (arm64 among them) the compiler fuses its products
// and sums. First values of rows and learning rates are part of what makes a
// run repeatable from a seed, so they are computed here instead:
//
//	     x ──> reduce to a short interval ──> short series ──> scale back
//	Log        m·2^k, m in [√½, √2)           atanh             + k·ln 2
//	Exp        k·ln 2 + r, |r| ≤ ln 2 / 2     Taylor, 14 terms  · 2^k
//	CosPi      one eighth of a turn           Taylor, 8 terms   ±
//
// Every product is converted to float64 before it is added, which forbids
// fusing. math.Sqrt, Floor, Frexp, Ldexp and Abs are exact by definition and
// are used as they are. The functions are within 4 units in the last place of
// the exact value (Pow: see there); tests compare them with package math.
package portable

import "math"

// ln2Hi and ln2Lo add up to ln 2; ln2Hi has 21 zero bits at its end, so that
// its product with an exponent is exact.
const (
	ln2Hi = 6.93147180369123816490e-01
	ln2Lo = 1.90821492927058770002e-10
)

// Log returns the natural logarithm of x, a positive finite number.
// Log(0) is -Inf; the logarithm of a negative number or of NaN is NaN.
func Log(x float64) float64 {
	switch {
	case x < 0 || x != x:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case math.IsInf(x, 1):
		return x
	}
	m, exp := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, exp = 2*m, exp-1
	}
	k := float64(exp)
	return float64(k*ln2Hi) + (logNearOne(m) + float64(k*ln2Lo))
}

// logNearOne returns log m for m in [√½, √2) as 2·atanh s with
// s = (m-1)/(m+1), |s| ≤ 0.1716: the first term left out, 2s²³/23, is below 2e-18.
func logNearOne(m float64) float64 {
	s := (m - 1) / (m + 1)
	z := s * s
	p := 1.0 / 21
	p = 1.0/19 + float64(p*z)
	p = 1.0/17 + float64(p*z)
	p = 1.0/15 + float64(p*z)
	p = 1.0/13 + float64(p*z)
	p = 1.0/11 + float64(p*z)
	p = 1.0/9 + float64(p*z)
	p = 1.0/7 + float64(p*z)
	p = 1.0/5 + float64(p*z)
	p = 1.0/3 + float64(p*z)
	t := 2 * s
	return t + float64(t*float64(z*p))
}

// Exp returns e to the power of x: 0 below -745.2, +Inf above 709.8.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > 709.782712893384:
		return math.Inf(1)
	case x < -745.2:
		return 0
	}
	k := math.Floor(float64(x*(1/math.Ln2)) + 0.5)
	r := (x - float64(k*ln2Hi)) - float64(k*ln2Lo)
	p := inverseFactorial[14]
	for i := 13; i >= 0; i-- {
		p = inverseFactorial[i] + float64(p*r)
	}
	return math.Ldexp(p, int(k))
}

// inverseFactorial holds 1/n!: Taylor's coefficients of the exponential.
var inverseFactorial = [15]float64{
	1, 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880,
	1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800, 1.0 / 87178291200,
}

// Pow returns x to the power of y for x ≥ 0. Its relative error is about
// 2e-16 · (2 + |y·log x|): the last bits of a float64, never of a float32.
// Pow(x, 0) and Pow(1, y) are 1, Pow(x, 1) is x, Pow(0, y) is 0 for y > 0.
// A negative x gives NaN unless y is 0 or 1.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case y == 1:
		return x
	case x == 0 && y > 0:
		return 0
	}
	return Exp(y * Log(x))
}

// CosPi returns the cosine of π·x for x in [0, 1]; exact at 0, ½ and 1.
func CosPi(x float64) float64 {
	switch {
	case x > 0.5:
		return -CosPi(1 - x)
	case x > 0.25:
		return sinShort(math.Pi * (0.5 - x))
	}
	return cosShort(math.Pi * x)
}

// cosShort is the cosine of a in [0, π/4]: the first term left out is below 2e-18.
func cosShort(a float64) float64 {
	z := a * a
	p := 1.0
	for i := 16; i >= 2; i -= 2 {
		p = 1 - float64(float64(p*z)/float64(i*(i-1)))
	}
	return p
}

// sinShort is the sine of a in [0, π/4].
func sinShort(a float64) float64 {
	z := a * a
	p := 1.0
	for i := 17; i >= 3; i -= 2 {
		p = 1 - float64(float64(p*z)/float64(i*(i-1)))
	}
	return a * p
}
