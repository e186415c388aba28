package tensor

import "slices"

// Clone returns a copy of ids that shares no memory with them: of a batch whose
// memory is used again for the next.
func Clone(ids IDs) IDs { return ids.clone() }

func (d *Dense[K]) clone() IDs {
	c := *d
	c.shape, c.values, c.weights = slices.Clone(d.shape), slices.Clone(d.values), slices.Clone(d.weights)
	return &c
}

func (r *Ragged[K]) clone() IDs {
	c := *r
	c.values, c.splits, c.weights = slices.Clone(r.values), slices.Clone(r.splits), slices.Clone(r.weights)
	return &c
}

func (s *Sparse[K]) clone() IDs {
	c := *s
	c.shape, c.indices = slices.Clone(s.shape), slices.Clone(s.indices)
	c.values, c.weights = slices.Clone(s.values), slices.Clone(s.weights)
	return &c
}
