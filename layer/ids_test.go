package layer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// numbers returns the ids that a layer makes of others.
func numbers(t testing.TB, l layer.Layer, a layer.Args, batch tensor.IDs) []int64 {
	t.Helper()
	out := must[*layer.Output](t)(layer.Of(l).Run(context.Background(), a, layer.Value{IDs: batch}))
	return out.Values[0].IDs.(interface{ Values() []int64 }).Values()
}

func words(t testing.TB, w ...string) tensor.IDs {
	t.Helper()
	return must[*tensor.Dense[string]](t)(tensor.NewDense(w))
}

func newIntegerLookup(t testing.TB, most int, o layer.IntegerLookupOptions) *layer.IntegerLookup {
	t.Helper()
	return must[*layer.IntegerLookup](t)(layer.NewIntegerLookup(most, o))
}

// TestLookupsAsKeras reads configs that Keras 3 wrote, compares what the layers
// make of ids with what Keras' made of them, and does so again with the layers
// that our own configs describe, in every dialect that has them.
func TestLookupsAsKeras(t *testing.T) {
	var recorded struct {
		Cases []struct {
			Class   string `json:"class_name"`
			Config  layer.Config
			Inputs  json.RawMessage
			Outputs []int64
		}
	}
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile("testdata/keras_ids.json")), &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded.Cases) < 20 {
		t.Fatalf("%d cases are recorded", len(recorded.Cases))
	}
	for i, c := range recorded.Cases {
		t.Run(fmt.Sprint(i, c.Class), func(t *testing.T) {
			l := must[layer.Layer](t)(layer.FromConfig(c.Class, c.Config))
			for i := range 4 {
				var got []int64
				var text []string
				if json.Unmarshal(c.Inputs, &text) == nil {
					got = numbers(t, l, layer.Args{Training: true}, words(t, text...))
				} else {
					var keys []int64
					if err := json.Unmarshal(c.Inputs, &keys); err != nil {
						t.Fatal(err)
					}
					got = numbers(t, l, layer.Args{Training: true}, ids(t, []int{len(keys)}, keys...).IDs)
				}
				if !slices.Equal(got, c.Outputs) {
					t.Errorf("%v of %s: %v, want %v", c.Config, c.Inputs, got, c.Outputs)
				}
				d := []layer.Dialect{layer.Own, layer.Keras2, layer.TFKeras, layer.Keras3}[i]
				l = must[layer.Layer](t)(layer.Decode(overJSON(t, must[layer.Config](t)(d.Encode(l)))))
			}
		})
	}
}

