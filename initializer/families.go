package initializer

// The named forms of [VarianceScaling], with Keras' scale, mode and
// distribution. A truncated normal is widened before it is cut, so that its
// variance is the one stated.

// GlorotUniform draws values evenly from ±sqrt(6/(in+out)) (Glorot and Bengio, 2010).
type GlorotUniform struct {
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// Name returns "GlorotUniform".
func (GlorotUniform) Name() string { return "GlorotUniform" }

// Row fills dst.
func (i GlorotUniform) Row(dst []float32, stream uint64, fan Fan) {
	VarianceScaling{1, FanAvg, UniformDistribution, i.Seed}.Row(dst, stream, fan)
}

// GlorotNormal draws values from a truncated normal distribution of variance 2/(in+out) (Glorot and Bengio, 2010).
type GlorotNormal struct {
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// Name returns "GlorotNormal".
func (GlorotNormal) Name() string { return "GlorotNormal" }

// Row fills dst.
func (i GlorotNormal) Row(dst []float32, stream uint64, fan Fan) {
	VarianceScaling{1, FanAvg, TruncatedNormalDistribution, i.Seed}.Row(dst, stream, fan)
}

// HeUniform draws values evenly from ±sqrt(6/in) (He et al., 2015).
type HeUniform struct {
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// Name returns "HeUniform".
func (HeUniform) Name() string { return "HeUniform" }

// Row fills dst.
func (i HeUniform) Row(dst []float32, stream uint64, fan Fan) {
	VarianceScaling{2, FanIn, UniformDistribution, i.Seed}.Row(dst, stream, fan)
}

// HeNormal draws values from a truncated normal distribution of variance 2/in (He et al., 2015).
type HeNormal struct {
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// Name returns "HeNormal".
func (HeNormal) Name() string { return "HeNormal" }

// Row fills dst.
func (i HeNormal) Row(dst []float32, stream uint64, fan Fan) {
	VarianceScaling{2, FanIn, TruncatedNormalDistribution, i.Seed}.Row(dst, stream, fan)
}

// LecunUniform draws values evenly from ±sqrt(3/in) (LeCun et al., 1998).
type LecunUniform struct {
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// Name returns "LecunUniform".
func (LecunUniform) Name() string { return "LecunUniform" }

// Row fills dst.
func (i LecunUniform) Row(dst []float32, stream uint64, fan Fan) {
	VarianceScaling{1, FanIn, UniformDistribution, i.Seed}.Row(dst, stream, fan)
}

// LecunNormal draws values from a truncated normal distribution of variance 1/in (LeCun et al., 1998).
type LecunNormal struct {
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// Name returns "LecunNormal".
func (LecunNormal) Name() string { return "LecunNormal" }

// Row fills dst.
func (i LecunNormal) Row(dst []float32, stream uint64, fan Fan) {
	VarianceScaling{1, FanIn, TruncatedNormalDistribution, i.Seed}.Row(dst, stream, fan)
}
