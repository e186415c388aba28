package layer

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/fingerprint"
	"github.com/rowan-embeddings/rowan/internal/vocabulary"
	"github.com/rowan-embeddings/rowan/tensor"
)

// StringLookupOptions are the optional arguments of [NewStringLookup]: those of
// Keras' layer. The zero value works.
type StringLookupOptions struct {
	Options
	// MaxTokens is the most indices there may be, those of unknown tokens and of
	// the mask among them. Default 0: no bound.
	MaxTokens int
	// NumOOV is how many indices unknown tokens share, by FarmHash64 of their
	// bytes. Default 0: one. -1: none, an unknown token is an error.
	NumOOV int
	// Mask is a token that gets index 0, before those of unknown tokens. Default: none.
	Mask *string
	// Vocabulary is the tokens in the order of their indices. With one, nothing is
	// learned. Default: tokens are learned as they come.
	Vocabulary []string
}

// StringLookup turns strings into the indices that an [Embedding] has rows for:
// first that of the mask token, if there is one, then those of unknown tokens,
// then those of the vocabulary. It is Keras' layer of that name with output_mode
// "int"; indices are the same, those of unknown tokens too.
//
// Without a Vocabulary it learns as [IntegerLookup] does, in training and in the
// order in which tokens come; Keras wants adapt to be called first. A
// [DynamicEmbedding] takes strings as they are and needs no such layer.
type StringLookup struct {
	Base
	o StringLookupOptions
	v *vocabulary.Vocabulary[string]
}

// oovToken stands for unknown tokens in [StringLookup.GetVocabulary].
const oovToken = "[UNK]"

// NewStringLookup returns a layer that turns strings into indices.
func NewStringLookup(o StringLookupOptions) (*StringLookup, error) {
	o.Mask, o.Vocabulary = clonePointer(o.Mask), slices.Clone(o.Vocabulary)
	l := &StringLookup{o: o}
	unknown, err := checkVocabulary("StringLookup", o.MaxTokens, o.NumOOV, len(o.Vocabulary))
	if err != nil {
		return nil, err
	}
	numbers := vocabulary.Options[string]{Mask: o.Mask, Unknown: unknown, Bucket: func(token string) int {
		return int(fingerprint.Farm([]byte(token)) % uint64(unknown))
	}}
	if o.MaxTokens > 0 {
		if numbers.Limit = o.MaxTokens - numbers.First(); numbers.Limit <= 0 || len(o.Vocabulary) > numbers.Limit {
			return nil, fmt.Errorf("%w: StringLookup: max_tokens=%d leaves room for %d tokens beside the %d indices of the mask and of unknown tokens",
				ErrArgument, o.MaxTokens, max(numbers.Limit, 0), numbers.First())
		}
	}
	if l.v, err = vocabularyOf("StringLookup", numbers, o.Vocabulary); err != nil {
		return nil, err
	}
	l.Init(l, o.Options)
	return l, nil
}

// Build does nothing: the layer has no weights.
func (l *StringLookup) Build(...Shape) error { return nil }

// ImpliedInput is the input that a Sequential model gives the layer when it is
// the first: strings of the shape in its options, else of one free dimension.
func (l *StringLookup) ImpliedInput() InputOptions { return impliedIDs(&l.Base, tensor.String) }

// Symbolic implements [IDLayer]: int64 of the shape of the strings.
func (l *StringLookup) Symbolic(in []*Tensor) (*Tensor, error) {
	t, err := one(in, tensor.String)
	if err != nil {
		return nil, err
	}
	return SymbolicIDs(t, tensor.Int64), nil
}

// Map implements [IDLayer].
func (l *StringLookup) Map(_ context.Context, m *Mapping, ids tensor.IDs, training bool) (tensor.IDs, error) {
	b, ok := ids.(interface{ Values() []string })
	if !ok {
		return nil, fmt.Errorf("%w: the layer takes strings, got %v", ErrStage, ids.KeyType())
	}
	numbers, err := numbersOf(l.v, m, b.Values(), training && l.Trainable())
	if err != nil {
		return nil, err
	}
	return tensor.WithIDs(ids, numbers)
}

// Learn implements [Learner].
func (l *StringLookup) Learn(m *Mapping) error { return learnInto(l.v, m) }

// VocabularySize returns how many indices there are now, those of unknown tokens
// and of the mask among them: what an [Embedding] behind the layer needs for
// input_dim. It is safe for concurrent use, as are the methods below.
func (l *StringLookup) VocabularySize() int { return l.v.Size() }

// GetVocabulary returns the token of each index: "[UNK]" for those of unknown
// tokens.
func (l *StringLookup) GetVocabulary() []string { return l.v.Full(oovToken) }

// Counts returns how often training used each token of the vocabulary, in the
// order of their indices, and how often tokens that were not in it.
func (l *StringLookup) Counts() (uses []uint64, unknown uint64) {
	_, uses, unknown = l.v.List()
	return uses, unknown
}

