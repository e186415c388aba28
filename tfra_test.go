package rowan_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// The tests of this file repeat what interop/record_tfra.py has recorded of
// TensorFlow Recommenders Addons, TFRA, on its tables of the CPU.

// readGolden reads a file of testdata into v.
func readGolden(t *testing.T, name string, v any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// keyed is rows by ascending keys.
type keyed struct {
	Keys   []int64   `json:"keys"`
	Values []float32 `json:"values"`
}

// write upserts the rows into a table of width 2.
func (k keyed) write(t *testing.T, table *rowan.Table) {
	t.Helper()
	check(table.Upsert(t.Context(), must(tensor.NewDense(k.Keys)), must(tensor.NewValues(k.Values, len(k.Keys), 2))))
}

// rowsOf reads all rows of a table.
func rowsOf(t *testing.T, table *rowan.Table) keyed {
	t.Helper()
	all := keyed{Keys: []int64{}, Values: []float32{}}
	for r, err := range table.Export(t.Context()) {
		check(err)
		all.Keys = append(all.Keys, r.Keys.(*tensor.Dense[int64]).Values()...)
		all.Values = append(all.Values, r.Values.Data()...)
	}
	return all
}

func (k keyed) equal(other keyed) bool {
	return slices.Equal(k.Keys, other.Keys) && slices.Equal(k.Values, other.Values)
}

// pairTable is a dynamic table of rows of two zeros, trained by what subtracts
// the gradient.
func pairTable(t *testing.T, o rowan.TableOptions) *rowan.Table {
	t.Helper()
	o.Name, o.Width, o.Initializer = "pairs", 2, initializer.Zeros{}
	if o.Optimizer == nil {
		o.Optimizer = &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}
	}
	table := must(rowan.NewTable(o))
	t.Cleanup(func() { table.Close() })
	return table
}

type tfraLookups struct {
	Keys     []int64     `json:"keys"` // those of Rows, and one that the table does not hold
	Rows     []float32   `json:"rows"`
	Bags     [][]int64   `json:"bags"`
	Weights  [][]float32 `json:"weights"`
	Upstream []float32   `json:"upstream"`
	Bounded  []*float32  `json:"bounded"`
	Deep     struct {
		Indices []int64    `json:"indices"`
		IDs     []int64    `json:"ids"`
		Shape   []int      `json:"shape"`
		ByRow   []*float32 `json:"by_row"`
		ByLast  []*float32 `json:"by_last"`
	} `json:"deep"`
	Cases []tfraLookup `json:"cases"`
}

type tfraLookup struct {
	Function  string     `json:"function"`
	Layout    string     `json:"layout"`
	Combiner  string     `json:"combiner"`
	Weighted  bool       `json:"weighted"`
	DefaultID *int64     `json:"default_id"`
	Values    []*float32 `json:"values"`
	Gradient  []*float32 `json:"gradient"`
	Read      []int64    `json:"read"` // the keys that TFRA read, and training would store
}

func (c *tfraLookup) safe() bool { return c.Function == "safe_embedding_lookup_sparse" }

func (c *tfraLookup) String() string {
	of := "none"
	if c.DefaultID != nil {
		of = strconv.FormatInt(*c.DefaultID, 10)
	}
	return fmt.Sprintf("%s/%s/%s/weighted=%v/default=%s", c.Function, c.Layout, c.Combiner, c.Weighted, of)
}

