package layer

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/tensor"
)

// HostLayer computes floats from ids, outside the graph, with a table. One of
// one's own embeds Base, or an embedding of this package; see [Rows.Look].
type HostLayer interface {
	Layer
	// Symbolic returns the output for symbolic ids, its shape and whether a mask
	// travels with it: see SymbolicRows.
	Symbolic(in []*Tensor) (*Tensor, error)
	// Lookup looks ids up into r, whose memory is reused. Any number of
	// goroutines may call it, each with its own r.
	Lookup(ctx context.Context, r *Rows, ids tensor.IDs, training bool) error
}

// Rows is what a host layer looked up: one for every place of a model that
// looks ids up, used again at every step, by one goroutine at a time.
//
// Ragged or sparse ids that are not pooled give one row an id, in the order of
// the ids. A graph needs a rectangle: it is fed rows padded to a power of two,
// so that few shapes need compiling, and a mask:
//
//	ids {7, 3, 9} {} {7}   Values  7 3 9 7        Feed  7 3 9 0   mask  1 1 1 0
//	                       Splits  0 3 3 4              0 0 0 0         0 0 0 0
//	                                                    7 0 0 0         1 0 0 0
type Rows struct {
	feature string // names the input in errors
	lookup  rowan.Lookup
	ids     tensor.IDs
	shaped  *tensor.Values // lookup's values in another shape; nil as they are
	mask    []bool         // of the ids; nil without one
	ragged  bool
	bags    tensor.Bags
	padded  tensor.Values
	valid   []bool        // mask of padded
	grad    tensor.Values // of lookup's values, unpadded
	adapted adaptedRows   // of a layer with LoRA
	// Memory for ids in another order or other bags than they came in, which the
	// lookup refers to until it has been trained.
	splits []int64
	sorted regrouped
}

// Values returns the rows: shape(ids) + (width,), pooled without the last
// dimension of ids. Valid until r is used again.
func (r *Rows) Values() *tensor.Values {
	switch {
	case r.shaped != nil:
		return r.shaped
	case r.adapted.lora != nil:
		return r.adapted.merge(r.lookup.Values())
	}
	return r.lookup.Values()
}

// fed returns the rows that a graph is fed, before they are padded.
func (r *Rows) fed() *tensor.Values {
	if r.adapted.lora != nil {
		return &r.adapted.joined
	}
	return r.Values()
}

// Mask returns which ids count, in the order of the ids; nil without a mask.
func (r *Rows) Mask() []bool { return r.mask }

// Splits returns where each bag of Values begins and ends, for ragged or sparse
// ids that were not pooled; else nil.
func (r *Rows) Splits() []int64 {
	if !r.ragged {
		return nil
	}
	return r.bags.Splits
}

// look does the lookup that host layers share. mask is appended to by the caller.
func (r *Rows) look(ctx context.Context, t *rowan.Table, ids tensor.IDs, o rowan.LookupOptions) error {
	if t == nil {
		return fmt.Errorf("%w: apply or run the layer first", ErrNotBuilt)
	}
	r.ids, r.shaped, r.mask, r.ragged, r.adapted.lora = ids, nil, r.mask[:0], false, nil
	if err := t.LookupInto(ctx, &r.lookup, ids, o); err != nil {
		return err
	}
	if o.Combiner != rowan.None || len(r.lookup.Values().Shape()) == len(ids.Shape())+1 && !varies(ids) {
		return nil
	}
	if len(ids.Shape()) != 2 {
		return fmt.Errorf("%w: ragged or sparse ids without a combiner need two dimensions, got shape %v", ErrShape, ids.Shape())
	}
	r.ragged = true
	return r.bags.Of(ids)
}

// varies reports whether a batch holds one row an id and not a rectangle.
func varies(ids tensor.IDs) bool {
	shape, n := ids.Shape(), 1
	for _, d := range shape {
		n *= d
	}
	return n != ids.Len()
}

// Feed returns the rows as a rectangle, and its mask if it has one: what goes
// into a graph. Valid until r is used again.
func (r *Rows) Feed() (*tensor.Values, []bool, error) {
	if !r.ragged {
		return r.fed(), r.Mask(), nil
	}
	bags, length, width := len(r.bags.Splits)-1, r.length(), r.width()
	if err := r.padded.Reset(bags, length, width); err != nil {
		return nil, nil, err
	}
	dst, src := r.padded.Data(), r.fed().Data()
	clear(dst)
	r.valid = append(r.valid[:0], make([]bool, bags*length)...)
	for b := range bags {
		from, to := int(r.bags.Splits[b]), int(r.bags.Splits[b+1])
		copy(dst[b*length*width:], src[from*width:to*width])
		for i := range to - from {
			r.valid[b*length+i] = len(r.mask) == 0 || r.mask[from+i]
		}
	}
	return &r.padded, r.valid, nil
}

// all is a mask of rows that are not ragged in which every one counts.
func (r *Rows) all() []bool {
	r.valid = r.valid[:0]
	for range r.fed().Len() / r.width() {
		r.valid = append(r.valid, true)
	}
	return r.valid
}

// width is that of the rows which are fed.
func (r *Rows) width() int {
	shape := r.fed().Shape()
	return shape[len(shape)-1]
}

// length is the longest bag, rounded up to a power of two.
func (r *Rows) length() int {
	longest := int64(1)
	for b := 1; b < len(r.bags.Splits); b++ {
		longest = max(longest, r.bags.Splits[b]-r.bags.Splits[b-1])
	}
	return 1 << bits.Len64(uint64(longest-1))
}

// Backward adds the gradient of what Feed returned to g, a collection of the
// layer's table; of one with LoRA, of its first factor. Both must stay as they
// are until g has been applied.
func (r *Rows) Backward(g *rowan.Gradients, grad *tensor.Values) error {
	if r.ragged {
		if err := r.unpad(grad); err != nil {
			return err
		}
		grad = &r.grad
	}
	if r.adapted.lora != nil {
		return r.adapted.backward(g, grad)
	}
	return r.backShaped(g, grad)
}

// unpad makes r.grad of a gradient of the padded rows.
func (r *Rows) unpad(grad *tensor.Values) error {
	if err := r.grad.Reset(r.fed().Shape()...); err != nil {
		return err
	}
	length, width := r.length(), r.width()
	if len(grad.Data()) != (len(r.bags.Splits)-1)*length*width {
		return fmt.Errorf("%w: gradient of shape %v for rows fed as (%d, %d, %d)", ErrShape, grad.Shape(), len(r.bags.Splits)-1, length, width)
	}
	for b := range len(r.bags.Splits) - 1 {
		from, to := int(r.bags.Splits[b]), int(r.bags.Splits[b+1])
		copy(r.grad.Data()[from*width:to*width], grad.Data()[b*length*width:])
	}
	return nil
}

// notZero appends to mask whether each id differs from 0, or from "".
func notZero(mask []bool, ids tensor.IDs) []bool {
	switch v := ids.(type) {
	case interface{ Values() []int64 }:
		return appendNotZero(mask, v.Values())
	case interface{ Values() []int32 }:
		return appendNotZero(mask, v.Values())
	case interface{ Values() []uint64 }:
		return appendNotZero(mask, v.Values())
	case interface{ Values() []string }:
		return appendNotZero(mask, v.Values())
	}
	return mask
}

func appendNotZero[K tensor.Key](mask []bool, ids []K) []bool {
	var zero K
	for _, id := range ids {
		mask = append(mask, id != zero)
	}
	return mask
}
