package model

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// EarlyStopping is a callback that ends training when a number has stopped
// getting better: Keras'. A number that is NaN is no better than any.
type EarlyStopping struct {
	Hooks
	// Monitor is the number to watch. Default: "val_loss".
	Monitor string
	// MinDelta is by how much a number must be better to count; its sign does not
	// matter. Default 0.
	MinDelta float64
	// Patience is the number of epochs without a better number after which
	// training ends. Default 0: the first.
	Patience int
	// Mode is "min" or "max". Default: "max" for what package metric has that is
	// better when it is larger, such as accuracies and AUC; else "min".
	Mode string
	// Baseline is a number to be bettered: an epoch that betters the best one, but
	// not this, does not begin the counting of Patience anew. Default: none.
	Baseline *float64
	// StartFromEpoch is the epoch, from 0, before which nothing is watched. Default 0.
	StartFromEpoch int
	// RestoreBest puts the model back to the end of its best epoch when training
	// ends, early or not: weights, optimizer state and step. It holds one copy of the
	// model in memory meanwhile. After a stop by ctx, which is to go on, it does not.
	RestoreBest bool

	state earlyState
	best  *snapshot
}

// earlyState is what EarlyStopping remembers.
type earlyState struct {
	Seen  bool    `json:"seen"`
	Best  float64 `json:"best"`
	Epoch int     `json:"epoch"` // of the best number
	Wait  int     `json:"wait"`  // epochs since
	// Snapshot describes the best weights, whose files follow.
	Snapshot *snapshotState `json:"snapshot,omitempty"`
}

type snapshotState struct {
	Meta  meta     `json:"meta"`
	Step  int64    `json:"step"`
	Names []string `json:"names"`
	Sizes []int64  `json:"sizes"`
}

// BestEpoch returns the epoch of the best number, from 0, and the number; ok is
// false before the first.
func (s *EarlyStopping) BestEpoch() (epoch int, value float64, ok bool) {
	return s.state.Epoch, s.state.Best, s.state.Seen
}

func (s *EarlyStopping) monitor() monitor {
	return monitor{callback: "EarlyStopping", name: s.Monitor, mode: s.Mode, delta: s.MinDelta}
}

// OnEpochEnd implements [Callback].
func (s *EarlyStopping) OnEpochEnd(ctx context.Context, e *Event) error {
	if e.Epoch < s.StartFromEpoch {
		return nil
	}
	watch := s.monitor()
	value, err := watch.value(e)
	if err != nil {
		return err
	}
	s.state.Wait++
	if s.state.Seen && !watch.better(value, s.state.Best) || math.IsNaN(value) {
		if s.state.Wait >= s.Patience {
			e.Stop()
		}
		return nil
	}
	s.state.Seen, s.state.Best, s.state.Epoch = true, value, e.Epoch
	if s.Baseline == nil || watch.better(value, *s.Baseline) {
		s.state.Wait = 0
	}
	if s.RestoreBest {
		s.best, err = e.Model.snapshot(context.WithoutCancel(ctx))
	}
	return err
}

// OnTrainEnd implements [Callback].
func (s *EarlyStopping) OnTrainEnd(ctx context.Context, e *Event) error {
	if s.best == nil || !s.RestoreBest || e.Err != nil {
		return nil
	}
	return e.Model.restore(context.WithoutCancel(ctx), s.best)
}

// StateName implements [Stateful].
func (s *EarlyStopping) StateName() string { return "early-stopping" }

// ResetState implements [Stateful].
func (s *EarlyStopping) ResetState() { s.state, s.best = earlyState{}, nil }

// SaveState implements [Stateful]: a line of JSON, then the files of the best weights.
func (s *EarlyStopping) SaveState(w io.Writer) error {
	state := s.state
	if s.best != nil {
		state.Snapshot = &snapshotState{Meta: s.best.meta, Step: s.best.step}
		for _, f := range s.best.files {
			state.Snapshot.Names = append(state.Snapshot.Names, f.name)
			state.Snapshot.Sizes = append(state.Snapshot.Sizes, int64(len(f.data)))
		}
	}
	state.Best = finite(state.Best)
	if err := json.NewEncoder(w).Encode(state); err != nil {
		return err
	}
	if s.best == nil {
		return nil
	}
	for _, f := range s.best.files {
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	return nil
}

// finite replaces infinities, for which JSON has no word, by the largest numbers.
func finite(x float64) float64 { return min(max(x, -math.MaxFloat64), math.MaxFloat64) }

// LoadState implements [Stateful].
func (s *EarlyStopping) LoadState(r io.Reader) error {
	in := bufio.NewReader(r)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%w: EarlyStopping: the state ends early: %w", ErrData, err)
	}
	var state earlyState
	if err := json.Unmarshal(line, &state); err != nil {
		return fmt.Errorf("%w: EarlyStopping: %w", ErrData, err)
	}
	var best *snapshot
	if d := state.Snapshot; d != nil {
		if best, err = readSnapshot(in, d); err != nil {
			return err
		}
	}
	state.Snapshot = nil
	s.state, s.best = state, best
	return nil
}

func readSnapshot(in io.Reader, d *snapshotState) (*snapshot, error) {
	if len(d.Names) != len(d.Sizes) {
		return nil, fmt.Errorf("%w: EarlyStopping: %d files with %d sizes", ErrData, len(d.Names), len(d.Sizes))
	}
	s := &snapshot{meta: d.Meta, step: d.Step}
	for i, name := range d.Names {
		data, err := io.ReadAll(io.LimitReader(in, d.Sizes[i]))
		if err == nil && int64(len(data)) != d.Sizes[i] {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("%w: EarlyStopping: file %q: %w", ErrData, name, err)
		}
		s.files = append(s.files, memoryFile{name, data})
	}
	return s, nil
}