// TestTFRALookups pools bags as embedding_lookup_sparse and its safe form do, and
// as their ragged twins: values, gradients, default id, ids left out. Where TFRA
// differs: rows at the end that have no ids are missing from its result, here
// they are zeros; a bag whose weights come to nothing is NaN there, zeros here;
// and without a default id it reads key 0 in the place of an empty bag, which
// training stores. Tolerance: sums of up to three float32 in another order.
func TestTFRALookups(t *testing.T) {
	var golden tfraLookups
	readGolden(t, "tfra-lookups.json", &golden)
	if len(golden.Cases) != 36 {
		t.Fatalf("%d cases, want 36", len(golden.Cases))
	}
	missing, notNumbers := 0, 0
	for _, c := range golden.Cases {
		t.Run(c.String(), func(t *testing.T) {
			values, gradient, after := golden.run(t, &c)
			missing += len(values) - len(c.Values)
			for i, v := range values {
				switch {
				case i >= len(c.Values) && v != 0:
					t.Errorf("value %d is %v, want 0: its row has no ids", i, v)
				case i < len(c.Values) && c.Values[i] == nil:
					if notNumbers++; v != 0 {
						t.Errorf("value %d is %v, want 0 where the weights come to nothing", i, v)
					}
				}
			}
			same(t, "values", values[:len(c.Values)], c.Values)
			same(t, "gradient", gradient, c.Gradient)
			if read0 := slices.Contains(c.Read, 0); read0 != (c.safe() && c.DefaultID == nil) {
				t.Errorf("read %v in TFRA: key 0 is what a safe lookup without a default id adds", c.Read)
			}
			if slices.Contains(after.Keys, 0) {
				t.Errorf("training stored key 0, which nobody named: %v", after.Keys)
			}
		})
	}
	if missing == 0 || notNumbers == 0 {
		t.Errorf("%d values missing, %d not numbers: the cases in which TFRA differs are gone", missing, notNumbers)
	}
}

// run looks the bags up, and returns the gradient of each of g.Keys.
func (g *tfraLookups) run(t *testing.T, c *tfraLookup) (values, gradient []float32, after keyed) {
	t.Helper()
	table := g.table(t, 0)
	before := must(table.Lookup(t.Context(), must(tensor.NewDense(g.Keys)), rowan.LookupOptions{})).Values()
	l := must(table.Lookup(t.Context(), g.ids(c.Layout, c.Weighted), rowan.LookupOptions{
		Combiner: must(rowan.ParseCombiner(c.Combiner)), Training: true, DefaultID: c.DefaultID, Prune: c.safe()}))
	upstream := slices.Clone(g.Upstream)
	clear(upstream[len(c.Values):]) // of the rows that TFRA leaves out
	collected := table.NewGradients()
	check(collected.Add(l, must(tensor.NewValues(upstream, len(g.Bags), 2))))
	check(table.Apply(t.Context(), collected, rowan.Step{}))
	rows := must(table.Lookup(t.Context(), must(tensor.NewDense(g.Keys)), rowan.LookupOptions{})).Values().Data()
	for i, w := range before.Data() {
		gradient = append(gradient, w-rows[i])
	}
	return l.Values().Data(), gradient, rowsOf(t, table)
}

// table holds g.Rows.
func (g *tfraLookups) table(t *testing.T, maxNorm float32) *rowan.Table {
	t.Helper()
	table := pairTable(t, rowan.TableOptions{MaxNorm: maxNorm})
	keyed{g.Keys[:len(g.Rows)/2], g.Rows}.write(t, table)
	return table
}

// ids returns the bags as ragged ids, or as sparse ones in every other column.
func (g *tfraLookups) ids(layout string, weighted bool) tensor.IDs {
	var at, flat []int64
	var weights []float32
	for i, b := range g.Bags {
		for j, id := range b {
			at, flat = append(at, int64(i), int64(2*j)), append(flat, id)
		}
		weights = append(weights, g.Weights[i]...)
	}
	ragged, sparse := tensor.RaggedOf(g.Bags...), must(tensor.NewSparse(at, flat, len(g.Bags), 6))
	if weighted {
		ragged, sparse = must(ragged.WithWeights(weights)), must(sparse.WithWeights(weights))
	}
	if layout == "ragged" {
		return ragged
	}
	return sparse
}

