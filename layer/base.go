package layer

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/classname"
	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// Base is what every layer embeds: its name, its weights, its sublayers and
// the calls made of it. Call Init before anything else.
//
// Connecting layers is for one goroutine at a time; Run may be called by any
// number, as long as nobody trains the layer: the first one builds it.
type Base struct {
	self     Layer
	options  Options
	name     string
	scope    *Scope
	inner    *Scope // names what is inside; nil until it is asked for
	frozen   bool
	masking  bool // supports masks
	scalars  bool // takes inputs without a batch
	wide     bool // computes in float32 inside
	spec     []InputSpec
	built    bool
	building []Shape // the shapes that Build was given
	vars     []*Variable
	layers   []Layer
	misuse   error // of Init and AddLayer, which return none
	nodes    []*Node
	added    Additions

	naming sync.Mutex // of scope, name and inner, until they are settled

	mu    sync.Mutex
	eager map[string]*eagerProgram // by eagerKey
}

// Init makes b the core of self. Every constructor calls it first. Where self is
// nil every use of the layer is ErrNotInitialized.
func (b *Base) Init(self Layer, o Options) {
	o.InputShape = slices.Clone(o.InputShape)
	if b.options, b.name, b.frozen = o, o.Name, o.Frozen; !nils.Is(self) {
		b.self = self
	}
	if a := o.Activity; a != nil && nils.Is(a) {
		b.misuse = fmt.Errorf("%w: activity regularizer of %s: %w", ErrArgument, b.Class(), regularizer.Check(a, nil))
	}
}

// ImpliedInput is the input that a Sequential model gives the layer when it is
// the first: one of the shape in its options. A nil Shape says that the layer
// does not know it.
func (b *Base) ImpliedInput() InputOptions {
	return InputOptions{IDs: b.takesIDs(), Shape: slices.Clone(b.options.InputShape)}
}

// SupportMasking says that the layer knows what to do with a mask: use it, or
// pass it on. Without it, a masked input is an error.
func (b *Base) SupportMasking() { b.masking = true }

// SetInputSpec says what the layer accepts: as many inputs as there are specs,
// each as its spec has it. Without specs the layer takes any number of any inputs.
func (b *Base) SetInputSpec(s ...InputSpec) { b.spec = s }

func (b *Base) core() *Base { return b }

func (b *Base) check() error {
	if b.misuse != nil {
		return b.misuse
	}
	if b.self == nil {
		return fmt.Errorf("%w: a layer's constructor must call Init(self, options) before it is used", ErrNotInitialized)
	}
	return nil
}

// Class returns the name of the layer's type, as configs spell it.
func (b *Base) Class() string {
	if b.self == nil {
		return "Base"
	}
	return reflect.TypeOf(b.self).Elem().Name()
}

// Name returns the layer's name. One that was not given a name gets its
// default when it is first applied, run or asked.
func (b *Base) Name() string {
	b.bind(process)
	return b.name
}

// bind settles the scope and the name, once. The first runs of a layer may be
// several at a time.
func (b *Base) bind(s *Scope) {
	b.naming.Lock()
	defer b.naming.Unlock()
	if b.scope == nil {
		b.scope = s
	}
	if b.name == "" {
		b.name = b.scope.unique(classname.Snake(b.Class()))
	}
}

// Bind gives a layer its scope, and so its default name and the seed of its
// weights, before it is first applied. A layer that has one keeps it.
func Bind(l Layer, s *Scope) error {
	if nils.Is(l) {
		return errNilLayer
	}
	b := l.core()
	if err := b.check(); err != nil {
		return err
	}
	b.bind(s)
	return nil
}

// Of returns the base of a layer: its name, weights and calls. Of a layer that is
// nil it is one whose uses are ErrNotInitialized.
func Of(l Layer) *Base {
	if nils.Is(l) {
		return new(Base)
	}
	return l.core()
}

// Trainable reports whether the layer's weights are trained.
func (b *Base) Trainable() bool { return !b.frozen }

// SetTrainable freezes the layer and its sublayers, or sets them free. A model
// takes note when it is compiled.
func (b *Base) SetTrainable(t bool) {
	b.frozen = !t
	for _, l := range b.layers {
		l.core().SetTrainable(t)
	}
}

// SupportsMasking reports whether the layer accepts a mask or makes one: as an
// embedding does with MaskZero, or once it is applied to ragged ids that it
// does not pool.
func (b *Base) SupportsMasking() bool { return b.masking }

