package vocabulary_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/vocabulary"
)

// options have a mask, two numbers for unknown tokens and room for three.
var options = vocabulary.Options[string]{Mask: new(""), Unknown: 2, Limit: 3, Bucket: func(token string) int { return len(token) % 2 }}

func number(t *testing.T, v *vocabulary.Vocabulary[string], d *vocabulary.Draft[string], tokens ...string) []int64 {
	t.Helper()
	numbers := make([]int64, len(tokens))
	if err := v.Number(d, numbers, tokens); err != nil {
		t.Fatal(err)
	}
	return numbers
}

func learn(t *testing.T, v *vocabulary.Vocabulary[string], tokens ...string) []int64 {
	t.Helper()
	var d vocabulary.Draft[string]
	numbers := number(t, v, &d, tokens...)
	if err := v.Learn(&d); err != nil {
		t.Fatal(err)
	}
	return numbers
}

// TestLearning: a step numbers what is new in the order in which it comes, as
// long as there is room, and nobody else knows until it is learned.
func TestLearning(t *testing.T) {
	v := vocabulary.New(options)
	var d vocabulary.Draft[string]
	if got := number(t, v, &d, "b", "", "a", "b"); !slices.Equal(got, []int64{3, 0, 4, 3}) {
		t.Errorf("a step numbers %v, want 3 0 4 3", got)
	}
	if got := number(t, v, &d, "c", "dd"); !slices.Equal(got, []int64{5, 1}) {
		t.Errorf("its next call numbers %v, want 5, and no room for the other", got)
	}
	if got := number(t, v, nil, "b", "cc"); !slices.Equal(got, []int64{2, 1}) || v.Size() != 3 {
		t.Errorf("before the step is learned: %v of %d, want numbers of unknown tokens", got, v.Size())
	}
	if err := v.Learn(&d); err != nil {
		t.Fatal(err)
	}
	if got := number(t, v, nil, "c", "b", "dd"); !slices.Equal(got, []int64{5, 3, 1}) || v.Size() != 6 {
		t.Errorf("then: %v of %d, want 5 3 1 of 6", got, v.Size())
	}
	tokens, uses, strange := v.List()
	if !slices.Equal(tokens, []string{"b", "a", "c"}) || !slices.Equal(uses, []uint64{2, 1, 1}) || strange != 1 {
		t.Errorf("tokens %q, used %v, others %d times", tokens, uses, strange)
	}
	if got := v.Full("[UNK]"); !slices.Equal(got, []string{"", "[UNK]", "[UNK]", "b", "a", "c"}) {
		t.Errorf("all of it is %q", got)
	}
}

// TestStaleStep: what two steps learned at once is not both true.
func TestStaleStep(t *testing.T) {
	v := vocabulary.New(options)
	var d vocabulary.Draft[string]
	number(t, v, &d, "a")
	learn(t, v, "b")
	if err := v.Learn(&d); !errors.Is(err, rowan.ErrStale) || !strings.Contains(err.Error(), "from 0 to 1 tokens") {
		t.Errorf("a step that began before: %v", err)
	}
	if tokens, _, _ := v.List(); !slices.Equal(tokens, []string{"b"}) {
		t.Errorf("tokens %q", tokens)
	}
}

func TestGiven(t *testing.T) {
	v, err := vocabulary.Given(options, []string{"x", "y"})
	if err != nil {
		t.Fatal(err)
	}
	if got := learn(t, v, "y", "new"); !slices.Equal(got, []int64{4, 2}) || v.Size() != 5 {
		t.Errorf("a given vocabulary numbers %v of %d, and learns nothing", got, v.Size())
	}
	for says, tokens := range map[string][]string{`"x" twice, at 0 and 2`: {"x", "y", "x"}, `the mask token "" at 1`: {"x", ""}} {
		if _, err := vocabulary.Given(options, tokens); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v, want one that says %q", tokens, err, says)
		}
	}
	strict := vocabulary.New(vocabulary.Options[int64]{})
	if err := strict.Number(nil, make([]int64, 1), []int64{7}); !errors.Is(err, rowan.ErrUnknownKey) {
		t.Errorf("a token without a number: %v", err)
	}
}

func TestFile(t *testing.T) {
	v := vocabulary.New(options)
	learn(t, v, "b", "a", "b", "c", "dd")
	var file bytes.Buffer
	if err := v.Save(&file); err != nil {
		t.Fatal(err)
	}
	load := func(o vocabulary.Options[string]) (*vocabulary.Vocabulary[string], error) {
		again := vocabulary.New(o)
		install, err := again.Load(bytes.NewReader(file.Bytes()))
		if err == nil {
			if again.Size() != o.First() {
				t.Error("the vocabulary is there before it is installed")
			}
			install()
		}
		return again, err
	}
	again, err := load(options)
	if err != nil {
		t.Fatal(err)
	}
	var copied bytes.Buffer
	if err := again.Save(&copied); err != nil || !bytes.Equal(copied.Bytes(), file.Bytes()) {
		t.Errorf("what was read writes another file, %v", err)
	}
	if got := number(t, again, nil, "a", "c"); !slices.Equal(got, []int64{4, 5}) {
		t.Errorf("what was read numbers %v", got)
	}
	masked, few := options, options
	masked.Mask, few.Limit = new("a"), 2
	given, err := vocabulary.Given(options, []string{"z"})
	if err != nil {
		t.Fatal(err)
	}
	first := func(_ any, err error) error { return err }
	for says, err := range map[string]error{
		`the token "a", which is the layer's mask token`:      first(load(masked)),
		"a vocabulary of 3 tokens, the layer's has at most 2": first(load(few)),
		"another vocabulary than the one of 1 tokens":         first(given.Load(bytes.NewReader(file.Bytes()))),
		"a vocabulary of string, the layer one of int64":      first(vocabulary.New(vocabulary.Options[int64]{}).Load(bytes.NewReader(file.Bytes()))),
	} {
		if !errors.Is(err, rowan.ErrMismatch) || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}
