package layer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/arguments"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/regularizer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// DynamicOptions are the optional arguments of [NewDynamicEmbedding]: those of
// TensorFlow Recommenders Addons' Embedding. The zero value works. Arguments
// that this version cannot honour are ErrUnsupported when set.
type DynamicOptions struct {
	Options
	// KeyType is the type of the ids. Default: int64.
	KeyType tensor.KeyType
	// RowDType is the type that rows are stored in, the source system's value_dtype:
	// see [rowan.DType]. They are read as float32, and cast as the layer's policy
	// says; float64 is trained in float64. Rows in Devices are float32, and those of
	// integers, truth values and strings are for [DynamicLookup]. Default: float32.
	RowDType rowan.DType
	// Combiner is kept for subclasses that squash the output; as in the source
	// system, this layer does not pool by it. See Pool. A name that
	// rowan.ParseCombiner reads: those of tf.math's reductions, "max" or
	// "reduce_max", and of registered functions. Default: "sum".
	Combiner string
	// Pool pools over the last dimension of the ids: by one of rowan's combiners,
	// or a function that rowan.RegisterCombiner was given. Default: none.
	Pool rowan.Combiner
	// Initializer gives a key its first values. Default: RandomNormal(0, 0.05).
	Initializer initializer.Initializer
	// WithoutUnique is with_unique=False: ids are not made distinct before the
	// table is read. Results are the same either way, and so is the speed:
	// lookups read a repeated row from the cache, updates always merge.
	WithoutUnique bool
	// Regularizer is a penalty on the rows, paid when they are touched: L1L2 or a
	// regularizer.Row. Default: none.
	Regularizer regularizer.Regularizer
	// Padding is an id that stands for nothing: it reads as zeros, is left out
	// of means, and trains nothing. PaddingString is the same for string keys.
	// Default: none.
	Padding       *int64
	PaddingString *string
	// InitCapacity is the number of keys to make room for. Default 0.
	InitCapacity int
	// MaxNorm bounds the L2 norm of a row, read or stored. Default 0: no bound.
	MaxNorm float32
	// Missing says what a lookup that does not train reads for an unknown key.
	// Default: the values it would start with.
	Missing rowan.Missing
	// Optimizer trains the table. Default: the model's.
	Optimizer *optim.Optimizer
	// RestrictPolicy bounds the table: rows that go first by the policy are given
	// up, with their optimizer's state, when there are more than it may keep, or
	// on call of the table's Restrict. A config holds all of it but the call-back;
	// it reads the policies of package rowan, by name. Default: none.
	RestrictPolicy rowan.Restrict

	// Devices are the row stores that hold the rows, by URL, a part of the table
	// each; one that is named several times is as many parts. The numbers do not
	// depend on them. "memory:" is this process; KVCreator opens others.
	// Default: one part, in the table's own memory.
	Devices []string
	// KVCreator opens the stores of Devices. Default: those in memory.
	KVCreator KVCreator
	// Partitioner says which of Devices each key belongs to. Default: [rowan.Partition].
	Partitioner rowan.Partitioner
	// BPV2 writes differences to the stores instead of rows, so that several
	// workers add up: see [rowan.Stores]. A table's own memory, which workers
	// share as goroutines, is updated in place and needs it not.
	BPV2 bool
	// KeepDistribution keeps Devices in the config.
	KeepDistribution bool
	// DistributeStrategy names how workers share the layer, for its config; no
	// more is needed. Of the source system it is where copies of a batch's rows
	// are placed for each worker. Here a layer keeps nothing of a batch, so that
	// any number of replicas look up at once, each with [Rows] of its own, and
	// their gradients, merged in one [rowan.Gradients], are those of one replica
	// with the whole batch. Workers in other processes share Devices: see BPV2.
	DistributeStrategy string
	// ShortFileName shortens names in files of the source system. ErrUnsupported:
	// file names here do not grow with scopes.
	ShortFileName bool
}

