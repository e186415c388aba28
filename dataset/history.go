package dataset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/tensor"
)

// HistoryConfig declares a feature that is not in the file: what came together
// with an id in the training examples. A user's history of films:
//
//	user  film  time                 history of films by user
//	1     10    100                  1 → 20 10
//	1     20     90                  2 → 30 10
//	2     10    300
//	2     30    200
//
// In a batch it is a list of ids an example, as of kind ids.
type HistoryConfig struct {
	// Name is what the feature is called in batches.
	Name string `json:"name" yaml:"name"`
	// By is the column of kind id whose id has the history.
	By string `json:"by" yaml:"by"`
	// Of is the column of kind id whose ids the history holds.
	Of string `json:"of" yaml:"of"`
	// Longest is how many ids a history holds at most: the latest, by the column
	// of kind timestamp, or else by their order in the file. Default: all.
	Longest int `json:"longest,omitempty" yaml:"longest,omitempty"`
}

// Validate returns an error, which wraps ErrConfig, if c makes no sense
// whatever the data.
func (c HistoryConfig) Validate() error {
	switch {
	case c.Name == "":
		return configError("name", "it is empty: name the history")
	case c.By == "":
		return configError("by", "it is empty: name the column whose ids have a history")
	case c.Of == "":
		return configError("of", "it is empty: name the column whose ids the history holds")
	case c.Longest < 0:
		return configError("longest", "it must be more than 0, got %d", c.Longest)
	}
	return nil
}

// History holds the history of every id that some rows have in a column. It
// does not change, is safe for concurrent use, and goes through JSON, so that
// what was learned from the training examples can be kept with the model. An
// id that the rows did not have has an empty history.
type History struct {
	config HistoryConfig
	by     tensor.KeyType
	ints   map[int64]int  // the entry of an integer id
	names  map[string]int // the entry of a string id
	ids    *vector        // entry 0 is the empty history
}

// History collects histories from the rows; nil rows are all of them.
func (f *Frame) History(c HistoryConfig, rows []uint32) (*History, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	by, err := f.named(c.By, ID)
	if err != nil {
		return nil, fmt.Errorf("history %q: by: %w", c.Name, err)
	}
	of, err := f.named(c.Of, ID)
	if err != nil {
		return nil, fmt.Errorf("history %q: of: %w", c.Name, err)
	}
	if rows == nil {
		rows = f.All()
	}
	if err := f.check(rows); err != nil {
		return nil, err
	}
	h := newHistory(c, by.key, of.key)
	codes, n := by.dense()
	lists := make([][]uint32, n)
	for _, row := range f.inTime(rows) {
		code := codes[by.at(row)]
		lists[code] = append(lists[code], row)
	}
	for code, list := range lists {
		if len(list) > 0 {
			h.add(by, of, list)
		}
		lists[code] = nil
	}
	return h, nil
}

func newHistory(c HistoryConfig, by, of tensor.KeyType) *History {
	h := &History{config: c, by: by}
	spec := Column{Name: c.Name, Kind: IDs, Type: of.String()}
	h.ids = &vector{spec: spec, key: of, splits: []int64{0, 0}}
	if of == tensor.String {
		h.ids.code = map[string]uint32{}
	}
	if by == tensor.String {
		h.names = map[string]int{}
	} else {
		h.ints = map[int64]int{}
	}
	return h
}

// inTime returns the rows in the order of their timestamps, if there are any;
// rows of one time in the order they were given.
func (f *Frame) inTime(rows []uint32) []uint32 {
	t := f.ofKind(Timestamp)
	if t == nil {
		return rows
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b uint32) int { return cmp.Compare(t.ints[t.at(a)], t.ints[t.at(b)]) })
	return rows
}

// add adds the history of the id that all the rows have.
func (h *History) add(by, of *column, rows []uint32) {
	if h.config.Longest > 0 && len(rows) > h.config.Longest {
		rows = rows[len(rows)-h.config.Longest:]
	}
	for _, row := range rows {
		if p := of.at(row); of.key == tensor.String {
			h.ids.codes = append(h.ids.codes, h.ids.intern([]byte(of.names[of.codes[p]])))
		} else {
			h.ids.ints = append(h.ids.ints, of.ints[p])
		}
	}
	entry := len(h.ids.splits) - 1
	h.ids.splits = append(h.ids.splits, h.ids.end())
	if p := by.at(rows[0]); by.key == tensor.String {
		h.names[by.names[by.codes[p]]] = entry
	} else {
		h.ints[by.ints[p]] = entry
	}
}

// Config returns what the history was collected by.
func (h *History) Config() HistoryConfig { return h.config }

// Len returns the number of ids that have a history.
func (h *History) Len() int { return len(h.ints) + len(h.names) }

