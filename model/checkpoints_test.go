package model

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/internal/vfs"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// trainedModel is a model some steps into its second epoch, and its checkpoint in memory.
func trainedModel(t testing.TB) (*Model, vfs.FS, *Checkpoints) {
	t.Helper()
	m := compileHybrid(t, 5)
	stop := errors.New("stop")
	_, err := m.Fit(t.Context(), likes(t, trainExamples, 1), FitOptions{Epochs: 2, Callbacks: []Callback{hook{batch: func(e *Event) error {
		if e.Step == 13 {
			return stop
		}
		return nil
	}}}})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	fsys, c := memory(t)
	check(t, m.Save(t.Context(), c, nil))
	return m, fsys, c
}

func TestLoadOfAnotherModel(t *testing.T) {
	_, _, c := trainedModel(t)
	latest := must[*Saved](t)(c.Latest())
	loss := OutputOptions{LossName: "mse"}
	for _, x := range []struct {
		name string
		make func() *Model
		want []string
	}{
		{"other layers", func() *Model { return weighted(t, 1, 1) }, []string{"2 tables", "the model 1"}},
		{"other optimizer", func() *Model {
			m := hybrid(t, 5)
			check(t, m.Compile(CompileOptions{OutputOptions: loss}))
			return m
		}, []string{"Adam", "RMSprop"}},
		{"lazy optimizer", func() *Model {
			m := hybrid(t, 5)
			check(t, m.Compile(CompileOptions{Optimizer: &optim.Optimizer{Updater: optim.NewAdam()}, OutputOptions: loss}))
			return m
		}, []string{"item", "last step"}},
		{"other seed", func() *Model { return compileHybrid(t, 6) }, []string{"seed"}},
		{"frozen", func() *Model {
			m := hybrid(t, 5)
			layer.Of(m.Layer("dense")).SetTrainable(false)
			check(t, m.Compile(CompileOptions{Optimizer: exactAdam(), OutputOptions: loss}))
			return m
		}, []string{"arrays"}},
		{"other metrics", func() *Model {
			m := hybrid(t, 5)
			check(t, m.Compile(CompileOptions{Optimizer: exactAdam(), OutputOptions: OutputOptions{LossName: "mse", MetricNames: []string{"rmse", "auc", "mae"}}}))
			return m
		}, []string{"metric"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			m := x.make()
			err := m.Load(t.Context(), latest)
			wants(t, err, x.want...)
			if m.Step() != 0 || m.Tables()[0].Step() != 0 {
				t.Errorf("step %d, of the table %d after a refused checkpoint", m.Step(), m.Tables()[0].Step())
			}
		})
	}
	wants(t, compileHybrid(t, 5).Load(t.Context(), nil), "nil")
}

// A load that fails in any file leaves the model as it was.
func TestLoadOfADamagedCheckpoint(t *testing.T) {
	_, fsys, c := trainedModel(t)
	latest := must[*Saved](t)(c.Latest())
	m := compileHybrid(t, 5)
	must[History](t)(m.Fit(t.Context(), likes(t, 30, 3), FitOptions{}))
	before := saveNew(t, m)
	for _, name := range must[[]string](t)(fsys.ReadDir(latest.Dir())) {
		path := filepath.Join(latest.Dir(), name)
		good := must[[]byte](t)(vfs.ReadFile(fsys, path, 1<<30))
		for _, at := range []int{0, len(good) / 2, len(good) - 1} {
			bad := append([]byte(nil), good...)
			bad[at] ^= 0x10
			write(t, fsys, path, bad)
			s, err := c.Latest()
			if err == nil {
				err = m.Load(t.Context(), s)
			}
			if err == nil {
				t.Errorf("%s with byte %d changed was loaded", name, at)
			}
			// Metrics of an epoch under way are let go first: none are, here.
			same(t, saveNew(t, m), before)
		}
		write(t, fsys, path, good)
	}
	check(t, m.Load(t.Context(), must[*Saved](t)(c.Latest())))
}

