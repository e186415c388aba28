package model

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/format"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/tensor"
)

// denseFile holds the dense weights of a model: each under its name, and the
// optimizer's slots behind it as "dense/kernel:momentum".
const denseFile = "dense.arrays"

// meta is what a checkpoint says beside its files.
type meta struct {
	// Build is what the dense stage was compiled with; another may round otherwise.
	Build string `json:"build"`
	// Optimizer is the rule of the model's optimizer, "" if it was not compiled,
	// and OptimizerStep the number of its last step.
	Optimizer     string `json:"optimizer,omitempty"`
	OptimizerStep int64  `json:"optimizer_step"`
	// Rates are the learning rates that were set by hand.
	Rates *rateChanges `json:"rates,omitempty"`
	// Tables are the names of the tables, in order. Their files have their steps.
	Tables []string `json:"tables"`
	// Layers are the names of the layers with state beside their weights.
	Layers   []string `json:"layers,omitempty"`
	Progress progress `json:"progress"`
	// Config is the caller's.
	Config json.RawMessage `json:"config,omitempty"`
}

// describe returns the meta of this moment.
func (m *Model) describe() meta {
	d := meta{Build: runtime.Version() + " " + runtime.GOARCH, Progress: m.at}
	if c := m.compiled; c != nil {
		d.Optimizer, d.OptimizerStep, d.Rates = c.optimizer.Updater.Name(), c.step, c.rates
	}
	for _, t := range m.plan.Tables() {
		d.Tables = append(d.Tables, t.Name())
	}
	for _, l := range m.plan.Stateful() {
		d.Layers = append(d.Layers, layer.Of(l).Name())
	}
	return d
}

// layerFile is the name of the file of a layer's state: see rowan.TableFile.
func layerFile(name string) string {
	return "layer-" + strings.TrimSuffix(rowan.TableFile(name), ".table") + ".state"
}

// writeWeights writes the files of tables, of layers' states and of dense weights.
func (m *Model) writeWeights(ctx context.Context, create func(string) (io.WriteCloser, error)) error {
	for _, t := range m.plan.Tables() {
		if err := writeFile(create, rowan.TableFile(t.Name()), func(w io.Writer) error { return t.Save(ctx, w) }); err != nil {
			return err
		}
	}
	for _, l := range m.plan.Stateful() {
		if err := writeFile(create, layerFile(layer.Of(l).Name()), l.SaveState); err != nil {
			return fmt.Errorf("state of layer %q: %w", layer.Of(l).Name(), err)
		}
	}
	arrays, err := m.arrays()
	if err != nil {
		return err
	}
	return writeFile(create, denseFile, func(w io.Writer) error { return format.WriteArrays(w, arrays) })
}

