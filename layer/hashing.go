package layer

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/rowan-embeddings/rowan/internal/fingerprint"
	"github.com/rowan-embeddings/rowan/tensor"
)

// HashingOptions are the optional arguments of [NewHashing]. The zero value works.
type HashingOptions struct {
	Options
	// KeyType is the type of the ids of the input that a Sequential model gives
	// the layer; it takes any. Default: int64.
	KeyType tensor.KeyType
	// Mask is an id that gets bin 0, which no other id then gets; MaskString the
	// same for strings. Default: none.
	Mask       *int64
	MaskString *string
	// Salt is one number, or two, under which SipHash is taken in the place of
	// FarmHash: who does not know it cannot make ids that collide. Default: none.
	Salt []uint64
}

// Hashing turns ids, integers or strings, into bins by a hash: Keras' layer of
// that name with output_mode "int". It knows no vocabulary, and ids that meet in
// a bin share a row: a [DynamicEmbedding] has no bins and no such loss.
//
// Bins are Keras' own, on every platform: FarmHash64 of a string's bytes, or
// SipHash-2-4 with a Salt, modulo the number of bins; an integer is hashed as it
// is written in decimal.
type Hashing struct {
	Base
	bins int
	o    HashingOptions
}

// NewHashing returns a layer that turns ids into numbers from 0 to numBins-1,
// the bin of the mask among them.
func NewHashing(numBins int, o HashingOptions) (*Hashing, error) {
	masked := o.Mask != nil || o.MaskString != nil
	switch {
	case numBins <= 0:
		return nil, fmt.Errorf("%w: Hashing: `num_bins` must be positive. Received: num_bins=%d", ErrArgument, numBins)
	case masked && numBins == 1:
		return nil, fmt.Errorf("%w: Hashing: with `mask_value` one bin is the mask's: `num_bins` must be 2 or more. Received: num_bins=1", ErrArgument)
	case len(o.Salt) > 2:
		return nil, fmt.Errorf("%w: Hashing: `salt` must be one number or two. Received: salt=%v", ErrArgument, o.Salt)
	}
	o.Mask, o.MaskString, o.Salt = clonePointer(o.Mask), clonePointer(o.MaskString), slices.Clone(o.Salt)
	l := &Hashing{bins: numBins, o: o}
	l.Init(l, o.Options)
	return l, nil
}

// Build does nothing: the layer has no weights.
func (l *Hashing) Build(...Shape) error { return nil }

// ImpliedInput is the input that a Sequential model gives the layer when it is
// the first: ids of the shape and type in its options, else int64 of one free
// dimension.
func (l *Hashing) ImpliedInput() InputOptions {
	return impliedIDs(&l.Base, l.o.KeyType)
}

// Symbolic implements [IDLayer]: int64 of the shape of the ids.
func (l *Hashing) Symbolic(in []*Tensor) (*Tensor, error) {
	t, err := one(in, tensor.Int64, tensor.Int32, tensor.Uint64, tensor.String)
	if err != nil {
		return nil, err
	}
	return SymbolicIDs(t, tensor.Int64), nil
}

// Map implements [IDLayer].
func (l *Hashing) Map(_ context.Context, m *Mapping, ids tensor.IDs, _ bool) (tensor.IDs, error) {
	bins := m.Numbers(ids.Len())
	switch b := ids.(type) {
	case interface{ Values() []string }:
		var text []byte
		for i, s := range b.Values() {
			text = append(text[:0], s...)
			bins[i] = l.bin(text, l.o.MaskString != nil && s == *l.o.MaskString)
		}
	case interface{ Values() []int64 }:
		for i, id := range b.Values() {
			bins[i] = l.number(id)
		}
	case interface{ Values() []int32 }:
		for i, id := range b.Values() {
			bins[i] = l.number(int64(id))
		}
	case interface{ Values() []uint64 }:
		var text [20]byte
		for i, id := range b.Values() {
			bins[i] = l.bin(strconv.AppendUint(text[:0], id, 10), l.o.Mask != nil && *l.o.Mask >= 0 && id == uint64(*l.o.Mask))
		}
	}
	return tensor.WithIDs(ids, bins)
}

func (l *Hashing) number(id int64) int64 {
	var text [20]byte
	return l.bin(strconv.AppendInt(text[:0], id, 10), l.o.Mask != nil && id == *l.o.Mask)
}

// bin returns the bin of an id, which is the mask or not.
func (l *Hashing) bin(text []byte, mask bool) int64 {
	if mask {
		return 0
	}
	var hash uint64
	switch salt := l.o.Salt; len(salt) {
	case 0:
		hash = fingerprint.Farm(text)
	case 1:
		hash = fingerprint.Sip([2]uint64{salt[0], salt[0]}, text)
	default:
		hash = fingerprint.Sip([2]uint64(salt), text)
	}
	if l.o.Mask != nil || l.o.MaskString != nil {
		return 1 + int64(hash%uint64(l.bins-1))
	}
	return int64(hash % uint64(l.bins))
}

// Config implements [Configurer].
func (l *Hashing) Config() Config {
	c := Config{"num_bins": l.bins, "mask_value": pointerConfig(l.o.Mask), "salt": nil, "output_mode": "int"}
	if l.o.MaskString != nil {
		c["mask_value"] = *l.o.MaskString
	}
	switch len(l.o.Salt) {
	case 1:
		c["salt"] = l.o.Salt[0]
	case 2:
		c["salt"] = slices.Clone(l.o.Salt)
	}
	return l.idConfig().with(c)
}

func hashingFromConfig(c Config) (Layer, error) {
	r := c.reader()
	bins := r.Int("num_bins")
	o := HashingOptions{Salt: r.salt()}
	if mask, ok := r.Get("mask_value"); ok {
		if text, ok := mask.(string); ok {
			o.MaskString = &text
		} else {
			o.Mask = r.ID("mask_value")
		}
	}
	if m := r.Text("output_mode"); m != "" && m != "int" {
		r.Bad("output_mode", `"int", the bins that an embedding takes`, m)
	}
	if r.Flag("sparse") {
		r.Bad("sparse", "false", true)
	}
	o.Options = r.idOptions()
	if err := r.done("Hashing"); err != nil {
		return nil, err
	}
	return NewHashing(bins, o)
}

// salt reads one number or a list of them.
func (r reader) salt() []uint64 {
	v, ok := r.Get("salt")
	if !ok {
		return nil
	}
	var list []any
	switch s := v.(type) {
	case []uint64:
		return slices.Clone(s)
	case []any:
		list = s
	default:
		list = []any{v}
	}
	var salt []uint64
	for _, x := range list {
		n, ok := x.(uint64)
		if !ok {
			n = uint64(r.AsID("salt", x))
		}
		salt = append(salt, n)
	}
	return salt
}
