package layer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// built returns a layer with its table, which o's optimizer trains.
func built(t testing.TB, o layer.DynamicOptions) *layer.DynamicEmbedding {
	t.Helper()
	o.Name = "film"
	l := newDynamic(t, 3, o)
	in := layer.InputOptions{IDs: true, KeyType: o.KeyType, Shape: layer.Shape{-1}, Scope: layer.NewScope(9)}
	apply(t, l, must[*layer.Tensor](t)(layer.Input(in)))
	t.Cleanup(func() { l.Table().Close() })
	return l
}

// trainMore makes a step with a gradient that depends on what was read.
func trainMore(t testing.TB, l *layer.DynamicEmbedding, batches ...tensor.IDs) {
	t.Helper()
	ctx, g := context.Background(), l.Table().NewGradients()
	for _, batch := range batches {
		r := new(layer.Rows)
		if err := l.Lookup(ctx, r, batch, true); err != nil {
			t.Fatal(err)
		}
		fed, _, err := r.Feed()
		if err != nil {
			t.Fatal(err)
		}
		grad := tensor.ZeroValues(fed.Shape()...)
		for i, x := range fed.Data() {
			grad.Data()[i] = x - float32(i%5)
		}
		if err := r.Backward(g, grad); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Table().Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
}

func savedTable(t testing.TB, table *rowan.Table) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := table.Save(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDevices: a layer over one part a device, one device named several times
// too, trains to the bits of one in its table's memory, state included.
func TestDevices(t *testing.T) {
	adam := &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1), Exact: true}
	words := tensor.RaggedOf([]string{"a", "b", "a"}, nil, []string{"", "c"})
	numbers := tensor.RaggedOf([]int64{1, -2, 1}, nil, []int64{0, 1 << 40})
	for _, o := range []layer.DynamicOptions{
		{Optimizer: adam, Pool: rowan.Mean, InitCapacity: 10},
		{Optimizer: adam, MaxNorm: 0.5, Padding: new(int64(0))},
		{Optimizer: adam, KeyType: tensor.String, Regularizer: regularizer.L2(0.1), PaddingString: new("")},
	} {
		var batch tensor.IDs = numbers
		if o.KeyType == tensor.String {
			batch = words
		}
		memory := built(t, o)
		for range 4 {
			trainMore(t, memory, batch, batch)
		}
		for _, n := range []int{1, 2, 5} {
			o.Devices = slices.Repeat([]string{"memory:"}, n)
			l := built(t, o)
			for range 4 {
				trainMore(t, l, batch, batch)
			}
			if !bytes.Equal(savedTable(t, l.Table()), savedTable(t, memory.Table())) {
				t.Errorf("%d devices, %v keys: rows differ from those in memory", n, o.KeyType)
			}
			if parts := l.Table().Stats().Parts; n > 1 && parts != n {
				t.Errorf("%d devices are %d parts", n, parts)
			}
		}
	}
	if _, err := layer.NewDynamicEmbedding(3, layer.DynamicOptions{Devices: []string{"memory:", "memory:"},
		RestrictPolicy: rowan.Restrict{Policy: rowan.TimestampPolicy{}}}); !errors.Is(err, layer.ErrArgument) {
		t.Errorf("a policy over stores: got %v", err)
	}
	for _, devices := range [][]string{{"redis://h:6379/0"}, {"memory:", "disk:"}, {""}} {
		_, err := layer.NewDynamicEmbedding(3, layer.DynamicOptions{Devices: devices})
		if !errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), "KVCreator") {
			t.Errorf("devices %q and nobody to open them: got %v", devices, err)
		}
	}
}

// library is a place that a driver opens stores in, by URL: several layers may
// open one, and closing it ends nobody else's.
type library struct {
	mu     sync.Mutex
	asked  []rowan.StoreOptions
	stores map[string]rowan.RowStore
	// hold is called before rows are written.
	hold func()
}

func newLibrary() *library { return &library{stores: map[string]rowan.RowStore{}, hold: func() {}} }

