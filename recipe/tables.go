package recipe

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/internal/vfs"
	"github.com/rowan-embeddings/rowan/model"
)

// loadTables loads some tables of a checkpoint, by name, without the model. The
// caller closes them.
func (s *savedConfig) loadTables(ctx context.Context, from *model.Saved, names ...string) (tables []*rowan.Table, err error) {
	c, err := files(from)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeTables(tables)
		}
	}()
	for _, name := range names {
		t, err := s.newTable(name)
		if err != nil {
			return tables, err
		}
		tables = append(tables, t)
	}
	open := func(t *rowan.Table) (io.ReadCloser, error) { return c.Open(rowan.TableFile(t.Name())) }
	if err := rowan.LoadTables(ctx, open, tables...); err != nil {
		return tables, fmt.Errorf("checkpoint %s: %w", from.Dir(), err)
	}
	return tables, nil
}

// newTable makes the table of a name as training made it, with the optimizer
// whose state lies beside its rows.
func (s *savedConfig) newTable(name string) (*rowan.Table, error) {
	c := &s.Config
	i := slices.Index(c.tableNames(), name)
	if i < 0 {
		return nil, c.errNoTable(name)
	}
	o, err := c.tableOptions(i, s.scale())
	if err == nil && o.Optimizer == nil {
		o.Optimizer, err = makeOptimizer("training.optimizer", c.Training.Optimizer, s.Steps)
	}
	if err != nil {
		return nil, err
	}
	return rowan.NewTable(o)
}

// files returns the files of a checkpoint.
func files(s *model.Saved) (*checkpoint.Checkpoint, error) {
	store, err := checkpoint.Open(vfs.OS{}, filepath.Dir(s.Dir()))
	if err != nil {
		return nil, err
	}
	all, err := store.List()
	for _, c := range all {
		if c.Dir() == s.Dir() {
			return c, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("%w: %s is gone", checkpoint.ErrNone, s.Dir())
	}
	return nil, err
}
