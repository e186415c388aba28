package layer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rowan-embeddings/rowan"
)

// KVCreator opens the row store of one of the devices of a [DynamicEmbedding].
// It is a value, so that a program links the drivers that it names and no
// others. The stores that it opens are the layer's table's, which closes them.
// [rowan.OpenMemory] is one.
type KVCreator func(ctx context.Context, o rowan.StoreOptions) (rowan.RowStore, error)

// inMemory is the device that every layer knows.
const inMemory = "memory:"

// checkDevices reports devices that nobody can open.
func (o *DynamicOptions) checkDevices() error {
	if o.RestrictPolicy.Policy != nil && o.stores() != nil {
		return fmt.Errorf("%w: DynamicEmbedding: restrict_policy gives up rows of a table's own memory; leave Devices, KVCreator and Partitioner out, or bound the stores", ErrArgument)
	}
	if o.KVCreator != nil {
		return nil
	}
	for i, d := range o.Devices {
		if d != inMemory {
			return fmt.Errorf("%w: DynamicEmbedding: devices: %d of %d is not %q, and KVCreator, which would open it, is not set "+
				"(of a layer from a config set it by DynamicConstructor)", ErrArgument, i, len(o.Devices), inMemory)
		}
	}
	return nil
}

// stores returns where the rows of the table live; nil: in its own memory.
func (o *DynamicOptions) stores() *rowan.Stores {
	if o.KVCreator == nil && o.Partitioner == nil && len(o.Devices) < 2 {
		return nil
	}
	s := &rowan.Stores{URLs: o.Devices, Open: o.KVCreator, Partitioner: o.Partitioner, Increments: o.BPV2}
	if len(s.URLs) == 0 {
		s.URLs = []string{inMemory}
	}
	if s.Open == nil {
		s.Open = rowan.OpenMemory
	}
	return s
}

// distribution adds the arguments about where rows live to a config: the
// devices only if they are to be kept. Functions cannot be written down.
func (o *DynamicOptions) distribution(c Config) Config {
	more := Config{"bp_v2": o.BPV2, "keep_distribution": o.KeepDistribution, "devices": nil, "distribute_strategy": nil}
	if o.KeepDistribution && len(o.Devices) > 0 {
		more["devices"] = slices.Clone(o.Devices)
	}
	if o.DistributeStrategy != "" {
		more["distribute_strategy"] = o.DistributeStrategy
	}
	maps.Copy(more, c)
	return more
}

// readDistribution is the inverse of distribution.
func (o *DynamicOptions) readDistribution(r reader) {
	o.BPV2, o.KeepDistribution = r.Flag("bp_v2"), r.Flag("keep_distribution")
	o.Devices, o.DistributeStrategy = r.Texts("devices"), r.Text("distribute_strategy")
	for _, key := range []string{"partitioner", "kv_creator"} {
		if v, ok := r.Get(key); ok {
			r.Bad(key, "null: functions are not read from a config, set them by DynamicConstructor", v)
		}
	}
}

// DynamicConstructor returns what makes a [DynamicEmbedding] from a config with
// the arguments that no config holds: KVCreator and Partitioner, as functions,
// of o, and its Devices if they were not kept. It is a value for FromConfig:
//
//	FromConfig(class, c, map[string]Constructor{"DynamicEmbedding": DynamicConstructor(o)})
func DynamicConstructor(o DynamicOptions) Constructor {
	return func(c Config) (Layer, error) {
		return dynamicFrom(c, func(read *DynamicOptions) {
			read.KVCreator, read.Partitioner = o.KVCreator, o.Partitioner
			if read.Devices == nil {
				read.Devices = o.Devices
			}
		})
	}
}

// shareDevices reports two tables whose rows are in one place, so that one would
// be written over the other. In memory each has its own.
func shareDevices(a, b *rowan.Table) error {
	s, t := a.Options().Stores, b.Options().Stores
	if s == nil || t == nil {
		return nil
	}
	for _, url := range s.URLs {
		if url != inMemory && slices.Contains(t.URLs, url) {
			return fmt.Errorf("%w: the copy would have its rows on the same devices: leave KeepDistribution out and it has them in memory, or share the table by TableLookup", ErrUnsupported)
		}
	}
	return nil
}
