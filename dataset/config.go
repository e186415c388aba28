package dataset

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/rowan-embeddings/rowan/internal/suggest"
	"github.com/rowan-embeddings/rowan/tensor"
)

// Config declares a text file, the columns that are taken from it, and the
// files that are joined to it.
type Config struct {
	File `yaml:",inline"`
	// Columns are the features, the label, and whatever splits need.
	Columns []Column `json:"columns" yaml:"columns"`
	// Joins are files with more columns, looked up by a column of this one.
	Joins []Join `json:"joins,omitempty" yaml:"joins,omitempty"`
	// Open opens a file of the given path. Default: os.Open.
	Open func(path string) (io.ReadCloser, error) `json:"-" yaml:"-"`
}

// File declares a text file of records. It may be gzip-compressed: that is
// seen by its content.
type File struct {
	// Path is the file's path.
	Path string `json:"path" yaml:"path"`
	// Format is "csv" or "tsv". Default: "tsv" if the path ends in .tsv or
	// .tsv.gz, otherwise "csv". Both may quote fields as RFC 4180 says.
	Format string `json:"format,omitempty" yaml:"format,omitempty"`
	// Names are the names of the columns of a file without a header line.
	// Default: the first record has them.
	Names []string `json:"names,omitempty" yaml:"names,omitempty"`
	// Missing are the texts that stand for a missing value. Default: only the
	// empty text.
	Missing []string `json:"missing,omitempty" yaml:"missing,omitempty"`
}

// Join declares a second file whose columns are looked up by a key.
type Join struct {
	File `yaml:",inline"`
	// On is the column of the first file that holds the key. Keys are compared as text.
	On string `json:"on" yaml:"on"`
	// Key is the column of this file that holds the key, once each. Default: On.
	Key string `json:"key,omitempty" yaml:"key,omitempty"`
	// Columns are taken from this file. Label and weight must be in the first.
	Columns []Column `json:"columns" yaml:"columns"`
	// Optional lets a key that this file lacks give missing values. Default: it
	// is an error.
	Optional bool `json:"optional,omitempty" yaml:"optional,omitempty"`
}

// Kind says what a column is for.
type Kind string

// The kinds of column.
const (
	ID        Kind = "id"        // one id an example
	IDs       Kind = "ids"       // a list of ids an example
	Number    Kind = "number"    // a float32 feature
	Label     Kind = "label"     // what to predict, a float32
	Weight    Kind = "weight"    // the weight of the example, a float32 of at least 0
	Timestamp Kind = "timestamp" // an int64 that orders examples; in no batch
)

var kinds = []string{string(ID), string(IDs), string(Number), string(Label), string(Weight), string(Timestamp)}

// Column declares what becomes of a column of a file.
type Column struct {
	// Name is what the column is called in frames and batches.
	Name string `json:"name" yaml:"name"`
	// From is the column's name in the file. Default: Name.
	From string `json:"from,omitempty" yaml:"from,omitempty"`
	// Kind says what the column is for.
	Kind Kind `json:"kind" yaml:"kind"`
	// Type is the type of the ids: "int32", "int64", "uint64" or "string". Default: "int64".
	Type string `json:"type,omitempty" yaml:"type,omitempty"`
	// Separator parts the ids of a list. Default: "|".
	Separator string `json:"separator,omitempty" yaml:"separator,omitempty"`
	// Bucket turns a number into the id of its band. Default: the value is the id.
	Bucket *Bucket `json:"bucket,omitempty" yaml:"bucket,omitempty"`
	// AtLeast turns a label into 1 if it is at least this, otherwise into 0.
	// Default: the label stays as it is.
	AtLeast *float32 `json:"at_least,omitempty" yaml:"at_least,omitempty"`
	// Default is read in place of a missing value. Without it, a missing list
	// is empty, a missing value of a Bucket column is id 0, and any other is an error.
	Default *string `json:"default,omitempty" yaml:"default,omitempty"`
}

// Bucket turns a number v into the id 1 + floor((v - From) / Width) of its
// band. Id 0 is left for missing values.
//
//	Width 4, From 1900:   1899 → 1   1900…1903 → 1   1904…1907 → 2   missing → 0
type Bucket struct {
	// Width is how many units a band is wide, more than 0.
	Width float64 `json:"width" yaml:"width"`
	// From is where the first band begins; numbers below it are in the first band too.
	From float64 `json:"from,omitempty" yaml:"from,omitempty"`
	// Bands is the number of bands; numbers above the last are in the last. A
	// static table for the column then needs Bands+1 rows. Default: as many as needed.
	Bands int64 `json:"bands,omitempty" yaml:"bands,omitempty"`
}

// WithoutLabel returns a copy of c without the columns that prediction does
// not need: label, weight and timestamp.
func (c Config) WithoutLabel() Config {
	c.Columns = features(c.Columns)
	c.Joins = append([]Join(nil), c.Joins...)
	for i := range c.Joins {
		c.Joins[i].Columns = features(c.Joins[i].Columns)
	}
	return c
}