func overJSON(t testing.TB, c layer.Config) layer.Config {
	t.Helper()
	b := must[[]byte](t)(json.Marshal(c))
	var back layer.Config
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestHashingOfEachKeyType(t *testing.T) {
	l := must[*layer.Hashing](t)(layer.NewHashing(1000, layer.HashingOptions{Mask: new(int64(7))}))
	want := numbers(t, l, layer.Args{}, ids(t, []int{3}, 5, 7, 12).IDs)
	if want[1] != 0 || want[0] == 0 || want[2] == 0 {
		t.Errorf("bins %v: that of the mask is 0", want)
	}
	for _, batch := range []tensor.IDs{
		must[*tensor.Dense[int32]](t)(tensor.NewDense([]int32{5, 7, 12})),
		must[*tensor.Dense[uint64]](t)(tensor.NewDense([]uint64{5, 7, 12})),
		tensor.RaggedOf([]int64{5}, nil, []int64{7, 12}),
	} {
		if got := numbers(t, l, layer.Args{}, batch); !slices.Equal(got, want) {
			t.Errorf("%T: bins %v, want %v", batch, got, want)
		}
	}
	if got := numbers(t, l, layer.Args{}, words(t, "5", "7", "12")); got[0] != want[0] || got[1] == 0 || got[2] != want[2] {
		t.Errorf("strings %v, numbers %v: a number is hashed as it is written, and a string is no masked number", got, want)
	}
}

// TestIntegerLookupLearns has the rules one by one.
func TestIntegerLookupLearns(t *testing.T) {
	l := newIntegerLookup(t, 4, layer.IntegerLookupOptions{})
	train := layer.Args{Training: true}
	for _, step := range []struct {
		a    layer.Args
		keys []int64
		want []int64
	}{
		{layer.Args{}, []int64{9, -1}, []int64{0, 0}},                         // inference adds nothing
		{train, []int64{9, -1, 9, 1 << 60}, []int64{1, 2, 1, 3}},              // in the order in which they come; -1 is a key
		{layer.Args{}, []int64{-1, 5}, []int64{2, 0}},                         // and stays unknown
		{train, []int64{5, 6, 5, 9}, []int64{4, 0, 4, 1}},                     // there is room for one more
		{layer.Args{}, []int64{9, -1, 1 << 60, 5, 6}, []int64{1, 2, 3, 4, 0}}, // for good
	} {
		if got := numbers(t, l, step.a, ids(t, []int{len(step.keys)}, step.keys...).IDs); !slices.Equal(got, step.want) {
			t.Errorf("training %v: %v gives %v, want %v", step.a.Training, step.keys, got, step.want)
		}
	}
	if got := l.GetVocabulary(); !slices.Equal(got, []int64{-1, 9, -1, 1 << 60, 5}) || l.VocabularySize() != 5 {
		t.Errorf("vocabulary %v, size %d", got, l.VocabularySize())
	}
	if got := counts(l); !slices.Equal(got, []uint64{3, 1, 1, 2, 1}) {
		t.Errorf("uses %v, want [3 1 1 2] and 1 of unknown keys: those in training", got)
	}
	l.SetTrainable(false)
	if numbers(t, l, train, ids(t, []int{1}, 9).IDs); !slices.Equal(counts(l), []uint64{3, 1, 1, 2, 1}) {
		t.Errorf("a frozen layer counts: %v", counts(l))
	}
}

func TestIntegerLookupGrowsIfAsked(t *testing.T) {
	l := newIntegerLookup(t, 0, layer.IntegerLookupOptions{})
	keys := make([]int64, 5000)
	for i := range keys {
		keys[i] = int64(i) * 7919
	}
	got := numbers(t, l, layer.Args{Training: true}, ids(t, []int{5000}, keys...).IDs)
	if got[4999] != 5000 || l.VocabularySize() != 5001 {
		t.Errorf("key 5000 has index %d in a vocabulary of %d", got[4999], l.VocabularySize())
	}
}

// TestLookupTwiceInAStep calls one layer from two inputs: they share what the
// step learns, and it counts for both. Without Learn nothing stays.
func TestLookupTwiceInAStep(t *testing.T) {
	l := newIntegerLookup(t, 10, layer.IntegerLookupOptions{Options: layer.Options{Name: "lookup"}})
	e := newEmbedding(t, 11, 2, layer.EmbeddingOptions{})
	scope := layer.NewScope(3)
	var in, out []*layer.Tensor
	for range 2 {
		x := idInput(t, scope)
		in = append(in, x)
		out = append(out, must[*layer.Tensor](t)(e.Apply(must[*layer.Tensor](t)(l.Apply(x)))))
	}
	plan := must[*layer.Plan](t)(layer.NewPlan(in, out))
	if len(plan.Host) != 4 || len(plan.Stateful()) != 1 {
		t.Fatalf("%d host nodes, %d stateful layers", len(plan.Host), len(plan.Stateful()))
	}
	stage := plan.NewHostStage()
	for range 2 { // the second time as if nothing had been
		if _, err := stage.Lookup(t.Context(), true, ids(t, []int{3}, 7, 5, 7), ids(t, []int{3}, 5, 3, 7)); err != nil {
			t.Fatal(err)
		}
		if l.VocabularySize() != 1 {
			t.Fatalf("%d indices before Learn", l.VocabularySize())
		}
	}
	if err := stage.Learn(); err != nil {
		t.Fatal(err)
	}
	if got := l.GetVocabulary(); !slices.Equal(got, []int64{-1, 7, 5, 3}) || !slices.Equal(counts(l), []uint64{3, 2, 1, 0}) {
		t.Errorf("vocabulary %v, uses %v", got, counts(l))
	}
	if err := stage.Learn(); err != nil || l.VocabularySize() != 4 || counts(l)[0] != 3 {
		t.Errorf("a step was learned twice: %v, uses %v", err, counts(l))
	}
	// Taught elsewhere in the middle of a step.
	if _, err := stage.Lookup(t.Context(), true, ids(t, []int{1}, 8), ids(t, []int{1}, 8)); err != nil {
		t.Fatal(err)
	}
	numbers(t, l, layer.Args{Training: true}, ids(t, []int{1}, 9).IDs)
	if err := stage.Learn(); !errors.Is(err, rowan.ErrStale) || !strings.Contains(err.Error(), "lookup") {
		t.Errorf("error %v, want ErrStale", err)
	}
	if got := l.GetVocabulary(); !slices.Equal(got, []int64{-1, 7, 5, 3, 9}) {
		t.Errorf("vocabulary %v after a step that could not be taken", got)
	}
}

// TestLookupByManyGoroutines: calls are whole, whatever runs beside them.
func TestLookupByManyGoroutines(t *testing.T) {
	l := newIntegerLookup(t, 0, layer.IntegerLookupOptions{})
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := range 50 {
				from := int64(g*1000 + i*4)
				batch := ids(t, []int{4}, from, from+1, from+2, from+3).IDs
				got := numbers(t, l, layer.Args{Training: true}, batch)
				for j, n := range got {
					if n != got[0]+int64(j) {
						t.Errorf("indices %v: the new keys of a call follow each other", got)
					}
				}
				if again := numbers(t, l, layer.Args{}, batch); !slices.Equal(again, got) {
					t.Errorf("indices %v became %v", got, again)
				}
			}
		})
	}
	wait.Wait()
	tokens := l.GetVocabulary()[1:]
	slices.Sort(tokens)
	if len(slices.Compact(tokens)) != 8*50*4 {
		t.Errorf("%d keys, want %d", len(tokens), 8*50*4)
	}
}