func (b *library) open(_ context.Context, o rowan.StoreOptions) (rowan.RowStore, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, o)
	key := fmt.Sprint(o.URL, " ", o.Table)
	if b.stores[key] == nil {
		s, err := rowan.NewMemoryStore(o.KeyType, o.Width)
		if err != nil {
			return nil, err
		}
		b.stores[key] = s
	}
	return rack{b.stores[key], b}, nil
}

// rack is a store that is not closed by those who opened it.
type rack struct {
	rowan.RowStore
	in *library
}

func (rack) Close() error { return nil }

func (s rack) Upsert(ctx context.Context, keys tensor.IDs, rows []float32) error {
	s.in.hold()
	return s.RowStore.Upsert(ctx, keys, rows)
}

func (s rack) Accumulate(ctx context.Context, keys tensor.IDs, rows []float32, exists []bool) error {
	s.in.hold()
	return s.RowStore.Accumulate(ctx, keys, rows, exists)
}

// TestKVCreator: a driver that is given as a value opens a store for each
// device, in the width of the optimizer that the table has by then, and what it
// keeps outlives the layer.
func TestKVCreator(t *testing.T) {
	b := newLibrary()
	o := layer.DynamicOptions{KVCreator: b.open, Devices: []string{"shelf:1", "shelf:2"}, InitCapacity: 40}
	l := built(t, o)
	if err := l.Table().SetOptimizer(&optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)}); err != nil {
		t.Fatal(err)
	}
	trainMore(t, l, ids(t, []int{4}, 1, 2, 3, 4).IDs)
	want := []rowan.StoreOptions{
		{Table: "film", URL: "shelf:1", Part: 0, Parts: 2, Width: 9, Capacity: 20},
		{Table: "film", URL: "shelf:2", Part: 1, Parts: 2, Width: 9, Capacity: 20},
	}
	if !slices.Equal(b.asked, want) {
		t.Errorf("the driver was asked for\n%+v, want\n%+v", b.asked, want)
	}
	file := savedTable(t, l.Table())
	if err := l.Table().Close(); err != nil {
		t.Fatal(err)
	}
	o.Optimizer = &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)}
	again := built(t, o)
	again.Table().SetStep(1)
	if !bytes.Equal(savedTable(t, again.Table()), file) {
		t.Error("another layer over the same stores has other rows")
	}
	alone := newLibrary()
	trainMore(t, built(t, layer.DynamicOptions{KVCreator: alone.open, Optimizer: o.Optimizer}), ids(t, []int{1}, 1).IDs)
	if len(alone.asked) != 1 || alone.asked[0].URL != "memory:" {
		t.Errorf("a driver without devices was asked for %+v, want the default device", alone.asked)
	}
}

// TestPartitionerOfALayer: a function routes keys to devices, and is checked
// against their number.
func TestPartitionerOfALayer(t *testing.T) {
	b := newLibrary()
	odd := func(keys tensor.IDs, parts int, out []int32) error {
		for i, k := range keys.(*tensor.Dense[int64]).Values() {
			out[i] = int32(k) % int32(parts+1)
		}
		return nil
	}
	l := built(t, layer.DynamicOptions{KVCreator: b.open, Devices: []string{"shelf:1", "shelf:2"}, Partitioner: odd,
		Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}})
	trainMore(t, l, ids(t, []int{5}, 0, 1, 3, 4, 7).IDs)
	for url, want := range map[string]int{"shelf:1 film": 2, "shelf:2 film": 3} {
		if n, err := b.stores[url].Len(context.Background()); n != want || err != nil {
			t.Errorf("%s has %d rows (%v), want %d", url, n, err, want)
		}
	}
	err := l.Lookup(context.Background(), new(layer.Rows), ids(t, []int{1}, 2).IDs, false)
	if !errors.Is(err, rowan.ErrOptions) || !strings.Contains(err.Error(), "key 2 to part 2 of 0 to 1") {
		t.Errorf("a part that there is not: got %v", err)
	}
}