// TestTFRALookupsOfMoreDimensions pools ids of three dimensions: by their first
// as embedding_lookup_sparse, over the last as its safe form. Sums of numbers
// that float32 adds without rounding: equal.
func TestTFRALookupsOfMoreDimensions(t *testing.T) {
	var golden tfraLookups
	readGolden(t, "tfra-lookups.json", &golden)
	table, d := golden.table(t, 0), golden.Deep
	ids := must(tensor.NewSparse(d.Indices, d.IDs, d.Shape...))
	for what, c := range map[string]struct {
		ids   tensor.IDs
		shape []int
		want  []*float32
	}{
		"by row":  {must(ids.ByRow()), []int{2, 2}, d.ByRow},
		"by last": {ids, []int{2, 2, 2}, d.ByLast},
	} {
		v := must(table.Lookup(t.Context(), c.ids, rowan.LookupOptions{Combiner: rowan.Sum})).Values()
		if !slices.Equal(v.Shape(), c.shape) {
			t.Errorf("%s: shape %v, want %v", what, v.Shape(), c.shape)
		}
		same(t, what, v.Data(), c.want)
	}
}

// TestTFRABoundedLookup sums rows whose norm max_norm bounds.
func TestTFRABoundedLookup(t *testing.T) {
	var golden tfraLookups
	readGolden(t, "tfra-lookups.json", &golden)
	v := must(golden.table(t, 2).Lookup(t.Context(), golden.ids("sparse", false), rowan.LookupOptions{Combiner: rowan.Sum})).Values().Data()
	if len(golden.Bounded) != len(v)-2 {
		t.Fatalf("%d numbers recorded, want %d: without the row at the end", len(golden.Bounded), len(v)-2)
	}
	same(t, "values", v[:len(golden.Bounded)], golden.Bounded)
}

// TestTFRABoundedStep trains rows whose norm is bounded: of what is read, and of
// what is stored, one that was inside the bound and one that is new. Where TFRA
// differs: of a row that was cut when it was read, part of the gradient is lost or
// not by how the norm of the cut row was rounded; here the cut row moves by the
// whole gradient, as in PyTorch. Tolerance: rows are divided by their norm.
func TestTFRABoundedStep(t *testing.T) {
	var golden struct {
		Cases []struct {
			MaxNorm  float32    `json:"max_norm"`
			Initial  float64    `json:"initial"`
			Rate     float64    `json:"rate"`
			Before   keyed      `json:"before"`
			IDs      []int64    `json:"ids"`
			Upstream []float32  `json:"upstream"`
			Values   []*float32 `json:"values"`
			After    struct {
				Keys   []int64    `json:"keys"`
				Values []*float32 `json:"values"`
			} `json:"after"`
			Wrong []int64 `json:"wrong"` // keys
		} `json:"cases"`
	}
	readGolden(t, "tfra-bounded.json", &golden)
	c := golden.Cases[0]
	table := must(rowan.NewTable(rowan.TableOptions{Name: "bounded", Width: 2, MaxNorm: c.MaxNorm, Initializer: initializer.Constant{Value: c.Initial},
		Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(c.Rate)}}))
	defer table.Close()
	c.Before.write(t, table)
	l := must(table.Lookup(t.Context(), must(tensor.NewDense(c.IDs)), rowan.LookupOptions{Training: true}))
	same(t, "values", l.Values().Data(), c.Values)
	g := table.NewGradients()
	check(g.Add(l, must(tensor.NewValues(c.Upstream, len(c.IDs), 2))))
	check(table.Apply(t.Context(), g, rowan.Step{}))

	after := rowsOf(t, table)
	if !slices.Equal(after.Keys, []int64{1, 2, 3}) || !slices.Equal(c.After.Keys, after.Keys) || !slices.Equal(c.Wrong, []int64{1}) {
		t.Fatalf("keys %v, in TFRA %v, of which wrong %v", after.Keys, c.After.Keys, c.Wrong)
	}
	same(t, "rows within the bound", after.Values[2:], c.After.Values[2:])
	// Key 1: (3, 4) is cut to (0.6, 0.8), and moves by half of (2, 0).
	x, y := float32(-0.4), float32(0.8)
	same(t, "row beyond the bound", after.Values[:2], []*float32{&x, &y})
	if *c.After.Values[0] == x {
		t.Error("TFRA's row of key 1 is right")
	}
}

