package layer_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

func newTable(t *testing.T, o rowan.TableOptions) *rowan.Table {
	t.Helper()
	table, err := rowan.NewTable(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	return table
}

func TestTableLookup(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Name: "genre", Width: 2, KeyType: tensor.String, Initializer: initializer.Ones{}, Missing: rowan.MissingZeros})
	words, err := rowan.As[string](table)
	if err != nil {
		t.Fatal(err)
	}
	for word, row := range map[string][]float32{"drama": {1, 2}, "war": {3, 6}} {
		if err := words.Set(context.Background(), word, row...); err != nil {
			t.Fatal(err)
		}
	}
	l, err := layer.NewTableLookup(table, rowan.Mean, layer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := tensor.NewRagged([]string{"drama", "war", "none"}, []int64{0, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Run(context.Background(), layer.Args{}, layer.Value{IDs: ids})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := out.Values[0].Floats.Data(), []float32{2, 4, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("mean of drama and war, of an unknown one: %v, want %v", got, want)
	}
}

// Two layers over one table train the same rows.
func TestTableLookupShares(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Name: "word", Width: 3, Rows: 4})
	in, err := layer.Input(layer.InputOptions{Name: "word", IDs: true, Shape: layer.Shape{}, KeyType: tensor.Int32, Scope: layer.NewScope(0)})
	if err != nil {
		t.Fatal(err)
	}
	var outs []*layer.Tensor
	for range 2 {
		l, err := layer.NewTableLookup(table, rowan.None, layer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := l.Apply(in)
		if err != nil {
			t.Fatal(err)
		}
		if want := (layer.Shape{-1, 3}); !out.Shape().Equal(want) {
			t.Errorf("shape %v, want %v", out.Shape(), want)
		}
		outs = append(outs, out)
	}
	plan, err := layer.NewPlan([]*layer.Tensor{in}, outs)
	if err != nil {
		t.Fatal(err)
	}
	if got := plan.Tables(); len(got) != 1 || got[0] != table {
		t.Errorf("tables %v, want the one", got)
	}
}

func TestTableLookupRefuses(t *testing.T) {
	if _, err := layer.NewTableLookup(nil, rowan.None, layer.Options{}); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("no table: %v", err)
	}
	for _, o := range []rowan.TableOptions{
		{Name: "static", Width: 1, Rows: 3},
		{Name: "dynamic", Width: 1},
	} {
		l, err := layer.NewTableLookup(newTable(t, o), rowan.None, layer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		in, err := layer.Input(layer.InputOptions{Name: o.Name, IDs: true, Shape: layer.Shape{}, KeyType: tensor.String})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Apply(in); !errors.Is(err, layer.ErrStage) {
			t.Errorf("strings in a %s table of integers: %v", o.Name, err)
		}
	}
}
