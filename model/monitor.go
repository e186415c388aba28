package model

import (
	"fmt"
	"math"
	"strings"
)

// monitor is what the callbacks share that watch a number from epoch to epoch.
type monitor struct {
	callback string // for errors
	name     string // of the number; "": val_loss
	mode     string // "min", "max"; "" and "auto": by the name
	delta    float64
}

// larger are the ends of names of numbers that are better when they are larger.
var larger = []string{"accuracy", "acc", "auc", "auc_pr", "precision", "recall", "f1", "r2_score", "cosine_similarity", "ndcg", "mrr"}

// value returns the number at the end of an epoch.
func (m *monitor) value(e *Event) (float64, error) {
	if m.name == "" {
		m.name = "val_loss"
	}
	switch m.mode {
	case "min", "max":
	case "", "auto":
		m.mode = "min"
		for _, end := range larger {
			if m.name == end || strings.HasSuffix(m.name, "_"+end) {
				m.mode = "max"
			}
		}
	default:
		return 0, fmt.Errorf(`%w: %s: Mode must be "min", "max" or "auto", got %q`, ErrArgument, m.callback, m.mode)
	}
	v, ok := e.Logs.Get(m.name)
	if !ok {
		return 0, fmt.Errorf("%w: %s: there is no %q to monitor, only %q", ErrArgument, m.callback, m.name, e.Logs.Names())
	}
	return v, nil
}

// better says whether a value is better than another, after a call of value.
func (m *monitor) better(value, than float64) bool {
	delta := math.Abs(m.delta)
	if m.mode == "max" {
		return value-delta > than
	}
	return value+delta < than
}