// TestBPV2: two workers with a layer each over the same stores read the same
// rows before either writes. With bp_v2 both updates count, by default the last
// one's, whose rows are written whole.
func TestBPV2(t *testing.T) {
	for _, bpv2 := range []bool{true, false} {
		b := newLibrary()
		o := layer.DynamicOptions{KVCreator: b.open, BPV2: bpv2, Initializer: initializer.Zeros{},
			Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}}
		workers := []*layer.DynamicEmbedding{built(t, o), built(t, o)}
		var both, done sync.WaitGroup
		both.Add(2)
		b.hold = func() { both.Done(); both.Wait() }
		for _, w := range workers {
			done.Go(func() {
				ctx, r := context.Background(), new(layer.Rows)
				if err := w.Lookup(ctx, r, ids(t, []int{2}, 1, 2).IDs, true); err != nil {
					t.Error(err)
				}
				grad, g := tensor.ZeroValues(2, 3), w.Table().NewGradients()
				for i := range grad.Data() {
					grad.Data()[i] = 1
				}
				if err := errors.Join(r.Backward(g, grad), w.Table().Apply(ctx, g, rowan.Step{})); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		want := float32(-1)
		if bpv2 {
			want = -2
		}
		for _, w := range workers {
			l := must[*rowan.Lookup](t)(w.Table().Lookup(context.Background(), ids(t, []int{2}, 1, 2).IDs, rowan.LookupOptions{}))
			for _, x := range l.Values().Data() {
				if x != want {
					t.Fatalf("bp_v2 %v: rows are %v after two updates by -1, want %v", bpv2, l.Values().Data(), want)
				}
			}
		}
	}
	one := built(t, layer.DynamicOptions{BPV2: true, Initializer: initializer.Zeros{},
		Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}})
	trainMore(t, one, ids(t, []int{1}, 1).IDs) // memory that workers share needs no increments
	if one.Table().Stats().Parts != 0 {
		t.Error("bp_v2 alone made parts")
	}
}

// TestKeepDistribution: a config holds the devices if it is to, and a layer made
// from it has them; functions are given beside it.
func TestKeepDistribution(t *testing.T) {
	b := newLibrary()
	o := layer.DynamicOptions{KVCreator: b.open, Devices: []string{"shelf:1", "shelf:2"}, BPV2: true, DistributeStrategy: "mirrored",
		Optimizer: &optim.Optimizer{Updater: optim.SGD{}, Rate: optim.Constant(1)}}
	o.Name = "film"
	for _, keep := range []bool{false, true} {
		o.KeepDistribution = keep
		class, c, err := layer.ToConfig(newDynamic(t, 3, o))
		if err != nil {
			t.Fatal(err)
		}
		devices, kept := c["devices"].([]string)
		if kept != keep || keep && !slices.Equal(devices, o.Devices) || c["bp_v2"] != true || c["keep_distribution"] != keep || c["distribute_strategy"] != "mirrored" {
			t.Errorf("keep_distribution %v: the config has %v", keep, c)
		}
		_, err = layer.FromConfig(class, c)
		if keep && (!errors.Is(err, layer.ErrArgument) || !strings.Contains(err.Error(), "DynamicConstructor")) || !keep && err != nil {
			t.Errorf("keep_distribution %v, no driver: got %v", keep, err)
		}
		again, err := layer.FromConfig(class, c, map[string]layer.Constructor{"DynamicEmbedding": layer.DynamicConstructor(
			layer.DynamicOptions{KVCreator: b.open, Devices: []string{"shelf:3"}})})
		if err != nil {
			t.Fatal(err)
		}
		b.asked = nil
		l := again.(*layer.DynamicEmbedding)
		apply(t, l, must[*layer.Tensor](t)(layer.Input(layer.InputOptions{IDs: true, Shape: layer.Shape{-1}, Scope: layer.NewScope(9)})))
		if _, err := l.Table().Count(context.Background()); err != nil {
			t.Fatal(err)
		}
		var urls []string
		for _, a := range b.asked {
			urls = append(urls, a.URL)
		}
		if want := map[bool][]string{true: o.Devices, false: {"shelf:3"}}[keep]; !slices.Equal(urls, want) {
			t.Errorf("keep_distribution %v: a layer from the config opened %v, want %v", keep, urls, want)
		}
	}
	for key, v := range map[string]any{"kv_creator": "cuckoo", "partitioner": "mod", "devices": 7, "bp_v2": "yes"} {
		if _, err := layer.FromConfig("DynamicEmbedding", layer.Config{"embedding_size": 3, key: v}); !errors.Is(err, layer.ErrConfig) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s = %v in a config: got %v", key, v, err)
		}
	}
	for _, v := range []any{nil, []any{"memory:", "memory:"}, "memory:"} {
		if _, err := layer.FromConfig("DynamicEmbedding", layer.Config{"embedding_size": 3, "devices": v, "kv_creator": nil}); err != nil {
			t.Errorf("devices = %v in a config: %v", v, err)
		}
	}
}

