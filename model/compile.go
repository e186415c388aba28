package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/suggest"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/loss"
	"github.com/rowan-embeddings/rowan/metric"
	"github.com/rowan-embeddings/rowan/optim"
)

// CompileOptions say how a model is trained and measured.
type CompileOptions struct {
	// Optimizer trains dense weights, and the tables that have no optimizer of
	// their own. Default: OptimizerName.
	Optimizer *optim.Optimizer
	// OptimizerName is an optimizer of optim.ByName with its defaults.
	// Default: OptimizerConfig.
	OptimizerName string
	// OptimizerConfig describes an optimizer with its arguments, as
	// optim.FromConfig reads it. Default: "rmsprop", as Keras.
	OptimizerConfig *optim.Config
	// TableOptimizers are the optimizers of some tables, by table name; they
	// clip by norms of that table alone. Default: none.
	TableOptimizers map[string]*optim.Optimizer
	// WeightDecay is subtracted from dense weights before each update, times the
	// learning rate and the weight, and not from tables. It comes on top of the
	// optimizer's own weight decay, which both have. Default 0.
	WeightDecay float32
	// DecayExclude leaves out of both weight decays the dense weights whose name,
	// such as "dense/bias", contains one of these: Keras'
	// exclude_from_weight_decay. Default: all weights decay, as in Keras.
	DecayExclude []string
	// OutputOptions hold for every output that Outputs does not name. Metrics
	// given by value, which keep state, can serve one output only.
	OutputOptions
	// Outputs are the options of some outputs of a model of several, by name
	// of the layer that computes the output. Default: none.
	Outputs map[string]OutputOptions
}

// OutputOptions say how an output is judged. The zero value computes it only.
type OutputOptions struct {
	// Loss is what training makes small. Default: LossName.
	Loss loss.Func
	// LossName is a loss of loss.ByName: "mse", "binary_crossentropy", ….
	// Default: LossConfig.
	LossName string
	// LossConfig describes a loss with its arguments, as loss.FromConfig
	// reads it. Default: no loss.
	LossConfig *loss.Config
	// LossWeight multiplies the loss. Default 0: 1.
	LossWeight float32
	// Metrics measure predictions against labels, over all examples of an epoch.
	// What a mask of the output leaves out of the loss is left out here too;
	// sample and class weights do not count, as in Keras.
	Metrics []metric.Metric
	// MetricNames are more metrics, of metric.NewOf. "accuracy" (or "acc") of an
	// output of several numbers is metric.CategoricalAccuracy, and "crossentropy"
	// (or "ce") is binary or categorical by the same rule.
	MetricNames []string
	// MetricConfigs are more metrics, of metric.FromConfig.
	MetricConfigs []metric.Config
	// WeightedMetrics are metrics in which sample and class weights count: Keras'
	// weighted_metrics. One beside the same unweighted one needs another name:
	// see metric.Named.
	WeightedMetrics []metric.Metric
	// WeightedMetricNames are more of them, by name.
	WeightedMetricNames []string
}

// compiled is what Compile made of its options. Fields but programs, and the
// state of metrics, do not change.
type compiled struct {
	outputs   []output        // one for each output of the plan
	objects   []metric.Metric // that layers report to, or were added
	optimizer *optim.Optimizer
	given     *optim.Optimizer // CompileOptions.Optimizer, to know it again
	base      optim.Schedule   // of optimizer, before its rate was set by hand
	rates     *rateChanges     // that were set by hand; nil: none
	programs  map[variant]*layer.Program
	stages    []*layer.HostStage // one for each batch of an update
	vars      []*layer.Variable  // dense weights, as programs have them
	rows      []*denseRow        // the trained ones, by index in vars; else nil
	tables    []*trainedTable
	gradients map[*rowan.Table]*rowan.Gradients // those of tables
	trainable []bool                            // of each of Model.Weights
	layers    []*layer.Base                     // and those inside them
	free      []bool                            // of each of layers: whether it is not frozen
	step      int64                             // number of the optimizer's last step
	waiting   window
}

// variant is a way of lowering the model.
type variant struct{ training, weighted bool }