func (o *DynamicOptions) check() error {
	if o.ShortFileName {
		return fmt.Errorf("%w: DynamicEmbedding: argument %q: names of files do not grow with scopes here; leave it out", ErrUnsupported, "short_file_name")
	}
	if err := o.checkDevices(); err != nil {
		return err
	}
	if err := checkRowDType("DynamicEmbedding", o.RowDType); err != nil {
		return err
	}
	if o.RowDType != rowan.Float32 && len(o.Devices) > 0 {
		return fmt.Errorf("%w: DynamicEmbedding: `value_dtype` %v: rows in devices are float32; leave one of them out", ErrUnsupported, o.RowDType)
	}
	if o.Padding != nil && o.KeyType == tensor.String || o.PaddingString != nil && o.KeyType != tensor.String {
		return fmt.Errorf("%w: DynamicEmbedding: the padding id of %v keys must be one of them: set PaddingString for strings, Padding for integers", ErrArgument, o.KeyType)
	}
	c, err := rowan.ParseCombiner(o.Combiner)
	if o.Combiner != "" && (err != nil || c == rowan.None) {
		return fmt.Errorf("%w: DynamicEmbedding: combiner must be one of %s. Received: %q", ErrArgument, strings.TrimPrefix(combinerNames, "none, "), o.Combiner)
	}
	return nil
}

// checkRowDType reports rows that are not floats.
func checkRowDType(class string, d rowan.DType) error {
	if d > rowan.Float64 {
		return fmt.Errorf("%w: %s: rows are stored as float32, float16, bfloat16 or float64. Received: %v; DynamicLookup reads others", ErrArgument, class, d)
	}
	return nil
}

// DynamicEmbedding turns ids of any value, integers or strings, into rows of a
// table that grows as ids come: no vocabulary, no collisions. Ids of shape
// (3, 2) give (3, 2, size). A new key is stored at its first update; until
// then it reads as the values that it will start with.
type DynamicEmbedding struct {
	Base
	size  int
	o     DynamicOptions
	table *rowan.Table
}

