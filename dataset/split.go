package dataset

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// The ways of a [Split].
const (
	ByRandom     = "random"
	ByUserTime   = "user-time"
	ByGlobalTime = "global-time"
)

// Split declares which rows are held out.
type Split struct {
	// By is "random", "user-time" (the last of each user's rows) or
	// "global-time" (the last of all rows). Default: "random".
	By string `json:"by,omitempty" yaml:"by,omitempty"`
	// Test is the fraction of the rows to test on, from 0 to less than 1. Default: none.
	Test float64 `json:"test,omitempty" yaml:"test,omitempty"`
	// Validation is the fraction of what then is left to validate on, taken in
	// the same way. Default: none.
	Validation float64 `json:"validation,omitempty" yaml:"validation,omitempty"`
	// Seed chooses the rows of a random split. Default: 0.
	Seed uint64 `json:"seed,omitempty" yaml:"seed,omitempty"`
	// User is the id column whose ids are the users of "user-time".
	User string `json:"user,omitempty" yaml:"user,omitempty"`
}

// Parts are disjoint rows of a frame, each in file order, that together are all
// of it.
type Parts struct {
	Train, Validation, Test []uint32
}

// Validate returns an error, which wraps ErrConfig, if s cannot be followed
// whatever the data.
func (s Split) Validate() error {
	if s.By != "" {
		if err := oneOf("by", "a way to split", s.By, []string{ByRandom, ByUserTime, ByGlobalTime}); err != nil {
			return err
		}
	}
	if s.By == ByUserTime && s.User == "" {
		return configError("user", "it is empty: name the column of the users")
	}
	for _, f := range []struct {
		name string
		x    float64
	}{{"test", s.Test}, {"validation", s.Validation}} {
		if !(f.x >= 0 && f.x < 1) {
			return configError(f.name, "it must be a fraction from 0 to less than 1, got %v", f.x)
		}
	}
	return nil
}

// Split divides the rows of f as s says.
func (f *Frame) Split(s Split) (p Parts, err error) {
	if err := s.Validate(); err != nil {
		return p, err
	}
	p.Train = f.All()
	if p.Train, p.Test, err = f.hold(s, p.Train, s.Test, 0); err != nil {
		return p, err
	}
	p.Train, p.Validation, err = f.hold(s, p.Train, s.Validation, 1)
	return p, err
}

func (f *Frame) hold(s Split, rows []uint32, fraction float64, stream uint64) (kept, held []uint32, err error) {
	switch {
	case fraction == 0:
		return rows, nil, nil
	case s.By == ByUserTime:
		return f.UserTimeSplit(rows, s.User, fraction)
	case s.By == ByGlobalTime:
		return f.GlobalTimeSplit(rows, fraction)
	}
	kept, held = RandomSplit(rows, fraction, mix64(s.Seed)^stream)
	return kept, held, nil
}

// RandomSplit holds round(len(rows) × fraction) rows out. Which, is a pure
// function of the number of rows, the fraction and the seed. Both parts keep
// the order of rows.
func RandomSplit(rows []uint32, fraction float64, seed uint64) (kept, held []uint32) {
	out := make([]bool, len(rows))
	p := newPermutation(len(rows), seed, splitStream)
	for i := range share(len(rows), fraction) {
		out[p.at(i)] = true
	}
	return part(rows, out)
}

// splitStream keeps the choice of a split apart from the order of every epoch
// of the same seed.
const splitStream = math.MaxUint64

// share is n × fraction, rounded, from 0 to n.
func share(n int, fraction float64) int {
	return int(min(max(math.Round(float64(n)*fraction), 0), float64(n)))
}

func part(rows []uint32, out []bool) (kept, held []uint32) {
	for i, row := range rows {
		if out[i] {
			held = append(held, row)
		} else {
			kept = append(kept, row)
		}
	}
	return kept, held
}

// UserTimeSplit holds the last of each user's rows out: of n rows the last
// floor(n × fraction) by timestamp, rows of equal time in the order of rows. So
// a user with fewer than 1/fraction rows has none held out, and no user has
// all. Both parts keep the order of rows. user is a column of kind id; the data
// need a column of kind timestamp.
func (f *Frame) UserTimeSplit(rows []uint32, user string, fraction float64) (kept, held []uint32, err error) {
	codes, n, err := f.Codes(user)
	if err != nil {
		return nil, nil, err
	}
	order, err := f.byTime(rows)
	if err != nil {
		return nil, nil, err
	}
	left := make([]int, n) // rows of each user that are still to be kept
	for _, row := range rows {
		left[codes[row]]++
	}
	for u, count := range left {
		// The little that is added makes 0.29 of 100 the 29 that is meant.
		left[u] = count - int(min(max(float64(float64(count)*fraction)+1e-9, 0), float64(count)))
	}
	out := make([]bool, len(rows))
	for _, i := range order {
		u := codes[rows[i]]
		out[i] = left[u] <= 0
		left[u]--
	}
	kept, held = part(rows, out)
	return kept, held, nil
}

// GlobalTimeSplit holds the last round(len(rows) × fraction) rows by timestamp
// out, rows of equal time in the order of rows. Both parts keep the order of
// rows. The data need a column of kind timestamp.
func (f *Frame) GlobalTimeSplit(rows []uint32, fraction float64) (kept, held []uint32, err error) {
	order, err := f.byTime(rows)
	if err != nil {
		return nil, nil, err
	}
	out := make([]bool, len(rows))
	for _, i := range order[len(rows)-share(len(rows), fraction):] {
		out[i] = true
	}
	kept, held = part(rows, out)
	return kept, held, nil
}

// byTime returns the positions of rows in order of time.
func (f *Frame) byTime(rows []uint32) ([]int, error) {
	if err := f.check(rows); err != nil {
		return nil, err
	}
	c := f.ofKind(Timestamp)
	if c == nil {
		return nil, fmt.Errorf("%w: a split by time needs a column of kind %q", ErrColumn, Timestamp)
	}
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(c.ints[c.at(rows[a])], c.ints[c.at(rows[b])])
	})
	return order, nil
}
