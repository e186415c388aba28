package rowan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// WarmStart says how tables start from those of another checkpoint. The zero
// value takes every table, with its optimizer's state, under its own name. It is
// warm_start of TensorFlow Recommenders Addons: Only is its vars_to_warm_start,
// Names its var_name_to_prev_var_name.
type WarmStart struct {
	// Names gives the names in the checkpoint of tables that have others here:
	// name here to name there. A name that no table has that starts is an error.
	Names map[string]string
	// Rename gives the name in the checkpoint of a table that Names lacks, from
	// its name here. Default: the same name.
	Rename func(name string) string
	// Only takes the tables whose names here it matches; the others stay as they
	// are. If it matches none, that is an error. Default: all.
	Only *regexp.Regexp
	// WithoutState takes the weights alone: rows start with fresh optimizer's
	// state, are as good as used once for a policy, and the table stays at its
	// step. Steps that rows missed are made up for where the table here has an
	// exact optimizer of the same slots, which is taken for the one that trained
	// them; else rows come as of their last update. Default: state, scores and
	// step come along. State goes with its step: a program that counts steps by
	// itself, as package model does, and begins at 1, leaves the state.
	WithoutState bool
}

// WarmStart replaces what tables hold by what the latest checkpoint of the store
// has for them, under other names if need be. Tables must be of the same key
// type and width, of as many rows if they are static, and with state of the same
// slots and policy, else ErrMismatch; seeds may differ, since keys that come
// later start as the table here says, and types of weights, which are rounded to
// the nearest; what float16 has no room for is ErrNotFinite. Rows are cut to the bound of MaxNorm. A
// table that the checkpoint lacks is an error. After an error every table is as
// it was.
func (s *Store) WarmStart(ctx context.Context, w WarmStart, tables ...*Table) error {
	if err := errors.Join(s.opened(), ended(ctx), checkTables(tables)); err != nil {
		return fmt.Errorf("warm start: %w", err)
	}
	c, err := s.checkpoints.Latest()
	if err != nil {
		return err
	}
	tables, there, err := w.match(tables)
	if err != nil {
		return err
	}
	open := func(t *Table) (io.ReadCloser, error) { return openThere(c, there[t]) }
	return loadTables(ctx, open, taking{warm: true, weights: w.WithoutState}, tables)
}

// match returns the tables that start, and their names in the checkpoint.
func (w *WarmStart) match(all []*Table) (tables []*Table, there map[*Table]string, err error) {
	there = make(map[*Table]string)
	var names []string
	for _, t := range all {
		names = append(names, t.Name())
		if w.Only != nil && !w.Only.MatchString(t.Name()) {
			continue
		}
		tables = append(tables, t)
		there[t] = t.Name()
		if other, ok := w.Names[t.Name()]; ok {
			there[t] = other
		} else if w.Rename != nil {
			there[t] = w.Rename(t.Name())
		}
	}
	if w.Only != nil && len(tables) == 0 {
		return nil, nil, fmt.Errorf("%w: warm start: no table matches Only, %q; the tables are %q", ErrOptions, w.Only, names)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Names)) {
		if !slices.ContainsFunc(tables, func(t *Table) bool { return t.Name() == name }) {
			return nil, nil, fmt.Errorf("%w: warm start: Names has %q, and no table that starts is named so%s",
				ErrOptions, name, suggest.Hint(name, names))
		}
	}
	return tables, there, nil
}

// openThere opens the file of a table of a checkpoint.
func openThere(c *checkpoint.Checkpoint, name string) (io.ReadCloser, error) {
	file := TableFile(name)
	var known []string
	for _, f := range c.Files() {
		if f.Name == file {
			return c.Open(file)
		}
		if strings.HasSuffix(f.Name, tableSuffix) {
			known = append(known, f.Name)
		}
	}
	return nil, fmt.Errorf("%w: checkpoint %s has no table %q: there is no %s among %q; name it in WarmStart.Names, or leave it out by Only",
		ErrMismatch, c.Dir(), name, file, known)
}
