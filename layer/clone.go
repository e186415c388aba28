package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/rowan-embeddings/rowan"
)

// Clone returns a deep copy of the layer: Keras' deepcopy. It has the name, the
// config and the weights, tables with their rows and the optimizer's state among
// them, what a vocabulary has learned, and is frozen where the layer is. Calls
// stay behind, and so does what was added to the layer from outside, which
// refers to them and to the weights that are copied. To share a table instead,
// use [TableLookup]. Rows on devices are copied to memory, or where the config
// keeps the devices to others in memory; a copy whose rows a driver would put
// where the layer's are is ErrUnsupported, and a quantized layer, whose rows are
// not those of its config, rowan.ErrReadOnly.
//
// The layer is made again from its config, so it needs one, else ErrConfig;
// custom has the constructors of classes that this package does not have.
// Nobody may train the layer meanwhile.
func (b *Base) Clone(ctx context.Context, custom ...map[string]Constructor) (Layer, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	class, config, err := ToConfig(b.self)
	if err != nil {
		return nil, err
	}
	l, err := FromConfig(class, config, custom...)
	if err != nil {
		return nil, err
	}
	c := l.core()
	if err := c.check(); err != nil {
		return nil, err
	}
	c.bind(b.scope)
	if err := copyState(l, b.self); err != nil {
		return nil, fmt.Errorf("cloning layer %q: %w", b.Name(), err)
	}
	if b.built {
		if err := c.copyFrom(ctx, b); err != nil {
			err = errors.Join(err, c.closeTables(b))
			return nil, fmt.Errorf("cloning layer %q: %w", b.Name(), err)
		}
	}
	return l, nil
}

// copyState copies what layers and those inside them keep beside their weights.
func copyState(into, from Layer) error {
	all, others := append([]Layer{into}, into.core().Submodules()...), append([]Layer{from}, from.core().Submodules()...)
	for i, l := range others {
		s, ok := l.(Stateful)
		if !ok || i >= len(all) {
			continue
		}
		c, ok := all[i].(Stateful)
		if !ok {
			return fmt.Errorf("%w: made again from its config, layer %q has no state", ErrConfig, l.core().Name())
		}
		var state bytes.Buffer
		if err := s.SaveState(&state); err != nil {
			return err
		}
		install, err := c.LoadState(&state)
		if err != nil {
			return err
		}
		install()
	}
	return nil
}

// closeTables closes the layer's tables, but those that it shares with another.
func (b *Base) closeTables(other *Base) error {
	var errs []error
	for _, v := range b.Variables() {
		same := func(o *Variable) bool { return o.table == v.table }
		if v.table != nil && !slices.ContainsFunc(other.Variables(), same) {
			errs = append(errs, v.table.Close())
		}
	}
	return errors.Join(errs...)
}

// copyFrom builds the layer as another was built, and copies its weights.
func (b *Base) copyFrom(ctx context.Context, from *Base) error {
	if err := b.build(from.building); err != nil {
		return err
	}
	into, vars := b.Variables(), from.Variables()
	if len(into) != len(vars) {
		return fmt.Errorf("%w: made again from its config it has %d weights, not %d: are they all in the config?", ErrConfig, len(into), len(vars))
	}
	for i, v := range vars {
		if err := into[i].copyFrom(ctx, v); err != nil {
			return fmt.Errorf("weight %q: %w", v.Name(), err)
		}
	}
	for i, f := range from.family() {
		if all := b.family(); i < len(all) {
			all[i].frozen, all[i].masking = f.frozen, f.masking
		}
	}
	return nil
}

func (v *Variable) copyFrom(ctx context.Context, from *Variable) error {
	if !v.shape.Equal(from.shape) || (v.table == nil) != (from.table == nil) {
		return fmt.Errorf("%w: made again from the config it has shape %v, not %v", ErrConfig, v.shape, from.shape)
	}
	v.frozen = from.frozen
	if v.table == nil {
		copy(v.value, from.value)
		return nil
	}
	if v.table == from.table {
		return nil
	}
	if err := shareDevices(v.table, from.table); err != nil {
		return err
	}
	if err := v.table.SetOptimizer(from.table.Options().Optimizer); err != nil {
		return err
	}
	return copyTable(ctx, v.table, from.table)
}

// copyTable streams one table into another, so that no third copy is needed.
func copyTable(ctx context.Context, into, from *rowan.Table) error {
	r, w := io.Pipe()
	saved := make(chan error, 1)
	go func() {
		err := from.Save(ctx, w)
		saved <- errors.Join(err, w.CloseWithError(err))
	}()
	err := into.Load(ctx, r)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // so that the writer gets to its end
	}
	err = errors.Join(err, r.CloseWithError(err))
	if failed := <-saved; failed != nil {
		return failed // each side has the other's error
	}
	return err
}
