package layer

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/format"
	"github.com/rowan-embeddings/rowan/tensor"
)

// vocabulary numbers tokens, in the order in which they first came, behind the
// numbers that have a meaning of their own:
//
//	0            the mask token, if there is one
//	mask …       unknown tokens: one number, several, or none
//	first …      the tokens
//
// It is safe for concurrent use. Tokens are in a built-in map, and not in one of
// package keymap: as many as the rows of an embedding have names, and a batch
// asks for some thousand of them.
type vocabulary[K int64 | string] struct {
	mask    *K
	unknown int               // how many numbers unknown tokens have
	bucket  func(token K) int // which of them a token has
	limit   int               // the most tokens; 0: any number
	fixed   bool              // given, and never more

	mu      sync.RWMutex
	at      map[K]int // where a token is in tokens
	tokens  []K
	uses    []uint64 // of each token, in training
	strange uint64   // uses of unknown tokens
}

// draft is what one step learns from a vocabulary of size base.
type draft[K int64 | string] struct {
	base   int
	at     map[K]int
	tokens []K
	used   [][]int64 // the numbers that were given out, a slice a call
}

// first is the number of the first token.
func (v *vocabulary[K]) first() int {
	if v.mask != nil {
		return 1 + v.unknown
	}
	return v.unknown
}

// size is how many numbers there are now.
func (v *vocabulary[K]) size() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.first() + len(v.tokens)
}

// give makes tokens the vocabulary, once and for all.
func (v *vocabulary[K]) give(tokens []K) error {
	v.at, v.fixed = make(map[K]int, len(tokens)), true
	for i, token := range tokens {
		if at, ok := v.at[token]; ok {
			return fmt.Errorf("%w: the vocabulary has %#v twice, at %d and %d", ErrArgument, token, at, i)
		}
		if v.mask != nil && token == *v.mask {
			return fmt.Errorf("%w: the vocabulary has the mask token %#v at %d: leave it out, its number is 0", ErrArgument, token, i)
		}
		v.at[token] = i
	}
	v.tokens, v.uses = slices.Clone(tokens), make([]uint64, len(tokens))
	return nil
}

// number returns the numbers of tokens. In training those that are new get
// their numbers in m alone.
func (v *vocabulary[K]) number(m *Mapping, tokens []K, training bool) ([]int64, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var d *draft[K]
	if training {
		d = v.draft(m)
	}
	numbers, first := m.Numbers(len(tokens)), v.first()
	for i, token := range tokens {
		if v.mask != nil && token == *v.mask {
			numbers[i] = 0
			continue
		}
		at, ok := v.at[token]
		if !ok && d != nil {
			at, ok = v.place(d, token)
		}
		switch {
		case ok:
			numbers[i] = int64(first + at)
		case v.unknown > 0:
			numbers[i] = int64(first - v.unknown + v.bucket(token))
		default:
			return nil, fmt.Errorf("%w: %#v at position %d is not in the vocabulary of %d tokens: give unknown tokens an index with num_oov_indices",
				rowan.ErrUnknownKey, token, i, len(v.tokens))
		}
	}
	if d != nil {
		d.used = append(d.used, numbers)
	}
	return numbers, nil
}

// draft returns what m has learned in this step so far.
func (v *vocabulary[K]) draft(m *Mapping) *draft[K] {
	d, ok := m.Learned.(*draft[K])
	if !ok {
		d = &draft[K]{base: len(v.tokens)}
		m.Learned = d
	}
	return d
}

// place returns where a token that the vocabulary does not have will be in it,
// if there is room.
func (v *vocabulary[K]) place(d *draft[K], token K) (at int, ok bool) {
	if at, ok := d.at[token]; ok {
		return at, true
	}
	at = d.base + len(d.tokens)
	if v.fixed || v.limit > 0 && at >= v.limit {
		return 0, false
	}
	if d.at == nil {
		d.at = make(map[K]int)
	}
	d.at[token] = at
	d.tokens = append(d.tokens, token)
	return at, true
}