// Compile makes the model ready for training. It may be called again: weights
// stay; with another optimizer its state and its steps begin anew. What was added
// to layers since the model was made becomes part of it.
func (m *Model) Compile(o CompileOptions) (err error) {
	if err := m.built(); err != nil {
		return err
	}
	m.training.Lock()
	defer m.training.Unlock()
	plan, tower := m.plan, m.tower
	defer func() {
		if err != nil {
			m.plan, m.tower = plan, tower
		}
	}()
	if err := m.plot(plan.Inputs, plan.Outputs); err != nil {
		return err
	}
	c := &compiled{objects: m.plan.MetricObjects(),
		given: o.Optimizer, programs: make(map[variant]*layer.Program),
		vars: layer.DenseVariables(m.plan.Variables())}
	if c.optimizer, err = o.optimizer(); err != nil {
		return err
	}
	if c.outputs, err = m.judge(o); err != nil {
		return err
	}
	for _, v := range m.plan.Variables() {
		c.trainable = append(c.trainable, v.Trainable())
	}
	c.layers = m.everyLayer()
	for _, b := range c.layers {
		c.free = append(c.free, b.Trainable())
	}
	old := m.compiled
	if old != nil && (o.Optimizer == nil || old.given != o.Optimizer || len(old.vars) != len(c.vars)) {
		old = nil
	}
	if old != nil {
		c.step, c.optimizer = old.step, old.optimizer
	}
	for range max(1, c.optimizer.AccumulationSteps) {
		c.stages = append(c.stages, m.plan.NewHostStage())
	}
	c.rows = c.makeRows(o, old)
	if c.tables, err = m.equip(o, c.optimizer); err != nil {
		return err
	}
	if err := c.keepRates(old); err != nil {
		return err
	}
	c.gradients = make(map[*rowan.Table]*rowan.Gradients, len(c.tables))
	for _, t := range c.tables {
		c.gradients[t.table] = t.gradients
	}
	m.compiled = c
	return nil
}

// optimizer returns the model's optimizer with its defaults.
func (o *CompileOptions) optimizer() (*optim.Optimizer, error) {
	opt := o.Optimizer
	if several(opt != nil, o.OptimizerName != "", o.OptimizerConfig != nil) {
		return nil, fmt.Errorf("%w: set one of Optimizer, OptimizerName and OptimizerConfig", ErrArgument)
	}
	if o.OptimizerConfig != nil {
		var err error
		if opt, err = optim.FromConfig(*o.OptimizerConfig); err != nil {
			return nil, err
		}
	}
	if opt == nil {
		name := o.OptimizerName
		if name == "" {
			name = "rmsprop"
		}
		var err error
		if opt, err = optim.ByName(name); err != nil {
			return nil, err
		}
	}
	if !(o.WeightDecay >= 0) {
		return nil, fmt.Errorf("%w: WeightDecay must be 0 or more, got %v", ErrArgument, o.WeightDecay)
	}
	return opt.WithDefaults(), opt.Validate()
}

// several reports whether more than one is true.
func several(given ...bool) bool {
	n := 0
	for _, is := range given {
		if is {
			n++
		}
	}
	return n > 1
}

// judge resolves the options of each output.
func (m *Model) judge(o CompileOptions) ([]output, error) {
	var known []string
	for _, t := range m.plan.Outputs {
		known = append(known, t.Name())
	}
	for name := range o.Outputs {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%w: no output is named %q%s (outputs: %q)", ErrArgument, name, suggest.Hint(name, known), known)
		}
	}
	var all []output
	for _, t := range m.plan.Outputs {
		own, ok := o.Outputs[t.Name()]
		if !ok {
			own = o.OutputOptions
		}
		prefix := ""
		if len(known) > 1 {
			prefix = t.Name() + "_"
		}
		out, err := own.resolve(t, prefix)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", t.Name(), err)
		}
		all = append(all, out)
	}
	if err := checkMetrics(all, m.plan); err != nil {
		return nil, err
	}
	return all, m.hasLoss(all)
}