// SaveState implements [Stateful]: a vocabulary file (docs/format.md).
func (l *StringLookup) SaveState(w io.Writer) error { return l.v.Save(w) }

// LoadState implements [Stateful]. A vocabulary that the layer cannot have is
// rowan.ErrMismatch.
func (l *StringLookup) LoadState(r io.Reader) (install func(), err error) { return l.v.Load(r) }

// Config implements [Configurer]. What has been learned is state, and not in it.
func (l *StringLookup) Config() Config {
	c := Config{"max_tokens": nil, "num_oov_indices": l.v.Options().Unknown, "mask_token": pointerConfig(l.o.Mask),
		"oov_token": oovToken, "vocabulary": nil, "output_mode": "int", "invert": false, "encoding": "utf-8"}
	if l.o.MaxTokens > 0 {
		c["max_tokens"] = l.o.MaxTokens
	}
	if l.o.Vocabulary != nil {
		c["vocabulary"] = l.v.Full(oovToken)
	}
	return l.idConfig().with(c)
}

func stringLookupFromConfig(c Config) (Layer, error) {
	r := c.reader()
	o := StringLookupOptions{MaxTokens: r.most(0), NumOOV: r.unknown()}
	o.Options = r.lookupOptions("string")
	if _, ok := r.Get("mask_token"); ok {
		mask := r.Text("mask_token")
		o.Mask = &mask
	}
	if e := r.Text("encoding"); e != "" && e != "utf-8" {
		r.Bad("encoding", "utf-8", e)
	}
	unknown := oovToken
	if t := r.Text("oov_token"); t != "" {
		unknown = t
	}
	if unknown != oovToken {
		r.Bad("oov_token", oovToken, unknown)
	}
	if list, ok := r.List("vocabulary"); ok {
		o.Vocabulary = []string{}
		for _, v := range list {
			token, ok := v.(string)
			if !ok {
				r.Bad("vocabulary", "a list of strings", v)
			}
			o.Vocabulary = append(o.Vocabulary, token)
		}
	}
	shape := vocabulary.Options[string]{Mask: o.Mask, Unknown: max(o.NumOOV, 0)}
	o.Vocabulary = withoutSpecial(o.Vocabulary, shape.Special(oovToken))
	if err := r.done("StringLookup"); err != nil {
		return nil, err
	}
	return NewStringLookup(o)
}

// lookupOptions reads the keys that Keras' lookups share, and refuses what an
// embedding has no use for.
func (r reader) lookupOptions(dtype string) Options {
	if m := r.Text("output_mode"); m != "" && m != "int" {
		r.Bad("output_mode", `"int", the indices that an embedding takes`, m)
	}
	for _, key := range []string{"invert", "sparse", "pad_to_max_tokens"} {
		if r.Flag(key) {
			r.Bad(key, "false", true)
		}
	}
	for _, key := range []string{"idf_weights", "salt"} {
		if v, ok := r.Get(key); ok {
			r.Bad(key, "null", v)
		}
	}
	if m := r.Text("oov_method"); m != "" && m != "floormod" {
		r.Bad("oov_method", "floormod", m)
	}
	if t := r.Text("vocabulary_dtype"); t != "" && t != dtype {
		r.Bad("vocabulary_dtype", dtype, t)
	}
	r.Get("vocabulary_size") // follows from the rest
	return r.idOptions()
}

// idConfig is BaseConfig for a layer of ids, whose dtype in a config is that of
// its output.
func (b *Base) idConfig() Config { return b.BaseConfig().with(Config{"dtype": "int64"}) }

// idOptions is the inverse of idConfig.
func (r reader) idOptions() Options {
	// Keras 3 writes float32 for its lookups, whatever they give.
	if d := r.dtype(); !slices.Contains([]string{"", "int64", "string", "float32"}, d) {
		r.Bad("dtype", "int64", d)
	}
	return r.optionsOfIDs()
}

// unknown reads num_oov_indices: how Options count them.
func (r reader) unknown() int {
	if _, ok := r.Get("num_oov_indices"); !ok {
		return 1
	}
	switch n := r.Int("num_oov_indices"); {
	case n == 0:
		return -1
	case n < 0 || n > maxUnknown:
		r.Bad("num_oov_indices", fmt.Sprintf("from 0 to %d", maxUnknown), n)
		return 1
	default:
		return n
	}
}

// most reads max_tokens, less those that are counted elsewhere.
func (r reader) most(less int) int {
	if _, ok := r.Get("max_tokens"); !ok {
		return 0
	}
	n := r.Int("max_tokens")
	if n <= less {
		r.Bad("max_tokens", fmt.Sprintf("null, or more than %d", less), n)
	}
	return n - less
}

// withoutSpecial drops the tokens that Keras may list in front of a vocabulary.
func withoutSpecial[K comparable](tokens, special []K) []K {
	if len(tokens) >= len(special) && slices.Equal(tokens[:len(special)], special) {
		return tokens[len(special):]
	}
	return tokens
}
