package initializer

import (
	"math"
	"strings"
)

// Mode says which fan [VarianceScaling] divides by.
type Mode string

// The modes, by Keras' names.
const (
	FanIn  Mode = "fan_in"
	FanOut Mode = "fan_out"
	FanAvg Mode = "fan_avg"
)

// Distribution is what [VarianceScaling] draws from.
type Distribution string

// The distributions, by Keras' names.
const (
	// TruncatedNormalDistribution leaves out what lies beyond two standard
	// deviations and widens the rest, so that the variance is the one asked for.
	TruncatedNormalDistribution   Distribution = "truncated_normal"
	UntruncatedNormalDistribution Distribution = "untruncated_normal"
	UniformDistribution           Distribution = "uniform"
)

// VarianceScaling draws values of mean 0 and variance Scale/n, where n is the
// number of inputs, of outputs, or the mean of both, at least 1.
type VarianceScaling struct {
	// Scale is the variance times n. Keras' default, filled in by
	// [NewVarianceScaling]: 1.
	Scale float64 `json:"scale"`
	// Mode says what n is. Default: FanIn.
	Mode Mode `json:"mode"`
	// Distribution is what is drawn from. Default: TruncatedNormalDistribution,
	// which may also be spelled "normal".
	Distribution Distribution `json:"distribution"`
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// NewVarianceScaling returns Keras' VarianceScaling(): scale 1, fan_in,
// truncated normal.
func NewVarianceScaling() VarianceScaling {
	return VarianceScaling{Scale: 1, Mode: FanIn, Distribution: TruncatedNormalDistribution}
}

// Name returns "VarianceScaling".
func (VarianceScaling) Name() string { return "VarianceScaling" }

// truncatedStddev is the standard deviation of the standard normal
// distribution within [-2, 2].
const truncatedStddev = 0.87962566103423978

// Row fills dst with values of variance Scale/n.
func (v VarianceScaling) Row(dst []float32, stream uint64, fan Fan) {
	stream = reseed(stream, v.Seed)
	variance := v.Scale / max(1, v.divisor(fan))
	switch v.distribution() {
	case UniformDistribution:
		limit := math.Sqrt(3 * variance)
		fillUniform(dst, stream, -limit, limit)
	case UntruncatedNormalDistribution:
		fillNormal(dst, stream, 0, math.Sqrt(variance))
	default:
		fillTruncated(dst, stream, 0, math.Sqrt(variance)/truncatedStddev)
	}
}

func (v VarianceScaling) divisor(fan Fan) float64 {
	switch v.Mode {
	case FanOut:
		return float64(fan.Out)
	case FanAvg:
		return (float64(fan.In) + float64(fan.Out)) / 2
	}
	return float64(fan.In)
}

// distribution spells the distribution as the constants do.
func (v VarianceScaling) distribution() Distribution {
	d := Distribution(strings.ToLower(string(v.Distribution)))
	if d == "" || d == "normal" {
		return TruncatedNormalDistribution
	}
	return d
}

// Validate refuses a scale that is not positive and names that Keras does not know.
func (v VarianceScaling) Validate() error {
	if err := finite("scale", v.Scale); err != nil {
		return err
	}
	if v.Scale <= 0 {
		return configError("scale must be a positive number. Received: scale=%v", v.Scale)
	}
	switch v.Mode {
	case "", FanIn, FanOut, FanAvg:
	default:
		return configError("mode must be one of fan_in, fan_out, fan_avg. Received: mode=%q", string(v.Mode))
	}
	switch v.distribution() {
	case TruncatedNormalDistribution, UntruncatedNormalDistribution, UniformDistribution:
		return nil
	}
	return configError("distribution must be one of truncated_normal, untruncated_normal, uniform. Received: distribution=%q", string(v.Distribution))
}
