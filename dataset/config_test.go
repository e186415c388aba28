package dataset

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func TestValidate(t *testing.T) {
	least := float32(4)
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Path = "" }, `path: it is empty: name a file`},
		{func(c *Config) { c.Format = "cvs" }, `format: "cvs" is not a format; did you mean "csv"? (known: csv, tsv)`},
		{func(c *Config) { c.Columns = nil }, `columns: there are none: name at least one column`},
		{func(c *Config) { c.Columns[1].Name = "" }, `columns[1].name: it is empty: say what the column is called`},
		{func(c *Config) { c.Columns[1].Name = "user" }, `columns[1].name: "user" is the name of another column too`},
		{func(c *Config) { c.Columns[2].Kind = "lable" }, `columns[2].kind: "lable" is not a kind; did you mean "label"? (known: id, ids, number, label, weight, timestamp)`},
		{func(c *Config) { c.Columns[3].Kind = Label }, `columns[3].kind: there is a label already: a batch has one`},
		{func(c *Config) { c.Columns[0].Type = "int" }, `columns[0].type: "int" is not a key type; did you mean "int32"? (known: int32, int64, uint64, string)`},
		{func(c *Config) { c.Columns[2].Type = "int64" }, `columns[2].type: a column of kind "label" has no key type`},
		{func(c *Config) { c.Columns[0].Separator = "," }, `columns[0].separator: a column of kind "id" is not a list`},
		{func(c *Config) { c.Columns[0].AtLeast = &least }, `columns[0].at_least: it is for a label, and this column is of kind "id"`},
		{func(c *Config) { c.Columns[2].Bucket = &Bucket{Width: 1} }, `columns[2].bucket: it is for a column of kind "id", and this one is of kind "label"`},
		{func(c *Config) { c.Joins[0].On = "" }, `joins[0].on: it is empty: name the column of the first file that holds the key`},
		{func(c *Config) { c.Joins[0].Path = "" }, `joins[0].path: it is empty: name a file`},
		{func(c *Config) { c.Joins[0].Columns[0] = Column{Name: "y", Kind: Weight} }, `joins[0].columns[0].kind: a weight must be in the first file, not in a joined one`},
		{func(c *Config) { c.Joins[0].Columns[0].Name = "film" }, `joins[0].columns[0].name: "film" is the name of another column too`},
		{func(c *Config) { c.Joins[0].Columns[1].Bucket.Width = 0 }, `joins[0].columns[1].bucket.width: it must be more than 0, got 0`},
		{func(c *Config) { c.Joins[0].Columns[1].Bucket.Bands = -1 }, `joins[0].columns[1].bucket.bands: it must not be negative, got -1`},
		{func(c *Config) { c.Joins[0].Columns[1].Type = "string" }, `joins[0].columns[1].bucket: it gives integers, so the type cannot be "string"`},
	} {
		cfg := movieConfig()
		c.change(&cfg)
		if err := cfg.Validate(); !errors.Is(err, ErrConfig) || err.Error() != "dataset: bad config: "+c.want {
			t.Errorf("got %v\nwant dataset: bad config: %s", err, c.want)
		}
	}
	cfg := movieConfig()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigAsJSON(t *testing.T) {
	const text = `{"path":"r.csv","columns":[{"name":"rating","kind":"label","at_least":4}],` +
		`"joins":[{"path":"m.csv","missing":["NA"],"on":"movieId","columns":[` +
		`{"name":"year","kind":"id","bucket":{"width":4,"from":1900,"bands":30}}],"optional":true}]}`
	var cfg Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		t.Fatal(err)
	}
	least := float32(4)
	want := Config{
		File:    File{Path: "r.csv"},
		Columns: []Column{{Name: "rating", Kind: Label, AtLeast: &least}},
		Joins: []Join{{
			File: File{Path: "m.csv", Missing: []string{"NA"}}, On: "movieId", Optional: true,
			Columns: []Column{{Name: "year", Kind: ID, Bucket: &Bucket{Width: 4, From: 1900, Bands: 30}}},
		}},
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got %+v\nwant %+v", cfg, want)
	}
	back, err := json.Marshal(cfg)
	if err != nil || string(back) != text {
		t.Errorf("got %s, %v\nwant %s", back, err, text)
	}
	cursor, err := json.Marshal(Cursor{Epoch: 2, Position: 512})
	if err != nil || string(cursor) != `{"epoch":2,"position":512}` {
		t.Errorf("cursor %s, %v", cursor, err)
	}
}

func TestUnder(t *testing.T) {
	cfg := movieConfig()
	moved := cfg.Under("examples")
	if moved.Path != "examples/ratings.csv" || moved.Joins[0].Path != "examples/movies.csv" || cfg.Joins[0].Path != "movies.csv" {
		t.Errorf("moved to %q and %q, from %q", moved.Path, moved.Joins[0].Path, cfg.Joins[0].Path)
	}
	if got := moved.Under("/x").Under("/y").Path; got != "/x/examples/ratings.csv" {
		t.Errorf("an absolute path became %q", got)
	}
}
