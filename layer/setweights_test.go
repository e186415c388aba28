package layer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/layer"
)

// shelf owns an array and a table that is longer than what is written at once.
type shelf struct {
	layer.Base
	array *layer.Variable
	table *rowan.Table
}

const shelfRows = 1<<16 + 3

func newShelf(t *testing.T, rows int) *shelf {
	l := &shelf{table: must[*rowan.Table](t)(rowan.NewTable(rowan.TableOptions{Name: "shelf", Width: 1, Rows: rows}))}
	l.Init(l, layer.Options{Name: "shelf"})
	run(t, l, floats(t, 1, 1))
	return l
}

func (l *shelf) Build(...layer.Shape) (err error) {
	if l.array, err = l.AddWeight("array", layer.Shape{2}, layer.WeightOptions{}); err != nil {
		return err
	}
	_, err = l.AddTable("table", l.table, shelfRows)
	return err
}

func (l *shelf) Call(_ *layer.Call, in ...*graph.Node) []*graph.Node { return in }

// TestSetWeightsChecksFirst: what stops the second chunk of a table, or the
// table at all, is found before the array and the first chunk are written.
func TestSetWeightsChecksFirst(t *testing.T) {
	last := func(x float32) [][]float32 {
		w := make([]float32, shelfRows)
		w[shelfRows-1] = x
		return [][]float32{{7, 7}, w}
	}
	for name, c := range map[string]struct {
		rows    int
		close   bool
		weights [][]float32
		want    error
		says    string
	}{
		"NaN":          {rows: shelfRows, weights: last(float32(math.NaN())), want: rowan.ErrNotFinite, says: `layer "shelf" weight "table"`},
		"infinity":     {rows: shelfRows, weights: last(float32(math.Inf(-1))), want: rowan.ErrNotFinite, says: "row 65538, is -Inf"},
		"short":        {rows: shelfRows, weights: [][]float32{{7, 7}, {7}}, want: layer.ErrWeights, says: "provided weight has 1"},
		"closed table": {rows: shelfRows, close: true, weights: last(0), want: rowan.ErrClosed, says: "shelf"},
		"small table":  {rows: 1<<16 + 1, weights: last(0), want: layer.ErrWeights, says: "more rows than table"},
	} {
		l := newShelf(t, c.rows)
		before := slices.Clone(l.array.Value())
		first := firstRow(t, l.table)
		if c.close {
			if err := l.table.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.SetWeights(c.weights); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that is %v and says %q", name, err, c.want, c.says)
		}
		if !slices.Equal(l.array.Value(), before) {
			t.Errorf("%s: the array has been set", name)
		}
		if !c.close && firstRow(t, l.table) != first {
			t.Errorf("%s: the table's first row has been set", name)
		}
	}
	l := newShelf(t, shelfRows)
	if err := l.SetWeights(last(3)); err != nil || firstRow(t, l.table) != 0 || l.array.Value()[1] != 7 {
		t.Errorf("good weights: %v", err)
	}
}

func firstRow(t *testing.T, table *rowan.Table) float32 {
	t.Helper()
	l, err := table.Lookup(context.Background(), ids(t, []int{1}, 0).IDs, rowan.LookupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l.Values().Data()[0]
}

// TestWeightsThatDoNotFit: an error about a layer's first weights comes back
// when the layer is applied again, which would otherwise begin with others.
func TestWeightsThatDoNotFit(t *testing.T) {
	l := newDense(t, 2, layer.DenseOptions{Options: layer.Options{Weights: [][]float32{{1, 2, 3}}}})
	for range 2 {
		if _, err := l.Apply(input(t, layer.NewScope(1), 3)); !errors.Is(err, layer.ErrWeights) {
			t.Errorf("error %v, want one that is %v", err, layer.ErrWeights)
		}
	}
	if l.Built() {
		t.Error("the layer counts as built")
	}
}
