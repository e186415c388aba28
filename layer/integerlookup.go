package layer

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/vocabulary"
	"github.com/rowan-embeddings/rowan/tensor"
)

// IntegerLookupOptions are the optional arguments of [NewIntegerLookup]. The
// zero value works.
type IntegerLookupOptions struct {
	Options
	// NumOOV is how many indices unknown keys share, by their remainder. Default
	// 0: one. -1: none, an unknown key is an error.
	NumOOV int
	// Mask is a key that gets index 0, before those of unknown keys. Default: none.
	Mask *int64
	// Vocabulary is the keys in the order of their indices. With one, nothing is
	// learned. Default: keys are learned as they come.
	Vocabulary []int64
}

// IntegerLookup turns 64-bit keys of any value, negative ones too, into the
// indices 1, 2, 3, … that an [Embedding] has rows for; 0 stands for what is not
// in the vocabulary. It is NVIDIA's layer of that name, with the arguments of
// Keras'.
//
// The vocabulary is learned on the fly: a key that training sees for the first
// time gets the next index, in the order of the batch, until there are as many
// as it may have. Inference never adds a key. The indices of a model depend on
// nothing but its data: its steps come one after the other, and a step that
// fails adds nothing. Runs of one layer by several goroutines are whole, one
// after the other, but in an order that they must see to. Uses in training are
// counted.
//
// Source differs: there, prediction adds keys and counts too. Source wrong: key
// -1 is reserved on a GPU, where the order of a batch's new keys is left to
// chance.
type IntegerLookup struct {
	Base
	max int
	o   IntegerLookupOptions
	v   *vocabulary.Vocabulary[int64]
}

// oovKey stands for unknown keys in [IntegerLookup.GetVocabulary], as in both
// source systems. It is an ordinary key everywhere else.
const oovKey = -1

// NewIntegerLookup returns a layer that learns up to maxTokens keys, besides
// those with a meaning of their own; 0 sets no bound, for a [DynamicEmbedding]
// behind it, which grows with it.
func NewIntegerLookup(maxTokens int, o IntegerLookupOptions) (*IntegerLookup, error) {
	o.Mask, o.Vocabulary = clonePointer(o.Mask), slices.Clone(o.Vocabulary)
	l := &IntegerLookup{max: maxTokens, o: o}
	unknown, err := checkVocabulary("IntegerLookup", maxTokens, o.NumOOV, len(o.Vocabulary))
	if err != nil {
		return nil, err
	}
	numbers := vocabulary.Options[int64]{Mask: o.Mask, Unknown: unknown, Limit: maxTokens, Bucket: func(key int64) int {
		return int((key%int64(unknown) + int64(unknown)) % int64(unknown))
	}}
	if l.v, err = vocabularyOf("IntegerLookup", numbers, o.Vocabulary); err != nil {
		return nil, err
	}
	l.Init(l, o.Options)
	return l, nil
}

// maxUnknown bounds the indices of unknown tokens, which a vocabulary lists one
// by one.
const maxUnknown = 1 << 20

// checkVocabulary returns how many indices unknown tokens have.
func checkVocabulary(class string, most, unknown, given int) (int, error) {
	switch {
	case most < 0:
		return 0, fmt.Errorf("%w: %s: `max_tokens` must be positive, or 0 for no bound. Received: max_tokens=%d", ErrArgument, class, most)
	case most > 0 && given > most:
		return 0, fmt.Errorf("%w: %s: the vocabulary of %d tokens is larger than max_tokens has room for, %d", ErrArgument, class, given, most)
	case unknown > maxUnknown:
		return 0, fmt.Errorf("%w: %s: `num_oov_indices` must be at most %d: take Hashing for more. Received: num_oov_indices=%d", ErrArgument, class, maxUnknown, unknown)
	case unknown < -1:
		return 0, fmt.Errorf("%w: %s: `num_oov_indices` must be positive, 0 for one, or -1 for none. Received: num_oov_indices=%d", ErrArgument, class, unknown)
	case unknown == 0:
		return 1, nil
	}
	return max(unknown, 0), nil
}

// Build does nothing: the layer has no weights.
func (l *IntegerLookup) Build(...Shape) error { return nil }

// ImpliedInput is the input that a Sequential model gives the layer when it is
// the first: ids of the shape in its options, else of one free dimension.
func (l *IntegerLookup) ImpliedInput() InputOptions { return impliedIDs(&l.Base, tensor.Int64) }

