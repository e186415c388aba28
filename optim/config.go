package optim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/registry"
	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Config describes an optimizer or a schedule the way Keras does: its class
// name and its arguments under Keras' names. It can be written as JSON and read
// back.
type Config struct {
	// Module is where Keras 3 looks for the class; it is written, for classes
	// that Keras has, and not read.
	Module    string         `json:"module,omitempty"`
	ClassName string         `json:"class_name"`
	Config    map[string]any `json:"config"`
}

// rule is a rule of this package, with its default learning rate and weight decay.
type rule struct {
	registry.Class[Updater]
	rate  Constant
	decay float64
}

// ruleOf describes the type of defaults, which has Keras' default arguments.
func ruleOf[T Updater](defaults T, rate Constant) rule {
	return rule{Class: registry.Of[Updater](defaults, defaults.Name()), rate: rate}
}

// rules are the rules of this package with the learning rates of Keras, and of
// FBGEMM for RowWiseAdagrad. TensorFlow gives the proximal ones no default:
// they have that of Keras' others.
var rules = []rule{
	ruleOf(SGD{}, 0.01),
	ruleOf(NewAdagrad(), 0.001),
	ruleOf(NewRowWiseAdagrad(), 0.01),
	ruleOf(NewRMSprop(), 0.001),
	ruleOf(NewAdam(), 0.001),
	ruleOf(NewAdadelta(), 0.001),
	ruleOf(NewAdamax(), 0.001),
	ruleOf(NewNadam(), 0.001),
	ruleOf(NewFTRL(), 0.001),
	ruleOf(NewLion(), 0.001),
	ruleOf(ProximalSGD{}, 0.001),
	ruleOf(NewProximalAdagrad(), 0.001),
}

// namedSchedule is a schedule that a config can hold by name.
type namedSchedule interface {
	Schedule
	Name() string
}

var schedules = registry.Registry[namedSchedule]{
	scheduleOf(ExponentialDecay{}),
	scheduleOf(InverseTimeDecay{}),
	scheduleOf(PolynomialDecay{End: 0.0001, Power: 1}),
	scheduleOf(PiecewiseConstant{}),
	scheduleOf(CosineDecay{}),
}

func scheduleOf[T namedSchedule](defaults T) registry.Class[namedSchedule] {
	return registry.Of[namedSchedule](defaults, defaults.Name())
}

// adamW is Keras' AdamW: Adam with weight decay on.
func adamW() rule {
	r := ruleOf(NewAdam(), 0.001)
	r.decay = 0.004
	return r
}

// plain spells a name without capitals, "_" and "-": "RowWiseAdagrad",
// "row_wise_adagrad" and "rowwise_adagrad" are one.
func plain(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}

// ByName returns a new optimizer of that name, with Keras' hyper-parameters and
// learning rate: sgd, adagrad, row_wise_adagrad, rmsprop, adadelta, adam, adamax,
// nadam, ftrl, lion, proximal_gradient_descent, proximal_adagrad, or adamw, which
// is Adam with Keras' weight_decay of 0.004. Capitals and "_" do not count, so
// class names work too. An unknown name is an error that wraps [ErrConfig] and
// lists the known ones.
func ByName(name string) (*Optimizer, error) {
	k, err := ruleByName(name)
	if err != nil {
		return nil, err
	}
	return &Optimizer{Updater: k.Defaults, Rate: k.rate, WeightDecay: k.decay}, nil
}

func ruleByName(name string) (rule, error) {
	if plain(name) == "adamw" {
		return adamW(), nil
	}
	for _, r := range rules {
		if plain(r.Names[0]) == plain(name) {
			return r, nil
		}
	}
	return rule{}, configError("unknown optimizer %q. Known: %s", name, strings.Join(Names(), ", "))
}

// Names returns the names that [ByName] knows, sorted.
func Names() []string {
	return []string{
		"adadelta", "adagrad", "adam", "adamax", "adamw", "ftrl", "lion", "nadam",
		"proximal_adagrad", "proximal_gradient_descent", "rmsprop", "row_wise_adagrad", "sgd",
	}
}

