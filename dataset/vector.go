package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rowan-embeddings/rowan/tensor"
)

// vector holds the values of a column, of whatever kind, in file order.
type vector struct {
	spec    Column
	key     tensor.KeyType
	missing []string // the texts that stand for a missing value
	parse   func(text []byte) error

	ints   []int64   // integer ids, uint64 by their bits; timestamps
	codes  []uint32  // string ids: numbers of entries of names
	floats []float32 // number, label, weight
	splits []int64   // kind ids: where the bags begin, and the end

	names []string
	code  map[string]uint32 // the inverse of names
}

func newVector(c Column, f *File) *vector {
	v := &vector{spec: c, key: c.KeyType(), missing: f.Missing}
	switch c.Kind {
	case ID:
		v.parse = v.id
		if c.Bucket != nil {
			v.parse = v.band
		}
	case IDs:
		v.parse, v.splits = v.list, []int64{0}
	case Timestamp:
		v.parse = v.id
	default:
		v.parse = v.number
	}
	if v.key == tensor.String {
		v.code = map[string]uint32{}
	}
	return v
}

// add appends the value that a field's text stands for.
func (v *vector) add(text []byte) error {
	if v.isMissing(text) {
		return v.addMissing()
	}
	return v.parse(text)
}

func (v *vector) isMissing(text []byte) bool {
	if v.missing == nil {
		return len(text) == 0
	}
	return slices.ContainsFunc(v.missing, func(m string) bool { return m == string(text) })
}

var errMissing = errors.New("the value is missing; fill it in, or set the column's default to say what to read in its place")

func (v *vector) addMissing() error {
	switch {
	case v.spec.Default != nil:
		return v.parse([]byte(*v.spec.Default))
	case v.spec.Kind == IDs:
		v.splits = append(v.splits, v.end())
	case v.spec.Bucket != nil:
		v.ints = append(v.ints, 0)
	default:
		return errMissing
	}
	return nil
}

func (v *vector) id(text []byte) error {
	if v.key == tensor.String {
		v.codes = append(v.codes, v.intern(text))
		return nil
	}
	x, err := parseInt(text, v.key)
	v.ints = append(v.ints, x)
	return err
}

// intern returns the code of a string, a new one if it is new.
func (v *vector) intern(text []byte) uint32 {
	if c, ok := v.code[string(text)]; ok {
		return c
	}
	c, name := uint32(len(v.names)), string(text)
	v.names = append(v.names, name)
	v.code[name] = c
	return c
}

func (v *vector) list(text []byte) error {
	separator := v.separator()
	for more := len(text) > 0; more; {
		var item []byte
		item, text, more = bytes.Cut(text, separator)
		if len(item) == 0 {
			return fmt.Errorf("a list holds an empty id; expected ids parted by %q", separator)
		}
		if err := v.id(item); err != nil {
			return err
		}
	}
	v.splits = append(v.splits, v.end())
	return nil
}

func (v *vector) separator() []byte {
	if v.spec.Separator == "" {
		return []byte{'|'}
	}
	return []byte(v.spec.Separator)
}

func (v *vector) band(text []byte) error {
	x, err := parseNumber(text)
	if err != nil {
		return err
	}
	id := v.spec.Bucket.id(float64(x))
	if id > math.MaxInt32 {
		return fmt.Errorf("%q is in band %d; expected a number of a band below 2^31: set bands, or a greater width", text, id)
	}
	v.ints = append(v.ints, id)
	return nil
}

func (v *vector) number(text []byte) error {
	x, err := parseNumber(text)
	if err != nil {
		return err
	}
	if v.spec.Kind == Weight && x < 0 {
		return fmt.Errorf("%q is a negative weight; expected one of at least 0", text)
	}
	if least := v.spec.AtLeast; least != nil {
		x = indicator(x >= *least)
	}
	v.floats = append(v.floats, x)
	return nil
}

func indicator(yes bool) float32 {
	if yes {
		return 1
	}
	return 0
}

// end returns how many ids the vector holds.
func (v *vector) end() int64 { return int64(len(v.ints) + len(v.codes)) }

// bounds returns where the ids of entry p begin and end.
func (v *vector) bounds(p int) (lo, hi int64) {
	if v.splits == nil {
		return int64(p), int64(p) + 1
	}
	return v.splits[p], v.splits[p+1]
}

// mostNames is how many distinct strings a stream remembers from batch to batch.
const mostNames = 1 << 16

// reset forgets the values. Strings are kept for the next ones while they are few.
func (v *vector) reset() {
	v.ints, v.codes, v.floats = v.ints[:0], v.codes[:0], v.floats[:0]
	if v.splits != nil {
		v.splits = v.splits[:1]
	}
	if len(v.names) > mostNames {
		v.names = nil
		clear(v.code)
	}
}

// dense numbers the distinct ids from 0 and returns the number of each id of
// the vector, and how many there are.
func (v *vector) dense() (codes []uint32, n int) {
	if v.key == tensor.String {
		return v.codes, len(v.names)
	}
	codes, seen := make([]uint32, len(v.ints)), map[int64]uint32{}
	for i, x := range v.ints {
		c, ok := seen[x]
		if !ok {
			c = uint32(len(seen))
			seen[x] = c
		}
		codes[i] = c
	}
	return codes, len(seen)
}

// shrink gives back what growing left over.
func (v *vector) shrink() {
	v.ints, v.codes = slices.Clip(slices.Clone(v.ints)), slices.Clip(slices.Clone(v.codes))
	v.floats, v.splits = slices.Clip(slices.Clone(v.floats)), slices.Clip(slices.Clone(v.splits))
	v.code = nil
}
