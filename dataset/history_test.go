package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/tensor"
)

func movieFrame(t *testing.T) *Frame {
	t.Helper()
	c := movieConfig()
	c.Open = movies.open
	f, err := Read(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// histories returns the lists of a history in the batches of some rows.
func histories[K tensor.Key](t *testing.T, s Source, name string) [][]K {
	t.Helper()
	var out [][]K
	for b, err := range s.Batches(ctx, Cursor{}) {
		if err != nil {
			t.Fatal(err)
		}
		r, ok := b.IDs[name].(*tensor.Ragged[K])
		if !ok {
			t.Fatalf("batch has %T, want ragged ids", b.IDs[name])
		}
		for i := range b.N {
			out = append(out, slices.Clone(r.Bag(i)))
		}
	}
	return out
}

func TestHistory(t *testing.T) {
	f := movieFrame(t)
	// Rows 0 to 5: user 3 has one row of two.
	train := []uint32{0, 1, 2, 3, 4, 5}
	for _, c := range []struct {
		longest int
		want    string
	}{
		{0, "[[20 10] [20 10] [30 20 10] [30 20 10] [30 20 10] [30] [30]]"},
		{2, "[[20 10] [20 10] [20 10] [20 10] [20 10] [30] [30]]"},
		{1, "[[10] [10] [10] [10] [10] [30] [30]]"},
	} {
		h, err := f.History(HistoryConfig{Name: "seen", By: "user", Of: "film", Longest: c.longest}, train)
		if err != nil {
			t.Fatal(err)
		}
		if h.Len() != 3 || h.Config().Longest != c.longest {
			t.Errorf("history of %d ids by %+v", h.Len(), h.Config())
		}
		s, err := f.Source(nil, Options{BatchSize: 3, Histories: []*History{h}})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(histories[int64](t, s, "seen")); got != c.want {
			t.Errorf("longest %d: got %s, want %s", c.longest, got, c.want)
		}
	}
}

// TestHistoryUnseen: an id that the rows did not have has an empty history.
func TestHistoryUnseen(t *testing.T) {
	f := movieFrame(t)
	h, err := f.History(HistoryConfig{Name: "seen", By: "user", Of: "film"}, []uint32{0})
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Source([]uint32{6, 1}, Options{Histories: []*History{h}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(histories[int64](t, s, "seen")); got != "[[] [10]]" {
		t.Errorf("got %s", got)
	}
}

// TestHistoryStream: what was collected serves a stream, after JSON too.
func TestHistoryStream(t *testing.T) {
	for _, kind := range []string{"int64", "string"} {
		c := movieConfig()
		c.Open = movies.open
		c.Columns[0].Type, c.Columns[1].Type = kind, kind
		f, err := Read(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		h, err := f.History(HistoryConfig{Name: "seen", By: "user", Of: "film"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var back History
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(&back)
		if err != nil || string(again) != string(text) {
			t.Errorf("%s, %v\nread back as %s", text, err, again)
		}
		stream, err := NewStream(ctx, c.WithoutLabel(), Options{BatchSize: 2, Histories: []*History{&back}})
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if kind == "string" {
			got = fmt.Sprint(histories[string](t, stream, "seen"))
		} else {
			got = fmt.Sprint(histories[int64](t, stream, "seen"))
		}
		if want := "[[20 10] [20 10] [30 20 10] [30 20 10] [30 20 10] [30 10] [30 10]]"; got != want {
			t.Errorf("%s: got %s, want %s", kind, got, want)
		}
	}
}

func TestHistoryErrors(t *testing.T) {
	f := movieFrame(t)
	for _, c := range []struct {
		h    HistoryConfig
		is   error
		says string
	}{
		{HistoryConfig{By: "user", Of: "film"}, ErrConfig, "name"},
		{HistoryConfig{Name: "a", Of: "film"}, ErrConfig, "by"},
		{HistoryConfig{Name: "a", By: "user"}, ErrConfig, "of"},
		{HistoryConfig{Name: "a", By: "user", Of: "film", Longest: -1}, ErrConfig, "got -1"},
		{HistoryConfig{Name: "a", By: "uses", Of: "film"}, ErrColumn, `did you mean "user"?`},
		{HistoryConfig{Name: "a", By: "user", Of: "genres"}, ErrColumn, `history "a": of`},
	} {
		_, err := f.History(c.h, nil)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: got %v, want %v saying %q", c.h, err, c.is, c.says)
		}
	}
	h, err := f.History(HistoryConfig{Name: "seen", By: "user", Of: "film"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := movieConfig()
	c.Open, c.Columns[0].Type = movies.open, "int64"
	other, err := Read(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := other.Source(nil, Options{Histories: []*History{h}})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Batches(ctx, Cursor{}) {
		if !errors.Is(err, ErrColumn) || !strings.Contains(err.Error(), "collected by ids of int32") {
			t.Errorf("ids of another type: %v", err)
		}
	}
}

func TestHistoryDamagedJSON(t *testing.T) {
	good := `{"history":{"name":"a","by":"u","of":"f"},"by_type":"int64","of_type":"string","keys":[1,2],"lengths":[1,2],"string_ids":["x","y","x"]}`
	if err := json.Unmarshal([]byte(good), new(History)); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{`"lengths":[1,2]`, `"lengths":[1]`}, {`"lengths":[1,2]`, `"lengths":[1,1]`}, {`"lengths":[1,2]`, `"lengths":[-1,4]`},
		{`"lengths":[1,2]`, `"lengths":[9,2]`}, {`"keys":[1,2]`, `"keys":[1,1]`}, {`"by_type":"int64"`, `"by_type":"string"`},
		{`"of_type":"string"`, `"of_type":"int32"`}, {`"of_type":"string"`, `"of_type":"float"`}, {`"name":"a"`, `"name":""`},
		{`"by_type":"int64"`, `"by_type":""`},
	} {
		if err := json.Unmarshal([]byte(strings.Replace(good, c[0], c[1], 1)), new(History)); !errors.Is(err, ErrConfig) && !strings.Contains(fmt.Sprint(err), "tensor:") {
			t.Errorf("%s for %s: %v", c[1], c[0], err)
		}
	}
}
