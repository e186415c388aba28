package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// ratingsOf is a frame of ratings by given users at given times.
func ratingsOf(t interface{ Fatal(...any) }, users, times []int) *Frame {
	var b strings.Builder
	b.WriteString("user,time\n")
	for i := range users {
		fmt.Fprintf(&b, "%d,%d\n", users[i], times[i])
	}
	f, err := Read(ctx, Config{
		File:    File{Path: "x"},
		Columns: []Column{{Name: "user", Kind: ID}, {Name: "time", Kind: Timestamp}},
		Open:    files{"x": b.String()}.open,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestUserTimeSplitByHand(t *testing.T) {
	//                            user 1: times 5 9 9 1      user 2: 3    user 3: 2 2
	f := ratingsOf(t, []int{1, 1, 2, 1, 1, 3, 3}, []int{5, 9, 3, 9, 1, 2, 2})
	for _, c := range []struct {
		fraction   float64
		kept, held string
	}{
		{0.25, "[0 1 2 4 5 6]", "[3]"}, // the later of two at time 9
		{0.5, "[0 2 4 5]", "[1 3 6]"},  // user 2 has one row, and keeps it
		{0.99, "[2 4 5]", "[0 1 3 6]"}, // never all of a user's rows
		{0.2, "[0 1 2 3 4 5 6]", "[]"}, // fewer than 1/fraction rows: none
		{0, "[0 1 2 3 4 5 6]", "[]"},   // nothing
		{0.34, "[0 1 2 4 5 6]", "[3]"}, // floor(4 × 0.34) = 1, floor(2 × 0.34) = 0
	} {
		kept, held, err := f.UserTimeSplit(f.All(), "user", c.fraction)
		if err != nil || fmt.Sprint(kept) != c.kept || fmt.Sprint(held) != c.held {
			t.Errorf("%v: kept %v, held %v, %v; want %s and %s", c.fraction, kept, held, err, c.kept, c.held)
		}
	}
}

// 0.29 × 100 is 28.999999999999996 in float64; 29 rows are meant.
func TestUserTimeSplitOfRoundNumbers(t *testing.T) {
	f := ratingsOf(t, make([]int, 100), make([]int, 100))
	_, held, err := f.UserTimeSplit(f.All(), "user", 0.29)
	if err != nil || len(held) != 29 || held[0] != 71 {
		t.Errorf("held %v, %v; want the last 29", held, err)
	}
}

func TestGlobalTimeSplitByHand(t *testing.T) {
	f := ratingsOf(t, make([]int, 6), []int{5, 9, 3, 9, 9, 1})
	kept, held, err := f.GlobalTimeSplit(f.All(), 0.3) // round(1.8) = 2 of the three at time 9
	if err != nil || fmt.Sprint(kept) != "[0 1 2 5]" || fmt.Sprint(held) != "[3 4]" {
		t.Errorf("kept %v, held %v, %v", kept, held, err)
	}
}

// The choice is part of what a seed means: it may not change.
func TestRandomSplitIsPinned(t *testing.T) {
	f := ratingsOf(t, make([]int, 20), make([]int, 20))
	p, err := f.Split(Split{Test: 0.2, Validation: 0.25, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(p.Test, p.Validation), "[2 8 10 15] [4 5 11 19]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	other, err := f.Split(Split{Test: 0.2, Seed: 2})
	if err != nil || slices.Equal(p.Test, other.Test) {
		t.Errorf("seed 2 holds out the same %v, %v", other.Test, err)
	}
}

// Whatever the data and the split: the parts are all rows, once each, in file
// order, and nothing held out by time is earlier than what is kept.
func TestSplitsPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "rows")
		users := rapid.SliceOfN(rapid.IntRange(0, 5), n, n).Draw(t, "users")
		times := rapid.SliceOfN(rapid.IntRange(0, 9), n, n).Draw(t, "times")
		f := ratingsOf(t, users, times)
		s := Split{
			By:         rapid.SampledFrom([]string{"", ByRandom, ByUserTime, ByGlobalTime}).Draw(t, "by"),
			User:       "user",
			Test:       rapid.Float64Range(0, 0.99).Draw(t, "test"),
			Validation: rapid.Float64Range(0, 0.99).Draw(t, "validation"),
			Seed:       rapid.Uint64().Draw(t, "seed"),
		}
		p, err := f.Split(s)
		if err != nil {
			t.Fatal(err)
		}
		all := slices.Concat(p.Train, p.Validation, p.Test)
		slices.Sort(all)
		if !slices.Equal(all, f.All()) || !slices.IsSorted(p.Train) || !slices.IsSorted(p.Validation) || !slices.IsSorted(p.Test) {
			t.Fatalf("no partition: %+v", p)
		}
		inOrder(t, s.By, users, times, p.Train, p.Validation)
		inOrder(t, s.By, users, times, slices.Concat(p.Train, p.Validation), p.Test)
	})
}

// inOrder fails if a held row is earlier than a kept one that it must follow.
func inOrder(t *rapid.T, by string, users, times []int, kept, held []uint32) {
	for _, k := range kept {
		for _, h := range held {
			earlier := times[h] < times[k] || times[h] == times[k] && h < k
			if earlier && (by == ByGlobalTime || by == ByUserTime && users[h] == users[k]) {
				t.Fatalf("%s: row %d is held out and earlier than row %d, which is not", by, h, k)
			}
		}
	}
}

func TestRandomSplitSizes(t *testing.T) {
	rows := make([]uint32, 1004)
	for _, c := range []struct {
		fraction float64
		want     int
	}{{0.1, 100}, {0.5, 502}, {0.0006, 1}, {0.0004, 0}, {1, 1004}} {
		if _, held := RandomSplit(rows, c.fraction, 1); len(held) != c.want {
			t.Errorf("%v of 1004: %d rows, want %d", c.fraction, len(held), c.want)
		}
	}
}

// The rows of a test part must not be those that an epoch of the same seed begins with.
func TestSplitIsApartFromShuffle(t *testing.T) {
	const n = 1000
	_, held := RandomSplit(ratingsOf(t, make([]int, n), make([]int, n)).All(), 0.1, 4)
	p, both := newPermutation(n, 4, 0), 0
	for i := range 100 {
		if slices.Contains(held, p.at(i)) {
			both++
		}
	}
	if both > 30 { // 10 expected
		t.Errorf("%d of 100 rows in both", both)
	}
}

func TestSplitErrors(t *testing.T) {
	f := ratingsOf(t, []int{1}, []int{1})
	noTime := mustRead(t, Config{File: File{Path: "x"}, Columns: []Column{{Name: "user", Kind: ID}}, Open: files{"x": "user\n1\n"}.open})
	for _, c := range []struct {
		f    *Frame
		s    Split
		kind error
		want string
	}{
		{f, Split{By: "user_time"}, ErrConfig, `dataset: bad config: by: "user_time" is not a way to split; did you mean "user-time"? (known: random, user-time, global-time)`},
		{f, Split{By: ByUserTime, Test: 0.1}, ErrConfig, `dataset: bad config: user: it is empty: name the column of the users`},
		{f, Split{Test: 1}, ErrConfig, `dataset: bad config: test: it must be a fraction from 0 to less than 1, got 1`},
		{f, Split{Validation: -0.1}, ErrConfig, `dataset: bad config: validation: it must be a fraction from 0 to less than 1, got -0.1`},
		{f, Split{By: ByUserTime, User: "uesr", Test: 0.1}, ErrColumn, `dataset: no such column: no column of kind ["id"] is called "uesr"; did you mean "user"? (known: ["user"])`},
		{noTime, Split{By: ByGlobalTime, Test: 0.1}, ErrColumn, `dataset: no such column: a split by time needs a column of kind "timestamp"`},
	} {
		if _, err := c.f.Split(c.s); !errors.Is(err, c.kind) || err.Error() != c.want {
			t.Errorf("%+v: got %v\nwant %s", c.s, err, c.want)
		}
	}
}