// TestCloneOfDevices: a deep copy has rows of its own; where its devices would be
// the layer's, whose rows it would be written over, it is refused.
func TestCloneOfDevices(t *testing.T) {
	adam := &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)}
	batch := ids(t, []int{4}, 1, 2, 3, 4).IDs
	for _, keep := range []bool{false, true} {
		l := built(t, layer.DynamicOptions{Devices: []string{"memory:", "memory:"}, KeepDistribution: keep, Optimizer: adam})
		trainMore(t, l, batch)
		before := savedTable(t, l.Table())
		c := must[layer.Layer](t)(l.Clone(context.Background())).(*layer.DynamicEmbedding)
		defer c.Table().Close()
		if !bytes.Equal(savedTable(t, c.Table()), before) || keep != (c.Table().Stats().Parts == 2) {
			t.Errorf("keep_distribution %v: the copy has other rows, or %d parts", keep, c.Table().Stats().Parts)
		}
		trainMore(t, c, batch)
		if !bytes.Equal(savedTable(t, l.Table()), before) {
			t.Errorf("keep_distribution %v: training the copy trains the layer", keep)
		}
	}
	b := newLibrary()
	o := layer.DynamicOptions{KVCreator: b.open, Devices: []string{"shelf:1"}, KeepDistribution: true, Optimizer: adam}
	l := built(t, o)
	trainMore(t, l, batch)
	before := savedTable(t, l.Table())
	_, err := l.Clone(context.Background(), map[string]layer.Constructor{"DynamicEmbedding": layer.DynamicConstructor(o)})
	if !errors.Is(err, layer.ErrUnsupported) || !bytes.Equal(savedTable(t, l.Table()), before) {
		t.Errorf("a copy over the same stores: got %v", err)
	}
}

// TestDistributeStrategy: replicas of a worker that share a layer, each with a
// piece of the batch, look up at once and train it as one replica would with
// the whole batch, to the bit; the strategy is a name in the config.
func TestDistributeStrategy(t *testing.T) {
	ctx, batch, pieces := context.Background(), []int64{4, 1, 4, -9, 1, 7, 7, 2}, 4
	adam := &optim.Optimizer{Updater: optim.NewAdam(), Rate: optim.Constant(0.1)}
	one := built(t, layer.DynamicOptions{Optimizer: adam})
	many := built(t, layer.DynamicOptions{Optimizer: adam, DistributeStrategy: "mirrored"})
	for range 5 {
		trainPieces(t, ctx, one, batch, 1)
		trainPieces(t, ctx, many, batch, pieces)
	}
	if !bytes.Equal(savedTable(t, many.Table()), savedTable(t, one.Table())) {
		t.Errorf("%d replicas do not train the rows of one", pieces)
	}
	if c := many.Config(); c["distribute_strategy"] != "mirrored" {
		t.Errorf("the config has distribute_strategy %v", c["distribute_strategy"])
	}
}

// trainPieces shares a batch out among n replicas and merges their gradients.
func trainPieces(t testing.TB, ctx context.Context, l *layer.DynamicEmbedding, batch []int64, n int) {
	t.Helper()
	replicas, each, g := make([]layer.Rows, n), len(batch)/n, l.Table().NewGradients()
	var all sync.WaitGroup
	for i := range replicas {
		piece := ids(t, []int{each}, batch[i*each:(i+1)*each]...).IDs
		all.Go(func() {
			if err := l.Lookup(ctx, &replicas[i], piece, true); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range replicas {
		grad := tensor.ZeroValues(each, 3)
		for j := range grad.Data() {
			grad.Data()[j] = float32(math.Sin(float64(i*each*3 + j)))
		}
		if err := replicas[i].Backward(g, grad); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Table().Apply(ctx, g, rowan.Step{}); err != nil {
		t.Fatal(err)
	}
}
