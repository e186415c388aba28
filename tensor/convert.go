package tensor

import "fmt"

// Conversions between the layouts share ids and weights with the batch they
// come from wherever the order stays the same; each says what it copies.

// Ragged returns the batch with its last dimension as bags, all of one length.
// A Dense of another rank than 2 is ErrShape: its outer dimensions would be
// lost. Ids and weights are shared.
func (d *Dense[K]) Ragged() (*Ragged[K], error) {
	if len(d.shape) != 2 {
		return nil, fmt.Errorf("%w: a ragged batch is made from two dimensions, got shape %v", ErrShape, d.shape)
	}
	if err := checkBags(d.shape[0]); err != nil {
		return nil, err
	}
	splits := d.appendSplits(make([]int64, 0, d.shape[0]+1), d.shape[0])
	return &Ragged[K]{values: d.values, splits: splits, shape: [2]int{d.shape[0], -1}, weights: d.weights}, nil
}

// Ragged returns the batch with each row as a bag, whose ids keep their order
// and lose their columns. A Sparse of another rank than 2 is ErrShape: its outer
// dimensions would be lost. Ids and weights are shared.
func (s *Sparse[K]) Ragged() (*Ragged[K], error) {
	if len(s.shape) != 2 {
		return nil, fmt.Errorf("%w: a ragged batch is made from two dimensions, got shape %v", ErrShape, s.shape)
	}
	if err := checkBags(s.shape[0]); err != nil {
		return nil, err
	}
	splits := s.appendSplits(nil, s.shape[0])
	return &Ragged[K]{values: s.values, splits: splits, shape: [2]int{s.shape[0], -1}, weights: s.weights}, nil
}

// ByRow returns the batch with everything of one first index as a bag, whatever
// its other dimensions: how TensorFlow's embedding_lookup_sparse pools a batch of
// more than two. Ids and weights are shared. A Sparse of one dimension is ErrShape.
func (s *Sparse[K]) ByRow() (*Ragged[K], error) {
	if len(s.shape) < 2 {
		return nil, fmt.Errorf("%w: a ragged batch is made from two dimensions or more, got shape %v", ErrShape, s.shape)
	}
	if err := checkBags(s.shape[0]); err != nil {
		return nil, err
	}
	splits := make([]int64, 1, s.shape[0]+1)
	for i, rank := 0, len(s.shape); len(splits) <= s.shape[0]; {
		for i < len(s.values) && s.indices[i*rank] < int64(len(splits)) {
			i++
		}
		splits = append(splits, int64(i))
	}
	return &Ragged[K]{values: s.values, splits: splits, shape: [2]int{s.shape[0], -1}, weights: s.weights}, nil
}

// Sparse returns the batch with each bag as a row, from column 0 on, as wide as
// the longest bag. Ids and weights are shared.
func (r *Ragged[K]) Sparse() *Sparse[K] {
	indices := make([]int64, 0, 2*len(r.values))
	for bag := range r.Bags() {
		for column := range r.Bag(bag) {
			indices = append(indices, int64(bag), int64(column))
		}
	}
	return &Sparse[K]{indices: indices, values: r.values, shape: []int{r.Bags(), r.longest()}, weights: r.weights}
}

// Dense returns the batch as a rectangle as wide as the longest bag, shorter
// bags filled up at their end with pad, of weight 0 if there are weights. Ids
// and weights are copied. A rectangle of more than 2^31 cells is ErrShape: one
// long bag makes it that large.
func (r *Ragged[K]) Dense(pad K) (*Dense[K], error) {
	width := r.longest()
	n, err := elements([]int{r.Bags(), width})
	if err != nil {
		return nil, err
	}
	if int64(n) > maxCells {
		return nil, fmt.Errorf("%w: %d bags as wide as the longest, %d, are more than %d cells", ErrShape, r.Bags(), width, int64(maxCells))
	}
	d := &Dense[K]{shape: []int{r.Bags(), width}, values: make([]K, n)}
	if r.weights != nil {
		d.weights = make([]float32, n)
	}
	for bag := range r.Bags() {
		row := d.values[bag*width : (bag+1)*width]
		for i := copy(row, r.Bag(bag)); i < width; i++ {
			row[i] = pad
		}
		if r.weights != nil {
			copy(d.weights[bag*width:], r.weights[r.splits[bag]:r.splits[bag+1]])
		}
	}
	return d, nil
}

func (r *Ragged[K]) longest() int {
	longest := 0
	for bag := range r.Bags() {
		longest = max(longest, len(r.Bag(bag)))
	}
	return longest
}
