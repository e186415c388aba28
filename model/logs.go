package model

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Log is a named number: a loss or a metric.
type Log struct {
	Name  string
	Value float64
}

// Logs are the losses and metrics of an epoch, "loss" first; those of
// validation begin with "val_".
type Logs []Log

// Get returns the number of a name.
func (l Logs) Get(name string) (value float64, ok bool) {
	i := slices.IndexFunc(l, func(x Log) bool { return x.Name == name })
	if i < 0 {
		return 0, false
	}
	return l[i].Value, true
}

// Names returns the names in order.
func (l Logs) Names() []string {
	var names []string
	for _, x := range l {
		names = append(names, x.Name)
	}
	return names
}

// String returns "loss 0.6931  auc 0.5000".
func (l Logs) String() string {
	parts := make([]string, len(l))
	for i, x := range l {
		parts[i] = fmt.Sprintf("%s %.4f", x.Name, x.Value)
	}
	return strings.Join(parts, "  ")
}

// prefixed returns the logs under longer names.
func (l Logs) prefixed(prefix string) Logs {
	all := make(Logs, len(l))
	for i, x := range l {
		all[i] = Log{prefix + x.Name, x.Value}
	}
	return all
}

// logJSON is a Log in a file. JSON has no word for NaN and infinities: they are text.
type logJSON struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// MarshalJSON writes all bits of the number, and NaN and infinities as text.
func (l Log) MarshalJSON() ([]byte, error) {
	j := logJSON{l.Name, l.Value}
	if math.IsNaN(l.Value) || math.IsInf(l.Value, 0) {
		j.Value = strconv.FormatFloat(l.Value, 'g', -1, 64)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (l *Log) UnmarshalJSON(b []byte) error {
	var j logJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	l.Name = j.Name
	switch v := j.Value.(type) {
	case float64:
		l.Value = v
		return nil
	case string:
		var err error
		l.Value, err = strconv.ParseFloat(v, 64)
		return err
	}
	return fmt.Errorf("%w: the value of %q must be a number, got %v", ErrData, j.Name, j.Value)
}

// EpochLogs are the logs of one epoch.
type EpochLogs struct {
	Epoch int  `json:"epoch"` // from 0
	Logs  Logs `json:"logs"`
}

// History is the logs of the epochs of a training, in order. One that was
// stopped and went on has all its epochs.
type History []EpochLogs

// Values returns what a number was in each epoch that has it.
func (h History) Values(name string) []float64 {
	var values []float64
	for _, e := range h {
		if v, ok := e.Logs.Get(name); ok {
			values = append(values, v)
		}
	}
	return values
}

// Last returns the logs of the last epoch, nil if there is none.
func (h History) Last() Logs {
	if len(h) == 0 {
		return nil
	}
	return h[len(h)-1].Logs
}
