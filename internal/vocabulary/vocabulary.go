// Package vocabulary numbers tokens, in the order in which they first came, for
// layers that turn ids into indices. What a step of training sees for the first
// time stays in a [Draft] until the step is sure to be taken.
package vocabulary

import (
	"fmt"
	"slices"
	"sync"

	"github.com/rowan-embeddings/rowan"
)

// Options say which numbers have a meaning of their own, and how many there are.
type Options[K int64 | string] struct {
	// Mask is a token whose number is 0. Default: none.
	Mask *K
	// Unknown is how many numbers unknown tokens have. Default 0: an unknown token
	// is an error.
	Unknown int
	// Bucket says which of them a token has, from 0. It may be nil where there are none.
	Bucket func(token K) int
	// Limit is the most tokens. Default 0: any number.
	Limit int
}

// First is the number of the first token.
func (o Options[K]) First() int {
	if o.Mask != nil {
		return 1 + o.Unknown
	}
	return o.Unknown
}

// Special returns the tokens in front of the first one: that of the mask, and
// for unknown ones another, as Keras lists them.
func (o Options[K]) Special(unknown K) []K {
	var all []K
	if o.Mask != nil {
		all = append(all, *o.Mask)
	}
	return append(all, slices.Repeat([]K{unknown}, o.Unknown)...)
}

// Vocabulary numbers tokens behind the numbers that have a meaning of their own:
//
//	0            the mask token, if there is one
//	mask …       unknown tokens: one number, several, or none
//	first …      the tokens
//
// It is safe for concurrent use. Tokens are in a built-in map, and not in one of
// package keymap: as many as the rows of an embedding have names, and a batch
// asks for some thousand of them.
type Vocabulary[K int64 | string] struct {
	o     Options[K]
	fixed bool // given, and never more

	mu      sync.RWMutex
	at      map[K]int // where a token is in tokens
	tokens  []K
	uses    []uint64 // of each token, in training
	strange uint64   // uses of unknown tokens
}

// Draft is what one step learns from a vocabulary. The zero value is ready for
// use, by one goroutine.
type Draft[K int64 | string] struct {
	begun  bool
	base   int // the tokens that there were when the step began
	at     map[K]int
	tokens []K
	used   [][]int64 // the numbers that were given out, a slice a call
}

// New returns an empty vocabulary, which learns.
func New[K int64 | string](o Options[K]) *Vocabulary[K] { return &Vocabulary[K]{o: o} }

// Given returns a vocabulary of these tokens, once and for all: none twice, and
// not the mask.
func Given[K int64 | string](o Options[K], tokens []K) (*Vocabulary[K], error) {
	v := &Vocabulary[K]{o: o, fixed: true, at: make(map[K]int, len(tokens))}
	for i, token := range tokens {
		if at, ok := v.at[token]; ok {
			return nil, fmt.Errorf("the vocabulary has %#v twice, at %d and %d", token, at, i)
		}
		if o.Mask != nil && token == *o.Mask {
			return nil, fmt.Errorf("the vocabulary has the mask token %#v at %d: leave it out, its number is 0", token, i)
		}
		v.at[token] = i
	}
	v.tokens, v.uses = slices.Clone(tokens), make([]uint64, len(tokens))
	return v, nil
}

// Options returns what the vocabulary was made with.
func (v *Vocabulary[K]) Options() Options[K] { return v.o }

// Size is how many numbers there are now.
func (v *Vocabulary[K]) Size() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.o.First() + len(v.tokens)
}

// Number writes the numbers of tokens into numbers, which is as long. With a
// draft, which makes it part of a training step, tokens that are new get their
// numbers in the draft alone; it keeps numbers, which must not change until it
// has been learned. A token without a number is rowan.ErrUnknownKey.
func (v *Vocabulary[K]) Number(d *Draft[K], numbers []int64, tokens []K) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if d != nil && !d.begun {
		d.begun, d.base = true, len(v.tokens)
	}
	first := v.o.First()
	for i, token := range tokens {
		if v.o.Mask != nil && token == *v.o.Mask {
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
		case v.o.Unknown > 0:
			numbers[i] = int64(first - v.o.Unknown + v.o.Bucket(token))
		default:
			return fmt.Errorf("%w: %#v at position %d is not in the vocabulary of %d tokens: give unknown tokens an index with num_oov_indices",
				rowan.ErrUnknownKey, token, i, len(v.tokens))
		}
	}
	if d != nil {
		d.used = append(d.used, numbers)
	}
	return nil
}

// place returns where a token that the vocabulary does not have will be in it,
// if there is room.
func (v *Vocabulary[K]) place(d *Draft[K], token K) (at int, ok bool) {
	if at, ok := d.at[token]; ok {
		return at, true
	}
	at = d.base + len(d.tokens)
	if v.fixed || v.o.Limit > 0 && at >= v.o.Limit {
		return 0, false
	}
	if d.at == nil {
		d.at = make(map[K]int)
	}
	d.at[token] = at
	d.tokens = append(d.tokens, token)
	return at, true
}

// Learn takes over what a step learned, and counts the uses. If the vocabulary
// has grown since the step began it changes nothing and returns rowan.ErrStale.
func (v *Vocabulary[K]) Learn(d *Draft[K]) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if d.base != len(v.tokens) {
		return fmt.Errorf("%w: the vocabulary has grown from %d to %d tokens since the step began: train it in one place at a time",
			rowan.ErrStale, d.base, len(v.tokens))
	}
	if v.at == nil {
		v.at = make(map[K]int)
	}
	for i, token := range d.tokens {
		v.at[token] = d.base + i
	}
	v.tokens = append(v.tokens, d.tokens...)
	v.uses = append(v.uses, make([]uint64, len(d.tokens))...)
	v.count(d.used)
	return nil
}

// count counts the uses of numbers.
func (v *Vocabulary[K]) count(used [][]int64) {
	first := v.o.First()
	for _, numbers := range used {
		for _, n := range numbers {
			switch at := int(n) - first; {
			case at >= 0:
				v.uses[at]++
			case at >= -v.o.Unknown:
				v.strange++
			}
		}
	}
}

// List returns copies of the tokens and of their counts, and how often tokens
// without a number of their own were used.
func (v *Vocabulary[K]) List() (tokens []K, uses []uint64, strange uint64) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.tokens), slices.Clone(v.uses), v.strange
}

// Full returns all of a vocabulary as Keras' get_vocabulary lists it.
func (v *Vocabulary[K]) Full(unknown K) []K {
	tokens, _, _ := v.List()
	return append(v.o.Special(unknown), tokens...)
}
