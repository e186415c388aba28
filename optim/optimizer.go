package optim

import (
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/nils"
)

// Optimizer is what a table or a model is trained with: a rule, its schedule and its clipping.
type Optimizer struct {
	// Updater is the rule. Default: Adam with Keras' hyper-parameters.
	Updater Updater
	// Rate is the learning rate. Default: the constant that Keras gives the
	// rule (FBGEMM, for RowWiseAdagrad). A rule of another package has none.
	Rate Schedule
	// Clip bounds gradients after duplicates are summed. The zero value does not.
	Clip Clip
	// WeightDecay takes its part of the weights before each step, decoupled from
	// the gradients, as Keras' weight_decay: w -= w·WeightDecay·rate. It decays
	// dense weights, and the rows that a step touches. Default 0: none. (The name
	// "adamw" comes with Keras' 0.004.)
	WeightDecay float64
	// EMA averages the weights over the steps, beside the rows, in a slot whose
	// name the rule must not use. Default nil: it does not.
	EMA *EMA
	// AccumulationSteps makes one update of the gradients of that many batches, 2
	// or more, as Keras' gradient_accumulation_steps: of their mean, which is what
	// Clip bounds. A row that none of the batches names is absent from the update,
	// and one that some name is updated once. Rules, averages and OverwriteEvery
	// count updates; Rate counts batches, AccumulationSteps to each update, and an
	// update has the rate of its last.
	// (Keras takes the weights into their averages after each batch, which makes
	// the averages follow faster.) It is the model that accumulates; who updates
	// a table by hand collects the gradients of all batches and says how many
	// they are, in rowan.Step. Default 0: each batch is an update.
	AccumulationSteps int
	// Exact brings a row that was absent from some steps to where the dense
	// form of the rule would have it, whenever it is read, updated or exported.
	// Default: such a row stays as it was ("lazy"). It makes no difference where
	// the dense form leaves such rows alone: see [Optimizer.CatchesUp].
	Exact bool
}

// Slots says what state a row carries: that of the rule, and with EMA the
// average behind it.
func (o *Optimizer) Slots() []Slot {
	slots := o.Updater.Slots()
	if o.EMA != nil {
		slots = append(slices.Clip(slots), Slot{Name: AverageSlot, Weights: true})
	}
	return slots
}

// Update takes one step on each row of b: weight decay, the rule's step, then
// the average. o has its defaults filled in. It panics if the block's slices
// are too short for its rows. It is safe for concurrent use on disjoint rows.
func (o *Optimizer) Update(b Block) {
	decay(o, b)
	o.Updater.Update(b)
	average(o, b)
}

// Update64 is Update of rows of float64, all of it in float64. It panics too if
// the rule cannot update such rows, which [Optimizer.Supports64] tells.
func (o *Optimizer) Update64(b BlockOf[float64]) {
	decay(o, b)
	o.Updater.(Updater64).Update64(b)
	average(o, b)
}

// Supports64 returns nil if the rule can update rows of float64, as all rules of
// this package can, or else an error that wraps [ErrConfig].
func (o *Optimizer) Supports64() error {
	rule := o.WithDefaults().Updater
	if _, ok := rule.(Updater64); ok {
		return nil
	}
	return configError("rule %s has Update, for rows of float32, and no Update64: rows of float64 need both (optim.Updater64), as the rules of package optim have them", rule.Name())
}

// decay takes the weight decay of one step, if there is any.
func decay[F Float](o *Optimizer, b BlockOf[F]) {
	if o.WeightDecay == 0 {
		return
	}
	for i := range b.Rows {
		w, _ := b.row(i, 0)
		decayRow(w, F(o.WeightDecay), b.LR)
	}
}

func decayRow[F Float](w []F, part, lr F) {
	for j, x := range w {
		w[j] = x - F(F(x*part)*lr)
	}
}

// average takes the weights that a step left into their averages, if there are any.
func average[F Float](o *Optimizer, b BlockOf[F]) {
	if o.EMA == nil {
		return
	}
	state := stateOf(o.Updater, b.Width)
	for i := range b.Rows {
		w, slots := b.row(i, state+b.Width)
		takeIn(o.EMA, w, slots[state:], b.Step)
	}
}

// stateOf is how many numbers of a rule's state a row of that many weights
// carries. Rules of this package say so without a list of their slots, which
// would be allocated at every step.
func stateOf(u Updater, width int) int {
	if u, ok := u.(interface{ numbers(width int) int }); ok {
		return u.numbers(width)
	}
	n := 0
	for _, s := range u.Slots() {
		n += s.width(width)
	}
	return n
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
	if k, ok := ruleOfUpdater(out.Updater); ok && out.Rate == nil {
		out.Rate = k.rate
	}
	return &out
}

// Validate returns an error that wraps [ErrConfig] if o, with its defaults
// filled in, has a hyper-parameter out of range.
func (o *Optimizer) Validate() error {
	full := o.WithDefaults()
	for _, part := range []any{full.Updater, full.Rate} {
		if part != nil && nils.Is(part) {
			return configError("a nil %T computes nothing: give a value, or leave it out", part)
		}
	}
	if full.Rate == nil {
		return configError("a learning rate is needed: rule %s has no default", full.Updater.Name())
	}
	for _, part := range []any{full.Updater, full.Rate, full.Clip} {
		if err := validate(part); err != nil {
			return err
		}
	}
	if full.EMA != nil {
		if err := full.EMA.Validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(full.Updater.Slots(), func(s Slot) bool { return s.Name == AverageSlot }) {
			return configError("rule %s keeps a slot %q of its own, which would be taken for that of EMA: give it another name, or leave EMA out", full.Updater.Name(), AverageSlot)
		}
	}
	if n := full.AccumulationSteps; n < 0 || n == 1 {
		return configError("gradient_accumulation_steps must be an integer of 2 or more, or 0 for none. Received: gradient_accumulation_steps=%d", n)
	}
	return notNegative("weight_decay", full.WeightDecay)
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
