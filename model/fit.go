package model

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/internal/nils"
)

// FitOptions say how long to train, and what happens meanwhile.
type FitOptions struct {
	// Epochs is where to end: epochs count from 0, and the one of this number
	// is not trained any more. Default: one more than the first.
	Epochs int
	// InitialEpoch is where to begin. Default: 0.
	InitialEpoch int
	// Resume goes on where the last Fit, or the loaded checkpoint, stopped: in
	// the middle of an epoch if need be, with the history so far and the state
	// of callbacks. Source and options should be those of the training that was
	// stopped. Without a training to go on with it changes nothing.
	Resume bool
	// Validation is evaluated after each epoch, into "val_" logs. Default: none.
	Validation Source
	// ClassWeights multiply the losses of the examples of a class, in training
	// only: the number of the class is the label, or the place of the largest of
	// its numbers. Classes that are not named weigh 1. They multiply sample
	// weights, and count in weighted metrics. The model must have one output with
	// a loss, of one label an example. Default: none.
	ClassWeights map[int]float32
	// Callbacks take part. Those of type *Checkpoint and *BestCheckpoint come after
	// all others. (Keras' TerminateOnNaN is not needed: a loss, gradient or update
	// that is not finite ends the training with an error, before it is written.)
	Callbacks []Callback
}

// Fit trains the model on a source, epoch after epoch. It returns the history
// up to where it got, also with an error.
//
// When ctx ends, the step under way is finished (with gradients accumulated: the
// batches of the update under way) and the error wraps context.Canceled (or what
// else ended ctx): the model can be saved, and Fit called again with Resume. After any other error of a step the weights are
// those of the step before.
func (m *Model) Fit(ctx context.Context, s Source, o FitOptions) (History, error) {
	f, err := m.start(s, o)
	if err != nil {
		return nil, err
	}
	defer m.fitting.Store(false)
	err = f.run(ctx)
	err = errors.Join(err, f.end(ctx, err))
	m.training.Lock()
	defer m.training.Unlock()
	return slices.Clone(m.at.History), err
}

// fit is one call of Fit.
type fit struct {
	m         *Model
	source    Source
	o         FitOptions
	callbacks []Callback
}

func (m *Model) start(s Source, o FitOptions) (*fit, error) {
	if o.Epochs == 0 {
		o.Epochs = o.InitialEpoch + 1
	}
	if s == nil || o.InitialEpoch < 0 || o.Epochs < o.InitialEpoch || slices.ContainsFunc(o.Callbacks, func(c Callback) bool { return nils.Is(c) }) {
		return nil, fmt.Errorf("%w: Fit needs a source, 0 ≤ InitialEpoch ≤ Epochs and no nil callbacks, got InitialEpoch %d, Epochs %d", ErrArgument, o.InitialEpoch, o.Epochs)
	}
	if err := m.built(); err != nil {
		return nil, err
	}
	m.training.Lock()
	defer m.training.Unlock()
	c, err := m.ready()
	if err != nil {
		return nil, err
	}
	if err := c.checkClassWeights(o.ClassWeights); err != nil {
		return nil, err
	}
	if !m.fitting.CompareAndSwap(false, true) {
		return nil, ErrBusy
	}
	f := &fit{m: m, source: s, o: o, callbacks: savesLast(o.Callbacks)}
	if err := m.callbacks.attach(f.callbacks, o.Resume); err != nil {
		m.fitting.Store(false)
		return nil, err
	}
	if !o.Resume || m.at.Cursor == (dataset.Cursor{}) && m.at.Epoch == 0 {
		c.resetMetrics()
		m.at = progress{Epoch: o.InitialEpoch, Cursor: dataset.Cursor{Epoch: int64(o.InitialEpoch)}}
	}
	return f, nil
}

func (f *fit) run(ctx context.Context) error {
	for {
		f.m.training.Lock()
		over := f.m.at.over(f.o.Epochs)
		f.m.training.Unlock()
		if over {
			return nil
		}
		if err := f.epoch(ctx); err != nil {
			return err
		}
	}
}

// epoch trains what is left of an epoch.
func (f *fit) epoch(ctx context.Context) error {
	m := f.m
	epoch, cursor := m.at.position()
	stop := m.at.Stopped
	if cursor.Epoch == int64(epoch) && !stop {
		if stopped, err := f.beginEpoch(ctx); err != nil || stopped {
			return err
		}
		var err error
		if stop, err = f.batches(ctx, cursor); err != nil {
			return err
		}
	}
	if m.at.Running.Batches == 0 {
		return errNoBatches
	}
	e := f.event()
	e.Logs = m.epochLogs()
	if f.tellsRate() {
		e.Logs = append(e.Logs, Log{"learning_rate", float64(m.lastRate())})
	}
	if f.o.Validation != nil {
		v, err := m.Evaluate(ctx, f.o.Validation)
		if err != nil {
			return fmt.Errorf("validation after epoch %d: %w", epoch, err)
		}
		e.Logs = append(e.Logs, v.prefixed("val_")...)
	}
	return f.endEpoch(ctx, e, stop)
}