func TestLookupState(t *testing.T) {
	keys := newIntegerLookup(t, 3, layer.IntegerLookupOptions{NumOOV: 2})
	numbers(t, keys, layer.Args{Training: true}, ids(t, []int{5}, 4, -1, 4, 8, 9).IDs)
	text := must[*layer.StringLookup](t)(layer.NewStringLookup(layer.StringLookupOptions{}))
	numbers(t, text, layer.Args{Training: true}, words(t, "b", "", "b"))
	for _, c := range []struct {
		from, to layer.Stateful
		same     func(a, b layer.Stateful) bool
	}{
		{keys, newIntegerLookup(t, 3, layer.IntegerLookupOptions{NumOOV: 2}), func(a, b layer.Stateful) bool {
			x, y := a.(*layer.IntegerLookup), b.(*layer.IntegerLookup)
			return reflect.DeepEqual(x.GetVocabulary(), y.GetVocabulary()) && reflect.DeepEqual(counts(x), counts(y))
		}},
		{text, must[*layer.StringLookup](t)(layer.NewStringLookup(layer.StringLookupOptions{})), func(a, b layer.Stateful) bool {
			x, y := a.(*layer.StringLookup), b.(*layer.StringLookup)
			return reflect.DeepEqual(x.GetVocabulary(), y.GetVocabulary()) && reflect.DeepEqual(counts(x), counts(y))
		}},
	} {
		var file, again bytes.Buffer
		if err := c.from.SaveState(&file); err != nil {
			t.Fatal(err)
		}
		install := must[func()](t)(c.to.LoadState(bytes.NewReader(file.Bytes())))
		if c.same(c.from, c.to) {
			t.Error("the state was there before it was put in place")
		}
		install()
		if err := c.to.SaveState(&again); err != nil || !c.same(c.from, c.to) || !bytes.Equal(file.Bytes(), again.Bytes()) {
			t.Errorf("%T: another state after it was loaded (%v)", c.to, err)
		}
		if _, err := c.to.LoadState(bytes.NewReader(file.Bytes()[:20])); err == nil {
			t.Error("half a file was loaded")
		}
	}
	var file bytes.Buffer
	if err := keys.SaveState(&file); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]layer.Stateful{
		"at most 2":         newIntegerLookup(t, 2, layer.IntegerLookupOptions{}),
		"another voc":       newIntegerLookup(t, 0, layer.IntegerLookupOptions{Vocabulary: []int64{4, -1}}),
		"mask token":        newIntegerLookup(t, 0, layer.IntegerLookupOptions{Mask: new(int64(8))}),
		"vocabulary of int": text,
	} {
		if _, err := l.LoadState(bytes.NewReader(file.Bytes())); !errors.Is(err, rowan.ErrMismatch) || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want ErrMismatch with %q", err, name)
		}
	}
}

func counts(l interface{ Counts() ([]uint64, uint64) }) []uint64 {
	uses, unknown := l.Counts()
	return append(uses, unknown)
}

