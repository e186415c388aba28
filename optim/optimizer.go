package optim

import "math"

// Optimizer is what a table or a model is trained with: a rule, its schedule and its clipping.
type Optimizer struct {
	// Updater is the rule. Default: Adam with Keras' hyper-parameters.
	Updater Updater
	// Rate is the learning rate. Default: the constant that Keras gives the
	// rule (FBGEMM, for RowWiseAdagrad). A rule of another package has none.
	Rate Schedule
	// Clip bounds gradients after duplicates are summed. The zero value does not.
	Clip Clip
	// Exact brings a row that was absent from some steps to where the dense
	// form of the rule would have it, whenever it is read, updated or exported.
	// Default: such a row stays as it was ("lazy"). It makes no difference to a
	// rule that is no [CatchUpper]: its dense form leaves such rows alone.
	Exact bool
}

// WithDefaults returns a copy of o with its defaults filled in. A nil o gives
// the default optimizer.
func (o *Optimizer) WithDefaults() *Optimizer {
	var out Optimizer
	if o != nil {
		out = *o
	}
	if out.Updater == nil {
		out.Updater = NewAdam()
	}
	if k, ok := kindOfRule(out.Updater); ok && out.Rate == nil {
		out.Rate = k.rate
	}
	return &out
}

// Validate returns an error that wraps [ErrConfig] if o, with its defaults
// filled in, has a hyper-parameter out of range.
func (o *Optimizer) Validate() error {
	full := o.WithDefaults()
	if full.Rate == nil {
		return configError("a learning rate is needed: rule %s has no default", full.Updater.Name())
	}
	for _, part := range []any{full.Updater, full.Rate, full.Clip} {
		if err := validate(part); err != nil {
			return err
		}
	}
	return nil
}

// validate calls v's Validate, if it has one.
func validate(v any) error {
	if v, ok := v.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// positive returns an error unless x is above 0 and finite, as a float32.
func positive(name string, x float64) error {
	if !(float32(x) > 0) || tooLarge(x) {
		return configError("%s must be a positive number. Received: %s=%v", name, name, x)
	}
	return nil
}

// notNegative returns an error unless x is 0 or more and finite, as a float32.
func notNegative(name string, x float64) error {
	if !(x >= 0) || tooLarge(x) {
		return configError("%s must be a number of 0 or more. Received: %s=%v", name, name, x)
	}
	return nil
}

// tooLarge tells whether x is infinite as a float32.
func tooLarge(x float64) bool { return math.IsInf(float64(float32(x)), 1) }

// decayRate returns an error unless x is in [0, 1) and is not rounded to 1 in float32.
func decayRate(name string, x float64) error {
	if !(x >= 0) || float32(x) >= 1 {
		return configError("%s must be in the range [0, 1). Received: %s=%v", name, name, x)
	}
	return nil
}

// firstError returns the first of errs that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
