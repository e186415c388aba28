// Package tabletest is the suite that every row store passes: what
// rowan.RowStore promises, as tests.
//
//	func TestStore(t *testing.T) {
//		tabletest.Run(t, func(t *testing.T, key tensor.KeyType, width int) rowan.RowStore { … })
//	}
package tabletest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Open makes an empty store. The suite closes it.
type Open func(t *testing.T, key tensor.KeyType, width int) rowan.RowStore

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Run("int64", func(t *testing.T) { runKeys(t, open, func(i int) int64 { return int64(i)*7919 - 5 }) })
	t.Run("int32", func(t *testing.T) { runKeys(t, open, func(i int) int32 { return int32(-i) }) })
	t.Run("uint64", func(t *testing.T) { runKeys(t, open, func(i int) uint64 { return math.MaxUint64 - uint64(i) }) })
	t.Run("string", func(t *testing.T) { runKeys(t, open, func(i int) string { return fmt.Sprintf("κ%d", i) }) })
}

// suite is the tests for one key type.
type suite[K tensor.Key] struct {
	open Open
	key  func(i int) K
}

func runKeys[K tensor.Key](t *testing.T, open Open, key func(i int) K) {
	s := suite[K]{open, key}
	t.Run("Empty", s.empty)
	t.Run("Upsert", s.upsert)
	t.Run("Duplicates", s.duplicates)
	t.Run("Accumulate", s.accumulate)
	t.Run("Remove", s.remove)
	t.Run("Clear", s.clear)
	t.Run("Export", s.export)
	t.Run("BadInput", s.badInput)
	t.Run("Context", s.context)
	t.Run("Close", s.close)
	t.Run("AgainstMap", s.againstMap)
	t.Run("Concurrent", s.concurrent)
}

const width = 3

func (s suite[K]) store(t *testing.T) rowan.RowStore {
	t.Helper()
	store := s.open(t, tensor.KeyTypeOf[K](), width)
	t.Cleanup(func() { must(t, store.Close()) })
	return store
}

func (s suite[K]) ids(is ...int) *tensor.Dense[K] {
	keys := make([]K, len(is))
	for j, i := range is {
		keys[j] = s.key(i)
	}
	d, err := tensor.NewDense(keys)
	if err != nil {
		panic(err) // a list of keys always has the shape of a list
	}
	return d
}

