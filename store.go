package rowan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/internal/vfs"
)

// Store is a directory of checkpoints. A checkpoint is there whole or not at
// all, whatever is killed when; saving one does not touch the others. Its
// methods are safe for concurrent use; one save at a time.
type Store struct{ checkpoints *checkpoint.Store }

// OpenStore opens a directory of checkpoints; the first Save makes it.
func OpenStore(dir string) (*Store, error) {
	c, err := checkpoint.Open(vfs.OS{}, dir)
	if err != nil {
		return nil, err
	}
	return &Store{c}, nil
}

// opened reports a store that OpenStore has not made.
func (s *Store) opened() error {
	if s == nil || s.checkpoints == nil {
		return fmt.Errorf("%w: the store is none: open one with OpenStore", ErrOptions)
	}
	return nil
}

// Save writes a checkpoint of tables, named by their names, and keeps meta,
// anything that encoding/json takes, beside them. When it returns nil the
// checkpoint is on stable storage.
func (s *Store) Save(ctx context.Context, step int64, meta any, tables ...*Table) error {
	if err := errors.Join(s.opened(), ended(ctx), checkTables(tables)); err != nil {
		return fmt.Errorf("checkpoint of step %d was not saved: %w", step, err)
	}
	raw, err := json.Marshal(meta)
	if err != nil {
		return fmt.Errorf("rowan: checkpoint metadata: %w", err)
	}
	return s.checkpoints.Save(ctx, step, json.RawMessage(raw), func(w *checkpoint.Writer) error {
		for _, t := range tables {
			if err := saveTable(ctx, w, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkTables reports a table that is nil.
func checkTables(tables []*Table) error {
	if i := slices.Index(tables, nil); i >= 0 {
		return fmt.Errorf("%w: table %d of %d is nil: make one with NewTable", ErrOptions, i, len(tables))
	}
	return nil
}

func saveTable(ctx context.Context, w *checkpoint.Writer, t *Table) error {
	f, err := w.Create(TableFile(t.Name()))
	if err != nil {
		return err
	}
	return errors.Join(t.Save(ctx, f), f.Close())
}

// Load replaces what the tables hold by the latest checkpoint of the store,
// and decodes its metadata into meta unless that is nil. It returns the step
// that was saved. After an error every table is as it was.
func (s *Store) Load(ctx context.Context, meta any, tables ...*Table) (step int64, err error) {
	if err := s.opened(); err != nil {
		return 0, err
	}
	c, err := s.checkpoints.Latest()
	if err != nil {
		return 0, err
	}
	if meta != nil {
		if err := c.Meta(meta); err != nil {
			return 0, err
		}
	}
	read := func(t *Table) (io.ReadCloser, error) { return c.Open(TableFile(t.Name())) }
	return c.Step(), LoadTables(ctx, read, tables...)
}

// LoadTables loads several tables, each from the file that open returns for
// it: all of them, or after an error none. Only if one of them is closed, or
// given another optimizer, in the very moment that they are put in place, those
// before it are loaded.
func LoadTables(ctx context.Context, open func(*Table) (io.ReadCloser, error), tables ...*Table) error {
	return loadTables(ctx, open, taking{}, tables)
}

// loadTables does LoadTables with a part of what is in the files.
func loadTables(ctx context.Context, open func(*Table) (io.ReadCloser, error), take taking, tables []*Table) error {
	if err := checkTables(tables); err != nil {
		return err
	}
	loads := make([]*loading, 0, len(tables))
	defer func() {
		for _, l := range loads {
			l.abandon()
		}
	}()
	for _, t := range tables {
		l, err := readTable(ctx, open, take, t)
		if err != nil {
			return fmt.Errorf("load table %q: %w", t.Name(), err)
		}
		loads = append(loads, l)
	}
	for _, l := range loads {
		if err := l.current(); err != nil {
			return fmt.Errorf("load table %q: %w", l.table.Name(), err)
		}
	}
	for _, l := range loads {
		if err := l.install(ctx); err != nil {
			return fmt.Errorf("load table %q: %w", l.table.Name(), err)
		}
	}
	return nil
}

func readTable(ctx context.Context, open func(*Table) (io.ReadCloser, error), take taking, t *Table) (*loading, error) {
	f, err := open(t)
	if err != nil {
		return nil, err
	}
	l, err := t.read(ctx, f, take)
	if closeErr := f.Close(); err == nil && closeErr != nil {
		l.abandon()
		return nil, closeErr
	}
	return l, err
}

// TableFile returns the name of the file of a checkpoint that holds a table:
// its name, with bytes that are not letters, digits, '-', '_' or '.' as %XX.
func TableFile(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String() + tableSuffix
}

const tableSuffix = ".table"
