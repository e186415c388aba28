package initializer

import (
	"math"

	"github.com/rowan-embeddings/rowan/internal/portable"
)

// unit turns 64 bits into one of 2^53 evenly spaced numbers of [0, 1).
func unit(bits uint64) float64 { return float64(bits>>11) * 0x1p-53 }

// openUnit turns 64 bits into the middle of one of 2^52 intervals of (0, 1):
// never 0 or 1, and as likely p as 1-p. One bit more would round up to 1.
func openUnit(bits uint64) float64 { return (float64(bits>>12) + 0.5) * 0x1p-52 }

// fillUniform draws each number of dst evenly from [lo, hi).
func fillUniform(dst []float32, stream uint64, lo, hi float64) {
	span, top := hi-lo, below(float32(hi), hi)
	for i := range dst {
		x := float32(lo + float64(span*unit(bits(stream, i))))
		dst[i] = min(x, top) // rounding to float32 may have reached hi
	}
}

// below returns the largest float32 under hi, of which x is the rounded value.
func below(x float32, hi float64) float32 {
	if float64(x) < hi {
		return x
	}
	return math.Nextafter32(x, float32(math.Inf(-1)))
}

// fillNormal draws each number of dst from the normal distribution.
func fillNormal(dst []float32, stream uint64, mean, stddev float64) {
	for i := range dst {
		z := quantile(openUnit(bits(stream, i)))
		dst[i] = float32(mean + float64(stddev*z))
	}
}

// lowerTail is the probability that a standard normal number lies below -2.
const lowerTail = 0.022750131948179207200282637166533

// fillTruncated draws each number of dst from the normal distribution within
// two stddev of its mean. Keras draws again until a number fits; mapping one
// number between 0 and 1 onto the part of the distribution that is left gives
// the same distribution, from one draw.
func fillTruncated(dst []float32, stream uint64, mean, stddev float64) {
	for i := range dst {
		p := lowerTail + float64((1-2*lowerTail)*openUnit(bits(stream, i)))
		z := max(-2, min(2, quantile(p)))
		dst[i] = float32(mean + float64(stddev*z))
	}
}

// quantile returns the number below which a standard normal number lies with
// probability p, 0 < p < 1: algorithm AS 241 (PPND16) of M. J. Wichura, "The
// percentage points of the normal distribution", Applied Statistics 37 (1988),
// whose relative error is about 1e-16. Seven of eight calls need no logarithm.
func quantile(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return q * horner(&centreOver, r) / horner(&centreUnder, r)
	}
	r := math.Sqrt(-portable.Log(min(p, 1-p)))
	var z float64
	if r <= 5 {
		z = horner(&tailOver, r-1.6) / horner(&tailUnder, r-1.6)
	} else {
		z = horner(&farOver, r-5) / horner(&farUnder, r-5)
	}
	return math.Copysign(z, q)
}

// horner evaluates the polynomial c[0] + c[1]·x + … + c[7]·x⁷, each product rounded.
func horner(c *[8]float64, x float64) float64 {
	y := c[6] + float64(c[7]*x)
	y = c[5] + float64(y*x)
	y = c[4] + float64(y*x)
	y = c[3] + float64(y*x)
	y = c[2] + float64(y*x)
	y = c[1] + float64(y*x)
	return c[0] + float64(y*x)
}

// The coefficients of AS 241: dividend and divisor for the centre
// (|p-½| ≤ 0.425), the tails (p ≥ 1.4e-11) and the far tails.
var (
	centreOver = [8]float64{
		3.3871328727963666080e0, 1.3314166789178437745e+2,
		1.9715909503065514427e+3, 1.3731693765509461125e+4,
		4.5921953931549871457e+4, 6.7265770927008700853e+4,
		3.3430575583588128105e+4, 2.5090809287301226727e+3,
	}
	centreUnder = [8]float64{
		1.0, 4.2313330701600911252e+1,
		6.8718700749205790830e+2, 5.3941960214247511077e+3,
		2.1213794301586595867e+4, 3.9307895800092710610e+4,
		2.8729085735721942674e+4, 5.2264952788528545610e+3,
	}
	tailOver = [8]float64{
		1.42343711074968357734e0, 4.63033784615654529590e0,
		5.76949722146069140550e0, 3.64784832476320460504e0,
		1.27045825245236838258e0, 2.41780725177450611770e-1,
		2.27238449892691845833e-2, 7.74545014278341407640e-4,
	}
	tailUnder = [8]float64{
		1.0, 2.05319162663775882187e0,
		1.67638483018380384940e0, 6.89767334985100004550e-1,
		1.48103976427480074590e-1, 1.51986665636164571966e-2,
		5.47593808499534494600e-4, 1.05075007164441684324e-9,
	}
	farOver = [8]float64{
		6.65790464350110377720e0, 5.46378491116411436990e0,
		1.78482653991729133580e0, 2.96560571828504891230e-1,
		2.65321895265761230930e-2, 1.24266094738807843860e-3,
		2.71155556874348757815e-5, 2.01033439929228813265e-7,
	}
	farUnder = [8]float64{
		1.0, 5.99832206555887937690e-1,
		1.36929880922735805310e-1, 1.48753612908506148525e-2,
		7.86869131145613259100e-4, 1.84631831751005468180e-5,
		1.42151175831644588870e-7, 2.04426310338993978564e-15,
	}
)