// learn takes over what a step learned, and counts the uses.
func (v *vocabulary[K]) learn(m *Mapping) error {
	d, ok := m.Learned.(*draft[K])
	if !ok {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if d.base != len(v.tokens) {
		return fmt.Errorf("%w: the vocabulary has grown from %d to %d tokens since the step began: train it in one place at a time",
			rowan.ErrStale, d.base, len(v.tokens))
	}
	m.Learned = nil
	if v.at == nil {
		v.at = make(map[K]int)
	}
	for i, token := range d.tokens {
		v.at[token] = d.base + i
	}
	v.tokens = append(v.tokens, d.tokens...)
	v.uses = append(v.uses, make([]uint64, len(d.tokens))...)
	first := v.first()
	for _, numbers := range d.used {
		for _, n := range numbers {
			switch at := int(n) - first; {
			case at >= 0:
				v.uses[at]++
			case at >= -v.unknown:
				v.strange++
			}
		}
	}
	return nil
}

// list returns copies of the tokens and of their counts.
func (v *vocabulary[K]) list() (tokens []K, uses []uint64, strange uint64) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.tokens), slices.Clone(v.uses), v.strange
}

// special returns the tokens in front of the first one: that of the mask, and
// for unknown ones another, as Keras lists them.
func (v *vocabulary[K]) special(unknown K) []K {
	var all []K
	if v.mask != nil {
		all = append(all, *v.mask)
	}
	return append(all, slices.Repeat([]K{unknown}, v.unknown)...)
}

// full returns all of a vocabulary as Keras' get_vocabulary lists it.
func (v *vocabulary[K]) full(unknown K) []K {
	tokens, _, _ := v.list()
	return append(v.special(unknown), tokens...)
}

// save writes the vocabulary as a vocabulary file (docs/format.md).
func (v *vocabulary[K]) save(w io.Writer) error {
	tokens, uses, strange := v.list()
	f := &format.Vocabulary{Unknown: strange, Uses: uses}
	switch t := any(tokens).(type) {
	case []int64:
		for _, token := range t {
			f.Keys = append(f.Keys, uint64(token))
		}
	case []string:
		f.KeyType, f.Strings = tensor.String, t
	}
	return format.WriteVocabulary(w, f)
}

// load reads what save wrote.
func (v *vocabulary[K]) load(r io.Reader) (install func(), err error) {
	f, err := format.ReadVocabulary(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	tokens, err := tokensOf[K](f)
	if err != nil {
		return nil, err
	}
	switch {
	case v.fixed && !slices.Equal(tokens, v.tokens):
		return nil, fmt.Errorf("%w: the file has another vocabulary than the one of %d tokens that the layer was given", rowan.ErrMismatch, len(v.tokens))
	case v.limit > 0 && len(tokens) > v.limit:
		return nil, fmt.Errorf("%w: the file has a vocabulary of %d tokens, the layer's has at most %d", rowan.ErrMismatch, len(tokens), v.limit)
	case v.mask != nil && slices.Contains(tokens, *v.mask):
		return nil, fmt.Errorf("%w: the file has the token %#v, which is the layer's mask token", rowan.ErrMismatch, *v.mask)
	}
	at := make(map[K]int, len(tokens))
	for i, token := range tokens {
		at[token] = i
	}
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.at, v.tokens, v.uses, v.strange = at, tokens, f.Uses, f.Unknown
	}, nil
}

func tokensOf[K int64 | string](f *format.Vocabulary) ([]K, error) {
	if want := tensor.KeyTypeOf[K](); f.KeyType != want {
		return nil, fmt.Errorf("%w: the file has a vocabulary of %v, the layer one of %v", rowan.ErrMismatch, f.KeyType, want)
	}
	var tokens []K
	switch t := any(&tokens).(type) {
	case *[]int64:
		for _, key := range f.Keys {
			*t = append(*t, int64(key))
		}
	case *[]string:
		*t = f.Strings
	}
	return tokens, nil
}