func write(t testing.TB, fsys vfs.FS, path string, b []byte) {
	t.Helper()
	f := must[vfs.File](t)(fsys.Create(path))
	must[int](t)(f.Write(b))
	check(t, f.Close())
}

func saveNew(t testing.TB, m *Model) map[string]string {
	t.Helper()
	fsys, c := memory(t)
	check(t, m.Save(t.Context(), c, nil))
	return files(t, fsys, c)
}

// A save that fails at any operation leaves the checkpoints before, and the
// model able to save again.
func TestSaveThatFails(t *testing.T) {
	m, _, _ := trainedModel(t)
	want := saveNew(t, m)
	full := errors.New("disk full")
	for n := int64(1); ; n++ {
		if n > 500 {
			t.Fatal("the save never succeeds")
		}
		mem := vfs.NewMem()
		first := must[*Checkpoints](t)(openCheckpoints(mem, "/ck"))
		check(t, m.Save(t.Context(), first, nil))
		failing, err := openCheckpoints(vfs.NewFailing(mem, vfs.FailAt(n, full)), "/ck")
		if err == nil {
			err = m.Save(t.Context(), failing, nil)
		}
		same(t, files(t, mem, first), want)
		if err == nil {
			return
		}
		if !errors.Is(err, full) {
			t.Fatalf("operation %d: %v", n, err)
		}
		check(t, m.Save(t.Context(), first, nil))
	}
}

func TestSaveAfterLoadGivesTheSameBytes(t *testing.T) {
	m, _, c := trainedModel(t)
	again := compileHybrid(t, 5)
	check(t, again.Load(t.Context(), must[*Saved](t)(c.Latest())))
	same(t, saveNew(t, again), saveNew(t, m))
	if again.Step() != 13 || len(again.History()) != 1 {
		t.Errorf("step %d, %d epochs", again.Step(), len(again.History()))
	}
}

func TestTablesOfACheckpointInAStore(t *testing.T) {
	dir := t.TempDir()
	m := compileHybrid(t, 5)
	must[History](t)(m.Fit(t.Context(), likes(t, 50, 1), FitOptions{}))
	c := must[*Checkpoints](t)(OpenCheckpoints(dir))
	check(t, m.Save(t.Context(), c, nil))
	again := compileHybrid(t, 5)
	store := must[*rowan.Store](t)(rowan.OpenStore(dir))
	step := must[int64](t)(store.Load(t.Context(), nil, again.Tables()...))
	if step != 4 || again.Tables()[0].Len() != m.Tables()[0].Len() {
		t.Errorf("step %d, %d rows", step, again.Tables()[0].Len())
	}
	check(t, must[*Saved](t)(c.Latest()).Verify(t.Context()))
	wants(t, must[*Saved](t)(c.At(4)).Config(new(int)), "without a config")
	if _, err := c.At(5); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("step 5: %v", err)
	}
}

func TestWeightsWithoutCompile(t *testing.T) {
	stack := func() *Sequential {
		in := must[layer.Layer](t)(Start(layer.InputOptions{Shape: layer.Shape{2}}))
		return must[*Sequential](t)(NewSequential(in, must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{}))))
	}
	m := stack()
	check(t, m.Compile(CompileOptions{OutputOptions: OutputOptions{LossName: "mse"}}))
	a := &Arrays{Inputs: []layer.Value{{Floats: floats(t, []float32{1, 2, 3, 4}, 2, 2)}}, Labels: []*tensor.Values{floats(t, []float32{1, 2}, 2)}}
	must[History](t)(m.Fit(t.Context(), a, FitOptions{Epochs: 3}))
	_, c := memory(t)
	check(t, m.Save(t.Context(), c, nil))
	again := stack()
	check(t, again.Load(t.Context(), must[*Saved](t)(c.Latest())))
	a.Labels = nil
	got, want := must[[]*tensor.Values](t)(again.Predict(t.Context(), a)), must[[]*tensor.Values](t)(m.Predict(t.Context(), a))
	if got[0].Data()[0] != want[0].Data()[0] {
		t.Errorf("predictions %v, want %v", got[0].Data(), want[0].Data())
	}
}
