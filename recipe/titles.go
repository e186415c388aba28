package recipe

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/tensor"
)

// titles returns what keys are called by a file, "" for those it does not have.
func (t *Titles) titles(ctx context.Context, keys []string) (map[string]string, error) {
	none := ""
	d := dataset.Config{File: t.File, Columns: []dataset.Column{
		{Name: "key", From: t.Key, Kind: dataset.ID, Type: "string", Default: &none},
		{Name: "title", From: t.Title, Kind: dataset.ID, Type: "string", Default: &none},
	}}
	s, err := dataset.NewStream(ctx, d, dataset.Options{BatchSize: scoreBatch})
	if err != nil {
		return nil, fmt.Errorf("titles: %w", err)
	}
	found := make(map[string]string, len(keys))
	for b, err := range s.Batches(ctx, dataset.Cursor{}) {
		if err != nil {
			return nil, fmt.Errorf("titles: %w", err)
		}
		names, titles := texts(b.IDs["key"]), texts(b.IDs["title"])
		for i, key := range names {
			if slices.Contains(keys, key) {
				found[key] = titles[i]
			}
		}
	}
	return found, nil
}

func texts(ids tensor.IDs) []string {
	if d, ok := ids.(*tensor.Dense[string]); ok {
		return d.Values()
	}
	return nil
}

// titlesOf returns the titles that a config has for a table, nil for none.
func (c *Config) titlesOf(table string) *Titles {
	for i := range c.Titles {
		if c.Titles[i].Table == table {
			t := c.Titles[i]
			if c.Dir != "" && !filepath.IsAbs(t.Path) {
				t.Path = filepath.Join(c.Dir, t.Path)
			}
			return &t
		}
	}
	return nil
}
