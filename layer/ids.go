package layer

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/nils"
	"github.com/rowan-embeddings/rowan/tensor"
)

// IDLayer computes ids from ids, outside the graph: a vocabulary, or a hash.
// What comes out of it goes into a layer that looks ids up:
//
//	Input ──"drama"──> StringLookup ──3──> Embedding ──floats──> …
type IDLayer interface {
	Layer
	// Symbolic returns the output for symbolic ids: see SymbolicIDs.
	Symbolic(in []*Tensor) (*Tensor, error)
	// Map returns other ids in the place of those of a batch, in its layout: see
	// tensor.WithIDs. They stay as they are until m is used for another step. Any
	// number of goroutines may call it, each with its own m.
	Map(ctx context.Context, m *Mapping, ids tensor.IDs, training bool) (tensor.IDs, error)
}

// Learner is an IDLayer whose ids depend on those that it was trained with. Map
// changes nothing of the layer, so that predictions leave no trace, and neither
// does a step that fails: what is new goes into Mapping.Learned.
type Learner interface {
	IDLayer
	// Learn makes what m learned the layer's own. It is called once the step is
	// sure to be taken, before it changes any weight; after an error it must have
	// changed nothing.
	Learn(m *Mapping) error
}

// Stateful is a layer with state beside its weights, such as a vocabulary. A
// model saves it with them.
type Stateful interface {
	Layer
	// SaveState writes the state: equal states give equal bytes.
	SaveState(w io.Writer) error
	// LoadState reads what SaveState wrote, to the end of r, and returns what puts
	// it in the place of the layer's state. Until then nothing has changed.
	LoadState(r io.Reader) (install func(), err error)
}

// Mapping is the memory of an [IDLayer] for one step of one goroutine, however
// often the layer is called in it. The zero value is ready for use.
type Mapping struct {
	// Learned is what a Learner saw in this step for the first time, in a form of
	// its own: calls of one step see what those before them saw. It is nil when a
	// step begins.
	Learned any

	numbers []int64
}

// Numbers returns room for n ids, which are not cleared. It is the caller's
// until m is used for another step.
func (m *Mapping) Numbers(n int) []int64 {
	from := len(m.numbers)
	if n > cap(m.numbers)-from {
		m.numbers, from = make([]int64, 0, 2*cap(m.numbers)+n), 0 // what was handed out stays as it is
	}
	m.numbers = m.numbers[:from+n]
	return m.numbers[from : from+n : from+n]
}

// begin readies m for another step.
func (m *Mapping) begin() { m.Learned, m.numbers = nil, m.numbers[:0] }

// SymbolicIDs returns what Symbolic of an [IDLayer] returns: ids of the shape
// and layout of others, and of a type.
func SymbolicIDs(like *Tensor, k tensor.KeyType) *Tensor {
	return &Tensor{shape: slices.Clone(like.shape), ids: true, keyType: k, ragged: like.ragged}
}

// one returns the only input of an IDLayer if it is of one of some types.
func one(in []*Tensor, types ...tensor.KeyType) (*Tensor, error) {
	if len(in) != 1 {
		return nil, fmt.Errorf("%w: the layer takes one batch of ids, got %d", ErrArgument, len(in))
	}
	if !slices.Contains(types, in[0].keyType) {
		return nil, fmt.Errorf("%w: the layer takes ids of %v, input %q has %v", ErrStage, types, in[0].name, in[0].keyType)
	}
	return in[0], nil
}

// runIDs computes an IDLayer on data at once.
func (b *Base) runIDs(ctx context.Context, l IDLayer, a Args, in []Value) (*Output, error) {
	if len(in) != 1 || nils.Is(in[0].IDs) {
		return nil, fmt.Errorf("%w: layer %q takes one batch of ids", ErrStage, b.Name())
	}
	if err := b.buildFor(in[0].IDs); err != nil {
		return nil, err
	}
	if a.Training { // one at a time, so that each learns from what the one before it learned
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	out, err := mapAndLearn(ctx, l, in[0].IDs, a.Training)
	if err != nil {
		return nil, fmt.Errorf("layer %q: %w", b.Name(), err)
	}
	return &Output{Values: []Value{{IDs: out}}}, nil
}

func mapAndLearn(ctx context.Context, l IDLayer, ids tensor.IDs, training bool) (out tensor.IDs, err error) {
	m := new(Mapping)
	err = guard(func() error {
		if out, err = l.Map(ctx, m, ids, training); err != nil {
			return err
		}
		if learner, ok := l.(Learner); ok && training {
			return learner.Learn(m)
		}
		return nil
	})
	return out, err
}

// Stateful returns the layers of the plan, and those inside them, that have
// state beside their weights.
func (p *Plan) Stateful() []Stateful {
	var all []Stateful
	for _, l := range p.Layers {
		for _, l := range append([]Layer{l}, l.core().Submodules()...) {
			if s, ok := l.(Stateful); ok && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}