func impliedIDs(b *Base, k tensor.KeyType) InputOptions {
	in := b.ImpliedInput()
	if in.KeyType = k; in.Shape == nil {
		in.Shape = Shape{-1}
	}
	return in
}

// Symbolic implements [IDLayer]: int64 of the shape of the keys, which are int64
// or int32.
func (l *IntegerLookup) Symbolic(in []*Tensor) (*Tensor, error) {
	t, err := one(in, tensor.Int64, tensor.Int32)
	if err != nil {
		return nil, err
	}
	return SymbolicIDs(t, tensor.Int64), nil
}

// Map implements [IDLayer].
func (l *IntegerLookup) Map(_ context.Context, m *Mapping, ids tensor.IDs, training bool) (tensor.IDs, error) {
	keys, err := int64s(m, ids)
	if err != nil {
		return nil, err
	}
	numbers, err := numbersOf(l.v, m, keys, training && l.Trainable())
	if err != nil {
		return nil, err
	}
	return tensor.WithIDs(ids, numbers)
}

// int64s returns the ids of a batch of int64 or int32.
func int64s(m *Mapping, ids tensor.IDs) ([]int64, error) {
	switch b := ids.(type) {
	case interface{ Values() []int64 }:
		return b.Values(), nil
	case interface{ Values() []int32 }:
		wide := m.Numbers(ids.Len())
		for i, id := range b.Values() {
			wide[i] = int64(id)
		}
		return wide, nil
	}
	return nil, fmt.Errorf("%w: the layer takes int64 or int32, got %v", ErrStage, ids.KeyType())
}

// Learn implements [Learner].
func (l *IntegerLookup) Learn(m *Mapping) error { return learnInto(l.v, m) }

// VocabularySize returns how many indices there are now, those of unknown keys
// and of the mask among them: what an [Embedding] behind the layer needs for
// input_dim. It is safe for concurrent use, as are the methods below.
func (l *IntegerLookup) VocabularySize() int { return l.v.Size() }

// GetVocabulary returns the key of each index: -1 for those of unknown keys.
func (l *IntegerLookup) GetVocabulary() []int64 { return l.v.Full(oovKey) }

// Counts returns how often training used each key of the vocabulary, in the
// order of their indices, and how often keys that were not in it.
func (l *IntegerLookup) Counts() (uses []uint64, unknown uint64) {
	_, uses, unknown = l.v.List()
	return uses, unknown
}

// SaveState implements [Stateful]: a vocabulary file (docs/format.md).
func (l *IntegerLookup) SaveState(w io.Writer) error { return l.v.Save(w) }

// LoadState implements [Stateful]. A vocabulary that the layer cannot have is
// rowan.ErrMismatch.
func (l *IntegerLookup) LoadState(r io.Reader) (install func(), err error) { return l.v.Load(r) }

// Config implements [Configurer]. max_tokens is that of Keras, which counts the
// indices of unknown keys and of the mask too. What has been learned is state,
// and not in it.
func (l *IntegerLookup) Config() Config {
	c := Config{"max_tokens": nil, "num_oov_indices": l.v.Options().Unknown, "mask_token": pointerConfig(l.o.Mask),
		"oov_token": oovKey, "vocabulary": nil, "output_mode": "int", "invert": false}
	if l.max > 0 {
		c["max_tokens"] = l.max + l.v.Options().First()
	}
	if l.o.Vocabulary != nil {
		c["vocabulary"] = l.v.Full(oovKey)
	}
	return l.idConfig().with(c)
}

func integerLookupFromConfig(c Config) (Layer, error) {
	r := c.reader()
	o := IntegerLookupOptions{Mask: r.ID("mask_token"), NumOOV: r.unknown()}
	o.Options = r.lookupOptions("int64")
	if t := r.ID("oov_token"); t != nil && *t != oovKey {
		r.Bad("oov_token", "-1", *t)
	}
	if list, ok := r.List("vocabulary"); ok {
		o.Vocabulary = []int64{}
		for _, v := range list {
			o.Vocabulary = append(o.Vocabulary, r.AsID("vocabulary", v))
		}
	}
	shape := vocabulary.Options[int64]{Mask: o.Mask, Unknown: max(o.NumOOV, 0)}
	o.Vocabulary = withoutSpecial(o.Vocabulary, shape.Special(oovKey))
	most := r.most(shape.First())
	if err := r.done("IntegerLookup"); err != nil {
		return nil, err
	}
	return NewIntegerLookup(most, o)
}
