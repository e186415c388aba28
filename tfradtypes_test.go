package rowan_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// tfraDTypes is a case of what interop/record_tfra_dtypes.py has recorded of TFRA:
// a type of keys, one of values, and results by what was done.
type tfraDTypes map[string]json.RawMessage

// read reads a part of the case into v, and reports one that is an error of TFRA.
func (c tfraDTypes) read(t *testing.T, name string, v any) (failed bool) {
	t.Helper()
	var e struct{ Error string }
	if json.Unmarshal(c[name], &e) == nil && e.Error != "" {
		return true
	}
	if err := json.Unmarshal(c[name], v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return false
}

// TestTFRADTypes: tables of float64, integers, truth values and strings are read,
// written and added to as those of TFRA, with keys of each type. A sum of 8 bits
// that overflows is an error here, and wraps around there.
func TestTFRADTypes(t *testing.T) {
	var golden struct{ Cases []tfraDTypes }
	readGolden(t, "tfra_dtypes.json", &golden)
	tests := map[string]func(*testing.T, tfraDTypes, string){
		"float64": tfraCells[float64], "int64": tfraCells[int64], "int32": tfraCells[int32], "int8": tfraCells[int8], "bool": tfraCells[bool], "string": tfraCells[string],
	}
	seen := 0
	for _, c := range golden.Cases {
		var made bool
		var key, value string
		c.read(t, "key_dtype", &key)
		c.read(t, "value_dtype", &value)
		test, ok := tests[value]
		if !ok || c.read(t, "make", &made) {
			continue // 16 bits, of which dtype_test.go is, or a pair that TFRA has not
		}
		seen++
		t.Run(key+"/"+value, func(t *testing.T) { test(t, c, key) })
	}
	if seen != 12 {
		t.Errorf("%d pairs of types, want 12", seen)
	}
}

// tfraKeys are ids of a type of keys; those of strings are written in digits.
func tfraKeys(key string, ids ...int64) tensor.IDs {
	small, texts := make([]int32, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		small[i], texts[i] = int32(id), strconv.FormatInt(id, 10)
	}
	switch key {
	case "string":
		return must(tensor.NewDense(texts))
	case "int32":
		return must(tensor.NewDense(small))
	}
	return must(tensor.NewDense(ids))
}

// tfraTable is a table of the recorded rows.
func tfraTable[T rowan.Cell](t *testing.T, c tfraDTypes, key string) (*rowan.TableOf[T], rowan.Array[T]) {
	t.Helper()
	o := rowan.TableOptions{Width: 2, KeyType: map[string]tensor.KeyType{"int64": tensor.Int64, "int32": tensor.Int32, "string": tensor.String}[key]}
	if _, text := any(*new(T)).(string); !text {
		o.Initializer = initializer.Zeros{}
	}
	table := newTableOf[T](t, o)
	rows := rowan.Array[T]{Shape: []int{3, 2}}
	c.read(t, "rows", &rows.Data)
	check(table.Upsert(t.Context(), tfraKeys(key, 7, -5, 2), rows))
	return table, rows
}

// tfraRows is what TFRA exports, in the order of the keys.
type tfraRows[T rowan.Cell] struct {
	Values []T
}

// rowsAre compares the rows of a table with what TFRA exported.
func (want tfraRows[T]) rowsAre(t *testing.T, what string, table *rowan.TableOf[T]) {
	t.Helper()
	var got []T
	for r, err := range table.Export(t.Context()) {
		check(err)
		got = append(got, r.Values.Data...)
	}
	if !slices.Equal(got, want.Values) {
		t.Errorf("%s: rows %v, recorded %v", what, got, want.Values)
	}
}

func tfraCells[T rowan.Cell](t *testing.T, c tfraDTypes, key string) {
	table, rows := tfraTable[T](t, c, key)
	var looked struct {
		Values []T
		Exists []bool
	}
	c.read(t, "lookup", &looked)
	l := must(table.Lookup(t.Context(), tfraKeys(key, 7, 99, 2, 7), rowan.LookupOptions{}))
	if !slices.Equal(l.Values().Data, looked.Values) || !slices.Equal(l.Exists(), looked.Exists) {
		t.Errorf("lookup: %v, %v, recorded %v", l.Values().Data, l.Exists(), looked)
	}
	var size int
	if c.read(t, "size", &size); table.Len() != size {
		t.Errorf("%d rows, recorded %d", table.Len(), size)
	}
	var exported, upserted, added, removed tfraRows[T]
	c.read(t, "export", &exported)
	exported.rowsAre(t, "export", table)
	c.read(t, "upsert", &upserted)
	check(table.Upsert(t.Context(), tfraKeys(key, 2, 1), rowan.Array[T]{Data: rows.Data[:4], Shape: []int{2, 2}}))
	upserted.rowsAre(t, "upsert", table)

	table, _ = tfraTable[T](t, c, key)
	c.read(t, "remove", &removed)
	check(table.Remove(t.Context(), tfraKeys(key, 7, 99)))
	removed.rowsAre(t, "remove", table)

	table, _ = tfraTable[T](t, c, key)
	refused := c.read(t, "accumulate", &added)
	// There, and was; new; there, and was not; away, and was.
	err := table.Accumulate(t.Context(), tfraKeys(key, -5, 1, 2, 9), tfraAdded(rows.Data), []bool{true, false, false, true})
	if _, narrow := any(*new(T)).(int8); narrow {
		is(t, "accumulate", err, rowan.ErrOutOfRange)
	} else if refused != errors.Is(err, rowan.ErrDType) || !refused && err != nil {
		t.Errorf("accumulate: %v; recorded an error: %v", err, refused)
	} else if !refused {
		added.rowsAre(t, "accumulate", table)
	}
}

// tfraAdded is what is added: the differences of row 1 from row 2, and row 1 where
// the key was not there.
func tfraAdded[T rowan.Cell](rows []T) rowan.Array[T] {
	row, difference := rows[2:4], make([]T, 2)
	for i := range difference {
		switch d := any(&difference[i]).(type) {
		case *float64:
			*d = any(rows[2+i]).(float64) - any(rows[4+i]).(float64)
		case *int64:
			*d = any(rows[2+i]).(int64) - any(rows[4+i]).(int64)
		case *int32:
			*d = any(rows[2+i]).(int32) - any(rows[4+i]).(int32)
		case *int8:
			*d = any(rows[2+i]).(int8) - any(rows[4+i]).(int8)
		}
	}
	return rowan.Array[T]{Data: slices.Concat(difference, row, row, difference), Shape: []int{4, 2}}
}

// TestTFRATrainsFloat64: three steps of Adam on rows of float64, with an id twice in
// the batch and one that is new. Hyper-parameters are sums of few powers of two: TFRA
// rounds others to float32. What is left is what powers and roots round.
func TestTFRATrainsFloat64(t *testing.T) {
	var golden struct{ Cases []tfraDTypes }
	readGolden(t, "tfra_dtypes.json", &golden)
	c := golden.Cases[0]
	var want struct {
		After tfraRows[float64]
	}
	if c.read(t, "adam, dyadic, three steps", &want) {
		t.Fatal("recorded an error")
	}
	table := newTableOf[float64](t, rowan.TableOptions{Width: 2, Initializer: initializer.Ones{},
		Optimizer: &optim.Optimizer{Updater: optim.Adam{Beta1: 0.875, Beta2: 0.9921875, Epsilon: 0x1p-20}, Rate: optim.Constant(0.125)}})
	check(table.Upsert(t.Context(), tfraKeys("int64", 7, -5, 2), rowan.Array[float64]{Data: []float64{1, 2, 3, 4, 5, 6}, Shape: []int{3, 2}}))
	for range 3 {
		l := must(table.Lookup(t.Context(), tfraKeys("int64", 7, 2, 7, 9), rowan.LookupOptions{Training: true}))
		g := table.NewGradients()
		check(g.AddFloat64(l, rowan.Array[float64]{Data: []float64{1, -2, 4, 8, 3, 1, -1, 2}, Shape: []int{4, 2}}))
		check(table.Apply(t.Context(), g, rowan.Step{}))
	}
	i := 0
	for r, err := range table.Export(t.Context()) {
		check(err)
		for _, x := range r.Values.Data {
			if w := want.After.Values[i]; math.Abs(x-w) > 1e-13*math.Abs(w) {
				t.Errorf("number %d is %v, recorded %v", i, x, w)
			}
			i++
		}
	}
	if i != 8 || len(want.After.Values) != 8 {
		t.Errorf("%d numbers, recorded %d, want 8", i, len(want.After.Values))
	}
}
