package layer

// Mask is a symbolic mask: which entries of a tensor count. Like a tensor it
// has a shape and no data; runs on data return masks as booleans.
type Mask struct{ of *Tensor }

// Of returns the tensor that the mask belongs to.
func (m *Mask) Of() *Tensor { return m.of }

// Shape returns the mask's shape, -1 for a free dimension: leading dimensions
// of its tensor.
func (m *Mask) Shape() Shape { return m.of.maskShape() }

func masksOf(ts []*Tensor) []*Mask {
	masks := make([]*Mask, len(ts))
	for i, t := range ts {
		if t.masked {
			masks[i] = &Mask{t}
		}
	}
	return masks
}