// ruleOfUpdater returns the rule that u is.
func ruleOfUpdater(u Updater) (rule, bool) {
	if i := slices.IndexFunc(rules, func(r rule) bool { return r.Is(u) }); i >= 0 {
		return rules[i], true
	}
	return rule{}, false
}

// ours are the keys of an optimizer's config that are not its rule's. They are
// Keras' names, but for exact, which Keras has not.
type ours struct {
	Rate        json.RawMessage `json:"learning_rate,omitempty"`
	Value       float32         `json:"clipvalue,omitempty"`
	Norm        float32         `json:"clipnorm,omitempty"`
	GlobalNorm  float32         `json:"global_clipnorm,omitempty"`
	WeightDecay *float64        `json:"weight_decay,omitempty"`
	UseEMA      bool            `json:"use_ema,omitempty"`
	EMAMomentum *float64        `json:"ema_momentum,omitempty"`
	EMAOver     int64           `json:"ema_overwrite_frequency,omitempty"`
	Accumulate  int             `json:"gradient_accumulation_steps,omitempty"`
	Exact       bool            `json:"exact,omitempty"`
}

// describe returns the keys of o.
func describe(o *Optimizer) ours {
	rest := ours{Value: o.Clip.Value, Norm: o.Clip.Norm, GlobalNorm: o.Clip.GlobalNorm, Accumulate: o.AccumulationSteps, Exact: o.Exact}
	if o.WeightDecay != 0 {
		rest.WeightDecay = &o.WeightDecay
	}
	if o.EMA != nil {
		rest.UseEMA, rest.EMAMomentum, rest.EMAOver = true, &o.EMA.Momentum, o.EMA.OverwriteEvery
	}
	return rest
}

// apply sets what the keys say of o. The momentum of an average that is not
// used does not count.
func (r ours) apply(o *Optimizer) {
	o.Clip, o.AccumulationSteps, o.Exact = Clip{r.Value, r.Norm, r.GlobalNorm}, r.Accumulate, r.Exact
	if r.WeightDecay != nil {
		o.WeightDecay = *r.WeightDecay
	}
	if !r.UseEMA {
		return
	}
	o.EMA = NewEMA()
	o.EMA.OverwriteEvery = r.EMAOver
	if r.EMAMomentum != nil {
		o.EMA.Momentum = *r.EMAMomentum
	}
}

// neutral are arguments of Keras' optimizers that Rowan does not have, with
// the values at which they do nothing. At other values they are an error. The
// value any is for what has no effect at all.
var neutral = map[string]any{
	"name": "any", "jit_compile": "any", "is_legacy_optimizer": "any",
	"decay": 0.0, "loss_scale_factor": 1.0,
}

// Config returns o, with its defaults filled in, as Keras would describe it.
// The rule and the schedule must be of this package.
func (o *Optimizer) Config() (Config, error) {
	full := o.WithDefaults()
	if _, ok := ruleOfUpdater(full.Updater); !ok {
		return Config{}, configError("rule %T has no config: only those of package optim have one", full.Updater)
	}
	rate, err := rateConfig(full.Rate)
	if err != nil {
		return Config{}, err
	}
	c := Config{Module: moduleOf(full.Updater), ClassName: full.Updater.Name()}
	if err := merge(&c.Config, full.Updater, describe(full), map[string]any{"learning_rate": rate}); err != nil {
		return Config{}, err
	}
	return c, nil
}

// moduleOf is where Keras has a rule, "" if it has it not.
func moduleOf(u Updater) string {
	switch u.(type) {
	case RowWiseAdagrad, ProximalSGD, ProximalAdagrad:
		return ""
	}
	return "keras.optimizers"
}

// rateConfig returns a number for a Constant, else the schedule's Config.
func rateConfig(s Schedule) (any, error) {
	if c, ok := s.(Constant); ok {
		return float32(c), nil
	}
	n, ok := s.(namedSchedule)
	if ok {
		_, ok = schedules.Of(n)
	}
	if !ok {
		return nil, configError("schedule %T has no config: only those of package optim have one", s)
	}
	c := Config{Module: "keras.optimizers.schedules", ClassName: n.Name()}
	err := merge(&c.Config, n)
	return c, err
}

