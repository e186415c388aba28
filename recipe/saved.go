package recipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/internal/checkpoint"
	"github.com/rowan-embeddings/rowan/model"
)

// savedConfig is what a checkpoint holds beside the weights: what is needed to
// build the model again. The scale is part of it because learning rates of
// rows that catch up, and penalties by row, are functions of it.
type savedConfig struct {
	Config   Config `json:"recipe"`
	Examples int    `json:"examples"`
	Steps    int64  `json:"steps"`
	// Histories are what the features of Config.Histories read.
	Histories []*dataset.History `json:"histories,omitempty"`
}

func (s *savedConfig) scale() scale { return scale{s.Examples, s.Steps} }

// oneCheckpoint matches the name of a checkpoint in its directory.
var oneCheckpoint = regexp.MustCompile(`^ckpt-[0-9]{8,}$`)

// find returns the checkpoint that a path names: a directory of checkpoints,
// which stands for its latest, or one of them.
func find(path string) (*model.Saved, error) {
	dir, one := path, ""
	if oneCheckpoint.MatchString(filepath.Base(path)) {
		dir, one = filepath.Dir(path), filepath.Clean(path)
	}
	all, err := model.OpenCheckpoints(dir)
	if err != nil {
		return nil, err
	}
	if one == "" {
		return all.Latest()
	}
	list, err := all.List()
	for _, s := range list {
		if filepath.Clean(s.Dir()) == one {
			return s, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%w at %s", checkpoint.ErrNone, path), err)
}

// readConfig returns the config that a checkpoint was saved with.
func readConfig(s *model.Saved) (*savedConfig, error) {
	var c savedConfig
	if err := s.Config(&c); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", s.Dir(), err)
	}
	c.Config = c.Config.WithDefaults()
	if err := c.Config.Validate(); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", s.Dir(), err)
	}
	if len(c.Histories) != len(c.Config.Histories) {
		return nil, fmt.Errorf("%w: %s has %d histories, its config %d", checkpoint.ErrCorrupt, s.Dir(), len(c.Histories), len(c.Config.Histories))
	}
	return &c, nil
}

// sameTraining returns an error that names what two configs train differently.
func sameTraining(saved, now savedConfig) error {
	for _, c := range []*savedConfig{&saved, &now} {
		c.Config.Checkpoint, c.Config.Titles, c.Config.Baseline = Checkpoint{}, nil, nil
		c.Config.Dir, c.Config.Name = "", ""
		c.Histories = nil // they follow from the rest
	}
	a, err := flatten(saved)
	if err != nil {
		return err
	}
	b, err := flatten(now)
	if err != nil {
		return err
	}
	keys := slices.Collect(maps.Keys(a))
	keys = slices.AppendSeq(keys, maps.Keys(b))
	slices.Sort(keys)
	for _, key := range keys {
		if a[key] != b[key] {
			return fmt.Errorf("%w: %s is %s there and %s here: train anew, or into another directory", ErrOtherConfig,
				strings.TrimPrefix(key, "recipe."), orNothing(a[key]), orNothing(b[key]))
		}
	}
	return nil
}

func orNothing(s string) string {
	if s == "" {
		return "not given"
	}
	return s
}

// flatten turns a value into its leaves, as JSON, by the way to each.
func flatten(v any) (map[string]string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	leaves := make(map[string]string)
	return leaves, flattenInto(leaves, "", tree)
}

func flattenInto(leaves map[string]string, at string, v any) error {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			if err := flattenInto(leaves, strings.TrimPrefix(at+"."+key, "."), x); err != nil {
				return err
			}
		}
		return nil
	case []any:
		for i, x := range v {
			if err := flattenInto(leaves, fmt.Sprintf("%s[%d]", at, i), x); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := json.Marshal(v)
	leaves[at] = string(text)
	return err
}

// Saved tells of a checkpoint without its weights.
type Saved struct {
	Dir      string `json:"dir"`
	Step     int64  `json:"step"`
	Epoch    int    `json:"epoch"`
	Examples int64  `json:"examples"` // of that epoch
}

func describe(s *model.Saved) Saved {
	return Saved{Dir: s.Dir(), Step: s.Step(), Epoch: s.Epoch(), Examples: s.Examples()}
}

// Verify reads every byte of a checkpoint and compares checksums.
func Verify(ctx context.Context, path string) (Saved, error) {
	s, err := find(path)
	if err != nil {
		return Saved{}, err
	}
	return describe(s), s.Verify(ctx)
}
