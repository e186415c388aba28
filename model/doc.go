// Package model trains layers: Sequential and functional models with compile,
// fit, evaluate and predict, callbacks, and checkpoints of everything that a
// stopped training needs to go on with the same bits.
//
// A [Model] is the way from inputs to outputs. One training step:
//
//	Batch ──ids──> tables ──rows──┐          host stage: lookups
//	  │                           ▼
//	  ├──floats───────────────> graph ──> outputs ──> metrics
//	  └──labels, weights──────>   │
//	                              ▼
//	             loss, gradients of weights and of rows    graph stage
//	                              │
//	         all finite? ─ no ──> an error; nothing has been written
//	                              │ yes
//	             clip by value, by norm, or by the norm of all together
//	                              ▼
//	        Updater on dense weights (each is one row) and on tables' rows
//
// One optimizer serves both: a dense weight is a row of as many numbers, with
// the optimizer's state behind them, as in a table. Every table of the model
// takes part in every step, so that optimizers which make up for the steps that
// a row missed count the same steps as the rest.
//
// # Data
//
// A [Source] gives batches from a cursor on: [Arrays] holds data in memory,
// [FromDataset] reads a package dataset source. A batch carries the cursor of
// its end.
//
// # Stop and go on
//
// [Model.Save] writes a checkpoint between any two steps: tables and weights
// with the optimizer's state, the place in the data, half-filled metrics, the
// history, and what callbacks remember. After [Model.Load], Fit with Resume
// goes on as if nothing had happened: the bytes of every later checkpoint are
// those of a run that was never stopped, on any number of threads.
//
// # Concurrency
//
// Any number of goroutines may predict while one trains: they see the weights
// before or after a step. Fit, TrainOnBatch, Evaluate, Save and Load wait for
// each other's steps; one Fit at a time. Compile, Add and SetTrainable are for
// when nothing else runs.
package model

import "errors"

// Errors of this package; match with errors.Is. Errors of layers, tables and
// metrics come wrapped: rowan.ErrNotFinite is a loss or gradient that is not
// finite, rowan.ErrMismatch a checkpoint of another model.
var (
	// ErrArgument: an option or argument makes no sense.
	ErrArgument = errors.New("model: bad argument")
	// ErrNotBuilt: a sequential model has no layers yet.
	ErrNotBuilt = errors.New("model: not built")
	// ErrNotCompiled: the model cannot be trained or evaluated before Compile.
	ErrNotCompiled = errors.New("model: not compiled")
	// ErrData: a batch does not fit the model.
	ErrData = errors.New("model: data do not fit")
	// ErrBusy: another Fit is under way.
	ErrBusy = errors.New("model: already training")
)