// TestTFRATwoLookups looks a table up twice in a step, as TFRA trains one lookup
// of all the ids. Where TFRA differs: of two calls of a layer it keeps the ids of
// the last one only, which then get all gradients. All numbers are halves: equal.
func TestTFRATwoLookups(t *testing.T) {
	var golden struct {
		Cases []struct {
			Initial  float64     `json:"initial"`
			Rate     float64     `json:"rate"`
			IDs      [][]int64   `json:"ids"`
			Upstream [][]float32 `json:"upstream"` // of each number of an id's row
			After    keyed       `json:"after"`
			Twice    keyed       `json:"twice"`
			Wrong    string      `json:"wrong"`
		} `json:"cases"`
	}
	readGolden(t, "tfra-twice.json", &golden)
	c := golden.Cases[0]
	table := must(rowan.NewTable(rowan.TableOptions{Name: "twice", Width: 2, Initializer: initializer.Constant{Value: c.Initial},
		Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(c.Rate)}}))
	defer table.Close()
	g := table.NewGradients()
	for i, ids := range c.IDs {
		l := must(table.Lookup(t.Context(), must(tensor.NewDense(ids)), rowan.LookupOptions{Training: true}))
		grad := tensor.ZeroValues(len(ids), 2)
		for j, u := range c.Upstream[i] {
			grad.Row(j)[0], grad.Row(j)[1] = u, u
		}
		check(g.Add(l, grad))
	}
	check(table.Apply(t.Context(), g, rowan.Step{}))
	if after := rowsOf(t, table); !after.equal(c.After) {
		t.Errorf("%v, want %v", after, c.After)
	}
	if !slices.Equal(c.Twice.Keys, []int64{2, 4, 6}) {
		t.Errorf("TFRA trained %v: not %s", c.Twice.Keys, c.Wrong)
	}
}

// TestTFRAAccumulate adds up what workers found out, in a table and in a row
// store. All numbers are halves and quarters: equal.
func TestTFRAAccumulate(t *testing.T) {
	var golden struct {
		Cases []struct {
			Name   string    `json:"name"`
			Before keyed     `json:"before"`
			Keys   []int64   `json:"keys"`
			Shape  []int     `json:"shape"`
			Old    []float32 `json:"old"`
			New    []float32 `json:"new"`
			Exists []bool    `json:"exists"`
			After  keyed     `json:"after"`
		} `json:"cases"`
	}
	readGolden(t, "tfra-accumulate.json", &golden)
	if len(golden.Cases) != 7 {
		t.Fatalf("%d cases, want 7", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) {
			ids := must(tensor.NewDense(c.Keys, c.Shape...))
			values := slices.Clone(c.New)
			for i := range values {
				if c.Exists[i/2] {
					values[i] -= c.Old[i]
				}
			}
			table := pairTable(t, rowan.TableOptions{})
			c.Before.write(t, table)
			check(table.Accumulate(t.Context(), ids, must(tensor.NewValues(values, append(slices.Clone(c.Shape), 2)...)), c.Exists))
			if got := rowsOf(t, table); !got.equal(c.After) {
				t.Errorf("table: %v, want %v", got, c.After)
			}

			store := must(rowan.NewMemoryStore(tensor.Int64, 2))
			defer store.Close()
			check(store.Upsert(t.Context(), must(tensor.NewDense(c.Before.Keys)), c.Before.Values))
			check(store.Accumulate(t.Context(), ids, values, c.Exists))
			var got keyed
			for r, err := range store.Export(t.Context()) {
				check(err)
				got.Keys = append(got.Keys, r.Keys.(*tensor.Dense[int64]).Values()...)
				got.Values = append(got.Values, r.Values.Data()...)
			}
			if !got.equal(c.After) {
				t.Errorf("store: %v, want %v", got, c.After)
			}
		})
	}
}

type tfraRestrict struct {
	Policy string        `json:"policy"`
	Shards int           `json:"shards"`
	Steps  [][]int64     `json:"steps"`
	Read   []int64       `json:"read"`
	Counts map[int64]int `json:"counts"`
	Wrong  string        `json:"wrong"`
	Calls  []struct {
		Keep    int       `json:"keep"`
		Trigger int       `json:"trigger"`
		Left    []int64   `json:"left"`
		Status  []int64   `json:"status"`
		Slots   [][]int64 `json:"slots"`
	} `json:"calls"`
}