// ActivityRegularizer returns the penalty on the layer's outputs.
func (b *Base) ActivityRegularizer() regularizer.Regularizer { return b.options.Activity }

// InputSpec returns what the layer accepts.
func (b *Base) InputSpec() []InputSpec { return b.spec }

// Built reports whether the layer has its weights.
func (b *Base) Built() bool { return b.built }

// AddLayer makes l part of the layer: its weights are the layer's too, and it
// is frozen if the layer is. Without a layer, or with one that the layer is
// itself a part of, every use of the layer is ErrArgument.
func (b *Base) AddLayer(l Layer) {
	if nils.Is(l) || l.core() == b || slices.ContainsFunc(l.core().Submodules(), func(m Layer) bool { return m.core() == b }) {
		b.misuse = fmt.Errorf("%w: AddLayer of %s was given nil, or a layer that it is a part of", ErrArgument, b.Class())
		return
	}
	if b.frozen {
		l.core().SetTrainable(false)
	}
	b.layers = append(b.layers, l)
}

// BuildLayer builds a sublayer: call it in Build with the shapes of what Call
// will give it.
func (b *Base) BuildLayer(l Layer, in ...Shape) error {
	if nils.Is(l) {
		return errNilLayer
	}
	c := l.core()
	if err := c.check(); err != nil {
		return err
	}
	c.bindInside(b)
	return c.build(in)
}

// bindInside names a sublayer within its layer: "block/dense".
func (b *Base) bindInside(outer *Base) {
	if b.scope == nil {
		b.scope = outer.scope
	}
	if b.name != "" {
		return
	}
	taken := func(l Layer) bool { return l.core() != b && l.core().name == b.name }
	for {
		b.name = outer.NameScope().unique(classname.Snake(b.Class()))
		if !slices.ContainsFunc(outer.layers, taken) {
			return
		}
	}
}

// Submodules returns the layers inside, each before those inside it.
func (b *Base) Submodules() []Layer {
	var all []Layer
	for _, l := range b.layers {
		all = append(append(all, l), l.core().Submodules()...)
	}
	return all
}

// family is the layer and those inside it.
func (b *Base) family() []*Base {
	all := []*Base{b}
	for _, l := range b.Submodules() {
		all = append(all, l.core())
	}
	return all
}

// Variables returns the weights in creation order, sublayers' after the layer's own.
func (b *Base) Variables() []*Variable {
	all := slices.Clone(b.vars)
	for _, l := range b.layers {
		all = append(all, l.core().Variables()...)
	}
	return all
}

// TrainableVariables returns the weights that training updates.
func (b *Base) TrainableVariables() []*Variable {
	return slices.DeleteFunc(b.Variables(), func(v *Variable) bool { return !v.Trainable() })
}

// NonTrainableVariables returns the weights that training leaves alone.
func (b *Base) NonTrainableVariables() []*Variable {
	return slices.DeleteFunc(b.Variables(), (*Variable).Trainable)
}

// CountParams returns the number of numbers in the weights; of a dynamic
// table, those of the rows it holds now. A layer that is not built is
// ErrNotBuilt; one whose table has been closed, or whose stores do not answer,
// has none that could be counted.
func (b *Base) CountParams() (int, error) {
	if !b.built {
		return 0, fmt.Errorf("%w: count_params needs the weights of layer %q: apply it or build it first", ErrNotBuilt, b.Name())
	}
	n := 0
	for _, v := range b.Variables() {
		if v.table != nil {
			rows, err := v.table.Count(context.Background())
			if err != nil {
				return 0, err
			}
			n += rows * v.table.Width()
		} else {
			n += len(v.value)
		}
	}
	return n, nil
}

// build builds the layer once, then gives it the weights of its options.
func (b *Base) build(in []Shape) error {
	if b.built {
		return nil
	}
	if err := guard(func() error { return b.self.Build(in...) }); err != nil {
		b.vars = nil // so that it can be tried again
		return fmt.Errorf("building layer %q: %w", b.Name(), err)
	}
	if b.options.Weights != nil {
		if err := b.SetWeights(b.options.Weights); err != nil {
			b.vars = nil
			return err
		}
	}
	b.built, b.building = true, in
	return nil
}

// guard calls a method that the author of a layer wrote; its panic is an error.
func guard(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("panic: %w", p)
		default:
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

var errNilLayer = fmt.Errorf("%w: the layer is nil", ErrArgument)
