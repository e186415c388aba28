package regularizer_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/dense"
	"github.com/rowan-embeddings/rowan/regularizer"
)

// evaluate returns the penalty on a matrix, and its gradient.
func evaluate(r regularizer.Regularizer, x []float32, shape ...int) (penalty float32, gradient []float32, err error) {
	p, err := dense.New(dense.Config{Name: "penalty", Train: true, InputGradients: []int{0}, Build: func(t *dense.Trace) (dense.Result, error) {
		return dense.Result{Loss: r.Penalty(t.Input(0))}, nil
	}})
	if err != nil {
		return 0, nil, err
	}
	out, err := p.Run(dense.Args{Inputs: []dense.Array{dense.Floats(x, shape...)}})
	if err != nil {
		return 0, nil, err
	}
	return out.Loss, out.InputGradients[0].Float, nil
}

// TestL1L2 by hand: the sum of |x| is 6, that of x² is 14. Where a weight is 0
// it is not pushed.
func TestL1L2(t *testing.T) {
	x := []float32{1, -2, 0, 3}
	for _, c := range []struct {
		r        regularizer.Regularizer
		want     float32
		gradient []float32
	}{
		{regularizer.L1(0.5), 3, []float32{0.5, -0.5, 0, 0.5}},
		{regularizer.L2(0.25), 3.5, []float32{0.5, -1, 0, 1.5}},
		{regularizer.L1L2{L1: 0.5, L2: 0.25}, 6.5, []float32{1, -1.5, 0, 2}},
		{regularizer.L1L2{}, 0, []float32{0, 0, 0, 0}},
	} {
		got, gradient, err := evaluate(c.r, x, 2, 2)
		if err != nil {
			t.Fatal(err)
		}
		if byHand := c.r.(regularizer.L1L2).Value(x); got != c.want || byHand != c.want || !slices.Equal(gradient, c.gradient) {
			t.Errorf("%+v: %v in a graph, with gradient %v, and %v by hand; want %v with %v", c.r, got, gradient, byHand, c.want, c.gradient)
		}
	}
}

// TestOrthogonal by hand: rows (3, 4), (4, 3) and (0, 0), whose cosines are
// 24/25, 0 and 0, over three pairs; columns (3, 4, 0), (4, 3, 0), of the same
// cosine, over one pair; one row, which has no pair.
func TestOrthogonal(t *testing.T) {
	for _, c := range []struct {
		r    regularizer.Orthogonal
		rows int
		want float64
	}{
		{regularizer.Orthogonal{Factor: 0.5}, 3, 0.5 * 24.0 / 25 / 3},
		{regularizer.Orthogonal{Factor: 0.5, Columns: true}, 3, 0.5 * 24.0 / 25},
		{regularizer.Orthogonal{Factor: 0.5}, 1, 0},
	} {
		got, _, err := evaluate(c.r, []float32{3, 4, 4, 3, 0, 0}[:2*c.rows], c.rows, 2)
		if err != nil || math.Abs(float64(got)-c.want) > 1e-6 { // a few roundings of numbers near 1
			t.Errorf("%+v of %d rows: %v, %v, want %v", c.r, c.rows, got, err, c.want)
		}
	}
}

// sumOfFourths is a penalty that Keras has not.
func sumOfFourths(x *graph.Node) *graph.Node {
	return graph.ReduceAllSum(graph.Square(graph.Square(x)))
}

func TestFunc(t *testing.T) {
	got, gradient, err := evaluate(regularizer.Func(sumOfFourths), []float32{1, -2}, 2)
	if err != nil || got != 17 || !slices.Equal(gradient, []float32{4, -32}) {
		t.Errorf("the penalty is %v with gradient %v, %v; want 17 with [4 -32]", got, gradient, err)
	}
}

