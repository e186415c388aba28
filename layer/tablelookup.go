package layer

import (
	"context"
	"fmt"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TableLookup reads the rows of a table that exists already: one with options
// that no embedding layer has, or one that several layers share. The table's
// owner closes it. A table cannot be written into a config, so neither can the
// layer.
type TableLookup struct {
	Base
	table    *rowan.Table
	combiner rowan.Combiner
}

// NewTableLookup returns a layer over table t that pools bags of ids by c.
func NewTableLookup(t *rowan.Table, c rowan.Combiner, o Options) (*TableLookup, error) {
	if t == nil {
		return nil, fmt.Errorf("%w: TableLookup: the table is nil", ErrArgument)
	}
	l := &TableLookup{table: t, combiner: c}
	l.Init(l, o)
	return l, nil
}

// Build makes the table a weight of the layer.
func (l *TableLookup) Build(...Shape) error {
	_, err := l.AddTable("embeddings", l.table, l.table.Options().Rows)
	return err
}

// Table returns the table.
func (l *TableLookup) Table() *rowan.Table { return l.table }

// ImpliedInput is [Base.ImpliedInput] with the table's type of keys.
func (l *TableLookup) ImpliedInput() InputOptions {
	in := l.Base.ImpliedInput()
	in.KeyType = l.table.KeyType()
	return in
}

// Symbolic implements [HostLayer].
func (l *TableLookup) Symbolic(in []*Tensor) (*Tensor, error) {
	if len(in) == 1 && !l.takes(in[0].keyType) {
		return nil, fmt.Errorf("%w: table %q has %v keys, input %q has %v ids", ErrStage, l.table.Name(), l.table.KeyType(), in[0].name, in[0].keyType)
	}
	return embed(in, l.combiner, l.table.Width())
}

// takes reports whether the table can be asked for ids of a type: a static one
// for integers of any kind.
func (l *TableLookup) takes(ids tensor.KeyType) bool {
	if l.table.Dynamic() {
		return fits(ids, l.table.KeyType())
	}
	return ids != tensor.String
}

// Lookup implements [HostLayer].
func (l *TableLookup) Lookup(ctx context.Context, r *Rows, ids tensor.IDs, training bool) error {
	return r.look(ctx, l.table, ids, rowan.LookupOptions{
		Combiner: l.combiner, Training: training && l.Trainable(), Feature: r.feature})
}
