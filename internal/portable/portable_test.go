package portable

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// ulps is the distance of got from want in units of want's last place.
func ulps(got, want float64) float64 {
	if got == want {
		return 0
	}
	unit := math.Nextafter(math.Abs(want), math.Inf(1)) - math.Abs(want)
	return math.Abs(got-want) / unit
}

// checkULPs compares f with reference at many points of [lo, hi].
func checkULPs(t *testing.T, f, reference func(float64) float64, lo, hi, limit float64) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	worst, at := 0.0, 0.0
	for range 200_000 {
		x := lo + (hi-lo)*r.Float64()
		if u := ulps(f(x), reference(x)); u > worst {
			worst, at = u, x
		}
	}
	if worst > limit {
		t.Errorf("at %v: %v, want %v: %.1f ulps off, limit %v", at, f(at), reference(at), worst, limit)
	}
	t.Logf("worst on [%g, %g]: %.2f ulps", lo, hi, worst)
}

func TestLogIsAccurate(t *testing.T) {
	checkULPs(t, Log, math.Log, 1e-300, 1e-10, 2)
	checkULPs(t, Log, math.Log, 1e-10, 0.5, 2)
	checkULPs(t, Log, math.Log, 0.5, 2, 2)
	checkULPs(t, Log, math.Log, 2, 1e6, 2)
}

func TestExpIsAccurate(t *testing.T) {
	checkULPs(t, Exp, math.Exp, -700, 700, 4)
	checkULPs(t, Exp, math.Exp, -1, 1, 4)
}

func TestCosPiIsAccurate(t *testing.T) {
	cos := func(x float64) float64 { return math.Cos(math.Pi * x) }
	checkULPs(t, CosPi, cos, 0, 0.49, 40) // the reference itself rounds π·x: relative error grows towards ½
	for _, x := range []float64{0.499, 0.4999999, 0.75, 0.9} {
		if diff := math.Abs(CosPi(x) - cos(x)); diff > 3e-16 {
			t.Errorf("CosPi(%v) is off by %v", x, diff)
		}
	}
}

// exactPow is x to the power of n, in 256 bits: math.Pow loses more bits than Pow.
func exactPow(x float64, n int) float64 {
	p, f := big.NewFloat(1).SetPrec(256), new(big.Float).SetPrec(256).SetFloat64(x)
	for range n {
		p.Mul(p, f)
	}
	out, _ := p.Float64()
	return out
}

func TestPowIsAccurate(t *testing.T) {
	check := func(x, y, want float64) {
		limit := 2e-16 * (2 + math.Abs(y*math.Log(x)))
		if got := Pow(x, y); math.Abs(got/want-1) > limit {
			t.Errorf("Pow(%v, %v) = %v, want %v", x, y, got, want)
		}
	}
	for _, x := range []float64{0.5, 0.9, 0.96, 0.999, 0.999999, 1.5} {
		for _, n := range []int{2, 3, 17, 1000} {
			check(x, float64(n), exactPow(x, n))
			check(x, -float64(n), 1/exactPow(x, n))
		}
		check(x, 0.5, math.Sqrt(x))
	}
	check(0.999, 100_000, exactPow(0.999, 100_000))
	check(0.999999, 100_000, exactPow(0.999999, 100_000))
}

func TestSpecialValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		name      string
		got, want float64
	}{
		{"Log(0)", Log(0), -inf}, {"Log(1)", Log(1), 0}, {"Log(+Inf)", Log(inf), inf},
		{"Log(-1)", Log(-1), nan}, {"Log(NaN)", Log(nan), nan},
		{"Log(smallest)", Log(5e-324), -744.4400719213812},
		{"Exp(0)", Exp(0), 1}, {"Exp(710)", Exp(710), inf}, {"Exp(-800)", Exp(-800), 0},
		{"Exp(NaN)", Exp(nan), nan},
		{"Exp(-Inf)", Exp(-inf), 0}, {"Exp(+Inf)", Exp(inf), inf},
		{"Pow(0,0)", Pow(0, 0), 1}, {"Pow(0,2)", Pow(0, 2), 0}, {"Pow(1,1e9)", Pow(1, 1e9), 1},
		{"Pow(0.3,1)", Pow(0.3, 1), 0.3}, {"Pow(-1,2)", Pow(-1, 2), nan},
		{"CosPi(0)", CosPi(0), 1}, {"CosPi(1)", CosPi(1), -1}, {"CosPi(0.5)", CosPi(0.5), 0},
	}
	for _, test := range tests {
		if test.got != test.want && !(math.IsNaN(test.got) && math.IsNaN(test.want)) {
			t.Errorf("%s = %v, want %v", test.name, test.got, test.want)
		}
	}
}

// TestBits pins results, so that a change of the series cannot pass unseen:
// first values and learning rates of stored runs depend on them.
func TestBits(t *testing.T) {
	tests := []struct {
		name      string
		got, want uint64
	}{
		{"Log(0.1)", math.Float64bits(Log(0.1)), 0xc0026bb1bbb55515},
		{"Log(3)", math.Float64bits(Log(3)), 0x3ff193ea7aad030b},
		{"Exp(-2.5)", math.Float64bits(Exp(-2.5)), 0x3fb50385c094f425},
		{"Exp(1)", math.Float64bits(Exp(1)), 0x4005bf0a8b14576a},
		{"Pow(0.999, 37)", math.Float64bits(Pow(0.999, 37)), 0x3feed649ec0571c6},
		{"CosPi(0.3)", math.Float64bits(CosPi(0.3)), 0x3fe2cf2304755a5e},
		{"CosPi(0.1)", math.Float64bits(CosPi(0.1)), 0x3fee6f0e134454ff},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s has bits %#x, want %#x", test.name, test.got, test.want)
		}
	}
}
