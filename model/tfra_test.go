package model

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// tfraTraining is what interop/record_tfra.py has recorded of ten steps of
// TensorFlow Recommenders Addons, TFRA: ids, rows by sum or mean, one dense unit,
// and the mean squared error of its labels.
type tfraTraining struct {
	Keys    []int64   `json:"keys"` // what the table holds before, with Rows
	Rows    []float32 `json:"rows"`
	Kernel  []float32 `json:"kernel"`
	Bias    []float32 `json:"bias"`
	Initial float64   `json:"initial"` // each number of a new row
	Batch   []int     `json:"batch"`
	Batches []struct {
		IDs    []int64   `json:"ids"`
		Labels []float32 `json:"labels"`
	} `json:"batches"`
	Cases []tfraTrained `json:"cases"`
}

type tfraTrained struct {
	Name        string       `json:"name"`
	Config      optim.Config `json:"config"`
	TableConfig optim.Config `json:"table_config"`
	Combiner    string       `json:"combiner"`
	Unique      bool         `json:"unique"`
	Increments  bool         `json:"increments"` // TFRA's bp_v2
	Wrong       string       `json:"wrong"`      // what TFRA does wrong in this case
	Right       string       `json:"right"`      // the case that gives what is right
	Steps       []struct {
		Loss   float32   `json:"loss"`
		Rows   []float32 `json:"rows"` // of the whole table, after the step, by keys
		Kernel []float32 `json:"kernel"`
		Bias   []float32 `json:"bias"`
	} `json:"steps"`
	State map[string][]float32 `json:"state"` // after the last step
}

// TestTFRATraining takes the steps that TFRA took, with its optimizers wrapped
// for dynamic tables: the losses, the whole table and the dense weights after
// each step, and the state of the rows in the end. Batches repeat keys, in a bag
// and across bags; a key is away for five steps, and neither its row nor its
// state moves; keys come that the table does not hold, one in step 6. Of these
// TFRA differs:
//
//   - without unique, of rows that repeat in a batch the last one that is written
//     stays; here the option changes nothing, and the case is that with unique;
//   - rows and state written as increments lose the first update of a row that is
//     there before its state; increments of rows alone are as they should be. Here
//     both are written to two row stores, and nothing is lost;
//   - the state of Keras 2.11's Adagrad and Ftrl starts at 0 and not where their
//     option says: the table has an optimizer of its own here to follow that.
//
// Tolerances: see numbersNear.
func TestTFRATraining(t *testing.T) {
	golden := readTFRATraining(t)
	cases := map[string]*tfraTrained{}
	for i := range golden.Cases {
		cases[golden.Cases[i].Name] = &golden.Cases[i]
	}
	if len(cases) != 20 || len(golden.Batches) != 10 {
		t.Fatalf("%d cases of %d steps, want 20 of 10", len(cases), len(golden.Batches))
	}
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) {
			want := &c
			if c.Wrong != "" {
				want = cases[c.Right]
				if slices.Equal(want.Steps[0].Rows, c.Steps[0].Rows) {
					t.Errorf("TFRA's first step is that of %q: not %s", c.Right, c.Wrong)
				}
			}
			o := layer.DynamicOptions{WithoutUnique: !c.Unique}
			if c.Increments {
				o.BPV2, o.Devices = true, []string{"memory:", "memory:"}
			}
			golden.replay(t, want, o)
		})
	}
}

func readTFRATraining(t *testing.T) *tfraTraining {
	t.Helper()
	text := must[[]byte](t)(os.ReadFile(filepath.Join("testdata", "tfra-training.json")))
	var golden tfraTraining
	check(t, json.Unmarshal(text, &golden))
	return &golden
}

// replay takes the steps of a case, with some options of the embedding.
func (g *tfraTraining) replay(t *testing.T, c *tfraTrained, o layer.DynamicOptions) {
	t.Helper()
	m, table := g.model(t, c, o)
	for i, b := range g.Batches {
		batch := &Batch{
			Inputs: []layer.Value{{IDs: must[*tensor.Dense[int64]](t)(tensor.NewDense(b.IDs, g.Batch...))}},
			Labels: []*tensor.Values{floats(t, b.Labels, g.Batch[0], 1)},
		}
		loss := must[float64](t)(m.TrainOnBatch(t.Context(), batch))
		want, at := c.Steps[i], fmt.Sprintf("step %d: ", i+1)
		numbersNear(t, at+"loss", []float32{float32(loss)}, []float32{want.Loss})
		_, rows := exported(t, table)
		numbersNear(t, at+"row", rows, want.Rows)
		weights := layer.DenseVariables(m.Weights())
		numbersNear(t, at+"kernel", weights[0].Value(), want.Kernel)
		numbersNear(t, at+"bias", weights[1].Value(), want.Bias)
	}
	for slot, want := range c.State {
		var got []float32
		for r, err := range table.ExportSlot(t.Context(), slot) {
			check(t, err)
			got = append(got, r.Values.Data()...)
		}
		numbersNear(t, slot, got, want)
	}
}

// model makes the model of a case, with the weights that its training began with.
func (g *tfraTraining) model(t *testing.T, c *tfraTrained, o layer.DynamicOptions) (*Model, *rowan.Table) {
	t.Helper()
	in := must[*layer.Tensor](t)(layer.Input(layer.InputOptions{Name: "ids", IDs: true, Scope: layer.NewScope(0), Shape: layer.Shape{g.Batch[1]}}))
	o.Pool = must[rowan.Combiner](t)(rowan.ParseCombiner(c.Combiner))
	o.Initializer = initializer.Constant{Value: g.Initial}
	o.Optimizer = must[*optim.Optimizer](t)(optim.FromConfig(c.TableConfig))
	e := must[*layer.DynamicEmbedding](t)(layer.NewDynamicEmbedding(2, o))
	d := must[*layer.Dense](t)(layer.NewDense(1, layer.DenseOptions{}))
	m := must[*Model](t)(New([]*layer.Tensor{in}, []*layer.Tensor{apply(t, d, apply(t, e, in))}))
	t.Cleanup(func() { e.Table().Close() })
	check(t, d.SetWeights([][]float32{g.Kernel, g.Bias}))
	check(t, m.Compile(CompileOptions{Optimizer: must[*optim.Optimizer](t)(optim.FromConfig(c.Config)), OutputOptions: OutputOptions{LossName: "mse"}}))
	keys := must[*tensor.Dense[int64]](t)(tensor.NewDense(g.Keys))
	check(t, e.Table().Upsert(t.Context(), keys, floats(t, g.Rows, len(g.Keys), 2)))
	return m, e.Table()
}

func exported(t *testing.T, table *rowan.Table) (keys []int64, rows []float32) {
	t.Helper()
	for r, err := range table.Export(t.Context()) {
		check(t, err)
		keys = append(keys, r.Keys.(*tensor.Dense[int64]).Values()...)
		rows = append(rows, r.Values.Data()...)
	}
	return keys, rows
}

// numbersNear compares numbers of at most some units: losses and gradients are
// sums of a dozen float32 in another order, ten steps add their errors up, and an
// adaptive step divides by a root of them.
func numbersNear(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if !(math.Abs(float64(got[i]-w)) <= 5e-6*max(1, math.Abs(float64(w)))) {
			t.Fatalf("%s %d is %v, want %v", what, i, got[i], w)
		}
	}
}
