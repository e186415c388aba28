package tensor

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func must[T any](t testing.TB) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused expects an error of a kind that says something.
func refused(t *testing.T, err, is error, says string) {
	t.Helper()
	if !errors.Is(err, is) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want %v with %q", err, is, says)
	}
}

func TestKeyTypes(t *testing.T) {
	for want, got := range map[KeyType]KeyType{
		Int32: KeyTypeOf[int32](), Int64: KeyTypeOf[int64](), Uint64: KeyTypeOf[uint64](), String: KeyTypeOf[string](),
	} {
		if got != want {
			t.Errorf("KeyTypeOf gives %v, want %v", got, want)
		}
		if back, err := ParseKeyType(want.String()); back != want || err != nil {
			t.Errorf("%v parses as %v, %v", want, back, err)
		}
	}
	if got := KeyType(9).String(); got != "KeyType(9)" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"", "Int64", "KeyType(9)"} {
		if _, err := ParseKeyType(bad); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q: use int32", bad)) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if KeyType(0) != Int64 {
		t.Error("the zero value is not Int64")
	}
}

func TestNewDense(t *testing.T) {
	for _, test := range []struct{ ids, shape, want []int }{
		{[]int{1, 2, 3}, nil, []int{3}},
		{nil, nil, []int{0}},
		{[]int{1, 2, 3, 4}, []int{2, 2}, []int{2, 2}},
		{[]int{7}, []int{1, 1, 1}, []int{1, 1, 1}},
		{nil, []int{3, 0}, []int{3, 0}},
		{nil, []int{0, math.MaxInt}, []int{0, math.MaxInt}},
	} {
		ids := make([]int32, len(test.ids))
		d, err := NewDense(ids, test.shape...)
		if err != nil || !slices.Equal(d.Shape(), test.want) || d.Len() != len(ids) || d.KeyType() != Int32 {
			t.Errorf("%v: %v, %v", test.shape, d, err)
		}
	}
	for says, test := range map[string]struct {
		n     int
		shape []int
	}{
		"shape [2 2] holds 4 ids, got 3": {3, []int{2, 2}},
		"shape [0] holds 0 ids, got 1":   {1, []int{0}},
		"negative dimension":             {4, []int{-2, -2}},
		"more numbers than memory":       {0, []int{math.MaxInt, 2}},
	} {
		_, err := NewDense(make([]string, test.n), test.shape...)
		refused(t, err, ErrShape, says)
	}
	shape := []int{1, 2}
	d := must[*Dense[int64]](t)(NewDense([]int64{1, 2}, shape...))
	if shape[0] = 9; d.Shape()[0] != 1 {
		t.Error("the shape is shared")
	}
}

func TestNewRagged(t *testing.T) {
	for _, splits := range [][]int64{{0, 3}, {0, 0, 2, 2, 3}, {0, 1, 2, 3}, {0, 0, 0, 3}} {
		r, err := NewRagged([]uint64{7, 3, 7}, splits)
		if err != nil || !slices.Equal(r.Shape(), []int{len(splits) - 1, -1}) || r.Len() != 3 ||
			r.Bags() != len(splits)-1 || r.KeyType() != Uint64 || &r.Splits()[0] != &splits[0] {
			t.Errorf("%v: %v, %v", splits, r, err)
		}
	}
	for says, splits := range map[string][]int64{
		"need at least one entry":           nil,
		"the first entry must be 0, got 1":  {1, 3},
		"entry 2 is 1, less than 2 before":  {0, 2, 1, 3},
		"the last entry is 2, but there ar": {0, 2},
		"the last entry is 4":               {0, 4},
		"the last entry is 0":               {0},
		"entry 2 is -1, less than":          {0, math.MaxInt64, -1},
	} {
		_, err := NewRagged(make([]int32, 3), splits)
		refused(t, err, ErrSplits, says)
	}
	none := must[*Ragged[string]](t)(NewRagged[string](nil, []int64{0}))
	if none.Bags() != 0 || none.Len() != 0 {
		t.Errorf("no bags: %v", none)
	}
}