func TestIDLayerRefusals(t *testing.T) {
	scope := layer.NewScope(0)
	text := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{IDs: true, KeyType: tensor.String, Scope: scope}))
	lookup := newIntegerLookup(t, 2, layer.IntegerLookupOptions{NumOOV: -1})
	for want, err := range map[string]error{
		"max_tokens=-1":         second(layer.NewIntegerLookup(-1, layer.IntegerLookupOptions{})),
		"num_oov_indices=-2":    second(layer.NewIntegerLookup(1, layer.IntegerLookupOptions{NumOOV: -2})),
		"at most 1048576: take": second(layer.NewIntegerLookup(1, layer.IntegerLookupOptions{NumOOV: 1 << 62})),
		"from 0 to 1048576":     second(layer.FromConfig("StringLookup", layer.Config{"num_oov_indices": 1e12})),
		"has 5 twice":           second(layer.NewIntegerLookup(0, layer.IntegerLookupOptions{Vocabulary: []int64{5, 5}})),
		"mask token 0 at 1":     second(layer.NewIntegerLookup(0, layer.IntegerLookupOptions{Vocabulary: []int64{5, 0}, Mask: new(int64)})),
		"room for, 1":           second(layer.NewIntegerLookup(1, layer.IntegerLookupOptions{Vocabulary: []int64{5, 6}})),
		`has "a" twice`:         second(layer.NewStringLookup(layer.StringLookupOptions{Vocabulary: []string{"a", "a"}})),
		"max_tokens=1 leaves":   second(layer.NewStringLookup(layer.StringLookupOptions{MaxTokens: 1})),
		"max_tokens=3 leaves":   second(layer.NewStringLookup(layer.StringLookupOptions{MaxTokens: 3, Vocabulary: []string{"a", "b", "c"}})),
		"num_bins=0":            second(layer.NewHashing(0, layer.HashingOptions{})),
		"num_bins=1":            second(layer.NewHashing(1, layer.HashingOptions{Mask: new(int64)})),
		"salt=[1 2 3]":          second(layer.NewHashing(1, layer.HashingOptions{Salt: []uint64{1, 2, 3}})),
		"has string":            second(lookup.Apply(text)),
		"behind an input of i":  second(lookup.Apply(input(t, scope, 3))),
		"got 2":                 second(lookup.Apply(idInput(t, scope), idInput(t, scope))),
		"computes on floats":    second(newDense(t, 1, layer.DenseOptions{}).Apply(must[*layer.Tensor](t)(lookup.Apply(idInput(t, scope, 3))))),
		"must be the output":    second(layer.NewPlan([]*layer.Tensor{idInput(t, scope)}, []*layer.Tensor{must[*layer.Tensor](t)(lookup.Apply(idInput(t, scope)))})),
		"takes one batch":       second(lookup.Run(t.Context(), layer.Args{}, floats(t, 1, 2))),
		"int64 or int32, got":   second(lookup.Run(t.Context(), layer.Args{}, layer.Value{IDs: words(t, "a")})),
		"5 at position 0":       second(lookup.Run(t.Context(), layer.Args{}, layer.Value{IDs: tensor.RaggedOf(nil, []int64{5})})),
		"must be \"int\"":       second(layer.FromConfig("StringLookup", layer.Config{"output_mode": "multi_hot"})),
		"must be false":         second(layer.FromConfig("IntegerLookup", layer.Config{"invert": true})),
		`"vocabulary" must be`:  second(layer.FromConfig("IntegerLookup", layer.Config{"vocabulary": []any{nil}})),
		`did you mean "salt"`:   second(layer.FromConfig("Hashing", layer.Config{"num_bins": 3, "sallt": 3})),
		"more than 2":           second(layer.FromConfig("IntegerLookup", layer.Config{"max_tokens": 2, "num_oov_indices": 2})),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

// configuredIDs are layers whose every option is set.
func configuredIDs(t testing.TB, o layer.Options) []layer.Layer {
	return []layer.Layer{
		newIntegerLookup(t, 9, layer.IntegerLookupOptions{Options: o, NumOOV: -1, Mask: new(int64(1 << 40)), Vocabulary: []int64{-1, 7}}),
		newIntegerLookup(t, 0, layer.IntegerLookupOptions{Options: o}),
		must[*layer.StringLookup](t)(layer.NewStringLookup(layer.StringLookupOptions{Options: o, MaxTokens: 9, NumOOV: 3, Mask: new("x"), Vocabulary: []string{"", "b"}})),
		must[*layer.Hashing](t)(layer.NewHashing(9, layer.HashingOptions{Options: o, Mask: new(int64(-7)), Salt: []uint64{1, 2}})),
		must[*layer.Hashing](t)(layer.NewHashing(9, layer.HashingOptions{Options: o, MaskString: new(""), Salt: []uint64{1 << 50}})),
	}
}
