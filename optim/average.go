package optim

// EMA keeps an exponential moving average of each row's weights beside them, in
// a slot "average" behind those of the rule, as Keras' use_ema does:
//
//	average = Momentum·average + (1-Momentum)·w      after each step
//	w       = average                                after each OverwriteEvery steps
//
// The first step sets the average to the weights it leaves. A row that is new
// later starts with its first weights as their average, which is what the dense
// form would have made of a row that was there and had no gradient. Rows that a
// step leaves out are left out of both lines, unless [Optimizer.Exact] is set:
// then they are averaged and overwritten as if they had been there.
type EMA struct {
	// Momentum is how much of the average is kept in a step, in [0, 1]. Keras'
	// default, which [NewEMA] fills in: 0.99.
	Momentum float64
	// OverwriteEvery is after how many steps, counted from the first of all, the
	// weights become the averages. Default 0: never.
	OverwriteEvery int64
}

// NewEMA returns the average that Keras takes by default.
func NewEMA() *EMA { return &EMA{Momentum: 0.99} }

// AverageSlot is the name of the slot that [EMA] keeps averages in.
const AverageSlot = "average"

// Validate refuses a Momentum outside [0, 1] and a negative OverwriteEvery.
func (e *EMA) Validate() error {
	if !(e.Momentum >= 0 && e.Momentum <= 1) {
		return configError("ema_momentum must be in the range [0, 1]. Received: ema_momentum=%v", e.Momentum)
	}
	if e.OverwriteEvery < 0 {
		return configError("ema_overwrite_frequency must be an integer of 1 or more, or 0 for never. Received: ema_overwrite_frequency=%d", e.OverwriteEvery)
	}
	return nil
}

// overwrites tells whether step t ends with the weights overwritten.
func (e *EMA) overwrites(t int64) bool { return e.OverwriteEvery > 0 && t%e.OverwriteEvery == 0 }

// keeps returns how much of the average step t keeps.
func keeps[F Float](e *EMA, t int64) F {
	if t == 1 {
		return 0
	}
	return F(e.Momentum)
}

// takeIn takes the weights w after step t into their average.
func takeIn[F Float](e *EMA, w, average []F, t int64) {
	keep := keeps[F](e, t)
	fresh := 1 - keep
	for j, x := range w {
		average[j] = F(keep*average[j]) + F(fresh*x)
	}
	if e.overwrites(t) {
		copy(w, average)
	}
}