func TestRaggedFromLengths(t *testing.T) {
	r := must[*Ragged[string]](t)(RaggedFromLengths([]string{"a", "b", "c"}, []int{2, 0, 1}))
	if !slices.Equal(r.Splits(), []int64{0, 2, 2, 3}) || !slices.Equal(r.Bag(0), []string{"a", "b"}) || len(r.Bag(1)) != 0 {
		t.Errorf("splits %v", r.Splits())
	}
	for says, lengths := range map[string][]int{
		"length -1 of bag 1":                         {2, -1, 2},
		"length 2 of bag 1, with 1 of 3":             {2, 2},
		"add up to 2, but":                           {1, 1},
		"add up to 0":                                nil,
		fmt.Sprint("length ", math.MaxInt, " of ba"): {1, math.MaxInt},
	} {
		_, err := RaggedFromLengths(make([]int64, 3), lengths)
		refused(t, err, ErrSplits, says)
	}
}

func TestRaggedOf(t *testing.T) {
	first := []int64{7, 3}
	r := RaggedOf(first, nil, []int64{7})
	first[0] = 9
	if !slices.Equal(r.Values(), []int64{7, 3, 7}) || !slices.Equal(r.Splits(), []int64{0, 2, 2, 3}) {
		t.Errorf("values %v, splits %v", r.Values(), r.Splits())
	}
	bag := append(r.Bag(0), 5)
	if bag[2] != 5 || r.Values()[2] != 7 {
		t.Error("appending to a bag wrote into the next")
	}
	if r := RaggedOf[int64](); r.Bags() != 0 || !slices.Equal(r.Shape(), []int{0, -1}) {
		t.Errorf("no bags: %v", r)
	}
}

func TestNewSparse(t *testing.T) {
	s := must[*Sparse[int64]](t)(NewSparse([]int64{0, 1, 0, 2, 2, 0}, []int64{7, 3, 7}, 3, 3))
	if !slices.Equal(s.Shape(), []int{3, 3}) || s.Len() != 3 || s.KeyType() != Int64 || !slices.Equal(s.Indices(), []int64{0, 1, 0, 2, 2, 0}) {
		t.Errorf("got %v", s)
	}
	must[*Sparse[string]](t)(NewSparse([]int64{4}, []string{"x"}, 5))
	must[*Sparse[string]](t)(NewSparse[string](nil, nil, 0, 0))
	for _, test := range []struct {
		is      error
		says    string
		indices []int64
		n       int
		shape   []int
	}{
		{ErrShape, "at least one dimension", nil, 0, nil},
		{ErrShape, "negative dimension", nil, 0, []int{2, -1}},
		{ErrShape, "2 ids of shape [3 3] need 4 index numbers, got 3", make([]int64, 3), 2, []int{3, 3}},
		{ErrIndices, "entry 1 is at [0 3], outside shape [3 3]", []int64{0, 0, 0, 3}, 2, []int{3, 3}},
		{ErrIndices, "entry 0 is at [-1 0]", []int64{-1, 0}, 1, []int{3, 3}},
		{ErrIndices, "entry 0 is at [0]", []int64{0}, 1, []int{0}},
		{ErrIndices, "entries 0 and 1 are both at [1 1]", []int64{1, 1, 1, 1}, 2, []int{3, 3}},
		{ErrIndices, "entry 1 at [0 2] comes after [1 1]: sort the entries with SortSparse", []int64{1, 1, 0, 2}, 2, []int{3, 3}},
	} {
		_, err := NewSparse(test.indices, make([]int32, test.n), test.shape...)
		refused(t, err, test.is, test.says)
	}
}

func TestSortSparse(t *testing.T) {
	indices, ids, weights := []int64{1, 0, 0, 2, 1, 0, 0, 1}, []string{"c", "b", "d", "a"}, []float32{3, 2, 4, 1}
	if err := SortSparse(indices, ids, weights, 2); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(indices, []int64{0, 1, 0, 2, 1, 0, 1, 0}) || !slices.Equal(ids, []string{"a", "b", "c", "d"}) ||
		!slices.Equal(weights, []float32{1, 2, 3, 4}) {
		t.Errorf("%v %v %v: want row-major order, equal places in the order they came", indices, ids, weights)
	}
	_, err := NewSparse(indices, ids, 2, 3)
	refused(t, err, ErrIndices, "entries 2 and 3 are both")
	if err := SortSparse([]int64{1, 0}, []int64{1, 2}, nil, 1); err != nil {
		t.Error(err)
	}
	for _, test := range []struct{ indices, ids, weights, rank int }{{2, 1, 0, 0}, {3, 2, 0, 2}, {2, 1, 2, 2}} {
		var w []float32
		if test.weights > 0 {
			w = make([]float32, test.weights)
		}
		refused(t, SortSparse(make([]int64, test.indices), make([]int64, test.ids), w, test.rank), ErrShape, "ids of rank")
	}
}

