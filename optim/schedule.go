package optim

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/portable"
)

// The schedules are Keras' formulas, evaluated in float64 and rounded to
// float32 once. Keras' step k is step k+1 here: [Schedule] counts from 1.

// peaker is a schedule that knows a bound of its rates, +Inf if it has none.
// [Adam.CatchUp] stops early where it knows one.
type peaker interface{ peak() float64 }

// peakOf returns a bound of the rates of s, +Inf if none is known.
func peakOf(s Schedule) float64 {
	if p, ok := s.(peaker); ok {
		return p.peak()
	}
	return math.Inf(1)
}

// Constant is a learning rate that never changes.
type Constant float32

// At returns the rate.
func (c Constant) At(int64) float32 { return float32(c) }

// Validate refuses rates that are negative or not finite.
func (c Constant) Validate() error { return notNegative("learning_rate", float64(c)) }

func (c Constant) peak() float64 { return float64(c) }

// ExponentialDecay multiplies the rate by DecayRate every DecaySteps steps:
//
//	Initial · DecayRate ^ (k/DecaySteps)      k = step-1
type ExponentialDecay struct {
	// Initial is the rate of step 1.
	Initial float64 `json:"initial_learning_rate"`
	// DecaySteps is how many steps make one decay, at least 1.
	DecaySteps int64 `json:"decay_steps"`
	// DecayRate is the factor of one decay.
	DecayRate float64 `json:"decay_rate"`
	// Staircase rounds k/DecaySteps down, so that the rate changes every
	// DecaySteps steps only. Default: false.
	Staircase bool `json:"staircase"`
}

// Name returns "ExponentialDecay".
func (ExponentialDecay) Name() string { return "ExponentialDecay" }

// At returns the rate of a step, from 1.
func (s ExponentialDecay) At(step int64) float32 {
	if s.Initial == 0 {
		return 0 // whatever it is multiplied by, which may be infinite
	}
	p := fraction(step, s.DecaySteps, s.Staircase)
	return float32(s.Initial * portable.Pow(s.DecayRate, p))
}

// Validate refuses negative rates and DecaySteps below 1.
func (s ExponentialDecay) Validate() error {
	return firstError(
		notNegative("initial_learning_rate", s.Initial),
		atLeastOne("decay_steps", s.DecaySteps),
		notNegative("decay_rate", s.DecayRate),
	)
}

func (s ExponentialDecay) peak() float64 {
	if s.DecayRate > 1 {
		return math.Inf(1)
	}
	return s.Initial
}

// InverseTimeDecay divides the rate by a number that grows with time:
//
//	Initial / (1 + DecayRate·k/DecaySteps)      k = step-1
type InverseTimeDecay struct {
	// Initial is the rate of step 1.
	Initial float64 `json:"initial_learning_rate"`
	// DecaySteps is how many steps make one decay, at least 1.
	DecaySteps int64 `json:"decay_steps"`
	// DecayRate is by how much the divisor grows in one decay.
	DecayRate float64 `json:"decay_rate"`
	// Staircase is as in [ExponentialDecay].
	Staircase bool `json:"staircase"`
}

// Name returns "InverseTimeDecay".
func (InverseTimeDecay) Name() string { return "InverseTimeDecay" }

// At returns the rate of a step, from 1.
func (s InverseTimeDecay) At(step int64) float32 {
	p := fraction(step, s.DecaySteps, s.Staircase)
	return float32(s.Initial / (1 + float64(s.DecayRate*p)))
}

// Validate refuses negative rates and DecaySteps below 1.
func (s InverseTimeDecay) Validate() error {
	return firstError(
		notNegative("initial_learning_rate", s.Initial),
		atLeastOne("decay_steps", s.DecaySteps),
		notNegative("decay_rate", s.DecayRate),
	)
}

func (s InverseTimeDecay) peak() float64 { return s.Initial }

// PolynomialDecay goes from Initial to End in DecaySteps steps, and stays there:
//
//	(Initial-End) · (1 - min(k, DecaySteps)/DecaySteps) ^ Power + End      k = step-1
//
// With End 0 and Power 1 that is a straight line to zero.
type PolynomialDecay struct {
	// Initial is the rate of step 1.
	Initial float64 `json:"initial_learning_rate"`
	// DecaySteps is how many steps the way takes, at least 1.
	DecaySteps int64 `json:"decay_steps"`
	// End is the rate at the end. Default: 0. (A config that leaves it out
	// means Keras' 0.0001.)
	End float64 `json:"end_learning_rate"`
	// Power bends the way. Default: 1, a straight line.
	Power float64 `json:"power"`
}

// Name returns "PolynomialDecay".
func (PolynomialDecay) Name() string { return "PolynomialDecay" }

// At returns the rate of a step, from 1.
func (s PolynomialDecay) At(step int64) float32 {
	left := 1 - min(1, fraction(step, s.DecaySteps, false))
	return float32(float64((s.Initial-s.End)*portable.Pow(left, s.power())) + s.End)
}

func (s PolynomialDecay) power() float64 {
	if s.Power == 0 {
		return 1
	}
	return s.Power
}