// rows returns a row for each number, all of whose entries are that number.
func rows(xs ...float32) []float32 {
	var out []float32
	for _, x := range xs {
		for range width {
			out = append(out, x)
		}
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expect checks that the store holds these keys with these rows; NaN stands for absent.
func (s suite[K]) expect(t *testing.T, store rowan.RowStore, keys []int, want ...float32) {
	t.Helper()
	got, exists := make([]float32, len(keys)*width), make([]bool, len(keys))
	for i := range got {
		got[i] = -77
	}
	must(t, store.Find(context.Background(), s.ids(keys...), got, exists))
	for i, x := range want {
		wantRow, there := rows(x), true
		if x != x {
			wantRow, there = rows(-77), false
		}
		if exists[i] != there || !slices.Equal(got[i*width:(i+1)*width], wantRow) {
			t.Errorf("key %v: exists %v, row %v; want %v, %v", s.key(keys[i]), exists[i], got[i*width:(i+1)*width], there, wantRow)
		}
	}
}

func expectLen(t *testing.T, store rowan.RowStore, want int) {
	t.Helper()
	n, err := store.Len(context.Background())
	must(t, err)
	if n != want {
		t.Errorf("Len is %d, want %d", n, want)
	}
}

var absent = float32(math.NaN())

func (s suite[K]) empty(t *testing.T) {
	store := s.store(t)
	if store.Width() != width || store.KeyType() != tensor.KeyTypeOf[K]() {
		t.Errorf("store of width %d and keys %v, want %d and %v", store.Width(), store.KeyType(), width, tensor.KeyTypeOf[K]())
	}
	s.expect(t, store, []int{0, 1}, absent, absent)
	s.expect(t, store, nil)
	expectLen(t, store, 0)
	must(t, store.Upsert(context.Background(), s.ids(), nil))
	must(t, store.Remove(context.Background(), s.ids()))
	expectLen(t, store, 0)
}

func (s suite[K]) upsert(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	must(t, store.Upsert(ctx, s.ids(0, 1), rows(1, 2)))
	must(t, store.Upsert(ctx, s.ids(1, 2), rows(3, 4)))
	s.expect(t, store, []int{0, 1, 2, 3, 1}, 1, 3, 4, absent, 3)
	expectLen(t, store, 3)
}

func (s suite[K]) duplicates(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	must(t, store.Upsert(ctx, s.ids(5, 6, 5, 5), rows(1, 2, 3, 4)))
	s.expect(t, store, []int{5, 6}, 4, 2)
	expectLen(t, store, 2)
}

func (s suite[K]) accumulate(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	must(t, store.Upsert(ctx, s.ids(1, 2), rows(10, 20)))
	must(t, store.Accumulate(ctx, s.ids(1, 2, 3, 4), rows(5, 6, 7, 8), []bool{true, false, true, false}))
	s.expect(t, store, []int{1, 2, 3, 4}, 15, 20, absent, 8)
	must(t, store.Accumulate(ctx, s.ids(1, 1, 9, 9), rows(1, 2, 3, 4), []bool{true, true, false, false}))
	s.expect(t, store, []int{1, 9}, 18, 3)
}

func (s suite[K]) remove(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	must(t, store.Upsert(ctx, s.ids(1, 2, 3), rows(1, 2, 3)))
	must(t, store.Remove(ctx, s.ids(2, 7, 2)))
	s.expect(t, store, []int{1, 2, 3}, 1, absent, 3)
	expectLen(t, store, 2)
	must(t, store.Upsert(ctx, s.ids(2), rows(5)))
	s.expect(t, store, []int{2}, 5)
}

func (s suite[K]) clear(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	must(t, store.Upsert(ctx, s.ids(1, 2), rows(1, 2)))
	must(t, store.Clear(ctx))
	s.expect(t, store, []int{1, 2}, absent, absent)
	expectLen(t, store, 0)
	must(t, store.Upsert(ctx, s.ids(1), rows(3)))
	s.expect(t, store, []int{1}, 3)
}

func (s suite[K]) export(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	const n = 10_000 // more than one part
	keys, data := make([]int, n), make([]float32, 0, n*width)
	for i := range n {
		keys[i] = i
		data = append(data, rows(float32(i))...)
	}
	must(t, store.Upsert(ctx, s.ids(keys...), data))
	want := map[K]float32{}
	for i := range n {
		want[s.key(i)] = float32(i)
	}
	var last K
	seen := 0
	for part, err := range store.Export(ctx) {
		must(t, err)
		for i, k := range part.Keys.(*tensor.Dense[K]).Values() {
			if seen > 0 && k <= last {
				t.Fatalf("key %v comes after %v", k, last)
			}
			if got := part.Values.Data()[i*width]; got != want[k] {
				t.Fatalf("key %v has %v, want %v", k, got, want[k])
			}
			last = k
			seen++
		}
	}
	if seen != n {
		t.Errorf("exported %d rows, want %d", seen, n)
	}
	for _, err := range store.Export(ctx) {
		must(t, err)
		break // stopping early must not hang or leak
	}
}

func (s suite[K]) badInput(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	var none *tensor.Dense[K]
	for name, err := range map[string]error{
		"few numbers":       store.Upsert(ctx, s.ids(1, 2), rows(1)),
		"many numbers":      store.Upsert(ctx, s.ids(1), rows(1, 2)),
		"few flags":         store.Accumulate(ctx, s.ids(1, 2), rows(1, 2), []bool{true}),
		"short result":      store.Find(ctx, s.ids(1, 2), make([]float32, width), make([]bool, 2)),
		"nil keys":          store.Upsert(ctx, nil, rows(1)),
		"nil in Find":       store.Find(ctx, none, nil, nil),
		"nil in Upsert":     store.Upsert(ctx, none, rows(1)),
		"nil in Accumulate": store.Accumulate(ctx, none, rows(1), []bool{false}),
		"nil in Remove":     store.Remove(ctx, none),
	} {
		if !errors.Is(err, rowan.ErrShape) {
			t.Errorf("%s: got %v, want ErrShape", name, err)
		}
	}
	var other tensor.IDs = tensor.RaggedOf([]string{"a"})
	if store.KeyType() == tensor.String {
		other = tensor.RaggedOf([]int64{1})
	}
	if err := store.Upsert(ctx, other, rows(1)); !errors.Is(err, rowan.ErrKeyType) {
		t.Errorf("keys of another type: got %v, want ErrKeyType", err)
	}
	expectLen(t, store, 0)
}

func (s suite[K]) context(t *testing.T) {
	store := s.store(t)
	must(t, store.Upsert(context.Background(), s.ids(5), rows(5)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, lenErr := store.Len(ctx)
	for name, err := range map[string]error{
		"Export": exportError(ctx, store),
		"Find":   store.Find(ctx, s.ids(1), make([]float32, width), make([]bool, 1)),
		"Upsert": store.Upsert(ctx, s.ids(1), rows(1)),
		"Remove": store.Remove(ctx, s.ids(1)),
		"Clear":  store.Clear(ctx),
		"Len":    lenErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: got %v", name, err)
		}
	}
	s.expect(t, store, []int{5, 1}, 5, absent)
}

func (s suite[K]) close(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	must(t, store.Upsert(ctx, s.ids(1), rows(1)))
	must(t, store.Close())
	must(t, store.Close())
	_, lenErr := store.Len(ctx)
	for name, err := range map[string]error{
		"Find":       store.Find(ctx, s.ids(1), make([]float32, width), make([]bool, 1)),
		"Upsert":     store.Upsert(ctx, s.ids(1), rows(1)),
		"Accumulate": store.Accumulate(ctx, s.ids(1), rows(1), []bool{true}),
		"Remove":     store.Remove(ctx, s.ids(1)),
		"Clear":      store.Clear(ctx),
		"Len":        lenErr,
		"Export":     exportError(ctx, store),
	} {
		if !errors.Is(err, rowan.ErrClosed) {
			t.Errorf("%s on a closed store: got %v, want ErrClosed", name, err)
		}
	}
}

func exportError(ctx context.Context, store rowan.RowStore) error {
	for _, err := range store.Export(ctx) {
		if err != nil {
			return err
		}
	}
	return nil
}

// againstMap does random operations on the store and on a Go map.
func (s suite[K]) againstMap(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	r := rand.New(rand.NewPCG(3, 4))
	model := map[int]float32{}
	for range 300 {
		n := 1 + r.IntN(50)
		keys, xs, exists := make([]int, n), make([]float32, n), make([]bool, n)
		for i := range n {
			keys[i], xs[i], exists[i] = r.IntN(200), float32(r.IntN(1000)), r.IntN(2) == 0
		}
		switch r.IntN(4) {
		case 0, 1:
			must(t, store.Upsert(ctx, s.ids(keys...), rows(xs...)))
			for i, k := range keys {
				model[k] = xs[i]
			}
		case 2:
			must(t, store.Accumulate(ctx, s.ids(keys...), rows(xs...), exists))
			for i, k := range keys {
				if _, there := model[k]; there == exists[i] {
					model[k] += xs[i]
				}
			}
		case 3:
			must(t, store.Remove(ctx, s.ids(keys...)))
			for _, k := range keys {
				delete(model, k)
			}
		}
	}
	for k := range 200 {
		want, ok := model[k]
		if !ok {
			want = absent
		}
		s.expect(t, store, []int{k}, want)
	}
	expectLen(t, store, len(model))
}

// concurrent has writers that each write rows of one number, and readers that
// must never see two numbers in a row.
func (s suite[K]) concurrent(t *testing.T) {
	ctx, store := context.Background(), s.store(t)
	var group sync.WaitGroup
	for w := range 2 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(w)))
			for range 50 {
				var keys []int
				var xs []float32
				for range 20 {
					keys, xs = append(keys, r.IntN(30)), append(xs, float32(r.IntN(1000)))
				}
				if err := store.Upsert(ctx, s.ids(keys...), rows(xs...)); err != nil {
					t.Error(err)
				}
				if err := store.Remove(ctx, s.ids(r.IntN(30))); err != nil {
					t.Error(err)
				}
			}
		})
		group.Go(func() {
			keys := make([]int, 30)
			for i := range keys {
				keys[i] = i
			}
			for range 50 {
				got, exists := make([]float32, 30*width), make([]bool, 30)
				if err := store.Find(ctx, s.ids(keys...), got, exists); err != nil {
					t.Error(err)
				}
				for i := range 30 {
					if row := got[i*width : (i+1)*width]; row[0] != row[1] || row[1] != row[2] {
						t.Errorf("a torn row: %v", row)
					}
				}
			}
		})
	}
	group.Wait()
}