// TestTFRARestrict trains and then gives rows up, and keeps the keys that TFRA
// keeps: in the table, with a score, and in each slot of the optimizer. Keys
// that are read and not trained on, and keys that repeat in a step, count as
// there. Where TFRA differs: it divides the rows to keep among its shards, and
// keeps fewer; here it is one table's number.
func TestTFRARestrict(t *testing.T) {
	var golden struct {
		Cases []tfraRestrict `json:"cases"`
	}
	readGolden(t, "tfra-restrict.json", &golden)
	if len(golden.Cases) != 3 {
		t.Fatalf("%d cases, want 3", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		t.Run(fmt.Sprintf("%s/shards=%d", c.Policy, c.Shards), func(t *testing.T) {
			table := c.train(t)
			left := rowsOf(t, table).Keys
			for _, call := range c.Calls {
				e := must(table.Restrict(t.Context(), call.Keep, call.Trigger))
				c.checkScores(t, e)
				was := left
				left = rowsOf(t, table).Keys
				if e.Left != len(left) || len(was)-len(left) != len(e.Scores) {
					t.Errorf("%d scores went and %d rows are left, of %d now %d", len(e.Scores), e.Left, len(was), len(left))
				}
				want := call.Left
				if c.Wrong != "" {
					if len(want) >= call.Keep {
						t.Errorf("TFRA kept %v: not %s", want, c.Wrong)
					}
					want = c.mostUsed(call.Keep)
				}
				if !slices.Equal(left, want) {
					t.Errorf("keep %d of more than %d: %v are left, want %v", call.Keep, call.Trigger, left, want)
				}
				for i, s := range table.Slots() {
					var keys []int64
					for r, err := range table.ExportSlot(t.Context(), s.Name) {
						check(err)
						keys = append(keys, r.Keys.(*tensor.Dense[int64]).Values()...)
					}
					if !slices.Equal(keys, want) || !slices.Equal(call.Slots[i], call.Left) || !slices.Equal(call.Status, call.Left) {
						t.Errorf("%s: state of %v is left, want %v; in TFRA %v, scores of %v", s.Name, keys, want, call.Slots[i], call.Status)
					}
				}
			}
		})
	}
}

// train takes the recorded steps.
func (c *tfraRestrict) train(t *testing.T) *rowan.Table {
	t.Helper()
	policy := map[string]rowan.RestrictPolicy{"TimestampRestrictPolicy": rowan.TimestampPolicy{}, "FrequencyRestrictPolicy": rowan.FrequencyPolicy{}}[c.Policy]
	table := pairTable(t, rowan.TableOptions{Restrict: rowan.Restrict{Policy: policy},
		Optimizer: &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)}})
	for _, keys := range c.Steps {
		l := must(table.Lookup(t.Context(), must(tensor.NewDense(keys)), rowan.LookupOptions{Training: true}))
		g := table.NewGradients()
		check(g.Add(l, must(tensor.NewValues(slices.Repeat([]float32{1}, 2*len(keys)), len(keys), 2))))
		check(table.Apply(t.Context(), g, rowan.Step{}))
		must(table.Lookup(t.Context(), must(tensor.NewDense(c.Read)), rowan.LookupOptions{Training: true}))
	}
	return table
}

// checkScores compares the scores of rows that went with TFRA's counts.
func (c *tfraRestrict) checkScores(t *testing.T, e rowan.Eviction) {
	t.Helper()
	if c.Counts == nil || len(e.Scores) == 0 {
		return
	}
	for i, key := range e.Keys.(*tensor.Dense[int64]).Values() {
		if int(e.Scores[i]) != c.Counts[key] {
			t.Errorf("key %d went with a score of %d, in TFRA it has %d", key, e.Scores[i], c.Counts[key])
		}
	}
}