// TestByName: names and configs of Keras 3 and tf.keras with their defaults.
func TestByName(t *testing.T) {
	config := func(class string, args ...any) regularizer.Config {
		c := regularizer.Config{ClassName: class, Config: map[string]any{}}
		for i := 0; i < len(args); i += 2 {
			c.Config[args[i].(string)] = args[i+1]
		}
		return c
	}
	name := func(name string) regularizer.Config { return regularizer.Config{ClassName: name} }
	orthogonal := func(factor float32, columns bool) regularizer.Regularizer {
		return regularizer.Orthogonal{Factor: factor, Columns: columns}
	}
	for _, c := range []struct {
		config regularizer.Config
		want   regularizer.Regularizer
	}{
		{name("l1"), regularizer.L1(0.01)}, {name("L1"), regularizer.L1(0.01)},
		{name("l2"), regularizer.L2(0.01)}, {name("L2"), regularizer.L2(0.01)},
		{name("l1_l2"), regularizer.L1L2{L1: 0.01, L2: 0.01}}, {name("L1L2"), regularizer.L1L2{}}, {name("l1l2"), regularizer.L1L2{}},
		{name("orthogonal_regularizer"), orthogonal(0.01, false)}, {name("OrthogonalRegularizer"), regularizer.NewOrthogonal()},
		{config("L1"), regularizer.L1(0.01)}, {config("L1", "l1", 0.5), regularizer.L1(0.5)},
		{config("L2", "l2", 0.5), regularizer.L2(0.5)}, {config("l1_l2", "l2", nil), regularizer.L1L2{}},
		{config("L1L2", "l2", 0.5), regularizer.L2(0.5)}, {config("L1L2", "l1", 0.25, "l2", 0.5), regularizer.L1L2{L1: 0.25, L2: 0.5}},
		{config("OrthogonalRegularizer", "factor", 0.5, "mode", "columns"), orthogonal(0.5, true)},
		{config("OrthogonalRegularizer", "mode", "rows"), orthogonal(0.01, false)},
	} {
		got, err := regularizer.FromConfig(c.config)
		if err != nil || got != c.want {
			t.Errorf("%v is %+v, %v, want %+v", c.config, got, err, c.want)
		}
		if c.config.Config == nil {
			if got, err := regularizer.ByName(c.config.ClassName); err != nil || got != c.want {
				t.Errorf("%s is %+v, %v, want %+v", c.config.ClassName, got, err, c.want)
			}
		}
		there, err := regularizer.ToConfig(c.want)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := regularizer.FromConfig(there); err != nil || back != c.want {
			t.Errorf("%+v comes back as %+v, %v", c.want, back, err)
		}
	}
	written, err := regularizer.ToConfig(regularizer.L1L2{L1: 0.1, L2: 0.3})
	if want := config("L1L2", "l1", 0.1, "l2", 0.3); err != nil || !reflect.DeepEqual(written, want) {
		t.Errorf("the config is %v, %v, want %v", written, err, want)
	}
}

func TestConfigRefusals(t *testing.T) {
	first := func(_ any, err error) error { return err }
	made := func(class string, args map[string]any) error {
		return first(regularizer.FromConfig(regularizer.Config{ClassName: class, Config: args}))
	}
	for _, c := range []struct {
		err  error
		says string
	}{
		{first(regularizer.ByName("orthogonal")), `unknown regularizer "orthogonal": use L1, L2, L1L2 or OrthogonalRegularizer`},
		{made("L2", map[string]any{"l3": 1.0}), `L2 does not know "l3"; did you mean "l2"?`},
		{made("L2", map[string]any{"l2": "x"}), `"l2" must be a number`},
		{made("OrthogonalRegularizer", map[string]any{"mode": "diagonal"}), "rows or columns"},
		{first(regularizer.ToConfig(regularizer.Func(sumOfFourths))), "regularizer.Func has no config"},
		{first(regularizer.ToConfig(regularizer.Row(nil))), "regularizer.Row has no config"},
		{first(regularizer.ToConfig((*regularizer.L1L2)(nil))), "has no config"},
		{first(regularizer.ToConfig(nil)), "has no config"},
	} {
		if !errors.Is(c.err, regularizer.ErrConfig) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", c.err, c.says)
		}
	}
}

