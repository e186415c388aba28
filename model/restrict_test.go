package model

import (
	"errors"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// bounded is a model of one table that holds at most 12 of the 20 ids of likes.
func bounded(t testing.TB, name string) *Model {
	t.Helper()
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "a", IDs: true, Scope: layer.NewScope(5)}))
	items := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(4, layer.DynamicOptions{Options: layer.Options{Name: name},
		RestrictPolicy: rowan.Restrict{Policy: rowan.TimestampPolicy{}, Keep: 12}}))
	x := apply(t, must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{Activation: "sigmoid"})), apply(t, items, in))
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{x}))
	t.Cleanup(func() { m.Tables()[0].Close() })
	check(t, m.Compile(CompileOptions{Optimizer: exactAdam(), OutputOptions: OutputOptions{LossName: "binary_crossentropy"}}))
	return m
}

func someLikes(t testing.TB) *Arrays {
	all := likes(t, 200, 1)
	all.Named = map[string]layer.Value{"a": all.Named["a"]}
	return all
}

// TestEvictionInTraining: a model that clips by the norm of all gradients keeps
// its tables within their bounds after every step; a training that was stopped
// and taken up again evicts what one at a stretch does, and ends in its bytes.
func TestEvictionInTraining(t *testing.T) {
	stop := errors.New("stop")
	until := func(last int64) hook {
		return hook{batch: func(e *Event) error {
			if n := e.Model.Tables()[0].Len(); n > 12 {
				t.Errorf("%d rows after step %d", n, e.Step)
			}
			if e.Step == last {
				return stop
			}
			return nil
		}}
	}
	whole := bounded(t, "item")
	must[History](t)(whole.Fit(t.Context(), someLikes(t), FitOptions{Epochs: 2, Callbacks: []Callback{until(0)}}))

	first := bounded(t, "item")
	if _, err := first.Fit(t.Context(), someLikes(t), FitOptions{Epochs: 2, Callbacks: []Callback{until(9)}}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	_, c := memory(t)
	check(t, first.Save(t.Context(), c, nil))
	second := bounded(t, "item")
	check(t, second.Load(t.Context(), must[*Saved](t)(c.Latest())))
	must[History](t)(second.Fit(t.Context(), someLikes(t), FitOptions{Epochs: 2, Resume: true, Callbacks: []Callback{until(0)}}))
	same(t, saveNew(t, second), saveNew(t, whole))
	a, b, d := whole.Tables()[0].Stats().Evicted, first.Tables()[0].Stats().Evicted, second.Tables()[0].Stats().Evicted
	if a == 0 || b == 0 || a != b+d {
		t.Errorf("%d rows evicted at a stretch, %d and %d in two", a, b, d)
	}
}

// TestWarmStartOfAModel: the table of a model starts from that of another
// model's checkpoint, under another name and without its state, and trains on.
func TestWarmStartOfAModel(t *testing.T) {
	dir := t.TempDir()
	old := bounded(t, "item")
	must[History](t)(old.Fit(t.Context(), someLikes(t), FitOptions{}))
	c := must[*Checkpoints](t)(OpenCheckpoints(dir))
	check(t, old.Save(t.Context(), c, nil))

	next := bounded(t, "article")
	store := must[*rowan.Store](t)(rowan.OpenStore(dir))
	check(t, store.WarmStart(t.Context(), rowan.WarmStart{Names: map[string]string{"article": "item"}, WithoutState: true}, next.Tables()...))
	want, got := rowsOf(t, old.Tables()[0]), rowsOf(t, next.Tables()[0])
	if len(got) != 12 || len(want) != 12 {
		t.Errorf("%d rows, want the old model's %d", len(got), len(want))
	}
	for k, x := range want {
		if got[k] != x {
			t.Errorf("row %d is %v, want %v", k, got[k], x)
		}
	}
	must[History](t)(next.Fit(t.Context(), someLikes(t), FitOptions{}))
	if n := next.Tables()[0].Step(); n != next.Step() {
		t.Errorf("the table is at step %d, the model at %d", n, next.Step())
	}
}

func rowsOf(t testing.TB, table *rowan.Table) map[int64][4]float32 {
	t.Helper()
	rows := make(map[int64][4]float32)
	for part, err := range table.Export(t.Context()) {
		check(t, err)
		for i, k := range part.Keys.(*tensor.Dense[int64]).Values() {
			rows[k] = [4]float32(part.Values.Row(i))
		}
	}
	return rows
}
