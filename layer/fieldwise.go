package layer

import (
	"context"
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// SlotMap says which slot each id of a batch belongs to: it fills slots, one
// number for each of tensor.IDs.Len, in the order of the ids. It must depend on
// the ids alone, and may be called by several goroutines at once.
type SlotMap func(ids tensor.IDs, slots []int)

// SlotOf is a SlotMap made of a function of one id. Ids of another type than K
// belong to no slot, which is an error of the lookup.
func SlotOf[K tensor.Key](f func(id K) int) SlotMap {
	return func(ids tensor.IDs, slots []int) {
		b, ok := ids.(interface{ Values() []K })
		for i := range slots {
			if slots[i] = -1; ok {
				slots[i] = f(b.Values()[i])
			}
		}
	}
}

// FieldWiseEmbedding is a [DynamicEmbedding] of ids of several fields in one
// list: a function tells the slot of each id, and the rows of a slot are reduced
// to one. Ids of shape (batch, n), ragged or sparse give (batch, slots, size):
//
//	ids    {11, 25, 12} {21}      slot: the first digit
//	slot 1  row 11 + row 12       zeros
//	slot 2  row 25                row 21
//
// The reduction is [DynamicOptions.Combiner], a slot without ids is zeros. It is
// the layer of that name of TensorFlow Recommenders Addons, where a slot number
// out of range goes to the example beside it: here it is an error.
type FieldWiseEmbedding struct {
	*DynamicEmbedding
	combiner rowan.Combiner
	slots    int
	slotOf   SlotMap
}

// NewFieldWiseEmbedding returns a layer of rows of size numbers, reduced to
// nslots of them an example. Pool must not be set: Combiner says how.
func NewFieldWiseEmbedding(size, nslots int, slotOf SlotMap, o DynamicOptions) (*FieldWiseEmbedding, error) {
	switch {
	case nslots <= 0:
		return nil, fmt.Errorf("%w: FieldWiseEmbedding: `nslots` must be a positive integer. Received: nslots=%d", ErrArgument, nslots)
	case slotOf == nil:
		return nil, fmt.Errorf("%w: FieldWiseEmbedding: slot_map_fn is not callable: give a SlotMap, see SlotOf", ErrArgument)
	}
	inner, c, err := reducing(size, o)
	if err != nil {
		return nil, fmt.Errorf("FieldWiseEmbedding: %w", err)
	}
	l := &FieldWiseEmbedding{inner, c, nslots, slotOf}
	l.Init(l, o.Options)
	return l, nil
}

// Symbolic implements [HostLayer].
func (l *FieldWiseEmbedding) Symbolic(in []*Tensor) (*Tensor, error) {
	batch, err := l.batch(in)
	if err != nil {
		return nil, err
	}
	return SymbolicRows(Shape{batch, l.slots, l.size}, false), nil
}

// Lookup implements [HostLayer].
func (l *FieldWiseEmbedding) Lookup(ctx context.Context, r *Rows, ids tensor.IDs, training bool) error {
	examples, err := r.examples(ids)
	if err != nil {
		return err
	}
	if err := r.sorted.slotsOf(ids, l.slotOf, l.slots); err != nil {
		return err
	}
	r.sorted.order(examples, l.slots)
	bags, err := r.sorted.bags(ids)
	if err != nil {
		return err
	}
	err = r.Look(ctx, l.Table(), bags, rowan.LookupOptions{Combiner: l.combiner, Training: training && l.Trainable()})
	if err != nil {
		return err
	}
	return r.Reshape(len(examples)-1, l.slots, l.size)
}

// Config implements [Configurer]. It says how many slots there are, and not what
// the function does: see [FieldWiseConstructor].
func (l *FieldWiseEmbedding) Config() Config {
	return l.DynamicEmbedding.Config().with(Config{"nslots": l.slots})
}

// FieldWiseConstructor returns what [FromConfig] makes FieldWiseEmbeddings of
// configs with, given the function that a config cannot hold:
//
//	layer.FromConfig(class, config, map[string]layer.Constructor{"FieldWiseEmbedding": layer.FieldWiseConstructor(slotOf)})
func FieldWiseConstructor(slotOf SlotMap) Constructor {
	return func(c Config) (Layer, error) {
		rest := Config{}.with(c)
		delete(rest, "nslots")
		inner, err := dynamicFromConfig(rest)
		if err != nil {
			return nil, err
		}
		r, d := c.reader(), inner.(*DynamicEmbedding)
		nslots := r.Int("nslots")
		if r.Err() != nil {
			return nil, fmt.Errorf("%w: FieldWiseEmbedding: %w", ErrConfig, r.Err())
		}
		return NewFieldWiseEmbedding(d.size, nslots, slotOf, d.o)
	}
}

func fieldWiseFromConfig(Config) (Layer, error) {
	return nil, fmt.Errorf("%w: FieldWiseEmbedding: its slot_map_fn is a function, which no config holds: give FromConfig the class of FieldWiseConstructor(function)", ErrConfig)
}

// regrouped is the ids of a batch sorted into bags: for each example a bag a
// slot, with its ids in their order. Its memory is used again.
type regrouped struct {
	slots   []int   // of each id
	splits  []int64 // of the bags
	from    []int   // the id that comes at each place
	next    []int64
	weights []float32

	int64s  []int64
	int32s  []int32
	uint64s []uint64
	texts   []string
}

// slotsOf asks for the slots, and checks them.
func (g *regrouped) slotsOf(ids tensor.IDs, slotOf SlotMap, n int) error {
	g.slots = slices.Grow(g.slots[:0], ids.Len())[:ids.Len()]
	slotOf(ids, g.slots)
	for i, s := range g.slots {
		if s < 0 || s >= n {
			return fmt.Errorf("%w: slot_map_fn sends the id at position %d of %v ids of shape %v to slot %d, of %d", ErrArgument, i, ids.KeyType(), ids.Shape(), s, n)
		}
	}
	return nil
}

// order sorts the ids of each example by slot.
func (g *regrouped) order(examples []int64, n int) {
	bags := (len(examples) - 1) * n
	g.splits = append(g.splits[:0], make([]int64, bags+1)...)
	for e := range len(examples) - 1 {
		for i := examples[e]; i < examples[e+1]; i++ {
			g.splits[e*n+g.slots[i]+1]++
		}
	}
	for b := range bags {
		g.splits[b+1] += g.splits[b]
	}
	g.next = append(g.next[:0], g.splits...)
	g.from = slices.Grow(g.from[:0], len(g.slots))[:len(g.slots)]
	for e := range len(examples) - 1 {
		for i := examples[e]; i < examples[e+1]; i++ {
			at := &g.next[e*n+g.slots[i]]
			g.from[*at] = int(i)
			*at++
		}
	}
}

// bags returns the ids in their new order and bags.
func (g *regrouped) bags(ids tensor.IDs) (tensor.IDs, error) {
	var weights []float32
	if w := ids.Weights(); w != nil {
		weights = taken(&g.weights, w, g.from)
	}
	switch b := ids.(type) {
	case interface{ Values() []int64 }:
		return ragged(taken(&g.int64s, b.Values(), g.from), g.splits, weights)
	case interface{ Values() []int32 }:
		return ragged(taken(&g.int32s, b.Values(), g.from), g.splits, weights)
	case interface{ Values() []uint64 }:
		return ragged(taken(&g.uint64s, b.Values(), g.from), g.splits, weights)
	case interface{ Values() []string }:
		return ragged(taken(&g.texts, b.Values(), g.from), g.splits, weights)
	}
	return nil, fmt.Errorf("%w: ids of type %T", ErrStage, ids)
}

// taken returns values[from[0]], values[from[1]], … in the memory of buf.
func taken[T any](buf *[]T, values []T, from []int) []T {
	*buf = (*buf)[:0]
	for _, i := range from {
		*buf = append(*buf, values[i])
	}
	return *buf
}