// mostUsed returns the n keys of the largest counts, ascending.
func (c *tfraRestrict) mostUsed(n int) []int64 {
	keys := slices.Collect(maps.Keys(c.Counts))
	slices.SortFunc(keys, func(a, b int64) int { return c.Counts[b] - c.Counts[a] })
	keys = keys[:n]
	slices.Sort(keys)
	return keys
}

// tfraFile decodes the files of one shard: keys and rows, as they lie in memory.
func tfraFile(t *testing.T, keys, values string) (k keyed) {
	t.Helper()
	raw := must(base64.StdEncoding.DecodeString(keys))
	k.Keys = make([]int64, len(raw)/8)
	must(binary.Decode(raw, binary.LittleEndian, k.Keys))
	raw = must(base64.StdEncoding.DecodeString(values))
	k.Values = make([]float32, len(raw)/4)
	must(binary.Decode(raw, binary.LittleEndian, k.Values))
	return k
}

// tableOfParts is a table whose rows lie in n row stores.
func tableOfParts(t *testing.T, n int) *rowan.Table {
	t.Helper()
	stores := make([]rowan.RowStore, n)
	for i := range stores {
		stores[i] = must(rowan.NewMemoryStore(tensor.Int64, 2))
		t.Cleanup(func() { stores[i].Close() })
	}
	return pairTable(t, rowan.TableOptions{Stores: &rowan.Stores{Parts: stores}})
}

// TestTFRARestore reads the files that TFRA saved a table of three shards in, and
// makes of them the rows that it makes of them in any other number of shards, in
// as many parts.
// Where TFRA differs: a load leaves rows in place that were in the table before
// and are in no file; Load replaces them, and to Upsert what was read is to merge.
func TestTFRARestore(t *testing.T) {
	var golden struct {
		Keys  []int64           `json:"keys"`
		Rows  []float32         `json:"rows"`
		Files map[string]string `json:"files"`
		Cases []struct {
			Shards int     `json:"shards"`
			Before []int64 `json:"before"`
			Sizes  []int   `json:"sizes"`
			After  keyed   `json:"after"`
		} `json:"cases"`
	}
	readGolden(t, "tfra-restore.json", &golden)
	saved := keyed{golden.Keys, golden.Rows}
	source := pairTable(t, rowan.TableOptions{})
	for name, keys := range golden.Files {
		if shard, ok := strings.CutSuffix(name, "-keys"); ok {
			tfraFile(t, keys, golden.Files[shard+"-values"]).write(t, source)
		}
	}
	if got := rowsOf(t, source); len(golden.Files) != 6 || !got.equal(saved) {
		t.Fatalf("%d files hold %v, want %v", len(golden.Files), got, saved)
	}
	var file bytes.Buffer
	check(source.Save(context.Background(), &file))

	if len(golden.Cases) != 8 {
		t.Fatalf("%d cases, want 8", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		t.Run(fmt.Sprintf("shards=%d/before=%v", c.Shards, c.Before), func(t *testing.T) {
			sum := 0
			for _, n := range c.Sizes {
				sum += n
			}
			if len(c.Sizes) != c.Shards || sum != len(c.After.Keys) {
				t.Errorf("TFRA has %v rows in %d shards, and %d in all", c.Sizes, c.Shards, len(c.After.Keys))
			}
			before := keyed{c.Before, slices.Repeat([]float32{9}, 2*len(c.Before))}
			merged, loaded := tableOfParts(t, c.Shards), tableOfParts(t, c.Shards)
			before.write(t, merged)
			before.write(t, loaded)
			saved.write(t, merged)
			if got := rowsOf(t, merged); !got.equal(c.After) {
				t.Errorf("merged: %v, want %v", got, c.After)
			}
			check(loaded.Load(t.Context(), bytes.NewReader(file.Bytes())))
			if got := rowsOf(t, loaded); !got.equal(saved) || (len(c.Before) == 0) != got.equal(c.After) {
				t.Errorf("loaded: %v, want %v; TFRA has %v", got, saved, c.After)
			}
		})
	}
}