// slot returns what puts histories into the batches of a frame.
func (h *History) slot(f *Frame) (slot, error) {
	by, err := f.named(h.config.By, ID)
	if err != nil {
		return nil, fmt.Errorf("history %q: %w", h.config.Name, err)
	}
	if by.key != h.by {
		return nil, fmt.Errorf("%w: history %q was collected by ids of %v, column %q has %v",
			ErrColumn, h.config.Name, h.by, h.config.By, by.key)
	}
	if by.key == tensor.String {
		return newIDSlot(h.ids, func(row uint32) int { return h.names[by.names[by.codes[by.at(row)]]] }), nil
	}
	return newIDSlot(h.ids, func(row uint32) int { return h.ints[by.ints[by.at(row)]] }), nil
}

// historyFile is a history as JSON: keys in ascending order, and the ids of
// all of them one after the other.
type historyFile struct {
	Config  HistoryConfig `json:"history"`
	By      string        `json:"by_type"`
	Of      string        `json:"of_type"`
	Ints    []int64       `json:"keys,omitempty"`
	Names   []string      `json:"string_keys,omitempty"`
	Lengths []int64       `json:"lengths"`
	IDs     []int64       `json:"ids,omitempty"`
	Strings []string      `json:"string_ids,omitempty"`
}

// MarshalJSON writes the history; equal histories give equal bytes.
func (h *History) MarshalJSON() ([]byte, error) {
	f := historyFile{Config: h.config, By: h.by.String(), Of: h.ids.key.String(), Lengths: []int64{}}
	for key := range h.ints {
		f.Ints = append(f.Ints, key)
	}
	for key := range h.names {
		f.Names = append(f.Names, key)
	}
	slices.Sort(f.Ints)
	slices.Sort(f.Names)
	for _, key := range f.Ints {
		h.write(&f, h.ints[key])
	}
	for _, key := range f.Names {
		h.write(&f, h.names[key])
	}
	return json.Marshal(f)
}

func (h *History) write(f *historyFile, entry int) {
	lo, hi := h.ids.bounds(entry)
	f.Lengths = append(f.Lengths, hi-lo)
	if h.ids.key == tensor.String {
		f.Strings = appendStrings(f.Strings, h.ids, lo, hi)
		return
	}
	f.IDs = append(f.IDs, h.ids.ints[lo:hi]...)
}

// UnmarshalJSON reads what MarshalJSON wrote; what is inconsistent is ErrConfig.
func (h *History) UnmarshalJSON(text []byte) error {
	var f historyFile
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	by, err := tensor.ParseKeyType(f.By)
	if err != nil {
		return fmt.Errorf("%w: history: %w", ErrConfig, err)
	}
	of, err := tensor.ParseKeyType(f.Of)
	if err != nil {
		return fmt.Errorf("%w: history: %w", ErrConfig, err)
	}
	if err := f.Config.Validate(); err != nil {
		return err
	}
	read := newHistory(f.Config, by, of)
	if err := read.fill(&f); err != nil {
		return err
	}
	*h = *read
	return nil
}

func (h *History) fill(f *historyFile) error {
	keys, ids := len(f.Ints)+len(f.Names), int64(len(f.IDs)+len(f.Strings))
	wrong := (len(f.Names) > 0) != (h.by == tensor.String && keys > 0) || (len(f.Ints) > 0 && len(f.Names) > 0) ||
		(len(f.Strings) > 0) != (h.ids.key == tensor.String && ids > 0) || (len(f.IDs) > 0 && len(f.Strings) > 0)
	if wrong || len(f.Lengths) != keys {
		return configError("history", "%d and %d keys of %v, %d lengths, %d and %d ids of %v do not fit each other",
			len(f.Ints), len(f.Names), h.by, len(f.Lengths), len(f.IDs), len(f.Strings), h.ids.key)
	}
	h.ids.ints = f.IDs
	for _, s := range f.Strings {
		h.ids.codes = append(h.ids.codes, h.ids.intern([]byte(s)))
	}
	end := int64(0)
	for i, n := range f.Lengths {
		if n < 0 || n > math.MaxInt32 || end+n > ids {
			return configError("history", "length %d is %d, of %d ids of which %d are taken", i, n, ids, end)
		}
		end += n
		h.ids.splits = append(h.ids.splits, end)
		if h.by == tensor.String {
			h.names[f.Names[i]] = i + 1
		} else {
			h.ints[f.Ints[i]] = i + 1
		}
	}
	if end != ids || h.Len() != keys {
		return configError("history", "lengths add up to %d of %d ids, and %d of %d keys differ", end, ids, h.Len(), keys)
	}
	return nil
}
