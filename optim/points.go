package optim

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
)

// MarshalJSON writes c with a decimal point in every number that is not a
// count: Keras takes 0.0 for a momentum, and refuses 0.
func (c Config) MarshalJSON() ([]byte, error) {
	type plain Config // without this method
	p := plain(c)
	if c.Config != nil {
		p.Config = withPoints("", c.Config).(map[string]any)
	}
	return json.Marshal(p)
}

// counts are the arguments that Keras wants without a point.
var counts = []string{
	"boundaries", "decay_steps", "warmup_steps", "ema_overwrite_frequency", "gradient_accumulation_steps",
}

// withPoints returns a copy of the value of an argument in which whole numbers
// are written with a point, unless it is a count.
func withPoints(key string, v any) any {
	if slices.Contains(counts, key) {
		return v
	}
	switch v := v.(type) {
	case float64:
		return withPoint(v, v)
	case float32:
		return withPoint(float64(v), v)
	case []any:
		all := make([]any, len(v))
		for i, x := range v {
			all[i] = withPoints("", x)
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for k, x := range v {
			all[k] = withPoints(k, x)
		}
		return all
	}
	return v
}

// withPoint returns x as JSON with a point if it is whole and would be written
// without an exponent, else as it is.
func withPoint(x float64, as any) any {
	if x != math.Trunc(x) || math.Abs(x) >= 1e20 {
		return as
	}
	return json.RawMessage(strconv.FormatFloat(x, 'f', 1, 64))
}