// NewDynamicEmbedding returns a layer of rows of size numbers.
func NewDynamicEmbedding(size int, o DynamicOptions) (*DynamicEmbedding, error) {
	if size <= 0 {
		return nil, fmt.Errorf("%w: DynamicEmbedding: `embedding_size` must be a positive integer. Received: embedding_size=%d", ErrArgument, size)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := o.RestrictPolicy.Validate(); err != nil {
		return nil, fmt.Errorf("%w: DynamicEmbedding: restrict_policy: %w", ErrArgument, err)
	}
	if _, _, err := regularizer.OfTable(o.Regularizer, 0, size); err != nil {
		return nil, fmt.Errorf("%w: DynamicEmbedding: regularizer: %w", ErrArgument, err)
	}
	if o.Combiner == "" {
		o.Combiner = "sum"
	}
	if o.Initializer == nil {
		o.Initializer = initializer.NewRandomNormal()
	}
	o.Padding, o.PaddingString = clonePointer(o.Padding), clonePointer(o.PaddingString)
	o.Devices = slices.Clone(o.Devices)
	l := &DynamicEmbedding{size: size, o: o}
	l.Init(l, o.Options)
	return l, nil
}

// Build creates the table.
func (l *DynamicEmbedding) Build(...Shape) error {
	own, _, err := regularizer.OfTable(l.o.Regularizer, 0, l.size)
	if err != nil {
		return err
	}
	l.table, err = rowan.NewTable(rowan.TableOptions{
		Name: l.Name(), Width: l.size, KeyType: l.o.KeyType, Initializer: l.o.Initializer,
		Seed: l.scope.seed, Optimizer: l.o.Optimizer, MaxNorm: l.o.MaxNorm,
		InitialCapacity: l.o.InitCapacity, Missing: l.o.Missing,
		Regularizer: own, Padding: l.o.padding(), Restrict: l.o.RestrictPolicy,
		Stores: l.o.stores(), DType: l.o.RowDType,
	})
	if err != nil {
		return err
	}
	_, err = l.AddTable("embeddings", l.table, 0)
	return err
}

func (o *DynamicOptions) padding() *rowan.Padding {
	if o.PaddingString != nil {
		return rowan.PaddingString(*o.PaddingString)
	}
	return paddingID(o.Padding)
}

// Table returns the table, nil before the layer is built.
func (l *DynamicEmbedding) Table() *rowan.Table { return l.table }

// Optimizer returns the table's own optimizer, nil if it is the model's.
func (l *DynamicEmbedding) Optimizer() *optim.Optimizer { return l.o.Optimizer }

// ImpliedInput is the input that a Sequential model gives the layer when it is
// the first: ids of the shape in its options, else of one free dimension.
func (l *DynamicEmbedding) ImpliedInput() InputOptions {
	in := l.Base.ImpliedInput()
	if in.KeyType = l.o.KeyType; in.Shape == nil {
		in.Shape = Shape{-1}
	}
	return in
}

// Symbolic implements [HostLayer].
func (l *DynamicEmbedding) Symbolic(in []*Tensor) (*Tensor, error) {
	if len(in) == 1 && !fits(in[0].keyType, l.o.KeyType) {
		return nil, fmt.Errorf("%w: the table has %v keys, input %q has %v ids: give the layer that KeyType", ErrStage, l.o.KeyType, in[0].name, in[0].keyType)
	}
	return embed(in, l.o.Pool, l.size)
}

// fits reports whether ids of a type may be looked up in a table of another:
// int32 in int64, as in tables.
func fits(ids, keys tensor.KeyType) bool {
	return ids == keys || ids == tensor.Int32 && keys == tensor.Int64
}

// Lookup implements [HostLayer].
func (l *DynamicEmbedding) Lookup(ctx context.Context, r *Rows, ids tensor.IDs, training bool) error {
	if l.table == nil {
		return fmt.Errorf("%w: apply or run the layer first", ErrNotBuilt)
	}
	return r.look(ctx, l.table, ids, rowan.LookupOptions{
		Combiner: l.o.Pool, Training: training && l.Trainable(), Feature: r.feature})
}

// Config implements [Configurer].
func (l *DynamicEmbedding) Config() Config {
	return l.BaseConfig().with(l.o.distribution(Config{
		"embedding_size": l.size, "key_dtype": l.o.KeyType.String(), "value_dtype": l.o.RowDType.String(),
		"combiner": l.o.Combiner, "pool": combinerConfig(l.o.Pool),
		"initializer": initializerConfig(l.o.Initializer), "with_unique": !l.o.WithoutUnique,
		"init_capacity": l.o.InitCapacity, "max_norm": arguments.Widen(l.o.MaxNorm), "missing": int(l.o.Missing),
		"regularizer": regularizerConfig(l.o.Regularizer), "padding": pointerConfig(l.o.Padding), "padding_string": pointerConfig(l.o.PaddingString),
		"restrict_policy": restrictConfig(l.o.RestrictPolicy),
	}))
}

func dynamicFromConfig(c Config) (Layer, error) { return dynamicFrom(c, func(*DynamicOptions) {}) }

// dynamicFrom makes the layer of a config, with options that it does not hold.
func dynamicFrom(c Config, more func(o *DynamicOptions)) (Layer, error) {
	r := c.reader()
	size := r.Int("embedding_size")
	o := DynamicOptions{Options: r.options(), Combiner: r.Text("combiner"), Pool: r.combiner("pool"),
		Initializer: r.initializer("initializer"), WithoutUnique: r.Off("with_unique"),
		InitCapacity: r.Int("init_capacity"), MaxNorm: float32(r.Number("max_norm")), Missing: rowan.Missing(r.Int("missing")),
		Regularizer: r.regularizer("regularizer"), Padding: r.ID("padding"), RestrictPolicy: r.restrict("restrict_policy")}
	if _, ok := r.Get("padding_string"); ok {
		s := r.Text("padding_string")
		o.PaddingString = &s
	}
	o.KeyType = r.keyType("key_dtype")
	o.RowDType = r.rowDType("value_dtype")
	o.readDistribution(r)
	if err := r.done("DynamicEmbedding"); err != nil {
		return nil, err
	}
	more(&o)
	return NewDynamicEmbedding(size, o)
}

// keyType reads the type of a table's keys.
func (r reader) keyType(key string) tensor.KeyType {
	name := r.Text(key)
	if name == "" {
		return tensor.Int64
	}
	k, err := tensor.ParseKeyType(name)
	if err != nil {
		r.Bad(key, "int32, int64, uint64 or string", name)
	}
	return k
}

// rowDType reads the type of a table's rows.
func (r reader) rowDType(key string) rowan.DType {
	name := r.Text(key)
	if name == "" {
		return rowan.Float32
	}
	d, err := rowan.ParseDType(name)
	if err != nil {
		r.Bad(key, "float32, float16, bfloat16, float64, int8, int32, int64, bool or string", name)
	}
	return d
}
