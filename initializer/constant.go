package initializer

import "math"

// Zeros makes every value 0.
type Zeros struct{}

// Name returns "Zeros".
func (Zeros) Name() string { return "Zeros" }

// Row fills dst with zeros.
func (Zeros) Row(dst []float32, _ uint64, _ Fan) { clear(dst) }

// Ones makes every value 1.
type Ones struct{}

// Name returns "Ones".
func (Ones) Name() string { return "Ones" }

// Row fills dst with ones.
func (Ones) Row(dst []float32, _ uint64, _ Fan) { fill(dst, 1) }

// Constant makes every value Value.
type Constant struct {
	// Value is what every number starts at. Default: 0.
	Value float64 `json:"value"`
}

// Name returns "Constant".
func (Constant) Name() string { return "Constant" }

// Row fills dst with the value.
func (c Constant) Row(dst []float32, _ uint64, _ Fan) { fill(dst, float32(c.Value)) }

// Validate refuses a value that is not finite.
func (c Constant) Validate() error { return finite("value", c.Value) }

// Values gives every key the same row, the numbers themselves. In a config it
// is a Constant whose value is a list. (In TensorFlow Recommenders Addons such
// a list fills every row with its first number.)
type Values []float32

// Name returns "Constant", under which configs hold a list of numbers.
func (Values) Name() string { return "Constant" }

// Row copies the values to dst. If dst is longer, which [Check] refuses, the
// rest becomes 0.
func (v Values) Row(dst []float32, _ uint64, _ Fan) { clear(dst[copy(dst, v):]) }

// Validate refuses an empty row and values that are not finite.
func (v Values) Validate() error {
	if len(v) == 0 {
		return configError("an initializer given as a row must have numbers. Received: none")
	}
	for _, x := range v {
		if err := finite("value", float64(x)); err != nil {
			return err
		}
	}
	return nil
}

func fill(dst []float32, x float32) {
	for i := range dst {
		dst[i] = x
	}
}

// finite returns an error if x, the parameter of that name, is NaN, or is
// infinite as a float32.
func finite(name string, x float64) error {
	if math.IsNaN(x) || math.IsInf(float64(float32(x)), 0) {
		return configError("%s must be a finite number. Received: %s=%v", name, name, x)
	}
	return nil
}