// beginEpoch tells the callbacks of an epoch that has not begun. One that stops
// the training then, stops it before the epoch.
func (f *fit) beginEpoch(ctx context.Context) (stopped bool, err error) {
	e := f.event()
	if e.Batch > 0 {
		return false, nil
	}
	err = f.tell(e, func(c Callback) error {
		if b, ok := c.(EpochBeginner); ok {
			return b.OnEpochBegin(ctx, e)
		}
		return nil
	})
	return e.stop, err
}

// endEpoch files the logs away and tells the callbacks.
func (f *fit) endEpoch(ctx context.Context, e *Event, stop bool) error {
	m := f.m
	m.training.Lock()
	m.compiled.resetMetrics()
	m.at.next(e.Logs)
	m.at.Stopped = stop
	m.training.Unlock()
	return f.tell(e, func(c Callback) error { return c.OnEpochEnd(ctx, e) })
}

// tell calls all callbacks with an event, and heeds Stop: those that come after
// the one that stopped see the training as stopped.
func (f *fit) tell(e *Event, call func(Callback) error) error {
	for _, c := range f.callbacks {
		if err := call(c); err != nil {
			return fmt.Errorf("callback %T: %w", c, err)
		}
		if e.stop {
			f.m.training.Lock()
			f.m.at.Stopped = true
			f.m.training.Unlock()
		}
	}
	return nil
}

// batches trains on the batches from a cursor to the end of the epoch, or until
// a callback stops.
func (f *fit) batches(ctx context.Context, from dataset.Cursor) (stopped bool, err error) {
	reading := ctx
	if f.m.accumulates() {
		reading = context.WithoutCancel(ctx) // batch looks at ctx, between updates
	}
	for b, err := range f.source.Batches(reading, from) {
		if err == nil {
			stopped, err = f.batch(ctx, b)
		}
		if err != nil {
			return stopped, err
		}
		if stopped {
			break
		}
	}
	if err := f.m.finishUpdate(context.WithoutCancel(ctx)); err != nil || stopped {
		return stopped, err
	}
	return false, ctx.Err()
}

func (f *fit) batch(ctx context.Context, b *Batch) (stopped bool, err error) {
	if b, err = f.m.classWeighted(b, f.o.ClassWeights); err != nil {
		return false, err
	}
	if err := f.m.fitBatch(ctx, b); err != nil {
		return false, err
	}
	e := f.event()
	e.Logs = f.m.at.Running.logs()
	if err := f.tell(e, func(c Callback) error { return c.OnBatchEnd(ctx, e) }); err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil && f.m.Waiting() == 0 {
		return false, fmt.Errorf("model: training stopped after step %d: %w", e.Step, err)
	}
	return e.stop, nil
}

// fitBatch makes one step and notes it.
func (m *Model) fitBatch(ctx context.Context, b *Batch) error {
	m.training.Lock()
	defer m.training.Unlock()
	if m.waiting() > 0 {
		ctx = context.WithoutCancel(ctx)
	}
	t, err := m.train(ctx, b, true)
	if err != nil {
		return err
	}
	m.at.Running.add(m.compiled.scalarNames(t.program), t.results, t.program.Outputs, t.n)
	m.at.Cursor = b.End
	return nil
}

// epochLogs returns the losses and metrics of the epoch under way.
func (m *Model) epochLogs() Logs {
	m.training.Lock()
	defer m.training.Unlock()
	logs := m.at.Running.logs()
	for name, metric := range m.compiled.metrics {
		logs = append(logs, Log{name, metric.Result()})
	}
	return logs
}

// event describes this moment.
func (f *fit) event() *Event {
	m := f.m
	m.training.Lock()
	defer m.training.Unlock()
	return &Event{Model: m, Epoch: m.at.Epoch, Epochs: f.o.Epochs, Batch: m.at.Running.Batches, Batches: f.source.Steps(),
		Examples: m.at.Running.Examples, Step: m.step}
}

// end tells the callbacks that training is over. All of them hear it.
func (f *fit) end(ctx context.Context, cause error) error {
	e := f.event()
	e.Logs, e.Err = f.m.at.History.Last(), cause
	var all error
	for _, c := range f.callbacks {
		if err := c.OnTrainEnd(ctx, e); err != nil {
			all = errors.Join(all, fmt.Errorf("callback %T: %w", c, err))
		}
	}
	return all
}
