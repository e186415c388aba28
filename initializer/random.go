package initializer

// RandomUniform draws values evenly from [Min, Max).
type RandomUniform struct {
	// Min and Max bound the values. Keras' defaults, which [NewRandomUniform]
	// fills in: -0.05 and 0.05.
	Min float64 `json:"minval"`
	Max float64 `json:"maxval"`
	// Seed sets this initializer apart from others under the same seed of the
	// table. Default: 0, no difference.
	Seed int64 `json:"seed,omitempty"`
}

// NewRandomUniform returns Keras' RandomUniform(), known as "uniform": even
// over [-0.05, 0.05).
func NewRandomUniform() RandomUniform { return RandomUniform{Min: -0.05, Max: 0.05} }

// Name returns "RandomUniform".
func (RandomUniform) Name() string { return "RandomUniform" }

// Row fills dst with values of [Min, Max).
func (u RandomUniform) Row(dst []float32, stream uint64, _ Fan) {
	fillUniform(dst, reseed(stream, u.Seed), u.Min, u.Max)
}

// Validate refuses bounds that are not finite or not in order.
func (u RandomUniform) Validate() error {
	if err := finite("minval", u.Min); err != nil {
		return err
	}
	if err := finite("maxval", u.Max); err != nil {
		return err
	}
	if u.Min >= u.Max {
		return configError("minval must be less than maxval. Received: minval=%v, maxval=%v", u.Min, u.Max)
	}
	return nil
}

// RandomNormal draws values from the normal distribution.
type RandomNormal struct {
	// Mean and Stddev describe the distribution. Keras' defaults, which
	// [NewRandomNormal] fills in: 0 and 0.05.
	Mean   float64 `json:"mean"`
	Stddev float64 `json:"stddev"`
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// NewRandomNormal returns Keras' RandomNormal(), known as "normal": mean 0,
// standard deviation 0.05.
func NewRandomNormal() RandomNormal { return RandomNormal{Stddev: 0.05} }

// Name returns "RandomNormal".
func (RandomNormal) Name() string { return "RandomNormal" }

// Row fills dst with normal values. The largest that can come is 8.2 Stddev
// from the mean, since a value is made of 52 random bits.
func (n RandomNormal) Row(dst []float32, stream uint64, _ Fan) {
	fillNormal(dst, reseed(stream, n.Seed), n.Mean, n.Stddev)
}

// Validate refuses parameters that are not finite and a negative Stddev.
func (n RandomNormal) Validate() error { return normalFits(n.Mean, n.Stddev) }

// TruncatedNormal draws values from the normal distribution, leaving out those
// more than two Stddev from Mean. The standard deviation of what is left is
// 0.8796 Stddev, as in Keras.
type TruncatedNormal struct {
	// Mean and Stddev describe the distribution before it is cut. Keras'
	// defaults, which [NewTruncatedNormal] fills in: 0 and 0.05.
	Mean   float64 `json:"mean"`
	Stddev float64 `json:"stddev"`
	// Seed is as in [RandomUniform].
	Seed int64 `json:"seed,omitempty"`
}

// NewTruncatedNormal returns Keras' TruncatedNormal(): mean 0, standard
// deviation 0.05 before it is cut.
func NewTruncatedNormal() TruncatedNormal { return TruncatedNormal{Stddev: 0.05} }

// Name returns "TruncatedNormal".
func (TruncatedNormal) Name() string { return "TruncatedNormal" }

// Row fills dst with values of [Mean-2·Stddev, Mean+2·Stddev].
func (n TruncatedNormal) Row(dst []float32, stream uint64, _ Fan) {
	fillTruncated(dst, reseed(stream, n.Seed), n.Mean, n.Stddev)
}

// Validate refuses parameters that are not finite and a negative Stddev.
func (n TruncatedNormal) Validate() error { return normalFits(n.Mean, n.Stddev) }

func normalFits(mean, stddev float64) error {
	if err := finite("mean", mean); err != nil {
		return err
	}
	if err := finite("stddev", stddev); err != nil {
		return err
	}
	if stddev < 0 {
		return configError("stddev must not be negative. Received: stddev=%v", stddev)
	}
	return nil
}
