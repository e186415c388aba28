package layer

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/internal/vocabulary"
)

// vocabularyOf returns a vocabulary of the tokens that a layer was given, or if
// they are nil one that learns.
func vocabularyOf[K int64 | string](class string, o vocabulary.Options[K], tokens []K) (*vocabulary.Vocabulary[K], error) {
	if tokens == nil {
		return vocabulary.New(o), nil
	}
	v, err := vocabulary.Given(o, tokens)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrArgument, class, err)
	}
	return v, nil
}

// numbersOf returns the numbers of tokens. In training those that are new get
// their numbers in m alone.
func numbersOf[K int64 | string](v *vocabulary.Vocabulary[K], m *Mapping, tokens []K, training bool) ([]int64, error) {
	var d *vocabulary.Draft[K]
	if training {
		var begun bool
		if d, begun = m.Learned.(*vocabulary.Draft[K]); !begun {
			d = new(vocabulary.Draft[K])
			m.Learned = d
		}
	}
	numbers := m.Numbers(len(tokens))
	return numbers, v.Number(d, numbers, tokens)
}

// learnInto gives a vocabulary what a step learned of it.
func learnInto[K int64 | string](v *vocabulary.Vocabulary[K], m *Mapping) error {
	d, ok := m.Learned.(*vocabulary.Draft[K])
	if !ok {
		return nil
	}
	if err := v.Learn(d); err != nil {
		return err
	}
	m.Learned = nil
	return nil
}
