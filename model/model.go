package model

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
)

// Model is the computation of some outputs from some inputs: layers, their
// weights, and once it is compiled a loss, metrics and an optimizer.
type Model struct {
	class string // "functional" or "sequential", for Summary
	plan  *layer.Plan
	seed  uint64
	tower *forward
	added layer.Additions

	// training is held by whatever changes weights, metrics or progress, for
	// one step or one call. It is taken before weights.
	training sync.Mutex
	// weights is held for reading while a forward pass reads weights, and for
	// writing while an update writes them.
	weights sync.RWMutex
	fitting atomic.Bool

	compiled *compiled
	// given are the optimizers that Compile gave to tables.
	given     map[*rowan.Table]*optim.Optimizer
	step      int64 // number of the last step
	at        progress
	callbacks callbackStates
}

// New returns the functional model between inputs, which come from
// layer.Input, and outputs. Inputs that no output needs are allowed.
func New(inputs, outputs []*layer.Tensor) (*Model, error) {
	m := &Model{class: "functional"}
	return m, m.use(inputs, outputs)
}

// use makes m the model between inputs and outputs; it has to be compiled anew.
func (m *Model) use(inputs, outputs []*layer.Tensor) error {
	if err := m.plot(inputs, outputs); err != nil {
		return err
	}
	m.compiled = nil
	return nil
}

// plot plans the way from inputs to outputs.
func (m *Model) plot(inputs, outputs []*layer.Tensor) error {
	plan, err := layer.NewPlan(inputs, outputs, &m.added)
	if err != nil {
		return err
	}
	if err := checkTables(plan.Tables()); err != nil {
		return err
	}
	seed := inputs[0].Scope().Seed()
	tower, err := newForward(plan, seed)
	if err != nil {
		return err
	}
	m.plan, m.seed, m.tower = plan, seed, tower
	return nil
}

// checkTables refuses two tables of one name: a checkpoint could not tell them apart.
func checkTables(tables []*rowan.Table) error {
	for i, t := range tables {
		same := func(o *rowan.Table) bool { return o.Name() == t.Name() }
		if slices.ContainsFunc(tables[:i], same) {
			return fmt.Errorf("%w: two tables of the model are named %q: give each its own name", ErrArgument, t.Name())
		}
	}
	return nil
}

func (m *Model) built() error {
	if m == nil || m.plan == nil {
		return fmt.Errorf("%w: add a layer first", ErrNotBuilt)
	}
	return nil
}

// fresh reports that a layer has got weights since the model was made, or last
// compiled: what is lowered does not have them.
func (m *Model) fresh() error {
	now, then := layer.DenseVariables(m.plan.Variables()), m.tower.program.Variables
	if c := m.compiled; c != nil && len(c.vars) != len(now) {
		then = c.vars
	}
	if len(now) != len(then) {
		return fmt.Errorf("%w: a layer has got weights, %d where it was %d in all, as by EnableLoRA: compile again", ErrNotCompiled, len(now), len(then))
	}
	return nil
}

// Inputs returns the model's inputs; nil before a sequential model has layers.
func (m *Model) Inputs() []*layer.Tensor {
	if m.built() != nil {
		return nil
	}
	return m.plan.Inputs
}

// Outputs returns the model's outputs; nil before a sequential model has layers.
func (m *Model) Outputs() []*layer.Tensor {
	if m.built() != nil {
		return nil
	}
	return m.plan.Outputs
}

// OutputShape returns the shape of the first output, -1 for the batch and other
// free dimensions: it prints as (None, 10, 64). It is nil before a sequential
// model has layers.
func (m *Model) OutputShape() layer.Shape {
	if m.built() != nil {
		return nil
	}
	return m.plan.Outputs[0].Shape()
}

// Layers returns the layers in the order in which they compute, without inputs.
func (m *Model) Layers() []layer.Layer {
	if m.built() != nil {
		return nil
	}
	return m.plan.Layers
}

// everyLayer returns the layers and those inside them.
func (m *Model) everyLayer() []*layer.Base {
	var all []*layer.Base
	for _, l := range m.Layers() {
		all = append(all, layer.Of(l))
		for _, inside := range layer.Of(l).Submodules() {
			all = append(all, layer.Of(inside))
		}
	}
	return all
}

// Layer returns the layer of a name, nil if there is none.
func (m *Model) Layer(name string) layer.Layer {
	for _, l := range m.Layers() {
		if layer.Of(l).Name() == name {
			return l
		}
	}
	return nil
}

// Weights returns the weights of all layers, tables among them, in the order of
// Layers. A table that two layers share is there twice.
func (m *Model) Weights() []*layer.Variable {
	if m.built() != nil {
		return nil
	}
	return m.plan.Variables()
}

// Tables returns the tables of all layers, each once.
func (m *Model) Tables() []*rowan.Table {
	if m.built() != nil {
		return nil
	}
	return m.plan.Tables()
}

// Step returns the number of training steps that have been made.
func (m *Model) Step() int64 {
	m.training.Lock()
	defer m.training.Unlock()
	return m.step
}

// CountParams returns the number of numbers in the weights, each counted once;
// of a dynamic table, those of the rows it holds now. Tables whose stores do not
// answer are left out: [layer.Base.CountParams] says why.
func (m *Model) CountParams() int {
	trainable, fixed := m.countParams()
	return trainable.n + fixed.n
}

// params is numbers of weights, and the bytes that they take.
type params struct{ n, bytes int }

func (p *params) add(o params) { p.n, p.bytes = p.n+o.n, p.bytes+o.bytes }

// paramsOf counts a weight: an array of float32, or the rows of a table as they
// are kept.
func paramsOf(v *layer.Variable) params {
	t := v.Table()
	if t == nil {
		return params{len(v.Value()), 4 * len(v.Value())}
	}
	s := t.Stats()
	rows := max(s.Rows, 0)
	return params{rows * t.Width(), rows * s.WeightBytes}
}

func (m *Model) countParams() (trainable, fixed params) {
	trains := m.trainableTables()
	seen := make(map[*rowan.Table]bool)
	for _, v := range m.Weights() {
		trained := v.Trainable()
		if t := v.Table(); t != nil {
			if seen[t] {
				continue
			}
			seen[t] = true
			trained = trains[t]
		}
		if trained {
			trainable.add(paramsOf(v))
		} else {
			fixed.add(paramsOf(v))
		}
	}
	return trainable, fixed
}

// trainableTables returns the tables that a layer which is not frozen trains.
func (m *Model) trainableTables() map[*rowan.Table]bool {
	trains := make(map[*rowan.Table]bool)
	for _, v := range m.Weights() {
		if v.Table() != nil && v.Trainable() {
			trains[v.Table()] = true
		}
	}
	return trains
}

// History returns the losses and metrics of the epochs of the last training.
func (m *Model) History() History {
	m.training.Lock()
	defer m.training.Unlock()
	return slices.Clone(m.at.History)
}
