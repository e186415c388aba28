package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// vocabularies is a model with a vocabulary of integers, shared by two inputs,
// in front of a dynamic table, and one of strings in front of a static table.
func vocabularies(t testing.TB) *Model {
	t.Helper()
	scope := layer.NewScope(3)
	in := func(o layer.InputOptions) *layer.Tensor {
		o.IDs, o.Scope = true, scope
		return must[*layer.Tensor](t)(layer.Input(o))
	}
	a, b := in(layer.InputOptions{Name: "a"}), in(layer.InputOptions{Name: "b"})
	tags := in(layer.InputOptions{Name: "tags", KeyType: tensor.String, Ragged: true})
	keys := must[*layer.IntegerLookup](t)(layer.NewIntegerLookup(12, layer.IntegerLookupOptions{Options: layer.Options{Name: "keys"}}))
	words := must[*layer.StringLookup](t)(layer.NewStringLookup(layer.StringLookupOptions{Options: layer.Options{Name: "words"}}))
	item := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(4, layer.DynamicOptions{Options: layer.Options{Name: "item"}}))
	tag := must[*layer.Embedding](t)(layer.NewEmbedding(10, 4, layer.EmbeddingOptions{Options: layer.Options{Name: "tag"}, Combiner: rowan.Sum}))
	join := must[*layer.Concatenate](t)(layer.NewConcatenate(-1, layer.Options{}))
	x := apply(t, join, apply(t, item, apply(t, keys, a)), apply(t, item, apply(t, keys, b)), apply(t, tag, apply(t, words, tags)))
	x = apply(t, must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Activation: "sigmoid"})), x)
	m := must[*Model](t)(New([]*layer.Tensor{a, b, tags}, []*layer.Tensor{x}))
	t.Cleanup(func() {
		for _, table := range m.Tables() {
			table.Close()
		}
	})
	check(t, m.Compile(CompileOptions{Optimizer: exactAdam(), OutputOptions: OutputOptions{LossName: "binary_crossentropy"}}))
	return m
}

func known(m *Model) (keys []int64, words []string) {
	return m.Layer("keys").(*layer.IntegerLookup).GetVocabulary(), m.Layer("words").(*layer.StringLookup).GetVocabulary()
}