func writeFile(create func(string) (io.WriteCloser, error), name string, write func(io.Writer) error) error {
	f, err := create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// arrays are the dense weights and their optimizer's state, not copies.
func (m *Model) arrays() ([]format.Array, error) {
	if err := m.fresh(); err != nil {
		return nil, err
	}
	var arrays []format.Array
	add := func(name string, data []float32, shape ...int) error {
		v, err := tensor.NewValues(data, shape...)
		arrays = append(arrays, format.Array{Name: name, Values: v})
		return err
	}
	for i, v := range layer.DenseVariables(m.plan.Variables()) {
		if err := add(v.Name(), v.Value(), v.Shape()...); err != nil {
			return nil, err
		}
		if m.compiled == nil || m.compiled.rows[i] == nil {
			continue
		}
		for slot, data := range m.compiled.rows[i].state {
			if err := add(v.Name()+":"+slot.Name, data, len(data)); err != nil {
				return nil, err
			}
		}
	}
	return arrays, nil
}

// readWeights puts files in the place of weights and tables: all of them, or
// after an error none.
func (m *Model) readWeights(ctx context.Context, d *meta, open func(string) (io.ReadCloser, error)) error {
	if err := m.fits(d); err != nil {
		return err
	}
	install, err := m.readArrays(open)
	if err != nil {
		return err
	}
	states, err := m.readStates(open)
	if err != nil {
		return err
	}
	table := func(t *rowan.Table) (io.ReadCloser, error) { return open(rowan.TableFile(t.Name())) }
	m.weights.Lock()
	defer m.weights.Unlock()
	if err := rowan.LoadTables(ctx, table, m.plan.Tables()...); err != nil {
		return err
	}
	install()
	for _, install := range states {
		install()
	}
	if m.compiled == nil {
		return nil
	}
	m.compiled.forget()
	m.compiled.step = d.OptimizerStep
	return m.compiled.setRates(d.Rates)
}

// readStates reads the states of layers, and returns what puts them in place.
func (m *Model) readStates(open func(string) (io.ReadCloser, error)) ([]func(), error) {
	var installs []func()
	for _, l := range m.plan.Stateful() {
		install, err := readState(l, open)
		if err != nil {
			return nil, fmt.Errorf("state of layer %q: %w", layer.Of(l).Name(), err)
		}
		installs = append(installs, install)
	}
	return installs, nil
}

func readState(l layer.Stateful, open func(string) (io.ReadCloser, error)) (install func(), err error) {
	f, err := open(layerFile(layer.Of(l).Name()))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return l.LoadState(f)
}

// fits says how a checkpoint is not one of this model.
func (m *Model) fits(d *meta) error {
	tables := m.plan.Tables()
	if len(tables) != len(d.Tables) {
		return fmt.Errorf("%w: the checkpoint has %d tables, the model %d", rowan.ErrMismatch, len(d.Tables), len(tables))
	}
	for i, t := range tables {
		if t.Name() != d.Tables[i] {
			return fmt.Errorf("%w: table %d is %q in the checkpoint and %q in the model", rowan.ErrMismatch, i, d.Tables[i], t.Name())
		}
	}
	if own := m.describe().Layers; !slices.Equal(own, d.Layers) {
		return fmt.Errorf("%w: the layers with state are %q in the checkpoint and %q in the model", rowan.ErrMismatch, d.Layers, own)
	}
	if c := m.compiled; c != nil && d.Optimizer != "" && d.Optimizer != c.optimizer.Updater.Name() {
		return fmt.Errorf("%w: the checkpoint was trained with %s, the model is compiled with %s", rowan.ErrMismatch, d.Optimizer, c.optimizer.Updater.Name())
	}
	return nil
}

// readArrays reads the dense weights, and returns what puts them in place. A
// model that is not compiled takes no notice of the optimizer's state.
func (m *Model) readArrays(open func(string) (io.ReadCloser, error)) (install func(), err error) {
	f, err := open(denseFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found, err := format.ReadArrays(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", denseFile, err)
	}
	byName := make(map[string]*tensor.Values, len(found))
	for _, a := range found {
		byName[a.Name] = a.Values
	}
	wanted, err := m.arrays()
	if err != nil {
		return nil, err
	}
	for _, a := range wanted {
		if err := sameArray(a, byName[a.Name]); err != nil {
			return nil, err
		}
	}
	if m.compiled != nil && len(found) != len(wanted) {
		return nil, fmt.Errorf("%w: %s holds %d arrays, the model has %d (weights, and the optimizer's state of those that are trained)",
			rowan.ErrMismatch, denseFile, len(found), len(wanted))
	}
	return func() {
		for _, a := range wanted {
			copy(a.Values.Data(), byName[a.Name].Data())
		}
	}, nil
}

func sameArray(want format.Array, got *tensor.Values) error {
	if got == nil {
		return fmt.Errorf("%w: %s has no array %q", rowan.ErrMismatch, denseFile, want.Name)
	}
	if w, g := layer.Shape(want.Values.Shape()), layer.Shape(got.Shape()); !w.Equal(g) {
		return fmt.Errorf("%w: array %q has shape %v in the file and %v in the model", rowan.ErrMismatch, want.Name, g, w)
	}
	return nil
}

// saveMetrics returns the state of the metrics.
func (c *compiled) saveMetrics() ([][]byte, error) {
	var all [][]byte
	for name, m := range c.metrics {
		b, err := m.AppendBinary(nil)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", name, err)
		}
		all = append(all, b)
	}
	return all, nil
}

// loadMetrics replaces the state of the metrics by one from saveMetrics.
func (c *compiled) loadMetrics(all [][]byte) error {
	i := 0
	for name, m := range c.metrics {
		if i >= len(all) {
			return fmt.Errorf("%w: no state for metric %q", rowan.ErrMismatch, name)
		}
		if err := m.UnmarshalBinary(all[i]); err != nil {
			return fmt.Errorf("metric %q: %w", name, err)
		}
		i++
	}
	return nil
}

// snapshot is the weights of a model at one moment, in memory.
type snapshot struct {
	meta  meta
	step  int64
	files []memoryFile
}

type memoryFile struct {
	name string
	data []byte
}

// snapshot copies the weights.
func (m *Model) snapshot(ctx context.Context) (*snapshot, error) {
	m.training.Lock()
	defer m.training.Unlock()
	s := &snapshot{meta: m.describe(), step: m.step}
	s.meta.Progress = progress{}
	err := m.writeWeights(ctx, func(name string) (io.WriteCloser, error) {
		return &memoryWriter{into: s, name: name}, nil
	})
	return s, err
}

// restore puts a snapshot back: the optimizer's state and the steps too.
func (m *Model) restore(ctx context.Context, s *snapshot) error {
	m.training.Lock()
	defer m.training.Unlock()
	if err := m.readWeights(ctx, &s.meta, s.open); err != nil {
		return err
	}
	m.step = s.step
	return nil
}

func (s *snapshot) open(name string) (io.ReadCloser, error) {
	for _, f := range s.files {
		if f.name == name {
			return io.NopCloser(bytes.NewReader(f.data)), nil
		}
	}
	return nil, fmt.Errorf("%w: no file %q", rowan.ErrMismatch, name)
}

// memoryWriter becomes a file of a snapshot when it is closed.
type memoryWriter struct {
	bytes.Buffer
	into *snapshot
	name string
}

func (w *memoryWriter) Close() error {
	w.into.files = append(w.into.files, memoryFile{w.name, w.Bytes()})
	return nil
}