// merge adds the fields of each part, under their JSON names, to dst.
func merge(dst *map[string]any, parts ...any) error {
	for _, part := range parts {
		text, err := json.Marshal(part)
		if err == nil {
			err = json.Unmarshal(text, dst)
		}
		if err != nil {
			return configError("%T: %v", part, err)
		}
	}
	return nil
}

// FromConfig makes the optimizer that c describes, and checks it. What c
// leaves out, or gives as null, has Keras' default. An unknown class or
// argument, or one of Keras' that Rowan lacks and that is switched on, is an
// error that wraps [ErrConfig]; of an unknown argument it names the known one
// that it is like.
func FromConfig(c Config) (*Optimizer, error) {
	k, err := ruleByName(c.ClassName)
	if err != nil {
		return nil, err
	}
	mine, args, err := split(c, k.Defaults)
	if err != nil {
		return nil, err
	}
	o := &Optimizer{Rate: k.rate, WeightDecay: k.decay}
	if v, given := c.Config["weight_decay"]; given && v == nil {
		o.WeightDecay = 0 // Keras' None: adamw without its decay
	}
	var rest ours
	if err := registry.Strict(mine, &rest); err != nil {
		return nil, configError("%s: %v", c.ClassName, err)
	}
	rest.apply(o)
	if o.Updater, err = k.Read(args); err != nil {
		return nil, configError("%s: %v", c.ClassName, err)
	}
	if rest.Rate != nil {
		if o.Rate, err = readRate(rest.Rate); err != nil {
			return nil, err
		}
	}
	return o, o.Validate()
}

// split sorts the arguments of c into those of every optimizer, as JSON, and
// those of the rule; it leaves out null and neutral ones.
func split(c Config, rule Updater) (mine []byte, others map[string]any, err error) {
	ofRule, ofAll := suggest.Fields(rule), suggest.Fields(ours{})
	ofOurs, rest := map[string]any{}, []string(nil)
	others = map[string]any{}
	for key, v := range c.Config {
		switch {
		case v == nil:
		case slices.Contains(ofRule, key):
			others[key] = v
		case slices.Contains(ofAll, key):
			ofOurs[key] = v
		default:
			rest = append(rest, key)
		}
	}
	if err := mustBeNeutral(c, rest, slices.Concat(ofRule, ofAll)); err != nil {
		return nil, nil, err
	}
	if mine, err = json.Marshal(ofOurs); err != nil {
		return nil, nil, configError("%s: %v", c.ClassName, err)
	}
	return mine, others, nil
}

// mustBeNeutral returns an error unless arguments that Rowan lacks are Keras' and
// do nothing. It names the known ones.
func mustBeNeutral(c Config, keys, known []string) error {
	unknown := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { _, ok := neutral[key]; return ok })
	if err := suggest.Check(unknown, known); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrConfig, c.ClassName, err)
	}
	for _, key := range keys {
		if v, off := c.Config[key], neutral[key]; off != "any" && fmt.Sprint(v) != fmt.Sprint(off) {
			return configError("%s: %s is not supported here. Received: %s=%v", c.ClassName, key, key, v)
		}
	}
	return nil
}

// readRate reads a number or a schedule's Config.
func readRate(text []byte) (Schedule, error) {
	var number float32
	if json.Unmarshal(text, &number) == nil {
		return Constant(number), nil
	}
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, configError("learning_rate must be a number or the config of a schedule. Received: %s", text)
	}
	return ScheduleFromConfig(c)
}

// ScheduleFromConfig makes the schedule that c describes, and checks it; it
// treats c as [FromConfig] does. PolynomialDecay's cycle must be false.
func ScheduleFromConfig(c Config) (Schedule, error) {
	k, ok := schedules.ByName(c.ClassName)
	if !ok {
		return nil, configError("unknown schedule %q. Known: %s", c.ClassName, strings.Join(schedules.Names(0), ", "))
	}
	args := maps.Clone(c.Config)
	maps.DeleteFunc(args, func(key string, v any) bool { return key == "name" || key == "cycle" && v == false })
	s, err := k.Read(args)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, c.ClassName, err)
	}
	return s, validate(s)
}