// TestVocabulariesResume stops in the middle, and ends with the bytes of a run
// that was not stopped: vocabularies and their counts too.
func TestVocabulariesResume(t *testing.T) {
	run := func(stops ...int64) map[string]string {
		fsys, c := memory(t)
		for i := 0; ; i++ {
			m := vocabularies(t)
			if i > 0 {
				check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
			}
			ctx, cancel := context.WithCancel(t.Context())
			_, err := m.Fit(ctx, likes(t, trainExamples, 1), FitOptions{Epochs: 2, Resume: true, Callbacks: []Callback{hook{batch: func(e *Event) error {
				if i < len(stops) && e.Step == stops[i] {
					cancel()
				}
				return nil
			}}}})
			cancel()
			check(t, m.Save(t.Context(), c, nil))
			if err == nil {
				return files(t, fsys, c)
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
	}
	want := run()
	for _, name := range []string{"layer-keys.state", "layer-words.state"} {
		if want[name] == "" {
			t.Errorf("no file %s among %d", name, len(want))
		}
	}
	for _, stops := range [][]int64{{1}, {2, 9}, {13}} {
		t.Run(fmt.Sprint(stops), func(t *testing.T) { same(t, run(stops...), want) })
	}
}

func TestOnlyTrainingTeaches(t *testing.T) {
	m := vocabularies(t)
	data := likes(t, 40, 1)
	must[[]*tensor.Values](t)(m.Predict(t.Context(), data))
	must[Logs](t)(m.Evaluate(t.Context(), data))
	if keys, words := known(m); len(keys) != 1 || len(words) != 1 {
		t.Fatalf("predictions taught %v and %v", keys, words)
	}
	// A step that fails teaches nothing, and the next one numbers as if it had not been.
	bad := likes(t, 16, 2)
	bad.Labels = []*tensor.Values{floats(t, slices.Repeat([]float32{float32(math.NaN())}, 16), 16)}
	if _, err := m.Fit(t.Context(), bad, FitOptions{}); err == nil {
		t.Fatal("a step of labels that are NaN was made")
	}
	if keys, words := known(m); len(keys) != 1 || len(words) != 1 {
		t.Fatalf("a step that failed taught %v and %v", keys, words)
	}
	must[History](t)(m.Fit(t.Context(), data, FitOptions{}))
	other := vocabularies(t)
	must[History](t)(other.Fit(t.Context(), likes(t, 40, 1), FitOptions{}))
	keys, words := known(m)
	if k, w := known(other); !slices.Equal(k, keys) || !slices.Equal(w, words) || len(k) != 13 || len(w) != 10 {
		t.Errorf("vocabularies %v and %v, of a model without a failed step %v and %v", keys, words, k, w)
	}
}

func TestBestWeightsAndTheirVocabulary(t *testing.T) {
	m := vocabularies(t)
	var after [][]int64
	note := hook{epoch: func(*Event) error {
		keys, _ := known(m)
		after = append(after, keys)
		return nil
	}}
	// The loss of a validation that only grows: the first epoch is the best.
	stop := &EarlyStopping{Monitor: "loss", Mode: "max", Patience: 1, RestoreBest: true}
	must[History](t)(m.Fit(t.Context(), likes(t, 8, 1), FitOptions{Epochs: 3, Callbacks: []Callback{note, stop}}))
	must[History](t)(m.Fit(t.Context(), likes(t, 8, 1), FitOptions{Epochs: 3, Callbacks: []Callback{note, stop}}))
	uses, _ := m.Layer("keys").(*layer.IntegerLookup).Counts()
	total := uint64(0)
	for _, n := range uses {
		total += n
	}
	if keys, _ := known(m); !slices.Equal(keys, after[0]) || total != 2*2*8 {
		t.Errorf("vocabulary %v with %d uses: want that of the first epochs, %v with 32", keys, total, after[0])
	}
}

func TestVocabularyOfAnotherModel(t *testing.T) {
	m := vocabularies(t)
	must[History](t)(m.Fit(t.Context(), likes(t, 30, 1), FitOptions{}))
	_, c := memory(t)
	check(t, m.Save(t.Context(), c, nil))
	s := compileHybrid(t, 5)
	wants(t, s.Load(t.Context(), must[*Saved](t)(c.Latest())), `"keys" "words"`, "[]")
}

// TestSequentialOfIDs begins with a vocabulary: the model is one when a layer of
// floats has come.
func TestSequentialOfIDs(t *testing.T) {
	words := must[*layer.StringLookup](t)(layer.NewStringLookup(layer.StringLookupOptions{Options: layer.Options{InputShape: layer.Shape{2}}}))
	s := must[*Sequential](t)(NewSequential(words))
	wants(t, s.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse"}}), "add a layer first")
	check(t, s.Add(must[*layer.Embedding](t)(layer.NewEmbedding(4, 1, layer.EmbeddingOptions{}))))
	check(t, s.Add(must[*layer.Flatten](t)(layer.NewFlatten(layer.Options{}), nil)))
	defer s.Tables()[0].Close()
	check(t, s.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.NewAdagrad()}, OutputOptions: OutputOptions{LossName: "mse"}}))
	batch := layer.Value{IDs: must[*tensor.Dense[string]](t)(tensor.NewDense([]string{"b", "a", "b", "c"}, 2, 2))}
	must[History](t)(s.Fit(t.Context(), &Arrays{Inputs: []layer.Value{batch}, Labels: []*tensor.Values{floats(t, []float32{1, 2, 3, 4}, 2, 2)}}, FitOptions{}))
	if got := words.GetVocabulary(); strings.Join(got, " ") != "[UNK] b a c" {
		t.Errorf("vocabulary %v", got)
	}
}

