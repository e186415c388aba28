package model

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// CSVLogger is a callback that keeps a file of the epochs' logs: a line of names
// in alphabetical order, then a line an epoch, which counts from 0. What an epoch
// has not is "NA". It is Keras' file.
//
// The file is written anew after each epoch, from the whole history: it is there
// with all lines or with those of the epoch before, whatever is killed when, and
// a training that was stopped and went on leaves the file of one that was not.
// (So Keras' append has no counterpart: it would keep lines twice.)
type CSVLogger struct {
	Hooks
	// Path is the file. Its folder must be there.
	Path string
	// Separator stands between fields. Default: ','.
	Separator rune
}

// OnEpochEnd implements [Callback].
func (l *CSVLogger) OnEpochEnd(_ context.Context, e *Event) error {
	if l.Path == "" {
		return fmt.Errorf("%w: CSVLogger: Path is empty", ErrArgument)
	}
	f, err := os.CreateTemp(filepath.Dir(l.Path), filepath.Base(l.Path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(f.Chmod(0o644), l.write(f, e.Model.History()), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), l.Path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func (l *CSVLogger) write(f *os.File, h History) error {
	w := csv.NewWriter(f)
	if l.Separator != 0 {
		w.Comma = l.Separator
	}
	names := h.names()
	if err := w.Write(append([]string{"epoch"}, names...)); err != nil {
		return err
	}
	for _, e := range h {
		row := []string{strconv.Itoa(e.Epoch)}
		for _, name := range names {
			row = append(row, csvNumber(e.Logs.Get(name)))
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// csvNumber is a number as Python writes it.
func csvNumber(x float64, ok bool) string {
	switch {
	case !ok:
		return "NA"
	case math.IsNaN(x):
		return "nan"
	case math.IsInf(x, 1):
		return "inf"
	case math.IsInf(x, -1):
		return "-inf"
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// names returns the names of all epochs' logs, sorted.
func (h History) names() []string {
	var names []string
	for _, e := range h {
		names = append(names, e.Logs.Names()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