// hasLoss refuses a model that there is nothing to train.
func (m *Model) hasLoss(all []output) error {
	for _, o := range all {
		if o.loss != nil {
			return nil
		}
	}
	terms, err := m.plan.LossTerms()
	if err != nil {
		return err
	}
	if len(terms) == 0 {
		return fmt.Errorf("%w: no output has a loss, and no layer adds one: set Loss or LossName", ErrArgument)
	}
	return nil
}

// trainedTable is a table that the model updates at every step.
type trainedTable struct {
	table     *rowan.Table
	gradients *rowan.Gradients
	// joint says that the model's optimizer trains it, and clips it together
	// with the rest.
	joint bool
}

// equip gives tables their optimizers and returns those to be trained.
func (m *Model) equip(o CompileOptions, standard *optim.Optimizer) ([]*trainedTable, error) {
	if err := m.checkTableOptimizers(o.TableOptimizers); err != nil {
		return nil, err
	}
	trains := m.trainableTables()
	var all []*trainedTable
	for _, t := range m.plan.Tables() {
		if !trains[t] {
			continue
		}
		own, named := o.TableOptimizers[t.Name()]
		given, ours := m.given[t]
		joint := !named && (ours || t.Options().Optimizer == nil)
		want := standard
		if named {
			want = own
		}
		if (named || joint) && given != want {
			if err := m.give(t, want); err != nil {
				return nil, err
			}
		}
		if o := t.Options().Optimizer; o != nil && max(1, o.AccumulationSteps) != max(1, standard.AccumulationSteps) {
			return nil, fmt.Errorf("%w: table %q: its optimizer makes an update of %d batches, the model's of %d: give both the same AccumulationSteps",
				ErrArgument, t.Name(), max(1, o.AccumulationSteps), max(1, standard.AccumulationSteps))
		}
		all = append(all, &trainedTable{table: t, gradients: t.NewGradients(), joint: joint})
	}
	return all, nil
}

// give makes o the optimizer of a table. Its steps begin anew; an optimizer
// before it that makes up for missed steps does so up to now.
func (m *Model) give(t *rowan.Table, o *optim.Optimizer) error {
	if t.Step() > 0 {
		if err := t.SetOptimizer(nil); err != nil {
			return err
		}
		t.SetStep(0)
	}
	if err := t.SetOptimizer(o); err != nil {
		return err
	}
	if m.given == nil {
		m.given = make(map[*rowan.Table]*optim.Optimizer)
	}
	m.given[t] = o
	return nil
}

func (m *Model) checkTableOptimizers(o map[string]*optim.Optimizer) error {
	var known []string
	for _, t := range m.plan.Tables() {
		known = append(known, t.Name())
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%w: TableOptimizers: no table is named %q%s (tables: %q)", ErrArgument, name, suggest.Hint(name, known), known)
		}
		if o[name] == nil {
			return fmt.Errorf("%w: TableOptimizers: the optimizer of table %q is nil", ErrArgument, name)
		}
		if err := o[name].Validate(); err != nil {
			return fmt.Errorf("table %q: %w", name, err)
		}
	}
	return nil
}

// ready returns what Compile made, if it is still true.
func (m *Model) ready() (*compiled, error) {
	if err := m.built(); err != nil {
		return nil, err
	}
	if m.compiled == nil {
		return nil, fmt.Errorf("%w: call Compile first", ErrNotCompiled)
	}
	return m.compiled, m.fresh()
}

// program returns the model lowered in one way.
func (m *Model) program(v variant) (*layer.Program, error) {
	c := m.compiled
	if p := c.programs[v]; p != nil {
		return p, nil
	}
	o := layer.ProgramOptions{Training: v.training, Seed: m.seed, SampleWeights: v.weighted}
	for _, out := range c.outputs {
		o.Losses, o.LossWeights = append(o.Losses, out.loss), append(o.LossWeights, out.weight)
	}
	p, err := m.plan.Program(o)
	if err != nil {
		return nil, err
	}
	c.programs[v] = p
	return p, nil
}

// excluded reports whether a weight's name contains one of some texts.
func excluded(name string, texts []string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(name, s) })
}