// TestLookupModelOfKeras reads a model with a vocabulary that Keras 3 wrote, and
// its own form of it.
func TestLookupModelOfKeras(t *testing.T) {
	text := must[[]byte](t)(os.ReadFile("../layer/testdata/keras_ids_model.json"))
	for range 2 {
		m := must[*Model](t)(FromJSON(text, ConfigOptions{}))
		defer m.Tables()[0].Close()
		if got := m.Layer("lookup").(*layer.StringLookup).GetVocabulary(); !slices.Equal(got, []string{"[UNK]", "a", "b"}) {
			t.Errorf("vocabulary %v", got)
		}
		batch := layer.Value{IDs: must[*tensor.Dense[string]](t)(tensor.NewDense([]string{"b", "x", "b"}, 1, 3))}
		out := must[[]*tensor.Values](t)(m.Predict(t.Context(), &Arrays{Inputs: []layer.Value{batch}}))[0]
		if d := out.Data(); len(d) != 6 || d[0] != d[4] || d[0] == d[2] {
			t.Errorf("rows %v of b, x and b", d)
		}
		text = must[[]byte](t)(m.ToJSON(layer.Keras3))
	}
}

// TestLookupOfStoredIDs trains an embedding of the genres that a table keeps beside
// films, which is saved with the model and not trained.
func TestLookupOfStoredIDs(t *testing.T) {
	make := func() (*Model, *layer.DynamicLookup, *layer.Embedding) {
		film := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{IDs: true, Shape: layer.Shape{1}, Scope: layer.NewScope(1)}))
		genres := must[*layer.DynamicLookup](t)(layer.NewDynamicLookup(2, rowan.Int64, layer.DynamicLookupOptions{}))
		rows := must[*layer.Embedding](t)(layer.NewEmbedding(5, 3, layer.EmbeddingOptions{}))
		x := apply(t, must[*layer.Flatten](t)(layer.NewFlatten(layer.Options{}), nil), apply(t, rows, apply(t, genres, film)))
		m := must[*Model](t)(New([]*layer.Tensor{film}, []*layer.Tensor{apply(t, must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{})), x)}))
		t.Cleanup(func() {
			for _, table := range m.Tables() {
				table.Close()
			}
		})
		check(t, m.Compile(CompileOptions{Optimizer: exactAdam(), OutputOptions: OutputOptions{LossName: "mse"}}))
		return m, genres, rows
	}
	m, genres, rows := make()
	table := must[*rowan.TableOf[int64]](t)(rowan.AsTableOf[int64](genres.Table()))
	films := must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{70, 71}, 2, 1))
	check(t, table.Upsert(t.Context(), films, rowan.Array[int64]{Data: []int64{1, 2, 3, 2}}))
	read := func(l *layer.Embedding) []float32 {
		return must[*rowan.Lookup](t)(l.Table().Lookup(t.Context(), must[*tensor.Dense[int64]](t)(tensor.NewDense([]int64{0, 1, 2, 3, 4})), rowan.LookupOptions{})).Values().Data()
	}
	before := slices.Clone(read(rows))
	data := &Arrays{Inputs: []layer.Value{{IDs: films}}, Labels: []*tensor.Values{floats(t, []float32{1, -1}, 2, 1)}}
	must[History](t)(m.Fit(t.Context(), data, FitOptions{Epochs: 2}))
	after := read(rows)
	for id := range 5 {
		trained := !slices.Equal(before[3*id:3*id+3], after[3*id:3*id+3])
		if trained != (id >= 1 && id <= 3) {
			t.Errorf("genre %d was trained: %v", id, trained)
		}
	}
	_, c := memory(t)
	check(t, m.Save(t.Context(), c, nil))
	other, stored, _ := make()
	check(t, other.Load(t.Context(), must[*Saved](t)(c.Latest())))
	got := must[*rowan.LookupOf[int64]](t)(must[*rowan.TableOf[int64]](t)(rowan.AsTableOf[int64](stored.Table())).Lookup(t.Context(), films, rowan.LookupOptions{}))
	if !slices.Equal(got.Values().Data, []int64{1, 2, 3, 2}) || stored.Table().Len() != 2 {
		t.Errorf("loaded %v", got.Values().Data)
	}
	a, b := must[[]*tensor.Values](t)(m.Predict(t.Context(), data)), must[[]*tensor.Values](t)(other.Predict(t.Context(), data))
	if !slices.Equal(a[0].Data(), b[0].Data()) {
		t.Errorf("predictions %v, of the model loaded %v", a[0].Data(), b[0].Data())
	}
}