// TestOfTable: what rows pay by themselves, and what needs all of them.
func TestOfTable(t *testing.T) {
	row := regularizer.Row(func(row, grad []float32) float32 { return row[0] })
	for name, c := range map[string]struct {
		r     regularizer.Regularizer
		rows  int
		want  rowan.Regularizer
		whole bool
	}{
		"none":             {nil, 0, rowan.Regularizer{}, false},
		"of numbers":       {regularizer.L1L2{L1: 0.5, L2: 0.25}, 0, rowan.Regularizer{L1: 0.5, L2: 0.25}, false},
		"of a matrix":      {regularizer.NewOrthogonal(), 4, rowan.Regularizer{}, true},
		"a function of it": {regularizer.Func(sumOfFourths), 1 << 19, rowan.Regularizer{}, true},
	} {
		own, whole, err := regularizer.OfTable(c.r, c.rows, 2)
		if err != nil || whole != c.whole || own.L1 != c.want.L1 || own.L2 != c.want.L2 || own.Row != nil {
			t.Errorf("%s: %+v, the whole of it: %v, %v", name, own, whole, err)
		}
	}
	if own, whole, err := regularizer.OfTable(row, 0, 2); err != nil || whole || own.Row == nil || own.Row([]float32{7, 1}, nil) != 7 {
		t.Errorf("of rows: %+v, the whole table: %v, %v", own, whole, err)
	}
}

func TestRefusals(t *testing.T) {
	ofTable := func(r regularizer.Regularizer, rows, width int) error {
		_, _, err := regularizer.OfTable(r, rows, width)
		return err
	}
	inGraph := func(r regularizer.Regularizer) error {
		_, _, err := evaluate(r, []float32{1, 2}, 2)
		return err
	}
	nan := float32(math.NaN())
	row, scalar := regularizer.Row(func(row, grad []float32) float32 { return 0 }), regularizer.Func(sumOfFourths)
	for _, c := range []struct {
		err  error
		says string
	}{
		{regularizer.Check(regularizer.L1(-1), []int{3, 2}), "expected non-negative floats. Received: l1=-1, l2=0"},
		{regularizer.Check(regularizer.L2(nan), []int{2}), "l2=NaN"},
		{regularizer.Check(regularizer.Orthogonal{Factor: -1}, []int{3, 2}), "Received: factor=-1"},
		{regularizer.Check(regularizer.NewOrthogonal(), []int{2}), "must have rank 2. Received: shape (2,)"},
		{regularizer.Check((*regularizer.L1L2)(nil), []int{3, 2}), "a nil *regularizer.L1L2 penalizes nothing: give a value, or leave it out"},
		{ofTable((*regularizer.L1L2)(nil), 4, 2), "a nil *regularizer.L1L2 penalizes nothing"},
		{regularizer.Check(row, []int{3, 2}), "regularizer.Row is for tables: use regularizer.Func"},
		{inGraph(row), "regularizer.Row is for tables"},
		{inGraph(regularizer.NewOrthogonal()), "must have rank 2"},
		{inGraph(regularizer.Func(func(x *graph.Node) *graph.Node { return x })), "must return a scalar"},
		{inGraph(regularizer.Func(func(*graph.Node) *graph.Node { return nil })), "must return a scalar"},
		{ofTable(regularizer.L1(-1), 4, 2), "l1=-1"},
		{ofTable(regularizer.NewOrthogonal(), 4096, 2), "compares each of the rows with each, at most 2048 of them"},
		{ofTable(regularizer.Orthogonal{Columns: true}, 2, 4096), "compares each of the columns"},
		{ofTable(scalar, 1<<20, 2), "needs the whole table in each step, which is for small ones"},
		{ofTable(scalar, 0, 2), "regularizer.Func needs the whole matrix, which a dynamic table has not"},
		{ofTable(regularizer.NewOrthogonal(), 0, 2), "OrthogonalRegularizer needs the whole matrix"},
	} {
		if !errors.Is(c.err, regularizer.ErrConfig) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("error %v, want one that says %q", c.err, c.says)
		}
	}
	if err := regularizer.Check(nil, []int{2}); err != nil {
		t.Errorf("none: %v", err)
	}
}
