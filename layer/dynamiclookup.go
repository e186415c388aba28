package layer

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// DynamicLookupOptions are the optional arguments of [NewDynamicLookup]. The zero
// value works.
type DynamicLookupOptions struct {
	Options
	// KeyType is the type of the ids. Default: int64.
	KeyType tensor.KeyType
	// Initializer gives a row its first numbers, the same whole ones for every key;
	// strings start empty. Default: zeros.
	Initializer initializer.Initializer
	// InitCapacity is the number of keys to make room for at once. Default: 0.
	InitCapacity int
	// Missing says what a key that has no row reads as. Default: its first values.
	Missing rowan.Missing
	// RestrictPolicy says which rows the table gives up, and when. Default: none.
	RestrictPolicy rowan.Restrict
}

// DynamicLookup turns ids into what a table keeps beside them, integers, truth values
// or strings: TensorFlow Recommenders Addons' Embedding with a value_dtype that is not
// of floats. Ids of shape (3, 2) give (3, 2, size); what comes out are ids for another
// layer, such as the genres of a film for their embedding:
//
//	Input ──film──> DynamicLookup ──genres──> Embedding ──floats──> …
//
// Integers of 8 bits and truth values come out as int32, as there are no smaller ids.
// The table is filled by its own methods: see [rowan.AsTableOf] and [DynamicLookup.Table].
// It is saved with the model, and nothing in it is trained.
type DynamicLookup struct {
	Base
	size  int
	of    rowan.DType
	o     DynamicLookupOptions
	table *rowan.Table
}

// NewDynamicLookup returns a layer of rows of size values of a type: rowan.Int8, Int32,
// Int64, Bool or String.
func NewDynamicLookup(size int, of rowan.DType, o DynamicLookupOptions) (*DynamicLookup, error) {
	switch {
	case size <= 0:
		return nil, fmt.Errorf("%w: DynamicLookup: `embedding_size` must be a positive integer. Received: embedding_size=%d", ErrArgument, size)
	case of < rowan.Int8 || of > rowan.String:
		return nil, fmt.Errorf("%w: DynamicLookup: `value_dtype` must be int8, int32, int64, bool or string. Received: %v; floats are for DynamicEmbedding", ErrArgument, of)
	}
	l := &DynamicLookup{size: size, of: of, o: o}
	l.Init(l, o.Options)
	return l, nil
}

// Build creates the table.
func (l *DynamicLookup) Build(...Shape) error {
	table, err := rowan.NewTable(rowan.TableOptions{
		Name: l.Name(), Width: l.size, DType: l.of, KeyType: l.o.KeyType, Initializer: l.o.Initializer,
		InitialCapacity: l.o.InitCapacity, Missing: l.o.Missing, Restrict: l.o.RestrictPolicy,
	})
	if err != nil {
		return err
	}
	v, err := l.AddTable("embeddings", table, 0)
	if err != nil {
		return err
	}
	v.frozen, l.table = true, table
	return nil
}

// Table returns the table, nil before the layer is built.
func (l *DynamicLookup) Table() *rowan.Table { return l.table }

// ImpliedInput is the input that a Sequential model gives the layer when it is the
// first: ids of the shape in its options, else of one free dimension.
func (l *DynamicLookup) ImpliedInput() InputOptions { return impliedIDs(&l.Base, l.o.KeyType) }

// Symbolic implements [IDLayer].
func (l *DynamicLookup) Symbolic(in []*Tensor) (*Tensor, error) {
	if len(in) == 1 && !fits(in[0].keyType, l.o.KeyType) {
		return nil, fmt.Errorf("%w: the table has %v keys, input %q has %v ids: give the layer that KeyType", ErrStage, l.o.KeyType, in[0].name, in[0].keyType)
	}
	t, err := one(in, tensor.Int64, tensor.Int32, tensor.Uint64, tensor.String)
	if err != nil {
		return nil, err
	}
	if t.ragged {
		return nil, fmt.Errorf("%w: the layer gives each id %d values, and takes no ragged ids: input %q is", ErrShape, l.size, t.name)
	}
	out := SymbolicIDs(t, l.idType())
	out.shape = append(out.shape, l.size)
	return out, nil
}

// idType is the type of what comes out.
func (l *DynamicLookup) idType() tensor.KeyType {
	switch l.of {
	case rowan.Int64:
		return tensor.Int64
	case rowan.String:
		return tensor.String
	}
	return tensor.Int32
}

// Map implements [IDLayer].
func (l *DynamicLookup) Map(ctx context.Context, _ *Mapping, ids tensor.IDs, _ bool) (tensor.IDs, error) {
	if l.table == nil {
		return nil, fmt.Errorf("%w: apply or run the layer first", ErrNotBuilt)
	}
	switch ids.(type) {
	case *tensor.Dense[int64], *tensor.Dense[int32], *tensor.Dense[uint64], *tensor.Dense[string]:
	default:
		return nil, fmt.Errorf("%w: each id has %d values: the layer takes dense ids, got %T", ErrShape, l.size, ids)
	}
	switch l.of {
	case rowan.Int8:
		return mapCells(ctx, l.table, ids, func(x int8) int32 { return int32(x) })
	case rowan.Int32:
		return mapCells(ctx, l.table, ids, func(x int32) int32 { return x })
	case rowan.Int64:
		return mapCells(ctx, l.table, ids, func(x int64) int64 { return x })
	case rowan.String:
		return mapCells(ctx, l.table, ids, func(x string) string { return x })
	}
	return mapCells(ctx, l.table, ids, func(x bool) int32 {
		if x {
			return 1
		}
		return 0
	})
}

// mapCells looks ids up and makes ids of their cells.
func mapCells[T rowan.Cell, K tensor.Key](ctx context.Context, table *rowan.Table, ids tensor.IDs, id func(T) K) (tensor.IDs, error) {
	t, err := rowan.AsTableOf[T](table)
	if err != nil {
		return nil, err
	}
	read, err := t.Lookup(ctx, ids, rowan.LookupOptions{})
	if err != nil {
		return nil, err
	}
	cells := read.Values()
	out := make([]K, len(cells.Data))
	for i, x := range cells.Data {
		out[i] = id(x)
	}
	return tensor.NewDense(out, cells.Shape...)
}

// Config implements [Configurer].
func (l *DynamicLookup) Config() Config {
	c := l.BaseConfig().with(Config{
		"embedding_size": l.size, "key_dtype": l.o.KeyType.String(), "value_dtype": l.of.String(),
		"initializer": nil, "init_capacity": l.o.InitCapacity, "missing": int(l.o.Missing),
		"restrict_policy": restrictConfig(l.o.RestrictPolicy),
	})
	if l.o.Initializer != nil {
		c["initializer"] = initializerConfig(l.o.Initializer)
	}
	return c
}

func dynamicLookupFromConfig(c Config) (Layer, error) {
	r := c.reader()
	size, of := r.Int("embedding_size"), r.rowDType("value_dtype")
	o := DynamicLookupOptions{Options: r.options(), KeyType: r.keyType("key_dtype"), Initializer: r.initializer("initializer"),
		InitCapacity: r.Int("init_capacity"), Missing: rowan.Missing(r.Int("missing")), RestrictPolicy: r.restrict("restrict_policy")}
	if err := r.done("DynamicLookup"); err != nil {
		return nil, err
	}
	return NewDynamicLookup(size, of, o)
}
