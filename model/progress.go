package model

import (
	"slices"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/internal/dense"
)

// progress is how far a training has come: what a checkpoint needs beside
// weights, half-filled metrics and callbacks.
type progress struct {
	// Epoch is the epoch under way. Its batches are done when Cursor is behind it.
	Epoch int `json:"epoch"`
	// Cursor is where the next batch begins.
	Cursor dataset.Cursor `json:"cursor"`
	// Running sums up the epoch under way.
	Running running `json:"running"`
	// Stopped says that a callback ended the training.
	Stopped bool `json:"stopped,omitempty"`
	// History has the epochs that are over.
	History History `json:"history"`
}

// position returns where the training is.
func (p *progress) position() (epoch int, cursor dataset.Cursor) { return p.Epoch, p.Cursor }

// over reports whether nothing is left to do before an epoch. An epoch that a
// callback cut short still has its end.
func (p *progress) over(epochs int) bool {
	return p.Stopped && p.Running.Batches == 0 || p.Epoch >= epochs
}

// next goes on to the next epoch.
func (p *progress) next(logs Logs) {
	p.History = append(p.History, EpochLogs{p.Epoch, logs})
	p.Epoch++
	p.Cursor, p.Running = dataset.Cursor{Epoch: int64(p.Epoch)}, running{}
}

// running is the mean over examples of the loss and of what else a program
// reports as one number a batch.
type running struct {
	Batches  int       `json:"batches"`
	Examples int64     `json:"examples"`
	Names    []string  `json:"names,omitempty"` // of Sums behind the loss; "" is not told
	Sums     []float64 `json:"sums,omitempty"`
}

// add adds a batch of n examples.
func (r *running) add(names []string, res *dense.Results, outputs, n int) {
	if len(r.Sums) == 0 {
		r.Names = slices.Clone(names)
		r.Sums = make([]float64, 1+len(names))
	}
	r.Batches++
	r.Examples += int64(n)
	r.Sums[0] += float64(float64(res.Loss) * float64(n))
	for i := range names {
		r.Sums[1+i] += float64(float64(res.Outputs[outputs+i].Float[0]) * float64(n))
	}
}

// logs returns the means.
func (r *running) logs() Logs {
	if r.Examples == 0 {
		return nil
	}
	all := Logs{{"loss", r.Sums[0] / float64(r.Examples)}}
	for i, name := range r.Names {
		if name != "" {
			all = append(all, Log{name, r.Sums[1+i] / float64(r.Examples)})
		}
	}
	return all
}
