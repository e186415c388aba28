package vocabulary

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/format"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Save writes the vocabulary as a vocabulary file (docs/format.md).
func (v *Vocabulary[K]) Save(w io.Writer) error {
	tokens, uses, strange := v.List()
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

// Load reads what Save wrote, and returns what puts it in the place of the
// vocabulary. One that it cannot be is rowan.ErrMismatch.
func (v *Vocabulary[K]) Load(r io.Reader) (install func(), err error) {
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
	case v.o.Limit > 0 && len(tokens) > v.o.Limit:
		return nil, fmt.Errorf("%w: the file has a vocabulary of %d tokens, the layer's has at most %d", rowan.ErrMismatch, len(tokens), v.o.Limit)
	case v.o.Mask != nil && slices.Contains(tokens, *v.o.Mask):
		return nil, fmt.Errorf("%w: the file has the token %#v, which is the layer's mask token", rowan.ErrMismatch, *v.o.Mask)
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