// MarshalJSON writes Keras' arguments, with a Power of 0 as the 1 that it means.
func (s PolynomialDecay) MarshalJSON() ([]byte, error) {
	type plain PolynomialDecay
	s.Power = s.power()
	return json.Marshal(plain(s))
}

// Validate refuses negative rates and powers, and DecaySteps below 1.
func (s PolynomialDecay) Validate() error {
	return firstError(
		notNegative("initial_learning_rate", s.Initial),
		atLeastOne("decay_steps", s.DecaySteps),
		notNegative("end_learning_rate", s.End),
		notNegative("power", s.Power),
	)
}

func (s PolynomialDecay) peak() float64 { return max(s.Initial, s.End) }

// PiecewiseConstant holds a rate up to a boundary, the next one up to the next:
//
//	Values[i] for the first i with k ≤ Boundaries[i], else the last value      k = step-1
//
// Configs call it by Keras' class name, PiecewiseConstantDecay.
type PiecewiseConstant struct {
	// Boundaries are numbers of steps, strictly increasing.
	Boundaries []int64 `json:"boundaries"`
	// Values are the rates, one more than boundaries.
	Values []float64 `json:"values"`
}

// Name returns "PiecewiseConstantDecay".
func (PiecewiseConstant) Name() string { return "PiecewiseConstantDecay" }

// At returns the rate of a step, from 1.
func (s PiecewiseConstant) At(step int64) float32 {
	i, _ := slices.BinarySearch(s.Boundaries, step-1)
	return float32(s.Values[i])
}

// Validate refuses boundaries that do not increase, a number of values that
// does not fit them, and negative rates.
func (s PiecewiseConstant) Validate() error {
	if len(s.Boundaries) != len(s.Values)-1 {
		return configError("the length of boundaries must be 1 less than the length of values. Received: boundaries=%v of length %d, and values=%v of length %d",
			s.Boundaries, len(s.Boundaries), s.Values, len(s.Values))
	}
	for i := 1; i < len(s.Boundaries); i++ {
		if s.Boundaries[i] <= s.Boundaries[i-1] {
			return configError("boundaries must be strictly increasing. Received: boundaries=%v", s.Boundaries)
		}
	}
	for _, v := range s.Values {
		if err := notNegative("values", v); err != nil {
			return err
		}
	}
	return nil
}

func (s PiecewiseConstant) peak() float64 { return slices.Max(s.Values) }

// CosineDecay goes from a rate to Alpha times that rate along half a cosine in
// DecaySteps steps, and stays there:
//
//	Initial · ((1-Alpha)·(1 + cos(π·k/DecaySteps))/2 + Alpha)      k = min(step-1, DecaySteps)
//
// With a WarmupTarget it first goes from Initial to WarmupTarget in a straight
// line of WarmupSteps steps, and decays from there.
type CosineDecay struct {
	// Initial is the rate of step 1.
	Initial float64 `json:"initial_learning_rate"`
	// DecaySteps is how many steps the decay takes, at least 1.
	DecaySteps int64 `json:"decay_steps"`
	// Alpha is the part of the rate that is left at the end. Default: 0.
	Alpha float64 `json:"alpha"`
	// WarmupTarget is the rate at the end of the warm-up. Default: 0, no warm-up.
	WarmupTarget float64 `json:"warmup_target,omitempty"`
	// WarmupSteps is how many steps the warm-up takes. Default: 0.
	WarmupSteps int64 `json:"warmup_steps"`
}

// Name returns "CosineDecay".
func (CosineDecay) Name() string { return "CosineDecay" }

// At returns the rate of a step, from 1.
func (s CosineDecay) At(step int64) float32 {
	k, from := step-1, s.Initial
	if s.WarmupTarget != 0 {
		if k < s.WarmupSteps {
			done := float64(k) / float64(s.WarmupSteps)
			return float32(float64((s.WarmupTarget-s.Initial)*done) + s.Initial)
		}
		k, from = k-s.WarmupSteps, s.WarmupTarget
	}
	done := min(1, max(0, float64(k)/float64(s.DecaySteps)))
	height := 0.5 * (1 + portable.CosPi(done))
	return float32(from * (float64((1-s.Alpha)*height) + s.Alpha))
}

// Validate refuses negative rates and step counts, and DecaySteps below 1.
func (s CosineDecay) Validate() error {
	return firstError(
		notNegative("initial_learning_rate", s.Initial),
		atLeastOne("decay_steps", s.DecaySteps),
		notNegative("alpha", s.Alpha),
		notNegative("warmup_target", s.WarmupTarget),
		notNegative("warmup_steps", float64(s.WarmupSteps)),
	)
}

func (s CosineDecay) peak() float64 { return max(s.Initial, s.WarmupTarget) * max(1, s.Alpha) }

// fraction is (step-1)/steps, rounded down for a staircase.
func fraction(step, steps int64, staircase bool) float64 {
	p := float64(step-1) / float64(steps)
	if staircase {
		return math.Floor(p)
	}
	return p
}

// atLeastOne returns an error unless n is at least 1.
func atLeastOne(name string, n int64) error {
	if n < 1 {
		return configError("%s must be > 0. Received: %s=%d", name, name, n)
	}
	return nil
}