func features(columns []Column) []Column {
	var kept []Column
	for _, c := range columns {
		if c.Kind == ID || c.Kind == IDs || c.Kind == Number {
			kept = append(kept, c)
		}
	}
	return kept
}

// Under returns a copy of c whose relative paths are taken to be under dir.
func (c Config) Under(dir string) Config {
	c.Path = under(dir, c.Path)
	c.Joins = append([]Join(nil), c.Joins...)
	for i := range c.Joins {
		c.Joins[i].Path = under(dir, c.Joins[i].Path)
	}
	return c
}

func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// Validate returns an error, which wraps ErrConfig and names the field, if c
// cannot be followed whatever is in the files.
func (c *Config) Validate() error {
	seen := map[string]bool{}
	if err := c.File.validate(""); err != nil {
		return err
	}
	if len(c.Columns) == 0 {
		return configError("columns", "there are none: name at least one column")
	}
	if err := validateColumns("columns", c.Columns, seen, false); err != nil {
		return err
	}
	for i := range c.Joins {
		if err := c.Joins[i].validate(fmt.Sprintf("joins[%d].", i), seen); err != nil {
			return err
		}
	}
	return nil
}

func (j *Join) validate(at string, seen map[string]bool) error {
	if err := j.File.validate(at); err != nil {
		return err
	}
	if j.On == "" {
		return configError(at+"on", "it is empty: name the column of the first file that holds the key")
	}
	return validateColumns(at+"columns", j.Columns, seen, true)
}

func (f *File) validate(at string) error {
	if f.Path == "" {
		return configError(at+"path", "it is empty: name a file")
	}
	if f.Format != "" {
		return oneOf(at+"format", "a format", f.Format, []string{"csv", "tsv"})
	}
	return nil
}

func validateColumns(at string, columns []Column, seen map[string]bool, joined bool) error {
	for i := range columns {
		at := fmt.Sprintf("%s[%d]", at, i)
		if err := columns[i].validate(at, joined); err != nil {
			return err
		}
		name := columns[i].Name
		if columns[i].Kind == Label || columns[i].Kind == Weight {
			if kind := "a " + string(columns[i].Kind); seen[kind] {
				return configError(at+".kind", "there is %s already: a batch has one", kind)
			}
			seen["a "+string(columns[i].Kind)] = true
		}
		if seen["="+name] {
			return configError(at+".name", "%q is the name of another column too", name)
		}
		seen["="+name] = true
	}
	return nil
}

func (c *Column) validate(at string, joined bool) error {
	if c.Name == "" {
		return configError(at+".name", "it is empty: say what the column is called")
	}
	if err := oneOf(at+".kind", "a kind", string(c.Kind), kinds); err != nil {
		return err
	}
	if joined && (c.Kind == Label || c.Kind == Weight) {
		return configError(at+".kind", "a %s must be in the first file, not in a joined one", c.Kind)
	}
	if c.Type != "" {
		if err := oneOf(at+".type", "a key type", c.Type, []string{"int32", "int64", "uint64", "string"}); err != nil {
			return err
		}
	}
	return c.validateOptions(at)
}

// validateOptions refuses options that a column of this kind has no use for.
func (c *Column) validateOptions(at string) error {
	isID := c.Kind == ID || c.Kind == IDs
	switch {
	case c.Type != "" && !isID:
		return configError(at+".type", "a column of kind %q has no key type", c.Kind)
	case c.Separator != "" && c.Kind != IDs:
		return configError(at+".separator", "a column of kind %q is not a list", c.Kind)
	case c.AtLeast != nil && c.Kind != Label:
		return configError(at+".at_least", "it is for a label, and this column is of kind %q", c.Kind)
	case c.Bucket == nil:
		return nil
	case c.Kind != ID:
		return configError(at+".bucket", "it is for a column of kind \"id\", and this one is of kind %q", c.Kind)
	case c.Type == "string":
		return configError(at+".bucket", "it gives integers, so the type cannot be \"string\"")
	case !(c.Bucket.Width > 0):
		return configError(at+".bucket.width", "it must be more than 0, got %v", c.Bucket.Width)
	case c.Bucket.Bands < 0:
		return configError(at+".bucket.bands", "it must not be negative, got %d", c.Bucket.Bands)
	}
	return nil
}

func configError(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrConfig, field, fmt.Sprintf(format, args...))
}

func oneOf(field, what, got string, known []string) error {
	for _, k := range known {
		if got == k {
			return nil
		}
	}
	return configError(field, "%q is not %s%s (known: %s)", got, what, suggest.Hint(got, known), strings.Join(known, ", "))
}

// KeyType returns the type of the column's ids.
func (c *Column) KeyType() tensor.KeyType {
	k, err := tensor.ParseKeyType(c.Type)
	if err != nil {
		return tensor.Int64
	}
	return k
}

func (c *Column) from() string {
	if c.From != "" {
		return c.From
	}
	return c.Name
}
