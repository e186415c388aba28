package rowan_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/internal/format"
	"github.com/rowan-embeddings/rowan/internal/vfs"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

func adam(exact bool) *optim.Optimizer {
	return &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1), Exact: exact}
}

func saved(t testing.TB, table *rowan.Table) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := table.Save(ctx, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSaveLoad: a table that was saved and loaded trains on with the same bits.
func TestSaveLoad(t *testing.T) {
	for _, o := range []rowan.TableOptions{
		{Width: 3, Optimizer: adam(false)},
		{Width: 3, Optimizer: adam(true)},
		{Width: 20, Rows: 50, Optimizer: adam(false), Regularizer: rowan.Regularizer{L2: 0.01}},
		{Width: 1, Optimizer: sgd(1)},
		{Width: 2},
	} {
		a, b := newTable(t, o), newTable(t, o)
		train := func(table *rowan.Table, from int) {
			if o.Optimizer == nil {
				return
			}
			for n := from; n < from+4; n++ {
				step(t, table, dense(t, []int64{int64(n), int64(3 * n), 7}), rowan.None, ones)
			}
		}
		train(a, 1)
		// Rows of b that are not in the file must go.
		if err := b.Upsert(ctx, dense(t, []int64{9}), tensor.ZeroValues(1, o.Width)); err != nil {
			t.Fatal(err)
		}
		if err := b.Load(ctx, bytes.NewReader(saved(t, a))); err != nil {
			t.Fatal(err)
		}
		if b.Len() != a.Len() || b.Step() != a.Step() {
			t.Errorf("loaded %d rows at step %d, want %d at %d", b.Len(), b.Step(), a.Len(), a.Step())
		}
		train(a, 5)
		train(b, 5)
		if !bytes.Equal(saved(t, a), saved(t, b)) {
			t.Errorf("%+v: the loaded table went on differently", o)
		}
	}
}

func TestSaveLoadStrings(t *testing.T) {
	o := rowan.TableOptions{Width: 2, KeyType: tensor.String, Optimizer: sgd(1)}
	a, b := newTable(t, o), newTable(t, o)
	keys := []string{"", "a", "Ünïcode", strings.Repeat("long", 500), "a\x00b"}
	step(t, a, dense(t, keys), rowan.None, ones)
	if err := b.Load(ctx, bytes.NewReader(saved(t, a))); err != nil {
		t.Fatal(err)
	}
	typed, err := rowan.As[string](b)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := rowan.As[string](a)
	for _, k := range keys {
		got, exists, err := typed.Get(ctx, k)
		if err != nil {
			t.Fatal(err)
		}
		old, _, err := want.Get(ctx, k)
		if err != nil {
			t.Fatal(err)
		}
		if !exists[0] || !slices.Equal(got[0], old[0]) {
			t.Errorf("key %q: %v, %v; want %v", k, got[0], exists[0], old[0])
		}
	}
}

func TestLoadMismatch(t *testing.T) {
	o := rowan.TableOptions{Width: 3, Optimizer: adam(false)}
	file := saved(t, newTable(t, o))
	for name, change := range map[string]func(*rowan.TableOptions){
		"width":     func(o *rowan.TableOptions) { o.Width = 4 },
		"key type":  func(o *rowan.TableOptions) { o.KeyType = tensor.String },
		"slots":     func(o *rowan.TableOptions) { o.Optimizer = sgd(1) },
		"last step": func(o *rowan.TableOptions) { o.Optimizer = adam(true) },
		"seed":      func(o *rowan.TableOptions) { o.Seed = 1 },
		"static":    func(o *rowan.TableOptions) { o.Rows = 5 },
	} {
		other := o
		change(&other)
		if err := newTable(t, other).Load(ctx, bytes.NewReader(file)); !errors.Is(err, rowan.ErrMismatch) {
			t.Errorf("%s: got %v, want ErrMismatch", name, err)
		}
	}
}

// TestLoadRowTwice: a file that has a row twice is not that of any table, though
// its checksums are right and its number of rows is.
func TestLoadRowTwice(t *testing.T) {
	var file bytes.Buffer
	w, err := format.NewTableWriter(&file, format.Header{Name: "film", Width: 1, Rows: 3})
	if err == nil {
		err = w.WriteBlock(&format.Block{Keys: []uint64{0, 1, 1}, Rows: []float32{1, 2, 3}})
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{0, 3} {
		table := newTable(t, rowan.TableOptions{Width: 1, Rows: rows})
		before := saved(t, table)
		is(t, fmt.Sprint("rows=", rows), table.Load(ctx, bytes.NewReader(file.Bytes())), rowan.ErrMismatch)
		if !bytes.Equal(before, saved(t, table)) {
			t.Error("a failed load changed the table")
		}
	}
}

// TestLoadOtherTypes: a file of weights that the table has no form for is
// refused, by a warm start too, and the table stays as it was.
func TestLoadOtherTypes(t *testing.T) {
	for typ, block := range map[format.Type]format.Block{
		format.Int64: {Keys: []uint64{7}, Cells: format.AppendCells(nil, []int64{1})},
		format.Text:  {Keys: []uint64{7}, Texts: []string{"a"}},
	} {
		dir, table := t.TempDir(), newTable(t, rowan.TableOptions{Name: "film", Width: 1})
		file := checkpointOf(t, dir, format.Header{Name: "film", Width: 1, Rows: 1, Type: typ}, &block)
		store, err := rowan.OpenStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		before := saved(t, table)
		for what, err := range map[string]error{
			"load":       table.Load(ctx, bytes.NewReader(file)),
			"warm start": store.WarmStart(ctx, rowan.WarmStart{}, table),
		} {
			is(t, what, err, rowan.ErrMismatch)
			if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("weights are %v, the table's float32", typ)) {
				t.Errorf("%s of %v: got %v", what, typ, err)
			}
		}
		if !bytes.Equal(before, saved(t, table)) {
			t.Errorf("a refused file of %v changed the table", typ)
		}
	}
}

// checkpointOf writes a checkpoint of one table file, and returns the file.
func checkpointOf(t *testing.T, dir string, h format.Header, block *format.Block) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := format.NewTableWriter(&file, h)
	if err == nil {
		err = errors.Join(w.WriteBlock(block), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := checkpoint.Open(vfs.OS{}, dir)
	if err == nil {
		err = s.Save(ctx, 1, nil, func(w *checkpoint.Writer) error {
			f, err := w.Create(rowan.TableFile(h.Name))
			if err != nil {
				return err
			}
			_, err = f.Write(file.Bytes())
			return errors.Join(err, f.Close())
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestLoadDamaged: a file with any byte changed or missing is refused, and the
// table stays as it was.
func TestLoadDamaged(t *testing.T) {
	o := rowan.TableOptions{Width: 2, Optimizer: sgd(1)}
	a, b := newTable(t, o), newTable(t, o)
	step(t, a, dense(t, []int64{1, 2, 3}), rowan.None, ones)
	step(t, b, dense(t, []int64{7}), rowan.None, ones)
	before := saved(t, b)
	file := saved(t, a)
	for i := range file {
		damaged := bytes.Clone(file)
		damaged[i] ^= 0x40
		if err := b.Load(ctx, bytes.NewReader(damaged)); err == nil {
			t.Fatalf("a file with byte %d changed was loaded", i)
		}
		if err := b.Load(ctx, bytes.NewReader(file[:i])); err == nil {
			t.Fatalf("a file cut after %d bytes was loaded", i)
		}
	}
	if !bytes.Equal(before, saved(t, b)) {
		t.Error("a failed load changed the table")
	}
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	store, err := rowan.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := rowan.TableOptions{Name: "film/länge", Width: 2, Optimizer: sgd(1)}
	p := rowan.TableOptions{Name: "user", Width: 5, KeyType: tensor.String}
	a, u := newTable(t, o), newTable(t, p)
	step(t, a, dense(t, []int64{1, 2, 3}), rowan.None, ones)
	if err := store.Save(ctx, 42, map[string]string{"why": "test"}, a, u); err != nil {
		t.Fatal(err)
	}
	var meta map[string]string
	b, v := newTable(t, o), newTable(t, p)
	at, err := store.Load(ctx, &meta, b, v)
	if err != nil || at != 42 || meta["why"] != "test" {
		t.Fatalf("loaded step %d, meta %v, %v", at, meta, err)
	}
	if !bytes.Equal(saved(t, a), saved(t, b)) {
		t.Error("the loaded table differs")
	}

	// One table of the checkpoint does not fit: none is changed.
	p.Width = 6
	wrong, fresh := newTable(t, p), newTable(t, o)
	if _, err := store.Load(ctx, nil, fresh, wrong); !errors.Is(err, rowan.ErrMismatch) {
		t.Errorf("got %v, want ErrMismatch", err)
	}
	if fresh.Len() != 0 {
		t.Error("a failed load left rows behind")
	}
	missing := newTable(t, rowan.TableOptions{Name: "nobody", Width: 1})
	if _, err := store.Load(ctx, nil, missing); err == nil || !strings.Contains(err.Error(), `has no file "nobody.table"`) {
		t.Errorf("a table that the checkpoint lacks: %v", err)
	}
}

func TestTyped(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 2, KeyType: tensor.Int32})
	if _, err := rowan.As[int64](table); !errors.Is(err, rowan.ErrKeyType) {
		t.Errorf("a view of another key type: %v", err)
	}
	films, err := rowan.As[int32](table)
	if err != nil {
		t.Fatal(err)
	}
	for k := range int32(3) {
		if err := films.Set(ctx, -k, float32(k), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := films.Set(ctx, 1, 1); !errors.Is(err, rowan.ErrShape) {
		t.Errorf("a short row: %v", err)
	}
	if err := films.Delete(ctx, -1, 55); err != nil {
		t.Fatal(err)
	}
	var keys []int32
	err = films.Each(ctx, func(k int32, row []float32) error {
		keys = append(keys, k)
		if row[0] != float32(-k) {
			t.Errorf("key %d has row %v", k, row)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(keys, []int32{-2, 0}) {
		t.Errorf("keys %v, want -2 and 0", keys)
	}
	stop := errors.New("stop")
	if err := films.Each(ctx, func(int32, []float32) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of the function: %v", err)
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	if err := films.Each(ctx, func(int32, []float32) error { return nil }); !errors.Is(err, rowan.ErrClosed) {
		t.Errorf("a closed table: %v", err)
	}
}

// TestExportMeanwhile: the caller may write while it exports.
func TestExportMeanwhile(t *testing.T) {
	table := newTable(t, rowan.TableOptions{Width: 1})
	ids := make([]int64, 9000)
	for i := range ids {
		ids[i] = int64(i)
	}
	if err := table.Upsert(ctx, dense(t, ids), tensor.ZeroValues(9000, 1)); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for part, err := range table.Export(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		seen += part.Keys.Len()
		if err := table.Remove(ctx, dense(t, ids[8000:])); err != nil {
			t.Fatal(err)
		}
	}
	if seen != 8000 {
		t.Errorf("exported %d rows, want the 8000 that were there when they were reached", seen)
	}
}