func TestWithWeights(t *testing.T) {
	w := []float32{1, 2, 3}
	d := must[*Dense[int64]](t)(NewDense([]int64{7, 3, 7}, 1, 3))
	r := RaggedOf([]int64{7, 3}, []int64{7})
	s := must[*Sparse[int64]](t)(NewSparse([]int64{0, 1, 2}, []int64{7, 3, 7}, 3))
	weighted := []IDs{
		must[*Dense[int64]](t)(d.WithWeights(w)), must[*Ragged[int64]](t)(r.WithWeights(w)), must[*Sparse[int64]](t)(s.WithWeights(w)),
	}
	for i, plain := range []IDs{d, r, s} {
		if plain.Weights() != nil {
			t.Errorf("%T: the batch itself was changed", plain)
		}
		if got := weighted[i]; &got.Weights()[0] != &w[0] || got.Len() != 3 || !slices.Equal(got.Shape(), plain.Shape()) {
			t.Errorf("%T: %v", got, got)
		}
	}
	for _, w := range [][]float32{nil, w[:2]} {
		says := fmt.Sprintf("3 ids need as many weights, got %d", len(w))
		_, err := d.WithWeights(w)
		refused(t, err, ErrShape, says)
		_, err = r.WithWeights(w)
		refused(t, err, ErrShape, says)
		_, err = s.WithWeights(w)
		refused(t, err, ErrShape, says)
	}
}

func TestZeroValues(t *testing.T) {
	var b Bags
	r := new(Ragged[int64])
	if err := b.Of(r); err != nil || !slices.Equal(b.Splits, []int64{0}) || !slices.Equal(b.Outer, []int{0}) {
		t.Errorf("a zero Ragged: %+v, %v", b, err)
	}
	if s := r.Sparse(); s.Len() != 0 || !slices.Equal(s.Shape(), []int{0, 0}) {
		t.Errorf("a zero Ragged as Sparse: %v", s)
	}
	refused(t, b.Of(new(Dense[int64])), ErrShape, "at least two dimensions")
	refused(t, b.Of(new(Sparse[int64])), ErrShape, "at least two dimensions")
	if v := new(Values); v.Len() != 0 || len(v.Data()) != 0 {
		t.Errorf("a zero Values: %v", v)
	}
}

func TestValues(t *testing.T) {
	data := []float32{1, 2, 3, 4, 5, 6}
	v := must[*Values](t)(NewValues(data, 3, 2))
	if &v.Data()[0] != &data[0] || v.Len() != 6 || !slices.Equal(v.Row(1), []float32{3, 4}) {
		t.Errorf("got %v, row 1 %v", v, v.Row(1))
	}
	if row := append(v.Row(0), 9); row[2] != 9 || data[2] != 3 {
		t.Error("appending to a row wrote into the next")
	}
	must[*Values](t)(NewValues([]float32{1}))
	for says, shape := range map[string][]int{
		"shape [4 2] holds 8 numbers, got 6": {4, 2},
		"negative dimension":                 {-3, -2},
		"shape [] holds 1 numbers, got 6":    {},
	} {
		_, err := NewValues(data, shape...)
		refused(t, err, ErrShape, says)
	}
	if z := ZeroValues(2, 3); !slices.Equal(z.Data(), make([]float32, 6)) || !slices.Equal(z.Shape(), []int{2, 3}) {
		t.Errorf("zeros: %v", z)
	}
}

func TestValuesReset(t *testing.T) {
	v := ZeroValues(2, 3)
	before := &v.Data()[0]
	if err := v.Reset(5); err != nil || v.Len() != 5 || &v.Data()[0] != before || !slices.Equal(v.Shape(), []int{5}) {
		t.Errorf("smaller: %v, %v", v, err)
	}
	if err := v.Reset(10, 10); err != nil || v.Len() != 100 {
		t.Errorf("larger: %v, %v", v, err)
	}
	refused(t, v.Reset(-1), ErrShape, "negative")
	refused(t, v.Reset(math.MaxInt, math.MaxInt), ErrShape, "more numbers than memory")
	if v.Len() != 100 || !slices.Equal(v.Shape(), []int{10, 10}) {
		t.Errorf("after an error: %v", v)
	}
	if n := testing.AllocsPerRun(10, func() { _ = v.Reset(7, 8) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
